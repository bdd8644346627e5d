//! Looks into encoded resources and values without decoding them whole.
//!
//! Owns a walk over protobuf fields that never fails: it ends where the bytes make no sense.

/// Arrays in arrays deeper than this are not looked into, neither by indexes nor by comparisons.
pub(crate) const MAX_DEPTH: usize = 8;

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Content<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32(u32),
}

/// The fields of a message in order.
#[derive(Clone, Debug)]
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
}

/// An `AnyValue` as far as it can be compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Any<'a> {
    Empty,
    Text(&'a str),
    Bool(bool),
    Int(i64),
    Double(f64),
    Bytes(&'a [u8]),
    /// The encoded `ArrayValue`.
    Array(&'a [u8]),
    /// The encoded `KeyValueList`.
    Map(&'a [u8]),
}

pub(crate) fn fields(message: &[u8]) -> Fields<'_> {
    Fields { rest: message }
}

impl<'a> Iterator for Fields<'a> {
    type Item = (u64, Content<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let key = varint(&mut self.rest)?;
        let content = match key & 7 {
            0 => Content::Varint(varint(&mut self.rest)?),
            1 => Content::Fixed64(u64::from_le_bytes(*self.take(8)?.first_chunk()?)),
            2 => {
                let length = usize::try_from(varint(&mut self.rest)?).ok()?;
                Content::Bytes(self.take(length)?)
            }
            5 => Content::Fixed32(u32::from_le_bytes(*self.take(4)?.first_chunk()?)),
            _ => return None,
        };
        Some((key >> 3, content))
    }
}

impl<'a> Fields<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }
}

/// Reads a number in groups of seven bits, the lowest first, from the front.
pub(crate) fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..70).step_by(7) {
        let (byte, tail) = rest.split_first()?;
        *rest = tail;
        if shift < 64 {
            value |= u64::from(byte & 0x7f) << shift;
        }
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// The attributes of the resource in an envelope, in order.
pub(crate) fn resource_attributes(envelope: &[u8]) -> impl Iterator<Item = (&str, &[u8])> {
    messages(envelope, 1).flat_map(|resource| messages(resource, 1)).filter_map(key_value)
}

/// The attributes of the scope in an envelope, in order.
pub(crate) fn scope_attributes(envelope: &[u8]) -> impl Iterator<Item = (&str, &[u8])> {
    messages(envelope, 1).flat_map(|scope| messages(scope, 3)).filter_map(key_value)
}

/// Name and version of the scope in an envelope; empty when it has none.
pub(crate) fn scope_name(envelope: &[u8]) -> (&str, &str) {
    let text = |number| messages(envelope, 1).flat_map(move |scope| messages(scope, number)).last().unwrap_or_default();
    (str::from_utf8(text(1)).unwrap_or_default(), str::from_utf8(text(2)).unwrap_or_default())
}

/// The attributes of all events in the column `events`.
pub(crate) fn event_attributes(events: &[u8]) -> impl Iterator<Item = (&str, &[u8])> {
    messages(events, 11).flat_map(|event| messages(event, 3)).filter_map(key_value)
}

/// The attributes of the events named `exception` in the column `events`.
pub(crate) fn exception_attributes(events: &[u8]) -> impl Iterator<Item = (&str, &[u8])> {
    let is_exception = |event: &&[u8]| messages(event, 2).last() == Some(b"exception".as_slice());
    messages(events, 11).filter(is_exception).flat_map(|event| messages(event, 3)).filter_map(key_value)
}

/// The attributes of all links in the column `links`.
pub(crate) fn link_attributes(links: &[u8]) -> impl Iterator<Item = (&str, &[u8])> {
    messages(links, 13).flat_map(|link| messages(link, 4)).filter_map(key_value)
}

/// Trace and span id of each link in the column `links`, as sent.
pub(crate) fn link_ids(links: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let id = |link, number| messages(link, number).last().unwrap_or_default();
    messages(links, 13).map(move |link| (id(link, 1), id(link, 2)))
}

/// The elements of an encoded `ArrayValue`.
pub(crate) fn elements(array: &[u8]) -> impl Iterator<Item = &[u8]> {
    messages(array, 1)
}

/// The entries of an encoded `KeyValueList`.
pub(crate) fn entries(map: &[u8]) -> impl Iterator<Item = (&str, &[u8])> {
    messages(map, 1).filter_map(key_value)
}

/// Reads an encoded `AnyValue`.
pub(crate) fn any(value: &[u8]) -> Any<'_> {
    let read = |(number, content)| {
        Some(match (number, content) {
            (1, Content::Bytes(text)) => Any::Text(str::from_utf8(text).ok()?),
            (2, Content::Varint(flag)) => Any::Bool(flag != 0),
            (3, Content::Varint(number)) => Any::Int(number.cast_signed()),
            (4, Content::Fixed64(bits)) => Any::Double(f64::from_bits(bits)),
            (5, Content::Bytes(array)) => Any::Array(array),
            (6, Content::Bytes(map)) => Any::Map(map),
            (7, Content::Bytes(bytes)) => Any::Bytes(bytes),
            _ => return None,
        })
    };
    fields(value).filter_map(read).last().unwrap_or(Any::Empty)
}

fn messages(message: &[u8], number: u64) -> impl Iterator<Item = &[u8]> {
    fields(message).filter_map(move |field| match field {
        (found, Content::Bytes(bytes)) if found == number => Some(bytes),
        _ => None,
    })
}

fn key_value(message: &[u8]) -> Option<(&str, &[u8])> {
    let key = messages(message, 1).last().unwrap_or_default();
    Some((str::from_utf8(key).ok()?, messages(message, 2).last().unwrap_or_default()))
}
