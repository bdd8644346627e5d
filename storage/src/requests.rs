//! Requests that were taken in lately: a request that is sent again is answered again, not stored again.
//!
//! Owns the table of request hashes. Senders repeat a request when its answer got lost; a request counts as the same when signal and
//! payload are the same bytes. So is a log line that was truly written twice, in requests that agree in every byte including all times:
//! it is kept once. A delete has the requests before it forgotten: what is sent again after it is stored.
//!
//! A start finds them again: those whose frames are in the log by reading it, the others in `memo/requests`, which is written before a file of
//! the log is removed. Words of answers are remembered only in memory, and only so many bytes of them: a request that is older than those is
//! answered with its numbers.

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
    /// Those whose answer has words, in order of time, and the bytes of each answer.
    worded: VecDeque<([u8; 16], usize)>,
    /// The sum of these bytes.
    words_bytes: usize,
    /// Deletes so far, of spans and of log records.
    deletes: [u64; 2],
}

#[derive(Debug)]
enum State {
    InFlight(watch::Receiver<Option<Outcome>>),
    /// With the answer, where it says more than numbers.
    Done(KnownRequest, Option<Box<Appended>>),
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
            Some(State::Done(request, answer)) => Claim::Done(answer.as_ref().map_or_else(|| appended(request), |known| (**known).clone())),
            Some(State::InFlight(outcome)) => Claim::InFlight(outcome.clone()),
            None => {
                let (sender, receiver) = watch::channel(None);
                table.known.insert(hash, State::InFlight(receiver.clone()));
                let deletes = *table.deletes_of(signal);
                Claim::New(Ticket { requests: self.clone(), hash, signal, deletes, outcome: sender }, receiver)
            }
        }
    }

    /// Bytes of memory that what is remembered takes, and how many it may take.
    pub(crate) fn memory(&self) -> (usize, usize) {
        let table = self.table.lock();
        let rooms = [table.known.capacity(), table.ages.capacity(), table.worded.capacity()];
        let sizes = [size_of::<([u8; 16], State)>(), size_of::<KnownRequest>(), size_of::<([u8; 16], usize)>()];
        let bytes = |rooms: [usize; 3]| rooms.iter().zip(sizes).map(|(room, size)| room * size).sum::<usize>();
        // Tables grow by doubling.
        (bytes(rooms) + table.words_bytes, bytes([MAX_REMEMBERED.next_power_of_two(); 3]) + MAX_WORDS_BYTES)
    }

    /// Remembers a request that is durable.
    pub(crate) fn remember(&self, request: KnownRequest, appended: Appended) {
        self.table.lock().remember(request, worded(appended));
    }

    /// Remembers what [`Requests::keep`] wrote and is younger than a few minutes at `now`. What came before a delete is not remembered:
    /// `deleted_through` says up to which frame that is, of spans and of log records.
    pub(crate) fn recall(&self, folder: &Folder, now: UnixNanos, deleted_through: [u64; 2]) {
        let [spans, logs] = deleted_through;
        let mut table = self.table.lock();
        for request in memo::read_requests(&folder.memo()) {
            let through = if request.signal == Signal::Traces { spans } else { logs };
            if now.since(request.time) <= REMEMBER_NANOS && through < request.seq {
                table.remember(request, None);
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
        let Table { known, ages, worded, words_bytes, .. } = &mut *table;
        known.retain(|_, state| !matches!(state, State::Done(of, _) if of.signal == signal));
        ages.retain(|request| known.contains_key(&request.hash));
        worded.retain(|(hash, _)| known.contains_key(hash));
        *words_bytes = worded.iter().map(|(_, bytes)| bytes).sum();
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
            table.remember(KnownRequest { hash, seq, time, signal, accepted, rejected }, worded(appended));
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

    fn remember(&mut self, request: KnownRequest, answer: Option<Box<Appended>>) {
        let bytes = answer.as_deref().map(words_bytes);
        if !matches!(self.known.insert(request.hash, State::Done(request, answer)), Some(State::Done(..))) {
            self.ages.push_back(request);
        }
        if let Some(bytes) = bytes {
            self.worded.push_back((request.hash, bytes));
            self.words_bytes += bytes;
        }
        self.forget_old(request.time);
        while self.words_bytes > MAX_WORDS_BYTES && self.forget_words() {}
    }

    /// Forgets the words of the oldest answer that has any; false when none has.
    fn forget_words(&mut self) -> bool {
        let Some((hash, bytes)) = self.worded.pop_front() else { return false };
        self.words_bytes = self.words_bytes.saturating_sub(bytes);
        if let Some(State::Done(_, answer)) = self.known.get_mut(&hash) {
            *answer = None;
        }
        true
    }

    fn forget_old(&mut self, now: UnixNanos) {
        while let Some(oldest) = self.ages.front() {
            if now.since(oldest.time) <= REMEMBER_NANOS && self.ages.len() <= MAX_REMEMBERED {
                break;
            }
            let hash = oldest.hash;
            if self.worded.front().is_some_and(|(worded, _)| *worded == hash) {
                self.forget_words();
            }
            self.known.remove(&hash);
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

/// An answer, where it says more than numbers do.
fn worded(answer: Appended) -> Option<Box<Appended>> {
    let has_words = answer.rejected > 0 || answer.message.is_some() || !answer.flaws.is_empty();
    has_words.then(|| Box::new(answer))
}

/// Bytes of memory that an answer with words takes.
fn words_bytes(answer: &Appended) -> usize {
    let lists = size_of_val(answer.rejected_by.as_slice()) + size_of_val(answer.flaws.as_slice());
    size_of::<Appended>() + lists + answer.message.as_ref().map_or(0, String::len)
}

/// The reason of items that were refused when their request came in before.
const REFUSED_BEFORE: &str = "refused_before";

/// Five minutes: longer than any exporter keeps trying.
pub(crate) const REMEMBER_NANOS: u64 = 300_000_000_000;

const MAX_REMEMBERED: usize = 200_000;

/// Bytes of answers with words: of eight thousand of the longest ones, and of many more usual ones.
const MAX_WORDS_BYTES: usize = 8 << 20;

#[cfg(test)]
mod tests;
