//! Events and links of a span from their encoded form.

use crate::model::{Event, Link, UnixNanos};
use crate::otlp::wire::{Blob, Cursor, WireError};

use super::value::{Budget, key_value, text};

/// Decodes the column `events`.
pub(crate) fn events(bytes: &[u8]) -> Vec<Event> {
    messages(bytes, 11, event)
}

/// Decodes the column `links`.
pub(crate) fn links(bytes: &[u8]) -> Vec<Link> {
    messages(bytes, 13, link)
}

fn messages<T>(bytes: &[u8], number: u32, read: fn(Blob<'_>) -> Result<T, WireError>) -> Vec<T> {
    let mut out = Vec::new();
    let mut cursor = Cursor::new("Span", Blob::whole(bytes));
    while let Ok(Some(field)) = cursor.next() {
        if field.number == number
            && let Ok(blob) = field.blob()
            && let Ok(message) = read(blob)
        {
            out.push(message);
        }
    }
    out
}

fn event(blob: Blob<'_>) -> Result<Event, WireError> {
    let mut event = Event::default();
    let mut cursor = Cursor::new("Span.Event", blob);
    while let Some(field) = cursor.next()? {
        match field.number {
            1 => event.time = UnixNanos::new(field.fixed64()?),
            2 => event.name = text(&field)?,
            3 => event.attributes.push(key_value(field.blob()?, &mut Budget::new())?),
            4 => event.dropped_attributes_count = field.uint32()?,
            _ => {}
        }
    }
    Ok(event)
}

fn link(blob: Blob<'_>) -> Result<Link, WireError> {
    let mut link = Link::default();
    let mut cursor = Cursor::new("Span.Link", blob);
    while let Some(field) = cursor.next()? {
        match field.number {
            1 => link.trace_id = field.blob()?.bytes.to_vec(),
            2 => link.span_id = field.blob()?.bytes.to_vec(),
            3 => link.trace_state = text(&field)?,
            4 => link.attributes.push(key_value(field.blob()?, &mut Budget::new())?),
            5 => link.dropped_attributes_count = field.uint32()?,
            6 => link.flags = field.fixed32()?,
            _ => {}
        }
    }
    Ok(link)
}
