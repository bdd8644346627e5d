//! Protobuf written front to back, though a message's length stands before it.
//!
//! Messages are written without their lengths, which are kept apart; [`Writer::finish`] weaves them in. Every byte is copied
//! once more, and the encoding is the canonical one.

/// Protobuf under way.
#[derive(Debug)]
pub(super) struct Writer {
    raw: Vec<u8>,
    /// Where lengths belong in `raw`, in order, and what they are.
    lengths: Vec<(usize, usize)>,
}

/// A message that was opened.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opened {
    index: usize,
    start: usize,
}

/// A place to go back to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    raw: usize,
    lengths: usize,
}

// === impl Writer ===

impl Writer {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self { raw: Vec::with_capacity(bytes), lengths: Vec::new() }
    }

    pub(super) fn mark(&self) -> Mark {
        Mark { raw: self.raw.len(), lengths: self.lengths.len() }
    }

    pub(super) fn undo(&mut self, mark: Mark) {
        self.raw.truncate(mark.raw);
        self.lengths.truncate(mark.lengths);
    }

    pub(super) fn open(&mut self, number: u32) -> Opened {
        self.tag(number, LENGTH_DELIMITED);
        self.lengths.push((self.raw.len(), 0));
        Opened { index: self.lengths.len() - 1, start: self.raw.len() }
    }

    /// `inner` is what [`Self::close`] gave for all messages within; gives what this one adds to the one around it.
    pub(super) fn close(&mut self, opened: Opened, inner: usize) -> usize {
        let length = self.raw.len() - opened.start + inner;
        if let Some(slot) = self.lengths.get_mut(opened.index) {
            slot.1 = length;
        }
        inner + varint_len(length as u64)
    }

    pub(super) fn varint(&mut self, number: u32, value: u64) {
        self.tag(number, VARINT);
        put_varint(&mut self.raw, value);
    }

    pub(super) fn fixed32(&mut self, number: u32, value: u32) {
        self.tag(number, FIXED32);
        self.raw.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn fixed64(&mut self, number: u32, value: u64) {
        self.tag(number, FIXED64);
        self.raw.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn bytes(&mut self, number: u32, value: &[u8]) {
        self.tag(number, LENGTH_DELIMITED);
        put_varint(&mut self.raw, value.len() as u64);
        self.raw.extend_from_slice(value);
    }

    pub(super) fn finish(self) -> Vec<u8> {
        if self.lengths.is_empty() {
            return self.raw;
        }
        let extra: usize = self.lengths.iter().map(|(_, length)| varint_len(*length as u64)).sum();
        let mut out = Vec::with_capacity(self.raw.len() + extra);
        let mut copied = 0;
        for (at, length) in &self.lengths {
            out.extend_from_slice(self.raw.get(copied..*at).unwrap_or_default());
            put_varint(&mut out, *length as u64);
            copied = *at;
        }
        out.extend_from_slice(self.raw.get(copied..).unwrap_or_default());
        out
    }

    fn tag(&mut self, number: u32, wire_type: u32) {
        put_varint(&mut self.raw, u64::from(number << 3 | wire_type));
    }
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

fn varint_len(value: u64) -> usize {
    let bits = (u64::BITS - value.leading_zeros()).max(1);
    usize::try_from(bits.div_ceil(7)).unwrap_or(10)
}

const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const LENGTH_DELIMITED: u32 = 2;
const FIXED32: u32 = 5;
