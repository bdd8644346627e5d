//! Telemetry that was sent to the port of the pages: its senders are told, and so are people who wait for it.

use std::collections::VecDeque;

use parking_lot::Mutex;
use storage::{Lately, UnixNanos};

use crate::Refused;

/// The last senders that came to the wrong port, each once.
#[derive(Debug, Default)]
pub(crate) struct Strays(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// The newest first, each with how often it came; its own count is not kept up.
    senders: VecDeque<(Refused, Lately)>,
    /// When it was last logged that there are such, and how many requests came since.
    logged: Option<UnixNanos>,
    unsaid: u64,
}

// === impl Strays ===

impl Strays {
    /// Notes a request by how it came and what it was told; texts come from its sender and are bounded here. Gives how many are to be logged
    /// now, `None` while a line was logged lately.
    pub(crate) fn note(&self, now: UnixNanos, (transport, told): (&'static str, &str), user_agent: &str) -> Option<u64> {
        let user_agent: String = user_agent.chars().filter(|c| !c.is_control()).take(MAX_AGENT).collect();
        let mut known = self.0.lock();
        let senders = &mut known.senders;
        let is_alike = |(stray, _): &(Refused, Lately)| stray.transport == transport && stray.user_agent == user_agent;
        let alike = senders.iter().position(is_alike).and_then(|at| senders.remove(at));
        let mut lately = alike.map(|(_, lately)| lately).unwrap_or_default();
        lately.note(now);
        let (message, status) = (told.to_owned(), if transport == "grpc" { 12 } else { 404 });
        senders.push_front((Refused { last: now, count: 0, transport, status, reason: "wrong_port", message, user_agent }, lately));
        senders.truncate(MAX_STRAYS);
        known.unsaid = known.unsaid.saturating_add(1);
        if known.logged.is_some_and(|logged| now.since(logged) < LOGGED_EVERY) {
            return None;
        }
        known.logged = Some(now);
        Some(std::mem::take(&mut known.unsaid))
    }

    /// Those of the hour before `now`, the newest first.
    pub(super) fn list(&self, now: UnixNanos) -> Vec<Refused> {
        let known = self.0.lock();
        let counted = known.senders.iter().map(|(stray, lately)| Refused { count: lately.count(now), ..stray.clone() });
        counted.filter(|stray| stray.count > 0).collect()
    }
}

/// Characters of what a sender calls itself.
const MAX_AGENT: usize = 120;

/// Nanoseconds between two lines in the log.
const LOGGED_EVERY: u64 = 60_000_000_000;

/// Senders that are remembered.
const MAX_STRAYS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn senders_alike_are_one_and_the_newest_is_first() {
        let strays = Strays::default();
        for (at, agent) in [(1, "a"), (2, "b"), (3, "a\n")] {
            strays.note(UnixNanos::new(at), ("http", "elsewhere"), agent);
        }
        let told: Vec<_> =
            strays.list(UnixNanos::new(4)).into_iter().map(|stray| (stray.user_agent, stray.count, stray.last.get())).collect();
        assert_eq!(told, [("a".to_owned(), 2, 3), ("b".to_owned(), 1, 2)]);
        strays.note(UnixNanos::new(4), ("grpc", ""), "b");
        assert_eq!(strays.list(UnixNanos::new(4)).len(), 3, "who comes by both ways has two mistakes to mend");
        for n in 0..100 {
            strays.note(UnixNanos::new(n), ("http", ""), &n.to_string());
        }
        assert_eq!(strays.list(UnixNanos::new(100)).len(), MAX_STRAYS);
        assert!(strays.list(UnixNanos::new(2 * 3_600_000_000_000)).is_empty(), "it may have been mended");
    }

    #[test]
    fn a_line_is_logged_at_once_and_then_once_a_minute_with_how_many_came() {
        let strays = Strays::default();
        let logged = |second: u64| strays.note(UnixNanos::new(second * 1_000_000_000), ("http", ""), &second.to_string());
        assert_eq!([5, 6, 64, 65, 66].map(logged), [Some(1), None, None, Some(3), None]);
    }
}
