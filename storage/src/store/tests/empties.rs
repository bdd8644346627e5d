//! Nothing, empty text, empty bytes and empty arrays are the same to searches, facets, groups and SQL.

use opentelemetry_proto::tonic::common::v1::{ArrayValue, KeyValue, any_value::Value};

use super::*;
use crate::query::{Aggregate, Measured, SqlQuery};

/// One log record for each value of the attribute `v`, and one without it.
fn with_values(values: &[Option<Value>]) -> Bytes {
    let value = |value: &Option<Value>| Some(AnyValue { value: value.clone() });
    let attribute = |of: &Option<Value>| vec![KeyValue { key: "v".to_owned(), value: value(of), ..KeyValue::default() }];
    let record = |(number, attributes)| LogRecord { time_unix_nano: NOW.get() + number, attributes, ..LogRecord::default() };
    let all = values.iter().map(attribute).chain([Vec::new()]);
    let scope = ScopeLogs { log_records: (0..).zip(all).map(record).collect(), ..ScopeLogs::default() };
    let resource = ResourceLogs { scope_logs: vec![scope], ..ResourceLogs::default() };
    ExportLogsServiceRequest { resource_logs: vec![resource] }.encode_to_vec().into()
}

async fn found(store: &Store, query: &str) -> u64 {
    store.facets(Signal::Logs, query, TimeRange::ALL, "severity", 10).await.unwrap().rows
}

async fn agree(store: &Store) {
    for (query, rows) in [
        ("attr.v:*", 5),
        ("has:attr.v", 5),
        ("-attr.v:*", 2),
        ("attr.v=\"\"", 3),
        ("attr.v!=\"\"", 4),
        ("attr.v=\"[]\"", 1),
        ("attr.v=\"[\\\"\\\"]\"", 1),
        ("attr.v=a", 1),
    ] {
        assert_eq!(found(store, query).await, rows, "{query}");
    }
    let facets = store.facets(Signal::Logs, "", TimeRange::ALL, "attr.v", 10).await.unwrap();
    let listed: Vec<(&str, u64)> = facets.values.iter().map(|(value, rows)| (value.as_str(), *rows)).collect();
    // Elements of arrays count one by one, and an array without any as what it is.
    assert_eq!((listed, facets.rows, facets.without), (vec![("", 3), ("[]", 1), ("a", 1)], 7, 2));

    let ask = Aggregate {
        signal: Signal::Logs,
        query: String::new(),
        range: TimeRange::ALL,
        group_by: vec!["attr.v".to_owned()],
        measures: vec!["count".parse().unwrap()],
        step: None,
        limit: 10,
    };
    let groups = store.aggregate(ask).await.unwrap().groups;
    let mut groups: Vec<(Option<String>, Measured)> =
        groups.into_iter().map(|group| (group.values[0].clone(), group.parts[0][0].clone())).collect();
    groups.sort_by(|a, b| a.0.cmp(&b.0));
    let whole = [(None, 2), (Some(""), 2), (Some("[\"\"]"), 1), (Some("[]"), 1), (Some("a"), 1)];
    assert_eq!(groups, whole.map(|(value, rows)| (value.map(str::to_owned), Measured::Count(rows))));

    let sql = "SELECT attributes['v'] AS v, count(*) AS n FROM logs GROUP BY 1 ORDER BY 1 NULLS FIRST".to_owned();
    let rows = store.sql(SqlQuery { sql, max_rows: 10, timeout: Duration::from_secs(60) }).await.unwrap().rows;
    let rows: Vec<(Option<&str>, u64)> = rows.iter().map(|row| (row["v"].as_str(), row["n"].as_u64().unwrap())).collect();
    assert_eq!(rows, whole);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_empty_is_the_same_wherever_it_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let text = |text: &str| Value::StringValue(text.to_owned());
    let array = |values: Vec<Value>| {
        Value::ArrayValue(ArrayValue { values: values.into_iter().map(|value| AnyValue { value: Some(value) }).collect() })
    };
    let values =
        [Some(text("")), None, Some(text("a")), Some(array(Vec::new())), Some(array(vec![text("")])), Some(Value::BytesValue(Vec::new()))];
    append(&store, Signal::Logs, with_values(&values)).await;
    agree(&store).await;
    store.flush().await.unwrap();
    agree(&store).await;
    store.close().await.unwrap();
}
