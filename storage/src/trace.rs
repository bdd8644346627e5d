//! An assembled trace, and what can be said of it: pure functions without I/O.
//!
//! Owns the tree, self times, the critical path and the findings. Knows nothing of storage or pages.

use crate::model::{Span, TraceId};

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
