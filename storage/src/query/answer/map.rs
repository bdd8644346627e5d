//! The service map as an answer: nodes, edges, and the words for their kinds.

use super::QueryStats;
use crate::model::{SpanId, TimeRange, TraceId};

/// Who calls whom in a window.
#[derive(Clone, Debug, Default)]
pub struct ServiceMap {
    /// The window.
    pub range: Option<TimeRange>,
    /// Sorted by name.
    pub nodes: Vec<Node>,
    /// Sorted by caller, callee, kind.
    pub edges: Vec<Edge>,
    /// From service to service past a queue that is a node itself, in the same order: where the consumer descends from the sender, or
    /// nobody else sends to the queue. What they count is among the edges already, as messages from the queue.
    pub relays: Vec<Edge>,
    /// What it took.
    pub stats: QueryStats,
}

/// A service, or something that services call.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Unique within the map together with `kind`.
    pub name: String,
    /// What it is.
    pub kind: NodeKind,
    /// `db.system.name` or `messaging.system` where known, else empty.
    pub system: String,
    /// Calls that came in.
    pub requests: u64,
    /// Those that failed.
    pub errors: u64,
    /// Median, 95th and 99th percentile in nanoseconds.
    pub p50: u64,
    /// See `p50`.
    pub p95: u64,
    /// See `p50`.
    pub p99: u64,
}

/// What a node of the map is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NodeKind {
    /// Sends spans.
    Service,
    /// A database that spans name.
    Database,
    /// A queue or topic that spans name.
    Queue,
    /// Another system that spans name.
    External,
    /// Who calls root server spans.
    User,
}

/// Calls from one node to another.
#[derive(Clone, Debug, PartialEq)]
pub struct Edge {
    /// Name and kind of the calling node.
    pub from: (String, NodeKind),
    /// Name and kind of the called node.
    pub to: (String, NodeKind),
    /// How they talk.
    pub kind: EdgeKind,
    /// Calls.
    pub calls: u64,
    /// Calls where either side failed.
    pub errors: u64,
    /// Median, 95th and 99th percentile in nanoseconds; within 1 %.
    pub p50: u64,
    /// See `p50`.
    pub p95: u64,
    /// See `p50`.
    pub p99: u64,
    /// Up to four calls to look at: a median one, a slow one, the slowest, a failed one. Trace and span id.
    pub examples: Vec<(TraceId, SpanId)>,
}

/// How two nodes talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EdgeKind {
    /// The caller waits.
    Call,
    /// Through a queue; the caller does not wait.
    Message,
}

impl NodeKind {
    /// The word used in pages and APIs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Database => "database",
            Self::Queue => "queue",
            Self::External => "external",
            Self::User => "user",
        }
    }
}

impl EdgeKind {
    /// The word used in pages and APIs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Message => "message",
        }
    }
}
