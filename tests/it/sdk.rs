//! Real exporters: what the SDKs of four languages send comes back equal through the API.
//!
//! Each client prints what its SDK held in memory; the test reads the same traces and logs back as OTLP JSON and compares.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::http::{encode, get_json};
use crate::server::Server;

/// What the test command prepared.
fn work() -> PathBuf {
    std::env::var_os("THROUGHLINE_TEST_WORK").map_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).join("../test-clients"), PathBuf::from)
}

fn client(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(name)
}

/// The program of a language, or `None` with a word about it when its toolchain is not here.
fn program(language: &str) -> Option<Command> {
    let (probe, mut command) = match language {
        "python" => (work().join("python/bin/python"), Command::new(work().join("python/bin/python"))),
        "node" => (client("node").join("node_modules"), Command::new("node")),
        "go" => (work().join("go-client"), Command::new(work().join("go-client"))),
        _ => (work().join("java/client-1.jar"), Command::new("java")),
    };
    if !probe.exists() {
        let mut out = std::io::stderr();
        let _ = std::io::Write::write_all(&mut out, format!("skipped: the {language} SDK is not prepared; run tests/run\n").as_bytes());
        return None;
    }
    match language {
        "python" => command.arg(client("python").join("emit.py")),
        "node" => command.arg(client("node").join("emit.mjs")),
        "java" => {
            let jars = work().join("java");
            command.arg("-cp").arg(format!("{0}/client-1.jar:{0}/lib/*", jars.display())).arg("Emit")
        }
        _ => &mut command,
    };
    Some(command)
}

async fn round_trip(language: &str, protocols: &[&str]) {
    let Some(_) = program(language) else { return };
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    for protocol in protocols {
        for compression in ["none", "gzip"] {
            let address = if *protocol == "grpc" { server.grpc } else { server.http };
            let endpoint = if language == "go" { address.to_string() } else { format!("http://{address}") };
            let mut command = program(language).unwrap();
            command.args([*protocol, &endpoint, compression]);
            let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{language} {protocol} {compression}: {said}");
            let sent: Value = serde_json::from_slice(&output.stdout).unwrap();
            let case = format!("{language} {protocol} {compression}");
            compare_spans(&server, &case, &sent["spans"]).await;
            compare_logs(&server, &case, &sent["logs"]).await;
        }
    }
}

async fn compare_spans(server: &Server, case: &str, sent: &Value) {
    let sent = sent.as_array().unwrap();
    assert_eq!(sent.len(), 300, "{case}: spans sent");
    let traces: BTreeSet<&str> = sent.iter().map(|span| span["trace_id"].as_str().unwrap()).collect();
    let mut stored = Vec::new();
    for trace in traces {
        let answer = get_json(server.ui, &format!("/api/v1/traces/{trace}?format=otlp")).await;
        stored.extend(spans_of(&answer));
    }
    assert_same(case, "span_id", sent, &stored);
}

async fn compare_logs(server: &Server, case: &str, sent: &Value) {
    let sent = sent.as_array().unwrap();
    assert_eq!(sent.len(), 200, "{case}: logs sent");
    let query = encode(&format!("service:\"{case}\""));
    let answer = get_json(server.ui, &format!("/api/v1/logs?q={query}&from=0&limit=1000&format=otlp")).await;
    assert_same(case, "time", sent, &logs_of(&answer));
}

/// Compares as multisets and shows the first record that differs.
fn assert_same(case: &str, label: &str, sent: &[Value], stored: &[Value]) {
    let sorted = |records: &[Value]| {
        let mut texts: Vec<(String, String)> =
            records.iter().map(|record| (record[label].to_string(), canonical(record).to_string())).collect();
        texts.sort();
        texts
    };
    let (sent, stored) = (sorted(sent), sorted(stored));
    for (one, other) in sent.iter().zip(&stored) {
        assert_eq!(one, other, "{case}: sent (left) and stored (right) differ");
    }
    assert_eq!(sent.len(), stored.len(), "{case}: number of records");
}

/// Doubles are compared as numbers, not as the text one language happens to print.
fn canonical(value: &Value) -> Value {
    match value {
        Value::Object(fields) if fields.len() == 1 && fields.contains_key("double") => {
            let number: f64 = fields["double"].as_str().map_or_else(|| fields["double"].as_f64().unwrap(), |text| text.parse().unwrap());
            json!({ "double": format!("{number:?}") })
        }
        Value::Object(fields) => {
            let sorted: BTreeMap<&String, Value> = fields.iter().map(|(key, value)| (key, canonical(value))).collect();
            json!(sorted)
        }
        Value::Array(items) => Value::Array(items.iter().map(canonical).collect()),
        other => other.clone(),
    }
}

fn any(value: &Value) -> Value {
    let Some((kind, inner)) = value.as_object().and_then(|fields| fields.iter().next()) else { return json!({}) };
    match kind.as_str() {
        "stringValue" => json!({ "string": inner }),
        "boolValue" => json!({ "bool": inner }),
        "intValue" => json!({ "int": inner.as_str().map_or_else(|| inner.to_string(), str::to_owned) }),
        "doubleValue" => json!({ "double": inner }),
        "bytesValue" => json!({ "bytes": inner }),
        "arrayValue" => json!({ "array": list(&inner["values"]).iter().map(any).collect::<Vec<_>>() }),
        "kvlistValue" => json!({ "map": attributes(&inner["values"]) }),
        other => panic!("unknown AnyValue member {other}"),
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn attributes(list_of: &Value) -> Value {
    let map: BTreeMap<&str, Value> = list(list_of).iter().map(|kv| (kv["key"].as_str().unwrap(), any(&kv["value"]))).collect();
    json!(map)
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or("")
}

fn time(value: &Value) -> &str {
    value.as_str().unwrap_or("0")
}

fn spans_of(answer: &Value) -> Vec<Value> {
    let mut found = Vec::new();
    for group in list(&answer["resourceSpans"]) {
        for scope in list(&group["scopeSpans"]) {
            for span in list(&scope["spans"]) {
                let events: Vec<Value> = list(&span["events"])
                    .iter()
                    .map(
                        |e| json!({"name": word(&e["name"]), "time": time(&e["timeUnixNano"]), "attributes": attributes(&e["attributes"])}),
                    )
                    .collect();
                let links: Vec<Value> = list(&span["links"])
                    .iter()
                    .map(|l| json!({"trace_id": l["traceId"], "span_id": l["spanId"], "attributes": attributes(&l["attributes"])}))
                    .collect();
                found.push(json!({
                    "trace_id": span["traceId"], "span_id": span["spanId"], "parent_span_id": word(&span["parentSpanId"]),
                    "name": word(&span["name"]), "kind": span["kind"], "start": time(&span["startTimeUnixNano"]),
                    "end": time(&span["endTimeUnixNano"]), "status": span["status"]["code"].as_i64().unwrap_or(0),
                    "status_message": word(&span["status"]["message"]), "attributes": attributes(&span["attributes"]), "events": events,
                    "links": links, "resource": attributes(&group["resource"]["attributes"]), "scope": word(&scope["scope"]["name"]),
                    "scope_version": word(&scope["scope"]["version"]),
                }));
            }
        }
    }
    found
}

fn logs_of(answer: &Value) -> Vec<Value> {
    let mut found = Vec::new();
    for group in list(&answer["resourceLogs"]) {
        for scope in list(&group["scopeLogs"]) {
            for log in list(&scope["logRecords"]) {
                found.push(json!({
                    "time": time(&log["timeUnixNano"]), "trace_id": word(&log["traceId"]), "span_id": word(&log["spanId"]),
                    "severity_number": log["severityNumber"].as_i64().unwrap_or(0), "severity_text": word(&log["severityText"]),
                    "event_name": word(&log["eventName"]), "body": any(&log["body"]), "attributes": attributes(&log["attributes"]),
                    "resource": attributes(&group["resource"]["attributes"]), "scope": word(&scope["scope"]["name"]),
                    "scope_version": word(&scope["scope"]["version"]),
                }));
            }
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn python_sdk_round_trips() {
    round_trip("python", &["grpc", "http/protobuf"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn node_sdk_round_trips() {
    round_trip("node", &["grpc", "http/protobuf", "http/json"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn go_sdk_round_trips() {
    round_trip("go", &["grpc", "http/protobuf"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn java_sdk_round_trips() {
    round_trip("java", &["grpc", "http/protobuf"]).await;
}
