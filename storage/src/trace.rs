//! An assembled trace, and what can be said of it: pure functions without I/O.
//!
//! Owns the tree, self times, the critical path, clock skew, the findings, and the columns that pages of large traces are
//! made from. Knows nothing of storage or pages. Spans are named by their place in [`Trace::spans`] and [`Sheet::spans`], which agree.
//! Nothing here recurses, so a trace may be as deep as it likes.

mod alike;
mod critical;
mod failing;
mod findings;
mod operations;
mod own;
mod parents;
mod sheet;
mod skew;
mod tree;

use std::collections::HashMap;

use crate::model::{Span, TraceId};

pub use self::alike::unnumbered;
pub use self::critical::{Section, critical_path};
pub(crate) use self::failing::{Failing, Fails};
pub use self::findings::{Finding, FindingKind, Usual, attempts, findings, insert_queued, queued, takers};
pub(crate) use self::findings::{are_alike, is_long_after};
pub use self::operations::{Operation, Operations};
use self::own::own_times;
pub use self::own::self_times;
pub(crate) use self::parents::{Kin, Parents};
pub(crate) use self::sheet::Collector;
pub use self::sheet::{Brief, Sheet};
pub use self::skew::{Jump, Skew, skew};
pub use self::tree::Tree;

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

/// A duration for people, as pages write it: three digits and a unit, from a minute on two units.
pub(crate) fn human(nanos: u64) -> String {
    const MICRO: u64 = 1_000;
    const MILLI: u64 = 1_000_000;
    const SECOND: u64 = 1_000_000_000;
    // What would round up to four digits is written in the next unit.
    let fits = |unit: u64| nanos.saturating_mul(2) < unit * 1_999;
    if nanos < MICRO {
        return format!("{nanos} ns");
    }
    if fits(MICRO) {
        return format!("{} µs", digits(nanos, MICRO));
    }
    if fits(MILLI) {
        return format!("{} ms", digits(nanos, MILLI));
    }
    if nanos < 60 * SECOND - SECOND / 20 {
        return format!("{} s", digits(nanos, SECOND));
    }
    // Rounded to the smaller of the two units.
    let rounded = |unit: u64| nanos.saturating_add(unit / 2) / unit;
    match (rounded(SECOND), rounded(60 * SECOND), rounded(3_600 * SECOND)) {
        (seconds @ ..3_600, _, _) => format!("{} min {:02} s", seconds / 60, seconds % 60),
        (_, minutes @ ..2_880, _) => format!("{} h {:02} min", minutes / 60, minutes % 60),
        (_, _, hours) => format!("{} d {:02} h", hours / 24, hours % 24),
    }
}

/// Three digits of less than a thousand units, rounded.
fn digits(nanos: u64, unit: u64) -> String {
    let rounded = |parts: u64| (nanos * parts * 2 + unit) / (unit * 2);
    match nanos * 1_000 / unit {
        99_950.. => rounded(1).to_string(),
        9_995.. => format!("{}.{}", rounded(10) / 10, rounded(10) % 10),
        _ => format!("{}.{:02}", rounded(100) / 100, rounded(100) % 100),
    }
}

/// A count with its thousands set apart, as pages write it.
pub(crate) fn grouped(n: impl std::fmt::Display) -> String {
    let plain = n.to_string();
    let mut out = String::with_capacity(plain.len() + plain.len() / 3);
    for (place, digit) in plain.chars().enumerate() {
        if place > 0 && (plain.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
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
