//! Conditions on the events and links of a span, read where they lie.

use super::super::wire;
use super::value::ValueTest;
use crate::model::{SpanId, TraceId};
use crate::schema::column;

/// What is asked of events or links; one of them must fit.
#[derive(Clone, Debug)]
pub(super) enum Nested {
    /// An attribute of an event under any of these names.
    EventAttribute(Vec<String>, ValueTest),
    /// An attribute of a link under any of these names.
    LinkAttribute(Vec<String>, ValueTest),
    /// A link to one of these traces.
    LinkTrace(Vec<TraceId>),
    /// A link to one of these spans.
    LinkSpan(Vec<SpanId>),
}

impl Nested {
    pub(super) fn column(&self) -> &'static str {
        match self {
            Self::EventAttribute(..) => column::EVENTS,
            Self::LinkAttribute(..) | Self::LinkTrace(_) | Self::LinkSpan(_) => column::LINKS,
        }
    }

    /// Whether the bytes of the column hold what is asked for.
    pub(super) fn passes(&self, bytes: &[u8]) -> bool {
        let under = |keys: &[String], key: &str| keys.iter().any(|wanted| wanted == key);
        match self {
            Self::EventAttribute(keys, test) => {
                wire::event_attributes(bytes).any(|(key, value)| under(keys, key) && test.encoded(value, 0))
            }
            Self::LinkAttribute(keys, test) => wire::link_attributes(bytes).any(|(key, value)| under(keys, key) && test.encoded(value, 0)),
            Self::LinkTrace(ids) => wire::link_ids(bytes).any(|(trace, _)| ids.iter().any(|id| id.as_bytes() == trace)),
            Self::LinkSpan(ids) => wire::link_ids(bytes).any(|(_, span)| ids.iter().any(|id| id.as_bytes() == span)),
        }
    }
}
