//! The messages of `google.rpc` that OTLP answers errors with, in protobuf and JSON.

use opentelemetry_proto::tonic::collector::trace::v1::{ExportTracePartialSuccess, ExportTraceServiceResponse};
use prost::Message as _;
use serde_json::{Value, json};

/// `google.rpc.Status`: the body of every error answer.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Status {
    #[prost(int32, tag = "1")]
    pub(crate) code: i32,
    #[prost(string, tag = "2")]
    pub(crate) message: String,
    #[prost(message, repeated, tag = "3")]
    pub(crate) details: Vec<Any>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Any {
    #[prost(string, tag = "1")]
    pub(crate) type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) value: Vec<u8>,
}

/// `google.rpc.BadRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct BadRequest {
    #[prost(message, repeated, tag = "1")]
    pub(crate) field_violations: Vec<FieldViolation>,
}

/// `google.rpc.BadRequest.FieldViolation`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct FieldViolation {
    #[prost(string, tag = "1")]
    pub(crate) field: String,
    #[prost(string, tag = "2")]
    pub(crate) description: String,
}

/// `google.rpc.RetryInfo`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    pub(crate) retry_delay: Option<Duration>,
}

/// `google.protobuf.Duration`.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(crate) struct Duration {
    #[prost(int64, tag = "1")]
    pub(crate) seconds: i64,
    #[prost(int32, tag = "2")]
    pub(crate) nanos: i32,
}

/// What an error answer says beside its text.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Detail {
    BadRequest(BadRequest),
    RetryInfo(RetryInfo),
}

// === impl Detail ===

impl Detail {
    pub(crate) fn bad_request(field: &str, description: &str) -> Self {
        let violation = FieldViolation { field: field.to_owned(), description: description.to_owned() };
        Self::BadRequest(BadRequest { field_violations: vec![violation] })
    }

    pub(crate) fn retry_after(delay: std::time::Duration) -> Self {
        let seconds = i64::try_from(delay.as_secs()).unwrap_or(i64::MAX);
        let nanos = i32::try_from(delay.subsec_nanos()).unwrap_or(0);
        Self::RetryInfo(RetryInfo { retry_delay: Some(Duration { seconds, nanos }) })
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        match self {
            Self::BadRequest(message) => message.encode_to_vec(),
            Self::RetryInfo(message) => message.encode_to_vec(),
        }
    }

    pub(crate) fn any(&self) -> Any {
        Any { type_url: self.type_url().to_owned(), value: self.encode() }
    }

    fn type_url(&self) -> &'static str {
        match self {
            Self::BadRequest(_) => "type.googleapis.com/google.rpc.BadRequest",
            Self::RetryInfo(_) => "type.googleapis.com/google.rpc.RetryInfo",
        }
    }

    fn json(&self) -> Value {
        match self {
            Self::BadRequest(message) => {
                let violations: Vec<_> =
                    message.field_violations.iter().map(|v| json!({ "field": v.field, "description": v.description })).collect();
                json!({ "@type": self.type_url(), "fieldViolations": violations })
            }
            Self::RetryInfo(message) => {
                let delay = message.retry_delay.unwrap_or_default();
                let text = if delay.nanos == 0 { format!("{}s", delay.seconds) } else { format!("{}.{:09}s", delay.seconds, delay.nanos) };
                json!({ "@type": self.type_url(), "retryDelay": text })
            }
        }
    }
}

/// A status as protobuf bytes.
pub(crate) fn status_protobuf(code: i32, message: &str, details: &[Detail]) -> Vec<u8> {
    Status { code, message: message.to_owned(), details: details.iter().map(Detail::any).collect() }.encode_to_vec()
}

/// A status as JSON text.
pub(crate) fn status_json(code: i32, message: &str, details: &[Detail]) -> Vec<u8> {
    let details: Vec<_> = details.iter().map(Detail::json).collect();
    let status = if details.is_empty() {
        json!({ "code": code, "message": message })
    } else {
        json!({ "code": code, "message": message, "details": details })
    };
    status.to_string().into_bytes()
}

/// `ExportTraceServiceResponse` and `ExportLogsServiceResponse`, which agree field by field. No bytes at all on full success.
pub(crate) fn export_response(rejected: u64, message: Option<&str>) -> Vec<u8> {
    if rejected == 0 && message.is_none() {
        return Vec::new();
    }
    let partial_success = ExportTracePartialSuccess {
        rejected_spans: i64::try_from(rejected).unwrap_or(i64::MAX),
        error_message: message.unwrap_or_default().to_owned(),
    };
    ExportTraceServiceResponse { partial_success: Some(partial_success) }.encode_to_vec()
}
