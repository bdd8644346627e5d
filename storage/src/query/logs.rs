//! Log records: searches, those of a trace, one by its number, and counts over time.

use arrow::array::RecordBatch;

use super::answer::{Histogram, HistogramBucket, LogPage};
use super::columns;
use super::language::Query;
use super::listed::{self, Ask, Listed};
use super::predicate::Predicate;
use super::question::{LogOrder, LogSearch, QueryError};
use super::rolled::{self, Moment, Question, Rolls};
use super::scan::{Control, Place, Scan, Wanted};
use super::unknown;
use crate::model::{LogRecord, Severity, StatusCode, TimeRange, TraceId, UnixNanos};
use crate::rollup::MINUTE;
use crate::rows;
use crate::schema::{ColumnError, column};
use crate::snapshot::Snapshot;
use crate::store::Signal;

mod context;

pub(crate) use self::context::context;
pub use self::context::{LogContext, LogContextSearch, SameOrigin};

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

// === impl Way ===

impl Way {
    fn tie(self, id: u64) -> u64 {
        if self == Self::Backwards { u64::MAX - id } else { id }
    }

    /// The number of the record that has this tie.
    fn number(self, tie: u64) -> u64 {
        // Turning round twice changes nothing.
        self.tie(tie)
    }
}

impl Listed for Way {
    type Row = LogRecord;
    type Tie = u64;

    const SIGNAL: Signal = Signal::Logs;
    const COLUMNS: &'static [&'static str] = &[column::RECORD_ID];
    const BY_TRACE: bool = false;

    fn is_oldest_first(&self) -> bool {
        *self == Self::Oldest
    }

    fn ties(&self, batch: &RecordBatch) -> Result<impl Fn(usize) -> Option<u64>, QueryError> {
        let ids = columns::long(batch, column::RECORD_ID)?;
        Ok(move |row| Some(self.tie(columns::nanos(ids, row))))
    }

    fn rows(batch: &RecordBatch, numbers: impl Iterator<Item = usize>) -> Result<Vec<LogRecord>, ColumnError> {
        rows::logs(batch, numbers)
    }

    fn key(&self, record: &LogRecord) -> (UnixNanos, u64) {
        (record.time, self.tie(record.record_id))
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
    let way = Way::from(search.order);
    let after = search.after()?.map(|(time, number)| (time, way.tie(number)));
    let ask = Ask { range: search.range, limit: search.limit, after };
    let mut page = listed::find(snapshot, &way, &Predicate::new(&query), ask, control)?;
    if page.rows.is_empty() && search.cursor.is_none() {
        page.stats.notes.extend(unknown::notes(snapshot, &query)?);
    }
    let next = page.last.map(|(time, tie)| search.behind(time, way.number(tie)));
    Ok(LogPage { records: page.rows, next, stats: page.stats })
}

/// All records of a trace in time order.
pub(crate) fn of_trace(snapshot: &Snapshot, id: TraceId, limit: usize, control: &Control) -> Result<LogPage, QueryError> {
    let ask = Ask { range: TimeRange::ALL, limit: limit.clamp(1, 100_000), after: None };
    let mut page = listed::find(snapshot, &Way::Oldest, &Predicate::traces(vec![id]), ask, control)?;
    if page.last.is_some() {
        page.stats.complete = false;
        page.stats.notes.push(format!("only the first {} log records of the trace are here", ask.limit));
    }
    // A search for records of this trace, oldest first, can go on.
    let search = LogSearch { query: format!("trace:{id}"), range: ask.range, order: LogOrder::Oldest, limit: ask.limit, cursor: None };
    let next = page.last.map(|(time, number)| search.behind(time, number));
    Ok(LogPage { records: page.rows, next, stats: page.stats })
}

/// One record by its number.
pub(crate) fn by_number(snapshot: &Snapshot, record_id: u64, control: &Control) -> Result<Option<LogRecord>, QueryError> {
    let (mut scan, found) = locate(snapshot, record_id, control)?;
    let Some((place, number)) = found else { return Ok(None) };
    let batches = scan.fetch_all(&[(place, vec![number])].into())?;
    let records = batches.first().map(|batch| rows::logs(batch, 0..batch.num_rows())).transpose()?;
    Ok(records.and_then(|mut records| records.pop()))
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
