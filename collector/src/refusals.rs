//! The last refusals, so that a person who sees no data is told why.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use storage::{Clock, Lately, UnixNanos};

use crate::error::{Refusal, bounded};
use crate::metrics::Transport;

/// A kind of request that was refused in the last hour. Texts come from senders: bounded here, to be escaped where shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecentRefusal {
    /// When the last one was refused.
    pub last: UnixNanos,
    /// How many alike in the last hour.
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
    known: Arc<Mutex<Known>>,
}

#[derive(Debug, Default)]
struct Known {
    /// The newest first, each with how often it happened; its own count is not kept up.
    table: VecDeque<(RecentRefusal, Lately)>,
    /// When the news of a minute began, and how many there were.
    news: (UnixNanos, u32),
}

// === impl Refusals ===

impl Refusals {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, known: Arc::default() }
    }

    /// Notes one; says whether it is worth a line in the log: the first of its kind in an hour, and not one of too many kinds at once.
    pub(crate) fn note(&self, transport: Transport, refusal: &Refusal, user_agent: &str) -> bool {
        let status = match transport {
            Transport::Http => refusal.http_status().as_u16(),
            Transport::Grpc => u16::try_from(refusal.code() as i32).unwrap_or_default(),
        };
        let user_agent = bounded(user_agent.chars().filter(|c| !c.is_control()).take(MAX_AGENT_BYTES).collect(), MAX_AGENT_BYTES);
        let message = bounded(refusal.message(), MAX_TEXT_BYTES);
        let last = self.clock.now();
        let entry = RecentRefusal { last, count: 0, transport: transport.as_str(), status, reason: refusal.reason(), message, user_agent };
        self.known.lock().note(entry)
    }

    pub(crate) fn reader(&self) -> RecentRefusals {
        let (clock, known) = (self.clock.clone(), Arc::clone(&self.known));
        Arc::new(move || known.lock().at(clock.now()))
    }
}

// === impl Known ===

impl Known {
    fn note(&mut self, entry: RecentRefusal) -> bool {
        let now = entry.last;
        let at = self.table.iter().position(|(known, _)| is_alike(known, &entry));
        let mut lately = at.and_then(|at| self.table.remove(at)).map(|(_, lately)| lately).unwrap_or_default();
        lately.note(now);
        let is_first = lately.count(now) == 1;
        self.table.push_front((entry, lately));
        self.table.truncate(MAX_ENTRIES);
        is_first && self.has_room_for_news(now)
    }

    /// Senders choose what is new, so that they could fill the log.
    fn has_room_for_news(&mut self, now: UnixNanos) -> bool {
        if now.get().abs_diff(self.news.0.get()) > MINUTE_NANOS {
            self.news = (now, 0);
        }
        self.news.1 = self.news.1.saturating_add(1);
        self.news.1 <= MAX_NEWS
    }

    /// What happened in the hour before, with how often.
    fn at(&self, now: UnixNanos) -> Vec<RecentRefusal> {
        let counted = self.table.iter().map(|(entry, lately)| RecentRefusal { count: lately.count(now), ..entry.clone() });
        counted.filter(|entry| entry.count > 0).collect()
    }
}

/// Whether both are of one sender and for one reason.
fn is_alike(one: &RecentRefusal, other: &RecentRefusal) -> bool {
    let is_of_one = one.transport == other.transport && one.user_agent == other.user_agent;
    is_of_one && one.reason == other.reason && words(&one.message).eq(words(&other.message))
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

    #[test]
    fn what_was_refused_more_than_an_hour_ago_is_not_counted_and_is_news_again() {
        let second = |seconds: u64| UnixNanos::new(seconds * 1_000_000_000);
        let clock = Clock::held_at(second(600));
        let refusals = Refusals::new(clock.clone());
        let note = |agent| refusals.note(Transport::Http, &Refusal::BodyTimeout, agent);
        let told = || refusals.reader()().into_iter().map(|refusal| (refusal.user_agent, refusal.count)).collect::<Vec<_>>();
        assert_eq!([note("a"), note("a"), note("b")], [true, false, true]);
        clock.set(second(3_000));
        assert!(!note("a"));
        assert_eq!(told(), [("a".to_owned(), 3), ("b".to_owned(), 1)]);
        clock.set(second(4_300));
        assert_eq!(told(), [("a".to_owned(), 1)]);
        assert_eq!([note("a"), note("b")], [false, true]);
        clock.set(second(9_000));
        assert_eq!(told(), []);
    }
}
