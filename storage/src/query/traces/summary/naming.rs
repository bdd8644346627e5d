//! What failures are called of which no message says why.

use std::collections::HashMap;

use super::super::super::answer::QueryStats;
use super::super::super::columns;
use super::super::super::predicate::Predicate;
use super::super::super::question::QueryError;
use super::super::super::scan::{Control, Scan, Wanted};
use super::{Gathered, failed, order};
use crate::attributes::{Found, Values};
use crate::model::{StatusCode, TimeRange, TraceId};
use crate::schema::column;
use crate::snapshot::Snapshot;
use crate::spread::Spread;
use crate::store::Signal;

/// What an error is called by.
const ERROR_TYPE: &str = "error.type";

/// Finds out where failures start. First errors of traces in which none has a message, and failures of which nothing is said, are called by their `error.type`, else by the type of their exception.
pub(in super::super) fn name_errors(
    snapshot: &Snapshot,
    traces: &mut HashMap<TraceId, Gathered, Spread>,
    control: &Control,
) -> Result<QueryStats, QueryError> {
    const READ: [&str; 7] = [
        column::TRACE_ID,
        column::SPAN_ID,
        column::START_TIME,
        column::END_TIME,
        column::KIND,
        column::STATUS_CODE,
        column::EXCEPTION_TYPE,
    ];
    traces.values_mut().for_each(Gathered::settle);
    let is_mute = |gathered: &Gathered| {
        gathered.first_error.as_ref().is_some_and(|(_, message)| message.is_none())
            || gathered.failure.as_ref().is_some_and(|(_, failure)| failure.message.is_none())
    };
    let mute: Vec<TraceId> = traces.iter().filter(|(_, gathered)| is_mute(gathered)).map(|(id, _)| *id).collect();
    if mute.is_empty() {
        return Ok(QueryStats { complete: true, ..QueryStats::default() });
    }
    let of_traces = Predicate::traces(mute);
    let mut scan = Scan::new(snapshot, Signal::Traces, TimeRange::ALL, &of_traces.hints, control)?;
    scan.run(
        Wanted { columns: &READ, keys: &[ERROR_TYPE.to_owned()], predicate: &of_traces },
        |_| false,
        |rows| {
            let ids = columns::id(rows.batch, column::TRACE_ID)?;
            let spans = columns::id(rows.batch, column::SPAN_ID)?;
            let (starts, ends) = (columns::long(rows.batch, column::START_TIME)?, columns::long(rows.batch, column::END_TIME)?);
            let (kinds, statuses) = (columns::int(rows.batch, column::KIND)?, columns::int(rows.batch, column::STATUS_CODE)?);
            let exceptions = columns::text(rows.batch, column::EXCEPTION_TYPE)?;
            let types = Values::of(rows.batch, ERROR_TYPE)?;
            for row in rows.alive.set_indices().filter(|row| statuses.value(*row) == StatusCode::Error.number()) {
                let (Some(trace), Some(span)) = (columns::trace_id(ids, row), columns::span_id(spans, row)) else { continue };
                let place = order(columns::nanos(starts, row), u64::from_be_bytes(*span.as_bytes()), kinds.value(row));
                let rank = failed(columns::nanos(ends, row), place);
                let Some(gathered) = traces.get_mut(&trace) else { continue };
                let said = || {
                    let kind = || Some(columns::text_or_empty(exceptions, row)).filter(|text| !text.is_empty());
                    error_type(&types, row).or_else(kind).map(str::to_owned)
                };
                if let Some(((_, first), message @ None)) = &mut gathered.first_error
                    && *first == rank
                {
                    *message = said();
                }
                if let Some((origin, failure)) = gathered.failure.as_mut().filter(|(_, failure)| failure.message.is_none())
                    && *origin == rank
                {
                    failure.message = said();
                }
            }
            Ok(())
        },
    )?;
    Ok(scan.stats)
}

fn error_type<'a>(types: &Values<'a>, row: usize) -> Option<&'a str> {
    let mut found = None;
    types.any(row, |value| {
        if let Found::Text(text) = value {
            found = Some(text).filter(|text| !text.is_empty());
        }
        found.is_some()
    });
    found
}
