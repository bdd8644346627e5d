//! `/trace/{id}`, `/trace/{id}/span/{span}` and `/compare`.

use std::sync::Arc;

use axum::extract::Path;
use axum::response::{IntoResponse as _, Redirect, Response};
use http::StatusCode;
use storage::trace::{FindingKind, Sheet, attempts, findings as found};
use storage::{OpenTrace, Signal, SpanId, TimeRange, TraceId, TraceOrder, TraceSearch, TraceSummary};

use super::Visit;
use super::visit::{html, html_with};
use crate::error::Failure;
use crate::view::format;
use crate::view::frame::{Frame, Place};
use crate::view::trace::{
    MAX_LINKED, MAX_LOGS, PanelPart, PanelTab, Plan, RowsPart, Scene, SpanPage, TracePage, View, Wanted, back, controls, failed,
    failures_told, findings, flame, header, json, minimap, notes, panel, plan, said, shares, speakers, table, tabs, tools, trace_map,
    waterfall,
};

mod compare;
mod missing;
mod neighbours;
mod queued;
mod targets;
mod usual;

pub(crate) use self::usual::Known as Usual;

pub(super) use self::compare::page as compare;

/// See [`Wanted`] for the parameters. With the header `Fragment: rows`, `panel` or `window`, that part alone.
pub(super) async fn page(visit: Visit, Path(id): Path<String>) -> Result<Response, Failure> {
    let id = parse_id(&id)?;
    let wanted = Wanted::read(&visit.params)?;
    let (open, mut scene) = scene(&visit, id, wanted).await?;
    match visit.fragment() {
        Some("panel") => {
            detail(&visit, &open, &mut scene, None).await?;
            let frame = visit.frame(Place::Traces, "", None);
            return heavy(move || html(&around_span(&scene, frame))).await;
        }
        Some("rows") => {
            let frame = visit.frame(Place::Traces, "", None);
            let (plan, scene) = planned(&visit, &open, scene).await?;
            return heavy(move || html(&RowsPart { frame, waterfall: waterfall(&scene, &plan) })).await;
        }
        Some("window") => {
            let frame = visit.frame(Place::Traces, "", None);
            let (plan, scene) = planned(&visit, &open, scene).await?;
            return heavy(move || html(&around_rows(&scene, &plan, frame))).await;
        }
        _ => {}
    }
    // A new search opens at the first span that it finds.
    if visit.params.get("go") == Some("match")
        && let Some(first) = scene.first_match()
    {
        return Ok(Redirect::to(&first).into_response());
    }
    let wanted = scene.wanted.clone();
    let beside = async { tokio::join!(usual::of_root(&visit, &open), neighbours::of(&visit, id, &wanted)) };
    let ((usual, neighbours), plan, mut scene) = match wanted.view {
        View::Timeline => {
            let (beside, planned) = tokio::join!(beside, planned(&visit, &open, scene));
            let (plan, scene) = planned?;
            (beside, plan, scene)
        }
        _ => (beside.await, Plan::default(), scene),
    };
    let attempts: Vec<usize> = attempts(&scene.sheet).into_iter().filter(|place| !scene.details.contains_key(place)).collect();
    if !attempts.is_empty() {
        scene.details.extend(visit.state.store().trace_spans(&open, attempts).await?);
    }
    scene.findings = found(&scene.sheet, usual, &scene.details, visit.state.now());
    queued::tell(&visit, &open, &mut scene).await?;
    match scene.wanted.view {
        View::Logs => scene.details.extend(visit.state.store().trace_spans(&open, speakers(&scene)).await?),
        View::Spans => scene.details.extend(visit.state.store().trace_spans(&open, failed(&scene)).await?),
        _ => {}
    }
    let starts: Vec<usize> = failures_told(&scene.findings).filter(|place| !scene.details.contains_key(place)).collect();
    if !starts.is_empty() {
        scene.details.extend(visit.state.store().trace_spans(&open, starts).await?);
    }
    let text = if scene.wanted.view == View::Json { indented(&visit, id, &scene.sheet).await? } else { None };
    let head = header(&scene);
    let title = format!("{} {} – Trace {}", head.operation, head.duration, head.short_id);
    let page = TracePage { frame: visit.frame(Place::Traces, &title, None), header: head, neighbours, ..TracePage::default() };
    let status = scene.unfound.as_ref().map_or(StatusCode::OK, |failure| failure.status);
    heavy(move || html_with(status, &filled(page, &scene, &plan, text.as_deref()))).await
}

fn filled(mut page: TracePage, scene: &Scene, plan: &Plan, text: Option<&str>) -> TracePage {
    page.view = scene.wanted.view;
    page.findings = findings(scene);
    page.back = back(scene);
    page.notes = notes(scene);
    if scene.findings.iter().any(|finding| matches!(finding.kind, FindingKind::StillArriving { .. })) {
        let (id, spans) = (scene.sheet.id.to_string(), scene.sheet.spans.len().to_string());
        page.live = scene.links.plain("/live").with("for", "trace").with("trace", &id).with("spans", &spans).href();
    }
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
        View::Logs => (page.logs, page.log_counts, page.log_notes) = said(scene),
    }
    page
}

fn around_span(scene: &Scene, frame: Frame) -> PanelPart {
    PanelPart {
        frame,
        panel: scene.chosen.and_then(|place| panel(scene, place)),
        minimap: controls(scene),
        tabs: tabs(scene),
        view: scene.wanted.view,
        tools: tools(scene),
        waterfall: None,
    }
}

fn around_rows(scene: &Scene, plan: &Plan, frame: Frame) -> PanelPart {
    PanelPart { waterfall: Some(waterfall(scene, plan)), ..around_span(scene, frame) }
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
    let Some(open) = open? else { return Err(missing::why(visit, id, &wanted).await) };
    let (records, lost) = match logs {
        Ok(page) => (page.records, page.stats.notes),
        Err(error) => (Vec::new(), vec![format!("its logs are missing: {error}")]),
    };
    let mut sheet = open.sheet().clone();
    if !lost.is_empty() {
        Arc::make_mut(&mut sheet).notes.extend(lost);
    }
    let find = wanted.find.trim().to_owned();
    let means = (visit.links(), visit.clock(), visit.palette());
    let mut scene = heavy(move || Scene::new(sheet, records, wanted, means)).await?;
    if !find.is_empty() {
        match store.find_in_trace(&open, find.clone()).await {
            Ok(matches) => scene.matches = matches,
            // The trace is shown all the same.
            Err(error) => scene.unfound = Some(Failure::from(error)),
        }
        if scene.matches.is_empty() && scene.unfound.is_none() {
            scene.unknown = store.unknown_attributes(Signal::Traces, find).await.unwrap_or_default();
        }
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
    if let Some(chosen) = scene.chosen.filter(|_| matches!(scene.wanted.tab, Some(PanelTab::Links | PanelTab::All))) {
        let sheet = scene.sheet.clone();
        (scene.linked, ()) = tokio::join!(linked(visit, &sheet, chosen), targets::tell(visit, scene, chosen));
    }
    Ok(())
}

/// Other traces with a link to a span. Who links to it began about then or later.
async fn linked(visit: &Visit, sheet: &Sheet, chosen: usize) -> Vec<TraceSummary> {
    let Some(span) = sheet.spans.get(chosen) else { return Vec::new() };
    let search = TraceSearch {
        query: format!("link.trace:{} link.span:{}", sheet.id, span.span_id),
        range: TimeRange { from: span.start.minus(LINKED_BEFORE), to: TimeRange::ALL.to },
        order: TraceOrder::Newest,
        limit: MAX_LINKED,
        cursor: None,
    };
    let found = visit.state.store().search_traces(search).await.map(|page| page.traces).unwrap_or_default();
    found.into_iter().filter(|trace| trace.trace_id != sheet.id).collect()
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
        Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "this page could not be made")
    })
}

fn parse_id(text: &str) -> Result<TraceId, Failure> {
    text.trim().parse().map_err(|error: storage::ParseIdError| Failure::bad_request("invalid_trace_id", error.to_string()))
}

/// Nanoseconds by which a span that links may have begun before the one that it links to.
const LINKED_BEFORE: u64 = 3_600_000_000_000;

#[cfg(test)]
mod tests;
