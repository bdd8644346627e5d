//! Sums of spans and log records by group and over time, as JSON or CSV.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use serde::Serialize;
use serde_json::{Map, Value as AnyJson, json};
use storage::{Aggregate, Aggregation, Measure, Measured, Signal, SqlAnswer, SqlColumn, SqlMeaning, UnixNanos};

use super::search::{LOG_FILTERS, TRACE_FILTERS, log_query, steps_fit, trace_query, window};
use super::shape::{Range, Stats, nanos};
use super::{csv, in_background};
use crate::error::Failure;
use crate::params::{Params, parse_duration, wrong};
use crate::state::AppState;

/// Sums by group.
#[derive(Debug, Serialize)]
struct Answer {
    range: Range,
    step: Option<String>,
    group_by: Vec<String>,
    measures: Vec<String>,
    groups: Vec<GroupJson>,
    stats: Stats,
}

#[derive(Debug, Serialize)]
struct GroupJson {
    values: Vec<Option<String>>,
    other: bool,
    parts: Vec<PartJson>,
}

#[derive(Debug, Serialize)]
struct PartJson {
    start: String,
    measured: Vec<AnyJson>,
}

/// `GET /api/v1/aggregate`
pub(super) async fn sums(State(state): State<AppState>, headers: HeaderMap, params: Params) -> Result<Response, Failure> {
    let signal = params.word("signal", &[("traces", Signal::Traces), ("logs", Signal::Logs)])?.unwrap_or(Signal::Traces);
    let filters = match signal {
        Signal::Traces => &TRACE_FILTERS[..],
        Signal::Logs => &LOG_FILTERS[..],
    };
    params.refuse_unknown(&[filters, &["to", "signal", "group_by", "measure", "step", "limit", "format"]].concat())?;
    let query = match signal {
        Signal::Traces => trace_query(&state, &params)?,
        Signal::Logs => log_query(&state, &params)?,
    };
    let measures = listed(&params, "measure").map(str::parse).collect::<Result<Vec<Measure>, _>>()?;
    let step = params.get("step").map(|text| parse_duration(text).map_err(|reason| wrong("step", &reason))).transpose()?;
    let range = window(&state, &params, signal, &query).await?.in_minutes().range;
    step.map_or(Ok(()), |step| steps_fit(&params, range, step))?;
    let ask = Aggregate {
        signal,
        range,
        query,
        group_by: listed(&params, "group_by").map(str::to_owned).collect(),
        measures: if measures.is_empty() { vec![Measure::Count] } else { measures },
        step,
        limit: params.limit(50, 1_000)?,
    };
    let is_csv = params.word("format", &[("json", false), ("csv", true)])?;
    let is_csv = is_csv.unwrap_or_else(|| headers.get(http::header::ACCEPT).is_some_and(|accept| accept == "text/csv"));
    let found = state.store().aggregate(ask.clone()).await?;
    if is_csv { table(ask, found, state.now()).await } else { Ok(Json(Answer::new(&ask, found)).into_response()) }
}

/// Values under a name that may repeat, or hold several with commas between; a key in quotes may have commas itself.
fn listed<'a>(params: &'a Params, name: &'a str) -> impl Iterator<Item = &'a str> {
    params.all(name).flat_map(items).map(str::trim).filter(|item| !item.is_empty())
}

fn items(list: &str) -> impl Iterator<Item = &str> {
    let (mut before, mut in_quotes) = (',', false);
    list.split(move |letter| {
        match letter {
            '"' if in_quotes && before != '\\' => in_quotes = false,
            '"' if before == '.' => in_quotes = true,
            _ => {}
        }
        before = letter;
        letter == ',' && !in_quotes
    })
}

impl Answer {
    fn new(ask: &Aggregate, found: Aggregation) -> Self {
        let starts = &found.starts;
        let part = |(start, measured): (&UnixNanos, Vec<Measured>)| PartJson {
            start: nanos(*start),
            measured: measured.into_iter().map(value).collect(),
        };
        let group = |group: storage::AggregateGroup| GroupJson {
            values: group.values,
            other: group.is_other,
            parts: starts.iter().zip(group.parts).map(part).collect(),
        };
        Self {
            range: ask.range.into(),
            step: ask.step.map(|step| step.to_string()),
            group_by: ask.group_by.clone(),
            measures: ask.measures.iter().map(ToString::to_string).collect(),
            groups: found.groups.into_iter().map(group).collect(),
            stats: found.stats.into(),
        }
    }
}

/// Counts and shares are numbers, durations nanoseconds as text.
fn value(measured: Measured) -> AnyJson {
    match measured {
        Measured::Count(count) => count.into(),
        Measured::Number(number) => number.into(),
        Measured::Nanos(nanos) => nanos.to_string().into(),
        Measured::Bars(bars) => {
            let bar = |bar: storage::Bar| json!({ "from": bar.from.to_string(), "to": bar.to.to_string(), "count": bar.count });
            bars.into_iter().map(bar).collect()
        }
        Measured::Nothing => AnyJson::Null,
    }
}

/// One line per group and part.
async fn table(ask: Aggregate, found: Aggregation, now: UnixNanos) -> Result<Response, Failure> {
    let (complete, notes) = (found.stats.complete, found.stats.notes.clone());
    let file = in_background(move || csv::file("sums", now, csv::table(&flat(&ask, found)))).await?;
    Ok(csv::marked(file, false, complete, &notes))
}

fn flat(ask: &Aggregate, found: Aggregation) -> SqlAnswer {
    // A field may be called like a measure, or twice: columns are found by their place.
    let parts = || found.groups.iter().flat_map(|group| &group.parts);
    let is_duration = |place: usize| parts().any(|part| matches!(part.get(place), Some(Measured::Nanos(_))));
    let groups = ask.group_by.iter().map(|name| (name.clone(), SqlMeaning::Plain));
    let measures = ask
        .measures
        .iter()
        .enumerate()
        .map(|(place, measure)| (measure.to_string(), if is_duration(place) { SqlMeaning::Duration } else { SqlMeaning::Plain }));
    let names: Vec<(String, SqlMeaning)> = groups.chain([("start".to_owned(), SqlMeaning::Time)]).chain(measures).collect();
    let mut columns: Vec<SqlColumn> = Vec::with_capacity(names.len());
    for (name, meaning) in names {
        let taken = columns.iter().filter(|column| column.name == name || column.name.starts_with(&format!("{name} "))).count();
        let name = if taken == 0 { name } else { format!("{name} ({})", taken + 1) };
        columns.push(SqlColumn { name, sql_type: String::new(), meaning });
    }
    let mut rows = Vec::new();
    for group in found.groups {
        let other = group.is_other.then(|| "<other>".to_owned());
        let values: Vec<AnyJson> = group.values.into_iter().map(|value| value.or_else(|| other.clone()).into()).collect();
        for (start, measured) in found.starts.iter().zip(group.parts) {
            let cells = values.iter().cloned().chain([nanos(*start).into()]).chain(measured.into_iter().map(value));
            rows.push(columns.iter().map(|column| column.name.clone()).zip(cells).collect::<Map<_, _>>());
        }
    }
    SqlAnswer { columns, rows, ..SqlAnswer::default() }
}
