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
    /// How many attributes are left out; empty for none.
    pub(crate) left_out: String,
}

// === impl EventView ===

impl EventView {
    /// About how many elements it has on a page.
    pub(super) fn elements(&self) -> usize {
        8 + 3 * self.stack.len() + self.attributes.iter().map(Attribute::elements).sum::<usize>()
    }
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
        attributes: attributes::rows(rest.get(..MAX_ATTRIBUTES).unwrap_or(&rest), Asked::Nowhere, &scene.links),
        left_out: left_out(&rest),
        is_exception,
    }
}

/// How many attributes of an event or link are not shown; empty for none.
pub(super) fn left_out(attributes: &[storage::KeyValue]) -> String {
    match attributes.len().saturating_sub(MAX_ATTRIBUTES) as u64 {
        0 => String::new(),
        n => format!("{} in the JSON of the trace", format::counted(n, "more attribute is", "more attributes are")),
    }
}

fn stack(text: &str) -> Vec<Part> {
    let mut parts = frames::parts(&text.chars().take(MAX_STACK).collect::<String>());
    if parts.len() > MAX_PARTS {
        let rest = parts.split_off(MAX_PARTS);
        parts.push(Part { text: rest.into_iter().map(|part| part.text).collect::<Vec<_>>().join("\n"), folded: String::new() });
    }
    parts
}

/// Characters of a stack trace that are shown, and parts of it in which frames are folded.
const MAX_STACK: usize = 32_768;
const MAX_PARTS: usize = 100;

/// Attributes of an event or a link that are shown.
pub(super) const MAX_ATTRIBUTES: usize = 40;
