//! Finding log records.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use serde::Serialize;
use serde_json::{Map, Value as AnyJson};
use storage::{LogContextSearch, LogPage, LogRecord, LogSearch, SameOrigin, Severity, Signal};

use super::search::{LOG_FILTERS, log_query, range, window};
use super::shape::{BARS, Bars, Stats, nanos};
use super::{csv, in_background, to_json, written};
use crate::error::Failure;
use crate::otlp_json::LogsData;
use crate::params::{LOG_ORDERS, Params};
use crate::plain_json;
use crate::state::AppState;

/// Found log records.
#[derive(Debug, Serialize)]
struct Found<'a> {
    logs: Vec<Record<'a>>,
    next: Option<String>,
    stats: Stats,
}

/// A log record with what was logged around it.
#[derive(Debug, Serialize)]
struct Context<'a> {
    before: Vec<Record<'a>>,
    record: Record<'a>,
    after: Vec<Record<'a>>,
    stats: Stats,
}

/// One log record.
#[derive(Debug, Serialize)]
struct Record<'a> {
    record_id: String,
    time: String,
    time_unix_nano: String,
    observed_time: String,
    trace_id: Option<String>,
    span_id: Option<String>,
    severity: &'static str,
    severity_number: i32,
    severity_text: &'a str,
    service: &'a str,
    body: AnyJson,
    event_name: &'a str,
    #[serde(flatten)]
    attributes: plain_json::Attributes,
    dropped_attributes_count: u32,
    flags: u32,
    resource: Map<String, AnyJson>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    repeated_resource_attributes: Map<String, AnyJson>,
    scope: Scope<'a>,
}

#[derive(Debug, Serialize)]
struct Scope<'a> {
    name: &'a str,
    version: &'a str,
}

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Plain,
    Otlp,
}

/// `GET /api/v1/logs`
pub(super) async fn search(State(state): State<AppState>, params: Params) -> Result<Response, Failure> {
    let params = params.also_called("order", "sort");
    params.refuse_unknown(&[&LOG_FILTERS[..], &["to", "order", "limit", "cursor", "format"]].concat())?;
    let query = log_query(&state, &params)?;
    let search = LogSearch {
        range: range(&state, &params, Signal::Logs, &query)?,
        query,
        order: params.word("order", &LOG_ORDERS)?.unwrap_or_default(),
        limit: params.limit(100, 10_000)?,
        cursor: params.cursor()?,
    };
    let is_table = params.get("format") == Some("csv");
    let format = if is_table { Format::Plain } else { params.word("format", &LIST_FORMATS)?.unwrap_or(Format::Plain) };
    let found = state.store().search_logs(search).await?;
    if !is_table {
        return page(found, format).await;
    }
    let (now, next, complete, notes) = (state.now(), found.next, found.stats.complete, found.stats.notes.clone());
    let table = in_background(move || csv::file("logs", now, csv::texts(COLUMNS, found.records.iter().map(line)))).await?;
    Ok(csv::page(table, next, complete, &notes))
}

/// A log record as a line of a table; attributes and resource are JSON.
fn line(record: &LogRecord) -> [String; 9] {
    let shown = Record::from(record);
    let body = match shown.body {
        AnyJson::String(text) => text,
        other => other.to_string(),
    };
    [
        csv::time(record.time),
        shown.severity.to_owned(),
        shown.service.to_owned(),
        body,
        shown.trace_id.unwrap_or_default(),
        shown.span_id.unwrap_or_default(),
        AnyJson::Object(plain_json::attributes(&record.attributes)).to_string(),
        AnyJson::Object(shown.resource).to_string(),
        shown.record_id,
    ]
}

/// `GET /api/v1/logs/histogram`
pub(super) async fn histogram(State(state): State<AppState>, params: Params) -> Result<Json<Bars>, Failure> {
    params.refuse_unknown(&[&LOG_FILTERS[..], &["to", "buckets"]].concat())?;
    let query = log_query(&state, &params)?;
    let window = window(&state, &params, Signal::Logs, &query).await?;
    let (range, buckets) = match params.get("buckets") {
        Some(_) => (window.in_minutes().range, params.number("buckets", BARS, 500)?),
        None => window.bars(BARS),
    };
    let histogram = state.store().histogram(Signal::Logs, &query, range, buckets).await?;
    Ok(Json(Bars::new(Signal::Logs, histogram)))
}

/// A record as this API gives it, indented for people.
pub(crate) fn indented(record: &LogRecord) -> String {
    serde_json::to_string_pretty(&Record::from(record)).unwrap_or_default()
}

/// `GET /api/v1/logs/{record_id}`
pub(super) async fn one(State(state): State<AppState>, Path(id): Path<String>, params: Params) -> Result<Response, Failure> {
    params.refuse_unknown(&["format"])?;
    let format = format(&params)?;
    let number = record_id(&id)?;
    let record = state.store().log(number).await?.ok_or_else(|| absent(number))?;
    written(move || match format {
        Format::Plain => to_json(&Record::from(&record)),
        Format::Otlp => to_json(&LogsData::new([&record])),
    })
    .await
}

/// `GET /api/v1/logs/{record_id}/context`
pub(super) async fn context(State(state): State<AppState>, Path(id): Path<String>, params: Params) -> Result<Response, Failure> {
    params.refuse_unknown(&["before", "after", "same"])?;
    let asked = LogContextSearch {
        record_id: record_id(&id)?,
        before: side(&params, "before")?,
        after: side(&params, "after")?,
        origin: params.word("same", &[("service", SameOrigin::Service), ("instance", SameOrigin::Instance)])?.unwrap_or_default(),
    };
    let found = state.store().log_context(asked).await?.ok_or_else(|| absent(asked.record_id))?;
    written(move || {
        to_json(&Context {
            before: found.before.iter().map(Record::from).collect(),
            record: Record::from(&found.record),
            after: found.after.iter().map(Record::from).collect(),
            stats: found.stats.into(),
        })
    })
    .await
}

/// Records on one side of a context; zero for none.
fn side(params: &Params, name: &str) -> Result<usize, Failure> {
    if params.get(name) == Some("0") { Ok(0) } else { params.number(name, 10, 1_000) }
}

fn record_id(text: &str) -> Result<u64, Failure> {
    text.parse().map_err(|_| Failure::bad_request("invalid_id", "the record id is not a whole number"))
}

fn absent(number: u64) -> Failure {
    Failure::not_found(format!("there is no log record {number}; it may have aged out"))
}

/// A page of log records in the format asked for.
pub(super) async fn page(page: LogPage, format: Format) -> Result<Response, Failure> {
    let (next, complete, notes) = (page.next, page.stats.complete, page.stats.notes.clone());
    let response = written(move || match format {
        Format::Plain => {
            let logs = page.records.iter().map(Record::from).collect();
            to_json(&Found { logs, next: page.next.map(|cursor| cursor.to_string()), stats: page.stats.into() })
        }
        Format::Otlp => to_json(&LogsData::new(&page.records)),
    })
    .await?;
    // OTLP has no place for it.
    Ok(if format == Format::Otlp { csv::page(response, next, complete, &notes) } else { response })
}

/// `format`: `json` or `otlp`.
pub(super) fn format(params: &Params) -> Result<Format, Failure> {
    Ok(params.word("format", &[("json", Format::Plain), ("otlp", Format::Otlp)])?.unwrap_or(Format::Plain))
}

/// Formats of a list besides the table, which a wrong word is told of.
const LIST_FORMATS: [(&str, Format); 3] = [("json", Format::Plain), ("otlp", Format::Otlp), ("csv", Format::Plain)];

const COLUMNS: [&str; 9] = ["time", "severity", "service", "body", "trace_id", "span_id", "attributes", "resource", "record_id"];

impl<'a> From<&'a LogRecord> for Record<'a> {
    fn from(record: &'a LogRecord) -> Self {
        Self {
            record_id: record.record_id.to_string(),
            time: nanos(record.time),
            time_unix_nano: nanos(record.time_unix_nano),
            observed_time: nanos(record.observed_time),
            trace_id: record.trace_id.map(|id| id.to_string()),
            span_id: record.span_id.map(|id| id.to_string()),
            severity: Severity::from_number(record.severity_number).map_or("unknown", Severity::as_str),
            severity_number: record.severity_number,
            severity_text: &record.severity_text,
            service: record.service_name(),
            body: plain_json::value(&record.body),
            event_name: &record.event_name,
            attributes: plain_json::Attributes::of(&record.attributes),
            dropped_attributes_count: record.dropped_attributes_count,
            flags: record.flags,
            resource: plain_json::attributes(&record.resource.attributes),
            repeated_resource_attributes: plain_json::repeated(&record.resource.attributes),
            scope: Scope { name: &record.scope.name, version: &record.scope.version },
        }
    }
}
