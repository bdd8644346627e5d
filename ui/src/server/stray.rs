//! Telemetry that comes to the port of the pages: its senders are told where it belongs, and so are people who wait for it. Where others than
//! those of OTLP send to, they are told what translates.
//!
//! Owns what is taken for telemetry and the words. Takes nothing in.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::header::{CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use crate::Config;
use crate::error::Failure;
use crate::params::encoded;
use crate::state::AppState;

/// Answers what is telemetry by its address at once, and by its form when nothing else does.
pub(super) async fn redirect(State(state): State<AppState>, request: Request, next: Next) -> Response {
    if !is_telemetry(&request) {
        return next.run(request).await;
    }
    let headers = request.headers().clone();
    let path = request.uri().path().to_owned();
    if !is_of_otlp(&path) && other_form(&path).is_none() {
        let response = next.run(request).await;
        if !matches!(response.status(), StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED) {
            return response;
        }
    }
    Failure::not_found(note(&state, "http", &path, &headers)).into_response()
}

/// What telemetry outside of the prefix of all pages is told; `None` for what is none.
pub(super) fn outside<B>(state: &AppState, request: &http::Request<B>) -> Option<Response> {
    is_telemetry(request)
        .then(|| (StatusCode::NOT_FOUND, format!("{}\n", note(state, "http", request.uri().path(), request.headers()))).into_response())
}

/// The answer over HTTP/2, which nothing else is asked by.
pub(super) fn answer<B>(state: &AppState, request: &http::Request<B>) -> http::Response<Body> {
    if !is_grpc(request.headers()) {
        let other = || (StatusCode::HTTP_VERSION_NOT_SUPPORTED, "pages and APIs speak HTTP/1.1 here\n").into_response();
        return outside(state, request).unwrap_or_else(other);
    }
    let told = note(state, "grpc", request.uri().path(), request.headers());
    let mut response = http::Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(HeaderName::from_static("grpc-status"), HeaderValue::from_static(UNIMPLEMENTED));
    if let Ok(told) = HeaderValue::try_from(encoded(&told)) {
        headers.insert(HeaderName::from_static("grpc-message"), told);
    }
    response
}

/// Where OTLP is taken in, and what makes it of what is sent to `path`.
pub(super) fn told(config: &Config, path: &str) -> String {
    let port = |of: Option<std::net::SocketAddr>, protocol| of.map(|at| format!("{protocol} at port {}", at.port()));
    let ports: Vec<String> = [port(config.otlp_http, "HTTP"), port(config.otlp_grpc, "gRPC")].into_iter().flatten().collect();
    let ports = if ports.is_empty() { "other ports".to_owned() } else { ports.join(" and ") };
    let other = other_form(path).map(|(form, receiver)| {
        format!("; an OpenTelemetry Collector translates what is in the form of {form}, with its receiver `{receiver}`")
    });
    format!("telemetry is not taken at the port of the pages but over OTLP/{ports}{}", other.unwrap_or_default())
}

/// Whose form comes to this address, whatever stands before it, and what a Collector takes it in with.
fn other_form(path: &str) -> Option<(&'static str, &'static str)> {
    let known = OTHER_FORMS.iter().find(|(end, ..)| path.ends_with(end));
    known.map(|(_, form, receiver)| (*form, *receiver))
}

/// Whether OTLP has this address, whatever stands before it.
pub(super) fn is_of_otlp(path: &str) -> bool {
    ["/v1/traces", "/v1/logs", "/v1/metrics", "/v1/profiles"].iter().any(|known| path.ends_with(known) && !path.starts_with("/api/"))
        || path.contains("/opentelemetry.proto.collector.")
}

/// Whether an exporter sent this: by its address, by the form of its body, or by its name.
fn is_telemetry<B>(request: &http::Request<B>) -> bool {
    let form = text(request.headers(), &CONTENT_TYPE).to_ascii_lowercase();
    let agent = || text(request.headers(), &USER_AGENT).to_ascii_lowercase();
    let by_name = || form.starts_with("application/json") && ["otel", "opentelemetry", "otlp"].iter().any(|name| agent().contains(name));
    let by_form = || form.starts_with("application/x-protobuf") || is_grpc(request.headers()) || by_name();
    let path = request.uri().path();
    // Traces are read at the address that Jaeger's senders have, too.
    let is_other = || other_form(path).is_some_and(|(name, _)| name != "Jaeger" || form.contains("thrift"));
    *request.method() == Method::POST && (is_of_otlp(path) || is_other() || by_form())
}

fn is_grpc(headers: &HeaderMap) -> bool {
    text(headers, &CONTENT_TYPE).starts_with("application/grpc")
}

/// Counts a request, keeps it for people to see, and logs that there are such now and then. Gives what its sender is told.
fn note(state: &AppState, transport: &'static str, path: &str, headers: &HeaderMap) -> String {
    let told = told(state.config(), path);
    state.metrics().strays.add(1);
    if let Some(requests) = state.strays().note(state.now(), (transport, &told), &text(headers, &USER_AGENT)) {
        tracing::warn!(transport, requests, "{told}; others are counted, and logged at most once a minute");
    }
    told
}

fn text(headers: &HeaderMap, name: &HeaderName) -> String {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).unwrap_or_default()
}

/// Where senders of other forms send to, what their form is called, and the receiver of a Collector that takes it.
const OTHER_FORMS: [(&str, &str, &str); 3] =
    [("/api/v2/spans", "Zipkin", "zipkin"), ("/api/traces", "Jaeger", "jaeger"), ("/loki/api/v1/push", "Loki", "loki")];

/// The status of gRPC for what is not served: exporters do not try again.
const UNIMPLEMENTED: &str = "12";

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &Method, path: &str, headers: &[(&str, &str)]) -> http::Request<()> {
        let request = http::Request::builder().method(method).uri(path);
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)).body(()).unwrap()
    }

    #[test]
    fn telemetry_is_known_by_its_address_its_form_and_its_sender() {
        let protobuf = [("content-type", "application/x-protobuf")];
        let by_name = [("content-type", "application/json"), ("user-agent", "OTel-OTLP-Exporter-JavaScript/0.50")];
        for (path, headers) in [
            ("/v1/traces", &[][..]),
            ("/otlp/v1/logs", &[]),
            ("/opentelemetry.proto.collector.trace.v1.TraceService/Export", &[]),
            ("/", &protobuf),
            ("/v1/tracez", &by_name),
            ("/api/v2/spans", &[]),
            ("/api/traces", &[("content-type", "application/x-thrift")]),
        ] {
            assert!(is_telemetry(&request(&Method::POST, path, headers)), "{path}");
            assert!(!is_telemetry(&request(&Method::GET, path, headers)), "{path}");
        }
        let json = [("content-type", "application/json"), ("user-agent", "curl/8")];
        for (path, headers) in [("/saved", &[][..]), ("/api/v1/sql", &json), ("/api/v1/traces", &json)] {
            assert!(!is_telemetry(&request(&Method::POST, path, headers)), "{path}");
        }
    }
}
