//! What can be asked of the store: typed questions and typed answers.
//!
//! Owns the question and answer types, the query language and the plans that answer. Every page and every API
//! asks through here, so that answers agree.

mod aggregate;
mod ahead;
mod answer;
mod columns;
#[cfg(test)]
mod differential;
mod engine;
mod export;
mod facets;
#[cfg(test)]
mod fixtures;
mod frequent;
mod grid;
mod language;
#[cfg(test)]
mod layouts;
mod listed;
mod logs;
mod map;
mod points;
mod predicate;
mod question;
mod rolled;
mod scan;
mod selection;
mod sheet;
mod spans;
mod sql;
mod traces;
mod unknown;
mod versions;
mod window;

use crate::encoded as wire;

pub(crate) use self::aggregate::aggregate;
pub use self::aggregate::{Aggregate, AggregateGroup, Aggregation, Bar, Measure, Measured, Statistic};
pub use self::answer::{
    Edge, EdgeKind, Histogram, HistogramBucket, LogPage, Node, NodeKind, Operation, QueryStats, RepeatedCalls, ServiceInTrace, ServiceMap,
    ServicePoint, ServiceSummary, SpanPage, SqlAnswer, SqlColumn, SqlMeaning, TraceFailure, TracePage, TraceSummary,
};
pub(crate) use self::engine::Engine;
pub(crate) use self::engine::Weight;
pub(crate) use self::engine::questions_within;
pub use self::export::ExportPart;
pub(crate) use self::export::export;
pub use self::facets::{Facets, FieldCount, Fields, Survey, Surveyed};
pub(crate) use self::facets::{facets, fields, survey};
pub(crate) use self::grid::grid;
pub use self::grid::{Grid, GridCell};
pub use self::language::nearest;
pub use self::logs::{LogContext, LogContextSearch, SameOrigin};
pub(crate) use self::logs::{by_number as log, context as log_context, histogram, of_trace as trace_logs, search as search_logs};
pub(crate) use self::points::points;
pub use self::points::{Point, Points};
pub use self::question::{Cursor, LogOrder, LogSearch, ParseError, QueryError, SpanSearch, SqlQuery, TraceOrder, TraceSearch};
pub(crate) use self::scan::Control;
#[cfg(test)]
pub(crate) use self::scan::Place;
pub(crate) use self::selection::{Among, Selected, rows_matching, rows_of_traces, traces_matching};
pub use self::sheet::OpenTrace;
pub(crate) use self::sheet::{find as find_in_trace, open as open_trace, spans as trace_spans};
pub(crate) use self::spans::search as search_spans;
pub use self::sql::sql_tables;
pub(crate) use self::traces::{search as search_traces, trace};
pub(crate) use self::unknown::told as told_of_unknown;
#[cfg(test)]
pub(crate) use self::versions::Older;
pub(crate) use self::versions::Versions;
pub(crate) use self::window::service_names;

/// Says whether a text is a query, and if not, where it is wrong.
pub(crate) fn check(signal: crate::store::Signal, text: &str) -> Result<(), ParseError> {
    match signal {
        crate::store::Signal::Traces => language::Asked::parse(text).map(|_| ()),
        crate::store::Signal::Logs => language::Query::parse(signal, text).map(|_| ()),
    }
}

/// The fields that a query compares, as the query language writes them, each once.
pub(crate) fn compared(signal: crate::store::Signal, text: &str) -> Result<Vec<String>, ParseError> {
    language::Query::rows(signal, text).map(|(query, _)| query.fields())
}

/// Whether only rows of traces that a text names can be found; not when it is not understood.
pub(crate) fn names_traces(signal: crate::store::Signal, text: &str) -> bool {
    language::Query::rows(signal, text).is_ok_and(|(query, _)| predicate::Predicate::new(&query).hints.traces.is_some())
}

/// Whether a text asks for whole traces; not when it is not understood.
pub(crate) fn is_of_whole_traces(text: &str) -> bool {
    matches!(language::Asked::parse(text), Ok(language::Asked::Trace(_)))
}
