//! How columns are written to Parquet.
//!
//! Times and numbers that grow are delta-packed: several times faster to read than plain at equal size. Text is dictionary-coded but for
//! long, rarely repeated values. Pages are small, because a trace is read by row number: whoever wants twenty rows decompresses one page
//! per column; those of log records are smaller still. Page statistics exist where something is skipped by them: of promoted numbers.
//!
//! Columns that hardly shrink are not compressed: random ids, delta-packed times, and dictionary codes of a few bits. Setting up a
//! decompressor costs more than reading a page of them, and a trace is read through all columns at once.
//!
//! Promoted attributes are dictionary-coded as long as their values repeat, and their numbers have page statistics. So is all other text:
//! see `segment/coded.rs`.

use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowSchemaConverter;
use parquet::basic::{Compression, Encoding, Type, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::{ColumnDescriptor, ColumnPath};

use crate::attributes::{ORDER, is_promoted};
use crate::schema::column;
use crate::store::Signal;

use super::coded::TRIAL_BYTES;

/// Rows of a row group, but for the last one of a file.
pub(crate) const ROW_GROUP_ROWS: usize = 131_072;
const SPAN_PAGE_ROWS: usize = 4_096;
/// The log records of a trace lie apart: each costs a page per column, so pages are smaller.
const LOG_PAGE_ROWS: usize = 2_048;
pub(super) const PAGE_BYTES: usize = 128 * 1024;
/// Whoever looks for a word decompresses a page of bodies for each record that may have it.
const LOG_PAGE_BYTES: usize = 32 * 1024;
pub(super) const DICTIONARY_BYTES: usize = 256 * 1024;

pub(super) fn properties(signal: Signal, level: u8, columns: &SchemaRef) -> Result<WriterProperties, ParquetError> {
    let zstd = ZstdLevel::try_new(if level == 0 { 1 } else { 3 })?;
    let mut builder = WriterProperties::builder()
        .set_created_by(concat!("throughline ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(zstd))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_data_page_row_count_limit(if signal == Signal::Traces { SPAN_PAGE_ROWS } else { LOG_PAGE_ROWS })
        .set_data_page_size_limit(if signal == Signal::Traces { PAGE_BYTES } else { LOG_PAGE_BYTES })
        .set_dictionary_page_size_limit(DICTIONARY_BYTES)
        .set_write_batch_size(1024)
        .set_statistics_enabled(EnabledStatistics::Chunk);
    let parquet_schema = ArrowSchemaConverter::new().convert(columns)?;
    for leaf in parquet_schema.columns() {
        let path = leaf.path().clone();
        builder = builder.set_column_statistics_enabled(path.clone(), statistics(leaf));
        if is_incompressible(leaf) {
            builder = builder.set_column_compression(path.clone(), Compression::UNCOMPRESSED);
        }
        if is_plain(signal, leaf) {
            builder = builder.set_column_dictionary_enabled(path.clone(), false);
        }
        // Lengths by themselves do not come between texts that are alike.
        if root(leaf) == column::BODY {
            builder = builder.set_column_encoding(path.clone(), Encoding::DELTA_LENGTH_BYTE_ARRAY);
        }
        // Numbers of a small set: of others, whoever reads a few rows would read a large dictionary.
        if is_promoted(root(leaf)) && leaf.physical_type() == Type::INT64 {
            builder = builder.set_column_dictionary_page_size_limit(path.clone(), TRIAL_BYTES);
        }
        if is_delta(leaf) {
            builder = builder.set_column_dictionary_enabled(path.clone(), false).set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
        }
    }
    Ok(builder.build())
}

/// The level at which pages are compressed.
pub(super) fn zstd_level(properties: &WriterProperties) -> i32 {
    match properties.compression(&ColumnPath::from(column::NAME)) {
        Compression::ZSTD(level) => level.compression_level(),
        _ => 1,
    }
}

fn root(leaf: &ColumnDescriptor) -> &str {
    leaf.path().parts().first().map_or("", String::as_str)
}

fn statistics(leaf: &ColumnDescriptor) -> EnabledStatistics {
    use column::*;
    match root(leaf) {
        EVENTS | LINKS | BODY | BODY_ANY | RESOURCE | SCOPE | ORDER => EnabledStatistics::None,
        name if is_promoted(name) && matches!(leaf.physical_type(), Type::INT64 | Type::DOUBLE) => EnabledStatistics::Page,
        _ if leaf.path().parts().len() > 1 => EnabledStatistics::None,
        _ => EnabledStatistics::Chunk,
    }
}

fn is_plain(signal: Signal, leaf: &ColumnDescriptor) -> bool {
    use column::*;
    match root(leaf) {
        SPAN_ID | PARENT_SPAN_ID | BODY | EVENTS => true,
        TRACE_ID => signal == Signal::Logs,
        ATTR_DBL | ATTR_BOOL => leaf.name() == "value",
        name if is_promoted(name) => matches!(leaf.physical_type(), Type::DOUBLE | Type::BOOLEAN),
        _ => false,
    }
}

/// Values without pattern, and numbers from a small set. Not text from senders: a dictionary of it may grow without bound.
fn is_incompressible(leaf: &ColumnDescriptor) -> bool {
    use column::*;
    is_delta(leaf)
        || match root(leaf) {
            SPAN_ID | KIND | STATUS_CODE | FLAGS | DROPPED_ATTRIBUTES | DROPPED_EVENTS | DROPPED_LINKS | PEER_KIND | SEVERITY_NUMBER => {
                true
            }
            ATTR_DBL | ATTR_BOOL => leaf.name() == "value",
            _ => false,
        }
}

fn is_delta(leaf: &ColumnDescriptor) -> bool {
    use column::*;
    leaf.physical_type() == Type::INT64
        && matches!(root(leaf), START_TIME | END_TIME | DURATION | TIME | TIME_UNIX_NANO | OBSERVED_TIME | RECORD_ID)
}
