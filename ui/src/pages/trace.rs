//! `/trace/{id}`, `/trace/{id}/span/{span}` and `/compare`.

use std::sync::Arc;

use axum::extract::Path;
use axum::response::Response;
use storage::trace::{Sheet, findings as found};
use storage::{LogRecord, OpenTrace, SpanId, TraceId};

use super::Visit;
use super::visit::html;
use crate::error::Failure;
use crate::view::frame::Place;
use crate::view::trace::{
    Needle, PanelPart, PanelTab, Plan, RowsPart, Scene, SpanPage, TracePage, View, Wanted, findings, flame, header, json, minimap, notes,
    panel, plan, shares, table, tabs, tools, trace_map, waterfall,
};
use crate::view::{format, logs};

mod compare;
mod usual;

pub(crate) use self::usual::Known as Usual;

pub(super) use self::compare::page as compare;

/// See [`Wanted`] for the parameters. With the header `Fragment: rows` or `Fragment: panel`, that part alone.
pub(super) async fn page(visit: Visit, Path(id): Path<String>) -> Result<Response, Failure> {
    let id = parse_id(&id)?;
    let wanted = Wanted::read(&visit.params)?;
    let (open, mut scene) = scene(&visit, id, wanted).await?;
    match visit.fragment() {
        Some("panel") => {
            detail(&visit, &open, &mut scene, None).await?;
            return heavy(move || html(&PanelPart { panel: scene.chosen.and_then(|place| panel(&scene, place)), tools: tools(&scene) }))
                .await;
        }
        Some("rows") => {
            let frame = visit.frame(Place::Traces, "", None);
            let (plan, scene) = planned(&visit, &open, scene).await?;
            return heavy(move || html(&RowsPart { frame, waterfall: waterfall(&scene, &plan) })).await;
        }
        _ => {}
    }
    let (usual, plan, scene) = match scene.wanted.view {
        View::Timeline => {
            let (usual, planned) = tokio::join!(usual::of_root(&visit, &open), planned(&visit, &open, scene));
            let (plan, scene) = planned?;
            (usual, plan, scene)
        }
        _ => (usual::of_root(&visit, &open).await, Plan::default(), scene),
    };
    let mut scene = scene;
    scene.findings = found(&scene.sheet, usual, visit.state.now());
    let text = if scene.wanted.view == View::Json { indented(&visit, id, &scene.sheet).await? } else { None };
    let head = header(&scene);
    let title = format!("{} {} – Trace {}", head.operation, head.duration, head.short_id);
    let page = TracePage { frame: visit.frame(Place::Traces, &title, None), header: head, ..TracePage::default() };
    heavy(move || html(&filled(page, &scene, &plan, text.as_deref()))).await
}

fn filled(mut page: TracePage, scene: &Scene, plan: &Plan, text: Option<&str>) -> TracePage {
    page.view = scene.wanted.view;
    page.findings = findings(scene);
    page.notes = notes(scene);
    page.minimap = minimap(scene);
    page.tabs = tabs(scene);
    page.tools = tools(scene);
    match scene.wanted.view {
        View::Timeline => {
            page.waterfall = waterfall(scene, plan);
            page.panel = scene.chosen.and_then(|place| panel(scene, place));
        }
        View::Flame => page.flame = flame(scene),
        View::Services => page.shares = shares(scene),
        View::Spans => page.table = table(scene),
        View::Map => page.map = trace_map(scene),
        View::Json => page.json = json(scene, text),
        View::Logs => {
            page.logs = log_rows(scene);
            if scene.logs.len() >= MAX_LOGS {
                page.more_logs = format!("Only the first {} log records of this trace are shown.", format::exact(MAX_LOGS as u64));
            }
        }
    }
    page
}

/// One span and its way down from the root.
pub(super) async fn span(visit: Visit, Path((id, span)): Path<(String, String)>) -> Result<Response, Failure> {
    let id = parse_id(&id)?;
    let span: SpanId = span.parse()?;
    let wanted = Wanted { span: Some(span), tab: Some(PanelTab::All), ..Wanted::default() };
    let (open, mut scene) = scene(&visit, id, wanted).await?;
    let place = scene.chosen.ok_or_else(|| Failure::not_found(format!("trace {id} has no span {span}; it may not have arrived yet")))?;
    detail(&visit, &open, &mut scene, None).await?;
    let panel = panel(&scene, place).unwrap_or_default();
    let above = scene.sheet.ancestors(place).into_iter().filter_map(|place| {
        let id = scene.sheet.spans.get(place)?.span_id.to_string();
        Some((format::name(scene.sheet.name(place)), scene.links.trace(&scene.sheet.id).with("span", &id).href()))
    });
    let above = above.collect();
    let frame = visit.frame(Place::Traces, &format!("{} – Span {span}", panel.name), None);
    Ok(html(&SpanPage { frame, panel, above }))
}

/// The trace with its logs and what the search finds in it; says what an id looks like, or that this one was never seen.
async fn scene(visit: &Visit, id: TraceId, wanted: Wanted) -> Result<(OpenTrace, Scene), Failure> {
    let store = visit.state.store();
    let (open, logs) = tokio::join!(store.open_trace(id), store.trace_logs(id, MAX_LOGS));
    let open = open?.ok_or_else(|| unknown(id))?;
    let (records, lost) = match logs {
        Ok(page) => (page.records, page.stats.notes),
        Err(error) => (Vec::new(), vec![format!("its logs are missing: {error}")]),
    };
    let mut sheet = open.sheet().clone();
    if !lost.is_empty() {
        Arc::make_mut(&mut sheet).notes.extend(lost);
    }
    let needle = Needle::parse(&wanted.find);
    let find = wanted.find.clone();
    let means = (visit.links(), visit.clock(), visit.palette());
    let mut scene = Scene::new(sheet, records, wanted, means);
    if let Some(needle) = needle {
        let quick = needle.clone();
        let test = move |span: &storage::Span| needle.is_in(span);
        scene.matches = store.find_in_trace(&open, find, move |sheet, place| quick.quick(sheet, place), test).await?;
    }
    Ok((open, scene))
}

/// Decides on the rows in view and reads their spans, and the chosen one.
async fn planned(visit: &Visit, open: &OpenTrace, scene: Scene) -> Result<(Plan, Scene), Failure> {
    let (plan, mut scene) = heavy(move || (plan(&scene), scene)).await?;
    detail(visit, open, &mut scene, Some(&plan)).await?;
    Ok((plan, scene))
}

/// Reads the spans of the plan and the chosen one whole.
async fn detail(visit: &Visit, open: &OpenTrace, scene: &mut Scene, plan: Option<&Plan>) -> Result<(), Failure> {
    let mut places = plan.map(Plan::places).unwrap_or_default();
    places.extend(scene.chosen);
    scene.details = visit.state.store().trace_spans(open, places).await?;
    if let Some(chosen) = scene.chosen.filter(|_| matches!(scene.wanted.tab, Some(PanelTab::Timing | PanelTab::All))) {
        scene.usual = usual::of(visit, &scene.sheet, chosen).await;
    }
    Ok(())
}

async fn indented(visit: &Visit, id: TraceId, sheet: &Sheet) -> Result<Option<String>, Failure> {
    if sheet.spans.len() > crate::view::trace::MAX_JSON_SPANS {
        return Ok(None);
    }
    let trace = visit.state.store().trace(id).await?;
    Ok(trace.map(|trace| crate::api::indented_trace(&trace)))
}

/// Work that grows with the trace does not hold up other requests.
async fn heavy<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        tracing::error!(%error, "a page of a trace could not be made");
        Failure::new(http::StatusCode::INTERNAL_SERVER_ERROR, "internal", "this page could not be made")
    })
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

fn log_rows(scene: &Scene) -> Vec<logs::Row> {
    let row = |record: &LogRecord| {
        let is_open = scene.wanted.row == Some(record.record_id);
        let target = if is_open { String::new() } else { record.record_id.to_string() };
        let toggle = format!("{}#r{}", scene.here().with("row", &target).href(), record.record_id);
        let mut row = logs::row(record, toggle, is_open, &scene.links, &scene.clock, &scene.palette);
        // Within its trace a record leads to its bar.
        if let Some(place) = record.span_id.and_then(|id| scene.sheet.place_of(id)) {
            row.trace = scene.to_span(place);
        }
        row
    };
    scene.logs.iter().map(row).collect()
}

/// Records of one trace that a page holds.
const MAX_LOGS: usize = 1_000;
