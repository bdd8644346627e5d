//! Log records: searches, those of a trace, one by its number, and counts over time.

use std::collections::BTreeMap;

use parking_lot::Mutex;

use super::answer::{Histogram, HistogramBucket, LogPage};
use super::columns;
use super::language::Query;
use super::predicate::Predicate;
use super::question::{Cursor, LogOrder, LogSearch, QueryError};
use super::rolled::{self, Moment, Question, Rolls};
use super::scan::{Control, Place, Rows, Scan, Unit, Wanted};
use super::traces::by_place;
use super::unknown;
use crate::model::{LogRecord, Severity, StatusCode, TimeRange, TraceId, UnixNanos};
use crate::rollup::MINUTE;
use crate::rows;
use crate::schema::column;
use crate::snapshot::Snapshot;
use crate::store::Signal;

mod context;

pub(crate) use self::context::context;
pub use self::context::{LogContext, LogContextSearch, SameOrigin};

/// What one found record takes while others are looked at, about.
const BYTES_FOUND: usize = 128;

/// Sort key of a record: smaller is earlier on the page.
type Rank = (u64, u64);

/// In which order records are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Oldest first, equal times in the order of arrival.
    Oldest,
    /// Newest first, equal times in the order of arrival.
    Newest,
    /// The reverse of oldest first.
    Backwards,
}

/// A record that was found.
#[derive(Debug)]
enum Found {
    /// It is read when it is certain that it is asked for.
    At(Place, u32),
    Read(Box<LogRecord>),
}

/// Which records are looked for.
#[derive(Clone, Copy, Debug)]
struct Ask {
    range: TimeRange,
    way: Way,
    limit: usize,
    after: Option<Cursor>,
}

// === impl Way ===

impl Way {
    fn rank(self, time: u64, id: u64) -> Rank {
        match self {
            Self::Oldest => (time, id),
            Self::Newest => (u64::MAX - time, id),
            Self::Backwards => (u64::MAX - time, u64::MAX - id),
        }
    }

    /// Time and number of the record with this rank.
    fn record(self, (time, id): Rank) -> (u64, u64) {
        // Turning round twice changes nothing.
        self.rank(time, id)
    }
}

impl From<LogOrder> for Way {
    fn from(order: LogOrder) -> Self {
        match order {
            LogOrder::Newest => Self::Newest,
            LogOrder::Oldest => Self::Oldest,
        }
    }
}

/// Finds log records.
pub(crate) fn search(snapshot: &Snapshot, search: &LogSearch, control: &Control) -> Result<LogPage, QueryError> {
    if search.limit == 0 || search.limit > 10_000 {
        return Err(QueryError::Invalid(format!("the limit of a log search is 1 to 10000, not {}", search.limit)));
    }
    let query = Query::parse(Signal::Logs, &search.query).map_err(QueryError::Parse)?;
    let ask = Ask { range: search.range, way: search.order.into(), limit: search.limit, after: search.after()? };
    let mut page = find(snapshot, &Predicate::new(&query), ask, control)?;
    page.next = page.next.map(|last| search.behind(last));
    if page.records.is_empty() && search.cursor.is_none() {
        page.stats.notes.extend(unknown::notes(snapshot, &query)?);
    }
    Ok(page)
}

/// All records of a trace in time order.
pub(crate) fn of_trace(snapshot: &Snapshot, id: TraceId, limit: usize, control: &Control) -> Result<LogPage, QueryError> {
    let ask = Ask { range: TimeRange::ALL, way: Way::Oldest, limit: limit.clamp(1, 100_000), after: None };
    let mut page = find(snapshot, &Predicate::traces(vec![id]), ask, control)?;
    if page.next.is_some() {
        page.stats.complete = false;
        page.stats.notes.push(format!("only the first {} log records of the trace are here", ask.limit));
    }
    Ok(page)
}

/// One record by its number.
pub(crate) fn by_number(snapshot: &Snapshot, record_id: u64, control: &Control) -> Result<Option<LogRecord>, QueryError> {
    let (mut scan, found) = locate(snapshot, record_id, control)?;
    let Some(found) = found else { return Ok(None) };
    let records = fetch(&mut scan, vec![found])?;
    Ok(records.into_values().next())
}

/// Where a record lies; an error when it may lie in a part that cannot be read.
fn locate<'a>(snapshot: &'a Snapshot, record_id: u64, control: &'a Control) -> Result<(Scan<'a>, Option<(Place, u32)>), QueryError> {
    let predicate = Predicate::record(record_id);
    let found = std::cell::Cell::new(None);
    let mut scan = Scan::new(snapshot, Signal::Logs, TimeRange::ALL, &predicate.hints, control)?;
    scan.run(
        Wanted { columns: &[], keys: &[], predicate: &predicate },
        |_| found.get().is_some(),
        |rows| {
            found.set(rows.alive.set_indices().next().map(|row| (rows.place, rows.number(row))).or(found.get()));
            Ok(())
        },
    )?;
    match (found.get(), scan.stats.notes.first()) {
        (None, Some(note)) => Err(QueryError::Internal(note.clone())),
        (found, _) => Ok((scan, found)),
    }
}

fn find(snapshot: &Snapshot, predicate: &Predicate, ask: Ask, control: &Control) -> Result<LogPage, QueryError> {
    let Ask { mut range, way, limit, after } = ask;
    let newest = way != Way::Oldest;
    if let Some(cursor) = after {
        if newest {
            range.to = range.to.min(cursor.time().plus(1));
        } else {
            range.from = range.from.max(cursor.time());
        }
    }
    let after = after.map(|cursor| way.rank(cursor.key, record_of(cursor)));
    let mut scan = Scan::asking_late(snapshot, Signal::Logs, range, &predicate.hints, control)?;
    if !newest {
        scan.oldest_first();
    }
    scan.whole_when_few();
    let best: Mutex<BTreeMap<Rank, Found>> = Mutex::default();
    let holding = Mutex::new(control.holding());
    let worst = || {
        let best = best.lock();
        if best.len() > limit { best.last_key_value().map(|(rank, _)| *rank) } else { None }
    };
    let stop = |unit: &Unit| {
        let first = way.rank(if newest { unit.max } else { unit.min }.get(), 0).0;
        worst().is_some_and(|(worst, _)| worst < first)
    };
    let each = |rows: &Rows<'_>| -> Result<(), QueryError> {
        let times = columns::long(rows.batch, column::TIME)?;
        let ids = columns::long(rows.batch, column::RECORD_ID)?;
        let mut last = worst();
        for row in rows.alive.set_indices() {
            let rank = way.rank(columns::nanos(times, row), columns::nanos(ids, row));
            if after.is_some_and(|after| rank <= after) || last.is_some_and(|worst| rank > worst) {
                continue;
            }
            let record = if rows.whole { rows::logs(rows.batch, row..row + 1)?.pop() } else { None };
            let found = record.map_or_else(|| Found::At(rows.place, rows.number(row)), |record| Found::Read(Box::new(record)));
            let mut best = best.lock();
            best.insert(rank, found);
            // One more than asked for says whether there is a next page.
            if best.len() > limit + 1 {
                best.pop_last();
            }
            drop(best);
            last = worst();
        }
        holding.lock().set(best.lock().len() * BYTES_FOUND);
        Ok(())
    };
    let wanted = Wanted { columns: &[column::RECORD_ID], keys: &[], predicate };
    if predicate.hints.asks_words() {
        // Units have few rows that are looked at, or none: what is read in vain behind the last one that matters is little.
        scan.fold_until(wanted, stop, || (), |(), rows| each(rows))?;
    } else {
        scan.run(wanted, stop, each)?;
    }
    page(&mut scan, best.into_inner(), limit, way)
}

fn page(scan: &mut Scan<'_>, mut best: BTreeMap<Rank, Found>, limit: usize, way: Way) -> Result<LogPage, QueryError> {
    let more = best.len() > limit;
    if more {
        best.pop_last();
    }
    let next = best.last_key_value().filter(|_| more).map(|(rank, _)| {
        let (time, id) = way.record(*rank);
        cursor_at(time, id)
    });
    let unread = best.values().filter_map(|found| if let Found::At(place, row) = found { Some((*place, *row)) } else { None });
    let mut fetched = fetch(scan, unread.collect())?;
    let records = best.into_iter().filter_map(|(rank, found)| match found {
        Found::Read(record) => Some(*record),
        Found::At(..) => fetched.remove(&way.record(rank).1),
    });
    let records = records.collect();
    Ok(LogPage { records, next, stats: std::mem::take(&mut scan.stats) })
}

fn cursor_at(time: u64, id: u64) -> Cursor {
    let mut tie = [0; 16];
    if let Some(last) = tie.last_chunk_mut() {
        *last = id.to_be_bytes();
    }
    Cursor::new(time, tie, "")
}

/// Reads whole records, by their number.
fn fetch(scan: &mut Scan<'_>, found: Vec<(Place, u32)>) -> Result<BTreeMap<u64, LogRecord>, QueryError> {
    let mut records = BTreeMap::new();
    let batches = scan.fetch_all(&by_place(found))?;
    let mut holding = scan.holding();
    // Twice: as columns and as records.
    holding.set(batches.iter().map(|batch| 2 * batch.get_array_memory_size()).sum());
    for batch in batches {
        let read = rows::logs(&batch, 0..batch.num_rows())?;
        records.extend(read.into_iter().map(|record| (record.record_id, record)));
    }
    Ok(records)
}

fn record_of(cursor: Cursor) -> u64 {
    cursor.tie.last_chunk().map_or(0, |last| u64::from_be_bytes(*last))
}

/// Counts what a search would find, over time.
pub(crate) fn histogram(
    snapshot: &Snapshot,
    signal: Signal,
    query: &str,
    range: TimeRange,
    buckets: usize,
    rolls: &Rolls,
    control: &Control,
) -> Result<Histogram, QueryError> {
    if buckets == 0 || buckets > 500 {
        return Err(QueryError::Invalid(format!("a histogram has 1 to 500 buckets, not {buckets}")));
    }
    let width = range.to.since(range.from);
    if width == 0 {
        return Err(QueryError::Invalid("the time range ends before it begins".to_owned()));
    }
    let step = width.div_ceil(buckets as u64);
    let count = usize::try_from(width.div_ceil(step)).unwrap_or(buckets);
    let (query, note) = Query::rows(signal, query).map_err(QueryError::Parse)?;
    let filter = Predicate::new(&query);
    // Roll-ups answer when every bucket begins with a minute.
    let by_minute = step.is_multiple_of(MINUTE) && range.from.get().is_multiple_of(MINUTE);
    let moment = match count {
        1 => Moment::Nothing,
        _ if by_minute => Moment::Minute,
        _ => Moment::All,
    };
    let question = Question { snapshot, signal, range, names: false, bare: true, in_shares: false, moment, filter: &filter };
    let new = || vec![[0_i64; 7]; count];
    let (counted, mut stats) = rolled::fold(
        question,
        rolls,
        control,
        new,
        |counts, item| {
            let bucket = UnixNanos::new(item.time).since(range.from) / step;
            let cells = usize::try_from(bucket).ok().and_then(|bucket| counts.get_mut(bucket));
            if let Some(cell) = cells.and_then(|cells| cells.get_mut(class_of(signal, item.status))) {
                *cell += item.rows();
            }
        },
        |counts, _| size_of_val(counts.as_slice()),
    )?;
    if let Some(note) = note {
        stats.complete = false;
        stats.notes.push(note);
    }
    let mut buckets: Vec<_> = (0..count as u64).map(|i| HistogramBucket { start: range.from.plus(i * step), counts: [0; 7] }).collect();
    for counts in counted {
        for (bucket, counts) in buckets.iter_mut().zip(counts) {
            bucket.counts.iter_mut().zip(counts).for_each(|(sum, count)| *sum = sum.saturating_add_signed(count));
        }
    }
    Ok(Histogram { buckets, step, stats })
}

fn class_of(signal: Signal, number: i32) -> usize {
    match signal {
        Signal::Traces => {
            if number == StatusCode::Error.number() {
                5
            } else {
                0
            }
        }
        Signal::Logs => match Severity::from_number(number) {
            None => 0,
            Some(Severity::Trace) => 1,
            Some(Severity::Debug) => 2,
            Some(Severity::Info) => 3,
            Some(Severity::Warn) => 4,
            Some(Severity::Error) => 5,
            Some(Severity::Fatal) => 6,
        },
    }
}

#[cfg(test)]
mod tests;
