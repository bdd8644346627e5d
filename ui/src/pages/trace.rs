//! `/trace/{id}` and `/trace/{id}/span/{span}`.

use axum::extract::Path;
use axum::response::Response;
use storage::trace::Trace;
use storage::{LogRecord, SpanId, TraceId};

use super::Visit;
use super::visit::html;
use crate::error::Failure;
use crate::view::frame::Place;
use crate::view::trace::{
    LogMarks, Only, Outline, PanelPart, RowsPart, Scene, SpanPage, TracePage, View, Wanted, findings, header, minimap, panel, shares,
    stray_logs, tools, waterfall,
};
use crate::view::{format, logs};

/// See [`Wanted`] for the parameters. With the header `Fragment: rows` or `Fragment: panel`, that part alone.
pub(super) async fn page(visit: Visit, Path(id): Path<String>) -> Result<Response, Failure> {
    let id = parse_id(&id)?;
    let (trace, records) = load(&visit, id).await?;
    let wanted = wanted(&visit)?;
    let outline = Outline::new(&trace);
    let (links, clock, palette) = (visit.links(), visit.clock(), visit.palette());
    let scene = Scene::new(&trace, &outline, &records, &wanted, (&links, &clock, &palette));
    let head = header(&scene);
    let title = format!("{} {} – Trace {}", head.operation, head.duration, head.short_id);
    let mut page = TracePage { frame: visit.frame(Place::Traces, &title, None), view: wanted.view, ..TracePage::default() };
    match visit.fragment() {
        Some("panel") => {
            let panel = scene.chosen.and_then(|place| panel(&scene, place));
            return Ok(html(&PanelPart { panel, tools: tools(&scene) }));
        }
        Some("rows") => {
            return Ok(html(&RowsPart { frame: page.frame, waterfall: waterfall(&scene) }));
        }
        _ => {}
    }
    page.header = head;
    page.findings = findings(&scene);
    page.notes = trace.notes.iter().map(|note| crate::view::search::sentence(note)).chain(stray_logs(&scene)).collect();
    page.notes.extend(unknown_span(&scene));
    page.minimap = minimap(&scene);
    page.tabs = tabs(&scene);
    match wanted.view {
        View::Timeline => {
            page.tools = tools(&scene);
            page.waterfall = waterfall(&scene);
            page.panel = scene.chosen.and_then(|place| panel(&scene, place));
        }
        View::Services => page.shares = shares(&scene),
        View::Logs => page.logs = log_rows(&scene),
    }
    Ok(html(&page))
}

/// One span and its way down from the root.
pub(super) async fn span(visit: Visit, Path((id, span)): Path<(String, String)>) -> Result<Response, Failure> {
    let id = parse_id(&id)?;
    let span: SpanId = span.parse()?;
    let (trace, records) = load(&visit, id).await?;
    let outline = Outline::new(&trace);
    let wanted = Wanted { span: Some(span), ..Wanted::default() };
    let (links, clock, palette) = (visit.links(), visit.clock(), visit.palette());
    let scene = Scene::new(&trace, &outline, &records, &wanted, (&links, &clock, &palette));
    let place = scene.chosen.ok_or_else(|| Failure::not_found(format!("trace {id} has no span {span}; it may not have arrived yet")))?;
    let panel = panel(&scene, place).unwrap_or_default();
    let above = outline.ancestors(place).into_iter().filter_map(|place| trace.spans.get(place));
    let above =
        above.map(|span| (format::name(&span.name), scene.links.trace(&id).with("span", &span.span_id.to_string()).href())).collect();
    let frame = visit.frame(Place::Traces, &format!("{} – Span {span}", panel.name), None);
    Ok(html(&SpanPage { frame, panel, above }))
}

/// The trace with its logs; says what an id looks like, or that this one was never seen.
async fn load(visit: &Visit, id: TraceId) -> Result<(Trace, Vec<LogRecord>), Failure> {
    let store = visit.state.store();
    let (trace, logs) = tokio::join!(store.trace(id), store.trace_logs(id, MAX_LOGS));
    let mut trace = trace?.ok_or_else(|| unknown(id))?;
    let records = match logs {
        Ok(page) => {
            trace.notes.extend(page.stats.notes);
            page.records
        }
        Err(error) => {
            trace.notes.push(format!("its logs are missing: {error}"));
            Vec::new()
        }
    };
    Ok((trace, records))
}

fn unknown(id: TraceId) -> Failure {
    Failure::new(
        http::StatusCode::NOT_FOUND,
        "unknown_trace",
        format!("there is no trace {id}; it was not received, is still on its way, or has aged out"),
    )
}

fn parse_id(text: &str) -> Result<TraceId, Failure> {
    text.trim().parse().map_err(|error: storage::ParseIdError| Failure::bad_request("invalid_trace_id", error.to_string()))
}

fn wanted(visit: &Visit) -> Result<Wanted, Failure> {
    let params = &visit.params;
    let ids = |name: &str| -> Vec<SpanId> {
        let list = params.get(name).unwrap_or_default();
        list.split(',').filter_map(|id| id.parse().ok()).take(MAX_EXCEPTIONS).collect()
    };
    let depth = params.get("depth");
    Ok(Wanted {
        view: params.word("view", &[("timeline", View::Timeline), ("services", View::Services), ("logs", View::Logs)])?.unwrap_or_default(),
        span: params.get("span").and_then(|id| id.parse().ok()),
        find: params.get("find").unwrap_or_default().to_owned(),
        only: params
            .word("only", &[("all", Only::All), ("errors", Only::Errors), ("critical", Only::Critical), ("matches", Only::Matches)])?
            .unwrap_or_default(),
        marks: params.word("logs", &[("dots", LogMarks::Dots), ("rows", LogMarks::Rows), ("off", LogMarks::Off)])?.unwrap_or_default(),
        open: ids("open"),
        closed: ids("closed"),
        is_collapsed: depth == Some("1"),
        is_expanded: depth == Some("all"),
        at: params.get("at").and_then(|at| at.parse().ok()),
        row: params.get("row").and_then(|row| row.parse().ok()),
    })
}

fn unknown_span(scene: &Scene<'_>) -> Option<String> {
    let span = scene.wanted.span.filter(|_| scene.chosen.is_none())?;
    Some(format!("Span {span} is not among the spans that were received of this trace."))
}

fn tabs(scene: &Scene<'_>) -> Vec<(&'static str, String, String, bool)> {
    let tab = |label, count: usize, view: View| {
        let count = if count == 0 { String::new() } else { format::count(count as u64) };
        let address = scene.here().with("view", view.as_str()).with("at", "");
        (label, count, address.href(), scene.wanted.view == view)
    };
    vec![tab("Timeline", 0, View::Timeline), tab("Services", 0, View::Services), tab("Logs", scene.logs.len(), View::Logs)]
}

fn log_rows(scene: &Scene<'_>) -> Vec<logs::Row> {
    let row = |record: &LogRecord| {
        let is_open = scene.wanted.row == Some(record.record_id);
        let target = if is_open { String::new() } else { record.record_id.to_string() };
        let toggle = format!("{}#r{}", scene.here().with("row", &target).href(), record.record_id);
        logs::row(record, toggle, is_open, scene.links, scene.clock, scene.palette)
    };
    scene.logs.iter().map(row).collect()
}

/// Records of one trace that a page holds.
const MAX_LOGS: usize = 1_000;

/// Span ids in `open` and `closed`.
const MAX_EXCEPTIONS: usize = 40;
