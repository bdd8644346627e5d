//! Encodes one row group: rows in segment order go in, its column chunks come out.
//!
//! What has a dictionary is encoded by `segment/coded.rs`, ids, times and long texts by `segment/bare.rs`, everything else by Arrow's writer.

use std::io::Write;

use arrow::array::{ArrayRef, AsArray as _, RecordBatch};
use arrow::datatypes::{DataType, SchemaRef};
use parquet::arrow::arrow_writer::{ArrowColumnWriter, ArrowLeafColumn, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::errors::ParquetError;
use parquet::file::writer::SerializedFileWriter;

use super::bare::BareColumn;
use super::coded::CodedColumn;
use super::encoding;
use super::press::Press;
use super::values::Values;

/// A row group being written.
#[derive(Debug)]
pub(super) struct RowGroupBuilder {
    table: SchemaRef,
    /// The leaves of the schema, in order.
    columns: Vec<Column>,
    press: Press,
    rows: usize,
}

enum Column {
    Coded(Box<CodedColumn>),
    Bare(Box<BareColumn>),
    Other(Box<ArrowColumnWriter>),
}

// === impl RowGroupBuilder ===

impl RowGroupBuilder {
    /// The row group with this number of a file, with rows of `table`.
    pub(super) fn new<W: Write + Send>(file: &SerializedFileWriter<W>, table: SchemaRef, number: usize) -> Result<Self, ParquetError> {
        let writers = ArrowRowGroupWriterFactory::new(file, table.clone()).create_column_writers(number)?;
        let columns = writers.into_iter().zip(file.schema_descr().columns()).map(|(writer, column)| {
            let coded = || CodedColumn::new(column, file.properties()).map(|coded| Column::Coded(Box::new(coded)));
            let bare = || BareColumn::new(column, file.properties()).map(|bare| Column::Bare(Box::new(bare)));
            coded().or_else(bare).unwrap_or_else(|| Column::Other(Box::new(writer)))
        });
        Ok(Self { table, columns: columns.collect(), press: Press::new(encoding::zstd_level(file.properties()))?, rows: 0 })
    }

    /// Rows so far.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes so far, about.
    pub(super) fn bytes(&self) -> usize {
        let bytes = |column: &Column| match column {
            Column::Coded(coded) => coded.bytes(),
            Column::Bare(bare) => bare.bytes(),
            Column::Other(writer) => writer.get_estimated_total_bytes(),
        };
        self.columns.iter().map(bytes).sum()
    }

    /// Adds the next rows.
    pub(super) fn push(&mut self, batch: &RecordBatch) -> Result<(), ParquetError> {
        let mut columns = self.columns.iter_mut();
        for (field, array) in self.table.fields().iter().zip(batch.columns()) {
            let mut leaves: Option<Vec<ArrowLeafColumn>> = None;
            for (place, (values, offsets)) in parts(array).into_iter().enumerate() {
                let column = columns.next().ok_or_else(|| ParquetError::General("more columns than the table has".to_owned()))?;
                match (column, values) {
                    (Column::Coded(coded), Some(values)) => coded.push(values, offsets, 0..batch.num_rows(), &mut self.press)?,
                    (Column::Bare(bare), _) => bare.push(array, &mut self.press)?,
                    (Column::Other(writer), _) => {
                        let leaves = match &mut leaves {
                            Some(leaves) => leaves,
                            None => leaves.insert(compute_leaves(field, array)?),
                        };
                        writer.write(leaves.get(place).ok_or_else(|| wrong(field.name()))?)?;
                    }
                    (Column::Coded(_), None) => return Err(wrong(field.name())),
                }
            }
        }
        self.rows += batch.num_rows();
        Ok(())
    }

    /// Appends the row group to its file.
    pub(super) fn finish<W: Write + Send>(mut self, file: &mut SerializedFileWriter<W>) -> Result<(), ParquetError> {
        let mut group = file.next_row_group()?;
        for column in self.columns {
            match column {
                Column::Coded(coded) => {
                    let (chunk, close) = coded.close(&mut self.press)?;
                    group.append_column(&chunk, close)?;
                }
                Column::Bare(bare) => {
                    let (chunk, close) = bare.close(&mut self.press)?;
                    group.append_column(&chunk, close)?;
                }
                Column::Other(writer) => writer.close()?.append_to_row_group(&mut group)?,
            }
        }
        group.close().map(|_| ())
    }
}

/// The leaves of an array with their values, those of maps with the offsets of rows.
fn parts(array: &ArrayRef) -> Vec<(Option<Values<'_>>, Option<&[i32]>)> {
    match array.data_type() {
        DataType::Map(..) => {
            let map = array.as_map();
            [map.keys(), map.values()].into_iter().map(|leaf| (Values::of(leaf.as_ref()), Some(map.value_offsets()))).collect()
        }
        _ => vec![(Values::of(array.as_ref()), None)],
    }
}

fn wrong(name: &str) -> ParquetError {
    ParquetError::General(format!("column {name} is not what its table says"))
}

impl std::fmt::Debug for Column {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Coded(_) => "Coded",
            Self::Bare(_) => "Bare",
            Self::Other(_) => "Other",
        })
    }
}
