//! `EntityRef`, which the store keeps as encoded protobuf.

use serde::Serialize;

/// A reference to an entity that a resource belongs to.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EntityRef {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) schema_url: String,
    #[serde(rename = "type", skip_serializing_if = "String::is_empty")]
    pub(super) kind: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) id_keys: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) description_keys: Vec<String>,
}

impl EntityRef {
    /// Reads fields 1 to 4, all text; skips others, and ends at the first byte that is not protobuf.
    pub(super) fn decode(mut message: &[u8]) -> Self {
        let mut entity = Self::default();
        while let Some((field, content, rest)) = next_field(message) {
            let text = || String::from_utf8_lossy(content).into_owned();
            match field {
                1 => entity.schema_url = text(),
                2 => entity.kind = text(),
                3 => entity.id_keys.push(text()),
                4 => entity.description_keys.push(text()),
                _ => {}
            }
            message = rest;
        }
        entity
    }
}

/// Field number, content (empty unless length-delimited) and what follows.
fn next_field(message: &[u8]) -> Option<(u64, &[u8], &[u8])> {
    let (tag, rest) = varint(message)?;
    let (content, rest) = match tag & 7 {
        0 => (&[][..], varint(rest)?.1),
        1 => (&[][..], rest.get(8..)?),
        2 => {
            let (length, rest) = varint(rest)?;
            rest.split_at_checked(usize::try_from(length).ok()?)?
        }
        5 => (&[][..], rest.get(4..)?),
        _ => return None,
    };
    Some((tag >> 3, content, rest))
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0;
    for (place, byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Some((value, bytes.get(place + 1..)?));
        }
    }
    None
}
