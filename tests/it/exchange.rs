//! What goes out comes in again: `export`, `import` and `query`, with a server and with a folder.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use http::StatusCode;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, any_value::Value};
use serde_json::Value as Json;

use crate::http::post;
use crate::otlp;
use crate::server::Server;
use crate::tools::{expect, run, said, word};

/// How often each record is in an export, whatever the grouping and the order of attributes.
fn records(file: &Path) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for line in fs::read_to_string(file).unwrap().lines() {
        let request: Json = serde_json::from_str(line).unwrap();
        let [groups, scopes, records] = if request.get("resourceSpans").is_some() {
            ["resourceSpans", "scopeSpans", "spans"]
        } else {
            ["resourceLogs", "scopeLogs", "logRecords"]
        };
        let list = |of: &Json, name: &str| of[name].as_array().unwrap().clone();
        for group in list(&request, groups) {
            for scope in list(&group, scopes) {
                for mut record in list(&scope, records) {
                    if let Some(attributes) = record.get_mut("attributes") {
                        attributes.as_array_mut().unwrap().sort_by_key(|attribute| attribute["key"].to_string());
                    }
                    let about = [&group["resource"], &group["schemaUrl"], &scope["scope"], &scope["schemaUrl"]];
                    *found.entry(format!("{about:?} {record}")).or_default() += 1;
                }
            }
        }
    }
    found
}

fn value(value: Value) -> Option<AnyValue> {
    Some(AnyValue { value: Some(value) })
}

/// A server with the shop's data and with values of every type.
async fn filled(data: &Path) -> Server {
    let server = Server::start(data, &["--buffer-bytes", "1MiB"]);
    expect(0, &["load", "--endpoint", &format!("http://{}", server.http), "--spans", "4000", "--logs", "1500", "--seed", "5"]);
    let mut odd = otlp::span([6; 16], [1; 8], "odd \u{1F600}");
    let key = |key: &str, inner| KeyValue { key: key.to_owned(), value: inner, ..KeyValue::default() };
    odd.attributes = vec![
        key("bytes", value(Value::BytesValue(vec![0, 255]))),
        key("nan", value(Value::DoubleValue(f64::NAN))),
        key("big", value(Value::IntValue(i64::MIN))),
        key(
            "list",
            value(Value::ArrayValue(ArrayValue { values: vec![AnyValue::default(), AnyValue { value: Some(Value::BoolValue(true)) }] })),
        ),
        key("twice", value(Value::IntValue(1))),
        key("twice", value(Value::StringValue("2".to_owned()))),
        key("", None),
    ];
    odd.end_time_unix_nano = 5;
    let body = otlp::traces("odd service", vec![odd]);
    assert_eq!(post(server.http, "/v1/traces", "application/x-protobuf", body).await.unwrap().status, StatusCode::OK);
    // Two records that nothing tells apart.
    let mut log = otlp::log("the same twice");
    log.trace_id = vec![6; 16];
    let body = otlp::logs("odd service", vec![log.clone(), log]);
    assert_eq!(post(server.http, "/v1/logs", "application/x-protobuf", body).await.unwrap().status, StatusCode::OK);
    server
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_exported_and_imported_and_exported_again_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let mut server = filled(&file("data")).await;
    let url = format!("http://{}", server.ui);
    expect(0, &["export", "--url", &url, "--output", word(&file("a"))]);
    let all = records(&file("a"));
    assert_eq!(all.values().sum::<usize>(), 4_000 + 1_500 + 3);
    assert!(all.iter().any(|(text, count)| text.contains("the same twice") && *count == 2));
    assert!(!file("a.partial").exists());

    // Into a folder, and out of it.
    let text = expect(0, &["import", word(&file("a")), "--data-dir", word(&file("copy"))]);
    assert!(text.starts_with("5503 records of "), "{text}");
    expect(0, &["export", "--data-dir", word(&file("copy")), "-o", word(&file("b"))]);
    assert_eq!(records(&file("b")), all);
    expect(0, &["check", word(&file("copy"))]);

    // Through a server, in protobuf.
    for signal in ["traces", "logs"] {
        expect(0, &["export", "--url", &url, "--signal", signal, "--format", "protobuf", "-o", word(&file(signal))]);
    }
    expect(0, &["export", "--url", &url, "--signal", "logs", "-q", "the same twice", "-o", word(&file("some"))]);
    assert_eq!(records(&file("some")).values().sum::<usize>(), 2);
    expect(0, &["export", "--url", &url, "--trace", &"06".repeat(16), "-o", word(&file("trace"))]);
    assert_eq!(records(&file("trace")).values().sum::<usize>(), 3);
    expect(1, &["export", "--url", &url, "--trace", &"07".repeat(16), "-o", word(&file("none"))]);
    expect(0, &["export", "--url", &url, "--signal", "logs", "-q", "nobody wrote this", "-o", word(&file("none"))]);
    assert!(server.terminate(Duration::from_secs(20)).expect("it did not stop").success());
    let mut other = Server::start(&file("other"), &[]);
    let endpoint = format!("http://{}", other.http);
    for signal in ["traces", "logs"] {
        let text = expect(0, &["import", word(&file(signal)), "--endpoint", &endpoint, "--format", "protobuf", "--signal", signal]);
        assert!(text.contains(if signal == "traces" { "4001 records" } else { "1502 records" }), "{text}");
    }
    // Sent again within minutes, nothing is stored twice.
    expect(0, &["import", word(&file("logs")), "--endpoint", &endpoint, "--format", "protobuf", "--signal", "logs"]);
    expect(0, &["export", "--url", &format!("http://{}", other.ui), "-o", word(&file("c"))]);
    assert_eq!(records(&file("c")), all);
    assert!(other.terminate(Duration::from_secs(20)).expect("it did not stop").success());
}

#[test]
fn an_import_that_ends_says_where_to_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let (file, data) = (folder.path().join("broken"), folder.path().join("data"));
    let line = |id: u8| {
        let id = format!("{id:02x}");
        format!(
            "{{\"resourceSpans\":[{{\"scopeSpans\":[{{\"spans\":[{{\"traceId\":\"{}\",\"spanId\":\"{}\",\"name\":\"a\",\
             \"startTimeUnixNano\":\"1700000000000000000\",\"endTimeUnixNano\":\"1700000000000000001\"}}]}}]}}]}}\n",
            id.repeat(16),
            id.repeat(8)
        )
    };
    fs::write(&file, format!("{}{}{{\"resourceSpans\":3}}\n{}", line(1), line(2), line(3))).unwrap();
    let text = expect(1, &["import", word(&file), "--data-dir", word(&data)]);
    assert!(text.contains("--skip 2") && text.contains("message 3 in") && text.contains("2 records of 2 messages"), "{text}");
    let text = expect(0, &["import", word(&file), "--data-dir", word(&data), "--skip", "3"]);
    assert!(text.starts_with("1 records of 4 messages"), "{text}");
    let text = expect(0, &["query", "--sql", "SELECT count(*) AS n FROM spans", "--data-dir", word(&data), "--format", "csv"]);
    assert_eq!(text, "n\r\n3\r\n");
    let text = expect(1, &["import", word(&folder.path().join("absent")), "--data-dir", word(&data)]);
    assert!(text.contains("absent"), "{text}");
    expect(2, &["import", word(&file), "--format", "protobuf"]);
    expect(2, &["export", "--format", "protobuf", "--data-dir", word(&data)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_answers_like_the_server_that_had_it_open() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut server = filled(&data).await;
    let url = format!("http://{}", server.ui);
    let questions: [&[&str]; 8] = [
        &["service.name=\"odd service\"", "--from", "2020-01-01T00:00:00Z"],
        &["", "--limit", "1500", "--format", "ndjson", "--from", "now-2h"],
        &["twice", "--logs", "--format", "csv"],
        &["severity>=info", "--logs", "--format", "ndjson", "--limit", "700", "--from", "now-2h"],
        &["SELECT service_name, count(*) AS n FROM spans GROUP BY service_name ORDER BY n DESC, 1", "--sql"],
        &["SELECT service_name, severity_number, count(*) FROM logs GROUP BY 1, 2 ORDER BY 1, 2", "--sql", "--format", "ndjson"],
        &["", "--spans", "--limit", "1500", "--format", "ndjson", "--from", "now-2h"],
        &["service.name=\"odd service\"", "--spans", "--format", "csv"],
    ];
    let ask = |source: &[&str]| questions.map(|words| String::from_utf8(run(&[&["query"], words, source].concat()).stdout).unwrap());
    let by_server = ask(&["--url", &url]);
    assert!(
        by_server[0].contains("odd service") && by_server[0].contains(&"06".repeat(16)) && by_server[0].starts_with("start"),
        "{}",
        by_server[0]
    );
    assert!(by_server[2].starts_with("time,severity,service,body,trace_id,") && by_server[2].matches("the same twice").count() == 2);
    assert_eq!(by_server[3].lines().count(), 700);
    // More than a page.
    let spans: Vec<serde_json::Value> = by_server[6].lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(spans.len() == 1_500 && spans.iter().all(|span| span["resource"]["service"] == span["service"]));
    assert!(spans.is_sorted_by_key(|span| Reverse(span["start"].as_str().unwrap().parse::<u64>().unwrap())));
    let table = &by_server[7];
    assert!(
        table.starts_with("start_time,duration_ms,status,status_message,service,name,kind,trace_id,") && table.contains(&"06".repeat(16)),
        "{table}"
    );
    let locked = expect(1, &["query", "", "--data-dir", word(&data)]);
    assert!(locked.contains("--url") && locked.contains("in use by another process"), "{locked}");
    assert!(server.terminate(Duration::from_secs(20)).expect("it did not stop").success());
    let by_folder = ask(&["--data-dir", word(&data)]);
    for (a, b) in by_server.iter().zip(&by_folder) {
        assert_eq!(a, b);
    }
    expect(2, &["query", "", "--spans", "--logs", "--data-dir", word(&data)]);
    let wrong = run(&["query", "status=", "--data-dir", word(&data)]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(said(&wrong).contains("character"), "{}", said(&wrong));
    assert!(expect(2, &["query", "--data-dir", word(folder.path())]).contains("is not a data folder"));
}
