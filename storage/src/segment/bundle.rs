//! The index bundle `<ulid>.idx`: named blobs with checksums behind one footer.
//!
//! Layout, little-endian: the blobs; the footer: per blob name length u16, name, offset u64, length u64, crc32c u32; then the tail of 24
//! bytes: blob count u32, footer length u32, crc32c of the footer u32, version u32, magic `TLINEIDX`.
//!
//! Some blobs are compressed as one zstd frame, when that makes them shorter: none of them begins like one otherwise.
//!
//! Everything in it can be made again from the Parquet file. Damage is noticed before a blob is used.

use std::io::{self, Write};

use crate::files::Place;

use super::file::{NewFile, SharedFile, SyncedFile};

/// A bundle being written.
#[derive(Debug)]
pub(crate) struct BundleWriter {
    out: NewFile,
    blobs: Vec<Blob>,
}

/// A blob being written piece by piece. It is there once it is finished.
#[derive(Debug)]
pub(crate) struct BlobWriter<'a> {
    bundle: &'a mut BundleWriter,
    blob: Blob,
}

/// An open bundle. Holds the footer; blobs are read when they are asked for.
#[derive(Clone, Debug)]
pub(crate) struct Bundle {
    file: SharedFile,
    blobs: Vec<Blob>,
}

/// Where a blob lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Blob {
    pub(crate) name: String,
    pub(crate) offset: u64,
    pub(crate) len: u64,
    pub(crate) crc: u32,
}

/// Written into new bundles; older ones than [`OLDEST_VERSION`] are treated as missing.
pub(crate) const VERSION: u32 = 1;
const OLDEST_VERSION: u32 = 1;
const MAGIC: &[u8; 8] = b"TLINEIDX";
const TAIL_BYTES: usize = 24;
const MAX_FOOTER_BYTES: u32 = 16 << 20;
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const PACK_LEVEL: i32 = 3;
const MAX_UNPACKED_BYTES: usize = 256 << 20;

// === impl BundleWriter ===

impl BundleWriter {
    pub(crate) fn create(path: Place) -> io::Result<Self> {
        Ok(Self { out: NewFile::create(path)?, blobs: Vec::new() })
    }

    pub(crate) fn add(&mut self, name: impl Into<String>, bytes: &[u8]) -> io::Result<()> {
        let offset = self.out.len();
        self.out.write_all(bytes)?;
        self.blobs.push(Blob { name: name.into(), offset, len: bytes.len() as u64, crc: crc32c::crc32c(bytes) });
        Ok(())
    }

    /// Begins a blob; nothing else is added until it is finished.
    pub(crate) fn begin(&mut self, name: impl Into<String>) -> BlobWriter<'_> {
        let blob = Blob { name: name.into(), offset: self.out.len(), len: 0, crc: 0 };
        BlobWriter { bundle: self, blob }
    }

    /// Adds a blob for [`Bundle::read_packed`].
    pub(super) fn add_packed(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let packed = zstd::bulk::compress(bytes, PACK_LEVEL)?;
        self.add(name, if packed.len() < bytes.len() { &packed } else { bytes })
    }

    pub(crate) fn finish(mut self) -> io::Result<SyncedFile> {
        let mut footer = Vec::with_capacity(self.blobs.len() * 48);
        for blob in &self.blobs {
            let name_len = u16::try_from(blob.name.len()).map_err(io::Error::other)?;
            footer.extend_from_slice(&name_len.to_le_bytes());
            footer.extend_from_slice(blob.name.as_bytes());
            footer.extend_from_slice(&blob.offset.to_le_bytes());
            footer.extend_from_slice(&blob.len.to_le_bytes());
            footer.extend_from_slice(&blob.crc.to_le_bytes());
        }
        let tail = [
            u32::try_from(self.blobs.len()).map_err(io::Error::other)?,
            u32::try_from(footer.len()).map_err(io::Error::other)?,
            crc32c::crc32c(&footer),
            VERSION,
        ];
        self.out.write_all(&footer)?;
        for number in tail {
            self.out.write_all(&number.to_le_bytes())?;
        }
        self.out.write_all(MAGIC)?;
        self.out.sync()
    }
}

// === impl BlobWriter ===

impl BlobWriter<'_> {
    pub(crate) fn finish(self) {
        self.bundle.blobs.push(self.blob);
    }
}

impl Write for BlobWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bundle.out.write_all(bytes)?;
        self.blob.crc = crc32c::crc32c_append(self.blob.crc, bytes);
        self.blob.len += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.bundle.out.flush()
    }
}

// === impl Bundle ===

impl Bundle {
    /// Opens a bundle and checks its footer.
    pub(crate) fn open(path: &Place, expected_len: u64) -> io::Result<Self> {
        let file = SharedFile::open(path)?;
        if file.len() != expected_len {
            return Err(damaged(format!("{} bytes long, {expected_len} expected", file.len())));
        }
        let tail_at = file.len().checked_sub(TAIL_BYTES as u64).ok_or_else(|| damaged("too short"))?;
        let tail = file.bytes_at(tail_at, TAIL_BYTES)?;
        let (numbers, magic) = tail.split_at(TAIL_BYTES - MAGIC.len());
        if magic != MAGIC {
            return Err(damaged("not an index bundle"));
        }
        let mut fields = Fields(numbers);
        let (count, footer_len, footer_crc, version) = (fields.u32()?, fields.u32()?, fields.u32()?, fields.u32()?);
        if !(OLDEST_VERSION..=VERSION).contains(&version) {
            return Err(damaged(format!("version {version} is not one of {OLDEST_VERSION} to {VERSION}")));
        }
        if footer_len > MAX_FOOTER_BYTES {
            return Err(damaged("footer too long"));
        }
        let footer_at = tail_at.checked_sub(u64::from(footer_len)).ok_or_else(|| damaged("footer longer than the file"))?;
        let footer = file.bytes_at(footer_at, footer_len as usize)?;
        if crc32c::crc32c(&footer) != footer_crc {
            return Err(damaged("checksum of the footer does not match"));
        }
        let mut fields = Fields(&footer);
        let blobs = (0..count).map(|_| fields.blob()).collect::<io::Result<Vec<_>>>()?;
        Ok(Self { file, blobs })
    }

    pub(crate) fn blobs(&self) -> &[Blob] {
        &self.blobs
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Blob> {
        self.blobs.iter().find(|blob| blob.name == name)
    }

    /// A whole blob, checked; `None` when there is none of that name.
    pub(crate) fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        self.find(name).map(|blob| self.read_blob(blob)).transpose()
    }

    /// A whole blob, checked, and decompressed where it was compressed: older versions did not.
    pub(super) fn read_packed(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        let Some(bytes) = self.read(name)? else { return Ok(None) };
        if !bytes.starts_with(&ZSTD_MAGIC) {
            return Ok(Some(bytes));
        }
        let length = zstd::zstd_safe::get_frame_content_size(&bytes).ok().flatten().and_then(|length| usize::try_from(length).ok());
        let length = length.filter(|length| *length <= MAX_UNPACKED_BYTES).ok_or_else(|| damaged(format!("{name} is too long")))?;
        zstd::bulk::decompress(&bytes, length).map(Some)
    }

    /// A whole blob, checked.
    pub(crate) fn read_blob(&self, blob: &Blob) -> io::Result<Vec<u8>> {
        let len = usize::try_from(blob.len).map_err(|_| damaged("blob too long"))?;
        let bytes = self.file.bytes_at(blob.offset, len)?;
        if crc32c::crc32c(&bytes) != blob.crc {
            return Err(damaged(format!("checksum of {} does not match", blob.name)));
        }
        Ok(bytes)
    }

    /// The file that holds the blobs.
    pub(crate) fn file(&self) -> &SharedFile {
        &self.file
    }
}

/// Takes numbers and names off the front of a footer.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, len: usize) -> io::Result<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(len).ok_or_else(|| damaged("footer ends early"))?;
        self.0 = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        self.take(N)?.try_into().map_err(|_| damaged("footer ends early"))
    }

    fn u32(&mut self) -> io::Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn blob(&mut self) -> io::Result<Blob> {
        let name_len = u16::from_le_bytes(self.array()?);
        let name = String::from_utf8(self.take(usize::from(name_len))?.to_vec()).map_err(|_| damaged("blob name is not text"))?;
        Ok(Blob { name, offset: u64::from_le_bytes(self.array()?), len: u64::from_le_bytes(self.array()?), crc: self.u32()? })
    }
}

pub(crate) fn damaged(detail: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, detail.into())
}
