//! What is kept, and what can be asked of it.
//!
//! A [`Store`] takes OTLP requests, keeps them durably before it says so, and answers typed questions.
//! Only this crate knows files, Parquet, DataFusion and tantivy.

mod arrivals;
mod attributes;
mod background;
mod backup;
#[doc(hidden)]
pub mod bench;
mod budget;
mod buffer;
mod calls;
mod check;
mod clock;
mod compaction;
mod config;
mod deletion;
mod encoded;
mod error;
mod files;
mod flush;
mod folder;
mod hands;
mod kept;
mod ledger;
mod manifest;
mod memo;
mod metrics;
mod model;
mod otlp;
mod query;
mod repair;
mod requests;
mod retention;
mod rollup;
mod rows;
mod schema;
mod segment;
mod snapshot;
mod spread;
mod store;
mod text;
pub mod trace;
mod wal;

pub use self::arrivals::Arrival;
pub use self::backup::{Backup, Kept, Point, Receiver as BackupReceiver, Restored, Stream as BackupStream, Vault, restore};
pub use self::check::{CheckLine, CheckReport, Watch, check};
pub use self::clock::Clock;
pub use self::config::{Config, SyncPolicy};
pub use self::deletion::{DeleteError, DeleteReceipt, DeleteWhat};
pub use self::error::{AppendError, OpenError};
pub use self::folder::FORMAT_VERSION;
pub use self::ledger::{Account, Booking, Ledger, Settlement};
pub use self::memo::{SERVICE_SLOTS, SaveError, SavedView, SavedViews, ServiceSlots};
pub use self::metrics::{Counter, Gauge, Held, Histogram as DurationHistogram, Lately, Registry};
pub use self::model::{
    Event, Hex, KeyValue, Link, LogRecord, ParseIdError, Resource, Scope, Severity, Span, SpanId, SpanKind, Status, StatusCode, TimeRange,
    TraceId, UNKNOWN_SERVICE, UnixNanos, Value,
};
pub use self::otlp::Flaw;
pub use self::query::{
    Aggregate, AggregateGroup, Aggregation, Bar, Cursor, Edge, EdgeKind, ExportPart, Facets, FieldCount, Fields, Grid, GridCell, Histogram,
    HistogramBucket, LogContext, LogContextSearch, LogOrder, LogPage, LogSearch, Measure, Measured, Node, NodeKind, OpenTrace, Operation,
    ParseError, Point as SpanPoint, Points as SpanPoints, QueryError, QueryStats, RepeatedCalls, SameOrigin, ServiceInTrace, ServiceMap,
    ServicePoint, ServiceSummary, SpanPage, SpanSearch, SqlAnswer, SqlColumn, SqlMeaning, SqlQuery, Statistic, Survey, Surveyed,
    TraceFailure, TraceOrder, TracePage, TraceSearch, TraceSummary, nearest, sql_tables,
};
pub use self::repair::{RepairLine, RepairOutcome, RepairReport, repair};
pub use self::retention::{KeepRule, Retention};
pub use self::store::{Appended, Moment, Signal, SignalStatus, Store, StoreStatus};
pub use self::text::quiet;
