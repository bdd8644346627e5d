//! The header of a page: Thrift's compact protocol, as far as it is needed.

use crate::encoded::varint;

/// What a page says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Header {
    /// 0 for data, 2 for a dictionary.
    pub(super) kind: u64,
    /// Bytes behind the header.
    pub(super) stored: usize,
    /// Values, those that are null included.
    pub(super) values: usize,
    pub(super) encoding: u64,
    /// How levels are encoded.
    pub(super) definition: u64,
    pub(super) repetition: u64,
}

pub(super) const DATA: u64 = 0;
pub(super) const DICTIONARY: u64 = 2;
/// Structures within structures: there are two in what this program writes.
const MAX_DEPTH: u32 = 4;

/// Reads a header; and what is behind it.
pub(super) fn read(bytes: &[u8]) -> Option<(Header, &[u8])> {
    let (mut header, mut rest) = (Header::default(), bytes);
    each_field(&mut rest, |field, of, rest| {
        match (field, of) {
            (1, I32) => header.kind = zigzag(rest)?,
            (3, I32) => header.stored = usize::try_from(zigzag(rest)?).ok()?,
            (5 | 7, STRUCT) => of_kind(&mut header, field, rest)?,
            _ => skip(of, rest, MAX_DEPTH)?,
        }
        Some(())
    })?;
    Some((header, rest))
}

fn of_kind(header: &mut Header, kind: u64, rest: &mut &[u8]) -> Option<()> {
    each_field(rest, |field, of, rest| {
        match (kind, field, of) {
            (_, 1, I32) => header.values = usize::try_from(zigzag(rest)?).ok()?,
            (_, 2, I32) => header.encoding = zigzag(rest)?,
            (5, 3, I32) => header.definition = zigzag(rest)?,
            (5, 4, I32) => header.repetition = zigzag(rest)?,
            _ => skip(of, rest, MAX_DEPTH)?,
        }
        Some(())
    })
}

/// Hands over the number and type of each field of a structure; the bytes begin with its value.
fn each_field(rest: &mut &[u8], mut each: impl FnMut(u64, u8, &mut &[u8]) -> Option<()>) -> Option<()> {
    let mut field = 0;
    loop {
        let byte = take(rest, 1)?.first().copied()?;
        if byte == 0 {
            return Some(());
        }
        field = match byte >> 4 {
            0 => zigzag(rest)?,
            delta => field + u64::from(delta),
        };
        each(field, byte & 0x0f, rest)?;
    }
}

fn skip(of: u8, rest: &mut &[u8], depth: u32) -> Option<()> {
    match of {
        TRUE | FALSE => {}
        BYTE => _ = take(rest, 1)?,
        I16 | I32 | I64 => _ = varint(rest)?,
        DOUBLE => _ = take(rest, 8)?,
        BINARY => {
            let length = usize::try_from(varint(rest)?).ok()?;
            take(rest, length)?;
        }
        STRUCT => {
            let depth = depth.checked_sub(1)?;
            each_field(rest, |_, of, rest| skip(of, rest, depth))?;
        }
        _ => return None,
    }
    Some(())
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (head, tail) = rest.split_at_checked(count)?;
    *rest = tail;
    Some(head)
}

/// A number that is not negative.
fn zigzag(rest: &mut &[u8]) -> Option<u64> {
    let number = varint(rest)?;
    (number & 1 == 0).then_some(number >> 1)
}

const TRUE: u8 = 1;
const FALSE: u8 = 2;
const BYTE: u8 = 3;
const I16: u8 = 4;
const I32: u8 = 5;
const I64: u8 = 6;
const DOUBLE: u8 = 7;
const BINARY: u8 = 8;
const STRUCT: u8 = 12;

#[cfg(test)]
mod tests {
    use super::*;

    /// A data page of 2,048 values and 300 bytes with statistics, as the format's description says.
    const PAGE: [u8; 29] = [
        0x15, 0x00, 0x15, 0xd8, 0x04, 0x15, 0xd8, 0x04, 0x2c, 0x15, 0x80, 0x20, 0x15, 0x10, 0x15, 0x06, 0x15, 0x06, 0x1c, 0x36, 0x04, 0x28,
        0x01, 0x61, 0x11, 0x00, 0x00, 0x00, 0x07,
    ];

    #[test]
    fn a_header_says_what_its_page_is() {
        let (header, rest) = read(&PAGE).unwrap();
        assert_eq!(header, Header { kind: DATA, stored: 300, values: 2_048, encoding: 8, definition: 3, repetition: 3 });
        assert_eq!(rest, [0x07]);
        for cut in 0..28 {
            assert_eq!(read(&PAGE[..cut]), None, "{cut}");
        }
        assert_eq!(read(&[0x19, 0x15, 0x00]), None, "a list, which no page has");
        assert_eq!(read(&[0x15, 0x01, 0x00]), None, "a negative number");
        assert_eq!(read(&[0x1c; 64]), None, "structures without end");
        assert_eq!(varint(&mut &[0xff; 11][..]), None);
    }
}
