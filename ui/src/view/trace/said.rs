//! What was said while a trace ran: its log records and the events of its spans, in order of time.

use storage::{Event, LogRecord, Span, UnixNanos};

use super::{PanelTab, Scene};
use crate::view::logs::{self, Row};
use crate::view::{attributes, format};

/// Records and events as rows, how many there are of each when there are events, and what else the page should say of them.
pub(crate) fn said(scene: &Scene) -> (Vec<Row>, String, Vec<String>) {
    let records = scene.logs.iter().map(|record| (record.time, record_row(scene, record)));
    let mut rows: Vec<(UnixNanos, Row)> = records.chain(events(scene)).collect();
    // Of equal times records come first, in their order.
    rows.sort_by_key(|(time, _)| *time);
    let (mut counts, mut notes) = (String::new(), Vec::new());
    let (logs, events) = (scene.logs.len(), rows.len().saturating_sub(scene.logs.len()));
    if events > 0 {
        let counted = |n: usize, one, many| format::counted(n as u64, one, many);
        counts = format!("{} and {}.", counted(logs, "log record", "log records"), counted(events, "span event", "span events"));
    }
    if scene.logs.len() >= MAX_LOGS {
        notes.push(format!("Only the first {} log records of this trace are shown.", format::exact(MAX_LOGS as u64)));
    }
    if !are_events_told(scene) {
        notes.push(format!(
            "Events of spans stand here in traces of at most {} spans; the detail of each span has its own.",
            format::exact(MAX_SPANS as u64)
        ));
    }
    if rows.len() > MAX_ROWS {
        notes.push(format!("Only the first {} log records and events are shown.", format::exact(MAX_ROWS as u64)));
    }
    (rows.into_iter().take(MAX_ROWS).map(|(_, row)| row).collect(), counts, notes)
}

/// The spans whose events are shown: all, or none where there are too many to read.
pub(crate) fn speakers(scene: &Scene) -> Vec<usize> {
    if are_events_told(scene) { (0..scene.sheet.spans.len()).collect() } else { Vec::new() }
}

/// Whether events of spans stand among the log records.
pub(super) fn are_events_told(scene: &Scene) -> bool {
    scene.sheet.spans.len() <= MAX_SPANS
}

fn record_row(scene: &Scene, record: &LogRecord) -> Row {
    let is_open = scene.wanted.row == Some(record.record_id);
    let id = record.record_id;
    let toggle = if is_open { logs::closed(scene.here(), id) } else { logs::opened(scene.here(), id) };
    let mut row = logs::row(record, toggle, is_open, &scene.links, &scene.clock, &scene.palette);
    // Within its trace a record leads to its bar.
    if let Some(place) = record.span_id.and_then(|id| scene.sheet.place_of(id)) {
        row.trace = scene.to_span(place);
        row.way = "span";
    }
    row
}

fn events(scene: &Scene) -> Vec<(UnixNanos, Row)> {
    let mut places: Vec<usize> = speakers(scene).into_iter().filter(|place| scene.details.contains_key(place)).collect();
    places.sort_unstable();
    let of_span = |place: usize| {
        let span = scene.details.get(&place)?;
        let row = move |(number, event): (usize, &Event)| (event.time, event_row(scene, place, span, number, event));
        Some(span.events.iter().enumerate().map(row).collect::<Vec<_>>())
    };
    places.into_iter().filter_map(of_span).flatten().collect()
}

/// An event leads to all events of its span.
fn event_row(scene: &Scene, place: usize, span: &Span, number: usize, event: &Event) -> Row {
    let is_exception = event.name == "exception";
    let id = span.span_id.to_string();
    let pairs = event.attributes.iter().filter(|pair| !is_exception || pair.key != "exception.stacktrace");
    let told = pairs.map(|pair| format!("{}={}", pair.key, attributes::brief(&pair.value, 120))).collect::<Vec<_>>().join(" ");
    let address = scene.timeline().with("span", &id).with("tab", PanelTab::Events.as_str());
    Row {
        anchor: format!("e{id}-{number}"),
        time: scene.moment(event.time),
        letter: "◆",
        severity: "span event".to_owned(),
        class: if is_exception { "sev-error" } else { "" },
        chip: scene.palette.chip(scene.sheet.service(place)),
        body: format::line(&format!("{} {told}", event.name), 600),
        toggle: format!("{}#s{id}", address.href()),
        trace: scene.to_span(place),
        way: "span",
        ..Row::default()
    }
}

/// Log records of one trace that a page holds.
pub(crate) const MAX_LOGS: usize = 1_000;

/// Spans that are read whole for their events.
const MAX_SPANS: usize = 2_000;

/// More rows are not shown.
const MAX_ROWS: usize = 2_000;
