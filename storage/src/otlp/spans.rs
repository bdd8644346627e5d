//! Spans: from the wire into rows of the spans table.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, Int64Array, RecordBatch};
use arrow::error::ArrowError;

use crate::model::UnixNanos;
use crate::schema;
use crate::store::Signal;

use super::attributes::{Attribute, AttributeColumns, key_value};
use super::columns::{Blocks, Ids, Piece, Views, view};
use super::envelope::{Envelope, Ranges};
use super::nested::Nested;
use super::peer;
use super::wire::{Blob, Cursor, WireError};
use super::{Context, DAY, Row, Rows, Shared};

/// One span as sent.
#[derive(Debug, Default)]
struct RawSpan<'a> {
    trace_id: &'a [u8],
    span_id: &'a [u8],
    parent: &'a [u8],
    trace_state: Blob<'a>,
    name: Blob<'a>,
    kind: i32,
    start: u64,
    end: u64,
    flags: u32,
    dropped_attributes: u32,
    dropped_events: u32,
    dropped_links: u32,
    status_code: i32,
    status_message: Blob<'a>,
}

/// The columns of the spans table.
#[derive(Debug)]
pub(super) struct SpanRows<'a> {
    attributes: Vec<Attribute<'a>>,
    event_ranges: Ranges,
    link_ranges: Ranges,
    trace_id: Ids<16>,
    span_id: Ids<8>,
    parent_span_id: Ids<8>,
    start: Vec<i64>,
    end: Vec<i64>,
    duration: Vec<i64>,
    name: Views,
    kind: Vec<i32>,
    status_code: Vec<i32>,
    status_message: Views,
    service: Views,
    resource: Views,
    scope: Views,
    maps: AttributeColumns,
    trace_state: Views,
    flags: Vec<i64>,
    dropped_attributes: Vec<i64>,
    dropped_events: Vec<i64>,
    dropped_links: Vec<i64>,
    events: Views,
    links: Views,
    event_names: Views,
    exception_type: Views,
    exception_message: Views,
    peer: Views,
    peer_kind: Vec<Option<i32>>,
    peer_system: Views,
}

// === impl SpanRows ===

impl SpanRows<'_> {
    /// No rows yet, and room for so many.
    pub(super) fn with_room(rows: usize) -> Self {
        Self {
            attributes: Vec::new(),
            event_ranges: Ranges::default(),
            link_ranges: Ranges::default(),
            trace_id: Ids::with_room(rows),
            span_id: Ids::with_room(rows),
            parent_span_id: Ids::with_room(rows),
            start: Vec::with_capacity(rows),
            end: Vec::with_capacity(rows),
            duration: Vec::with_capacity(rows),
            name: Views::with_room(rows),
            kind: Vec::with_capacity(rows),
            status_code: Vec::with_capacity(rows),
            status_message: Views::with_room(rows),
            service: Views::with_room(rows),
            resource: Views::with_room(rows),
            scope: Views::with_room(rows),
            maps: AttributeColumns::with_room(rows),
            trace_state: Views::with_room(rows),
            flags: Vec::with_capacity(rows),
            dropped_attributes: Vec::with_capacity(rows),
            dropped_events: Vec::with_capacity(rows),
            dropped_links: Vec::with_capacity(rows),
            events: Views::with_room(rows),
            links: Views::with_room(rows),
            event_names: Views::with_room(rows),
            exception_type: Views::with_room(rows),
            exception_message: Views::with_room(rows),
            peer: Views::with_room(rows),
            peer_kind: Vec::with_capacity(rows),
            peer_system: Views::with_room(rows),
        }
    }
}

impl<'a> Rows<'a> for SpanRows<'a> {
    const ENVELOPES: [&'static str; 3] = ["ExportTraceServiceRequest", "ResourceSpans", "ScopeSpans"];
    const PATH: [&'static str; 3] = ["resource_spans", "scope_spans", "spans"];
    const NOUN: &'static str = "spans";

    fn take(&mut self, blob: Blob<'a>, envelope: &Envelope, shared: &mut Shared<'a, '_>) -> Result<Row<'a>, WireError> {
        let mut nested = Nested::default();
        let span = self.read(blob, &mut nested, shared)?;
        if let Some((reason, rule)) = refusal(&span, shared.context) {
            return Ok(Row::Refused { name: span.name, reason, rule });
        }
        self.push(&span, envelope, shared);
        self.push_nested(&nested, shared);
        let peer = peer::of_span(span.kind, &self.attributes, &mut shared.source);
        self.peer.push_option(peer.map(|peer| shared.source.shared(peer.name)));
        self.peer_kind.push(peer.map(|peer| peer.kind.number()));
        self.peer_system.push_option(peer.and_then(|peer| peer.system).map(|system| shared.source.view(system)));
        self.maps.push(&mut self.attributes, &mut shared.source);
        Ok(Row::Stored)
    }

    fn len(&self) -> usize {
        self.start.len()
    }

    fn finish(self, blocks: &mut Blocks) -> Result<RecordBatch, ArrowError> {
        let [texts, ints, doubles, bools, any] = self.maps.finish(blocks)?;
        let columns: Vec<ArrayRef> = vec![
            self.trace_id.finish()?,
            self.span_id.finish()?,
            self.parent_span_id.finish()?,
            long(self.start),
            long(self.end),
            long(self.duration),
            self.name.texts(blocks)?,
            Arc::new(Int32Array::from(self.kind)),
            Arc::new(Int32Array::from(self.status_code)),
            self.status_message.texts(blocks)?,
            self.service.derived(blocks)?,
            self.resource.binaries(blocks)?,
            self.scope.binaries(blocks)?,
            texts,
            ints,
            doubles,
            bools,
            any,
            self.trace_state.texts(blocks)?,
            long(self.flags),
            long(self.dropped_attributes),
            long(self.dropped_events),
            long(self.dropped_links),
            self.events.binaries(blocks)?,
            self.links.binaries(blocks)?,
            self.event_names.derived(blocks)?,
            self.exception_type.derived(blocks)?,
            self.exception_message.derived(blocks)?,
            self.peer.derived(blocks)?,
            Arc::new(Int32Array::from(self.peer_kind)),
            self.peer_system.derived(blocks)?,
        ];
        RecordBatch::try_new(schema::of(Signal::Traces), columns)
    }
}

impl<'a> SpanRows<'a> {
    fn read(&mut self, blob: Blob<'a>, nested: &mut Nested<'a>, shared: &mut Shared<'a, '_>) -> Result<RawSpan<'a>, WireError> {
        self.attributes.clear();
        self.event_ranges.clear();
        self.link_ranges.clear();
        let mut span = RawSpan::default();
        let mut cursor = Cursor::new("Span", blob);
        while let Some(field) = cursor.next()? {
            match field.number {
                1 => span.trace_id = field.blob()?.bytes,
                2 => span.span_id = field.blob()?.bytes,
                3 => span.trace_state = field.blob()?,
                4 => span.parent = field.blob()?.bytes,
                5 => span.name = field.blob()?,
                6 => span.kind = field.int32()?,
                7 => span.start = field.fixed64()?,
                8 => span.end = field.fixed64()?,
                9 => self.attributes.push(key_value(field.blob()?, &mut shared.source, &mut shared.walker)?),
                10 => span.dropped_attributes = field.uint32()?,
                11 => {
                    nested.take_event(field.blob()?, shared)?;
                    self.event_ranges.add(field.start, field.end);
                }
                12 => span.dropped_events = field.uint32()?,
                13 => {
                    nested.take_link(field.blob()?, shared)?;
                    self.link_ranges.add(field.start, field.end);
                }
                14 => span.dropped_links = field.uint32()?,
                15 => read_status(field.blob()?, &mut span)?,
                16 => span.flags = field.fixed32()?,
                _ => {}
            }
        }
        Ok(span)
    }

    fn push(&mut self, span: &RawSpan<'a>, envelope: &Envelope, shared: &mut Shared<'a, '_>) {
        self.trace_id.push(span.trace_id.try_into().ok());
        self.span_id.push(span.span_id.try_into().ok());
        let parent = span.parent.try_into().ok().filter(|parent| *parent != &[0; 8]);
        shared.notes.wrong_parents += u64::from(!span.parent.is_empty() && span.parent.len() != 8);
        self.parent_span_id.push(parent);
        shared.notes.backwards += u64::from(span.end < span.start);
        shared.notes.early += u64::from(UnixNanos::new(span.start) < UnixNanos::YEAR_2000);
        shared.notes.late += u64::from(UnixNanos::new(span.end) > shared.context.now.plus(DAY));
        self.start.push(span.start.cast_signed());
        self.end.push(span.end.cast_signed());
        self.duration.push(UnixNanos::new(span.start).until(UnixNanos::new(span.end)).cast_signed());
        self.name.push(shared.source.shared(Piece::from(span.name)));
        self.kind.push(span.kind);
        self.status_code.push(span.status_code);
        self.status_message.push_non_empty(span.status_message);
        self.service.push(envelope.service);
        self.resource.push(envelope.resource);
        self.scope.push(envelope.scope);
        self.trace_state.push_non_empty(span.trace_state);
        self.flags.push(i64::from(span.flags));
        self.dropped_attributes.push(i64::from(span.dropped_attributes));
        self.dropped_events.push(i64::from(span.dropped_events));
        self.dropped_links.push(i64::from(span.dropped_links));
    }

    fn push_nested(&mut self, nested: &Nested<'a>, shared: &mut Shared<'a, '_>) {
        nested.note(&mut shared.notes);
        let source = &mut shared.source;
        self.events.push_option(self.event_ranges.piece(source).map(|piece| source.view(piece)));
        self.links.push_option(self.link_ranges.piece(source).map(|piece| source.view(piece)));
        match nested.events {
            0 => self.event_names.push_null(),
            1 => self.event_names.push(view(nested.first_name)),
            _ => {
                let names = source.keep(&nested.names);
                self.event_names.push(source.view(names));
            }
        }
        self.exception_type.push_option(nested.exception_type.map(|piece| source.view(piece)));
        self.exception_message.push_option(nested.exception_message.map(|piece| source.view(piece)));
    }
}

fn read_status<'a>(blob: Blob<'a>, span: &mut RawSpan<'a>) -> Result<(), WireError> {
    let mut cursor = Cursor::new("Status", blob);
    while let Some(field) = cursor.next()? {
        match field.number {
            2 => span.status_message = field.blob()?,
            3 => span.status_code = field.int32()?,
            _ => {}
        }
    }
    Ok(())
}

/// The word under which a refused span is counted, and the rule that it breaks, for the sender to read.
fn refusal(span: &RawSpan<'_>, context: &Context) -> Option<(&'static str, &'static str)> {
    match span.trace_id {
        id if id.len() != 16 => return Some(("trace_id", "the trace id must have 16 bytes")),
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] => return Some(("trace_id", "the trace id must not be all zeros")),
        _ => {}
    }
    match span.span_id {
        id if id.len() != 8 => return Some(("span_id", "the span id must have 8 bytes")),
        [0, 0, 0, 0, 0, 0, 0, 0] => return Some(("span_id", "the span id must not be all zeros")),
        _ => {}
    }
    if i64::try_from(span.start).is_err() {
        return Some(("future", "the start time must be before the year 2262"));
    }
    let start = UnixNanos::new(span.start);
    if start > context.now.plus(DAY) {
        return Some(("future", "the start time must not be more than a day ahead of the server's clock; check the clock of the sender"));
    }
    if context.oldest().is_some_and(|oldest| start < oldest) {
        return Some(("expired", "the start time must not be older than the time for which data is kept"));
    }
    None
}

pub(super) fn long(values: Vec<i64>) -> ArrayRef {
    Arc::new(Int64Array::from(values))
}
