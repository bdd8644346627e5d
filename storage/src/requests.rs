//! Requests that were taken in lately: a request that is sent again is answered again, not stored again.
//!
//! Owns the table of request hashes. Senders repeat a request when its answer got lost; a request counts as the same when signal and
//! payload are the same bytes. So is a log line that was truly written twice, in requests that agree in every byte including all times:
//! it is kept once. A delete has the requests before it forgotten: what is sent again after it is stored.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use highway::{HighwayHash as _, HighwayHasher, Key};
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::error::AppendError;
use crate::model::UnixNanos;
use crate::store::{Appended, Signal};

/// What became of a request.
pub(crate) type Outcome = Result<Appended, AppendError>;

/// Requests in flight, and those that became durable in the last minutes.
#[derive(Debug)]
pub(crate) struct Requests {
    key: Key,
    table: Mutex<Table>,
}

/// What is known of a request that came in.
#[derive(Debug)]
pub(crate) enum Claim {
    /// It is new; whoever holds the ticket takes it in.
    New(Ticket, watch::Receiver<Option<Outcome>>),
    /// It is being taken in; the outcome is going to be there.
    InFlight(watch::Receiver<Option<Outcome>>),
    /// It was taken in.
    Done(Appended),
}

/// The duty to take a request in. Dropped without an outcome, it leaves the request unknown.
#[derive(Debug)]
pub(crate) struct Ticket {
    requests: Arc<Requests>,
    hash: [u8; 16],
    signal: Signal,
    /// Deletes of that signal when it was claimed.
    deletes: u64,
    outcome: watch::Sender<Option<Outcome>>,
}

#[derive(Debug, Default)]
struct Table {
    known: HashMap<[u8; 16], State>,
    /// Durable ones in order of time.
    ages: VecDeque<(UnixNanos, [u8; 16])>,
    /// Deletes so far, of spans and of log records.
    deletes: [u64; 2],
}

#[derive(Debug)]
enum State {
    InFlight(watch::Receiver<Option<Outcome>>),
    Done(Signal, Appended),
}

// === impl Requests ===

impl Requests {
    /// An empty table. Hashes are keyed, so that a sender cannot make requests that are taken for others'.
    pub(crate) fn new(key: [u8; 16]) -> Arc<Self> {
        let [low, high] = [0, 8].map(|at| key.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u64::from_le_bytes(*bytes)));
        Arc::new(Self { key: Key([low, high, !low, !high]), table: Mutex::default() })
    }

    /// What requests are known by.
    pub(crate) fn hash(&self, signal: Signal, payload: &[u8]) -> [u8; 16] {
        let mut hasher = HighwayHasher::new(self.key);
        hasher.append(signal.as_str().as_bytes());
        hasher.append(payload);
        let [low, high] = hasher.finalize128();
        (u128::from(high) << 64 | u128::from(low)).to_le_bytes()
    }

    /// Looks a request up, and claims it when it is new.
    pub(crate) fn claim(self: &Arc<Self>, signal: Signal, hash: [u8; 16], now: UnixNanos) -> Claim {
        let mut table = self.table.lock();
        table.forget_old(now);
        match table.known.get(&hash) {
            Some(State::Done(_, appended)) => Claim::Done(appended.clone()),
            Some(State::InFlight(outcome)) => Claim::InFlight(outcome.clone()),
            None => {
                let (sender, receiver) = watch::channel(None);
                table.known.insert(hash, State::InFlight(receiver.clone()));
                let deletes = *table.deletes_of(signal);
                Claim::New(Ticket { requests: self.clone(), hash, signal, deletes, outcome: sender }, receiver)
            }
        }
    }

    /// Remembers a request that is durable.
    pub(crate) fn remember(&self, signal: Signal, hash: [u8; 16], appended: Appended, time: UnixNanos) {
        self.table.lock().remember(signal, hash, appended, time);
    }

    /// Forgets all requests of a signal, since rows of it were deleted: which of them came in by which request is not known. What is in
    /// flight may have come before, so it is not remembered either.
    pub(crate) fn forget(&self, signal: Signal) {
        let mut table = self.table.lock();
        *table.deletes_of(signal) += 1;
        let Table { known, ages, .. } = &mut *table;
        known.retain(|_, state| !matches!(state, State::Done(of, _) if *of == signal));
        ages.retain(|(_, hash)| known.contains_key(hash));
    }
}

// === impl Ticket ===

impl Ticket {
    /// Tells all that wait what became of the request, and remembers it when something was stored.
    pub(crate) fn finish(self, outcome: Outcome, now: UnixNanos) {
        if let Ok(appended) = &outcome
            && appended.accepted > 0
        {
            let mut table = self.requests.table.lock();
            if *table.deletes_of(self.signal) == self.deletes {
                table.remember(self.signal, self.hash, appended.clone(), now);
            }
        }
        self.outcome.send_replace(Some(outcome));
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut table = self.requests.table.lock();
        if matches!(table.known.get(&self.hash), Some(State::InFlight(_))) {
            table.known.remove(&self.hash);
        }
    }
}

// === impl Table ===

impl Table {
    fn deletes_of(&mut self, signal: Signal) -> &mut u64 {
        let [spans, logs] = &mut self.deletes;
        match signal {
            Signal::Traces => spans,
            Signal::Logs => logs,
        }
    }

    fn remember(&mut self, signal: Signal, hash: [u8; 16], appended: Appended, time: UnixNanos) {
        if !matches!(self.known.insert(hash, State::Done(signal, appended)), Some(State::Done(..))) {
            self.ages.push_back((time, hash));
        }
        self.forget_old(time);
    }

    fn forget_old(&mut self, now: UnixNanos) {
        while let Some((time, hash)) = self.ages.front() {
            if now.since(*time) <= REMEMBER_NANOS && self.ages.len() <= MAX_REMEMBERED {
                break;
            }
            self.known.remove(hash);
            self.ages.pop_front();
        }
    }
}

/// Five minutes: longer than any exporter keeps trying.
pub(crate) const REMEMBER_NANOS: u64 = 300_000_000_000;

const MAX_REMEMBERED: usize = 200_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn appended() -> Appended {
        Appended { accepted: 2, rejected: 1, message: Some("one was refused".to_owned()), ..Appended::default() }
    }

    #[test]
    fn a_repeated_request_gets_the_first_ones_answer() {
        let requests = Requests::new([1; 16]);
        let hash = requests.hash(Signal::Logs, b"payload");
        assert_ne!(hash, requests.hash(Signal::Traces, b"payload"));
        assert_ne!(hash, Requests::new([2; 16]).hash(Signal::Logs, b"payload"));
        let now = UnixNanos::new(10);
        let Claim::New(ticket, _first) = requests.claim(Signal::Logs, hash, now) else { panic!("it is new") };
        let Claim::InFlight(second) = requests.claim(Signal::Logs, hash, now) else { panic!("it is in flight") };
        ticket.finish(Ok(appended()), now);
        assert_eq!(second.borrow().clone().unwrap().unwrap(), appended());
        assert!(matches!(requests.claim(Signal::Logs, hash, now.plus(REMEMBER_NANOS)), Claim::Done(known) if known == appended()));
        assert!(
            matches!(requests.claim(Signal::Logs, hash, now.plus(REMEMBER_NANOS + 1)), Claim::New(..)),
            "it is forgotten after a while"
        );
    }

    #[test]
    fn a_refused_or_abandoned_request_may_be_sent_again() {
        let requests = Requests::new([1; 16]);
        let now = UnixNanos::new(10);
        let Claim::New(ticket, first) = requests.claim(Signal::Logs, [1; 16], now) else { panic!("it is new") };
        ticket.finish(Err(AppendError::Malformed("no".to_owned())), now);
        assert!(first.borrow().as_ref().unwrap().is_err());
        let Claim::New(ticket, mut waiting) = requests.claim(Signal::Logs, [1; 16], now) else { panic!("it is new again") };
        drop(ticket);
        assert!(waiting.borrow_and_update().is_none() && waiting.has_changed().is_err());
        let Claim::New(ticket, _) = requests.claim(Signal::Logs, [1; 16], now) else { panic!("it is new again") };
        ticket.finish(Ok(Appended::default()), now);
        assert!(matches!(requests.claim(Signal::Logs, [1; 16], now), Claim::New(..)), "nothing of it was stored");
    }

    #[test]
    fn what_came_before_a_delete_may_be_sent_again_after_it() {
        let requests = Requests::new([1; 16]);
        let now = UnixNanos::new(10);
        requests.remember(Signal::Logs, [1; 16], appended(), now);
        requests.remember(Signal::Traces, [2; 16], appended(), now);
        let Claim::New(in_flight, _) = requests.claim(Signal::Logs, [3; 16], now) else { panic!("it is new") };
        requests.forget(Signal::Logs);
        in_flight.finish(Ok(appended()), now);
        for hash in [[1; 16], [3; 16]] {
            let Claim::New(ticket, _) = requests.claim(Signal::Logs, hash, now) else { panic!("it is forgotten") };
            ticket.finish(Ok(appended()), now);
            assert!(matches!(requests.claim(Signal::Logs, hash, now), Claim::Done(_)), "it came after the delete");
        }
        assert!(matches!(requests.claim(Signal::Traces, [2; 16], now), Claim::Done(_)), "no spans were deleted");
        assert_eq!(requests.table.lock().ages.len(), 3);
    }

    #[test]
    fn the_table_is_bounded() {
        let requests = Requests::new([1; 16]);
        for number in 0..MAX_REMEMBERED as u128 + 10 {
            requests.remember(Signal::Logs, number.to_be_bytes(), appended(), UnixNanos::new(1));
        }
        assert_eq!(requests.table.lock().known.len(), MAX_REMEMBERED);
        assert!(matches!(requests.claim(Signal::Logs, 5u128.to_be_bytes(), UnixNanos::new(1)), Claim::New(..)));
    }
}
