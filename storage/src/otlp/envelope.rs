//! Resources and scopes: encoded once for many rows.
//!
//! Owns the canonical envelope: fields 1 (resource or scope) as sent, then fields 3 (schema URL) as sent.

use crate::model::UNKNOWN_SERVICE;

use super::attributes::{Scalar, key_value};
use super::columns::{Piece, Source};
use super::shape::{Shape, Walker};
use super::wire::{Blob, Cursor, WireError};

/// What all records of a scope share, as views.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Envelope {
    pub(super) resource: u128,
    pub(super) scope: u128,
    pub(super) service: u128,
}

/// Ranges of the request; neighbours become one.
#[derive(Debug, Default)]
pub(super) struct Ranges(Vec<(u32, u32)>);

/// Makes envelopes; equal ones in a row share their bytes.
#[derive(Debug, Default)]
pub(super) struct Envelopes {
    ranges: Ranges,
    schema_urls: Ranges,
    last: [Option<Piece>; 2],
    unknown_service: Option<Piece>,
}

impl Ranges {
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn add(&mut self, start: u32, end: u32) {
        match self.0.last_mut() {
            Some(last) if last.1 == start => last.1 = end,
            _ => self.0.push((start, end)),
        }
    }

    /// The bytes in one piece; `None` when there is no range.
    pub(super) fn piece(&self, source: &mut Source<'_>) -> Option<Piece> {
        (!self.0.is_empty()).then(|| source.join(&self.0))
    }
}

impl Envelopes {
    /// Reads what a `ResourceSpans` or `ResourceLogs` says of the resource: the view of its envelope and of its service.
    pub(super) fn resource<'a>(
        &mut self,
        name: &'static str,
        blob: Blob<'a>,
        source: &mut Source<'a>,
        walker: &mut Walker,
    ) -> Result<(u128, u128), WireError> {
        let mut service = None;
        let mut named = false;
        self.ranges.clear();
        self.schema_urls.clear();
        let mut cursor = Cursor::new(name, blob);
        while let Some(field) = cursor.next()? {
            match field.number {
                1 => {
                    self.ranges.add(field.start, field.end);
                    walker.walk(Shape::Resource, field.blob()?)?;
                    service = service_name(field.blob()?, source, walker, &mut named)?.or(service);
                }
                3 => {
                    walker.text(field.blob()?);
                    self.schema_urls.add(field.start, field.end);
                }
                _ => {}
            }
        }
        let envelope = self.piece(0, source);
        let service = service.unwrap_or_else(|| self.unknown(source));
        Ok((source.view(envelope), source.view(service)))
    }

    /// Reads what a `ScopeSpans` or `ScopeLogs` says of the scope: the view of its envelope.
    pub(super) fn scope<'a>(
        &mut self,
        name: &'static str,
        blob: Blob<'a>,
        source: &mut Source<'a>,
        walker: &mut Walker,
    ) -> Result<u128, WireError> {
        self.ranges.clear();
        self.schema_urls.clear();
        let mut cursor = Cursor::new(name, blob);
        while let Some(field) = cursor.next()? {
            match field.number {
                1 => {
                    walker.walk(Shape::Scope, field.blob()?)?;
                    self.ranges.add(field.start, field.end);
                }
                3 => {
                    walker.text(field.blob()?);
                    self.schema_urls.add(field.start, field.end);
                }
                _ => {}
            }
        }
        let envelope = self.piece(1, source);
        Ok(source.view(envelope))
    }

    fn piece(&mut self, which: usize, source: &mut Source<'_>) -> Piece {
        for (start, end) in &self.schema_urls.0 {
            self.ranges.add(*start, *end);
        }
        let piece = self.ranges.piece(source).unwrap_or_default();
        let Some(last) = self.last.get_mut(which) else { return piece };
        if let Some(last) = *last
            && source.bytes(last) == source.bytes(piece)
        {
            return last;
        }
        *last = Some(piece);
        piece
    }

    fn unknown(&mut self, source: &mut Source<'_>) -> Piece {
        *self.unknown_service.get_or_insert_with(|| source.keep(UNKNOWN_SERVICE.as_bytes()))
    }
}

/// The first `service.name`, when it is a text and not empty.
fn service_name<'a>(blob: Blob<'a>, source: &mut Source<'a>, walker: &mut Walker, named: &mut bool) -> Result<Option<Piece>, WireError> {
    let before = walker.oddities;
    let mut cursor = Cursor::new("Resource", blob);
    while let Some(field) = cursor.next()? {
        if field.number != 1 || *named {
            continue;
        }
        let attribute = key_value(field.blob()?, source, walker)?;
        if attribute.key.bytes == b"service.name" {
            *named = true;
            walker.oddities = before;
            return Ok(match attribute.value {
                Scalar::Text(text) if text.len > 0 => Some(text),
                _ => None,
            });
        }
    }
    walker.oddities = before;
    Ok(None)
}
