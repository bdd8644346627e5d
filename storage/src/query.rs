//! What can be asked of the store: typed questions and typed answers.
//!
//! Owns the question and answer types, the query language and the plans that answer. Every page and every API
//! asks through here, so that answers agree.

mod answer;
mod columns;
mod engine;
#[cfg(test)]
mod fixtures;
mod language;
mod predicate;
mod question;
mod wire;

pub use self::answer::{
    Edge, EdgeKind, Histogram, HistogramBucket, LogPage, Node, NodeKind, Operation, QueryStats, ServiceInTrace, ServiceMap, ServicePoint,
    ServiceSummary, SqlAnswer, SqlColumn, TracePage, TraceSummary,
};
pub(crate) use self::engine::Engine;
pub use self::question::{Cursor, LogOrder, LogSearch, ParseError, QueryError, SqlQuery, TraceOrder, TraceSearch};
