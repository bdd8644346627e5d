//! All that is known of one span, in seven parts.

use storage::Span;
use storage::trace::Brief;

use super::{MAX_LOGS, PanelTab, Scene};
use crate::view::attributes::Asked;
use crate::view::colour::Chip;
use crate::view::format::{self, Moment};
use crate::view::link::term;
use crate::view::logs::{self, Row as LogRow};
use crate::view::outcome::Outcome;

mod events;
mod frames;
mod groups;
mod links;
mod windows;

use self::events::{EventView, event_view};
pub(crate) use self::groups::Group;
use self::groups::groups;
pub(crate) use self::links::MAX_LINKED;
use self::links::{LinkView, all_linked, link_view, linked};
use self::windows::{Cut, Windows};

/// The detail of a span.
#[derive(Clone, Debug, Default)]
pub(crate) struct Panel {
    pub(crate) id: String,
    pub(crate) chip: Chip,
    pub(crate) name: String,
    pub(crate) kind: &'static str,
    pub(crate) status: &'static str,
    pub(crate) is_error: bool,
    /// The code of a failed call that was answered; empty for what failed otherwise.
    pub(crate) answer: String,
    /// What the status says, whole.
    pub(crate) message: String,
    /// Where the failure began, when that was further down: in words, and the address.
    pub(crate) cause: Option<(String, String)>,
    pub(crate) duration: String,
    pub(crate) exact: String,
    /// After the start of the trace.
    pub(crate) offset: String,
    pub(crate) own: String,
    /// Word, count, address and whether it is the present one; empty where all parts are shown.
    pub(crate) tabs: Vec<(&'static str, String, String, bool)>,
    /// Which parts are shown.
    pub(crate) shows: Shows,
    /// Name and value.
    pub(crate) timing: Vec<(&'static str, String)>,
    pub(crate) attributes: Vec<Group>,
    pub(crate) events: Vec<EventView>,
    pub(crate) links: Vec<LinkView>,
    /// Traces with a link to this span: address, service, operation, and when they began.
    pub(crate) linked: Vec<(String, Outcome, Chip, String, Moment)>,
    /// All of them, where there may be more.
    pub(crate) all_linked: String,
    pub(crate) logs: Vec<LogRow>,
    /// Which rows of the long parts these are.
    pub(crate) windows: Windows,
    pub(crate) resource: Vec<Group>,
    /// Name and value: scope, ids, flags …
    pub(crate) origin: Vec<(&'static str, String)>,
    /// As the API gives it.
    pub(crate) raw: String,
    /// What the sender left out.
    pub(crate) dropped: Vec<String>,
    /// The page without the panel, and the panel as a page.
    pub(crate) close: String,
    pub(crate) alone: String,
    /// The trace with this span.
    pub(crate) in_trace: String,
    /// Traces with the same operation.
    pub(crate) similar: String,
    /// The page of the service.
    pub(crate) service: String,
}

/// Which parts of the detail are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shows {
    pub(crate) attributes: bool,
    pub(crate) events: bool,
    pub(crate) links: bool,
    pub(crate) logs: bool,
    pub(crate) resource: bool,
    pub(crate) timing: bool,
    pub(crate) raw: bool,
}

// === impl Panel ===

impl Panel {
    /// Whether its attributes are too many for one look.
    pub(crate) fn is_many(&self) -> bool {
        self.attributes.iter().map(|group| group.rows.len()).sum::<usize>() > FEW
    }
}

// === impl Shows ===

impl Shows {
    fn of(tab: PanelTab) -> Self {
        let all = tab == PanelTab::All;
        Self {
            attributes: all || tab == PanelTab::Attributes,
            events: all || tab == PanelTab::Events,
            links: all || tab == PanelTab::Links,
            logs: all || tab == PanelTab::Logs,
            resource: all || tab == PanelTab::Resource,
            timing: all || tab == PanelTab::Timing,
            raw: all || tab == PanelTab::Raw,
        }
    }
}

/// What is shown when the reader did not choose: the exception of a failed span, else its attributes.
pub(crate) fn tab_of(scene: &Scene, span: &Span) -> PanelTab {
    let has_exception = span.is_error() && span.events.iter().any(|event| event.name == "exception");
    scene.wanted.tab.unwrap_or(if has_exception { PanelTab::Events } else { PanelTab::Attributes })
}

/// The detail of the span at `place`, whose details are known.
pub(crate) fn panel(scene: &Scene, place: usize) -> Option<Panel> {
    let span = scene.details.get(&place)?;
    let id = span.span_id.to_string();
    let own = scene.sheet.self_time(place);
    let query = format!("{} {}", term("service", span.service_name()), term("name", &span.name));
    let trace_path = format!("/trace/{}", scene.sheet.id);
    let tab = tab_of(scene, span);
    let (shows, is_alone) = (Shows::of(tab), tab == PanelTab::All);
    let cut = Cut { scene, id: &id, shown: tab };
    let (attributes, of_attributes) = groups(&cut, PanelTab::Attributes, &span.attributes, Asked::Spans);
    let (resource, of_resource) = groups(&cut, PanelTab::Resource, &span.resource.attributes, Asked::Resource);
    let event = |number, event| event_view(scene, place, number, event);
    let (events, of_events) = cut.rows(PanelTab::Events, span.events.iter(), event, EventView::elements);
    let (links, of_links) = cut.rows(PanelTab::Links, span.links.iter(), |_, link| link_view(scene, link), LinkView::elements);
    let records: Vec<&storage::LogRecord> = scene.records(place).collect();
    let (logs, of_logs) = cut.rows(PanelTab::Logs, records.into_iter(), |_, record| log_row(scene, record), |_| 3);
    let raw = || crate::api::indented_trace(&storage::trace::Trace::assemble(scene.sheet.id, vec![span.clone()], true, Vec::new()));
    Some(Panel {
        chip: scene.palette.chip(span.service_name()),
        name: format::name(&span.name),
        kind: span.kind.as_str(),
        status: span.status.code.as_str(),
        is_error: span.is_error(),
        answer: scene.answer(place),
        message: format::said(&span.status.message),
        cause: cause(scene, place),
        duration: format::duration(span.duration()),
        exact: format::exact_nanos(span.duration()),
        offset: format::duration(scene.offset(place)),
        own: format::duration(own),
        tabs: if is_alone { Vec::new() } else { tabs(scene, place, span, tab) },
        shows,
        timing: timing(scene, place, span),
        windows: Windows { attributes: of_attributes, events: of_events, links: of_links, logs: of_logs, resource: of_resource },
        attributes,
        events,
        links,
        linked: linked(scene),
        all_linked: all_linked(scene, span),
        logs,
        resource,
        origin: origin(span),
        raw: if shows.raw { format::text(&raw()).chars().take(MAX_RAW).collect() } else { String::new() },
        dropped: dropped(span),
        close: format!("{}#s{id}", scene.here().with("span", "").with("tab", "").href()),
        // Each leads to where the reader is not yet.
        alone: if is_alone { String::new() } else { scene.links.plain(&format!("{trace_path}/span/{id}")).href() },
        in_trace: if is_alone { format!("{}#s{id}", scene.links.plain(&trace_path).with("span", &id).href()) } else { String::new() },
        similar: scene.links.traces(&query).href(),
        service: scene.links.service(span.service_name()).href(),
        id,
    })
}

/// Of a failed span where its failure starts, when that is below it.
fn cause(scene: &Scene, place: usize) -> Option<(String, String)> {
    let sheet = &scene.sheet;
    let is_failed = sheet.spans.get(place).is_some_and(Brief::is_error);
    let begin = if is_failed && sheet.errors_below(place) > 0 { sheet.failure_below(place)? } else { return None };
    let said = sheet.message(begin).map(|message| format!(": {}", format::message(message, 160))).unwrap_or_default();
    let text = format!("it began in {}, {}{said}", format::name(sheet.service(begin)), format::name(sheet.name(begin)));
    Some((text, scene.to_span(begin)))
}

fn tabs(scene: &Scene, place: usize, span: &Span, current: PanelTab) -> Vec<(&'static str, String, String, bool)> {
    let tab = |label, count: usize, tab: PanelTab| {
        // Of a trace with very many log records only the first ones are known.
        let more = if tab == PanelTab::Logs && scene.logs.len() >= MAX_LOGS { "+" } else { "" };
        let count = if count == 0 { String::new() } else { format!("{}{more}", format::count(count as u64)) };
        let href = scene.here().with("span", &span.span_id.to_string()).with("tab", tab.as_str()).href();
        (label, count, href, tab == current)
    };
    vec![
        tab("Attributes", span.attributes.len(), PanelTab::Attributes),
        tab("Events", span.events.len(), PanelTab::Events),
        // Its own: who links here is asked for once that is shown.
        tab("Links", span.links.len(), PanelTab::Links),
        tab("Logs", scene.records(place).count(), PanelTab::Logs),
        tab("Resource", 0, PanelTab::Resource),
        tab("Timing", 0, PanelTab::Timing),
        tab("Raw", 0, PanelTab::Raw),
    ]
}

fn timing(scene: &Scene, place: usize, span: &Span) -> Vec<(&'static str, String)> {
    let (sheet, own) = (&scene.sheet, scene.sheet.self_time(place));
    let critical = sheet.sections(place).iter().fold(0_u64, |sum, section| sum.saturating_add(section.to.since(section.from)));
    let mut rows = vec![
        ("Starts at", format!("{} after the start of the trace", format::duration(scene.offset(place)))),
        ("Start", apart(&scene.moment(span.start).full)),
        ("End", apart(&scene.moment(span.end).full)),
        ("Duration", format!("{} ({})", format::duration(span.duration()), format::exact_nanos(span.duration()))),
        ("Of the trace", format::percent(span.duration(), scene.axis.whole)),
        (
            "Own time",
            format!("{} ({} of it), in which none of its children ran", format::duration(own), format::percent(own, span.duration())),
        ),
    ];
    if critical > 0 {
        rows.push(("Critical path", format!("the trace waited {} for this span", format::duration(critical))));
    }
    if let Some(usual) = scene.usual.filter(|usual| usual.count > 1) {
        let place = match usual.slower_than(span.duration()) {
            Some(100) => "as slow as the slowest",
            Some(99) => "slower than 99 %",
            Some(95) => "slower than 95 %",
            Some(_) => "slower than half",
            None if usual.is_faster_than_half(span.duration()) => "faster than half",
            None => "about the median",
        };
        rows.push(("Among its like", format!("{place} of {} spans of this operation within a day", format::count(usual.count))));
        let quantiles = [("p50", usual.p50), ("p95", usual.p95), ("p99", usual.p99)];
        let quantiles = quantiles.map(|(name, value)| format!("{name} {}", format::duration(value)));
        rows.push(("They take", quantiles.join(" · ")));
    }
    if span.end < span.start {
        rows.push(("Note", "ends before it starts, as sent".to_owned()));
    }
    rows
}

/// A moment with its date apart from its time, so that a line breaks there and nowhere inside of either.
fn apart(full: &str) -> String {
    let (time, zone) = full.split_at_checked(full.len().saturating_sub("+01:00".len())).unwrap_or((full, ""));
    format!("{} {zone}", time.replacen('T', " ", 1))
}

fn log_row(scene: &Scene, record: &storage::LogRecord) -> LogRow {
    let whole = scene.here().with("view", "logs").with("span", "").with("tab", "");
    logs::row(record, logs::opened(whole, record.record_id), false, &scene.links, &scene.clock, &scene.palette)
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
    let counts = [
        (span.dropped_attributes_count, "attributes dropped by the sender"),
        (span.dropped_events_count, "events dropped by the sender"),
        (span.dropped_links_count, "links dropped by the sender"),
    ];
    counts.into_iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect()
}

/// More attributes than this can be narrowed.
const FEW: usize = 8;
const MAX_RAW: usize = 100_000;
