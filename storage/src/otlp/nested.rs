//! The events and links of one span: every byte checked, and what columns and warnings say of them.
//!
//! Their bytes are stored as sent; where is not decided here.

use crate::model::{SpanId, TraceId, UnixNanos};

use super::attributes::{Scalar, key_value};
use super::columns::Piece;
use super::notes::Notes;
use super::shape::Shape;
use super::wire::{Blob, Cursor, WireError};
use super::{DAY, Shared};

/// What is to be known of a span's events and links.
#[derive(Debug, Default)]
pub(super) struct Nested<'a> {
    /// How many events there are.
    pub(super) events: usize,
    pub(super) first_name: Blob<'a>,
    /// The names of all events, when there are several.
    pub(super) names: Vec<u8>,
    found_exception: bool,
    pub(super) exception_type: Option<Piece>,
    pub(super) exception_message: Option<Piece>,
    /// Events with a time before [`UnixNanos::YEAR_2000`].
    early: u64,
    /// Events with a time more than a day ahead of the server's clock.
    late: u64,
    /// Ids of links that are none.
    link_ids: u64,
}

impl<'a> Nested<'a> {
    /// Checks one event and notes what columns say of it.
    pub(super) fn take_event(&mut self, blob: Blob<'a>, shared: &mut Shared<'a, '_>) -> Result<(), WireError> {
        shared.walker.walk(Shape::Event, blob)?;
        let mut time = 0;
        let mut name = Blob { bytes: &[], at: blob.at };
        let mut cursor = Cursor::new(Shape::Event.name(), blob);
        while let Some(field) = cursor.next()? {
            match field.number {
                1 => time = field.fixed64()?,
                2 => name = field.blob()?,
                _ => {}
            }
        }
        self.early += u64::from(UnixNanos::new(time) < UnixNanos::YEAR_2000);
        self.late += u64::from(UnixNanos::new(time) > shared.context.now.plus(DAY));
        match self.events {
            0 => self.first_name = name,
            1 => self.names.extend([self.first_name.bytes, b"\n", name.bytes].concat()),
            _ => {
                self.names.push(b'\n');
                self.names.extend_from_slice(name.bytes);
            }
        }
        self.events += 1;
        if name.bytes == b"exception" && !self.found_exception {
            self.found_exception = true;
            self.take_exception(blob, shared)?;
        }
        Ok(())
    }

    fn take_exception(&mut self, blob: Blob<'a>, shared: &mut Shared<'a, '_>) -> Result<(), WireError> {
        let before = shared.walker.oddities;
        let mut cursor = Cursor::new(Shape::Event.name(), blob);
        while let Some(field) = cursor.next()? {
            if field.number != 3 {
                continue;
            }
            let attribute = key_value(field.blob()?, &mut shared.source, &mut shared.walker)?;
            let Scalar::Text(text) = attribute.value else { continue };
            match attribute.key.bytes {
                b"exception.type" => self.exception_type = self.exception_type.or(Some(text)),
                b"exception.message" => self.exception_message = self.exception_message.or(Some(text)),
                _ => {}
            }
        }
        shared.walker.oddities = before;
        Ok(())
    }

    /// Checks one link and whether its ids are any.
    pub(super) fn take_link(&mut self, blob: Blob<'a>, shared: &mut Shared<'a, '_>) -> Result<(), WireError> {
        shared.walker.walk(Shape::Link, blob)?;
        let (mut trace_id, mut span_id): (&[u8], &[u8]) = (&[], &[]);
        let mut cursor = Cursor::new(Shape::Link.name(), blob);
        while let Some(field) = cursor.next()? {
            match field.number {
                1 => trace_id = field.blob()?.bytes,
                2 => span_id = field.blob()?.bytes,
                _ => {}
            }
        }
        self.link_ids += u64::from(TraceId::from_slice(trace_id).is_none()) + u64::from(SpanId::from_slice(span_id).is_none());
        Ok(())
    }

    /// Adds what the sender should mend in them, once it is known that their span is stored.
    pub(super) fn note(&self, notes: &mut Notes) {
        notes.early += self.early;
        notes.late += self.late;
        notes.link_ids += self.link_ids;
    }
}
