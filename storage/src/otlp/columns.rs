//! Builds columns whose texts and bytes point into the request they came in.
//!
//! Owns views, their buffers, and the repair of text that is not UTF-8. Block 0 is the request; block 1 holds what is not in it as such.

use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryViewArray, FixedSizeBinaryArray, NullBufferBuilder, StringViewArray, UInt32Array};
use arrow::buffer::{Buffer, NullBuffer, ScalarBuffer};
use arrow::compute::take;
use arrow::error::ArrowError;
use bytes::Bytes;

use super::absent;
use super::distinct::distinct;
use super::view::make_view;
use super::wire::Blob;
use crate::spread::place_of_text;

/// Where bytes lie: in the request or beside it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Piece {
    pub(super) block: u32,
    pub(super) at: u32,
    pub(super) len: u32,
}

/// The request, and bytes beside it.
#[derive(Debug)]
pub(super) struct Source<'a> {
    pub(super) payload: &'a [u8],
    side: Vec<u8>,
    /// Texts that came lately, by a hash that costs next to nothing.
    recent: Vec<Piece>,
}

/// A column of texts or bytes.
#[derive(Debug)]
pub(super) struct Views {
    views: Vec<u128>,
    nulls: NullBufferBuilder,
    /// Rows without a value before the first one with one: most columns have nothing else, and take no memory.
    absent: usize,
    /// How many rows there is to be room for.
    room: usize,
}

/// A column of ids.
#[derive(Debug)]
pub(super) struct Ids<const N: usize> {
    bytes: Vec<u8>,
    nulls: NullBufferBuilder,
}

/// The blocks that views point into, and how many texts had to be repaired.
#[derive(Debug)]
pub(super) struct Blocks {
    buffers: Arc<[Buffer]>,
    pub(super) repaired: u64,
}

// === impl Source ===

impl<'a> Source<'a> {
    pub(super) fn new(payload: &'a [u8]) -> Self {
        Self { payload, side: Vec::new(), recent: Vec::new() }
    }

    /// Keeps bytes beside the request.
    pub(super) fn keep(&mut self, bytes: &[u8]) -> Piece {
        let at = u32::try_from(self.side.len()).unwrap_or(u32::MAX);
        self.side.extend_from_slice(bytes);
        Piece { block: 1, at, len: u32::try_from(bytes.len()).unwrap_or(0) }
    }

    /// Whether views can still point to everything kept.
    pub(super) fn fits(&self) -> bool {
        u32::try_from(self.side.len()).is_ok()
    }

    pub(super) fn bytes(&self, piece: Piece) -> &[u8] {
        let block = if piece.block == 0 { self.payload } else { &self.side };
        let at = usize::try_from(piece.at).unwrap_or(usize::MAX);
        let end = at.saturating_add(usize::try_from(piece.len).unwrap_or(usize::MAX));
        block.get(at..end).unwrap_or_default()
    }

    /// The view of a piece.
    pub(super) fn view(&self, piece: Piece) -> u128 {
        make_view(self.bytes(piece), piece.block, piece.at)
    }

    /// The view of a piece, or that of an equal one that came lately: whoever sees equal views need not compare texts. Which of two equal
    /// pieces a view points at makes no difference to anything that is stored.
    #[inline]
    pub(super) fn shared(&mut self, piece: Piece) -> u128 {
        if piece.len <= INLINE_BYTES {
            return self.view(piece);
        }
        let bytes = self.bytes(piece);
        let slot = place_of_text(bytes, RECENT.ilog2());
        match self.recent.get(slot) {
            Some(known) if known.len == piece.len && self.bytes(*known) == bytes => return self.view(*known),
            Some(_) => {}
            None => self.recent.resize(RECENT, Piece::default()),
        }
        self.recent.get_mut(slot).into_iter().for_each(|known| *known = piece);
        self.view(piece)
    }

    /// Joins ranges of the request; one range is not copied.
    pub(super) fn join(&mut self, ranges: &[(u32, u32)]) -> Piece {
        match ranges {
            [] => Piece::default(),
            [(at, end)] => Piece { block: 0, at: *at, len: end - at },
            _ => {
                let at = u32::try_from(self.side.len()).unwrap_or(u32::MAX);
                for (start, end) in ranges {
                    let range = usize::try_from(*start).unwrap_or(0)..usize::try_from(*end).unwrap_or(0);
                    self.side.extend_from_slice(self.payload.get(range).unwrap_or_default());
                }
                Piece { block: 1, at, len: ranges.iter().map(|(start, end)| end - start).sum() }
            }
        }
    }

    pub(super) fn finish(self, payload: &Bytes) -> Blocks {
        let buffers = [Buffer::from(payload.clone()), Buffer::from_vec(self.side)];
        Blocks { buffers: Arc::from(buffers), repaired: 0 }
    }
}

/// Longer texts are not part of their views.
const INLINE_BYTES: u32 = 12;
/// A power of two.
const RECENT: usize = 512;

impl From<Blob<'_>> for Piece {
    fn from(blob: Blob<'_>) -> Self {
        Self { block: 0, at: blob.at, len: u32::try_from(blob.bytes.len()).unwrap_or(0) }
    }
}

/// The view of bytes of the request.
#[inline]
pub(super) fn view(blob: Blob<'_>) -> u128 {
    make_view(blob.bytes, 0, blob.at)
}

// === impl Views ===

impl Views {
    pub(super) fn with_room(rows: usize) -> Self {
        Self { views: Vec::new(), nulls: NullBufferBuilder::new(rows), absent: 0, room: rows }
    }

    #[inline]
    pub(super) fn push(&mut self, view: u128) {
        if self.views.is_empty() {
            self.begin();
        }
        self.views.push(view);
        self.nulls.append_non_null();
    }

    #[inline]
    pub(super) fn push_null(&mut self) {
        if self.views.is_empty() {
            self.absent += 1;
            return;
        }
        self.views.push(0);
        self.nulls.append_null();
    }

    /// Makes room, with the rows without a value that came before.
    fn begin(&mut self) {
        self.views.reserve(self.room.max(self.absent + 1));
        if self.absent > 0 {
            self.views.resize(self.absent, 0);
            self.nulls.append_n_nulls(self.absent);
        }
    }

    #[inline]
    pub(super) fn push_option(&mut self, view: Option<u128>) {
        match view {
            Some(view) => self.push(view),
            None => self.push_null(),
        }
    }

    /// Null when empty.
    #[inline]
    pub(super) fn push_non_empty(&mut self, blob: Blob<'_>) {
        if blob.bytes.is_empty() { self.push_null() } else { self.push(view(blob)) }
    }

    pub(super) fn texts(mut self, blocks: &mut Blocks) -> Result<ArrayRef, ArrowError> {
        if self.views.is_empty() {
            return Ok(absent::texts(self.absent));
        }
        let nulls = self.nulls.finish();
        blocks.texts(self.views, nulls)
    }

    /// Texts that stand elsewhere as well, where their repair is counted.
    pub(super) fn derived(self, blocks: &mut Blocks) -> Result<ArrayRef, ArrowError> {
        let counted = blocks.repaired;
        let array = self.texts(blocks);
        blocks.repaired = counted;
        array
    }

    pub(super) fn binaries(mut self, blocks: &Blocks) -> Result<ArrayRef, ArrowError> {
        if self.views.is_empty() {
            return Ok(absent::binaries(self.absent));
        }
        blocks.binaries(self.views, self.nulls.finish())
    }
}

// === impl Blocks ===

impl Blocks {
    pub(super) fn binaries(&self, views: Vec<u128>, nulls: Option<NullBuffer>) -> Result<ArrayRef, ArrowError> {
        Ok(Arc::new(BinaryViewArray::try_new(ScalarBuffer::from(views), Arc::clone(&self.buffers), nulls)?))
    }

    /// Arrow checks that all is UTF-8, each text once where they repeat; only when something is not does anybody look at every text.
    pub(super) fn texts(&mut self, views: Vec<u128>, nulls: Option<NullBuffer>) -> Result<ArrayRef, ArrowError> {
        let (distinct, places) = distinct(&views);
        if distinct.len() * 2 <= views.len()
            && let Ok(texts) = StringViewArray::try_new(ScalarBuffer::from(distinct), Arc::clone(&self.buffers), None)
        {
            return take(&texts, &UInt32Array::try_new(ScalarBuffer::from(places), nulls)?, None);
        }
        let views = ScalarBuffer::from(views);
        if let Ok(array) = StringViewArray::try_new(views.clone(), Arc::clone(&self.buffers), nulls.clone()) {
            return Ok(Arc::new(array));
        }
        let raw = BinaryViewArray::try_new(views.clone(), Arc::clone(&self.buffers), None)?;
        let block = u32::try_from(self.buffers.len()).unwrap_or(u32::MAX);
        let mut repaired = Vec::new();
        let mut fixed = Vec::with_capacity(views.len());
        for (row, view) in views.iter().enumerate() {
            let bytes = raw.value(row);
            if std::str::from_utf8(bytes).is_ok() {
                fixed.push(*view);
                continue;
            }
            self.repaired += 1;
            let text = String::from_utf8_lossy(bytes);
            let at = u32::try_from(repaired.len()).map_err(|_| ArrowError::MemoryError("too much text is not UTF-8".to_owned()))?;
            fixed.push(make_view(text.as_bytes(), block, at));
            repaired.extend_from_slice(text.as_bytes());
        }
        let buffers: Arc<[Buffer]> = self.buffers.iter().cloned().chain([Buffer::from_vec(repaired)]).collect();
        Ok(Arc::new(StringViewArray::try_new(ScalarBuffer::from(fixed), buffers, nulls)?))
    }
}

// === impl Ids ===

impl<const N: usize> Ids<N> {
    pub(super) fn with_room(rows: usize) -> Self {
        Self { bytes: Vec::with_capacity(rows * N), nulls: NullBufferBuilder::new(rows) }
    }

    pub(super) fn push(&mut self, id: Option<&[u8; N]>) {
        self.bytes.extend_from_slice(id.unwrap_or(&[0; N]));
        self.nulls.append(id.is_some());
    }

    pub(super) fn finish(mut self) -> Result<ArrayRef, ArrowError> {
        let size = i32::try_from(N).map_err(|error| ArrowError::CastError(error.to_string()))?;
        Ok(Arc::new(FixedSizeBinaryArray::try_new(size, Buffer::from_vec(self.bytes), self.nulls.finish())?))
    }
}
