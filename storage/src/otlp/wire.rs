//! Reads the protobuf wire format, one field at a time, without copying and without recursion.
//!
//! Owns tags, varints, lengths and groups. Knows no message of OTLP.

use std::fmt;

/// Bytes inside a buffer, and where they begin in it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Blob<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) at: u32,
}

/// One field of a message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field<'a> {
    pub(crate) number: u32,
    /// Where its tag begins.
    pub(crate) start: u32,
    /// Where the next field begins.
    pub(crate) end: u32,
    wire: Wire<'a>,
    message: &'static str,
}

#[derive(Clone, Copy, Debug)]
enum Wire<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Bytes(Blob<'a>),
    Group,
}

/// What is wrong with the bytes, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WireError {
    pub(crate) offset: u32,
    pub(crate) message: &'static str,
    pub(crate) field: u32,
    pub(crate) reason: &'static str,
}

/// The rest of a message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
    end: u32,
    message: &'static str,
}

// === impl Cursor ===

impl<'a> Cursor<'a> {
    /// Reads `blob` as the message type `message`, a word for errors only.
    pub(crate) fn new(message: &'static str, blob: Blob<'a>) -> Self {
        Self { rest: blob.bytes, end: blob.at.saturating_add(len32(blob.bytes)), message }
    }

    /// Where the next field begins.
    pub(crate) fn offset(&self) -> u32 {
        self.end.saturating_sub(len32(self.rest))
    }

    /// The bytes not yet read.
    pub(crate) fn rest(&self) -> Blob<'a> {
        Blob { bytes: self.rest, at: self.offset() }
    }

    /// The next field, or `None` at the end of the message.
    #[inline]
    pub(crate) fn next(&mut self) -> Result<Option<Field<'a>>, WireError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let start = self.offset();
        let (number, wire_type) = self.tag()?;
        let wire = match wire_type {
            0 => Wire::Varint(self.varint(number)?),
            1 => Wire::Fixed64(u64::from_le_bytes(self.array(number)?)),
            2 => Wire::Bytes(self.bytes(number)?),
            3 => {
                self.skip_group(number)?;
                Wire::Group
            }
            4 => return Err(self.error(number, "a group ends that did not begin")),
            5 => Wire::Fixed32(u32::from_le_bytes(self.array(number)?)),
            _ => return Err(self.error(number, "the wire type is not one that exists")),
        };
        Ok(Some(Field { number, start, end: self.offset(), wire, message: self.message }))
    }

    #[inline]
    fn tag(&mut self) -> Result<(u32, u8), WireError> {
        let key = self.varint(0)?;
        let Ok(key) = u32::try_from(key) else { return Err(self.error(0, "the tag is out of range")) };
        if key >> 3 == 0 {
            return Err(self.error(0, "the field number is zero"));
        }
        Ok((key >> 3, (key & 7).to_le_bytes()[0]))
    }

    #[inline]
    fn varint(&mut self, number: u32) -> Result<u64, WireError> {
        if let Some((&byte, rest)) = self.rest.split_first()
            && byte < 0x80
        {
            self.rest = rest;
            return Ok(u64::from(byte));
        }
        self.long_varint(number)
    }

    fn long_varint(&mut self, number: u32) -> Result<u64, WireError> {
        let mut value = 0;
        for place in 0..10 {
            let Some((&byte, rest)) = self.rest.split_first() else { return Err(self.error(number, "a number is cut off")) };
            self.rest = rest;
            value |= u64::from(byte & 0x7f) << (place * 7);
            if byte < 0x80 {
                if place == 9 && byte > 1 {
                    break;
                }
                return Ok(value);
            }
        }
        Err(self.error(number, "a number does not fit 64 bits"))
    }

    #[inline]
    fn array<const N: usize>(&mut self, number: u32) -> Result<[u8; N], WireError> {
        let Some((array, rest)) = self.rest.split_first_chunk::<N>() else {
            return Err(self.error(number, "a fixed-size number is cut off"));
        };
        self.rest = rest;
        Ok(*array)
    }

    #[inline]
    fn bytes(&mut self, number: u32) -> Result<Blob<'a>, WireError> {
        let length = self.varint(number)?;
        let at = self.offset();
        let split = usize::try_from(length).ok().and_then(|length| self.rest.split_at_checked(length));
        let Some((bytes, rest)) = split else { return Err(self.error(number, "it ends beyond the message that holds it")) };
        self.rest = rest;
        Ok(Blob { bytes, at })
    }

    /// Skips an unknown group, and the groups inside it, with a stack of its own.
    fn skip_group(&mut self, number: u32) -> Result<(), WireError> {
        let mut open = vec![number];
        while let Some(&innermost) = open.last() {
            if self.rest.is_empty() {
                return Err(self.error(innermost, "a group does not end"));
            }
            let (number, wire_type) = self.tag()?;
            match wire_type {
                0 => drop(self.varint(number)?),
                1 => drop(self.array::<8>(number)?),
                2 => drop(self.bytes(number)?),
                3 => open.push(number),
                4 if number == innermost => drop(open.pop()),
                4 => return Err(self.error(number, "a group ends that did not begin")),
                5 => drop(self.array::<4>(number)?),
                _ => return Err(self.error(number, "the wire type is not one that exists")),
            }
        }
        Ok(())
    }

    #[cold]
    fn error(&self, field: u32, reason: &'static str) -> WireError {
        WireError { offset: self.offset(), message: self.message, field, reason }
    }
}

// === impl Field ===

impl<'a> Field<'a> {
    /// The content of a text, bytes or message field.
    #[inline]
    pub(crate) fn blob(&self) -> Result<Blob<'a>, WireError> {
        match self.wire {
            Wire::Bytes(blob) => Ok(blob),
            _ => Err(self.mismatch()),
        }
    }

    /// The number of a varint field.
    #[inline]
    pub(crate) fn varint(&self) -> Result<u64, WireError> {
        match self.wire {
            Wire::Varint(number) => Ok(number),
            _ => Err(self.mismatch()),
        }
    }

    /// The low 32 bits of a varint field, as protobuf reads `uint32`.
    #[inline]
    pub(crate) fn uint32(&self) -> Result<u32, WireError> {
        self.varint().map(low32)
    }

    /// The low 32 bits of a varint field, as protobuf reads `int32` and enumerations.
    #[inline]
    pub(crate) fn int32(&self) -> Result<i32, WireError> {
        self.uint32().map(u32::cast_signed)
    }

    /// The bits of a 64-bit fixed-size field.
    #[inline]
    pub(crate) fn fixed64(&self) -> Result<u64, WireError> {
        match self.wire {
            Wire::Fixed64(number) => Ok(number),
            _ => Err(self.mismatch()),
        }
    }

    /// The bits of a 32-bit fixed-size field.
    #[inline]
    pub(crate) fn fixed32(&self) -> Result<u32, WireError> {
        match self.wire {
            Wire::Fixed32(number) => Ok(number),
            _ => Err(self.mismatch()),
        }
    }

    #[cold]
    fn mismatch(&self) -> WireError {
        WireError { offset: self.start, message: self.message, field: self.number, reason: "the wire type does not suit the field" }
    }
}

// === impl Blob ===

impl<'a> Blob<'a> {
    /// A whole buffer.
    pub(crate) fn whole(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {} in {}", self.offset, self.message)?;
        if self.field != 0 {
            write!(f, " field {}", self.field)?;
        }
        write!(f, ": {}", self.reason)
    }
}

fn low32(value: u64) -> u32 {
    u32::try_from(value & 0xffff_ffff).unwrap_or(u32::MAX)
}

/// Callers have checked that whole payloads fit.
fn len32(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}
