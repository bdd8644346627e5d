//! The whole interface in process, over a store in a temporary folder, for tests.

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as AnyOf;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message as _;
use serde_json::Value as AnyJson;
use storage::{Clock, Registry, Signal, Store, UnixNanos};
use tempfile::TempDir;
use tower::ServiceExt as _;

use crate::state::AppState;
use crate::{Config, server};

/// The time at which the clock of the store stands.
pub(crate) const NOW: u64 = 1_800_000_000_000_000_000;

/// Trace of [`spans`] and [`logs`].
pub(crate) const TRACE: &str = "5b8efff798038103d269b633813fc60c";

#[derive(Debug)]
pub(crate) struct App {
    router: Router,
    store: Store,
    _folder: TempDir,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl App {
    /// Without data.
    pub(crate) async fn empty() -> Self {
        Self::with(|_| {}).await
    }

    /// With [`spans`] and [`logs`].
    pub(crate) async fn filled() -> Self {
        let app = Self::empty().await;
        app.append(Signal::Traces, spans().encode_to_vec()).await;
        app.append(Signal::Logs, logs().encode_to_vec()).await;
        app
    }

    /// Without data, with other settings.
    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = storage::Config::new(folder.path().to_owned());
        settings.min_free_bytes = 0;
        let registry = Registry::default();
        let store = Store::open(settings, Clock::held_at(UnixNanos::new(NOW)), registry.clone()).await.unwrap();
        let mut config = Config::new(([127, 0, 0, 1], 0).into(), "0.0.0-test");
        change(&mut config);
        let router = server::app(AppState::new(config, store.clone(), registry));
        Self { router, store, _folder: folder }
    }

    pub(crate) async fn append(&self, signal: Signal, payload: Vec<u8>) {
        let appended = self.store.append(signal, payload.into()).await.unwrap();
        assert_eq!(appended.rejected, 0, "{appended:?}");
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn call(&self, method: Method, path: &str, content_type: &str, body: &str) -> Answer {
        let request = Request::builder().method(method).uri(path).header("content-type", content_type);
        self.send(request.body(Body::from(body.to_owned())).unwrap()).await
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let (head, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        Answer { status: head.status, headers: head.headers, body: body.collect().await.unwrap().to_bytes() }
    }

    /// The JSON of a successful answer.
    pub(crate) async fn json(&self, path: &str) -> AnyJson {
        let answer = self.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text());
        answer.json()
    }
}

impl Answer {
    pub(crate) fn json(&self) -> AnyJson {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// A failed request through two services, half a minute ago.
pub(crate) fn spans() -> ExportTraceServiceRequest {
    let failed = Status { code: 2, message: "card declined".to_owned() };
    let root = Span { kind: 2, status: Some(failed), ..span("eee19b7ec3c1b174", "", "POST /pay", 30, 10) };
    let root = Span {
        trace_state: "a=b".to_owned(),
        flags: 257,
        attributes: vec![
            attribute("http.response.status_code", AnyOf::IntValue(500)),
            attribute("big", AnyOf::IntValue(i64::MAX)),
            attribute("odd \"key\"", text("a (b), c*")),
        ],
        dropped_attributes_count: 1,
        events: vec![Event {
            time_unix_nano: NOW - 25_000_000_000,
            name: "retry".to_owned(),
            attributes: Vec::new(),
            dropped_attributes_count: 2,
        }],
        links: vec![Link { trace_id: vec![9; 16], span_id: vec![8; 8], ..Link::default() }],
        ..root
    };
    let call = Span { kind: 3, ..span("00f067aa0ba902b7", "eee19b7ec3c1b174", "charge", 29, 5) };
    let charge = Span { kind: 2, ..span("00f067aa0ba902b8", "00f067aa0ba902b7", "charge", 28, 3) };
    ExportTraceServiceRequest { resource_spans: vec![of_service("checkout", vec![root, call]), of_service("payment", vec![charge])] }
}

/// Traces of one request each to `POST /pay` of the checkout: number of the trace, seconds since it began and that it took, and whether it
/// failed.
pub(crate) fn requests(all: &[(u8, u64, u64, bool)]) -> ExportTraceServiceRequest {
    let request = |(number, age, length, is_failed): &(u8, u64, u64, bool)| {
        let status = Status { code: if *is_failed { 2 } else { 0 }, ..Status::default() };
        let span = span(&format!("{number:016x}"), "", "POST /pay", *age, *length);
        Span { trace_id: vec![*number; 16], kind: 2, status: Some(status), ..span }
    };
    ExportTraceServiceRequest { resource_spans: vec![of_service("checkout", all.iter().map(request).collect())] }
}

/// A request whose payment is declined: the request, the call and the charge fail.
pub(crate) fn failing_chain() -> ExportTraceServiceRequest {
    let failed = |message: &str| Some(Status { code: 2, message: message.to_owned() });
    let root = Span { kind: 2, status: failed(""), ..span("eee19b7ec3c1b174", "", "POST /pay", 30, 10) };
    let call = Span { kind: 3, status: failed(""), ..span("00f067aa0ba902b7", "eee19b7ec3c1b174", "charge", 29, 5) };
    let charge = Span { kind: 2, status: failed("declined"), ..span("00f067aa0ba902b8", "00f067aa0ba902b7", "charge", 28, 3) };
    ExportTraceServiceRequest { resource_spans: vec![of_service("checkout", vec![root, call]), of_service("payment", vec![charge])] }
}

/// A request for which the catalog makes the same call many times.
pub(crate) fn loop_over_calls(times: u64) -> ExportTraceServiceRequest {
    let root = Span { kind: 2, ..span("eee19b7ec3c1b174", "", "GET /products", 30, 20) };
    let call = |number: u64| Span { kind: 3, ..span(&format!("{:016x}", number + 1), "eee19b7ec3c1b174", "SELECT stock", 29 - number, 1) };
    let spans = std::iter::once(root).chain((0..times).map(call)).collect();
    ExportTraceServiceRequest { resource_spans: vec![of_service("catalog", spans)] }
}

/// Traces of one request each, half of them `slow` in a statement that takes four seconds instead of one; the database is called in every one.
pub(crate) fn slow_calls(slow: u8) -> ExportTraceServiceRequest {
    let of_trace = |number: u8| {
        let (age, long) = (400 - u64::from(number) * 10, if number < slow { 4 } else { 1 });
        let in_trace = |span: Span| Span { trace_id: vec![number + 1; 16], ..span };
        let id = format!("{:016x}", u64::from(number) + 1);
        let request = in_trace(Span { kind: 2, ..span(&id, "", "POST /pay", age, long + 1) });
        (request, in_trace(Span { kind: 3, ..span("00f067aa0ba902b7", &id, "SELECT orders", age - 1, long) }))
    };
    let (requests, calls) = (0..slow * 2).map(of_trace).unzip();
    ExportTraceServiceRequest { resource_spans: vec![of_service("checkout", requests), of_service("db", calls)] }
}

/// Requests of one trace, each with one of these texts in an attribute of this key.
pub(crate) fn with_texts(key: &str, texts: &[String]) -> ExportTraceServiceRequest {
    let request = |(number, value): (usize, &String)| {
        let id = format!("{:016x}", number + 1);
        Span { kind: 2, attributes: vec![attribute(key, text(value))], ..span(&id, "", "GET /", 30, 1) }
    };
    ExportTraceServiceRequest { resource_spans: vec![of_service("checkout", texts.iter().enumerate().map(request).collect())] }
}

/// A span of each service, which names its namespace.
pub(crate) fn in_namespaces(services: &[(&str, &str)]) -> ExportTraceServiceRequest {
    let of = |(number, (service, namespace)): (usize, &(&str, &str))| {
        let id = format!("{:016x}", number + 1);
        let mut sent = of_service(service, vec![Span { kind: 2, ..span(&id, "", "GET /", 30, 1) }]);
        if let Some(resource) = &mut sent.resource {
            resource.attributes.push(attribute("service.namespace", text(namespace)));
        }
        sent
    };
    ExportTraceServiceRequest { resource_spans: services.iter().enumerate().map(of).collect() }
}

/// Pairs of services of which one hands a message of a topic of its own over to the other.
pub(crate) fn handed_over(pairs: u8) -> ExportTraceServiceRequest {
    let of_pair = |pair: u8| {
        let of_topic = |span: Span| {
            let topic = attribute("messaging.destination.name", text(&format!("topic-{pair}")));
            Span { trace_id: vec![pair + 1; 16], attributes: vec![attribute("messaging.system", text("kafka")), topic], ..span }
        };
        let sent = of_topic(Span { kind: 4, ..span("00f067aa0ba902b7", "", "publish", 30, 1) });
        let taken = of_topic(Span { kind: 5, ..span("00f067aa0ba902b8", "00f067aa0ba902b7", "process", 28, 1) });
        [of_service(&format!("sender-{pair}"), vec![sent]), of_service(&format!("taker-{pair}"), vec![taken])]
    };
    ExportTraceServiceRequest { resource_spans: (0..pairs).flat_map(of_pair).collect() }
}

/// What the checkout says of it.
pub(crate) fn logs() -> ExportLogsServiceRequest {
    let record = |age: u64, number: i32, body: &str| LogRecord {
        time_unix_nano: NOW - age * 1_000_000_000,
        observed_time_unix_nano: NOW - age * 1_000_000_000 + 5,
        severity_number: number,
        severity_text: "S".to_owned(),
        body: Some(AnyValue { value: Some(text(body)) }),
        attributes: vec![attribute("attempt", AnyOf::IntValue(2))],
        trace_id: bytes(TRACE),
        span_id: bytes("eee19b7ec3c1b174"),
        ..LogRecord::default()
    };
    let log_records = vec![record(26, 9, "charging the card"), record(24, 17, "payment failed")];
    let scope_logs = vec![ScopeLogs { scope: None, log_records, schema_url: String::new() }];
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs { resource: Some(resource("checkout")), scope_logs, schema_url: String::new() }],
    }
}

fn of_service(name: &str, spans: Vec<Span>) -> ResourceSpans {
    let scope = InstrumentationScope { name: "lib".to_owned(), version: "1.2".to_owned(), ..InstrumentationScope::default() };
    let scope_spans = vec![ScopeSpans { scope: Some(scope), spans, schema_url: "https://example.org/scope".to_owned() }];
    ResourceSpans { resource: Some(resource(name)), scope_spans, schema_url: "https://example.org/resource".to_owned() }
}

fn resource(service: &str) -> Resource {
    let attributes = vec![attribute("service.name", text(service)), attribute("host.id", text("h1"))];
    Resource { attributes, ..Resource::default() }
}

/// A span that started `age` seconds ago and took `length` seconds.
fn span(id: &str, parent: &str, name: &str, age: u64, length: u64) -> Span {
    let start = NOW - age * 1_000_000_000;
    Span {
        trace_id: bytes(TRACE),
        span_id: bytes(id),
        parent_span_id: bytes(parent),
        name: name.to_owned(),
        start_time_unix_nano: start,
        end_time_unix_nano: start + length * 1_000_000_000,
        status: Some(Status::default()),
        ..Span::default()
    }
}

/// A pair as it is sent.
pub(crate) fn attribute(key: &str, value: AnyOf) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

/// A text as it is sent.
pub(crate) fn text(text: &str) -> AnyOf {
    AnyOf::StringValue(text.to_owned())
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()).collect()
}
