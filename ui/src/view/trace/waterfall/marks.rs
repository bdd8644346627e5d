//! Marks of a row of the waterfall: its icon, the attribute beside its name, dots of log records, and strokes of the critical path.

use storage::{Span, SpanKind};

use super::super::Axis;

/// One stroke per stretch; those that touch at this resolution are one.
pub(super) fn stretches(axis: &Axis, sections: impl Iterator<Item = (u64, u64)>) -> String {
    use std::fmt::Write as _;
    #[expect(clippy::cast_possible_truncation, reason = "a share of one, of few units")]
    let unit = |offset: u64| (axis.share(offset) * UNITS as f64).round() as usize;
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for (from, to) in sections {
        let (from, to) = (unit(from), unit(to).max(unit(from) + 1));
        match runs.last_mut() {
            Some((_, end)) if from <= *end => *end = to.max(*end),
            _ => runs.push((from, to)),
        }
    }
    runs.iter().take(MAX_SECTIONS).fold(String::new(), |mut path, (from, to)| {
        // Writing to a String cannot fail.
        let _ = write!(path, "M{from} 1h{}", to - from);
        path
    })
}

/// Class and letter of a severity.
pub(super) fn severity(number: i32) -> (&'static str, &'static str) {
    match number {
        17.. => ("dot-error", "E"),
        13..=16 => ("dot-warn", "W"),
        9..=12 => ("dot-log", "I"),
        _ => ("dot-log", "·"),
    }
}

/// Name in the icon sprite: what is called, else the kind of the span.
pub(super) fn kind_icon(kind: SpanKind, span: Option<&Span>) -> &'static str {
    if span.is_some_and(|span| span.attribute("db.system.name").or_else(|| span.attribute("db.system")).is_some()) {
        return "database";
    }
    match kind {
        SpanKind::Server => "server",
        SpanKind::Client => "client",
        SpanKind::Producer => "producer",
        SpanKind::Consumer => "consumer",
        SpanKind::Internal | SpanKind::Unspecified | SpanKind::Other(_) => "internal",
    }
}

/// The one attribute that says most.
pub(super) fn pill(span: &Span) -> String {
    const KEYS: [&str; 8] = [
        "http.response.status_code",
        "http.status_code",
        "rpc.response.status_code",
        "rpc.grpc.status_code",
        "db.operation.name",
        "db.operation",
        "messaging.operation.type",
        "error.type",
    ];
    let value = KEYS.iter().find_map(|key| span.attribute(key));
    value.map(|value| crate::view::attributes::brief(value, 16)).unwrap_or_default()
}

/// Stretches of the critical path below one bar.
const MAX_SECTIONS: usize = 200;

/// Units of the axis in which these are drawn.
const UNITS: usize = 1_000;
