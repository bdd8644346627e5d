//! OTLP/gRPC: the export services, health, and a clear no to everything else.
//!
//! Requests are kept as the bytes they are: the frame is opened and expanded here, with the same code as HTTP bodies, and
//! storage decodes them once. tonic routes the calls and speaks for their status.

use std::convert::Infallible;
use std::marker::PhantomData;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use ::http::header::{self, HeaderMap, HeaderValue};
use ::http::{Request, Response, StatusCode, Uri};
use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use http_body_util::Full;
use storage::Signal;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::service::Routes;

use crate::coding::Coding;
use crate::config::MetricsPolicy;
use crate::error::{Refusal, bounded};
use crate::ingest::{Ingest, Parcel, collect};
use crate::metrics::{Encoding, Route, Transport};
use crate::rpc;

mod frame;
mod health;

/// All services of the port.
pub(crate) fn routes(ingest: &Arc<Ingest>) -> Routes {
    let mut routes = Routes::builder();
    routes
        .add_service(Export::<Traces>::new(ingest))
        .add_service(Export::<Logs>::new(ingest))
        .add_service(Export::<Metrics>::new(ingest))
        .add_service(Export::<Profiles>::new(ingest))
        .add_service(health::Service::new(ingest));
    let ingest = Arc::clone(ingest);
    let rest = async move |uri: Uri, headers: HeaderMap| {
        let refusal = Refusal::Service { path: shown(uri.path()) };
        ingest.note_refusal(Transport::Grpc, &refusal, agent_of(&headers));
        refusal.status().into_http::<Body>()
    };
    Routes::from(routes.routes().into_axum_router().fallback(rest)).prepare()
}

/// Refuses what is not gRPC before it reaches a service: HTTP 415, as gRPC over HTTP/2 asks for.
pub(crate) fn is_grpc(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) else { return false };
    let essence = value.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/grpc") || essence.eq_ignore_ascii_case("application/grpc+proto")
}

/// The answer to what is not gRPC, with the way to where it belongs.
pub(crate) fn not_grpc(way_to_http: &str) -> Response<Body> {
    let message = format!("this port speaks OTLP/gRPC; {way_to_http}");
    let body = rpc::status_json(tonic::Code::InvalidArgument as i32, &message, &[]);
    let mut answer = Response::new(Body::new(Full::new(Bytes::from(body))));
    *answer.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

fn agent_of(headers: &HeaderMap) -> &str {
    headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// A path as it may stand in an answer.
fn shown(path: &str) -> String {
    bounded(path.escape_default().to_string(), 128)
}

/// An OTLP signal by the service that exports it.
trait Kind: Send + Sync + 'static {
    const NAME: &'static str;
    const TARGET: Target;
}

/// What is done with a signal.
#[derive(Clone, Copy)]
enum Target {
    Store(Signal),
    Metrics,
    Profiles,
}

enum Traces {}
enum Logs {}
enum Metrics {}
enum Profiles {}

impl Kind for Traces {
    const NAME: &'static str = "opentelemetry.proto.collector.trace.v1.TraceService";
    const TARGET: Target = Target::Store(Signal::Traces);
}

impl Kind for Logs {
    const NAME: &'static str = "opentelemetry.proto.collector.logs.v1.LogsService";
    const TARGET: Target = Target::Store(Signal::Logs);
}

impl Kind for Metrics {
    const NAME: &'static str = "opentelemetry.proto.collector.metrics.v1.MetricsService";
    const TARGET: Target = Target::Metrics;
}

impl Kind for Profiles {
    const NAME: &'static str = "opentelemetry.proto.collector.profiles.v1development.ProfilesService";
    const TARGET: Target = Target::Profiles;
}

/// One export service.
struct Export<K> {
    ingest: Arc<Ingest>,
    kind: PhantomData<fn() -> K>,
}

// === impl Export ===

impl<K: Kind> Export<K> {
    fn new(ingest: &Arc<Ingest>) -> Self {
        Self { ingest: Arc::clone(ingest), kind: PhantomData }
    }

    async fn answer(&self, request: Request<Body>, agent: &str) -> Result<Response<Body>, Refusal> {
        if !request.uri().path().ends_with("/Export") {
            return Err(Refusal::Call { path: shown(request.uri().path()) });
        }
        let signal = match K::TARGET {
            Target::Store(signal) => signal,
            Target::Metrics if self.ingest.config.metrics == MetricsPolicy::Reject => {
                let parcel = receive(&self.ingest, request).await?;
                let taken = self.ingest.reject_metrics(parcel).await?;
                return Ok(frame::reply(&rpc::export_response(taken.rejected, taken.message.as_deref())));
            }
            Target::Metrics => return Err(Refusal::Signal { signal: "metrics", variable: "OTEL_METRICS_EXPORTER" }),
            Target::Profiles => return Err(Refusal::Signal { signal: "profiles", variable: "OTEL_PROFILES_EXPORTER" }),
        };
        let route = Route { signal, transport: Transport::Grpc, encoding: Encoding::Protobuf };
        let booking = self.ingest.book(signal, agent);
        let taken = match receive(&self.ingest, request).await {
            Ok(parcel) => self.ingest.take(route, parcel, booking).await?,
            Err(refusal) => {
                self.ingest.refuse_early(route, booking, &refusal);
                return Err(refusal);
            }
        };
        Ok(frame::reply(&rpc::export_response(taken.rejected, taken.message.as_deref())))
    }

    async fn call_inner(self, request: Request<Body>) -> Response<Body> {
        let agent = agent_of(request.headers()).to_owned();
        let deadline = deadline_of(request.headers());
        let work = AssertUnwindSafe(self.answer(request, &agent)).catch_unwind();
        let result = match tokio::time::timeout(deadline, work).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => {
                self.ingest.metrics.panicked();
                Err(Refusal::Internal)
            }
            Err(_) => Err(Refusal::Deadline),
        };
        result.unwrap_or_else(|refusal| {
            self.ingest.note_refusal(Transport::Grpc, &refusal, &agent);
            refusal.status().into_http()
        })
    }
}

impl<K> Clone for Export<K> {
    fn clone(&self) -> Self {
        Self { ingest: Arc::clone(&self.ingest), kind: PhantomData }
    }
}

impl<K: Kind> NamedService for Export<K> {
    const NAME: &'static str = K::NAME;
}

impl<K: Kind> tower::Service<Request<Body>> for Export<K> {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move { Ok(service.call_inner(request).await) })
    }
}

/// Reads the one message of a unary call.
async fn receive(ingest: &Ingest, request: Request<Body>) -> Result<Parcel, Refusal> {
    let began = Instant::now();
    let limit = ingest.config.max_message_bytes;
    let named = request.headers().get("grpc-encoding").map(|value| value.to_str().unwrap_or("?").to_owned());
    let coding = named.as_deref().map(Coding::parse).transpose()?;
    let mut lease = ingest.budget.lease();
    let look = |head: &[u8]| frame::look(head, limit);
    let body = collect(request.into_body(), limit.saturating_add(frame::HEAD_BYTES), &ingest.config, &mut lease, look).await?;
    let frame = frame::open(body)?;
    let coding = match (frame.compressed, coding) {
        (false, _) => Coding::Identity,
        (true, Some(coding)) => coding,
        (true, None) => return Err(Refusal::Frame("the message is marked compressed, but grpc-encoding is not set".to_owned())),
    };
    Ok(Parcel { encoding: Encoding::Protobuf, coding, body: frame.message, lease, began })
}

/// The caller's patience from `grpc-timeout`: digits and a unit.
fn deadline_of(headers: &HeaderMap) -> Duration {
    let parse = || {
        let text = headers.get("grpc-timeout")?.to_str().ok()?;
        let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let n: u64 = bounded(digits.to_owned(), 16).parse().ok()?;
        Some(match unit {
            "H" => Duration::from_secs(n.saturating_mul(3600)),
            "M" => Duration::from_secs(n.saturating_mul(60)),
            "S" => Duration::from_secs(n),
            "m" => Duration::from_millis(n),
            "u" => Duration::from_micros(n),
            "n" => Duration::from_nanos(n),
            _ => return None,
        })
    };
    parse().unwrap_or(LONGEST_CALL).min(LONGEST_CALL)
}

/// Far beyond what bodies and storage are given, so that no call lives for ever.
const LONGEST_CALL: Duration = Duration::from_secs(20 * 60);
