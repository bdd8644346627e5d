//! How some columns of a segment are read: few rows straight from their pages (`segment/few.rs`), many by the crate's reader.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReader, RowSelection};
use parquet::arrow::{FieldLevels, ProjectionMask, parquet_to_arrow_field_levels};
use ulid::Ulid;

use super::read::Footer;
use super::times::Teller;
use super::unpacked::Groups;
use super::{Damage, RowRanges, Rows, Segment, SegmentError, count_rows, few};
use crate::attributes::Restorer;

/// How some columns are read, whichever the rows.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// What the file gives.
    pub(super) schema: SchemaRef,
    /// Where these columns are among those of the file, and the first leaf of each.
    positions: Vec<usize>,
    pub(super) leaves: Vec<usize>,
    /// What the crate's reader makes of that, once it is needed.
    levels: OnceLock<FieldLevels>,
    pub(super) makers: Makers,
}

/// What makes rows of the table of those that are read.
#[derive(Clone, Debug)]
pub(super) struct Makers {
    /// Comes first.
    teller: Option<Arc<Teller>>,
    restorer: Option<Arc<Restorer>>,
}

/// Batches of a segment in file order.
#[derive(Debug)]
struct Batches {
    id: Ulid,
    damage: Damage,
    schema: SchemaRef,
    reader: ParquetRecordBatchReader,
    makers: Makers,
}

// === impl Plan ===

impl Plan {
    /// The same, with promoted attributes in their maps.
    pub(super) fn restored_by(self, restorer: Restorer) -> Self {
        Self { makers: Makers { restorer: Some(Arc::new(restorer)), ..self.makers }, ..self }
    }
}

// === impl Makers ===

impl Makers {
    pub(super) fn make(&self, mut batch: RecordBatch) -> Result<RecordBatch, ArrowError> {
        if let Some(teller) = &self.teller {
            batch = teller.times(&batch)?;
        }
        if let Some(restorer) = &self.restorer {
            batch = restorer.restore(&batch)?;
        }
        Ok(batch)
    }
}

// === impl Segment ===

impl Segment {
    pub(super) fn plan_stored(&self, footer: &Footer, columns: &[&str]) -> Result<Plan, SegmentError> {
        let (mut positions, mut schema) = self.part_of(&footer.schema, columns)?;
        let teller = if footer.tells_times { Teller::new(self.meta.signal, &schema) } else { None };
        if let Some(teller) = &teller {
            (positions, schema) = self.part_of(&footer.schema, &teller.needs())?;
        }
        let leaves = few::leaves(&footer.schema, &positions);
        let makers = Makers { teller: teller.map(Arc::new), restorer: None };
        Ok(Plan { schema, positions, leaves, levels: OnceLock::new(), makers })
    }

    /// Reads these rows, or all.
    pub(super) fn read_planned(&self, plan: &Plan, rows: Option<&RowRanges>, batch_rows: usize) -> Result<Rows, SegmentError> {
        let footer = self.footer()?;
        let few = rows.filter(|rows| (1..=few::FEW_ROWS).contains(&count_rows(rows)));
        let Some(batch) = few.and_then(|rows| self.few_rows(footer, &plan.schema, &plan.leaves, rows)) else {
            return self.read_by_crate(plan, rows, batch_rows);
        };
        let batch = plan.makers.make(batch).map_err(|error| self.unreadable(&error))?;
        Ok(Box::new(std::iter::once(Ok(batch))))
    }

    pub(super) fn read_by_crate(&self, plan: &Plan, rows: Option<&RowRanges>, batch_rows: usize) -> Result<Rows, SegmentError> {
        let footer = self.footer()?;
        let (groups, selection) = match rows {
            Some(rows) => select(&footer.parquet, rows),
            None => ((0..footer.parquet.metadata().num_row_groups()).collect(), None),
        };
        let groups = Groups::new(self.parquet.clone(), footer.parquet.metadata().clone(), groups);
        // No room for more rows than are read.
        let wanted = rows.map_or(self.meta.rows, count_rows);
        let batch_rows = batch_rows.min(usize::try_from(wanted).unwrap_or(batch_rows)).max(1);
        let levels = self.levels(footer, plan)?;
        let reader = ParquetRecordBatchReader::try_new_with_row_groups(levels, &groups, batch_rows, selection);
        let reader = reader.map_err(|e| self.unreadable(&e))?;
        let (schema, makers) = (plan.schema.clone(), plan.makers.clone());
        Ok(Box::new(Batches { id: self.meta.id, damage: self.damage.clone(), schema, reader, makers }))
    }

    fn levels<'a>(&self, footer: &Footer, plan: &'a Plan) -> Result<&'a FieldLevels, SegmentError> {
        if let Some(levels) = plan.levels.get() {
            return Ok(levels);
        }
        let mask = ProjectionMask::roots(footer.parquet.parquet_schema(), plan.positions.iter().copied());
        let levels = parquet_to_arrow_field_levels(footer.parquet.parquet_schema(), mask, Some(footer.schema.fields()));
        let levels = levels.map_err(|error| self.unreadable(&error))?;
        Ok(plan.levels.get_or_init(|| levels))
    }
}

/// The row groups that hold any of `rows`, and which of their rows to read.
fn select(footer: &ArrowReaderMetadata, rows: &[Range<u32>]) -> (Vec<usize>, Option<RowSelection>) {
    let mut chosen = Vec::new();
    let mut ranges: Vec<Range<usize>> = Vec::with_capacity(rows.len());
    let (mut group_start, mut chosen_rows) = (0, 0);
    let mut rest = rows;
    for (number, group) in footer.metadata().row_groups().iter().enumerate() {
        let group_rows = usize::try_from(group.num_rows()).unwrap_or(0);
        let group_end = group_start + group_rows;
        let before = ranges.len();
        while let Some((range, later)) = rest.split_first() {
            let (start, end) = (range.start as usize, range.end as usize);
            if start < group_end && end > group_start {
                let within = start.max(group_start) - group_start..end.min(group_end) - group_start;
                ranges.push(chosen_rows + within.start..chosen_rows + within.end);
            }
            if end > group_end {
                break;
            }
            rest = later;
        }
        if ranges.len() > before {
            chosen.push(number);
            chosen_rows += group_rows;
        }
        group_start = group_end;
    }
    (chosen, Some(RowSelection::from_consecutive_ranges(ranges.into_iter(), chosen_rows)))
}

impl Iterator for Batches {
    type Item = Result<RecordBatch, SegmentError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.reader.next()?;
        let batch = batch.and_then(|batch| batch.with_schema(self.schema.clone()));
        let batch = batch.and_then(|batch| self.makers.make(batch));
        Some(batch.map_err(|e| self.damage.error(self.id, format!("cannot read its Parquet file: {e}"))))
    }
}
