//! Events of a span; exceptions with what they say and where they come from.

use storage::{Event, Value};

use super::super::Scene;
use super::frames::{self, Part};
use crate::view::attributes::{self, Asked, Row as Attribute};
use crate::view::format::{self, Moment};

/// An event of a span.
#[derive(Clone, Debug, Default)]
pub(crate) struct EventView {
    pub(crate) name: String,
    /// After the start of the trace.
    pub(crate) at: String,
    pub(crate) time: Moment,
    pub(crate) is_exception: bool,
    /// `PaymentError: card declined`.
    pub(crate) exception: String,
    /// In parts, and what it is called among all of the span.
    pub(crate) stack: Vec<Part>,
    pub(crate) about: String,
    pub(crate) attributes: Vec<Attribute>,
}

/// An event; `number` is its place in the span.
pub(super) fn event_view(scene: &Scene, place: usize, number: usize, event: &Event) -> EventView {
    let is_exception = event.name == "exception";
    let text = |key: &str| match event.attributes.iter().find(|pair| pair.key == key).map(|pair| &pair.value) {
        Some(Value::String(text)) => format::said(text),
        _ => String::new(),
    };
    let (kind, message) = (text("exception.type"), text("exception.message"));
    let shown_above = ["exception.type", "exception.message", "exception.stacktrace"];
    let rest: Vec<storage::KeyValue> =
        event.attributes.iter().filter(|pair| !is_exception || !shown_above.contains(&pair.key.as_str())).cloned().collect();
    EventView {
        name: format::name(&event.name),
        at: format::duration(scene.since(place, event.time)),
        time: scene.moment(event.time),
        exception: [kind, message].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": "),
        stack: if is_exception { stack(&text("exception.stacktrace")) } else { Vec::new() },
        about: format!("Stack trace of event {}", number + 1),
        attributes: attributes::rows(&rest, Asked::Nowhere, &scene.links),
        is_exception,
    }
}

fn stack(text: &str) -> Vec<Part> {
    frames::parts(&text.chars().take(MAX_STACK).collect::<String>())
}

/// Characters of a stack trace that are shown.
const MAX_STACK: usize = 32_768;
