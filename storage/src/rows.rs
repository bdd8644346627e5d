//! Rows back into spans and log records, without loss.
//!
//! Owns the way from columns to the model. Stored bytes were checked when they came in; whatever is damaged since reads as absent, never
//! as a panic. Attributes come back by type (text, integers, floats, booleans, the rest), in the order sent within each type.

mod columns;
mod envelope;
mod nested;
mod value;

use arrow::array::{Array, RecordBatch};

use crate::attributes::Attributes;
use crate::model::{LogRecord, Span, SpanId, Status, TraceId, UnixNanos, Value};
use crate::schema::{ColumnError, column};

use self::columns::Columns;
use self::envelope::Envelopes;
pub(crate) use self::envelope::resource;
pub(crate) use self::nested::{events, links};
pub(crate) use self::value::any_value;

/// The spans in `rows` of a batch that has the columns of the spans table. Rows beyond the batch, and rows without ids, are left out.
///
/// # Errors
/// When a column is missing or has another type.
pub(crate) fn spans(batch: &RecordBatch, rows: impl Iterator<Item = usize>) -> Result<Vec<Span>, ColumnError> {
    let columns = Columns::new(batch);
    let trace_id = columns.ids(column::TRACE_ID)?;
    let span_id = columns.ids(column::SPAN_ID)?;
    let parent = columns.ids(column::PARENT_SPAN_ID)?;
    let start = columns.long(column::START_TIME)?;
    let end = columns.long(column::END_TIME)?;
    let name = columns.text(column::NAME)?;
    let kind = columns.int(column::KIND)?;
    let status_code = columns.int(column::STATUS_CODE)?;
    let status_message = columns.text(column::STATUS_MESSAGE)?;
    let attributes = Attributes::of(batch)?;
    let trace_state = columns.text(column::TRACE_STATE)?;
    let flags = columns.long(column::FLAGS)?;
    let dropped_attributes = columns.long(column::DROPPED_ATTRIBUTES)?;
    let dropped_events = columns.long(column::DROPPED_EVENTS)?;
    let dropped_links = columns.long(column::DROPPED_LINKS)?;
    let event_bytes = columns.binary(column::EVENTS)?;
    let link_bytes = columns.binary(column::LINKS)?;
    let mut envelopes = Envelopes::new(&columns)?;
    let mut spans = Vec::new();
    for row in rows.filter(|row| *row < batch.num_rows()) {
        let (Some(trace_id), Some(span_id)) = (TraceId::from_slice(trace_id.value(row)), SpanId::from_slice(span_id.value(row))) else {
            continue;
        };
        spans.push(Span {
            trace_id,
            span_id,
            parent_span_id: parent.is_valid(row).then(|| parent.value(row)).and_then(SpanId::from_slice),
            trace_state: columns::text_at(trace_state, row),
            flags: columns::uint32_at(flags, row),
            name: columns::text_at(name, row),
            kind: kind.value(row).into(),
            start: columns::time_at(start, row),
            end: columns::time_at(end, row),
            attributes: columns::attributes_at(&attributes, row),
            dropped_attributes_count: columns::uint32_at(dropped_attributes, row),
            events: columns::bytes_at(event_bytes, row).map(events).unwrap_or_default(),
            dropped_events_count: columns::uint32_at(dropped_events, row),
            links: columns::bytes_at(link_bytes, row).map(links).unwrap_or_default(),
            dropped_links_count: columns::uint32_at(dropped_links, row),
            status: Status { code: status_code.value(row).into(), message: columns::text_at(status_message, row) },
            resource: envelopes.resource(row),
            scope: envelopes.scope(row),
        });
    }
    Ok(spans)
}

/// The log records in `rows` of a batch that has the columns of the logs table. Rows beyond the batch are left out.
///
/// # Errors
/// When a column is missing or has another type.
pub(crate) fn logs(batch: &RecordBatch, rows: impl Iterator<Item = usize>) -> Result<Vec<LogRecord>, ColumnError> {
    let columns = Columns::new(batch);
    let record_id = columns.long(column::RECORD_ID)?;
    let time = columns.long(column::TIME)?;
    let time_unix_nano = columns.long(column::TIME_UNIX_NANO)?;
    let observed = columns.long(column::OBSERVED_TIME)?;
    let trace_id = columns.ids(column::TRACE_ID)?;
    let span_id = columns.ids(column::SPAN_ID)?;
    let severity_number = columns.int(column::SEVERITY_NUMBER)?;
    let severity_text = columns.text(column::SEVERITY_TEXT)?;
    let body = columns.text(column::BODY)?;
    let body_any = columns.binary(column::BODY_ANY)?;
    let attributes = Attributes::of(batch)?;
    let event_name = columns.text(column::EVENT_NAME)?;
    let flags = columns.long(column::FLAGS)?;
    let dropped_attributes = columns.long(column::DROPPED_ATTRIBUTES)?;
    let mut envelopes = Envelopes::new(&columns)?;
    let mut logs = Vec::new();
    for row in rows.filter(|row| *row < batch.num_rows()) {
        let body = match columns::bytes_at(body_any, row) {
            Some(bytes) => any_value(bytes),
            None if body.is_valid(row) => Value::String(body.value(row).to_owned()),
            None => Value::Empty,
        };
        logs.push(LogRecord {
            record_id: record_id.value(row).cast_unsigned(),
            time: columns::time_at(time, row),
            time_unix_nano: columns::time_at(time_unix_nano, row),
            observed_time: columns::time_at(observed, row),
            trace_id: trace_id.is_valid(row).then(|| trace_id.value(row)).and_then(TraceId::from_slice),
            span_id: span_id.is_valid(row).then(|| span_id.value(row)).and_then(SpanId::from_slice),
            severity_number: severity_number.value(row),
            severity_text: columns::text_at(severity_text, row),
            body,
            attributes: columns::attributes_at(&attributes, row),
            dropped_attributes_count: columns::uint32_at(dropped_attributes, row),
            flags: columns::uint32_at(flags, row),
            event_name: columns::text_at(event_name, row),
            resource: envelopes.resource(row),
            scope: envelopes.scope(row),
        });
    }
    Ok(logs)
}

/// A time column's value; the bits of times beyond `i64::MAX` were kept.
pub(crate) fn time(bits: i64) -> UnixNanos {
    UnixNanos::new(bits.cast_unsigned())
}

#[cfg(test)]
mod tests;
