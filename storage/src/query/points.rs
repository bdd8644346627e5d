//! Few spans by start and duration, each by itself: what a plot of points is drawn from.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::answer::QueryStats;
use super::columns;
use super::language::Query;
use super::predicate::Predicate;
use super::question::QueryError;
use super::scan::{Control, Rows, Scan, Wanted};
use crate::model::{SpanId, StatusCode, TimeRange, TraceId, UnixNanos};
use crate::schema::column;
use crate::snapshot::Snapshot;
use crate::store::Signal;

/// Spans that a search would find, one by one.
#[derive(Clone, Debug, Default)]
pub struct Points {
    /// By start; `None` when there are more than were asked for.
    pub points: Option<Vec<Point>>,
    /// What it took.
    pub stats: QueryStats,
}

/// One span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    /// When it began.
    pub start: UnixNanos,
    /// Nanoseconds that it took.
    pub duration: u64,
    /// Its trace.
    pub trace_id: TraceId,
    /// The span itself.
    pub span_id: SpanId,
    /// Whether it has status ERROR.
    pub failed: bool,
    /// Its service.
    pub service: String,
    /// Its name.
    pub name: String,
}

/// Finds what a search would find, when that is at most `limit` spans.
pub(crate) fn points(snapshot: &Snapshot, query: &str, range: TimeRange, limit: usize, control: &Control) -> Result<Points, QueryError> {
    if limit > MAX_POINTS {
        return Err(QueryError::Invalid(format!("at most {MAX_POINTS} spans are given one by one, not {limit}")));
    }
    let (query, note) = Query::rows(Signal::Traces, query).map_err(QueryError::Parse)?;
    let predicate = Predicate::new(&query);
    let mut scan = Scan::new(snapshot, Signal::Traces, range, &predicate.hints, control)?;
    note.into_iter().for_each(|note| scan.note(note));
    let wanted = Wanted { columns: &COLUMNS, keys: &[], predicate: &predicate };
    let found = AtomicUsize::new(0);
    let is_over = || found.load(Ordering::Relaxed) > limit;
    let states = scan.fold_until(
        wanted,
        |_| is_over(),
        Vec::new,
        |points, rows| {
            let before = found.fetch_add(rows.alive.count_set_bits(), Ordering::Relaxed);
            if before > limit || is_over() { Ok(()) } else { read(rows, points) }
        },
    )?;
    let mut points: Vec<Point> = states.into_iter().flatten().collect();
    points.sort_by_key(|point| (point.start, point.trace_id, point.span_id));
    Ok(Points { points: (!is_over()).then_some(points), stats: std::mem::take(&mut scan.stats) })
}

fn read(rows: &Rows<'_>, points: &mut Vec<Point>) -> Result<(), QueryError> {
    let batch = rows.batch;
    let (traces, spans) = (columns::id(batch, column::TRACE_ID)?, columns::id(batch, column::SPAN_ID)?);
    let (starts, durations) = (columns::long(batch, column::START_TIME)?, columns::long(batch, column::DURATION)?);
    let (services, names) = (columns::text(batch, column::SERVICE_NAME)?, columns::text(batch, column::NAME)?);
    let statuses = columns::int(batch, column::STATUS_CODE)?;
    for row in rows.alive.set_indices() {
        let Some((trace_id, span_id)) = columns::trace_id(traces, row).zip(columns::span_id(spans, row)) else { continue };
        points.push(Point {
            start: UnixNanos::new(columns::nanos(starts, row)),
            duration: columns::nanos(durations, row),
            trace_id,
            span_id,
            failed: statuses.value(row) == StatusCode::Error.number(),
            service: columns::text_or_empty(services, row).to_owned(),
            name: columns::text_or_empty(names, row).to_owned(),
        });
    }
    Ok(())
}

/// What is read of spans.
const COLUMNS: [&str; 7] = {
    use column::{DURATION, NAME, SERVICE_NAME, SPAN_ID, START_TIME, STATUS_CODE, TRACE_ID};
    [TRACE_ID, SPAN_ID, START_TIME, DURATION, STATUS_CODE, SERVICE_NAME, NAME]
};

/// More are drawn as areas.
const MAX_POINTS: usize = 1_000;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::fixtures;
    use super::*;

    #[test]
    fn few_spans_are_told_by_start_each_once_and_many_not_at_all() {
        let mut snapshot = Snapshot::default();
        let span = |id, service: &str, start| fixtures::span(1, id, 0, service, "x", start, 7);
        // One of them came twice.
        let buffered = [fixtures::spans(&[span(1, "a", 60), span(2, "a", 3), span(3, "b", 5)]), fixtures::spans(&[span(2, "a", 3)])];
        snapshot.spans.buffered = buffered.to_vec();
        let control = Control::new(Duration::from_secs(60));
        let range = TimeRange { from: UnixNanos::new(0), to: UnixNanos::new(100) };
        let found = |limit| points(&snapshot, "service:a", range, limit, &control).unwrap().points;
        let told: Vec<_> = found(2).unwrap().into_iter().map(|point| (point.start.get(), point.span_id, point.duration)).collect();
        assert_eq!(told, [(3, fixtures::span_id(2), 7), (60, fixtures::span_id(1), 7)]);
        assert!(found(1).is_none());
        assert!(matches!(points(&snapshot, "", range, MAX_POINTS + 1, &control), Err(QueryError::Invalid(_))));
    }
}
