//! Log records: searches, those of a trace, one by its number, and counts over time.

use std::collections::BTreeMap;

use super::answer::{Histogram, HistogramBucket, LogPage};
use super::columns;
use super::language::Query;
use super::predicate::Predicate;
use super::question::{Cursor, LogOrder, LogSearch, QueryError};
use super::scan::{Control, Place, Scan, Wanted, from_rows};
use super::traces::by_place;
use crate::model::{LogRecord, Severity, StatusCode, TimeRange, TraceId, UnixNanos};
use crate::rows;
use crate::schema::{self, column};
use crate::snapshot::Snapshot;
use crate::store::Signal;

/// Sort key of a record: smaller is earlier on the page. Times are turned round for the newest first.
type Rank = (u64, u64);

/// Finds log records.
pub(crate) fn search(snapshot: &Snapshot, search: &LogSearch, control: &Control) -> Result<LogPage, QueryError> {
    if search.limit == 0 || search.limit > 10_000 {
        return Err(QueryError::Invalid(format!("the limit of a log search is 1 to 10000, not {}", search.limit)));
    }
    let query = Query::parse(Signal::Logs, &search.query).map_err(QueryError::Parse)?;
    find(snapshot, &Predicate::new(&query), search, control)
}

/// All records of a trace in time order.
pub(crate) fn of_trace(snapshot: &Snapshot, id: TraceId, limit: usize, control: &Control) -> Result<LogPage, QueryError> {
    let search =
        LogSearch { query: String::new(), range: TimeRange::ALL, order: LogOrder::Oldest, limit: limit.clamp(1, 100_000), cursor: None };
    let mut page = find(snapshot, &Predicate::traces(vec![id]), &search, control)?;
    if page.next.is_some() {
        page.stats.complete = false;
        page.stats.notes.push(format!("only the first {} log records of the trace are here", search.limit));
    }
    Ok(page)
}

/// One record by its number.
pub(crate) fn by_number(snapshot: &Snapshot, record_id: u64, control: &Control) -> Result<Option<LogRecord>, QueryError> {
    let predicate = Predicate::record(record_id);
    let found = std::cell::Cell::new(None);
    let mut scan = Scan::new(snapshot, Signal::Logs, TimeRange::ALL, &predicate.hints, control)?;
    scan.run(
        Wanted { columns: &[], predicate: &predicate },
        |_| found.get().is_some(),
        |rows| {
            found.set(rows.alive.set_indices().next().map(|row| (rows.place, rows.number(row))).or(found.get()));
            Ok(())
        },
    )?;
    let Some((place, number)) = found.get() else {
        return match scan.stats.notes.first() {
            Some(note) => Err(QueryError::Internal(note.clone())),
            None => Ok(None),
        };
    };
    let records = fetch(&mut scan, vec![(place, number)])?;
    Ok(records.into_values().next())
}

fn find(snapshot: &Snapshot, predicate: &Predicate, search: &LogSearch, control: &Control) -> Result<LogPage, QueryError> {
    let newest = search.order == LogOrder::Newest;
    let turned = |time: u64| if newest { u64::MAX - time } else { time };
    let after = search.cursor.map(|cursor| (turned(cursor.key), record_of(cursor)));
    let mut range = search.range;
    if let Some(cursor) = search.cursor {
        if newest {
            range.to = range.to.min(cursor.time().plus(1));
        } else {
            range.from = range.from.max(cursor.time());
        }
    }
    let mut scan = Scan::new(snapshot, Signal::Logs, range, &predicate.hints, control)?;
    if !newest {
        scan.oldest_first();
    }
    let best: std::cell::RefCell<BTreeMap<Rank, (Place, u32)>> = std::cell::RefCell::default();
    let worst = || {
        let best = best.borrow();
        if best.len() > search.limit { best.last_key_value().map(|(rank, _)| *rank) } else { None }
    };
    scan.run(
        Wanted { columns: &[column::RECORD_ID], predicate },
        |unit| worst().is_some_and(|(worst, _)| worst < if newest { turned(unit.max.get()) } else { unit.min.get() }),
        |rows| {
            let times = columns::long(rows.batch, column::TIME)?;
            let ids = columns::long(rows.batch, column::RECORD_ID)?;
            let mut limit = worst();
            for row in rows.alive.set_indices() {
                let rank = (turned(columns::nanos(times, row)), columns::nanos(ids, row));
                if after.is_some_and(|after| rank <= after) || limit.is_some_and(|worst| rank > worst) {
                    continue;
                }
                let mut best = best.borrow_mut();
                best.insert(rank, (rows.place, rows.number(row)));
                // One more than asked for says whether there is a next page.
                if best.len() > search.limit + 1 {
                    best.pop_last();
                }
                drop(best);
                limit = worst();
            }
            Ok(())
        },
    )?;
    page(&mut scan, best.into_inner(), search.limit, newest)
}

fn page(scan: &mut Scan<'_>, mut best: BTreeMap<Rank, (Place, u32)>, limit: usize, newest: bool) -> Result<LogPage, QueryError> {
    let more = best.len() > limit;
    if more {
        best.pop_last();
    }
    let next = best.last_key_value().filter(|_| more).map(|((time, id), _)| {
        let mut tie = [0; 16];
        if let Some(last) = tie.last_chunk_mut() {
            *last = id.to_be_bytes();
        }
        Cursor { key: if newest { u64::MAX - time } else { *time }, tie }
    });
    let mut records = fetch(scan, best.values().copied().collect())?;
    let records = best.keys().filter_map(|(_, id)| records.remove(id)).collect();
    Ok(LogPage { records, next, stats: std::mem::take(&mut scan.stats) })
}

/// Reads whole records, by their number.
fn fetch(scan: &mut Scan<'_>, found: Vec<(Place, u32)>) -> Result<BTreeMap<u64, LogRecord>, QueryError> {
    let mut records = BTreeMap::new();
    for (place, numbers) in by_place(found) {
        match scan.fetch(place, &from_rows(numbers))? {
            Ok(batches) => {
                for batch in batches {
                    let read = rows::logs(&batch, 0..batch.num_rows()).map_err(|error| QueryError::Internal(error.to_string()))?;
                    records.extend(read.into_iter().map(|record| (record.record_id, record)));
                }
            }
            Err(error) => scan.note(format!("a part of the data could not be read: {error}")),
        }
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
    let predicate = Predicate::new(&Query::parse(signal, query).map_err(QueryError::Parse)?);
    let number = if signal == Signal::Traces { column::STATUS_CODE } else { column::SEVERITY_NUMBER };
    let mut scan = Scan::new(snapshot, signal, range, &predicate.hints, control)?;
    let counted = scan.fold(
        Wanted { columns: &[number], predicate: &predicate },
        || vec![[0_u64; 7]; count],
        |counts, rows| {
            let times = columns::long(rows.batch, schema::time_column(signal))?;
            let numbers = columns::int(rows.batch, number)?;
            for row in rows.alive.set_indices() {
                let bucket = UnixNanos::new(columns::nanos(times, row)).since(range.from) / step;
                let class = class_of(signal, numbers.value(row));
                if let Some(cell) =
                    usize::try_from(bucket).ok().and_then(|bucket| counts.get_mut(bucket)).and_then(|counts| counts.get_mut(class))
                {
                    *cell += 1;
                }
            }
            Ok(())
        },
    )?;
    let mut buckets: Vec<_> = (0..count as u64).map(|i| HistogramBucket { start: range.from.plus(i * step), counts: [0; 7] }).collect();
    for counts in counted {
        for (bucket, counts) in buckets.iter_mut().zip(counts) {
            bucket.counts.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        }
    }
    Ok(Histogram { buckets, step, stats: std::mem::take(&mut scan.stats) })
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
