//! The one place that turns what went wrong into answers: gRPC and HTTP status, retryable or not.
//!
//! A sender drops its batch on every answer that OTLP does not call retryable, and sends it again, up to five minutes long,
//! on every answer that it does. So whatever may pass by itself is 503 and UNAVAILABLE, and nothing else is.

use std::net::SocketAddr;
use std::time::Duration;

use ::http::StatusCode;
use bytes::Bytes;
use prost::Message as _;
use storage::AppendError;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code, Status};

use crate::rpc::{self, Detail};

/// Why a collector cannot start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another program has the port, or the address is not of this machine. Stop the program or choose another address.
    #[error("cannot listen on {address} for {protocol}; stop the program that has it or choose another address")]
    Bind {
        /// Where.
        address: SocketAddr,
        /// For what.
        protocol: &'static str,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The bounds contradict each other. Change them.
    #[error("{0}")]
    Config(String),
}

/// Why a request is refused.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// The bytes are not what they claim to be.
    #[error("{0}")]
    Malformed(String),
    #[error("the request is larger than {} bytes after decompression; send smaller batches", .limit)]
    TooLarge { limit: usize },
    #[error("the request body did not arrive in time; send it again")]
    BodyTimeout,
    #[error("the request's head did not arrive in time; send it again")]
    HeadTimeout,
    #[error("content-type {got}; send application/x-protobuf or application/json{hint}")]
    MediaType { got: String, hint: String },
    #[error("content-encoding {got}; send gzip, zstd, deflate or none")]
    Coding { got: String },
    #[error("nothing is served at {path}; send spans to /v1/traces and log records to /v1/logs{hint}")]
    NotFound { path: String, hint: String },
    #[error("there is no method {path}; the only one of this service is Export")]
    Call { path: String },
    #[error(
        "nothing is served at {path}; spans are exported to opentelemetry.proto.collector.trace.v1.TraceService/Export and log records to \
         opentelemetry.proto.collector.logs.v1.LogsService/Export"
    )]
    Service { path: String },
    #[error("{method} is not taken here; send OTLP with POST")]
    Method { method: String },
    #[error("{signal} are not stored here; traces and logs are. Turn the {signal} exporter off with {variable}=none")]
    Signal { signal: &'static str, variable: &'static str },
    #[error("the origin {origin} may not send; allow it with the setting cors_origins")]
    Origin { origin: String },
    #[error("{reason}; try again in {} s", seconds(.retry_after))]
    Busy { reason: String, retry_after: Duration },
    #[error("{reason}; try again in {} s", seconds(.retry_after))]
    Unavailable { reason: String, retry_after: Duration },
    #[error("the caller's deadline passed before the request was stored")]
    Deadline,
    /// The first bytes of a connection are of another protocol.
    #[error("{0}")]
    Speech(String),
    /// Broken gRPC framing.
    #[error("{0}")]
    Frame(String),
    /// No or several messages in a unary call.
    #[error("a call takes exactly one message, got {0}")]
    Cardinality(&'static str),
    #[error("this request could not be processed; it was counted, please report it")]
    Internal,
}

// === impl Refusal ===

impl Refusal {
    /// The word under which it is counted.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::TooLarge { .. } => "too_large",
            Self::BodyTimeout => "body_timeout",
            Self::HeadTimeout => "head_timeout",
            Self::MediaType { .. } => "media_type",
            Self::Coding { .. } => "content_encoding",
            Self::NotFound { .. } | Self::Call { .. } | Self::Service { .. } => "not_found",
            Self::Method { .. } => "method",
            Self::Signal { .. } => "signal_not_stored",
            Self::Origin { .. } => "origin",
            Self::Busy { .. } => "busy",
            Self::Unavailable { .. } => "unavailable",
            Self::Deadline => "deadline",
            Self::Speech(_) => "protocol",
            Self::Frame(_) | Self::Cardinality(_) => "framing",
            Self::Internal => "internal",
        }
    }

    /// Every word [`Self::reason`] gives, and that of connections closed for want of room.
    pub(crate) const REASONS: [&str; 17] = [
        "malformed",
        "too_large",
        "body_timeout",
        "head_timeout",
        "media_type",
        "content_encoding",
        "not_found",
        "method",
        "signal_not_stored",
        "origin",
        "busy",
        "unavailable",
        "deadline",
        "framing",
        "internal",
        "connections",
        "protocol",
    ];

    /// When to send again; `None` when never.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after, .. } | Self::Unavailable { retry_after, .. } => Some(clamp_hint(*retry_after)),
            _ => None,
        }
    }

    pub(crate) fn http_status(&self) -> StatusCode {
        match self {
            Self::Malformed(_) | Self::Speech(_) | Self::Frame(_) | Self::Cardinality(_) => StatusCode::BAD_REQUEST,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTimeout | Self::HeadTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::MediaType { .. } | Self::Coding { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::NotFound { .. } | Self::Call { .. } | Self::Service { .. } | Self::Signal { .. } => StatusCode::NOT_FOUND,
            Self::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::Origin { .. } => StatusCode::FORBIDDEN,
            Self::Busy { .. } | Self::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Deadline => StatusCode::GATEWAY_TIMEOUT,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// TooLarge is RESOURCE_EXHAUSTED without `RetryInfo`, which OTLP defines as final.
    pub(crate) fn code(&self) -> Code {
        match self {
            Self::Malformed(_) | Self::Speech(_) | Self::MediaType { .. } => Code::InvalidArgument,
            Self::TooLarge { .. } => Code::ResourceExhausted,
            Self::BodyTimeout | Self::HeadTimeout | Self::Deadline => Code::DeadlineExceeded,
            Self::NotFound { .. } => Code::NotFound,
            Self::Coding { .. }
            | Self::Method { .. }
            | Self::Signal { .. }
            | Self::Call { .. }
            | Self::Service { .. }
            | Self::Cardinality(_) => Code::Unimplemented,
            Self::Origin { .. } => Code::PermissionDenied,
            Self::Busy { .. } | Self::Unavailable { .. } => Code::Unavailable,
            Self::Frame(_) | Self::Internal => Code::Internal,
        }
    }

    /// What to tell the sender, bounded.
    pub(crate) fn message(&self) -> String {
        bounded(self.to_string(), MAX_MESSAGE_BYTES)
    }

    pub(crate) fn details(&self) -> Vec<Detail> {
        match self {
            Self::Malformed(_) => vec![Detail::bad_request("body", &self.message())],
            _ => self.retry_after().map(Detail::retry_after).into_iter().collect(),
        }
    }

    /// As gRPC says it. The Python SDK reads the hint from a trailer of its own name, the others from the details.
    pub(crate) fn status(&self) -> Status {
        let message = self.message();
        let details = self.details();
        let mut metadata = MetadataMap::new();
        for detail in &details {
            if matches!(detail, Detail::RetryInfo(_)) {
                metadata.insert_bin("google.rpc.retryinfo-bin", MetadataValue::from_bytes(&detail.encode()));
            }
        }
        if matches!(self, Self::Coding { .. }) {
            metadata.insert("grpc-accept-encoding", MetadataValue::from_static("identity,gzip,zstd,deflate"));
        }
        let encoded = if details.is_empty() {
            Bytes::new()
        } else {
            let any = details.iter().map(Detail::any).collect();
            rpc::Status { code: self.code() as i32, message: message.clone(), details: any }.encode_to_vec().into()
        };
        Status::with_details_and_metadata(self.code(), message, encoded, metadata)
    }
}

impl From<AppendError> for Refusal {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Malformed(message) => Self::Malformed(message),
            AppendError::Busy { reason, retry_after } => Self::Busy { reason, retry_after },
            AppendError::Unavailable { reason, retry_after } => Self::Unavailable { reason, retry_after },
        }
    }
}

/// SDKs give up ten seconds after the first attempt, so a longer hint loses data.
fn clamp_hint(hint: Duration) -> Duration {
    hint.clamp(Duration::from_secs(1), Duration::from_secs(3))
}

fn seconds(hint: &Duration) -> u64 {
    clamp_hint(*hint).as_secs()
}

/// Cuts at a character boundary.
pub(crate) fn bounded(mut text: String, bytes: usize) -> String {
    if text.len() > bytes {
        text.truncate(text.floor_char_boundary(bytes.saturating_sub('…'.len_utf8())));
        text.push('…');
    }
    text
}

pub(crate) const MAX_MESSAGE_BYTES: usize = 1024;
