//! The same question about the same data has the same answer, byte for byte, and says how long it took beside it.

use opentelemetry_proto::tonic::common::v1::AnyValue;
use opentelemetry_proto::tonic::logs::v1::LogRecord;

use super::*;
use crate::harness::{logs, requests, text};

/// Requests and records in four segments and in memory, so that both cores have something to read.
async fn in_parts() -> App {
    let app = App::filled().await;
    for part in 0..7_u8 {
        let age = |i: u8| u64::from(part) * 60 + u64::from(i);
        let all: Vec<_> = (1..=30).map(|i| (part * 30 + i, age(i), u64::from(i % 7), i % 5 == 0)).collect();
        app.append(Signal::Traces, requests(&all).encode_to_vec()).await;
        let mut request = logs();
        let records = &mut request.resource_logs[0].scope_logs[0].log_records;
        let record = |i: u8| LogRecord {
            time_unix_nano: NOW - age(i) * 1_000_000_000,
            body: Some(AnyValue { value: Some(text(&format!("word{} part{part} everywhere", i % 3))) }),
            trace_id: vec![part * 30 + i; 16],
            ..records[0].clone()
        };
        *records = (1..=30).map(record).collect();
        app.append(Signal::Logs, request.encode_to_vec()).await;
        if part < 4 {
            app.store().flush().await.unwrap();
        }
    }
    app
}

const QUESTIONS: [&str; 30] = [
    "/api/v1/services?points=3",
    "/api/v1/services/checkout/operations",
    "/api/v1/spans",
    "/api/v1/spans?limit=3&q=status:error",
    "/api/v1/spans?format=csv&limit=50",
    "/api/v1/spans?format=otlp&min_duration=3s",
    "/api/v1/traces",
    "/api/v1/traces?limit=7&order=slowest",
    "/api/v1/traces?q=trace.spans%3E2",
    "/api/v1/traces?order=errors&format=csv",
    "/api/v1/traces?q=absent.key=1",
    "/api/v1/traces/histogram?buckets=4",
    "/api/v1/traces/facets?field=attr.http.response.status_code",
    "/api/v1/traces/fields",
    "/api/v1/traces/5b8efff798038103d269b633813fc60c",
    "/api/v1/traces/5b8efff798038103d269b633813fc60c/logs",
    "/api/v1/logs?limit=40",
    "/api/v1/logs?q=word1&limit=3",
    "/api/v1/logs?q=everywhere&limit=33",
    "/api/v1/logs?q=part2&limit=5&order=oldest",
    "/api/v1/logs?format=csv",
    "/api/v1/logs/histogram",
    "/api/v1/logs/facets?field=severity",
    "/api/v1/logs/fields?service=checkout",
    "/api/v1/map",
    "/api/v1/aggregate?group_by=service,status&measure=count,error_share,avg,p99,histogram&step=5m",
    "/api/v1/aggregate?signal=logs&group_by=severity&measure=rate,avg(attr.attempt)",
    "/api/v1/sql?query=SELECT%20name%2C%20count(*)%20AS%20n%20FROM%20spans%20GROUP%20BY%20name%20ORDER%20BY%20n%2C%20name",
    "/api/v1/export?signal=logs",
    "/api/v1/query/check?q=status:eror",
];

#[tokio::test(flavor = "multi_thread")]
async fn the_same_question_about_the_same_data_has_the_same_bytes() {
    let app = in_parts().await;
    let mut first = Vec::new();
    for round in 0..3 {
        for (number, url) in QUESTIONS.into_iter().enumerate() {
            let answer = app.get(url).await;
            assert_eq!(answer.status, StatusCode::OK, "{url}: {}", answer.text());
            let took = answer.header("server-timing").strip_prefix("total;dur=").unwrap_or_else(|| panic!("{url}: {:?}", answer.headers));
            assert!(took.parse::<f64>().is_ok_and(|milliseconds| milliseconds > 0.0), "{url}: {took}");
            match round {
                0 => first.push(answer.body),
                _ => assert!(answer.body == first[number], "{url}\n{}\n{}", String::from_utf8_lossy(&first[number]), answer.text()),
            }
        }
    }
    let different: BTreeSet<_> = first.iter().collect();
    assert!(different.len() == QUESTIONS.len() && first.iter().all(|body| !body.is_empty()));
}
