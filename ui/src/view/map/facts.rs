//! What is said of one dependency: in the table, in its panel, on its arrow and on the page of a service.

use storage::{Edge, EdgeKind, ServiceMap};

use super::change::{Change, change};
use super::{Made, shown};
use crate::view::format;

/// One dependency in words and numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) from: String,
    pub(crate) to: String,
    /// `calls` or `sends to`, between their names.
    pub(crate) how: &'static str,
    /// Whether the caller does not wait for an answer.
    pub(crate) is_message: bool,
    pub(crate) rate: String,
    pub(crate) calls: String,
    pub(crate) errors: String,
    pub(crate) is_failing: bool,
    pub(crate) p50: String,
    pub(crate) p95: String,
    pub(crate) p99: String,
    /// Part of all calls that its caller makes.
    pub(crate) share: String,
    /// How it differs from the window before; empty when it does not.
    pub(crate) change: String,
    /// The same number by number.
    pub(crate) changed: Change,
    pub(crate) is_worse: bool,
}

// === impl Facts ===

impl Facts {
    /// Of an edge of `map`, over a window of so many nanoseconds; with `before` it is compared with the window before.
    pub(crate) fn new(edge: &Edge, (map, made): (&ServiceMap, &Made), before: Option<&ServiceMap>, window: u64) -> Self {
        let change = before.and_then(|before| change(edge, before, window)).unwrap_or_default();
        let is_message = edge.kind == EdgeKind::Message;
        Self {
            from: shown(&edge.from, map),
            to: shown(&edge.to, map),
            how: if is_message { "sends to" } else { "calls" },
            is_message,
            rate: format::rate(edge.calls, window),
            calls: format::counted(edge.calls, "call", "calls"),
            errors: format::percent(edge.errors, edge.calls),
            is_failing: edge.errors > 0,
            p50: format::duration(edge.p50),
            p95: format::duration(edge.p95),
            p99: format::duration(edge.p99),
            share: format::percent(edge.calls, made.by(&edge.from)),
            change: change.words(),
            is_worse: change.is_worse,
            changed: change,
        }
    }
}
