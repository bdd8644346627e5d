//! Reads columns and rows of a segment: only the pages that hold them.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use arrow::array::AsArray;
use arrow::datatypes::{Schema, SchemaRef};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::errors::ParquetError;
use parquet::file::metadata::{FileMetaData, PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData};
use parquet::file::statistics::Statistics;

use crate::attributes::{ATTRIBUTES, FOOTER_KEY, Layout, Promoted, Restorer, Type};
use crate::model::{TraceId, UnixNanos};
use crate::schema::{self, column, time_column};
use crate::store::Signal;

use super::checked::CheckedFile;
use super::plan::Plan;
use super::writer::{FORMAT, FORMAT_VERSION};
use super::{Kind, Owner, RowGroup, RowRanges, Rows, Segment, SegmentError, rows, times, without_rows};

/// Rows of a batch, at most.
pub(super) const BATCH_ROWS: usize = 8_192;
/// Rows of a batch where many segments are read side by side.
pub(super) const STREAM_ROWS: usize = 2_048;

/// The footer of a Parquet file.
#[derive(Debug)]
pub(super) struct Footer {
    /// With the offset index, read as the columns of `layout`.
    pub(super) parquet: ArrowReaderMetadata,
    pub(super) layout: Layout,
    /// The columns of the file.
    pub(super) schema: SchemaRef,
    /// Whether some times are differences: see `segment/times.rs`.
    pub(super) tells_times: bool,
    /// How all columns of the table are read: where single rows are, making this takes as long as a few of them.
    whole: OnceLock<Plan>,
    /// The footer with all page indexes, read when it is first asked for.
    pub(super) pages: OnceLock<Option<ParquetMetaData>>,
}

// === impl Segment ===

impl Segment {
    /// Reads `columns` of the table, in the table's order, of `rows` or of all rows, as batches of at most 8,192 rows in file order. Hidden
    /// rows are left out. Promoted attributes are in their maps again.
    pub(crate) fn read(&self, columns: &[&str], rows: Option<&RowRanges>) -> Result<Rows, SegmentError> {
        self.read_rows(columns, rows, BATCH_ROWS)
    }

    /// Reads all columns of all rows in small batches, for those who read many segments side by side.
    pub(crate) fn stream(&self) -> Result<Rows, SegmentError> {
        self.read_rows(&schema::names(self.meta.signal).collect::<Vec<_>>(), None, STREAM_ROWS)
    }

    fn read_rows(&self, columns: &[&str], rows: Option<&RowRanges>, batch_rows: usize) -> Result<Rows, SegmentError> {
        let rows = self.shown(rows);
        let rows = rows.as_deref();
        if rows.is_some_and(Vec::is_empty) {
            return Ok(Box::new(std::iter::empty()));
        }
        let footer = self.footer()?;
        let table = schema::of(self.meta.signal);
        if !table.fields().iter().all(|field| columns.contains(&field.name().as_str())) {
            return self.read_planned(&self.plan(footer, &table, columns)?, rows, batch_rows);
        }
        let plan = match footer.whole.get() {
            Some(plan) => plan,
            None => {
                let plan = self.plan(footer, &table, columns)?;
                footer.whole.get_or_init(|| plan)
            }
        };
        self.read_planned(plan, rows, batch_rows)
    }

    /// How columns of the table are read, with promoted attributes in their maps.
    fn plan(&self, footer: &Footer, table: &SchemaRef, columns: &[&str]) -> Result<Plan, SegmentError> {
        let restorer = Restorer::new(footer.layout.clone(), self.part_of(table, columns)?.1);
        match restorer.needs() {
            None => self.plan_stored(footer, columns),
            Some(needs) => {
                let plan = self.plan_stored(footer, &needs.iter().map(String::as_str).collect::<Vec<_>>())?;
                Ok(plan.restored_by(restorer))
            }
        }
    }

    /// As [`Self::read`], with what it takes to look up attributes of these keys by [`crate::attributes::Values`], and, when `texts` says
    /// so, all texts by [`crate::attributes::Texts`]; no other attributes.
    pub(crate) fn read_keys<'a>(
        &self,
        columns: &[&str],
        (keys, texts): (impl IntoIterator<Item = &'a str>, bool),
        rows: Option<&RowRanges>,
    ) -> Result<Rows, SegmentError> {
        let rows = self.shown(rows);
        if rows.as_deref().is_some_and(Vec::is_empty) {
            return Ok(Box::new(std::iter::empty()));
        }
        let layout = &self.footer()?.layout;
        let mut promoted: BTreeSet<String> = BTreeSet::new();
        let mut stored: BTreeSet<&str> = columns.iter().copied().collect();
        for key in keys {
            let column = layout.find(key);
            promoted.extend(column.map(Promoted::name));
            if column.is_none_or(|column| !column.whole) {
                stored.extend(self.maps_with(key));
            }
        }
        if texts {
            stored.insert(column::ATTR_STR);
            promoted.extend(layout.columns().iter().filter(|column| column.of == Type::Text).map(Promoted::name));
        }
        stored.extend(promoted.iter().map(String::as_str));
        self.read_stored(&stored.into_iter().collect::<Vec<_>>(), rows.as_deref())
    }

    /// Which attributes have columns of their own. A footer that cannot be read names none.
    pub(crate) fn layout(&self) -> Layout {
        self.footer().map_or_else(|_| Layout::default(), |footer| footer.layout.clone())
    }

    /// The maps that may have a key.
    pub(super) fn maps_with(&self, key: &str) -> Vec<&'static str> {
        let catalogue = self.attributes().and_then(|attributes| attributes.catalogue());
        let Some(catalogue) = catalogue.filter(|catalogue| catalogue.is_complete(Owner::Record)) else { return ATTRIBUTES.to_vec() };
        let map = |kind| match kind {
            Kind::Text => column::ATTR_STR,
            Kind::Int => column::ATTR_INT,
            Kind::Double => column::ATTR_DBL,
            Kind::Bool => column::ATTR_BOOL,
            Kind::Other => column::ATTR_ANY,
        };
        catalogue.entry(Owner::Record, key).map_or_else(Vec::new, |entry| entry.types.iter().map(|values| map(values.kind)).collect())
    }

    /// The asked rows without those that are hidden; `None` for all rows.
    fn shown<'a>(&self, rows: Option<&'a RowRanges>) -> Option<Cow<'a, RowRanges>> {
        if self.hidden.is_empty() {
            return rows.map(Cow::Borrowed);
        }
        let visible = rows.map_or_else(|| without_rows(&self.every_row(), &self.hidden), |rows| without_rows(rows, &self.hidden));
        Some(Cow::Owned(visible))
    }

    /// Reads columns as they are stored, of these very rows, hidden ones included.
    pub(crate) fn read_stored(&self, columns: &[&str], rows: Option<&RowRanges>) -> Result<Rows, SegmentError> {
        self.read_planned(&self.plan_stored(self.footer()?, columns)?, rows, BATCH_ROWS)
    }

    pub(super) fn footer(&self) -> Result<&Footer, SegmentError> {
        if let Some(footer) = self.footer.get() {
            return Ok(footer);
        }
        let footer = footer(&self.parquet, self.meta.signal)
            .map_err(|e| self.damage.error(self.meta.id, format!("cannot read the footer of its Parquet file: {e}")))?;
        let rows: i64 = footer.parquet.metadata().row_groups().iter().map(RowGroupMetaData::num_rows).sum();
        if u64::try_from(rows) != Ok(self.meta.rows) {
            return Err(self.damage.error(self.meta.id, format!("has {rows} rows, {} expected", self.meta.rows)));
        }
        Ok(self.footer.get_or_init(|| footer))
    }

    pub(super) fn scan_for_trace(&self, id: TraceId) -> Result<RowRanges, SegmentError> {
        let mut found = Vec::new();
        let mut row = 0;
        for batch in self.read_stored(&[column::TRACE_ID], None)? {
            let batch = batch?;
            let ids = batch.column_by_name(column::TRACE_ID).and_then(|ids| ids.as_fixed_size_binary_opt());
            for trace in ids.ok_or_else(|| self.damage.error(self.meta.id, "trace ids of another type".to_owned()))? {
                if trace == Some(id.as_bytes().as_slice()) {
                    rows::push(&mut found, row);
                }
                row += 1;
            }
        }
        Ok(found)
    }

    /// Positions of the named columns in a schema, in its order, and their schema.
    pub(super) fn part_of(&self, schema: &Schema, columns: &[&str]) -> Result<(Vec<usize>, SchemaRef), SegmentError> {
        let unknown = |name| SegmentError::damaged(self.meta.id, format!("has no column `{name}`; ask for a column of its table"));
        let positions = columns.iter().map(|name| schema.index_of(name).map_err(|_| unknown(name)));
        let positions: BTreeSet<usize> = positions.collect::<Result<_, _>>()?;
        let positions: Vec<usize> = positions.into_iter().collect();
        let part = schema.project(&positions).map_err(|e| self.unreadable(&e))?;
        Ok((positions, Arc::new(part)))
    }

    pub(super) fn unreadable(&self, error: &dyn std::fmt::Display) -> SegmentError {
        self.damage.error(self.meta.id, format!("cannot read its Parquet file: {error}"))
    }
}

fn footer(file: &CheckedFile, signal: Signal) -> Result<Footer, ParquetError> {
    let metadata = ParquetMetaDataReader::new()
        .with_offset_index_policy(PageIndexPolicy::Optional)
        .with_column_index_policy(PageIndexPolicy::Skip)
        .parse_and_finish(file)?;
    let (layout, format) = layout(metadata.file_metadata())?;
    let schema = layout.schema(times::stored(signal, format));
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true).with_schema(schema.clone());
    Ok(Footer {
        parquet: ArrowReaderMetadata::try_new(Arc::new(metadata), options)?,
        layout,
        schema,
        tells_times: times::are_told(format),
        whole: OnceLock::new(),
        pages: OnceLock::new(),
    })
}

/// The layout of a file, and its format.
fn layout(file: &FileMetaData) -> Result<(Layout, u32), ParquetError> {
    let find = |name: &str| file.key_value_metadata()?.iter().find(|pair| pair.key == name)?.value.as_deref();
    let format = find(FORMAT).and_then(|format| format.parse().ok()).unwrap_or(0);
    if format > FORMAT_VERSION {
        return Err(ParquetError::General(format!("it has format {format}, written by a newer version; open it with that version")));
    }
    let read = |list| Layout::read(list).ok_or_else(|| ParquetError::General("its list of promoted attributes makes no sense".to_owned()));
    Ok((find(FOOTER_KEY).map_or_else(|| Ok(Layout::default()), read)?, format))
}

/// Row groups with the time bounds of the footer's statistics, or with no bounds where these do not say.
pub(super) fn row_groups(footer: &Footer, signal: Signal) -> Vec<RowGroup> {
    let footer = &footer.parquet;
    let time = schema::of(signal).index_of(time_column(signal)).ok();
    let mut first = 0u32;
    let mut groups = Vec::new();
    for group in footer.metadata().row_groups() {
        let end = first.saturating_add(u32::try_from(group.num_rows()).unwrap_or(u32::MAX));
        let (min_time, max_time) = time_bounds(group, footer, time).unwrap_or((UnixNanos::new(0), UnixNanos::MAX));
        groups.push(RowGroup { rows: first..end, min_time, max_time });
        first = end;
    }
    groups
}

fn time_bounds(group: &RowGroupMetaData, footer: &ArrowReaderMetadata, root: Option<usize>) -> Option<(UnixNanos, UnixNanos)> {
    let leaf = (0..footer.parquet_schema().num_columns()).find(|leaf| Some(footer.parquet_schema().get_column_root_idx(*leaf)) == root)?;
    let Some(Statistics::Int64(statistics)) = group.columns().get(leaf)?.statistics() else { return None };
    let (min, max) = (*statistics.min_opt()?, *statistics.max_opt()?);
    // The statistics compare signed; times beyond 2^63 are stored as negative numbers and lie after all others.
    ((min < 0) == (max < 0)).then(|| (UnixNanos::new(min.cast_unsigned()), UnixNanos::new(max.cast_unsigned())))
}
