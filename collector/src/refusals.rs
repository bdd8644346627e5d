//! The last refusals, so that a person who sees no data is told why.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use storage::{Clock, UnixNanos};

use crate::error::{Refusal, bounded};
use crate::metrics::Transport;

/// A kind of request that was refused lately. Texts come from senders: bounded here, to be escaped where shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecentRefusal {
    /// When the last one was refused.
    pub last: UnixNanos,
    /// How many in a row of table entries alike.
    pub count: u64,
    /// `grpc` or `http`.
    pub transport: &'static str,
    /// The HTTP status, or for gRPC the number of the code.
    pub status: u16,
    /// The word it is counted under.
    pub reason: &'static str,
    /// What the sender was told.
    pub message: String,
    /// What the sender calls itself; empty when it does not say.
    pub user_agent: String,
}

/// Gives the last refusals, newest first.
pub type RecentRefusals = Arc<dyn Fn() -> Vec<RecentRefusal> + Send + Sync>;

/// A bounded table of refusals.
#[derive(Clone, Debug)]
pub(crate) struct Refusals {
    clock: Clock,
    table: Arc<Mutex<VecDeque<RecentRefusal>>>,
}

// === impl Refusals ===

impl Refusals {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, table: Arc::default() }
    }

    /// Notes one; the answer is how many alike there are now.
    pub(crate) fn note(&self, transport: Transport, refusal: &Refusal, user_agent: &str) -> u64 {
        let status = match transport {
            Transport::Http => refusal.http_status().as_u16(),
            Transport::Grpc => u16::try_from(refusal.code() as i32).unwrap_or_default(),
        };
        let user_agent = bounded(user_agent.chars().filter(|c| !c.is_control()).take(MAX_AGENT_BYTES).collect(), MAX_AGENT_BYTES);
        let message = bounded(refusal.message(), MAX_TEXT_BYTES);
        let last = self.clock.now();
        let mut table = self.table.lock();
        let alike = |entry: &RecentRefusal| {
            let is_of_one = entry.transport == transport.as_str() && entry.user_agent == user_agent;
            is_of_one && entry.reason == refusal.reason() && words(&entry.message).eq(words(&message))
        };
        let known = table.iter().position(alike).and_then(|at| table.remove(at));
        let count = known.map_or(0, |entry| entry.count).saturating_add(1);
        table.push_front(RecentRefusal {
            last,
            count,
            transport: transport.as_str(),
            status,
            reason: refusal.reason(),
            message,
            user_agent,
        });
        table.truncate(MAX_ENTRIES);
        count
    }

    pub(crate) fn reader(&self) -> RecentRefusals {
        let table = Arc::clone(&self.table);
        Arc::new(move || table.lock().iter().cloned().collect())
    }
}

/// What tells reasons apart: sizes and offsets differ from request to request.
fn words(message: &str) -> impl Iterator<Item = char> {
    message.chars().filter(|c| !c.is_ascii_digit())
}

const MAX_ENTRIES: usize = 32;
const MAX_TEXT_BYTES: usize = 256;
const MAX_AGENT_BYTES: usize = 96;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_alike_are_counted_and_the_table_is_bounded() {
        let refusals = Refusals::new(Clock::default());
        for _ in 0..3 {
            refusals.note(Transport::Http, &Refusal::BodyTimeout, "agent");
        }
        let read = refusals.reader();
        assert_eq!(read().len(), 1);
        assert_eq!((read()[0].count, read()[0].status), (3, 408));
        for n in 0..100 {
            refusals.note(Transport::Grpc, &Refusal::Internal, &format!("agent {n}"));
        }
        assert_eq!(read().len(), MAX_ENTRIES);
        assert_eq!(read()[0].user_agent, "agent 99");
    }

    #[test]
    fn refusals_for_different_reasons_are_told_apart_and_sizes_do_not_make_a_reason() {
        let refusals = Refusals::new(Clock::default());
        for what in ["no body after 12 bytes", "no body after 7 bytes", "not a message"] {
            refusals.note(Transport::Http, &Refusal::Malformed(what.to_owned()), "agent");
        }
        let told: Vec<u64> = refusals.reader()().iter().map(|refusal| refusal.count).collect();
        assert_eq!(told, [1, 2]);
    }
}
