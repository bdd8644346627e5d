//! Pages of a column chunk as bytes: compressed, with their headers and levels.

use bytes::Bytes;
use parquet::basic::Compression;
use parquet::column::page::{CompressedPage, PageWriteSpec, PageWriter as _};
use parquet::errors::ParquetError;
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};

use super::hybrid;

/// Compresses pages.
pub(super) struct Press(zstd::bulk::Compressor<'static>);

// === impl Press ===

impl Press {
    /// For pages of this level.
    pub(super) fn new(level: i32) -> Result<Self, ParquetError> {
        Ok(Self(zstd::bulk::Compressor::new(level)?))
    }

    pub(super) fn press(&mut self, compression: Compression, body: Vec<u8>) -> Result<Bytes, ParquetError> {
        if compression == Compression::UNCOMPRESSED {
            return Ok(body.into());
        }
        Ok(self.0.compress(&body)?.into())
    }
}

impl std::fmt::Debug for Press {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Press")
    }
}

/// Appends a page with its header.
pub(super) fn append(page: CompressedPage, to: &mut Vec<u8>) -> Result<PageWriteSpec, ParquetError> {
    let mut sink = TrackedWrite::new(to);
    let written = SerializedPageWriter::new(&mut sink).write_page(page)?;
    sink.into_inner()?;
    Ok(written)
}

/// Appends the levels of a page, after their length.
pub(super) fn levels(levels: &[u8], most: i16, body: &mut Vec<u8>) {
    if most > 0 {
        let start = body.len();
        body.extend_from_slice(&[0; 4]);
        hybrid::encode(levels, hybrid::width(usize::from(most.unsigned_abs())), body);
        let length = u32::try_from(body.len() - start - 4).unwrap_or(u32::MAX);
        body.get_mut(start..start + 4).into_iter().for_each(|place| place.copy_from_slice(&length.to_le_bytes()));
    }
}
