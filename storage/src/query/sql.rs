//! Read-only SQL over the tables `spans` and `logs`, through DataFusion.
//!
//! Owns what a statement may do, its bounds and the form of its answer. `columns` has the tables as people see them, `table` how they
//! are read, `typed` what a comparison with an attribute means, `exact` what becomes of whole numbers that grow too large, `keys` what
//! joins are told their keys by, `pausing` how joins end with their statement, `meaning` which columns hold times and durations, `mistake` how
//! an error is told, `advice` what a statement without one hardly means. There is no disk behind a statement: what does not fit into the
//! memory of queries is refused.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use datafusion::common::DataFusionError;
use datafusion::execution::context::{SQLOptions, SessionContext};
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{FairSpillPool, TrackConsumersPool};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_plan::execute_stream;
use datafusion::prelude::{DataFrame, SessionConfig};
use futures::StreamExt as _;

use super::answer::{SqlAnswer, SqlColumn, SqlMeaning};
use super::engine::Engine;
use super::language::PATTERN_TOO_LARGE;
use super::question::{QueryError, SqlQuery};
use super::scan::Control;
use crate::config::Config;
use crate::snapshot::Snapshot;
use crate::store::Signal;

mod advice;
mod bounds;
mod columns;
mod exact;
mod filters;
mod json;
mod keys;
mod meaning;
mod mistake;
mod pausing;
mod table;
mod typed;

pub(super) use self::columns::text_of;
use self::table::{Notes, Table};

/// What all statements share: the memory they may use together.
#[derive(Debug)]
pub(crate) struct Resources {
    runtime: Arc<RuntimeEnv>,
}

/// Names of tables.
const TABLES: [(&str, Signal); 2] = [("spans", Signal::Traces), ("logs", Signal::Logs)];
/// Bytes of a statement's text.
const MAX_SQL_BYTES: usize = 256 * 1024;
/// Rows of an answer, whatever was asked for.
const MAX_ROWS: usize = 1_000_000;
/// Bytes of columns in an answer.
const MAX_ANSWER_BYTES: usize = 128 << 20;
/// Largest consumers that an error about memory names.
const CONSUMERS_NAMED: NonZeroUsize = NonZeroUsize::MIN.saturating_add(2);

/// The tables that statements can name, each column with whether it can be NULL.
#[must_use]
pub fn sql_tables() -> Vec<(&'static str, Vec<(SqlColumn, bool)>)> {
    let columns = |signal| {
        let schema = columns::schema(signal, columns::of(signal));
        let column = |field: &Arc<arrow::datatypes::Field>| {
            let sql_type = columns::sql_type(field.data_type());
            (SqlColumn { name: field.name().clone(), sql_type, meaning: meaning::of_column(field.name()) }, field.is_nullable())
        };
        schema.fields().iter().map(column).collect()
    };
    TABLES.map(|(name, signal)| (name, columns(signal))).into()
}

impl Resources {
    /// Bytes that statements hold now.
    pub(super) fn memory_used(&self) -> u64 {
        self.runtime.memory_pool.reserved() as u64
    }

    pub(crate) fn new(config: &Config) -> Result<Self, String> {
        let pool = TrackConsumersPool::new(FairSpillPool::new(config.query_memory_bytes), CONSUMERS_NAMED);
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(pool))
            .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled))
            .build_arc()
            .map_err(|error| one_line(&error))?;
        Ok(Self { runtime })
    }
}

impl Engine {
    pub(crate) async fn sql(&self, snapshot: Arc<Snapshot>, query: SqlQuery) -> Result<SqlAnswer, QueryError> {
        let runtime = match &self.sql {
            Ok(resources) => resources.runtime.clone(),
            Err(error) => return Err(QueryError::Internal(error.clone())),
        };
        let started = Instant::now();
        let work = |control| answer(snapshot, runtime, query.sql, query.max_rows.clamp(1, MAX_ROWS), control);
        let mut found = self.run_async("sql", query.timeout.max(Duration::from_millis(1)), work).await?;
        found.elapsed = started.elapsed();
        Ok(found)
    }
}

async fn answer(
    snapshot: Arc<Snapshot>,
    runtime: Arc<RuntimeEnv>,
    sql: String,
    max_rows: usize,
    control: Arc<Control>,
) -> Result<SqlAnswer, QueryError> {
    if sql.len() > MAX_SQL_BYTES {
        return Err(QueryError::Invalid(format!("an SQL statement has at most {MAX_SQL_BYTES} bytes")));
    }
    let notes = Notes::default();
    let context = session(&snapshot, runtime, &notes).map_err(|error| explain(&error))?;
    let state = context.state();
    let before = sql.len() - sql.trim_start().len();
    let sql = sql.trim().trim_end_matches(';');
    let mut statement = bounds::statement(&state, sql, before)?;
    typed::rewrite(&mut statement);
    let plan = state.statement_to_plan(statement).await.map_err(|error| mistake::locate(&error, sql, before, &state))?;
    let read_only = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    if read_only.verify_plan(&plan).is_err() {
        return Err(QueryError::Invalid(READ_ONLY.to_owned()));
    }
    bounds::check_plan(&plan)?;
    let advice = advice::of(&plan);
    let answered = run(&context, plan, max_rows, &control).await;
    let mut answer = answered.map_err(|error| mistake::locate(&error, sql, before, &state))?;
    answer.notes = std::mem::take(&mut *notes.lock());
    answer.advice = advice;
    Ok(answer)
}

async fn run(context: &SessionContext, plan: LogicalPlan, max_rows: usize, control: &Arc<Control>) -> Result<SqlAnswer, DataFusionError> {
    let plan = typed::rewrite_plan(plan)?;
    let meanings = meaning::of(&plan);
    let frame = context.execute_logical_plan(limited(plan, max_rows + 1)?).await?;
    collect(frame, &meanings, max_rows, control).await
}

fn session(snapshot: &Arc<Snapshot>, runtime: Arc<RuntimeEnv>, notes: &Notes) -> Result<SessionContext, DataFusionError> {
    let mut config = SessionConfig::new().with_target_partitions(2).with_information_schema(true).with_batch_size(8_192);
    config.options_mut().execution.time_zone = Some("UTC".to_owned());
    config.options_mut().sql_parser.collect_spans = true;
    let context = SessionContext::new_with_config_rt(config, runtime);
    context.add_analyzer_rule(Arc::new(exact::ExactNumbers));
    context.add_optimizer_rule(Arc::new(keys::FullNames));
    for name in bounds::UNBOUNDED_FUNCTIONS {
        context.deregister_udf(name);
    }
    context.register_udf(typed::number_function());
    for (name, signal) in TABLES {
        context.register_table(name, Arc::new(Table::new(snapshot.clone(), signal, notes.clone())))?;
    }
    Ok(context)
}

/// With a limit known to the planner, sorting keeps only the rows that are shown.
fn limited(plan: LogicalPlan, rows: usize) -> Result<LogicalPlan, DataFusionError> {
    match plan {
        LogicalPlan::Explain(_) | LogicalPlan::Analyze(_) | LogicalPlan::DescribeTable(_) | LogicalPlan::Statement(_) => Ok(plan),
        plan => LogicalPlanBuilder::from(plan).limit(0, Some(rows))?.build(),
    }
}

async fn collect(frame: DataFrame, meanings: &[SqlMeaning], max_rows: usize, control: &Arc<Control>) -> Result<SqlAnswer, DataFusionError> {
    let mut names = json::Names::default();
    let meanings = meanings.iter().copied().chain(std::iter::repeat(SqlMeaning::Plain));
    let columns = frame.schema().fields().iter().zip(meanings).map(|(field, meaning)| SqlColumn {
        name: names.unique(field.name()),
        sql_type: columns::sql_type(field.data_type()),
        meaning,
    });
    let columns: Vec<SqlColumn> = columns.collect();
    let mut answer = SqlAnswer { columns, ..SqlAnswer::default() };
    let tasks = Arc::new(frame.task_ctx());
    let plan = frame.create_physical_plan().await.and_then(|plan| pausing::pausing(plan, control))?;
    let mut stream = execute_stream(plan, tasks)?;
    let mut bytes = 0;
    while let Some(batch) = stream.next().await {
        let batch = batch?;
        let room = max_rows - answer.rows.len();
        bytes += batch.get_array_memory_size();
        if batch.num_rows() > room || bytes > MAX_ANSWER_BYTES {
            answer.truncated = true;
        }
        let batch = batch.slice(0, batch.num_rows().min(room));
        json::append(&mut answer.rows, &answer.columns, &batch);
        if answer.truncated {
            break;
        }
        // Long answers share the threads.
        tokio::task::yield_now().await;
    }
    Ok(answer)
}

/// An error for the one who wrote the statement.
fn explain(error: &DataFusionError) -> QueryError {
    match error.find_root() {
        DataFusionError::ResourcesExhausted(_) => {
            tracing::debug!(%error, "an SQL statement needs more memory than there is for all");
            QueryError::Memory(TOO_MUCH.to_owned())
        }
        DataFusionError::IoError(_) | DataFusionError::ExecutionJoin(_) => QueryError::Internal(one_line(error)),
        // What the engine calls a fault of its own is a statement that it was not made for, such as the maximum of maps.
        // Which of both it was, only a person can tell.
        DataFusionError::Internal(_) if !is_too_large(&one_line(error)) => {
            tracing::warn!(%error, "the SQL engine could not answer a statement");
            QueryError::Invalid(format!("the SQL engine cannot answer this: {}", one_line(error)))
        }
        // What reading the tables says, and what ends a statement, is of this type; anything else is what a function says of what it was called with, such as a pattern.
        DataFusionError::External(cause) => match cause.downcast_ref() {
            Some(QueryError::Timeout(allowed)) => QueryError::Timeout(*allowed),
            Some(QueryError::Crowded) => QueryError::Crowded,
            Some(_) => QueryError::Internal(one_line(error)),
            None => invalid(error),
        },
        _ => invalid(error),
    }
}

/// A mistake in the statement. A pattern that grows too large is told as in a search; how large the engine lets it grow helps nobody.
fn invalid(error: &DataFusionError) -> QueryError {
    let line = one_line(error);
    // Some functions do not say which of both it was.
    let line = match line.split_once("Regular expression did not compile: ") {
        Some((_, pattern)) => format!("the regular expression `{pattern}` is malformed or grows too large; mend it or make it simpler"),
        None => line,
    };
    if line.contains(READ_APART) {
        return QueryError::Invalid(NOT_BY_ATTRIBUTE.to_owned());
    }
    if OVERFLOWS.iter().any(|said| line.contains(said)) {
        return QueryError::Invalid(TOO_LONG.to_owned());
    }
    QueryError::Invalid(if is_too_large(&line) { PATTERN_TOO_LARGE.to_owned() } else { uncast(&line).unwrap_or(line) })
}

/// What is said of a value that `CAST` met and that is none of its type. A long value may have taken the end of the line.
fn uncast(line: &str) -> Option<String> {
    let rest = line.strip_prefix("Cannot cast string ").or_else(|| line.strip_prefix("Cannot cast value "))?;
    let (value, to) = rest.rsplit_once(" to value of ").unwrap_or((rest, "its type"));
    let value = value.trim_matches('\'');
    let end = value.floor_char_boundary(MAX_SHOWN);
    let shown = if end < value.len() { format!("{}…", value.get(..end)?) } else { value.to_owned() };
    let name = to.trim_end_matches(" type");
    let name = SQL_NAMES.iter().find(|(known, _)| *known == name).map_or(name, |(_, name)| name);
    Some(format!("{CAST_MET}{shown}`, which it cannot read as {name}; TRY_CAST gives NULL for what cannot be read"))
}

/// Whether the engine or a function of it could not compile a pattern within its bound.
fn is_too_large(line: &str) -> bool {
    ["CompiledTooBig", "Compiled regex exceeds size limit"].iter().any(|words| line.contains(words))
}

fn one_line(error: &DataFusionError) -> String {
    let text = error.find_root().strip_backtrace();
    let mut line = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
    for prefix in PREFIXES {
        if let Some(rest) = line.strip_prefix(prefix) {
            line = rest.to_owned();
        }
    }
    // It asks to be told of it, elsewhere.
    if let Some(end) = line.find(" This issue was likely caused by a bug") {
        line.truncate(end);
    }
    for prefix in ["ParserError(\"", "TokenizerError(\""] {
        if let Some(inner) = line.strip_prefix(prefix).and_then(|rest| rest.strip_suffix("\")")) {
            line = inner.replace("\\\"", "\"").replace("\\'", "'");
        }
    }
    let end = line.floor_char_boundary(1_000);
    line.truncate(end);
    line
}

/// What is said to statements that would change something.
const READ_ONLY: &str = "only SELECT, EXPLAIN, SHOW TABLES and DESCRIBE are allowed; nothing can be changed by SQL";

/// How it begins what is said of a value that is none of a type.
const CAST_MET: &str = "CAST met `";

/// Bytes of a value in a message.
const MAX_SHOWN: usize = 100;

/// Types as the engine says them and as they are written.
const SQL_NAMES: [(&str, &str); 10] = [
    ("Int8", "TINYINT"),
    ("Int16", "SMALLINT"),
    ("Int32", "INT"),
    ("Int64", "BIGINT"),
    ("UInt32", "INT UNSIGNED"),
    ("UInt64", "BIGINT UNSIGNED"),
    ("Float32", "REAL"),
    ("Float64", "DOUBLE"),
    ("Boolean", "BOOLEAN"),
    ("Date32", "DATE"),
];

/// What the engine says of whole numbers that do not fit.
const OVERFLOWS: [&str; 3] = ["is out of range Int64", "is out of range UInt64", "Overflow happened"];

/// How the engine calls an attribute that it reads in a step of its own. It loses it where a subquery for one value is about rows that share an
/// attribute with the row outside.
const READ_APART: &str = "__datafusion_extracted_";
/// What helps against that.
const NOT_BY_ATTRIBUTE: &str = "a subquery that gives one value for each row cannot compare attributes of its table with those of the row, such as \
    `(SELECT avg(duration) FROM spans b WHERE b.attributes['k'] = s.attributes['k'])`; join what it finds instead: WITH m AS (SELECT attributes['k'] AS k, \
    avg(duration) AS one FROM spans GROUP BY attributes['k']) SELECT s.name FROM spans s JOIN m ON s.attributes['k'] = m.k WHERE s.duration > m.one";

/// What helps against them.
const TOO_LONG: &str = "a whole number needs more than 64 bits here; CAST what is added or multiplied to DOUBLE, or to DECIMAL(38, 0)";

/// What helps against too little memory.
pub(super) const TOO_MUCH: &str = "narrow its window, group and sort by less, or raise `query_memory_bytes`, which all statements share";

/// What the engine writes before its messages, outermost first.
const PREFIXES: [&str; 9] = [
    "External error: ",
    "Internal error: ",
    "SQL error: ",
    "Error during planning: ",
    "Schema error: ",
    "Execution error: ",
    "Resources exhausted: ",
    "Arrow error: ",
    "Cast error: ",
];

#[cfg(test)]
mod tests;
