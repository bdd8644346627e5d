//! One place whose rows stay the same, and what is known of them.
//!
//! A place is known by the address of something that nothing else has while it is watched, and holds none of its rows.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::SchemaRef;
use parking_lot::{Mutex, MutexGuard};

use super::super::columns;
use super::super::question::QueryError;
use super::super::scan::Control;
use super::Older;
use super::keys::{KEY_COLUMNS, SpanKeys};
use super::order::Order;
use super::shared::Unread;
use crate::model::TraceId;
use crate::schema::column;
use crate::segment::{RowRanges, Segment, union_rows};

/// A segment. Another view of its files, or the same with another index, is another place.
#[derive(Debug)]
pub(super) struct InSegment {
    number: u64,
    times: Times,
    arrival: u128,
    segment: Weak<Segment>,
    found: Mutex<Found>,
}

/// A batch in memory.
#[derive(Debug)]
pub(super) struct InMemory {
    number: u64,
    times: Times,
    schema: SchemaRef,
    /// Those that tell spans apart.
    columns: Vec<Weak<dyn Array>>,
    traces: OnceLock<Vec<TraceId>>,
}

/// What tells at once whether a place matters to another one.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    pub(super) number: u64,
    times: Times,
    /// Greater ones came later; all of memory came last.
    arrival: u128,
    pub(super) known: Known,
}

#[derive(Clone, Debug)]
pub(super) enum Known {
    Segment(Arc<InSegment>),
    Batch(Arc<InMemory>),
}

/// What a segment shares with later places.
#[derive(Debug)]
pub(super) struct Found {
    /// It was compared with all later places up to this number.
    through: u64,
    /// Its rows of which others have later versions, by the numbers of these. Most have none.
    shares: BTreeMap<u64, (Known, Arc<RowRanges>)>,
    /// Places up to that number to compare it with again: it could not be, and why, or what it shares was forgotten.
    again: BTreeMap<u64, Option<Unread>>,
    /// The answer for the order that was last asked for.
    answer: (u64, Arc<RowRanges>),
    bytes: usize,
    /// Bytes of all segments.
    all_bytes: Arc<AtomicUsize>,
}

/// The earliest and the latest start; the other way round where there is none.
type Times = (u64, u64);

/// How often somebody who waits for others to compare looks at the time.
const LOOK_UP: Duration = Duration::from_millis(50);
/// Bytes of what is noted of a pair beside its rows, about.
const PAIR_BYTES: usize = 128;

/// Of a batch for as long as it is watched.
pub(super) fn address_of(batch: &RecordBatch) -> usize {
    batch.columns().first().map_or(0, |column| Arc::as_ptr(column).addr())
}

// === impl InSegment ===

impl InSegment {
    pub(super) fn new(number: u64, segment: &Arc<Segment>, all_bytes: Arc<AtomicUsize>) -> Self {
        let meta = segment.meta();
        let (through, shares, again, answer, bytes) = (0, BTreeMap::new(), BTreeMap::new(), (0, Arc::default()), 0);
        Self {
            number,
            times: (meta.min_time.get(), meta.max_time.get()),
            arrival: meta.id.0,
            segment: Arc::downgrade(segment),
            found: Mutex::new(Found { through, shares, again, answer, bytes, all_bytes }),
        }
    }

    pub(super) fn listed(self: &Arc<Self>) -> Listed {
        Listed { number: self.number, times: self.times, arrival: self.arrival, known: Known::Segment(self.clone()) }
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn segment(&self) -> Option<Arc<Segment>> {
        self.segment.upgrade()
    }

    pub(super) fn is_gone(&self) -> bool {
        self.segment.strong_count() == 0
    }

    pub(super) fn is(&self, segment: &Arc<Segment>) -> bool {
        self.segment.as_ptr() == Arc::as_ptr(segment)
    }

    /// Whether another place came later and may hold spans that start at the same time.
    pub(super) fn is_before(&self, other: &Listed) -> bool {
        self.arrival < other.arrival && self.times.0 <= other.times.1 && other.times.0 <= self.times.1
    }

    /// What is known of it, as soon as nobody else is finding it out.
    pub(super) fn found(&self, control: &Control) -> Result<MutexGuard<'_, Found>, QueryError> {
        loop {
            control.check()?;
            if let Some(found) = self.found.try_lock_for(LOOK_UP) {
                return Ok(found);
            }
        }
    }

    /// The order that was last asked for; the highest number while it is asked for now.
    pub(super) fn last_used(&self) -> u64 {
        self.found.try_lock().map_or(u64::MAX, |found| found.answer.0)
    }

    /// Forgets what it shares with others, unless that is being found out.
    pub(super) fn forget(&self) {
        if let Some(mut found) = self.found.try_lock().filter(|found| found.bytes > 0) {
            let shares = std::mem::take(&mut found.shares);
            found.again.extend(shares.into_keys().map(|number| (number, None)));
            found.answer = (0, Arc::default());
            found.account();
        }
    }
}

// === impl InMemory ===

impl InMemory {
    pub(super) fn new(number: u64, batch: &RecordBatch) -> Result<Self, QueryError> {
        let starts = columns::long(batch, column::START_TIME)?.values().iter().map(|start| start.cast_unsigned());
        let times = starts.fold((u64::MAX, 0), |(first, last), start| (first.min(start), last.max(start)));
        let at = KEY_COLUMNS.iter().map(|name| batch.schema_ref().index_of(name)).collect::<Result<Vec<_>, _>>();
        let keys = at.and_then(|at| batch.project(&at)).map_err(|error| QueryError::Internal(error.to_string()))?;
        // The first column is what the batch is known by.
        let watched = batch.columns().first().into_iter().chain(keys.columns());
        Ok(Self { number, times, schema: keys.schema(), columns: watched.map(Arc::downgrade).collect(), traces: OnceLock::new() })
    }

    pub(super) fn listed(self: &Arc<Self>) -> Listed {
        Listed { number: self.number, times: self.times, arrival: u128::MAX, known: Known::Batch(self.clone()) }
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn is_gone(&self) -> bool {
        self.columns.first().is_none_or(|column| column.strong_count() == 0)
    }

    pub(super) fn is(&self, batch: &RecordBatch) -> bool {
        self.columns.first().is_some_and(|column| column.as_ptr().addr() == address_of(batch))
    }

    /// The columns that tell its spans apart; `None` when it is gone.
    pub(super) fn keys(&self) -> Option<RecordBatch> {
        let columns = self.columns.iter().skip(1).map(Weak::upgrade).collect::<Option<Vec<_>>>()?;
        RecordBatch::try_new(self.schema.clone(), columns).ok()
    }

    /// Its traces, each once.
    pub(super) fn traces(&self) -> Result<&[TraceId], QueryError> {
        if let Some(known) = self.traces.get() {
            return Ok(known);
        }
        let Some(batch) = self.keys() else { return Ok(&[]) };
        let keys = SpanKeys::of(&batch)?;
        let mut traces: Vec<TraceId> = (0..batch.num_rows()).filter_map(|row| keys.trace_id(row)).collect();
        // Rows of one trace often come one after the other.
        traces.dedup();
        traces.sort_unstable();
        traces.dedup();
        traces.shrink_to_fit();
        Ok(self.traces.get_or_init(|| traces))
    }
}

// === impl Listed ===

impl Listed {
    pub(super) fn is_gone(&self) -> bool {
        self.known.is_gone()
    }

    pub(super) fn batch(&self) -> Option<&Arc<InMemory>> {
        match &self.known {
            Known::Segment(_) => None,
            Known::Batch(batch) => Some(batch),
        }
    }
}

// === impl Known ===

impl Known {
    fn is_gone(&self) -> bool {
        match self {
            Self::Segment(segment) => segment.is_gone(),
            Self::Batch(batch) => batch.is_gone(),
        }
    }
}

// === impl Found ===

impl Found {
    pub(super) fn through(&self) -> u64 {
        self.through
    }

    /// Whether it is to be compared again with a place.
    pub(super) fn is_again(&self, number: u64) -> bool {
        self.again.contains_key(&number)
    }

    /// Whether there may be places in an order that it was not compared with.
    pub(super) fn needs(&self, order: &Order) -> bool {
        self.through < order.latest() || !self.again.is_empty()
    }

    /// It is about to be compared with these, by their numbers, and with nothing else that is still there.
    pub(super) fn begin(&mut self, later: &[Listed]) {
        self.again.retain(|number, _| later.binary_search_by_key(number, |place| place.number).is_ok());
    }

    /// Notes what it shares with the next of them, or why that is not known.
    pub(super) fn note(&mut self, other: Listed, rows: Result<RowRanges, Unread>) {
        self.again.remove(&other.number);
        self.through = self.through.max(other.number);
        match rows {
            Ok(rows) if rows.is_empty() => {}
            Ok(rows) => drop(self.shares.insert(other.number, (other.known, Arc::new(rows)))),
            Err(why) => drop(self.again.insert(other.number, Some(why))),
        }
        self.answer = (0, Arc::default());
    }

    /// It was compared with everything up to a number; what is gone by now needs not be known.
    pub(super) fn end(&mut self, through: u64) {
        self.through = through;
        self.shares.retain(|_, (known, _)| !known.is_gone());
    }

    /// Counts what it takes.
    pub(super) fn account(&mut self) {
        let of_pair = |(_, rows): &(Known, Arc<RowRanges>)| size_of_val(rows.as_slice()) + PAIR_BYTES;
        let answer = if self.shares.len() > 1 { size_of_val(self.answer.1.as_slice()) } else { 0 };
        let bytes = self.shares.values().map(of_pair).sum::<usize>() + answer;
        self.all_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.all_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        self.bytes = bytes;
    }

    /// Its rows of which places of an order have later versions.
    pub(super) fn of(&mut self, order: &Order) -> Older {
        if self.answer.0 != order.stamp() {
            let shares = self.shares.iter().filter(|(number, _)| order.has(**number)).map(|(_, (_, rows))| rows);
            let rows = match shares.collect::<Vec<_>>().as_slice() {
                [] => Arc::default(),
                [all] => Arc::clone(all),
                several => Arc::new(union_rows(several.iter().flat_map(|rows| rows.iter().cloned()).collect(), Vec::new())),
            };
            self.answer = (order.stamp(), rows);
            self.account();
        }
        let unread = self.again.iter().filter(|(number, _)| order.has(**number));
        (self.answer.1.clone(), unread.filter_map(|(_, why)| why.clone()).collect())
    }
}

impl Drop for Found {
    fn drop(&mut self) {
        self.all_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
