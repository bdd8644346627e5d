//! OTLP/HTTP: what a request must look like, and what is answered.
//!
//! Every answer, errors included, is in the type of the request: protobuf or JSON. A gRPC call that came to the wrong port is told so in its
//! own way: its client shows nothing else.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use ::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use ::http::{Method, Request, Response, StatusCode, Version};
use bytes::Bytes;
use futures::FutureExt as _;
use http_body::Body;
use http_body_util::Full;
use storage::{Settlement, Signal};

use crate::coding::Coding;
use crate::config::MetricsPolicy;
use crate::error::{Refusal, bounded};
use crate::ingest::{Ingest, Parcel, Taken, collect};
use crate::metrics::{Encoding, Route, Transport};
use crate::rpc;

mod cors;
mod media;

use self::cors::Decision;
pub(crate) use self::cors::Origins;
use self::media::Media;

/// Answers OTLP/HTTP requests.
#[derive(Clone)]
pub(crate) struct Service {
    ingest: Arc<Ingest>,
    origins: Arc<Origins>,
}

/// What is done with what is sent to a path.
enum Target {
    Store(Signal),
    RejectMetrics,
}

/// The answer of the service.
pub(crate) type Answer = Response<Full<Bytes>>;

// === impl Service ===

impl Service {
    pub(crate) fn new(ingest: Arc<Ingest>, origins: Origins) -> Self {
        Self { ingest, origins: Arc::new(origins) }
    }

    /// Answers one request; never fails, and a panic is an answer too.
    pub(crate) async fn call<B>(self, request: Request<B>) -> Result<Answer, Infallible>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let media = Media::of(request.headers());
        let decision = self.origins.decide(request.headers());
        let agent = text(request.headers(), &header::USER_AGENT).to_owned();
        let preflight = request.method() == Method::OPTIONS;
        let requested = request.headers().get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned();
        let is_call = request.version() == Version::HTTP_2 && media.is_grpc();
        let result = if let Decision::Refused(origin) = &decision {
            Err(Refusal::Origin { origin: origin.clone() })
        } else if is_call {
            Err(self.misdirected())
        } else {
            AssertUnwindSafe(self.answer(request, &media)).catch_unwind().await.unwrap_or_else(|_| {
                self.ingest.metrics.panicked();
                Err(Refusal::Internal)
            })
        };
        let mut answer = result.unwrap_or_else(|refusal| {
            self.ingest.note_refusal(Transport::Http, &refusal, &agent);
            if is_call { refusal.status().into_http() } else { refused(&refusal, media.answer_encoding()) }
        });
        cors::decorate(&self.origins, &decision, preflight.then_some(requested).flatten(), answer.headers_mut());
        Ok(answer)
    }

    async fn answer<B>(&self, request: Request<B>, media: &Media) -> Result<Answer, Refusal>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let target = self.target_of(request.uri().path())?;
        match *request.method() {
            Method::POST => {}
            Method::OPTIONS => return Ok(allowed_methods()),
            ref method => return Err(Refusal::Method { method: bounded(method.to_string(), 32) }),
        }
        let Target::Store(signal) = target else {
            let encoding = media.encoding(&self.ingest.config)?;
            let parcel = self.receive(request, encoding).await?;
            let taken = self.ingest.reject_metrics(parcel).await?;
            return Ok(respond(StatusCode::OK, encoding, success("rejectedDataPoints", encoding, &taken)));
        };
        let booking = self.ingest.book(signal, text(request.headers(), &header::USER_AGENT));
        let encoding = match media.encoding(&self.ingest.config) {
            Ok(encoding) => encoding,
            Err(refusal) => {
                booking.settle(Settlement::Refused(refusal.reason()));
                return Err(refusal);
            }
        };
        let route = Route { signal, transport: Transport::Http, encoding };
        let taken = match self.receive(request, encoding).await {
            Ok(parcel) => self.ingest.take(route, parcel, booking).await?,
            Err(refusal) => {
                self.ingest.refuse_early(route, booking, &refusal);
                return Err(refusal);
            }
        };
        let field = if signal == Signal::Traces { "rejectedSpans" } else { "rejectedLogRecords" };
        Ok(respond(StatusCode::OK, encoding, success(field, encoding, &taken)))
    }

    fn target_of(&self, path: &str) -> Result<Target, Refusal> {
        match path {
            "/v1/traces" => Ok(Target::Store(Signal::Traces)),
            "/v1/logs" => Ok(Target::Store(Signal::Logs)),
            "/v1/metrics" if self.ingest.config.metrics == MetricsPolicy::Reject => Ok(Target::RejectMetrics),
            "/v1/metrics" => Err(Refusal::Signal { signal: "metrics", variable: "OTEL_METRICS_EXPORTER" }),
            "/v1development/profiles" => Err(Refusal::Signal { signal: "profiles", variable: "OTEL_PROFILES_EXPORTER" }),
            call if call.starts_with("/opentelemetry.proto.collector.") => Err(self.misdirected()),
            _ => Err(Refusal::NotFound { path: bounded(path.escape_default().to_string(), 128), hint: hint(path) }),
        }
    }

    /// What a gRPC call is told here.
    fn misdirected(&self) -> Refusal {
        Refusal::Speech(format!("gRPC on the port of OTLP/HTTP; {}", self.ingest.config.way_to_grpc()))
    }

    /// Reads the body once there is room for it.
    async fn receive<B>(&self, request: Request<B>, encoding: Encoding) -> Result<Parcel, Refusal>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let began = Instant::now();
        let limit = self.ingest.config.max_message_bytes;
        let coding = coding_of(request.headers())?;
        let declared = request.body().size_hint().exact().and_then(|n| usize::try_from(n).ok());
        if declared.is_some_and(|declared| declared > limit) || request.body().size_hint().lower() > limit as u64 {
            return Err(Refusal::TooLarge { limit });
        }
        let mut lease = self.ingest.budget.lease();
        lease.grow_to(declared.unwrap_or(UNDECLARED_BYTES)).await?;
        let body = collect(request.into_body(), limit, &self.ingest.config, &mut lease, |_| Ok(0)).await?;
        Ok(Parcel { encoding, coding, body, lease, began })
    }
}

/// What is said beside the addresses of OTLP to who asks for `path`.
fn hint(path: &str) -> String {
    let rest = path.strip_prefix("/v1/traces").or_else(|| path.strip_prefix("/v1/logs"));
    if rest.is_some_and(|rest| rest.starts_with("/v1/")) {
        return "; OTEL_EXPORTER_OTLP_ENDPOINT is the address without a path".to_owned();
    }
    let other = OTHER_FORMS.iter().find(|(end, ..)| path.ends_with(end));
    other.map_or_else(String::new, |(_, form, receiver)| {
        format!("; the form of {form} is not taken: an OpenTelemetry Collector translates it to OTLP, with its receiver `{receiver}`")
    })
}

fn coding_of(headers: &HeaderMap) -> Result<Coding, Refusal> {
    let mut values = headers.get_all(header::CONTENT_ENCODING).iter();
    let Some(first) = values.next() else { return Ok(Coding::Identity) };
    let joined = values.fold(first.to_str().unwrap_or("?").to_owned(), |all, v| all + "," + v.to_str().unwrap_or("?"));
    Coding::parse(&joined)
}

fn allowed_methods() -> Answer {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = StatusCode::NO_CONTENT;
    answer.headers_mut().insert(header::ALLOW, ALLOWED);
    answer
}

/// The export response: empty when everything was stored. `field` is what JSON calls the count.
fn success(field: &str, encoding: Encoding, taken: &Taken) -> Bytes {
    match encoding {
        Encoding::Protobuf => rpc::export_response(taken.rejected, taken.message.as_deref()).into(),
        Encoding::Json if taken.rejected == 0 && taken.message.is_none() => Bytes::from_static(b"{}"),
        Encoding::Json => {
            let mut partial = serde_json::Map::new();
            if taken.rejected > 0 {
                partial.insert(field.to_owned(), taken.rejected.to_string().into());
            }
            partial.insert("errorMessage".to_owned(), taken.message.clone().unwrap_or_default().into());
            serde_json::json!({ "partialSuccess": partial }).to_string().into()
        }
    }
}

fn refused(refusal: &Refusal, encoding: Encoding) -> Answer {
    let (code, message, details) = (refusal.code() as i32, refusal.message(), refusal.details());
    let body = match encoding {
        Encoding::Protobuf => rpc::status_protobuf(code, &message, &details),
        Encoding::Json => rpc::status_json(code, &message, &details),
    };
    let mut answer = respond(refusal.http_status(), encoding, body.into());
    let headers = answer.headers_mut();
    match refusal {
        Refusal::Method { .. } => drop(headers.insert(header::ALLOW, ALLOWED)),
        Refusal::MediaType { .. } => {
            headers.insert(ACCEPT_POST, HeaderValue::from_static("application/x-protobuf, application/json"));
        }
        Refusal::Coding { .. } => {
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip, zstd, deflate, identity"));
        }
        Refusal::BodyTimeout => drop(headers.insert(header::CONNECTION, HeaderValue::from_static("close"))),
        _ => {}
    }
    if let Some(hint) = refusal.retry_after() {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(hint.as_secs()));
    }
    answer
}

fn respond(status: StatusCode, encoding: Encoding, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, media::content_type(encoding));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Where senders of other forms send to, what their form is called, and what a Collector takes it in with.
const OTHER_FORMS: [(&str, &str, &str); 3] =
    [("/api/v2/spans", "Zipkin", "zipkin"), ("/api/traces", "Jaeger", "jaeger"), ("/loki/api/v1/push", "Loki", "loki")];

const ALLOWED: HeaderValue = HeaderValue::from_static("POST, OPTIONS");
const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");
/// What a body of unknown length holds before its first byte.
const UNDECLARED_BYTES: usize = 64 * 1024;
