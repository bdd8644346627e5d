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
    /// When the news of a minute began, and how many there were.
    news: Arc<Mutex<(UnixNanos, u32)>>,
}

// === impl Refusals ===

impl Refusals {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, table: Arc::default(), news: Arc::default() }
    }

    /// Notes one; says whether it is worth a line in the log: the first of its kind, and not one of too many kinds at once.
    pub(crate) fn note(&self, transport: Transport, refusal: &Refusal, user_agent: &str) -> bool {
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
        count == 1 && self.has_room_for_news(last)
    }

    /// Senders choose what is new, so that they could fill the log.
    fn has_room_for_news(&self, now: UnixNanos) -> bool {
        let mut news = self.news.lock();
        if now.get().abs_diff(news.0.get()) > MINUTE_NANOS {
            *news = (now, 0);
        }
        news.1 = news.1.saturating_add(1);
        news.1 <= MAX_NEWS
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
/// Lines in the log per minute.
const MAX_NEWS: u32 = 10;
const MINUTE_NANOS: u64 = 60_000_000_000;
const MAX_TEXT_BYTES: usize = 256;
const MAX_AGENT_BYTES: usize = 96;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_alike_are_counted_and_the_table_is_bounded() {
        let refusals = Refusals::new(Clock::default());
        let news: Vec<bool> = (0..3).map(|_| refusals.note(Transport::Http, &Refusal::BodyTimeout, "agent")).collect();
        assert_eq!(news, [true, false, false]);
        let read = refusals.reader();
        assert_eq!(read().len(), 1);
        assert_eq!((read()[0].count, read()[0].status), (3, 408));
        let news = (0..100).filter(|n| refusals.note(Transport::Grpc, &Refusal::Internal, &format!("agent {n}"))).count();
        assert_eq!(news, 9, "the log is not filled by who calls itself by many names");
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
