//! The values that a column chunk's pages name by number, and those of them that are kept in memory.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use parquet::basic::Type;
use parquet::schema::types::ColumnDescriptor;
use ulid::Ulid;

use super::page::width_of;
use crate::kept::Kept;

/// A dictionary page, decompressed.
#[derive(Debug)]
pub(super) struct Dictionary {
    page: Bytes,
    values: Values,
}

#[derive(Debug)]
enum Values {
    /// So many bytes each.
    Fixed(usize),
    /// Where each ends; the next is behind four bytes for its length.
    Long(Vec<u32>),
}

/// A column chunk: of which segment, row group and leaf.
pub(super) type Chunk = (Ulid, usize, usize);

/// Dictionaries that were read, the latest used ones.
#[derive(Debug)]
pub(crate) struct Dictionaries(Mutex<Kept<Chunk, Arc<Dictionary>>>);

/// About a hundred row groups of log records.
const MAX_BYTES: usize = 8 << 20;
/// Larger ones are read again each time: few would take the room of all others.
const MAX_KEPT_BYTES: usize = 64 << 10;

// === impl Dictionary ===

impl Dictionary {
    /// `None` when the page is not what it should be.
    pub(super) fn new(column: &ColumnDescriptor, page: Bytes, count: usize) -> Option<Self> {
        if column.physical_type() != Type::BYTE_ARRAY {
            return Some(Self { page, values: Values::Fixed(width_of(column)?) });
        }
        let mut ends = Vec::with_capacity(count.min(page.len() / 4));
        let mut end = 0_usize;
        for _ in 0..count {
            let length = page.get(end..)?.first_chunk::<4>()?;
            end = end.checked_add(4)?.checked_add(u32::from_le_bytes(*length) as usize)?;
            ends.push(u32::try_from(end).ok()?);
        }
        (end <= page.len()).then_some(Self { page, values: Values::Long(ends) })
    }

    /// The value with a number.
    #[inline]
    pub(super) fn value(&self, number: u32) -> Option<&[u8]> {
        let number = number as usize;
        match &self.values {
            Values::Fixed(width) => self.page.get(number * width..(number + 1) * width),
            Values::Long(ends) => {
                let start = number.checked_sub(1).map_or(Some(0), |before| ends.get(before).copied())? as usize + 4;
                self.page.get(start..*ends.get(number)? as usize)
            }
        }
    }

    /// How many values there are.
    pub(super) fn count(&self) -> u32 {
        let count = match &self.values {
            Values::Fixed(width) => self.page.len() / width.max(&1),
            Values::Long(ends) => ends.len(),
        };
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// Whether it is so small that no value can have been left out of it.
    pub(super) fn is_whole(&self) -> bool {
        self.page.len() < super::super::coded::TRIAL_BYTES
    }

    /// The only value there is, when no value can have been left out.
    pub(super) fn only_value(&self) -> Option<&[u8]> {
        if self.count() == 1 && self.is_whole() { self.value(0) } else { None }
    }

    #[cfg(test)]
    pub(super) fn page(&self) -> &Bytes {
        &self.page
    }

    fn memory(&self) -> usize {
        let ends = if let Values::Long(ends) = &self.values { ends.capacity() * size_of::<u32>() } else { 0 };
        self.page.len() + ends + size_of::<Self>()
    }
}

// === impl Dictionaries ===

impl Default for Dictionaries {
    fn default() -> Self {
        Self(Mutex::new(Kept::new(MAX_BYTES)))
    }
}

impl Dictionaries {
    pub(super) fn get(&self, chunk: Chunk) -> Option<Arc<Dictionary>> {
        self.0.lock().get(&chunk)
    }

    pub(super) fn put(&self, chunk: Chunk, dictionary: &Arc<Dictionary>) {
        let bytes = dictionary.memory();
        if bytes <= MAX_KEPT_BYTES {
            self.0.lock().put(chunk, dictionary.clone(), bytes);
        }
    }

    /// Bytes that are kept, and that may be.
    pub(crate) fn memory(&self) -> (usize, usize) {
        self.0.lock().memory()
    }

    /// Keeps nothing of what there is.
    pub(crate) fn clear(&self) {
        self.0.lock().clear();
    }
}
