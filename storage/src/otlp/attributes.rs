//! Attributes of one record: read from the wire, then spread over one map per type.
//!
//! Owns what the type of a value is, and which keys occur more than once.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array};
use arrow::error::ArrowError;

use super::columns::{Blocks, Piece, Source};
use super::maps::Maps;
use super::shape::{Shape, Walker};
use super::wire::{Blob, Cursor, WireError};

/// Up to so many attributes, comparing each with each beats sorting.
const FEW: usize = 24;
/// Texts of a row that room is made for.
const TEXTS: usize = 4;

/// One attribute as sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attribute<'a> {
    pub(super) key: Blob<'a>,
    /// The encoded `AnyValue`.
    any: Piece,
    pub(super) value: Scalar,
    repeated: bool,
}

/// What a value is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Scalar {
    Text(Piece),
    Int(i64),
    Double(f64),
    Bool(bool),
    /// Bytes, arrays, maps, nothing.
    Other,
}

/// The five map columns.
#[derive(Debug)]
pub(super) struct AttributeColumns {
    texts: Maps<u128>,
    ints: Maps<i64>,
    doubles: Maps<f64>,
    bools: Maps<bool>,
    any: Maps<u128>,
    order: Vec<usize>,
    /// Texts among `any` that are not UTF-8.
    wrong_texts: u64,
}

/// Reads one `KeyValue`.
#[inline]
pub(super) fn key_value<'a>(blob: Blob<'a>, source: &mut Source<'a>, walker: &mut Walker) -> Result<Attribute<'a>, WireError> {
    plain_key_value(blob).map_or_else(|| any_key_value(blob, source, walker), Ok)
}

/// Reads a short `KeyValue` as SDKs write it: the key, then a value with one member that is a text or a number, and nothing else. `None` for
/// any other.
fn plain_key_value(blob: Blob<'_>) -> Option<Attribute<'_>> {
    let (&[KEY, key_len @ 0..=SHORT], rest) = blob.bytes.split_first_chunk()? else { return None };
    let (key, rest) = rest.split_at_checked(usize::from(key_len))?;
    let (&[VALUE, any_len @ 0..=SHORT], any) = rest.split_first_chunk()? else { return None };
    if any.len() != usize::from(any_len) {
        return None;
    }
    let at = blob.at + 4 + u32::from(key_len);
    let value = match any {
        [TEXT, len @ 0..=SHORT, text @ ..] if text.len() == usize::from(*len) => {
            Scalar::Text(Piece { block: 0, at: at + 2, len: u32::from(*len) })
        }
        [BOOL, flag @ 0..=1] => Scalar::Bool(*flag == 1),
        [INT, number @ 0..=SHORT] => Scalar::Int(i64::from(*number)),
        [INT, low @ 0x80..=0xff, high @ 1..=SHORT] => Scalar::Int(i64::from(*low & SHORT) | i64::from(*high) << 7),
        [DOUBLE, bytes @ ..] => Scalar::Double(f64::from_le_bytes(bytes.try_into().ok()?)),
        _ => return None,
    };
    let any = Piece { block: 0, at, len: u32::from(any_len) };
    Some(Attribute { key: Blob { bytes: key, at: blob.at + 2 }, any, value, repeated: false })
}

/// Tags of `KeyValue`: field number and wire type.
const KEY: u8 = 0x0a;
const VALUE: u8 = 0x12;
/// Tags of `AnyValue`.
const TEXT: u8 = 0x0a;
const BOOL: u8 = 0x10;
const INT: u8 = 0x18;
const DOUBLE: u8 = 0x21;
/// The largest number of one byte.
const SHORT: u8 = 0x7f;

fn any_key_value<'a>(blob: Blob<'a>, source: &mut Source<'a>, walker: &mut Walker) -> Result<Attribute<'a>, WireError> {
    let mut cursor = Cursor::new("KeyValue", blob);
    let mut key = Blob { bytes: &[], at: blob.at };
    let mut value: Option<Blob<'a>> = None;
    let mut merged: Vec<u8> = Vec::new();
    let mut parts = 0;
    while let Some(field) = cursor.next()? {
        match field.number {
            1 => key = field.blob()?,
            2 => {
                let part = field.blob()?;
                parts += 1;
                if parts == 2 {
                    merged.extend_from_slice(value.unwrap_or_default().bytes);
                }
                if parts > 1 {
                    merged.extend_from_slice(part.bytes);
                }
                value = Some(part);
            }
            3 => walker.oddities.profiles += u64::from(field.varint()? != 0),
            _ => {}
        }
    }
    let (any, value) = if parts > 1 {
        let any = source.keep(&merged);
        (any, scalar(any.block, Blob { bytes: &merged, at: any.at }, walker)?)
    } else {
        let value = value.unwrap_or(Blob { bytes: &[], at: blob.at });
        (Piece::from(value), scalar(0, value, walker)?)
    };
    Ok(Attribute { key, any, value, repeated: false })
}

/// Reads an `AnyValue` as far as columns need it, and checks the rest.
pub(super) fn scalar(block: u32, blob: Blob<'_>, walker: &mut Walker) -> Result<Scalar, WireError> {
    let mut cursor = Cursor::new("AnyValue", blob);
    let mut value = Scalar::Other;
    let mut nested = false;
    let (before, mut member) = (walker.oddities, 0);
    while let Some(field) = cursor.next()? {
        walker.member(&mut member, field.number);
        match field.number {
            1 => value = Scalar::Text(Piece { block, ..Piece::from(field.blob()?) }),
            2 => value = Scalar::Bool(field.varint()? != 0),
            3 => value = Scalar::Int(field.varint()?.cast_signed()),
            4 => value = Scalar::Double(f64::from_bits(field.fixed64()?)),
            5 | 6 => {
                field.blob()?;
                nested = true;
                value = Scalar::Other;
            }
            7 => {
                field.blob()?;
                value = Scalar::Other;
            }
            8 => {
                walker.oddities.profiles += u64::from(field.varint()? != 0);
                value = Scalar::Other;
            }
            _ => {}
        }
    }
    if nested {
        // The walk notes again what was noted here.
        walker.oddities = before;
        walker.walk(Shape::AnyValue, blob)?;
    }
    Ok(value)
}

// === impl AttributeColumns ===

impl AttributeColumns {
    pub(super) fn with_room(rows: usize) -> Self {
        Self {
            texts: Maps::with_room(rows, rows * TEXTS),
            ints: Maps::with_room(rows, 0),
            doubles: Maps::with_room(rows, 0),
            bools: Maps::with_room(rows, 0),
            any: Maps::with_room(rows, 0),
            order: Vec::new(),
            wrong_texts: 0,
        }
    }

    /// Adds the attributes of the next row.
    pub(super) fn push(&mut self, attributes: &mut [Attribute<'_>], source: &mut Source<'_>) {
        self.mark_repeated(attributes);
        for attribute in attributes {
            let key = source.shared(Piece::from(attribute.key));
            match attribute.value {
                value if attribute.repeated => {
                    if let Scalar::Text(piece) = value {
                        self.wrong_texts += u64::from(std::str::from_utf8(source.bytes(piece)).is_err());
                    }
                    self.any.push(key, source.view(attribute.any));
                }
                Scalar::Text(piece) => self.texts.push(key, source.shared(piece)),
                Scalar::Int(number) => self.ints.push(key, number),
                Scalar::Double(number) => self.doubles.push(key, number),
                Scalar::Bool(is) => self.bools.push(key, is),
                Scalar::Other => self.any.push(key, source.view(attribute.any)),
            }
        }
        self.texts.end_row();
        self.ints.end_row();
        self.doubles.end_row();
        self.bools.end_row();
        self.any.end_row();
    }

    fn mark_repeated(&mut self, attributes: &mut [Attribute<'_>]) {
        if attributes.len() > FEW {
            return self.mark_repeated_of_many(attributes);
        }
        let mut rest = attributes;
        while let Some((first, others)) = rest.split_first_mut() {
            for other in others.iter_mut() {
                if first.key.bytes == other.key.bytes {
                    first.repeated = true;
                    other.repeated = true;
                }
            }
            rest = others;
        }
    }

    fn mark_repeated_of_many(&mut self, attributes: &mut [Attribute<'_>]) {
        let key = |place: usize| attributes.get(place).map(|attribute| attribute.key.bytes);
        self.order.clear();
        self.order.extend(0..attributes.len());
        self.order.sort_unstable_by_key(|place| key(*place));
        let mut repeated = Vec::new();
        for pair in self.order.windows(2) {
            if let [a, b] = pair
                && key(*a) == key(*b)
            {
                repeated.extend([*a, *b]);
            }
        }
        for place in repeated {
            if let Some(attribute) = attributes.get_mut(place) {
                attribute.repeated = true;
            }
        }
    }

    /// The columns in the schema's order.
    pub(super) fn finish(self, blocks: &mut Blocks) -> Result<[ArrayRef; 5], ArrowError> {
        blocks.repaired += self.wrong_texts;
        Ok([
            self.texts.finish(blocks, |blocks, views| blocks.texts(views, None))?,
            self.ints.finish(blocks, |_, values| Ok(Arc::new(Int64Array::from(values))))?,
            self.doubles.finish(blocks, |_, values| Ok(Arc::new(Float64Array::from(values))))?,
            self.bools.finish(blocks, |_, values| Ok(Arc::new(BooleanArray::from(values))))?,
            self.any.finish(blocks, |blocks, views| blocks.binaries(views, None))?,
        ])
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
    use prost::Message as _;

    use super::*;

    #[test]
    fn a_short_way_says_the_same_as_the_long_one() {
        let text = |bytes: usize| Value::StringValue("é".repeat(bytes / 2));
        let ints = [0, 1, 127, 128, 200, 16_383, 16_384, i64::MAX, -1].map(Value::IntValue);
        let others = [Value::BoolValue(true), Value::BoolValue(false), Value::DoubleValue(-0.5), Value::BytesValue(vec![1, 2]), text(0)];
        let texts = [2, 120, 122, 124, 126, 128, 130, 300].map(text);
        let mut short = 0;
        for value in ints.into_iter().chain(others).chain(texts).map(Some).chain([None]) {
            for key in ["", "http.request.method", &"k".repeat(127), &"k".repeat(128)] {
                let pair = KeyValue { key: key.to_owned(), value: Some(AnyValue { value: value.clone() }), ..KeyValue::default() };
                let mut bytes = vec![0; 7];
                pair.encode(&mut bytes).unwrap();
                let blob = Blob { bytes: &bytes[7..], at: 7 };
                let long = any_key_value(blob, &mut Source::new(&bytes), &mut Walker::default()).unwrap();
                if let Some(plain) = plain_key_value(blob) {
                    short += 1;
                    assert_eq!(format!("{plain:?}"), format!("{long:?}"));
                }
            }
        }
        assert!(short > 20, "{short}");
    }

    #[test]
    fn what_is_not_as_sdks_write_it_goes_the_long_way() {
        let not_plain: [&[u8]; 8] = [
            b"",
            b"\x0a\x01k",
            b"\x12\x02\x10\x01\x0a\x01k",
            b"\x0a\x01k\x12\x04\x10\x01\x10\x00",
            b"\x0a\x01k\x12\x02\x10\x02",
            b"\x0a\x01k\x12\x02\x10\x01\x18\x01",
            b"\x0a\x01k\x12\x03\x18\x80\x00",
            b"\x0a\x01k\x12\x03\x0a\x02v",
        ];
        for bytes in not_plain {
            assert!(plain_key_value(Blob::whole(bytes)).is_none(), "{bytes:?}");
        }
    }
}
