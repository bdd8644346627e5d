//! How segments store times that follow from others.
//!
//! Most spans end when they started and lasted, and a log record was observed when it happened, or soon after. Of such a time the file has the
//! difference to what it follows from, null where the sender left it unset: it takes next to nothing where it is the same for all, and
//! one or two bytes where it is small. Files before format 3 have times as they were sent, and are read as ever.
//!
//! Owns which columns these are and the way there and back. A column has the same name and place in the file as in its table.

use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, AsArray as _, Int64Array, RecordBatch};
use arrow::datatypes::{Field, Int64Type, Schema, SchemaRef};
use arrow::error::ArrowError;

use crate::schema::{self, column};
use crate::store::Signal;

/// A column, and those whose sum it is stored as a difference to. All are `Int64` without nulls.
type Told = (&'static str, &'static [&'static str]);

/// Makes times of what a file has of them.
#[derive(Debug)]
pub(super) struct Teller {
    signal: Signal,
    /// What is given.
    wanted: SchemaRef,
}

/// The first format with differences.
const TOLD_FORMAT: u32 = 3;

/// Whether files of a format have times as differences.
pub(super) fn are_told(format: u32) -> bool {
    format >= TOLD_FORMAT
}

/// The columns of a table as files of a format have them.
pub(super) fn stored(signal: Signal, format: u32) -> &'static SchemaRef {
    match signal {
        _ if !are_told(format) => schema::table(signal),
        Signal::Traces => &SPANS,
        Signal::Logs => &LOGS,
    }
}

/// Whether a file has a column as differences.
pub(super) fn is_told(signal: Signal, column: &str) -> bool {
    bases(signal, column).is_some()
}

/// Rows of a table as files of a format have them.
pub(super) fn tell(signal: Signal, format: u32, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    if !are_told(format) {
        return Ok(batch.clone());
    }
    let mut columns = batch.columns().to_vec();
    for (name, bases) in told(signal) {
        let at = batch.schema_ref().index_of(name)?;
        let sums = sums(batch, bases)?;
        let times = long(batch, name)?.values();
        let differences = times.iter().zip(sums).map(|(time, sum)| (*time != 0).then(|| time.wrapping_sub(sum)));
        if let Some(column) = columns.get_mut(at) {
            *column = Arc::new(differences.collect::<Int64Array>());
        }
    }
    RecordBatch::try_new(stored(signal, format).clone(), columns)
}

// === impl Teller ===

impl Teller {
    /// Gives the columns `wanted` of a file; `None` when the file has them as they are.
    pub(super) fn new(signal: Signal, wanted: &Schema) -> Option<Self> {
        let is_any_told = wanted.fields().iter().any(|field| is_told(signal, field.name()));
        is_any_told.then(|| Self { signal, wanted: with_nulls(signal, wanted, false) })
    }

    /// The columns that must be read.
    pub(super) fn needs(&self) -> Vec<&str> {
        let own = self.wanted.fields().iter().map(|field| field.name().as_str());
        let bases = own.clone().filter_map(|name| bases(self.signal, name)).flatten().copied();
        own.chain(bases).collect()
    }

    /// The wanted columns of rows that have the needed ones.
    pub(super) fn times(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let mut columns = Vec::with_capacity(self.wanted.fields().len());
        for field in self.wanted.fields() {
            columns.push(match bases(self.signal, field.name()) {
                Some(bases) => time(batch, field.name(), bases)?,
                None => batch.column_by_name(field.name()).ok_or_else(|| missing(field.name()))?.clone(),
            });
        }
        RecordBatch::try_new(self.wanted.clone(), columns)
    }
}

fn time(batch: &RecordBatch, name: &str, bases: &[&str]) -> Result<ArrayRef, ArrowError> {
    let sums = sums(batch, bases)?;
    let times =
        long(batch, name)?.iter().zip(sums).map(|(difference, sum)| difference.map_or(0, |difference| sum.wrapping_add(difference)));
    Ok(Arc::new(Int64Array::from_iter_values(times)))
}

fn sums(batch: &RecordBatch, columns: &[&str]) -> Result<Vec<i64>, ArrowError> {
    let mut sums = vec![0i64; batch.num_rows()];
    for name in columns {
        sums.iter_mut().zip(long(batch, name)?.values()).for_each(|(sum, value)| *sum = sum.wrapping_add(*value));
    }
    Ok(sums)
}

fn long<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a Int64Array, ArrowError> {
    batch.column_by_name(name).and_then(|column| column.as_primitive_opt::<Int64Type>()).ok_or_else(|| missing(name))
}

fn missing(name: &str) -> ArrowError {
    ArrowError::SchemaError(format!("column {name} is missing or has another type"))
}

fn told(signal: Signal) -> &'static [Told] {
    match signal {
        Signal::Traces => &[(column::END_TIME, &[column::START_TIME, column::DURATION])],
        Signal::Logs => &[(column::TIME_UNIX_NANO, &[column::TIME]), (column::OBSERVED_TIME, &[column::TIME])],
    }
}

fn bases(signal: Signal, column: &str) -> Option<&'static [&'static str]> {
    told(signal).iter().find(|(name, _)| *name == column).map(|(_, bases)| *bases)
}

static SPANS: LazyLock<SchemaRef> = LazyLock::new(|| with_nulls(Signal::Traces, &schema::of(Signal::Traces), true));
static LOGS: LazyLock<SchemaRef> = LazyLock::new(|| with_nulls(Signal::Logs, &schema::of(Signal::Logs), true));

/// The same columns, of which those that are told may have nulls, or not.
fn with_nulls(signal: Signal, schema: &Schema, nulls: bool) -> SchemaRef {
    let field = |field: &Arc<Field>| {
        if is_told(signal, field.name()) { Arc::new(field.as_ref().clone().with_nullable(nulls)) } else { field.clone() }
    };
    Arc::new(Schema::new(schema.fields().iter().map(field).collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests;
