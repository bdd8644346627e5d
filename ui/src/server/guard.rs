//! Middleware that stands between the network and every handler.

use std::any::Any;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, HttpBody as _, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Redirect, Response};
use http::header::{CACHE_CONTROL, HOST, ORIGIN};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use storage::Counter;
use tower::ServiceExt as _;
use tower_http::catch_panic::ResponseForPanic;

use super::stray;
use crate::api;
use crate::error::Failure;
use crate::state::AppState;

/// Counts answers and times them. How long one took is in its head, so that bodies are the same when nothing else differs.
pub(super) async fn measure(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let mut response = next.run(request).await;
    let (metrics, took) = (state.metrics(), began.elapsed());
    metrics.duration.observe(took);
    if let Ok(timing) = HeaderValue::try_from(format!("total;dur={:.3}", took.as_secs_f64() * 1e3)) {
        response.headers_mut().insert(SERVER_TIMING, timing);
    }
    let class = usize::from(response.status().as_u16() / 100).saturating_sub(2);
    if let Some(counter) = metrics.responses.get(class) {
        counter.add(1);
    }
    response
}

/// What browsers are told about every answer, refusals included.
pub(super) async fn headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in SECURITY_HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    // Telemetry stays out of caches; assets say otherwise themselves.
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Refuses host names that this server does not go by. A page elsewhere can point its own name at this address (DNS
/// rebinding) and would otherwise read what is stored here.
pub(super) async fn host(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let config = state.config();
    let authority = request.uri().authority().map(|authority| authority.as_str().to_owned());
    let named = authority.or_else(|| request.headers().get(HOST).map(|host| String::from_utf8_lossy(host.as_bytes()).into_owned()));
    // The refusal is a page: what it looks like holds nothing of what is stored.
    let is_asset = request.uri().path().starts_with("/a/");
    match named {
        Some(named) if !is_asset && !is_allowed(&named, &config.allowed_hosts, config.listen.ip()) => Failure::new(
            StatusCode::MISDIRECTED_REQUEST,
            "unknown_host",
            "this server does not go by the host name of the request; add it to `allowed_hosts` or use an address",
        )
        .into_response(),
        _ => next.run(request).await,
    }
}

/// Refuses requests that may change something and that a page of another origin has made a browser send. Programs that are no browsers
/// send neither header and are let through.
pub(super) async fn same_origin(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if changes && !is_own(request.headers(), &state.config().allowed_hosts) {
        let message = "a page of another site may not change anything here; send the request from this server's own pages or a program";
        return Failure::new(StatusCode::FORBIDDEN, "cross_site", message).into_response();
    }
    next.run(request).await
}

/// Whether a browser would say that the request comes from our own pages, or it is no browser.
fn is_own(headers: &HeaderMap, allowed_hosts: &[String]) -> bool {
    let text = |name: &HeaderName| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    if let Some(site) = text(&SEC_FETCH_SITE) {
        return matches!(site.as_str(), "same-origin" | "none");
    }
    let Some(origin) = text(&ORIGIN) else { return true };
    let Some((_, authority)) = origin.split_once("://") else { return false };
    let named = allowed_hosts.iter().any(|host| host != "*" && host.eq_ignore_ascii_case(without_port(authority)));
    named || text(&HOST).is_some_and(|host| host.eq_ignore_ascii_case(authority))
}

/// Ends a request whose handler takes too long. Queries have shorter limits of their own.
pub(super) async fn deadline(request: Request, next: Next) -> Response {
    tokio::time::timeout(DEADLINE, next.run(request)).await.unwrap_or_else(|_| {
        let message = format!("the request took longer than {} s", DEADLINE.as_secs());
        Failure::new(StatusCode::GATEWAY_TIMEOUT, "timeout", message).into_response()
    })
}

/// Takes in the body of a request, all of it, before a handler begins, so that a client that never ends it holds nothing but its connection.
pub(super) async fn whole_body(request: Request, next: Next) -> Response {
    body_within(BODY_TIME, request, next).await
}

async fn body_within(time: Duration, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let max_bytes = api::longer_body(parts.uri.path()).unwrap_or(MAX_BODY_BYTES);
    // What says of itself that it is too long is not waited for.
    if body.size_hint().lower() > max_bytes as u64 {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    }
    let body = match tokio::time::timeout(time, to_bytes(body, max_bytes)).await {
        Ok(Ok(body)) => body,
        Ok(Err(error)) if is_too_long(&error) => return StatusCode::PAYLOAD_TOO_LARGE.into_response(),
        Ok(Err(_)) => return Failure::bad_request("malformed", "the request body broke off; send it again").into_response(),
        Err(_) => {
            let message = format!("the request body did not arrive within {} s; send it again", time.as_secs());
            return Failure::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", message).into_response();
        }
    };
    next.run(Request::from_parts(parts, body.into())).await
}

fn is_too_long(error: &axum::Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.is::<http_body_util::LengthLimitError>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// The answer where no route is.
pub(super) async fn nothing_here(State(state): State<AppState>, uri: Uri) -> Failure {
    // Whoever sends to such an address is answered before; this is for people who look what is there.
    if stray::is_of_otlp(uri.path()) {
        return Failure::not_found(stray::told(state.config(), uri.path()));
    }
    if matches!(uri.path(), "/api/v1" | "/api/v1/" | "/api" | "/api/") {
        return Failure::not_found(format!("what can be asked is described at {}/api/v1/openapi.json", state.base_path()));
    }
    Failure::not_found("there is nothing at this address")
}

/// Serves `app` below a prefix; the root leads to it, and every other path outside says where it is.
pub(super) fn below(base_path: String, app: Router, state: AppState) -> Router {
    if base_path.is_empty() {
        return app;
    }
    let inside = move |request: Request| {
        let app = app.clone();
        let home = format!("{base_path}/");
        let stripped = strip(request.uri(), &base_path);
        let state = state.clone();
        async move {
            let Some(uri) = stripped else {
                return stray::outside(&state, &request).unwrap_or_else(|| outside(request.uri().path(), &home));
            };
            let (mut parts, body) = request.into_parts();
            parts.uri = uri;
            app.oneshot(Request::from_parts(parts, body)).await.unwrap_or_else(|never| match never {})
        }
    };
    Router::new().fallback(inside).layer(from_fn(headers))
}

/// For people who open the bare address, and programs that were not told of the prefix.
fn outside(path: &str, home: &str) -> Response {
    if path == "/" {
        return Redirect::temporary(home).into_response();
    }
    (StatusCode::NOT_FOUND, format!("pages and APIs are below {home} here; put it before the path\n")).into_response()
}

/// Turns a panic into an answer and counts it. The hook of the process has already logged it.
#[derive(Clone, Debug)]
pub(super) struct PanicAnswer(Counter);

impl PanicAnswer {
    pub(super) fn new(counter: Counter) -> Self {
        Self(counter)
    }
}

impl ResponseForPanic for PanicAnswer {
    type ResponseBody = Body;

    fn response_for_panic(&mut self, _: Box<dyn Any + Send + 'static>) -> Response {
        self.0.add(1);
        tracing::error!("a handler of pages and APIs panicked; its request was answered with 500");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}

fn is_allowed(named: &str, allowed: &[String], listen: IpAddr) -> bool {
    if allowed.is_empty() && !listen.is_loopback() {
        return true;
    }
    let name = without_port(named);
    let is_address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok();
    let listed = |entry: &String| entry == "*" || entry.eq_ignore_ascii_case(name);
    is_address || name.eq_ignore_ascii_case("localhost") || allowed.iter().any(listed)
}

fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => authority,
    }
}

/// The path below `base_path`; `None` when it is not below it.
fn strip(uri: &Uri, base_path: &str) -> Option<Uri> {
    let rest = uri.path().strip_prefix(base_path)?;
    if !rest.is_empty() && !rest.starts_with('/') {
        return None;
    }
    let path = if rest.is_empty() { "/" } else { rest };
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(format!("{path}{query}")).ok()?);
    Uri::from_parts(parts).ok()
}

/// `ui.md` calls for no inline script, no inline style and one Trusted Types policy.
const SECURITY_HEADERS: [(&str, &str); 5] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types throughline",
    ),
    ("x-content-type-options", "nosniff"),
    // Not `no-referrer`: with that, browsers give our own forms no origin either.
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
];

/// Milliseconds from the request to the head of its answer.
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// What browsers say of where a request comes from.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// No question needs a longer body.
pub(super) const MAX_BODY_BYTES: usize = 1 << 20;

/// How long a client may take to send its body.
const BODY_TIME: Duration = Duration::from_secs(30);

/// Longer than the longest query, so that a query's own message comes first.
const DEADLINE: Duration = Duration::from_secs(75);

#[cfg(test)]
mod tests {
    use axum::routing::post;
    use futures::StreamExt as _;

    use super::*;

    #[tokio::test]
    async fn a_body_that_never_ends_is_not_waited_for() {
        let within = |request, next| body_within(Duration::from_millis(50), request, next);
        let app = Router::new().route("/", post(|body: String| async move { body })).layer(from_fn(within));
        let ask = |body: Body| app.clone().oneshot(Request::post("/").body(body).unwrap());
        let endless = futures::stream::once(async { Ok::<_, std::io::Error>("SELECT") }).chain(futures::stream::pending());
        let late = ask(Body::from_stream(endless)).await.unwrap();
        assert_eq!(late.status(), StatusCode::REQUEST_TIMEOUT);
        assert_eq!(late.extensions().get::<Failure>().unwrap().code, "body_timeout");
        let broken = futures::stream::iter([Ok("SELECT"), Err(std::io::Error::other("the client left"))]);
        assert_eq!(ask(Body::from_stream(broken)).await.unwrap().status(), StatusCode::BAD_REQUEST);
        let whole = ask(Body::from("SELECT 1")).await.unwrap();
        assert_eq!(to_bytes(whole.into_body(), 100).await.unwrap(), "SELECT 1");
    }

    #[test]
    fn a_loopback_listener_answers_to_addresses_and_localhost_only() {
        let loopback: IpAddr = "127.0.0.1".parse().unwrap();
        for good in ["localhost:16686", "127.0.0.1:16686", "[::1]:16686", "LOCALHOST", "192.168.1.4"] {
            assert!(is_allowed(good, &[], loopback), "{good}");
        }
        for bad in ["evil.test", "evil.test:16686", "localhost.evil.test", ""] {
            assert!(!is_allowed(bad, &[], loopback), "{bad}");
        }
        assert!(is_allowed("traces.example.org:443", &["traces.example.org".to_owned()], loopback));
        assert!(is_allowed("any.thing", &["*".to_owned()], loopback));
        assert!(is_allowed("any.thing", &[], "0.0.0.0".parse().unwrap()));
        assert!(!is_allowed("any.thing", &["one.name".to_owned()], "0.0.0.0".parse().unwrap()));
    }

    #[test]
    fn only_own_pages_and_programs_may_change_anything() {
        let own = |headers: &[(&'static str, &'static str)], allowed: &[&str]| {
            let headers = headers.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
            is_own(&headers.collect(), &allowed.iter().map(|host| (*host).to_owned()).collect::<Vec<_>>())
        };
        assert!(own(&[], &[]));
        assert!(own(&[("sec-fetch-site", "same-origin"), ("origin", "https://a.test"), ("host", "b.test")], &[]));
        assert!(own(&[("sec-fetch-site", "none")], &[]));
        assert!(!own(&[("sec-fetch-site", "same-site")], &[]));
        assert!(!own(&[("sec-fetch-site", "cross-site"), ("origin", "http://127.0.0.1:16686"), ("host", "127.0.0.1:16686")], &[]));
        assert!(own(&[("origin", "http://127.0.0.1:16686"), ("host", "127.0.0.1:16686")], &[]));
        assert!(!own(&[("origin", "http://127.0.0.1:3000"), ("host", "127.0.0.1:16686")], &["*"]));
        assert!(!own(&[("origin", "null"), ("host", "127.0.0.1:16686")], &[]));
        assert!(own(&[("origin", "https://traces.test"), ("host", "inside:16686")], &["traces.test"]));
    }

    #[test]
    fn the_base_path_is_stripped_and_keeps_the_query() {
        let strip = |uri: &'static str| strip(&Uri::from_static(uri), "/tl").map(|uri| uri.to_string());
        assert_eq!(strip("/tl/traces?q=a%20b").as_deref(), Some("/traces?q=a%20b"));
        assert_eq!(strip("/tl").as_deref(), Some("/"));
        assert_eq!(strip("/tlx/traces"), None);
        assert_eq!(strip("/"), None);
    }
}
