use std::collections::BTreeSet;

use http::{Method, StatusCode};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;
use serde_json::{Value as AnyJson, json};
use storage::Signal;

use super::*;
use crate::harness::{App, NOW, TRACE, spans};
use crate::{jaeger, ops, schema};

mod bytes;
mod reach;
mod spans;
mod sql;

fn document() -> AnyJson {
    serde_json::from_str(OPENAPI).unwrap()
}

/// Every path of the description with parameters that lead to an answer.
const EXAMPLES: [(&str, &str); 36] = [
    ("/api/v1/services", "/api/v1/services?points=3"),
    ("/api/v1/services/{service}/operations", "/api/v1/services/checkout/operations"),
    ("/api/v1/traces", "/api/v1/traces?service=checkout&limit=1"),
    ("/api/v1/traces/histogram", "/api/v1/traces/histogram?buckets=4"),
    ("/api/v1/traces/facets", "/api/v1/traces/facets?field=attr.http.response.status_code"),
    ("/api/v1/traces/fields", "/api/v1/traces/fields"),
    ("/api/v1/traces/{trace_id}", "/api/v1/traces/5b8efff798038103d269b633813fc60c"),
    ("/api/v1/traces/{trace_id}", "/api/v1/traces/5b8efff798038103d269b633813fc60c.otlp.json"),
    ("/api/v1/traces/{trace_id}/logs", "/api/v1/traces/5b8efff798038103d269b633813fc60c/logs"),
    ("/api/v1/spans", "/api/v1/spans?service=checkout&limit=1"),
    ("/api/v1/spans", "/api/v1/spans?format=otlp"),
    ("/api/v1/logs", "/api/v1/logs?min_severity=info"),
    ("/api/v1/logs", "/api/v1/logs?format=otlp"),
    ("/api/v1/logs/histogram", "/api/v1/logs/histogram"),
    ("/api/v1/logs/{record_id}", "/api/v1/logs/{record_id}"),
    ("/api/v1/logs/facets", "/api/v1/logs/facets?field=severity"),
    ("/api/v1/logs/fields", "/api/v1/logs/fields?service=checkout"),
    ("/api/v1/logs/{record_id}/context", "/api/v1/logs/{record_id}/context?before=3&after=0&same=instance"),
    ("/api/v1/map", "/api/v1/map"),
    (
        "/api/v1/aggregate",
        "/api/v1/aggregate?group_by=service,attr.http.response.status_code&measure=count,error_share,avg,p99,histogram&step=5m",
    ),
    ("/api/v1/aggregate", "/api/v1/aggregate?signal=logs&group_by=severity&measure=rate"),
    ("/api/v1/sql", "/api/v1/sql?query=SELECT%20count(*)%20AS%20n%20FROM%20spans"),
    ("/api/v1/tables", "/api/v1/tables"),
    ("/api/v1/query/check", "/api/v1/query/check?q=status:eror"),
    ("/api/v1/deletes", "/api/v1/deletes"),
    ("/api/v1/deletes/{delete_id}", "/api/v1/deletes/{delete_id}"),
    ("/api/v1/status", "/api/v1/status"),
    ("/api/v1/openapi.json", "/api/v1/openapi.json"),
    ("/api/services", "/api/services"),
    ("/api/services/{service}/operations", "/api/services/checkout/operations"),
    ("/api/operations", "/api/operations?service=checkout"),
    ("/api/traces", "/api/traces?service=checkout"),
    ("/api/traces/{trace_id}", "/api/traces/5b8efff798038103d269b633813fc60c?prettyPrint=true"),
    ("/api/dependencies", "/api/dependencies"),
    ("/readyz", "/readyz"),
    ("/status.json", "/status.json"),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_as_described() {
    let app = App::filled().await;
    let document = document();
    let record = app.json("/api/v1/logs?limit=1").await["logs"][0]["record_id"].as_str().unwrap().to_owned();
    let nothing = json!({ "trace_ids": ["000000000000000000000000000000ff"] }).to_string();
    let receipt = app.call(Method::POST, "/api/v1/deletes", "application/json", &nothing).await;
    assert_eq!(receipt.status, StatusCode::ACCEPTED, "{}", receipt.text());
    let delete = serde_json::from_str::<AnyJson>(&receipt.text()).unwrap()["id"].as_str().unwrap().to_owned();
    for (path, example) in EXAMPLES {
        let url = example.replace("{record_id}", &record).replace("{delete_id}", &delete);
        let answer = app.json(&url).await;
        let described = &document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"];
        assert!(described.is_object(), "{path} is not described");
        let faults = schema::faults(&document, described, &answer);
        assert!(faults.is_empty(), "{url}: {faults:#?}\n{answer:#}");
    }
}

#[test]
fn every_route_is_described_and_every_description_has_a_route() {
    let routed: BTreeSet<&str> = routes().iter().chain(&jaeger::routes()).chain(&ops::routes()).map(|(path, _)| *path).collect();
    let document = document();
    let described: BTreeSet<&str> = document["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(routed, described);
    let shown: BTreeSet<&str> =
        EXAMPLES.iter().map(|(path, _)| *path).chain(["/healthz", "/metrics", "/api/v1/export", "/api/v1/backup"]).collect();
    assert_eq!(shown, described, "every description has an example");
}

#[tokio::test(flavor = "multi_thread")]
async fn methods_that_are_not_described_are_refused_and_described_ones_are_not() {
    let app = App::filled().await;
    for (path, item) in document()["paths"].as_object().unwrap() {
        let url =
            path.replace("{trace_id}", TRACE).replace("{service}", "checkout").replace("{record_id}", "1").replace("{delete_id}", "1");
        for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE] {
            let described = item.get(method.as_str().to_lowercase()).is_some();
            let answer = app.call(method.clone(), &url, "text/plain", "SELECT 1 AS one").await;
            assert_eq!(answer.status == StatusCode::METHOD_NOT_ALLOWED, !described, "{method} {url}: {}", answer.text());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn otlp_json_gives_back_what_was_sent() {
    let app = App::filled().await;
    let given: ExportTraceServiceRequest = serde_json::from_value(app.json(&format!("/api/v1/traces/{TRACE}?format=otlp")).await).unwrap();
    assert_eq!(with_sorted_attributes(given), with_sorted_attributes(spans()));
    let answer = app.get(&format!("/api/v1/traces/{TRACE}.otlp.json")).await;
    assert_eq!(answer.header("content-disposition"), format!("attachment; filename=\"trace-{TRACE}.otlp.json\""));
}

/// The order of different keys means nothing in OTLP, and the store does not keep it.
fn with_sorted_attributes(mut request: ExportTraceServiceRequest) -> ExportTraceServiceRequest {
    for span in request.resource_spans.iter_mut().flat_map(|group| &mut group.scope_spans).flat_map(|group| &mut group.spans) {
        span.attributes.sort_by(|a, b| a.key.cmp(&b.key));
    }
    request
}

#[tokio::test(flavor = "multi_thread")]
async fn each_filter_finds_the_trace_and_its_opposite_does_not() {
    let app = App::filled().await;
    let count = async |filter: &str| app.json(&format!("/api/v1/traces?{filter}")).await["traces"].as_array().unwrap().len();
    let pairs = [
        ("service=checkout", "service=check"),
        ("operation=POST%20%2Fpay", "operation=POST"),
        ("status=error", "status=ok"),
        ("kind=client", "kind=producer"),
        ("min_duration=10s", "min_duration=10.1s"),
        ("max_duration=3s", "max_duration=2.9s"),
        ("attr=http.response.status_code%3D500", "attr=http.response.status_code%3D50"),
        ("attr=odd%20%22key%22%3Da%20(b)%2C%20c*", "attr=odd%20%22key%22%3Da%20(b)%2C%20c"),
        ("resource=host.id%3Dh1", "resource=host.id%3Dh*"),
        ("q=service:payment&operation=charge", "q=service:payment%20OR%20service:checkout&operation=nothing"),
        ("from=now-31s", "from=now-10s"),
    ];
    for (yes, no) in pairs {
        assert_eq!((count(yes).await, count(no).await), (1, 0), "{yes} | {no}");
    }
    let logs = async |filter: &str| app.json(&format!("/api/v1/logs?{filter}")).await["logs"].as_array().unwrap().len();
    assert_eq!(logs("severity=error").await, 1);
    assert_eq!(logs("min_severity=info").await, 2);
    assert_eq!(logs("text=payment").await, 1);
    assert_eq!(logs(&format!("trace={TRACE}&limit=1")).await, 1);
    assert_eq!(logs("attr=attempt%3D2&service=checkout").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_logs_follow_one_another() {
    let app = App::filled().await;
    let first = app.json("/api/v1/logs?limit=1").await;
    let next = first["next"].as_str().expect("there is a second page");
    let second = app.json(&format!("/api/v1/logs?limit=1&cursor={next}")).await;
    assert_eq!((&first["logs"][0]["body"], &second["logs"][0]["body"]), (&json!("payment failed"), &json!("charging the card")));
    assert_eq!(second["logs"][0]["time"], (NOW - 26_000_000_000).to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_is_shown_with_what_lies_around_it_and_fields_with_their_values() {
    let app = App::filled().await;
    let newest = app.json("/api/v1/logs?limit=1").await["logs"][0]["record_id"].as_str().unwrap().to_owned();
    let context = app.json(&format!("/api/v1/logs/{newest}/context?before=1")).await;
    assert_eq!(context["record"]["body"], json!("payment failed"));
    assert_eq!(context["before"][0]["body"], json!("charging the card"));
    assert_eq!((context["before"].as_array().unwrap().len(), context["after"].as_array().unwrap().len()), (1, 0));
    assert_eq!(app.get("/api/v1/logs/99999/context").await.status, StatusCode::NOT_FOUND);
    let values = app.json("/api/v1/logs/facets?field=severity&text=payment").await;
    assert_eq!(values["values"], json!([{ "value": "error", "count": 1 }]));
    let fields = app.json("/api/v1/logs/fields").await;
    assert!(fields["fields"].as_array().unwrap().contains(&json!({ "name": "attr.attempt", "count": 2, "type": "int" })), "{fields:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_are_refused_with_what_to_do() {
    let app = App::filled().await;
    for (url, status, code) in [
        ("/api/v1/traces?servce=checkout", 400, "unknown_parameter"),
        ("/api/v1/sql?query=SELECT%201&from=now-1h", 400, "invalid_parameter"),
        ("/api/v1/traces?q=status:", 400, "query_syntax"),
        ("/api/v1/traces?limit=0", 400, "invalid_parameter"),
        ("/api/v1/traces?limit=9223372036854775808", 400, "invalid_parameter"),
        ("/api/v1/traces?from=now&to=now-1h", 400, "invalid_parameter"),
        ("/api/v1/traces?cursor=zz", 400, "invalid_parameter"),
        ("/api/v1/traces?min_duration=5", 400, "invalid_parameter"),
        ("/api/v1/traces?status=bad", 400, "invalid_parameter"),
        ("/api/v1/traces?attr=x", 400, "invalid_parameter"),
        ("/api/v1/traces/facets", 400, "invalid_parameter"),
        ("/api/v1/logs/1/context?same=host", 400, "invalid_parameter"),
        ("/api/v1/logs/x/context", 400, "invalid_id"),
        ("/api/v1/traces/5b8efff798038103d269b633813fc60", 400, "invalid_id"),
        ("/api/v1/traces/..%2F..%2Fetc", 400, "invalid_id"),
        ("/api/v1/traces/000000000000000000000000000000ff", 404, "not_found"),
        ("/api/v1/logs/99999", 404, "not_found"),
        ("/api/v1/logs/x", 400, "invalid_id"),
        ("/api/v1/nothing", 404, "not_found"),
        ("/api/v1/sql?query=DROP%20TABLE%20spans", 400, "query_syntax"),
        ("/api/v1/sql", 400, "invalid_parameter"),
    ] {
        let answer = app.get(url).await;
        assert_eq!((answer.status.as_u16(), answer.json()["error"]["code"].as_str()), (status, Some(code)), "{url}: {}", answer.text());
        assert!(schema::faults(&document(), &json!({ "$ref": "#/components/schemas/Error" }), &answer.json()).is_empty());
    }
    let error = app.get("/api/v1/traces?q=service:a%20stats:error&service=b").await.json();
    assert_eq!((&error["error"]["offset"], &error["error"]["suggestions"][0]), (&json!(10), &json!("status")), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sums_are_given_as_json_or_tables_and_wrong_ones_are_explained() {
    let app = App::filled().await;
    let found = app.json("/api/v1/aggregate?group_by=service&measure=count&measure=error_share,max").await;
    let groups: Vec<_> = found["groups"].as_array().unwrap().iter().map(|g| (&g["values"][0], &g["parts"][0]["measured"])).collect();
    assert_eq!(groups[0], (&json!("checkout"), &json!([2, 0.5, "10000000000"])), "{found}");
    assert_eq!(groups[1], (&json!("payment"), &json!([1, 0.0, "3000000000"])));
    let csv = app.get("/api/v1/aggregate?group_by=service&measure=count,max&q=kind:server&format=csv&from=now-1h").await;
    assert_eq!((csv.header("content-type"), csv.header("x-throughline-complete")), ("text/csv; charset=utf-8", "true"));
    let start = "2027-01-15T07:00:00.000000000Z";
    assert_eq!(csv.text(), format!("service,start,count,max_ms\r\ncheckout,{start},1,10000\r\npayment,{start},1,3000\r\n"));
    for (wrong, says) in
        [("measure=median", "median"), ("group_by=has", "has"), ("step=0s", "step"), ("signal=logs&measure=avg", "avg(attr.size)")]
    {
        let answer = app.get(&format!("/api/v1/aggregate?{wrong}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{wrong}");
        assert!(answer.text().contains(says), "{wrong}: {}", answer.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn attributes_are_measured_and_grouped_by_whatever_a_query_can_name() {
    let app = App::filled().await;
    let ask =
        "/api/v1/aggregate?group_by=trace,event.\"a, b\"&measure=count,avg(attr.http.response.status_code)&measure=count(attr.\"x,y\")";
    let found = app.json(&ask.replace(' ', "%20").replace('"', "%22")).await;
    assert_eq!(found["group_by"], json!(["trace", "event.\"a, b\""]), "{found}");
    assert_eq!(found["measures"], json!(["count", "avg(attr.http.response.status_code)", "count(attr.\"x,y\")"]));
    let group = &found["groups"][0];
    assert_eq!((group["values"][0].as_str().map(str::len), &group["values"][1]), (Some(32), &AnyJson::Null), "{found}");
    let logs = app.json("/api/v1/aggregate?signal=logs&group_by=scope.name&measure=count,max(attr.nothing)").await;
    assert_eq!(logs["groups"][0]["parts"][0]["measured"][1], AnyJson::Null, "{logs}");
}

#[tokio::test(flavor = "multi_thread")]
async fn jaeger_clients_find_name_and_miss_traces() {
    let app = App::filled().await;
    assert_eq!(app.json("/api/services").await["data"], json!(["checkout", "payment"]));
    assert_eq!(app.json("/api/services/checkout/operations").await["data"], json!(["POST /pay", "charge"]));
    let found = app.json("/api/traces?service=checkout&tags=%7B%22http.response.status_code%22%3A%22500%22%7D&limit=20").await;
    assert_eq!(found["data"][0]["traceID"], TRACE);
    assert_eq!(found["data"][0]["spans"].as_array().unwrap().len(), 3);
    let missing = app.json(&format!("/api/traces?traceID={TRACE}&traceID=ff")).await;
    assert_eq!(missing["data"].as_array().unwrap().len(), 1);
    assert_eq!(missing["errors"][0]["code"], 404);
    let absent = app.get("/api/traces/ff").await;
    let complaint = json!({ "code": 404, "msg": "trace not found", "traceID": format!("{:0>32}", "ff") });
    assert_eq!((absent.status, &absent.json()["errors"][0]), (StatusCode::NOT_FOUND, &complaint));
    let calls = app.json("/api/dependencies").await;
    assert_eq!(calls["data"], json!([{ "parent": "checkout", "child": "payment", "callCount": 1 }]));
    let bad = app.get("/api/traces?tags=x").await;
    assert_eq!((bad.status, bad.json()["errors"][0]["code"].as_u64()), (StatusCode::BAD_REQUEST, Some(400)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_without_a_name_is_one_service_to_jaeger_clients() {
    let app = App::empty().await;
    let mut request = spans();
    for resource in &mut request.resource_spans {
        resource.resource = None;
    }
    app.append(Signal::Traces, request.encode_to_vec()).await;
    let listed = app.json("/api/services").await["data"].clone();
    assert_eq!(listed, json!(["OTLPResourceNoServiceName"]));
    let name = listed[0].as_str().unwrap();
    let found = app.json(&format!("/api/traces?service={name}")).await;
    assert_eq!(found["data"][0]["processes"]["p1"]["serviceName"], name);
    assert!(!app.json(&format!("/api/services/{name}/operations")).await["data"].as_array().unwrap().is_empty());
    assert_eq!(app.json("/api/v1/services").await["services"][0]["name"], "unknown_service");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_store_gives_empty_lists() {
    let app = App::empty().await;
    for (url, list) in [
        ("/api/v1/services", "services"),
        ("/api/v1/traces", "traces"),
        ("/api/v1/spans", "spans"),
        ("/api/v1/logs", "logs"),
        ("/api/v1/map", "nodes"),
        ("/api/services", "data"),
        ("/api/traces?service=x", "data"),
        ("/api/dependencies", "data"),
    ] {
        assert_eq!(app.json(url).await[list], json!([]), "{url}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_otlp_json_line_by_line_and_says_what_goes_wrong() {
    let app = App::filled().await;
    let answer = app.get("/api/v1/export").await;
    assert_eq!(answer.header("content-type"), "application/x-ndjson");
    let text = answer.text();
    let given: ExportTraceServiceRequest = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!(with_sorted_attributes(given), with_sorted_attributes(spans()));
    assert_eq!(text.lines().count(), 1);
    assert_eq!(app.get(&format!("/api/v1/export?trace={TRACE}")).await.text(), text);
    assert_eq!(app.get(&format!("/api/v1/export?trace={}", TRACE.replace('5', "6"))).await.text(), "");
    assert_eq!(app.get("/api/v1/export?to=2001-01-01T00:00:00Z").await.text(), "");
    assert!(app.get("/api/v1/export?signal=logs").await.text().starts_with("{\"resourceLogs\":["));
    for wrong in ["signal=spans", "limit=3", "q=%3D", "trace=1"] {
        assert_eq!(app.get(&format!("/api/v1/export?{wrong}")).await.status, StatusCode::BAD_REQUEST, "{wrong}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_in_questions_are_counted_once_by_kind_and_reason() {
    let app = App::filled().await;
    for (url, kind, reason) in [
        ("/api/v1/traces?q=status:", "search_traces", "parse"),
        ("/api/v1/spans?q=trace.spans%3E3", "search_spans", "parse"),
        ("/api/v1/logs?q=body~(", "search_logs", "parse"),
        ("/api/v1/traces/5b8efff798038103d269b633813fc60", "trace", "invalid"),
        ("/api/v1/services?servce=checkout", "services", "invalid"),
        ("/api/v1/traces/facets?field=servce", "facets", "invalid"),
        ("/api/v1/sql?query=DROP%20TABLE%20spans", "sql", "parse"),
        ("/api/v1/sql?quary=x", "sql", "invalid"),
    ] {
        let answer = app.get(url).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{url}");
        let metrics = app.get("/metrics").await.text();
        let line = format!("throughline_query_errors_total{{kind=\"{kind}\",reason=\"{reason}\"}} 1\n");
        assert!(metrics.contains(&line), "{url}: no {line}{metrics}");
    }
}
