//! Finding single spans.

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use serde_json::Value as AnyJson;
use storage::{KeyValue, Signal, Span, SpanPage, SpanSearch, UnixNanos};

use super::search::{TRACE_FILTERS, range, trace_query};
use super::shape::Stats;
use super::trace::{ResourceJson, ScopeJson, SpanJson};
use super::{csv, in_background, to_json, written};
use crate::error::Failure;
use crate::otlp_json::TracesData;
use crate::params::Params;
use crate::plain_json;
use crate::state::AppState;

/// Found spans.
#[derive(Debug, Serialize)]
struct Found<'a> {
    spans: Vec<FoundSpan<'a>>,
    next: Option<String>,
    stats: Stats,
}

/// A span as its trace has it, with what it names there.
#[derive(Debug, Serialize)]
struct FoundSpan<'a> {
    trace_id: String,
    #[serde(flatten)]
    span: SpanJson<'a, ResourceJson<'a>, ScopeJson<'a>>,
}

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Plain,
    Otlp,
    Table,
}

/// `GET /api/v1/spans`
pub(super) async fn search(State(state): State<AppState>, params: Params) -> Result<Response, Failure> {
    params.refuse_unknown(&[&TRACE_FILTERS[..], &["to", "limit", "cursor", "format"]].concat())?;
    let format = params.word("format", &[("json", Format::Plain), ("otlp", Format::Otlp), ("csv", Format::Table)])?;
    let query = trace_query(&state, &params)?;
    let search = SpanSearch {
        range: range(&state, &params, Signal::Traces, &query)?,
        query,
        limit: params.limit(100, 1_000)?,
        cursor: params.cursor()?,
    };
    page(state.store().search_spans(search).await?, format.unwrap_or(Format::Plain), state.now()).await
}

async fn page(page: SpanPage, format: Format, now: UnixNanos) -> Result<Response, Failure> {
    let (next, complete, notes) = (page.next, page.stats.complete, page.stats.notes.clone());
    let response = match format {
        Format::Plain => return written(move || to_json(&Found::from(&page))).await,
        Format::Otlp => written(move || to_json(&TracesData::new(&page.spans))).await?,
        Format::Table => in_background(move || csv::file("spans", now, csv::texts(COLUMNS, page.spans.iter().map(line)))).await?,
    };
    Ok(csv::page(response, next, complete, &notes))
}

/// A span as a line of a table; attributes and resource are JSON.
fn line(span: &Span) -> [String; 12] {
    let json = |attributes: &[KeyValue]| AnyJson::Object(plain_json::attributes(attributes)).to_string();
    [
        csv::time(span.start),
        csv::milliseconds(span.duration()),
        span.status.code.as_str().to_owned(),
        span.status.message.clone(),
        span.service_name().to_owned(),
        span.name.clone(),
        span.kind.as_str().to_owned(),
        span.trace_id.to_string(),
        span.span_id.to_string(),
        span.parent_span_id.map(|id| id.to_string()).unwrap_or_default(),
        json(&span.attributes),
        json(&span.resource.attributes),
    ]
}

const COLUMNS: [&str; 12] = [
    "start_time",
    "duration_ms",
    "status",
    "status_message",
    "service",
    "name",
    "kind",
    "trace_id",
    "span_id",
    "parent_span_id",
    "attributes",
    "resource",
];

// === conversions ===

impl<'a> From<&'a SpanPage> for Found<'a> {
    fn from(page: &'a SpanPage) -> Self {
        Self {
            spans: page.spans.iter().map(FoundSpan::from).collect(),
            next: page.next.map(|cursor| cursor.to_string()),
            stats: page.stats.clone().into(),
        }
    }
}

impl<'a> From<&'a Span> for FoundSpan<'a> {
    fn from(span: &'a Span) -> Self {
        let (resource, scope) = (ResourceJson::from(&*span.resource), ScopeJson::from(&*span.scope));
        Self { trace_id: span.trace_id.to_string(), span: SpanJson::new(span, resource, scope) }
    }
}
