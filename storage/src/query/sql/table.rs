//! One table over buffer and segments, as DataFusion reads it.
//!
//! Filters only choose what is read: times, services, traces and attributes (`filters`), and of which rows ids and words are written. DataFusion
//! applies them again to every row. What cannot be read is
//! left out and written down in the [`Notes`] of the statement.

use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use parking_lot::Mutex;
use tokio::sync::mpsc;

use super::super::predicate::{Hints, Predicate};
use super::super::question::QueryError;
use super::super::scan::{Control, Scan, Wanted};
use super::columns::{self, Column, Stored};
use super::filters::Bounds;
use crate::model::{TimeRange, UnixNanos};
use crate::schema::column;
use crate::snapshot::Snapshot;
use crate::store::Signal;

/// Streams of one table; as many as there are cores.
const PARTITIONS: usize = 2;
/// The engine ends a statement earlier; this only ends a read that nobody takes from.
const READ_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(3_600);

/// Why rows are missing from the answer of a statement, one sentence each.
pub(super) type Notes = Arc<Mutex<Vec<String>>>;

/// A table of one signal at one moment.
#[derive(Debug)]
pub(super) struct Table {
    snapshot: Arc<Snapshot>,
    signal: Signal,
    notes: Notes,
    schema: SchemaRef,
}

impl Table {
    pub(super) fn new(snapshot: Arc<Snapshot>, signal: Signal, notes: Notes) -> Self {
        Self { snapshot, signal, notes, schema: columns::schema(signal, columns::of(signal)) }
    }
}

impl Table {
    /// Times beyond 2262 are negative as signed numbers: they pass every upper bound. Without them, bounds on times are as expected.
    fn is_signed(&self) -> datafusion::error::Result<bool> {
        let control = Control::new(READ_TIMEOUT);
        let late = TimeRange { from: UnixNanos::new(1 << 63), to: UnixNanos::MAX };
        let scan = Scan::new(&self.snapshot, self.signal, late, &Hints::default(), &control);
        scan.map(|scan| scan.units.is_empty()).map_err(|error| DataFusionError::External(Box::new(error)))
    }
}

#[async_trait]
impl TableProvider for Table {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> datafusion::error::Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> datafusion::error::Result<Arc<dyn ExecutionPlan>> {
        let all = columns::of(self.signal);
        let wanted: Vec<Column> = match projection {
            Some(indices) => indices.iter().filter_map(|i| all.get(*i)).copied().collect(),
            None => all.to_vec(),
        };
        let schema = columns::schema(self.signal, &wanted);
        let bounds = Bounds::of(self.signal, self.is_signed()?, filters);
        let of_text = |(name, text): &(String, String)| Some((*all.iter().find(|column| column.name == name)?, text.clone()));
        let texts: Arc<[(Column, String)]> = bounds.texts.iter().filter_map(of_text).collect();
        let partition = |part| {
            let partition = Partition {
                snapshot: self.snapshot.clone(),
                signal: self.signal,
                schema: schema.clone(),
                columns: wanted.clone(),
                range: bounds.range,
                hints: bounds.hints.clone(),
                texts: texts.clone(),
                part,
                notes: self.notes.clone(),
            };
            Arc::new(partition) as Arc<dyn PartitionStream>
        };
        let partitions = (0..PARTITIONS).map(partition).collect();
        Ok(Arc::new(StreamingTableExec::try_new(schema, partitions, None, None, false, None)?))
    }
}

/// Every second unit of a table.
#[derive(Debug)]
struct Partition {
    snapshot: Arc<Snapshot>,
    signal: Signal,
    schema: SchemaRef,
    columns: Vec<Column>,
    range: TimeRange,
    hints: Hints,
    /// Rows without these are not wanted.
    texts: Arc<[(Column, String)]>,
    part: usize,
    notes: Notes,
}

impl PartitionStream for Partition {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let (sender, receiver) = mpsc::channel(2);
        let (snapshot, columns, hints, schema) = (self.snapshot.clone(), self.columns.clone(), self.hints.clone(), self.schema.clone());
        let (signal, range, part, notes, texts) = (self.signal, self.range, self.part, self.notes.clone(), self.texts.clone());
        tokio::task::spawn_blocking(move || match read(&snapshot, signal, range, (&hints, &texts), part, &columns, &schema, &sender) {
            Ok(missing) => {
                let mut notes = notes.lock();
                let new: Vec<_> = missing.into_iter().filter(|note| !notes.contains(note)).collect();
                notes.extend(new);
            }
            // The reader may have gone away, which is why it failed.
            Err(error) => drop(sender.blocking_send(Err(DataFusionError::External(Box::new(error))))),
        });
        let stream = futures::stream::unfold(receiver, |mut receiver| async move { receiver.recv().await.map(|batch| (batch, receiver)) });
        Box::pin(RecordBatchStreamAdapter::new(self.schema.clone(), stream))
    }
}

type Sender = mpsc::Sender<datafusion::error::Result<RecordBatch>>;

#[expect(clippy::too_many_arguments, reason = "the parts of a partition, on another thread")]
fn read(
    snapshot: &Snapshot,
    signal: Signal,
    range: TimeRange,
    (hints, texts): (&Hints, &[(Column, String)]),
    part: usize,
    columns: &[Column],
    schema: &SchemaRef,
    sender: &Sender,
) -> Result<Vec<String>, QueryError> {
    let control = Control::new(READ_TIMEOUT);
    let predicate = narrowing(texts);
    // What the predicate asks is not asked again.
    let others: Vec<&(Column, String)> = texts.iter().filter(|(column, text)| column.stored(text).is_none()).collect();
    let mut sources: Vec<&'static str> = columns.iter().filter_map(Column::source).collect();
    columns.iter().for_each(|column| sources.extend(column.sources()));
    sources.extend(texts.iter().filter_map(|(column, _)| column.source()));
    sources.push(column::SERVICE_NAME);
    let mut scan = Scan::new(snapshot, signal, range, hints, &control)?;
    scan.every(PARTITIONS, part);
    scan.run(
        Wanted { columns: &sources, keys: &[], predicate: &predicate },
        |_| sender.is_closed(),
        |rows| {
            // Ids and words cost more than the rest: they are written for rows alone that can be wanted.
            let mut wanted = rows.alive.clone();
            for (column, text) in &others {
                wanted = column.having(text, rows.batch, wanted)?;
            }
            let batch = match wanted.count_set_bits() {
                0 => return Ok(()),
                all if all == rows.batch.num_rows() => rows.batch.clone(),
                _ => filter_record_batch(rows.batch, &BooleanArray::new(wanted, None))
                    .map_err(|error| QueryError::Internal(error.to_string()))?,
            };
            let arrays = columns.iter().map(|column| column.array(&batch)).collect::<Result<Vec<_>, _>>()?;
            let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
            let batch = RecordBatch::try_new_with_options(schema.clone(), arrays, &options)
                .map_err(|error| QueryError::Internal(error.to_string()))?;
            sender.blocking_send(Ok(batch)).map_err(|_| QueryError::Internal("nobody waits for the answer any more".to_owned()))
        },
    )?;
    Ok(scan.stats.notes)
}

/// What of these texts can be asked of columns as they are stored, so that the others are read of few rows.
fn narrowing(texts: &[(Column, String)]) -> Predicate {
    let (mut equal, mut numbers) = (Vec::new(), Vec::new());
    for (column, text) in texts {
        match column.stored(text) {
            Some(Stored::Text(name)) => equal.push((name, text.as_str())),
            Some(Stored::Numbers(name, codes)) => numbers.push((name, codes)),
            None => {}
        }
    }
    Predicate::equal(&equal, &numbers)
}
