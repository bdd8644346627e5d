//! Log records: from the wire into rows of the logs table. A record is never refused for what it says.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, RecordBatch};
use arrow::error::ArrowError;

use crate::model::{SpanId, TraceId, UnixNanos};
use crate::rows::any_value;
use crate::schema;
use crate::store::Signal;

use super::attributes::{Attribute, AttributeColumns, Scalar, key_value, scalar};
use super::columns::{Blocks, Ids, Piece, Views};
use super::envelope::Envelope;
use super::spans::long;
use super::wire::{Blob, Cursor, WireError};
use super::{DAY, Row, Rows, Shared};

/// One log record as sent.
#[derive(Debug, Default)]
struct RawLog<'a> {
    time: u64,
    observed: u64,
    severity_number: i32,
    severity_text: Blob<'a>,
    body: Option<Blob<'a>>,
    /// When the body came in several parts, all of them.
    joined_body: Vec<u8>,
    dropped_attributes: u32,
    flags: u32,
    trace_id: &'a [u8],
    span_id: &'a [u8],
    event_name: Blob<'a>,
}

/// The columns of the logs table.
#[derive(Debug)]
pub(super) struct LogRows<'a> {
    attributes: Vec<Attribute<'a>>,
    record_id: Vec<i64>,
    time: Vec<i64>,
    time_unix_nano: Vec<i64>,
    observed: Vec<i64>,
    trace_id: Ids<16>,
    span_id: Ids<8>,
    severity_number: Vec<i32>,
    severity_text: Views,
    service: Views,
    body: Views,
    body_any: Views,
    resource: Views,
    scope: Views,
    maps: AttributeColumns,
    event_name: Views,
    flags: Vec<i64>,
    dropped_attributes: Vec<i64>,
}

impl LogRows<'_> {
    /// No rows yet, and room for so many.
    pub(super) fn with_room(rows: usize) -> Self {
        Self {
            attributes: Vec::new(),
            record_id: Vec::with_capacity(rows),
            time: Vec::with_capacity(rows),
            time_unix_nano: Vec::with_capacity(rows),
            observed: Vec::with_capacity(rows),
            trace_id: Ids::with_room(rows),
            span_id: Ids::with_room(rows),
            severity_number: Vec::with_capacity(rows),
            severity_text: Views::with_room(rows),
            service: Views::with_room(rows),
            body: Views::with_room(rows),
            body_any: Views::with_room(rows),
            resource: Views::with_room(rows),
            scope: Views::with_room(rows),
            maps: AttributeColumns::with_room(rows),
            event_name: Views::with_room(rows),
            flags: Vec::with_capacity(rows),
            dropped_attributes: Vec::with_capacity(rows),
        }
    }
}

impl<'a> Rows<'a> for LogRows<'a> {
    const ENVELOPES: [&'static str; 3] = ["ExportLogsServiceRequest", "ResourceLogs", "ScopeLogs"];
    const PATH: [&'static str; 3] = ["resource_logs", "scope_logs", "log_records"];
    const NOUN: &'static str = "log records";

    fn take(&mut self, blob: Blob<'a>, envelope: &Envelope, shared: &mut Shared<'a, '_>) -> Result<Row<'a>, WireError> {
        let log = self.read(blob, shared)?;
        self.push_body(&log, shared)?;
        let now = shared.context.now;
        let sent = [log.time, log.observed].into_iter().find(|time| *time != 0).map_or(now, UnixNanos::new);
        let time = sent.min(now.plus(DAY)).min(UnixNanos::new(i64::MAX.unsigned_abs()));
        let known = [log.time, log.observed].into_iter().filter(|time| *time != 0);
        shared.notes.early += u64::from(known.clone().any(|time| UnixNanos::new(time) < UnixNanos::YEAR_2000));
        shared.notes.late += u64::from(known.clone().any(|time| UnixNanos::new(time) > now.plus(DAY)));
        shared.notes.record_ids += u64::from(!matches!(log.trace_id.len(), 0 | 16)) + u64::from(!matches!(log.span_id.len(), 0 | 8));
        let number = u64::try_from(self.record_id.len()).unwrap_or(u64::MAX);
        self.record_id.push(shared.context.first_record_id.saturating_add(number).cast_signed());
        self.time.push(time.get().cast_signed());
        self.time_unix_nano.push(log.time.cast_signed());
        self.observed.push(log.observed.cast_signed());
        self.trace_id.push(TraceId::from_slice(log.trace_id).as_ref().map(TraceId::as_bytes));
        self.span_id.push(SpanId::from_slice(log.span_id).as_ref().map(SpanId::as_bytes));
        self.severity_number.push(log.severity_number);
        self.severity_text.push_non_empty(log.severity_text);
        self.service.push(envelope.service);
        self.resource.push(envelope.resource);
        self.scope.push(envelope.scope);
        self.maps.push(&mut self.attributes, &mut shared.source);
        self.event_name.push_non_empty(log.event_name);
        self.flags.push(i64::from(log.flags));
        self.dropped_attributes.push(i64::from(log.dropped_attributes));
        Ok(Row::Stored)
    }

    fn len(&self) -> usize {
        self.time.len()
    }

    fn finish(self, blocks: &mut Blocks) -> Result<RecordBatch, ArrowError> {
        let [texts, ints, doubles, bools, any] = self.maps.finish(blocks)?;
        let columns: Vec<ArrayRef> = vec![
            long(self.record_id),
            long(self.time),
            long(self.time_unix_nano),
            long(self.observed),
            self.trace_id.finish()?,
            self.span_id.finish()?,
            Arc::new(Int32Array::from(self.severity_number)),
            self.severity_text.texts(blocks)?,
            self.service.derived(blocks)?,
            self.body.texts(blocks)?,
            self.body_any.binaries(blocks)?,
            self.resource.binaries(blocks)?,
            self.scope.binaries(blocks)?,
            texts,
            ints,
            doubles,
            bools,
            any,
            self.event_name.texts(blocks)?,
            long(self.flags),
            long(self.dropped_attributes),
        ];
        RecordBatch::try_new(schema::of(Signal::Logs), columns)
    }
}

impl<'a> LogRows<'a> {
    fn read(&mut self, blob: Blob<'a>, shared: &mut Shared<'a, '_>) -> Result<RawLog<'a>, WireError> {
        self.attributes.clear();
        let mut log = RawLog::default();
        let mut cursor = Cursor::new("LogRecord", blob);
        while let Some(field) = cursor.next()? {
            match field.number {
                1 => log.time = field.fixed64()?,
                2 => log.severity_number = field.int32()?,
                3 => log.severity_text = field.blob()?,
                5 => log.take_body(field.blob()?),
                6 => self.attributes.push(key_value(field.blob()?, &mut shared.source, &mut shared.walker)?),
                7 => log.dropped_attributes = field.uint32()?,
                8 => log.flags = field.fixed32()?,
                9 => log.trace_id = field.blob()?.bytes,
                10 => log.span_id = field.blob()?.bytes,
                11 => log.observed = field.fixed64()?,
                12 => log.event_name = field.blob()?,
                _ => {}
            }
        }
        Ok(log)
    }

    fn push_body(&mut self, log: &RawLog<'a>, shared: &mut Shared<'a, '_>) -> Result<(), WireError> {
        let Some(body) = log.body else {
            self.body.push_null();
            self.body_any.push_null();
            return Ok(());
        };
        let (any, value) = if log.joined_body.is_empty() {
            (Piece::from(body), scalar(0, body, &mut shared.walker)?)
        } else {
            let any = shared.source.keep(&log.joined_body);
            (any, scalar(any.block, Blob { bytes: &log.joined_body, at: any.at }, &mut shared.walker)?)
        };
        if let Scalar::Text(text) = value {
            self.body.push(shared.source.view(text));
            self.body_any.push_null();
            return Ok(());
        }
        let text = any_value(shared.source.bytes(any)).to_string();
        let text = shared.source.keep(text.as_bytes());
        self.body.push(shared.source.view(text));
        self.body_any.push(shared.source.view(any));
        Ok(())
    }
}

impl<'a> RawLog<'a> {
    fn take_body(&mut self, part: Blob<'a>) {
        if let Some(first) = self.body {
            if self.joined_body.is_empty() {
                self.joined_body.extend_from_slice(first.bytes);
            }
            self.joined_body.extend_from_slice(part.bytes);
        }
        // An empty part leaves the joined body empty as well; then the last one stands for all.
        self.body = Some(part);
    }
}
