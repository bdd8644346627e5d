//! Telemetry that was sent to the port of the pages: its senders are told, and so are people who wait for it.

use std::collections::VecDeque;

use parking_lot::Mutex;
use storage::UnixNanos;

use crate::Refused;

/// The last senders that came to the wrong port, each once.
#[derive(Debug, Default)]
pub(crate) struct Strays(Mutex<VecDeque<Refused>>);

// === impl Strays ===

impl Strays {
    /// Notes a request; texts come from its sender and are bounded here.
    pub(crate) fn note(&self, now: UnixNanos, told: &str, user_agent: &str) {
        let user_agent: String = user_agent.chars().filter(|c| !c.is_control()).take(MAX_AGENT).collect();
        let mut known = self.0.lock();
        let alike = known.iter().position(|stray| stray.user_agent == user_agent).and_then(|at| known.remove(at));
        let count = alike.map_or(0, |stray| stray.count).saturating_add(1);
        let message = told.to_owned();
        known.push_front(Refused { last: now, count, transport: "http", status: 404, reason: "wrong_port", message, user_agent });
        known.truncate(MAX_STRAYS);
    }

    /// The newest first.
    pub(super) fn list(&self) -> Vec<Refused> {
        self.0.lock().iter().cloned().collect()
    }
}

/// Characters of what a sender calls itself.
const MAX_AGENT: usize = 120;

/// Senders that are remembered.
const MAX_STRAYS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn senders_alike_are_one_and_the_newest_is_first() {
        let strays = Strays::default();
        for (at, agent) in [(1, "a"), (2, "b"), (3, "a\n")] {
            strays.note(UnixNanos::new(at), "elsewhere", agent);
        }
        let told: Vec<_> = strays.list().into_iter().map(|stray| (stray.user_agent, stray.count, stray.last.get())).collect();
        assert_eq!(told, [("a".to_owned(), 2, 3), ("b".to_owned(), 1, 2)]);
        (0..100).for_each(|n| strays.note(UnixNanos::new(n), "", &n.to_string()));
        assert_eq!(strays.list().len(), MAX_STRAYS);
    }
}
