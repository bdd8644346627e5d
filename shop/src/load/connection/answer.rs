//! What a receiver said, whichever protocol it speaks.

use std::time::Duration;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;

use crate::load::Signal;

/// What the receiver said.
#[derive(Debug)]
pub enum Answer {
    /// It is durable, save what was rejected for good.
    Acknowledged {
        /// Records that were rejected.
        rejected: u64,
        /// Why, or a warning.
        message: String,
    },
    /// Not now. Send again.
    Later {
        /// When, if the receiver said so.
        after: Option<Duration>,
        /// What the receiver said.
        reason: String,
    },
    /// Never.
    Refused(String),
}

/// `google.rpc.Status`, as far as people read it.
#[derive(Clone, PartialEq, prost::Message)]
struct Problem {
    #[prost(string, tag = "2")]
    message: String,
}

// === impl Answer ===

impl Answer {
    /// Of a request that was taken.
    pub(super) fn read(signal: Signal, body: &[u8]) -> Self {
        let partial = match signal {
            Signal::Traces => ExportTraceServiceResponse::decode(body)
                .map(|answer| answer.partial_success.map(|partial| (partial.rejected_spans, partial.error_message))),
            Signal::Logs => ExportLogsServiceResponse::decode(body)
                .map(|answer| answer.partial_success.map(|partial| (partial.rejected_log_records, partial.error_message))),
        };
        match partial {
            Ok(partial) => {
                let (rejected, message) = partial.unwrap_or_default();
                Self::Acknowledged { rejected: u64::try_from(rejected).unwrap_or(0), message }
            }
            Err(error) => Self::Refused(format!("the answer is not OTLP: {error}")),
        }
    }
}

/// What an answer that is no success says: in protobuf, in JSON, or as text.
pub(super) fn words(body: &[u8]) -> String {
    let json = || serde_json::from_slice::<serde_json::Value>(body).ok()?.get("message")?.as_str().map(str::to_owned);
    let problem = || Problem::decode(body).ok().map(|problem| problem.message).filter(|message| !message.is_empty());
    json().or_else(problem).unwrap_or_else(|| {
        let text = String::from_utf8_lossy(body.get(..MAX_WORDS).unwrap_or(body)).into_owned();
        if text.trim_start().starts_with('<') {
            return "a page for people, so no OTLP is taken there".to_owned();
        }
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    })
}

/// Bytes of an answer in no known form that are shown.
const MAX_WORDS: usize = 300;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_in_words_whatever_its_form() {
        let problem = Problem { message: "too large".to_owned() };
        assert_eq!(words(&problem.encode_to_vec()), "too large");
        assert_eq!(words(br#"{"code":3,"message":"send OTLP"}"#), "send OTLP");
        assert_eq!(words(b"\n<!doctype html>\n<p>404"), "a page for people, so no OTLP is taken there");
        assert_eq!(words(b"no such\n path"), "no such path");
    }
}
