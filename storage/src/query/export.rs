//! Everything that a query matches, whole and in order of time, handed out part by part.
//!
//! Owns the size of parts. Rows that cannot be read are told at the end, after all others.

use super::language::Query;
use super::predicate::Predicate;
use super::question::QueryError;
use super::scan::{Control, Scan, Wanted};
use crate::model::{KeyValue, LogRecord, Span, TimeRange, Value};
use crate::rows;
use crate::schema;
use crate::snapshot::Snapshot;
use crate::store::Signal;

/// Some records of an export.
#[derive(Clone, Debug, PartialEq)]
pub enum ExportPart {
    /// Of a table of spans.
    Spans(Vec<Span>),
    /// Of a table of log records.
    Logs(Vec<LogRecord>),
}

/// A part being filled.
struct Filling<'a> {
    spans: Vec<Span>,
    logs: Vec<LogRecord>,
    bytes: usize,
    hand_out: &'a mut dyn FnMut(ExportPart) -> Result<(), QueryError>,
}

/// Hands everything of `range` that matches to `hand_out`, oldest units of storage first.
pub(crate) fn export(
    snapshot: &Snapshot,
    (signal, query, range): (Signal, &str, TimeRange),
    control: &Control,
    hand_out: &mut dyn FnMut(ExportPart) -> Result<(), QueryError>,
) -> Result<(), QueryError> {
    let query = Query::parse(signal, query).map_err(QueryError::Parse)?;
    let predicate = Predicate::new(&query);
    let columns: Vec<&'static str> = schema::names(signal).collect();
    let mut filling = Filling { spans: Vec::new(), logs: Vec::new(), bytes: 0, hand_out };
    let mut scan = Scan::new(snapshot, signal, range, &predicate.hints, control)?;
    scan.oldest_first();
    scan.run(
        Wanted { columns: &columns, keys: &[], predicate: &predicate },
        |_| false,
        |rows| {
            let wanted: Vec<usize> = rows.alive.set_indices().collect();
            for some in wanted.chunks(DECODE_ROWS) {
                match signal {
                    Signal::Traces => filling.spans(rows::spans(rows.batch, some.iter().copied())?)?,
                    Signal::Logs => filling.logs(rows::logs(rows.batch, some.iter().copied())?)?,
                }
                control.check()?;
            }
            Ok(())
        },
    )?;
    filling.hand_out()?;
    if scan.stats.complete {
        Ok(())
    } else {
        Err(QueryError::Internal(format!("not everything is there: {}", scan.stats.notes.join("; "))))
    }
}

// === impl Filling ===

impl Filling<'_> {
    fn spans(&mut self, spans: Vec<Span>) -> Result<(), QueryError> {
        for span in spans {
            let events = span.events.iter().map(|event| event.name.len() + size_of(&event.attributes)).sum::<usize>();
            let links = span.links.iter().map(|link| link.trace_state.len() + size_of(&link.attributes)).sum::<usize>();
            self.bytes += span.name.len() + span.trace_state.len() + size_of(&span.attributes) + events + links;
            self.spans.push(span);
            self.hand_out_when_full()?;
        }
        Ok(())
    }

    fn logs(&mut self, logs: Vec<LogRecord>) -> Result<(), QueryError> {
        for log in logs {
            self.bytes += size_of_value(&log.body) + size_of(&log.attributes);
            self.logs.push(log);
            self.hand_out_when_full()?;
        }
        Ok(())
    }

    fn hand_out_when_full(&mut self) -> Result<(), QueryError> {
        if self.spans.len() + self.logs.len() >= PART_ROWS || self.bytes >= PART_BYTES { self.hand_out() } else { Ok(()) }
    }

    fn hand_out(&mut self) -> Result<(), QueryError> {
        self.bytes = 0;
        if !self.spans.is_empty() {
            (self.hand_out)(ExportPart::Spans(std::mem::take(&mut self.spans)))?;
        }
        if !self.logs.is_empty() {
            (self.hand_out)(ExportPart::Logs(std::mem::take(&mut self.logs)))?;
        }
        Ok(())
    }
}

/// About how many bytes attributes take.
fn size_of(attributes: &[KeyValue]) -> usize {
    attributes.iter().map(|kv| kv.key.len() + size_of_value(&kv.value)).sum()
}

/// Values are nested no deeper than they came in, which is bounded.
fn size_of_value(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        Value::Array(values) => values.iter().map(size_of_value).sum(),
        Value::Map(entries) => size_of(entries),
        Value::Empty | Value::Bool(_) | Value::Int(_) | Value::Double(_) => 8,
    }
}

/// Rows decoded at a time.
const DECODE_ROWS: usize = 128;

/// A part is handed out once it has this many records, or about this many bytes.
const PART_ROWS: usize = 1_000;
const PART_BYTES: usize = 4 << 20;

#[cfg(test)]
mod tests;
