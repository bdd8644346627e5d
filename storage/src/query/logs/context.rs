//! What was logged around one record, by the same origin and whatever a search says.

use super::super::answer::QueryStats;
use super::super::columns;
use super::super::listed::{self, Ask};
use super::super::predicate::Predicate;
use super::super::question::QueryError;
use super::super::scan::{Control, from_rows};
use super::{Way, locate};
use crate::model::{LogRecord, TimeRange};
use crate::rows;
use crate::schema::column;
use crate::snapshot::Snapshot;

/// Asks for the records around one record.
#[derive(Clone, Copy, Debug)]
pub struct LogContextSearch {
    /// The record in the middle.
    pub record_id: u64,
    /// At most this many records before it, up to 1,000.
    pub before: usize,
    /// At most this many records after it, up to 1,000.
    pub after: usize,
    /// Whose records.
    pub origin: SameOrigin,
}

/// Whose records belong to a context.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SameOrigin {
    /// Those of the same service.
    #[default]
    Service,
    /// Those with the same resource: of one process, as its SDK describes it.
    Instance,
}

/// A record with what was logged before and after it. All are in the order of time, equal times in the order of arrival.
#[derive(Clone, Debug)]
pub struct LogContext {
    /// The records right before it; fewer than asked for where the log begins.
    pub before: Vec<LogRecord>,
    /// The record asked for.
    pub record: LogRecord,
    /// The records right after it; fewer than asked for where the log ends.
    pub after: Vec<LogRecord>,
    /// What it took.
    pub stats: QueryStats,
}

const MAX_RECORDS: usize = 1_000;

/// The records around one; `None` when it is not there.
pub(crate) fn context(snapshot: &Snapshot, asked: LogContextSearch, control: &Control) -> Result<Option<LogContext>, QueryError> {
    if asked.before > MAX_RECORDS || asked.after > MAX_RECORDS {
        return Err(QueryError::Invalid(format!("a context has at most {MAX_RECORDS} records on each side")));
    }
    let (scan, found) = locate(snapshot, asked.record_id, control)?;
    let Some((place, number)) = found else { return Ok(None) };
    let batches = scan.fetch(place, &from_rows(vec![number]))?.map_err(|error| QueryError::Internal(error.to_string()))?;
    let Some(batch) = batches.first() else { return Ok(None) };
    let records = rows::logs(batch, 0..1)?;
    let Some(record) = records.into_iter().next() else { return Ok(None) };
    let predicate = match asked.origin {
        SameOrigin::Service => Predicate::services(&[record.service_name().to_owned()]),
        SameOrigin::Instance => {
            Predicate::same_resource(record.service_name().to_owned(), columns::binary(batch, column::RESOURCE)?.value(0).to_vec())
        }
    };
    let mut stats: Option<QueryStats> = None;
    let mut side = |way: Way, limit| -> Result<Vec<LogRecord>, QueryError> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let ask = Ask { range: TimeRange::ALL, limit, after: Some((record.time, way.tie(record.record_id))) };
        let page = listed::find(snapshot, &way, &predicate, ask, control)?;
        match &mut stats {
            Some(stats) => stats.add(page.stats),
            None => stats = Some(page.stats),
        }
        Ok(page.rows)
    };
    let mut before = side(Way::Backwards, asked.before)?;
    before.reverse();
    let after = side(Way::Oldest, asked.after)?;
    let stats = stats.unwrap_or_else(|| QueryStats { complete: true, ..QueryStats::default() });
    Ok(Some(LogContext { before, record, after, stats }))
}
