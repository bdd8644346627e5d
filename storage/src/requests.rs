//! Requests that were taken in lately: a request that is sent again is answered again, not stored again.
//!
//! Owns the table of request hashes. Senders repeat a request when its answer got lost; a request counts as the same when signal and
//! payload are the same bytes. So is a log line that was truly written twice, in requests that agree in every byte including all times:
//! it is kept once. A delete has the requests before it forgotten: what is sent again after it is stored.
//!
//! A start finds them again: those whose frames are in the log by reading it, the others in `memo/requests`, which is written before a file of
//! the log is removed.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::Arc;

use highway::{HighwayHash as _, HighwayHasher, Key};
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::error::AppendError;
use crate::folder::Folder;
use crate::memo::{self, KnownRequest, REQUEST_BYTES};
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

/// A request on its way through the log.
#[derive(Debug)]
pub(crate) struct Passing {
    requests: Arc<Requests>,
    hash: [u8; 16],
    signal: Signal,
    deletes: u64,
    appended: Appended,
    time: UnixNanos,
}

#[derive(Debug, Default)]
struct Table {
    known: HashMap<[u8; 16], State>,
    /// Durable ones in order of time.
    ages: VecDeque<KnownRequest>,
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
    pub(crate) fn remember(&self, request: KnownRequest, appended: Appended) {
        self.table.lock().remember(request, appended);
    }

    /// Remembers what [`Requests::keep`] wrote and is younger than a few minutes at `now`. What came before a delete is not remembered:
    /// `deleted_through` says up to which frame that is, of spans and of log records.
    pub(crate) fn recall(&self, folder: &Folder, now: UnixNanos, deleted_through: [u64; 2]) {
        let [spans, logs] = deleted_through;
        let mut table = self.table.lock();
        for request in memo::read_requests(&folder.memo()) {
            let through = if request.signal == Signal::Traces { spans } else { logs };
            if now.since(request.time) <= REMEMBER_NANOS && through < request.seq {
                table.remember(request, appended(&request));
            }
        }
    }

    /// Writes down, durably, what is remembered of the frames up to `through`, at most so many bytes of it: they are about to leave the log.
    ///
    /// # Errors
    /// When that failed; then the log must keep them.
    pub(crate) fn keep(&self, folder: &Folder, through: u64, most_bytes: u64) -> io::Result<()> {
        let mut leaving: Vec<KnownRequest> = self.table.lock().ages.iter().filter(|request| request.seq <= through).copied().collect();
        let most = usize::try_from(most_bytes / REQUEST_BYTES).unwrap_or(usize::MAX);
        leaving.drain(..leaving.len().saturating_sub(most));
        memo::write_requests(&folder.tmp(), &folder.memo(), &leaving)
    }

    /// Forgets all requests of a signal, since rows of it were deleted: which of them came in by which request is not known. What is in
    /// flight may have come before, so it is not remembered either.
    pub(crate) fn forget(&self, signal: Signal) {
        let mut table = self.table.lock();
        *table.deletes_of(signal) += 1;
        let Table { known, ages, .. } = &mut *table;
        known.retain(|_, state| !matches!(state, State::Done(of, _) if *of == signal));
        ages.retain(|request| known.contains_key(&request.hash));
    }
}

// === impl Ticket ===

impl Ticket {
    /// What the log is handed: it remembers the request as soon as it is durable, before anything can have its frame forgotten.
    pub(crate) fn passing(&self, appended: Appended, time: UnixNanos) -> Passing {
        let Self { requests, hash, signal, deletes, .. } = self;
        Passing { requests: requests.clone(), hash: *hash, signal: *signal, deletes: *deletes, appended, time }
    }

    /// Tells all that wait what became of the request.
    pub(crate) fn finish(self, outcome: Outcome) {
        self.outcome.send_replace(Some(outcome));
    }
}

impl Passing {
    /// Remembers the request, which is durable as this frame of the log, unless rows of its signal were deleted meanwhile.
    pub(crate) fn durable(self, seq: u64) {
        let Self { requests, hash, signal, deletes, appended, time } = self;
        let number = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        let (accepted, rejected) = (number(appended.accepted), number(appended.rejected));
        let mut table = requests.table.lock();
        if *table.deletes_of(signal) == deletes {
            table.remember(KnownRequest { hash, seq, time, signal, accepted, rejected }, appended);
        }
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

    fn remember(&mut self, request: KnownRequest, appended: Appended) {
        if !matches!(self.known.insert(request.hash, State::Done(request.signal, appended)), Some(State::Done(..))) {
            self.ages.push_back(request);
        }
        self.forget_old(request.time);
    }

    fn forget_old(&mut self, now: UnixNanos) {
        while let Some(oldest) = self.ages.front() {
            if now.since(oldest.time) <= REMEMBER_NANOS && self.ages.len() <= MAX_REMEMBERED {
                break;
            }
            self.known.remove(&oldest.hash);
            self.ages.pop_front();
        }
    }
}

/// The answer to a request of which only the numbers are known: why items of it were refused is not.
pub(crate) fn appended(request: &KnownRequest) -> Appended {
    let mut appended = Appended { accepted: request.accepted.into(), rejected: request.rejected.into(), ..Appended::default() };
    if appended.rejected > 0 {
        appended.message = Some(format!("{} items were refused when this request came in before", appended.rejected));
        appended.rejected_by.push((REFUSED_BEFORE, appended.rejected));
    }
    appended
}

/// The reason of items that were refused when their request came in before.
const REFUSED_BEFORE: &str = "refused_before";

/// Five minutes: longer than any exporter keeps trying.
pub(crate) const REMEMBER_NANOS: u64 = 300_000_000_000;

const MAX_REMEMBERED: usize = 200_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::Place;

    fn answer() -> Appended {
        Appended { accepted: 2, rejected: 1, message: Some("one was refused".to_owned()), ..Appended::default() }
    }

    fn known(signal: Signal, hash: [u8; 16], time: UnixNanos) -> KnownRequest {
        KnownRequest { hash, seq: 1, time, signal, accepted: 2, rejected: 1 }
    }

    /// What the way in does with a ticket.
    fn take_in(ticket: Ticket, appended: Appended, now: UnixNanos) {
        ticket.passing(appended.clone(), now).durable(1);
        ticket.finish(Ok(appended));
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
        take_in(ticket, answer(), now);
        assert_eq!(second.borrow().clone().unwrap().unwrap(), answer());
        assert!(matches!(requests.claim(Signal::Logs, hash, now.plus(REMEMBER_NANOS)), Claim::Done(known) if known == answer()));
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
        ticket.finish(Err(AppendError::Malformed("no".to_owned())));
        assert!(first.borrow().as_ref().unwrap().is_err());
        let Claim::New(ticket, mut waiting) = requests.claim(Signal::Logs, [1; 16], now) else { panic!("it is new again") };
        drop(ticket);
        assert!(waiting.borrow_and_update().is_none() && waiting.has_changed().is_err());
        let Claim::New(ticket, _) = requests.claim(Signal::Logs, [1; 16], now) else { panic!("it is new again") };
        ticket.finish(Ok(Appended::default()));
        assert!(matches!(requests.claim(Signal::Logs, [1; 16], now), Claim::New(..)), "nothing of it was stored");
    }

    #[test]
    fn what_came_before_a_delete_may_be_sent_again_after_it() {
        let requests = Requests::new([1; 16]);
        let now = UnixNanos::new(10);
        requests.remember(known(Signal::Logs, [1; 16], now), answer());
        requests.remember(known(Signal::Traces, [2; 16], now), answer());
        let Claim::New(in_flight, _) = requests.claim(Signal::Logs, [3; 16], now) else { panic!("it is new") };
        requests.forget(Signal::Logs);
        take_in(in_flight, answer(), now);
        for hash in [[1; 16], [3; 16]] {
            let Claim::New(ticket, _) = requests.claim(Signal::Logs, hash, now) else { panic!("it is forgotten") };
            take_in(ticket, answer(), now);
            assert!(matches!(requests.claim(Signal::Logs, hash, now), Claim::Done(_)), "it came after the delete");
        }
        assert!(matches!(requests.claim(Signal::Traces, [2; 16], now), Claim::Done(_)), "no spans were deleted");
        assert_eq!(requests.table.lock().ages.len(), 3);
    }

    #[test]
    fn the_table_is_bounded() {
        let requests = Requests::new([1; 16]);
        for number in 0..MAX_REMEMBERED as u128 + 10 {
            requests.remember(known(Signal::Logs, number.to_be_bytes(), UnixNanos::new(1)), answer());
        }
        assert_eq!(requests.table.lock().known.len(), MAX_REMEMBERED);
        assert!(matches!(requests.claim(Signal::Logs, 5u128.to_be_bytes(), UnixNanos::new(1)), Claim::New(..)));
    }

    #[test]
    fn what_leaves_the_log_is_written_down_and_recalled_but_for_the_old_and_the_deleted() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(&Place::real(dir.path())).unwrap();
        let requests = Requests::new([1; 16]);
        let now = UnixNanos::new(10);
        let frame = |seq: u64, signal, time| KnownRequest { seq, ..known(signal, [u8::try_from(seq).unwrap(); 16], time) };
        for (seq, signal) in [(1, Signal::Logs), (2, Signal::Logs), (3, Signal::Traces), (4, Signal::Logs)] {
            requests.remember(frame(seq, signal, now.plus(seq)), answer());
        }
        requests.keep(&folder, 3, u64::MAX).unwrap();
        let recalled = |deleted_through, now| {
            let again = Requests::new([1; 16]);
            again.recall(&folder, now, deleted_through);
            let table = again.table.lock();
            table.ages.iter().map(|request| request.seq).collect::<Vec<_>>()
        };
        assert_eq!(recalled([0, 0], now), [1, 2, 3], "the log has the fourth");
        assert_eq!(recalled([3, 1], now), [2]);
        assert_eq!(recalled([0, 0], now.plus(REMEMBER_NANOS + 3)), [3]);
        let again = Requests::new([1; 16]);
        again.recall(&folder, now, [0, 0]);
        let Claim::Done(known) = again.claim(Signal::Logs, [1; 16], now) else { panic!("it is known") };
        assert_eq!((known.accepted, known.rejected, known.rejected_by), (2, 1, vec![("refused_before", 1)]));
        requests.keep(&folder, 3, 2 * REQUEST_BYTES).unwrap();
        assert_eq!(recalled([0, 0], now), [2, 3], "the newest, where there is not room for all");
    }
}
