//! Whether calls of one name ask for the same thing: a second page is not a second attempt at the first.

use std::collections::HashMap;

use crate::model::{Span, Value};

/// What alone says what was asked for.
const TELLING: [&str; 11] = [
    "url.full",
    "url.path",
    "http.url",
    "http.target",
    "db.query.text",
    "db.statement",
    "messaging.message.id",
    "messaging.message_id",
    "messaging.kafka.message.key",
    "aws.s3.key",
    "graphql.document",
];

/// What says a part of it.
const FURTHER: [&str; 9] = [
    "url.query",
    "http.request.method",
    "http.method",
    "rpc.service",
    "rpc.method",
    "db.collection.name",
    "messaging.destination.name",
    "messaging.message.conversation_id",
    "messaging.kafka.offset",
];

/// The values of a statement have keys of their own.
const PARAMETERS: &str = "db.query.parameter.";

/// The client's own word that it sends again.
const RESENT: [&str; 2] = ["http.request.resend_count", "http.resend_count"];

/// Whether the spans at these places ask for one thing. What is not among `spans`, or does not say what it asks for, does not.
pub(super) fn is_one(places: &[usize], spans: &HashMap<usize, Span>) -> bool {
    let all: Option<Vec<&Span>> = places.iter().map(|place| spans.get(place)).collect();
    let Some((first, others)) = all.as_deref().and_then(<[_]>::split_first) else { return false };
    let says = TELLING.iter().any(|key| first.attribute(key).is_some());
    others.iter().all(|other| is_resent(other)) || says && others.iter().all(|other| is_alike(first, other))
}

fn is_resent(span: &Span) -> bool {
    RESENT.iter().any(|key| matches!(span.attribute(key), Some(Value::Int(count)) if *count > 0))
}

fn is_alike(a: &Span, b: &Span) -> bool {
    TELLING.iter().chain(&FURTHER).all(|key| a.attribute(key) == b.attribute(key)) && parameters(a).eq(parameters(b))
}

/// In the order in which they were sent.
fn parameters(span: &Span) -> impl Iterator<Item = (&str, &Value)> {
    span.attributes.iter().filter(|pair| pair.key.starts_with(PARAMETERS)).map(|pair| (pair.key.as_str(), &pair.value))
}
