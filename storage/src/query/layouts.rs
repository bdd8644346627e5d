//! The same questions to the same rows, with and without columns of promoted attributes: the answers are the same.

use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::engine::Engine;
use super::fixtures::{self, Dice};
use super::question::{LogOrder, LogSearch, SpanSearch, SqlQuery, TraceOrder, TraceSearch};
use super::rolled::Rolls;
use super::{Aggregate, ExportPart, aggregate, export, facets, fields, search_logs, search_spans, search_traces, trace};
use crate::config::Config;
use crate::files::Place;

use crate::metrics::Registry;
use crate::model::{KeyValue, LogRecord, Span, StatusCode, TimeRange, UnixNanos, Value};
use crate::query::Control;
use crate::snapshot::Snapshot;
use crate::store::Signal;

const KEYS: [&str; 5] = ["http.request.method", "http.method", "code", "user.id", "error.type"];
const QUERIES: [&str; 9] = [
    "",
    "http.request.method:GET",
    "attr.code>=500 user.id:*",
    "attr.code:500,\"500\"",
    "NOT attr.user.id:u1*",
    "http.method~\"^P\" OR attr.code<300",
    "value",
    "attr.nowhere:1",
    "attr.code!=200 status:error",
];

fn control() -> Control {
    Control::new(Duration::from_secs(60))
}

/// A value that is mostly of the type that the key has.
fn value(dice: &mut Dice, key: &str) -> Value {
    match (key, dice.roll(12)) {
        ("code", 0) => Value::String("500".to_owned()),
        ("code", _) => Value::Int(*dice.pick(&[200, 404, 500])),
        ("user.id", 1) => Value::Array(vec![Value::String("u1".to_owned()), Value::Int(7)]),
        ("user.id", _) => Value::String(format!("u{} with a long value", dice.roll(30))),
        (_, 2) => Value::Bool(true),
        _ => Value::String(["GET", "POST", "PUT"][dice.count(3)].to_owned()),
    }
}

fn attributes(dice: &mut Dice) -> Vec<KeyValue> {
    // In any order, and now and then twice.
    (0..dice.roll(6))
        .map(|_| {
            let key = *dice.pick(&KEYS);
            KeyValue { key: key.to_owned(), value: value(dice, key) }
        })
        .collect()
}

fn span(dice: &mut Dice, id: u64) -> Span {
    let mut span = fixtures::span(id / 4, id, 0, ["api", "pay"][dice.count(2)], "op", 1_000 + id, dice.roll(900));
    span.attributes = attributes(dice);
    if dice.roll(4) == 0 {
        span.status.code = StatusCode::Error;
    }
    span
}

fn log(dice: &mut Dice, id: u64) -> LogRecord {
    let mut record = fixtures::log(id, "api", "one value", 1_000 + dice.roll(500));
    record.attributes = attributes(dice);
    record
}

/// Two segments; every fourth row in memory.
fn stored(folder: &Path, seed: Option<u64>, (spans, logs): &(Vec<Span>, Vec<LogRecord>)) -> Snapshot {
    let mut dice = Dice(seed.unwrap_or(1));
    let mut layout = || seed.map(|_| fixtures::layout(&mut dice, &KEYS));
    let (old, new) = spans.split_at(spans.len() / 4 * 3);
    let segments = old.chunks(old.len() / 2 + 1).map(|rows| vec![fixtures::spans(rows)]).collect();
    let own = folder.join("spans");
    Place::real(&own).create_folder().unwrap();
    let of_spans = fixtures::snapshot_in(&mut layout, &own, Signal::Traces, vec![fixtures::spans(new)], segments);
    let (old, new) = logs.split_at(logs.len() / 4 * 3);
    let segments = old.chunks(old.len() / 2 + 1).map(|rows| vec![fixtures::logs(rows)]).collect();
    let of_logs = fixtures::snapshot_in(&mut layout, folder, Signal::Logs, vec![fixtures::logs(new)], segments);
    Snapshot { logs: of_logs.logs, ..of_spans }
}

/// As text, so that floats that are no numbers equal themselves.
fn text(answer: impl Debug) -> String {
    format!("{answer:?}")
}

fn of_query(snapshot: &Snapshot, query: &str) -> Vec<String> {
    let control = &control();
    let traces = TraceSearch { query: query.to_owned(), range: TimeRange::ALL, order: TraceOrder::Newest, limit: 7, cursor: None };
    let logs = LogSearch { query: query.to_owned(), range: TimeRange::ALL, order: LogOrder::Newest, limit: 13, cursor: None };
    let mut answers = vec![text(search_traces(snapshot, &traces, control).unwrap().traces)];
    let spans = SpanSearch { query: query.to_owned(), range: TimeRange::ALL, limit: 17, cursor: None };
    answers.push(text(search_spans(snapshot, &spans, control).map(|page| page.spans).map_err(|error| error.to_string())));
    if let Ok(page) = search_logs(snapshot, &logs, control) {
        answers.push(text(page.records));
    }
    for field in ["attr.code", "http.request.method", "attr.user.id", "exception.type"] {
        let found = facets(snapshot, Signal::Traces, query, TimeRange::ALL, (field, 50), &Rolls::default(), control).unwrap();
        answers.push(text((found.values, found.rows, found.without)));
    }
    answers.push(text(fields(snapshot, Signal::Traces, query, TimeRange::ALL, control).unwrap().fields));
    let ask = Aggregate {
        signal: Signal::Traces,
        query: query.to_owned(),
        range: TimeRange { from: UnixNanos::new(0), to: UnixNanos::new(1 << 40) },
        group_by: vec!["attr.code".to_owned(), "http.request.method".to_owned()],
        measures: ["count", "avg", "p95"].map(|measure| measure.parse().unwrap()).to_vec(),
        step: None,
        limit: 5,
    };
    answers.push(text(aggregate(snapshot, &ask, &Rolls::default(), control).unwrap().groups));
    for signal in [Signal::Traces, Signal::Logs] {
        let mut parts: Vec<ExportPart> = Vec::new();
        let exported = export(snapshot, (signal, query, TimeRange::ALL), control, &mut |part| {
            parts.push(part);
            Ok(())
        });
        answers.push(text((exported.map_err(|error| error.to_string()), parts)));
    }
    answers
}

async fn of_sql(snapshot: &Arc<Snapshot>, folder: &Path) -> Vec<String> {
    let engine = Engine::new(&Config::new(folder.to_owned()), &Registry::default());
    let mut answers = Vec::new();
    for sql in [
        "SELECT span_id, attributes FROM spans ORDER BY span_id",
        "SELECT record_id, attributes FROM logs ORDER BY record_id",
        "SELECT attributes['code'] AS c, count(*) AS n FROM spans GROUP BY c ORDER BY n, c",
        "SELECT count(*) AS n FROM spans WHERE attributes['http.request.method'] = 'GET' AND attributes['user.id'] IS NOT NULL",
    ] {
        let query = SqlQuery { sql: sql.to_owned(), max_rows: 10_000, timeout: Duration::from_secs(60) };
        let answer = engine.sql(snapshot.clone(), query).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        answers.push(serde_json::to_string(&answer.rows).unwrap());
    }
    answers
}

#[tokio::test]
async fn columns_of_promoted_attributes_change_no_answer() {
    let mut dice = Dice(28);
    for seed in 1..=6 {
        let mut spans: Vec<Span> = (1..=160).map(|id| span(&mut dice, id)).collect();
        // Some of them come again, with other content.
        spans.extend((0..30).map(|_| {
            let id = 1 + dice.roll(160);
            span(&mut dice, id)
        }));
        let rows = (spans, (1..=90).map(|id| log(&mut dice, id)).collect());
        let (plain, promoted) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let plain = (Arc::new(stored(plain.path(), None, &rows)), plain);
        let promoted = (Arc::new(stored(promoted.path(), Some(seed), &rows)), promoted);
        for query in QUERIES {
            for (one, other) in of_query(&plain.0, query).into_iter().zip(of_query(&promoted.0, query)) {
                assert_eq!(one, other, "{query}");
            }
        }
        for number in 0..40 {
            let spans = |snapshot| trace(snapshot, fixtures::trace_id(number), &control()).unwrap().map(text);
            assert_eq!(spans(&plain.0), spans(&promoted.0));
        }
        assert_eq!(of_sql(&plain.0, plain.1.path()).await, of_sql(&promoted.0, promoted.1.path()).await);
    }
}
