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

/// The spans at these places, in their order, parted by what they ask for. Those that do not say it are in no part, but for one that is sent
/// again: it asks for the same as the one before.
pub(super) fn parted(places: &[usize], spans: &HashMap<usize, Span>) -> Vec<Vec<usize>> {
    let mut parts: Vec<(&Span, Vec<usize>)> = Vec::new();
    let mut last = None;
    for place in places {
        let Some(span) = spans.get(place) else { continue };
        let says = TELLING.iter().any(|key| span.attribute(key).is_some());
        let known = if says { parts.iter().position(|(first, _)| is_alike(first, span)) } else { last.filter(|_| is_resent(span)) };
        let part = known.unwrap_or(parts.len());
        match parts.get_mut(part) {
            Some((_, part)) => part.push(*place),
            None => parts.push((span, vec![*place])),
        }
        last = Some(part);
    }
    parts.into_iter().map(|(_, part)| part).collect()
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
