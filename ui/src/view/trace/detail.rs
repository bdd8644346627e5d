//! All that is known of one span.

use storage::{Event, Link, Span, SpanId, TraceId, Value};

use super::Scene;
use super::minimap::extent;
use crate::view::attributes::{self, Asked, Row as Attribute};
use crate::view::colour::Chip;
use crate::view::format::{self, Moment};
use crate::view::link::term;
use crate::view::logs::{self, Row as LogRow};

/// The detail of a span.
#[derive(Clone, Debug, Default)]
pub(crate) struct Panel {
    pub(crate) id: String,
    pub(crate) chip: Chip,
    pub(crate) name: String,
    pub(crate) kind: &'static str,
    pub(crate) status: &'static str,
    pub(crate) is_error: bool,
    /// What the status says, whole.
    pub(crate) message: String,
    pub(crate) duration: String,
    pub(crate) exact: String,
    /// Name and value: start, own time, share …
    pub(crate) timing: Vec<(&'static str, String)>,
    pub(crate) start: Moment,
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) events: Vec<EventView>,
    pub(crate) links: Vec<LinkView>,
    pub(crate) logs: Vec<LogRow>,
    pub(crate) resource: Vec<Attribute>,
    /// Name and value: scope, ids, flags …
    pub(crate) origin: Vec<(&'static str, String)>,
    /// What the sender left out.
    pub(crate) dropped: Vec<String>,
    /// The page without the panel, and the panel as a page.
    pub(crate) close: String,
    pub(crate) alone: String,
    /// The trace with this span.
    pub(crate) in_trace: String,
    /// Traces with the same operation.
    pub(crate) similar: String,
    /// Logs of the service around this time.
    pub(crate) service: String,
}

/// An event of a span.
#[derive(Clone, Debug, Default)]
pub(crate) struct EventView {
    pub(crate) name: String,
    /// After the start of the trace.
    pub(crate) at: String,
    pub(crate) time: Moment,
    pub(crate) is_exception: bool,
    /// `PaymentError: card declined`.
    pub(crate) exception: String,
    pub(crate) stack: String,
    pub(crate) attributes: Vec<Attribute>,
}

/// A link of a span.
#[derive(Clone, Debug, Default)]
pub(crate) struct LinkView {
    pub(crate) trace: String,
    pub(crate) span: String,
    /// Empty when the ids are not valid.
    pub(crate) href: String,
    /// Whether it leads to this very trace.
    pub(crate) is_here: bool,
    pub(crate) attributes: Vec<Attribute>,
}

/// The detail of the span at `place`.
pub(crate) fn panel(scene: &Scene<'_>, place: usize) -> Option<Panel> {
    let span = scene.trace.spans.get(place)?;
    let (start, whole) = extent(scene);
    let id = span.span_id.to_string();
    let own = scene.outline.self_time.get(place).copied().unwrap_or(0);
    let offset = span.start.since(start);
    let mut timing = vec![
        ("Starts at", format::duration(offset)),
        ("Own time", format!("{} ({})", format::duration(own), format::percent(own, span.duration()))),
        ("Of the trace", format::percent(span.duration(), whole)),
    ];
    if span.end < span.start {
        timing.push(("Note", "ends before it starts, as sent".to_owned()));
    }
    let query = format!("{} {}", term("service", span.service_name()), term("name", &span.name));
    let trace_path = format!("/trace/{}", scene.trace.id);
    Some(Panel {
        chip: scene.palette.chip(span.service_name()),
        name: format::name(&span.name),
        kind: span.kind.as_str(),
        status: span.status.code.as_str(),
        is_error: span.is_error(),
        message: format::text(&span.status.message),
        duration: format::duration(span.duration()),
        exact: format::exact_nanos(span.duration()),
        timing,
        start: scene.moment(span.start),
        attributes: attributes::rows(&span.attributes, Asked::Spans, scene.links),
        events: span.events.iter().take(MAX_EVENTS).map(|event| event_view(scene, event, start)).collect(),
        links: span.links.iter().take(MAX_LINKS).map(|link| link_view(scene, link)).collect(),
        logs: log_rows(scene, place),
        resource: attributes::rows(&span.resource.attributes, Asked::Resource, scene.links),
        origin: origin(span),
        dropped: dropped(span),
        close: format!("{}#s{id}", scene.here().with("span", "").href()),
        alone: scene.links.plain(&format!("{trace_path}/span/{id}")).href(),
        in_trace: format!("{}#s{id}", scene.links.plain(&trace_path).with("span", &id).href()),
        similar: scene.links.traces(&query).href(),
        service: scene.links.service(span.service_name()).href(),
        id,
    })
}

fn event_view(scene: &Scene<'_>, event: &Event, start: storage::UnixNanos) -> EventView {
    let is_exception = event.name == "exception";
    let text = |key: &str| match event.attributes.iter().find(|pair| pair.key == key).map(|pair| &pair.value) {
        Some(Value::String(text)) => format::text(text),
        _ => String::new(),
    };
    let (kind, message) = (text("exception.type"), text("exception.message"));
    let shown_above = ["exception.type", "exception.message", "exception.stacktrace"];
    let rest: Vec<storage::KeyValue> =
        event.attributes.iter().filter(|pair| !is_exception || !shown_above.contains(&pair.key.as_str())).cloned().collect();
    EventView {
        name: format::name(&event.name),
        at: format::duration(event.time.since(start)),
        time: scene.moment(event.time),
        exception: [kind, message].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": "),
        stack: if is_exception { text("exception.stacktrace").chars().take(MAX_STACK).collect() } else { String::new() },
        attributes: attributes::rows(&rest, Asked::Nowhere, scene.links),
        is_exception,
    }
}

fn link_view(scene: &Scene<'_>, link: &Link) -> LinkView {
    let trace = TraceId::from_slice(&link.trace_id);
    let span = SpanId::from_slice(&link.span_id);
    let href = trace.map(|trace| {
        let span = span.map(|span| span.to_string()).unwrap_or_default();
        scene.links.trace(&trace).with("span", &span).href() + &(if span.is_empty() { String::new() } else { format!("#s{span}") })
    });
    LinkView {
        trace: format::hex(&link.trace_id),
        span: format::hex(&link.span_id),
        is_here: trace == Some(scene.trace.id),
        href: href.unwrap_or_default(),
        attributes: attributes::rows(&link.attributes, Asked::Nowhere, scene.links),
    }
}

fn log_rows(scene: &Scene<'_>, place: usize) -> Vec<LogRow> {
    let records = scene.by_span.get(&place).into_iter().flatten().filter_map(|index| scene.logs.get(*index)).take(MAX_LOGS);
    let row = |record: &storage::LogRecord| {
        let whole = scene.here().with("view", "logs").with("span", "").with("row", &record.record_id.to_string());
        logs::row(record, format!("{}#r{}", whole.href(), record.record_id), false, scene.links, scene.clock, scene.palette)
    };
    records.map(row).collect()
}

fn origin(span: &Span) -> Vec<(&'static str, String)> {
    let parent = span.parent_span_id.map_or_else(|| "none, this is a root".to_owned(), |id| id.to_string());
    let fields = [
        ("Span id", span.span_id.to_string()),
        ("Parent", parent),
        ("Scope", logs::scope(&span.scope)),
        ("Trace state", format::text(&span.trace_state)),
        ("Flags", format!("{:#04x}", span.flags)),
        ("Schema", format::text(&span.scope.schema_url)),
    ];
    fields.into_iter().filter(|(_, value)| !value.is_empty()).collect()
}

fn dropped(span: &Span) -> Vec<String> {
    let left_out = attributes::left_out(&span.attributes);
    let counts = [
        (span.dropped_attributes_count, "attributes dropped by the sender"),
        (span.dropped_events_count, "events dropped by the sender"),
        (span.dropped_links_count, "links dropped by the sender"),
    ];
    let mut notes: Vec<String> = counts.into_iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    let more = [
        (left_out, "attributes"),
        (span.events.len().saturating_sub(MAX_EVENTS), "events"),
        (span.links.len().saturating_sub(MAX_LINKS), "links"),
    ];
    notes.extend(more.into_iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} more {what} are in the JSON of the trace")));
    notes
}

const MAX_EVENTS: usize = 200;
const MAX_LINKS: usize = 200;
const MAX_LOGS: usize = 200;
const MAX_STACK: usize = 32_768;
