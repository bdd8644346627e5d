//! One trace: its spans and its logs.

use axum::extract::{Path, State};
use axum::response::Response;
use http::header::CONTENT_DISPOSITION;
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use storage::trace::Trace;
use storage::{Event, Hex, Link, Resource, Scope, Span, TraceId};

use super::logs::{self, Format};
use super::shape::nanos;
use super::{to_json, written};
use crate::absent;
use crate::distinct::Distinct;
use crate::error::Failure;
use crate::otlp_json::{TracesData, resource_content, scope_content};
use crate::params::Params;
use crate::plain_json;
use crate::state::AppState;
use crate::view::format::Clockface;

/// A trace with all its spans. Spans name their resource and scope by their place in the lists.
#[derive(Debug, Serialize)]
pub(super) struct TraceJson<'a> {
    trace_id: String,
    complete: bool,
    notes: &'a [String],
    start: String,
    duration: String,
    span_count: usize,
    error_count: usize,
    resources: Vec<ResourceJson<'a>>,
    scopes: Vec<ScopeJson<'a>>,
    spans: Vec<SpanJson<'a, usize, usize>>,
}

#[derive(Debug, Serialize)]
pub(super) struct ResourceJson<'a> {
    service: &'a str,
    #[serde(flatten)]
    attributes: plain_json::Attributes,
    dropped_attributes_count: u32,
    schema_url: &'a str,
}

#[derive(Debug, Serialize)]
pub(super) struct ScopeJson<'a> {
    name: &'a str,
    version: &'a str,
    #[serde(flatten)]
    attributes: plain_json::Attributes,
    dropped_attributes_count: u32,
    schema_url: &'a str,
}

/// A span. Its resource and scope are places in lists, or stand here themselves.
#[derive(Debug, Serialize)]
pub(super) struct SpanJson<'a, R, S> {
    span_id: String,
    parent_span_id: Option<String>,
    service: &'a str,
    name: &'a str,
    kind: &'static str,
    start: String,
    end: String,
    duration: String,
    status: StatusJson<'a>,
    #[serde(flatten)]
    attributes: plain_json::Attributes,
    dropped_attributes_count: u32,
    events: Vec<EventJson<'a>>,
    dropped_events_count: u32,
    links: Vec<LinkJson<'a>>,
    dropped_links_count: u32,
    trace_state: &'a str,
    flags: u32,
    resource: R,
    scope: S,
}

#[derive(Debug, Serialize)]
struct StatusJson<'a> {
    code: &'static str,
    message: &'a str,
}

#[derive(Debug, Serialize)]
struct EventJson<'a> {
    time: String,
    name: &'a str,
    #[serde(flatten)]
    attributes: plain_json::Attributes,
    dropped_attributes_count: u32,
}

#[derive(Debug, Serialize)]
struct LinkJson<'a> {
    trace_id: String,
    span_id: String,
    trace_state: &'a str,
    #[serde(flatten)]
    attributes: plain_json::Attributes,
    dropped_attributes_count: u32,
    flags: u32,
}

/// `GET /api/v1/traces/{trace_id}`, also with `.json` or `.otlp.json` at its end.
pub(super) async fn one(State(state): State<AppState>, Path(name): Path<String>, params: Params) -> Result<Response, Failure> {
    params.refuse_unknown(&["format"])?;
    match file_format(&name) {
        (id, Some(format)) => export(&state, id.parse()?, format).await.map(|response| as_file(response, id, format)),
        (id, None) => export(&state, id.parse()?, logs::format(&params)?).await,
    }
}

/// `GET /api/v1/traces/{trace_id}/logs`
pub(super) async fn logs(State(state): State<AppState>, Path(id): Path<String>, params: Params) -> Result<Response, Failure> {
    params.refuse_unknown(&["limit", "format"])?;
    let limit = params.limit(1_000, 10_000)?;
    let format = logs::format(&params)?;
    logs::page(state.store().trace_logs(id.parse()?, limit).await?, format).await
}

async fn export(state: &AppState, id: TraceId, format: Format) -> Result<Response, Failure> {
    let Some(trace) = state.store().trace(id).await? else { return Err(missing(state, id).await) };
    written(move || match format {
        Format::Plain => to_json(&TraceJson::from(&trace)),
        Format::Otlp => to_json(&TracesData::new(&trace.spans)),
    })
    .await
}

/// A trace as this API gives it, indented for people.
pub(crate) fn indented(trace: &Trace) -> String {
    serde_json::to_string_pretty(&TraceJson::from(trace)).unwrap_or_default()
}

/// Why a trace is not there, as far as it is known.
async fn missing(state: &AppState, id: TraceId) -> Failure {
    let clock = Clockface::new(state.now(), None);
    let failure = absent::why(state.store(), id, None, (clock.now(), &|time| clock.moment(time).full)).await.failure;
    if failure.status == StatusCode::NOT_FOUND { Failure::not_found(failure.message) } else { failure }
}

fn file_format(name: &str) -> (&str, Option<Format>) {
    if let Some(id) = name.strip_suffix(".otlp.json") {
        (id, Some(Format::Otlp))
    } else if let Some(id) = name.strip_suffix(".json") {
        (id, Some(Format::Plain))
    } else {
        (name, None)
    }
}

/// Browsers save it under a name made of the id, which holds hex digits only by now.
fn as_file(mut response: Response, id: &str, format: Format) -> Response {
    let ending = if format == Format::Otlp { "otlp.json" } else { "json" };
    if let Ok(name) = HeaderValue::try_from(format!("attachment; filename=\"trace-{id}.{ending}\"")) {
        response.headers_mut().insert(CONTENT_DISPOSITION, name);
    }
    response
}

// === conversions ===

impl<'a> From<&'a Trace> for TraceJson<'a> {
    fn from(trace: &'a Trace) -> Self {
        let mut resources = Distinct::new(resource_content);
        let mut scopes = Distinct::new(scope_content);
        let spans =
            trace.spans.iter().map(|span| SpanJson::new(span, resources.number(&span.resource), scopes.number(&span.scope))).collect();
        let start = trace.spans.iter().map(|span| span.start).min().unwrap_or_default();
        let end = trace.spans.iter().map(|span| span.end).max().unwrap_or_default();
        Self {
            trace_id: trace.id.to_string(),
            complete: trace.complete,
            notes: &trace.notes,
            start: nanos(start),
            duration: start.until(end).to_string(),
            span_count: trace.spans.len(),
            error_count: trace.spans.iter().filter(|span| span.is_error()).count(),
            resources: resources.into_known().into_iter().map(ResourceJson::from).collect(),
            scopes: scopes.into_known().into_iter().map(ScopeJson::from).collect(),
            spans,
        }
    }
}

impl<'a> From<&'a Resource> for ResourceJson<'a> {
    fn from(resource: &'a Resource) -> Self {
        Self {
            service: resource.service_name(),
            attributes: plain_json::Attributes::of(&resource.attributes),
            dropped_attributes_count: resource.dropped_attributes_count,
            schema_url: &resource.schema_url,
        }
    }
}

impl<'a> From<&'a Scope> for ScopeJson<'a> {
    fn from(scope: &'a Scope) -> Self {
        Self {
            name: &scope.name,
            version: &scope.version,
            attributes: plain_json::Attributes::of(&scope.attributes),
            dropped_attributes_count: scope.dropped_attributes_count,
            schema_url: &scope.schema_url,
        }
    }
}

impl<'a, R, S> SpanJson<'a, R, S> {
    pub(super) fn new(span: &'a Span, resource: R, scope: S) -> Self {
        Self {
            span_id: span.span_id.to_string(),
            parent_span_id: span.parent_span_id.map(|id| id.to_string()),
            service: span.service_name(),
            name: &span.name,
            kind: span.kind.as_str(),
            start: nanos(span.start),
            end: nanos(span.end),
            duration: span.duration().to_string(),
            status: StatusJson { code: span.status.code.as_str(), message: &span.status.message },
            attributes: plain_json::Attributes::of(&span.attributes),
            dropped_attributes_count: span.dropped_attributes_count,
            events: span.events.iter().map(EventJson::from).collect(),
            dropped_events_count: span.dropped_events_count,
            links: span.links.iter().map(LinkJson::from).collect(),
            dropped_links_count: span.dropped_links_count,
            trace_state: &span.trace_state,
            flags: span.flags,
            resource,
            scope,
        }
    }
}

impl<'a> From<&'a Event> for EventJson<'a> {
    fn from(event: &'a Event) -> Self {
        Self {
            time: nanos(event.time),
            name: &event.name,
            attributes: plain_json::Attributes::of(&event.attributes),
            dropped_attributes_count: event.dropped_attributes_count,
        }
    }
}

impl<'a> From<&'a Link> for LinkJson<'a> {
    fn from(link: &'a Link) -> Self {
        Self {
            trace_id: Hex(&link.trace_id).to_string(),
            span_id: Hex(&link.span_id).to_string(),
            trace_state: &link.trace_state,
            attributes: plain_json::Attributes::of(&link.attributes),
            dropped_attributes_count: link.dropped_attributes_count,
            flags: link.flags,
        }
    }
}
