//! Failures that are answers: a call has status ERROR because who was asked said no, for a reason that lies with who asks.
//!
//! One rule for every page, that of OpenTelemetry's conventions: codes which are an error to the caller alone, and not to who answers.
//! What failed otherwise is a failure, and so is a call when who was asked says that it failed itself.

use storage::{Span, SpanKind, Value};

/// Statuses of gRPC that are no error of the server, as numbers and as words.
const OF_GRPC: [(&str, &str); 10] = [
    ("1", "CANCELLED"),
    ("3", "INVALID_ARGUMENT"),
    ("5", "NOT_FOUND"),
    ("6", "ALREADY_EXISTS"),
    ("7", "PERMISSION_DENIED"),
    ("8", "RESOURCE_EXHAUSTED"),
    ("9", "FAILED_PRECONDITION"),
    ("10", "ABORTED"),
    ("11", "OUT_OF_RANGE"),
    ("16", "UNAUTHENTICATED"),
];

/// Attributes that hold such codes.
const KEYS: [&str; 6] =
    ["http.response.status_code", "http.status_code", "rpc.response.status_code", "rpc.status_code", "rpc.grpc.status_code", "error.type"];

/// Whether a failed call that says this and nothing else was answered.
pub(crate) fn is_answer(said: &str) -> bool {
    let is_http = matches!(said.as_bytes(), [b'4', rest @ ..] if rest.len() == 2 && rest.iter().all(u8::is_ascii_digit));
    is_http || OF_GRPC.iter().any(|(_, word)| *word == said)
}

/// The code with which a failed call was answered; `None` for what failed otherwise or did not fail.
pub(crate) fn of_call(span: &Span) -> Option<String> {
    if !span.is_error() || span.kind != SpanKind::Client {
        return None;
    }
    let (key, value) = KEYS.iter().find_map(|key| Some((*key, span.attribute(key)?)))?;
    let code = match value {
        Value::String(text) => text.clone(),
        Value::Int(number) => number.to_string(),
        _ => return None,
    };
    let word = OF_GRPC.iter().find(|(number, _)| key.starts_with("rpc.") && *number == code).map(|(_, word)| (*word).to_owned());
    Some(word.unwrap_or(code)).filter(|code| is_answer(code))
}

#[cfg(test)]
mod tests {
    use storage::{KeyValue, StatusCode};

    use super::*;
    use crate::view::trace::sample;

    #[test]
    fn codes_that_are_an_error_to_the_caller_alone_are_answers() {
        for said in ["404", "422", "499", "UNAUTHENTICATED", "NOT_FOUND"] {
            assert!(is_answer(said), "{said}");
        }
        for said in ["", "4", "40", "4041", "4xx", "500", "503", "timeout", "UNAVAILABLE", "card declined: 404"] {
            assert!(!is_answer(said), "{said}");
        }
    }

    #[test]
    fn only_failed_calls_are_answered() {
        let with = |kind, status, key: &str, value: Value| {
            let mut span = sample::span(1, 0, "web", "GET /x", 0, 1);
            (span.kind, span.status.code) = (kind, status);
            span.attributes = vec![KeyValue { key: key.to_owned(), value }];
            of_call(&span).unwrap_or_default()
        };
        let (client, error) = (SpanKind::Client, StatusCode::Error);
        assert_eq!(with(client, error, "http.response.status_code", Value::Int(404)), "404");
        assert_eq!(with(client, error, "rpc.grpc.status_code", Value::Int(5)), "NOT_FOUND");
        assert_eq!(with(client, error, "error.type", Value::String("422".to_owned())), "422");
        assert_eq!(with(client, error, "http.response.status_code", Value::Int(503)), "");
        assert_eq!(with(client, error, "error.type", Value::String("5".to_owned())), "");
        assert_eq!(with(client, StatusCode::Unset, "http.response.status_code", Value::Int(404)), "");
        assert_eq!(with(SpanKind::Server, error, "http.response.status_code", Value::Int(404)), "", "a server that says that it failed");
    }
}
