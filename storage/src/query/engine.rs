//! Runs questions: admission, the query runtime, deadlines and memory.
//!
//! Questions run on threads of their own, a bounded number at a time, so that they never hold up ingest. A question whose caller went
//! away stops at the next batch.

use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::sync::mpsc::{Receiver, channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use self::gate::Gate;
use self::pressure::Pressure;
use self::running::{AbortOnDrop, CancelOnDrop, Running, failed, nobody_waits, reason};
use self::threads::{give_way, threads};
use super::map::CallRolls;
use super::question::QueryError;
use super::rolled::Rolls;
use super::scan::Control;
use super::sheet::Sheets;
use super::sql;
use super::versions::Versions;
use super::window::Cache;
use crate::config::Config;
use crate::files::memory_taken;
use crate::metrics::Registry;
use crate::segment::Dictionaries;

mod gate;
mod memory;
mod pressure;
mod running;
mod threads;

pub(crate) use self::pressure::questions_within;

/// Runs questions on their own threads, a bounded number at a time.
#[derive(Debug)]
pub(crate) struct Engine {
    /// Threads of questions that may read everything: they stand back behind receiving. `None` only while it is dropped.
    heavy_threads: Option<Runtime>,
    /// Threads of questions that read a few rows.
    light_threads: Option<Runtime>,
    heavy: Gate,
    light: Gate,
    /// Statements that run at once: fewer than heavy questions, so that searches find a place whatever statements take.
    statements: Gate,
    pressure: Arc<Pressure>,
    streams: Arc<Semaphore>,
    timeout: Duration,
    registry: Registry,
    /// Bytes that SQL statements may take together.
    sql_bytes: u64,
    /// Shared resources of SQL statements.
    pub(super) sql: Result<sql::Resources, String>,
    /// Answers over windows.
    pub(super) cache: Arc<Cache>,
    /// Traces in columns.
    pub(crate) sheets: Arc<Sheets>,
    /// Roll-ups of segments.
    pub(super) rolls: Arc<Rolls>,
    /// The same of calls.
    pub(super) calls: Arc<CallRolls>,
    /// Dictionaries of segments' columns.
    dictionaries: Arc<Dictionaries>,
    versions: Arc<OnceLock<Arc<Versions>>>,
    /// Ends what is read ahead.
    ahead: OnceLock<CancelOnDrop>,
}

/// How much a question may cost, by what it asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weight {
    /// Reads a few rows it can find by index.
    Light,
    /// May read everything.
    Heavy,
}

/// Light questions that run at once.
const LIGHT_AT_ONCE: usize = 16;
/// Answers without end that are read at once. They last as long as their reader, so they do not take the places of questions.
const STREAMS_AT_ONCE: usize = 2;
/// The longest that one may last.
const STREAM_TIMEOUT: Duration = Duration::from_secs(24 * 3_600);
/// The longest that a question waits for memory.
const MEMORY_WAIT: Duration = Duration::from_secs(5);

impl Engine {
    /// Starts the query threads.
    pub(crate) fn new(config: &Config, registry: &Registry) -> Self {
        let concurrent = config.concurrent_queries.max(1);
        let help = "Bytes of memory that this process has taken, which are not of files.";
        let taken = registry.gauge("throughline_memory_taken_bytes", help, &[]);
        let engine = Self {
            heavy_threads: threads("query", give_way),
            light_threads: threads("query-light", || ()),
            heavy: Gate::new(concurrent),
            light: Gate::new(LIGHT_AT_ONCE),
            statements: Gate::new((concurrent / 2).max(1)),
            pressure: Arc::new(Pressure::new(config.memory_limit_bytes, memory_taken, taken)),
            streams: Arc::new(Semaphore::new(STREAMS_AT_ONCE)),
            timeout: config.query_timeout,
            registry: registry.clone(),
            sql_bytes: config.query_memory_bytes as u64,
            sql: sql::Resources::new(config),
            cache: Arc::default(),
            sheets: Arc::default(),
            rolls: Arc::default(),
            calls: Arc::default(),
            dictionaries: Arc::default(),
            versions: Arc::default(),
            ahead: OnceLock::new(),
        };
        engine.watch_memory();
        engine
    }

    /// Where segments keep dictionaries that were read of them.
    pub(crate) fn dictionaries(&self) -> Arc<Dictionaries> {
        self.dictionaries.clone()
    }

    /// Roll-ups of segments, as far as they were read.
    pub(crate) fn rolls(&self) -> Arc<Rolls> {
        self.rolls.clone()
    }

    /// Runs blocking work that asks its [`Control`] now and then whether to go on.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        kind: &'static str,
        weight: Weight,
        work: impl FnOnce(&Control) -> Result<T, QueryError> + Send + 'static,
    ) -> Result<T, QueryError> {
        self.measured(kind, async {
            let (permit, control) = self.enter(weight, self.timeout).await?;
            control.show_memory(self.registry.question_memory(kind));
            let cancel = CancelOnDrop(control.clone());
            let task = self.threads(weight)?.spawn_blocking(move || {
                let result = work(&control);
                // Only now is the place free: work that was cancelled still ran until here.
                drop(permit);
                result
            });
            let result = task.await.map_err(|error| failed(&error))?;
            drop(cancel);
            result
        })
        .await
    }

    /// Runs an SQL statement on the query threads. It asks its [`Control`] where it would not pause otherwise.
    pub(crate) async fn run_async<T: Send + 'static, F: Future<Output = Result<T, QueryError>> + Send + 'static>(
        &self,
        kind: &'static str,
        timeout: Duration,
        work: impl FnOnce(Arc<Control>) -> F,
    ) -> Result<T, QueryError> {
        let allowed = timeout.min(self.timeout);
        self.measured(kind, async {
            let begun = Instant::now();
            let statement = self.statements.enter(allowed).await?;
            let (permit, control) = self.enter(Weight::Heavy, allowed.saturating_sub(begun.elapsed())).await?;
            let left = allowed.saturating_sub(begun.elapsed());
            let _cancel = CancelOnDrop(control.clone());
            let work = work(control.clone());
            let task = self.threads(Weight::Heavy)?.spawn(async move {
                let result = tokio::time::timeout(left, work).await;
                drop((permit, statement));
                result
            });
            let mut task = AbortOnDrop(task);
            tokio::select! {
                result = &mut task.0 => match result {
                    // Reading tables knows what was left of the time.
                    Ok(Ok(Err(QueryError::Timeout(_))) | Err(_)) => Err(QueryError::Timeout(allowed)),
                    Ok(Ok(result)) => result,
                    Err(error) => Err(failed(&error)),
                },
                error = control.ended() => Err(match error {
                    QueryError::Timeout(_) => QueryError::Timeout(allowed),
                    other => other,
                }),
                () = self.pressure.outgrown(self.sql_bytes) => Err(QueryError::Memory(sql::TOO_MUCH.to_owned())),
            }
        })
        .await
    }

    /// Runs blocking work that hands out its answer part by part, as fast as the parts are taken. It ends soon after the receiver is
    /// dropped.
    pub(crate) fn stream<T: Send + 'static>(
        &self,
        kind: &'static str,
        work: impl FnOnce(&Control, &mut dyn FnMut(T) -> Result<(), QueryError>) -> Result<(), QueryError> + Send + 'static,
    ) -> Result<Receiver<Result<T, QueryError>>, QueryError> {
        let permit = self.streams.clone().try_acquire_owned().map_err(|_| QueryError::Busy)?;
        let (sender, receiver) = channel(1);
        let running = Running::new(&self.registry);
        let errors = self.registry.clone();
        let control = self.pressure.begin(Weight::Light, STREAM_TIMEOUT);
        control.show_memory(self.registry.question_memory(kind));
        self.threads(Weight::Heavy)?.spawn_blocking(move || {
            let mut hand_out = |part| sender.blocking_send(Ok(part)).map_err(|_| nobody_waits());
            if let Err(error) = work(&control, &mut hand_out) {
                let labels = [("kind", kind), ("reason", reason(&error))];
                errors.counter("throughline_query_errors_total", "Questions that were not answered.", &labels).add(1);
                // Without a reader there is nobody to tell.
                let _ = sender.blocking_send(Err(error));
            }
            drop((running, permit));
        });
        Ok(receiver)
    }

    /// Runs work that nobody waits for, once: behind everything else, for as long as there is spare memory, which it asks for.
    pub(super) fn once_behind_all(&self, allowed: Duration, work: impl FnOnce(&Control, &dyn Fn() -> bool) + Send + 'static) {
        let (control, pressure) = (self.pressure.begin(Weight::Light, allowed), self.pressure.clone());
        let (Ok(()), Ok(threads)) = (self.ahead.set(CancelOnDrop(control.clone())), self.threads(Weight::Heavy)) else { return };
        threads.spawn_blocking(move || work(&control, &|| pressure.has_spare()));
    }

    /// Ends that work.
    pub(crate) fn end_work_behind(&self) {
        self.ahead.get().into_iter().for_each(|work| work.0.cancel());
    }

    /// A counter of this process.
    pub(super) fn counter(&self, name: &'static str, help: &'static str) -> crate::metrics::Counter {
        self.registry.counter(name, help, &[])
    }

    /// Bytes that SQL statements hold now.
    pub(crate) fn sql_memory_used(&self) -> u64 {
        self.sql.as_ref().map_or(0, sql::Resources::memory_used)
    }

    fn threads(&self, weight: Weight) -> Result<&Runtime, QueryError> {
        let threads = match weight {
            Weight::Light => &self.light_threads,
            Weight::Heavy => &self.heavy_threads,
        };
        threads.as_ref().ok_or_else(|| QueryError::Internal("the query threads could not be started; see the log".to_owned()))
    }

    /// Waits for a place, and for memory; what it waits is taken off what the question may take.
    async fn enter(&self, weight: Weight, allowed: Duration) -> Result<(OwnedSemaphorePermit, Arc<Control>), QueryError> {
        let begun = Instant::now();
        let permit = self.gate(weight).enter(allowed).await?;
        let allowed = allowed.saturating_sub(begun.elapsed());
        let control = match weight {
            Weight::Light => self.pressure.begin(weight, allowed),
            Weight::Heavy => self.pressure.enter(allowed.min(MEMORY_WAIT), allowed).await?,
        };
        Ok((permit, control))
    }

    fn gate(&self, weight: Weight) -> &Gate {
        match weight {
            Weight::Light => &self.light,
            Weight::Heavy => &self.heavy,
        }
    }

    async fn measured<T>(&self, kind: &'static str, work: impl Future<Output = Result<T, QueryError>>) -> Result<T, QueryError> {
        let running = Running::new(&self.registry);
        let started = Instant::now();
        let result = work.await;
        drop(running);
        self.registry
            .histogram("throughline_query_seconds", "Time from question to answer, waiting included.", &[("kind", kind)])
            .observe(started.elapsed());
        if let Err(error) = &result {
            let labels = [("kind", kind), ("reason", reason(error))];
            self.registry.counter("throughline_query_errors_total", "Questions that were not answered.", &labels).add(1);
        }
        result
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        [self.heavy_threads.take(), self.light_threads.take()].into_iter().flatten().for_each(threads::end);
    }
}

#[cfg(test)]
mod tests;
