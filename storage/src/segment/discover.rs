//! What a Parquet file says of itself, for want of a manifest.

use parquet::file::metadata::{ParquetMetaDataReader, RowGroupMetaData};

use crate::files::Place;

use super::checked::CheckedFile;
use super::file::SharedFile;
use super::origin::{Origin, Part, Recorded};

/// Reads the footer of a segment's Parquet file of so many bytes, checked against the checksums of its blocks when there are any. The error says why it
/// is none.
pub(crate) fn discover(path: &Place, len: u64, blocks: Option<&[u8]>) -> Result<(Recorded, Origin, Option<Part>), String> {
    let file = SharedFile::open(path).map_err(|error| format!("it cannot be opened: {error}"))?.first(len);
    let file = match blocks {
        Some(blocks) => CheckedFile::new(file, blocks).map_err(|error| error.to_string())?,
        None => CheckedFile::unchecked(file),
    };
    let metadata = ParquetMetaDataReader::new().parse_and_finish(&file).map_err(|error| format!("its footer cannot be read: {error}"))?;
    let pairs = metadata.file_metadata().key_value_metadata();
    let recorded = Recorded::from_metadata(pairs).ok_or("its footer does not say which segment it is")?;
    let rows: i64 = metadata.row_groups().iter().map(RowGroupMetaData::num_rows).sum();
    if u64::try_from(rows) != Ok(recorded.rows) {
        return Err(format!("it has {rows} rows, its footer says {}", recorded.rows));
    }
    let (origin, part) = Origin::from_metadata(pairs);
    Ok((recorded, origin, part))
}
