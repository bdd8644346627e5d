//! Checks the messages that are stored as sent: every byte is walked, no value is built, nothing recurses.
//!
//! Owns which fields the nested messages of OTLP have. A value nested deeper than [`MAX_NESTING`] is not entered, neither here nor when
//! it is read.

use super::wire::{Blob, Cursor, Field, WireError};

/// Arrays and maps inside each other, beyond which a value reads as `…`.
pub(crate) const MAX_NESTING: usize = 128;

/// The last field of the one that `AnyValue` may have.
const LAST_MEMBER: u32 = 8;

/// A message type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    AnyValue,
    Array,
    Map,
    KeyValue,
    Event,
    Link,
    Resource,
    EntityRef,
    Scope,
}

/// What a walk found worth a warning.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Oddities {
    /// Values nested too deep.
    pub(crate) deep: u64,
    /// Fields that only profiles may use.
    pub(crate) profiles: u64,
    /// Texts that are not UTF-8 in messages that are stored as sent.
    pub(crate) texts: u64,
    /// Values with several members of which the last one holds.
    pub(crate) members: u64,
}

/// Walks messages; keeps its stack between calls.
#[derive(Debug, Default)]
pub(crate) struct Walker {
    /// What is open: its shape, the rest of its bytes, and the member that an `AnyValue` has.
    stack: Vec<(Shape, u32, u32, u32)>,
    pub(crate) oddities: Oddities,
}

enum Content {
    Varint,
    Fixed64,
    Fixed32,
    Bytes,
    Text,
    Message(Shape),
    ProfilesOnly,
    Unknown,
}

impl Walker {
    /// Walks one message to its end.
    pub(crate) fn walk(&mut self, shape: Shape, blob: Blob<'_>) -> Result<(), WireError> {
        self.stack.clear();
        let base = blob.at;
        let mut nesting = usize::from(is_container(shape));
        let mut shape = shape;
        let mut member = 0;
        let mut cursor = Cursor::new(shape.name(), blob);
        loop {
            let Some(field) = cursor.next()? else {
                nesting -= usize::from(is_container(shape));
                let Some((outer, at, end, outer_member)) = self.stack.pop() else { return Ok(()) };
                (shape, member) = (outer, outer_member);
                cursor = Cursor::new(shape.name(), part(blob, base, at, end));
                continue;
            };
            if shape == Shape::AnyValue {
                self.member(&mut member, field.number);
            }
            let Some(inner) = self.check(shape, &field)? else { continue };
            if is_container(inner) && nesting >= MAX_NESTING {
                self.oddities.deep += 1;
                continue;
            }
            let rest = cursor.rest();
            self.stack.push((shape, rest.at, rest.at + u32::try_from(rest.bytes.len()).unwrap_or(0), member));
            nesting += usize::from(is_container(inner));
            (shape, member) = (inner, 0);
            cursor = Cursor::new(shape.name(), field.blob()?);
        }
    }

    /// Notes a field of an `AnyValue`: it may have one member only.
    #[inline]
    pub(crate) fn member(&mut self, known: &mut u32, number: u32) {
        if number <= LAST_MEMBER {
            self.oddities.members += u64::from(*known != 0 && *known != number);
            *known = number;
        }
    }

    /// Notes a text of a message that is stored as sent.
    pub(crate) fn text(&mut self, blob: Blob<'_>) {
        self.oddities.texts += u64::from(std::str::from_utf8(blob.bytes).is_err());
    }

    /// Checks one field; gives the shape of the message it holds, if that must be walked.
    fn check(&mut self, shape: Shape, field: &Field<'_>) -> Result<Option<Shape>, WireError> {
        match content(shape, field.number) {
            Content::Varint => drop(field.varint()?),
            Content::Fixed64 => drop(field.fixed64()?),
            Content::Fixed32 => drop(field.fixed32()?),
            Content::Bytes => drop(field.blob()?),
            Content::Text => self.text(field.blob()?),
            Content::ProfilesOnly => self.oddities.profiles += u64::from(field.varint()? != 0),
            Content::Unknown => {}
            Content::Message(inner) => return field.blob().map(|blob| (!blob.bytes.is_empty()).then_some(inner)),
        }
        Ok(None)
    }
}

impl Shape {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::AnyValue => "AnyValue",
            Self::Array => "ArrayValue",
            Self::Map => "KeyValueList",
            Self::KeyValue => "KeyValue",
            Self::Event => "Span.Event",
            Self::Link => "Span.Link",
            Self::Resource => "Resource",
            Self::EntityRef => "EntityRef",
            Self::Scope => "InstrumentationScope",
        }
    }
}

fn content(shape: Shape, number: u32) -> Content {
    match (shape, number) {
        (Shape::AnyValue, 5) => Content::Message(Shape::Array),
        (Shape::AnyValue, 6) => Content::Message(Shape::Map),
        (Shape::AnyValue, 7) | (Shape::Link, 1 | 2) => Content::Bytes,
        (Shape::AnyValue | Shape::KeyValue, 1) | (Shape::Event, 2) | (Shape::Link, 3) => Content::Text,
        (Shape::AnyValue, 2 | 3) => Content::Varint,
        (Shape::AnyValue, 4) | (Shape::Event, 1) => Content::Fixed64,
        (Shape::AnyValue, 8) | (Shape::KeyValue, 3) => Content::ProfilesOnly,
        (Shape::Array, 1) | (Shape::KeyValue, 2) => Content::Message(Shape::AnyValue),
        (Shape::Map | Shape::Resource, 1) | (Shape::Event | Shape::Scope, 3) | (Shape::Link, 4) => Content::Message(Shape::KeyValue),
        (Shape::EntityRef, 1..=4) | (Shape::Scope, 1 | 2) => Content::Text,
        (Shape::Event | Shape::Scope, 4) | (Shape::Link, 5) | (Shape::Resource, 2) => Content::Varint,
        (Shape::Link, 6) => Content::Fixed32,
        (Shape::Resource, 3) => Content::Message(Shape::EntityRef),
        _ => Content::Unknown,
    }
}

fn is_container(shape: Shape) -> bool {
    matches!(shape, Shape::Array | Shape::Map)
}

fn part<'a>(blob: Blob<'a>, base: u32, at: u32, end: u32) -> Blob<'a> {
    let range = usize::try_from(at - base).unwrap_or(0)..usize::try_from(end - base).unwrap_or(0);
    Blob { bytes: blob.bytes.get(range).unwrap_or_default(), at }
}
