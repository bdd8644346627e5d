//! An assembled trace, and what can be said of it: pure functions without I/O.
//!
//! Owns the tree, self times, the critical path, clock skew, the findings, and the columns that pages of large traces are
//! made from. Knows nothing of storage or pages. Spans are named by their place in [`Trace::spans`] and [`Sheet::spans`], which agree.
//! Nothing here recurses, so a trace may be as deep as it likes.

mod critical;
mod findings;
mod parents;
mod sheet;
mod skew;
mod tree;

use std::collections::HashMap;

use crate::model::{Span, TraceId};

pub use self::critical::{Section, critical_path};
pub use self::findings::{Finding, FindingKind, Usual, findings};
pub(crate) use self::parents::{Kin, Parents};
pub(crate) use self::sheet::Collector;
pub use self::sheet::{Brief, Sheet};
pub use self::skew::{Jump, Skew, skew};
pub use self::tree::{Tree, self_times};

/// All received spans of one trace, duplicates removed, ordered by start, then span id.
#[derive(Clone, Debug)]
pub struct Trace {
    /// The trace.
    pub id: TraceId,
    /// At least one span.
    pub spans: Vec<Span>,
    /// False when a part could not be read; see `notes`.
    pub complete: bool,
    /// What is missing and why, one sentence each.
    pub notes: Vec<String>,
}

impl Trace {
    /// Puts spans in order. Of spans with the same id, kind and start, the last one given is kept.
    #[must_use]
    pub fn assemble(id: TraceId, spans: Vec<Span>, complete: bool, notes: Vec<String>) -> Self {
        let mut last = HashMap::with_capacity(spans.len());
        for (place, span) in spans.iter().enumerate() {
            last.insert((span.span_id, span.kind, span.start), place);
        }
        let mut spans: Vec<Span> = spans
            .into_iter()
            .enumerate()
            .filter(|(place, span)| last.get(&(span.span_id, span.kind, span.start)) == Some(place))
            .map(|(_, span)| span)
            .collect();
        spans.sort_by_key(|span| (span.start, span.span_id, span.kind.number()));
        Self { id, spans, complete, notes }
    }
}

/// A duration for people: three digits and a unit.
pub(crate) fn human(nanos: u64) -> String {
    let (divisor, unit) = match nanos {
        0..1_000 => return format!("{nanos} ns"),
        1_000..1_000_000 => (1_000, "µs"),
        1_000_000..1_000_000_000 => (1_000_000, "ms"),
        _ => (1_000_000_000, "s"),
    };
    let whole = nanos / divisor;
    let thousandths = nanos % divisor * 1000 / divisor;
    match whole {
        0..10 => format!("{whole}.{:02} {unit}", thousandths / 10),
        10..100 => format!("{whole}.{} {unit}", thousandths / 100),
        _ => format!("{whole} {unit}"),
    }
}

/// What a failed span says of its failure: its status message, else the message of its first exception.
fn error_message(span: &Span) -> Option<&str> {
    let status = Some(span.status.message.as_str()).filter(|message| !message.is_empty());
    status.or_else(|| {
        let exception = span.events.iter().find(|event| event.name == "exception")?;
        let message = exception.attributes.iter().find(|pair| pair.key == "exception.message")?;
        message.value.as_str().filter(|message| !message.is_empty())
    })
}

#[cfg(test)]
mod tests;
