//! Finds ids, times and slots in an encoded request.
//!
//! Walks the wire format once, guided by the field numbers of OTLP. Only used on what this crate encoded itself.

use crate::load::Signal;
use crate::load::lines::NOISE_AFTER;
use crate::load::tail::SLOT;

/// A place that changes with every replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Patch {
    pub(super) offset: usize,
    pub(super) role: Role,
}

/// What is at that place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Sixteen bytes.
    Trace,
    /// Eight bytes.
    Span,
    /// Eight bytes, little-endian nanoseconds.
    Time,
    /// Twelve letters.
    Word,
    /// Letters by chance, [`lines::NOISE`](crate::load::lines::NOISE) of them.
    Noise,
}

/// The messages on the way to ids and times.
#[derive(Clone, Copy, Debug)]
enum Shape {
    Request(Signal),
    Resource(Signal),
    Scope(Signal),
    Span,
    Event,
    Link,
    Log,
}

enum Found {
    Place(Role),
    Inside(Shape),
}

/// All ids and times in `message`, which lies at `base` in its request.
pub(super) fn patches(signal: Signal, message: &[u8], base: usize) -> Vec<Patch> {
    let mut patches = Vec::new();
    // `None` would mean that prost wrote what cannot be read; the tests hold that it does not.
    let _ = walk(Shape::Request(signal), message, base, &mut patches);
    patches
}

/// All slots in `body`.
pub(super) fn slots(body: &[u8]) -> impl Iterator<Item = Patch> {
    let slots = body.windows(SLOT.len()).enumerate().filter(|(_, bytes)| bytes == SLOT);
    slots.map(|(offset, _)| Patch { offset, role: Role::Word })
}

/// What lies behind each slot of noisy log records.
pub(super) fn noise(body: &[u8]) -> impl Iterator<Item = Patch> {
    slots(body).map(|slot| Patch { offset: slot.offset + NOISE_AFTER, role: Role::Noise })
}

fn walk(shape: Shape, message: &[u8], base: usize, patches: &mut Vec<Patch>) -> Option<()> {
    let mut rest = message;
    while !rest.is_empty() {
        let key = varint(&mut rest)?;
        let length = match key & 7 {
            0 => {
                varint(&mut rest)?;
                continue;
            }
            1 => 8,
            2 => usize::try_from(varint(&mut rest)?).ok()?,
            5 => 4,
            _ => return None,
        };
        let offset = base + message.len() - rest.len();
        let (value, after) = rest.split_at_checked(length)?;
        match found(shape, key >> 3) {
            Some(Found::Place(role)) => patches.push(Patch { offset, role }),
            Some(Found::Inside(shape)) => walk(shape, value, offset, patches)?,
            None => {}
        }
        rest = after;
    }
    Some(())
}

fn found(shape: Shape, field: u64) -> Option<Found> {
    Some(match (shape, field) {
        (Shape::Request(signal), 1) => Found::Inside(Shape::Resource(signal)),
        (Shape::Resource(signal), 2) => Found::Inside(Shape::Scope(signal)),
        (Shape::Scope(Signal::Traces), 2) => Found::Inside(Shape::Span),
        (Shape::Scope(Signal::Logs), 2) => Found::Inside(Shape::Log),
        (Shape::Span | Shape::Link, 1) | (Shape::Log, 9) => Found::Place(Role::Trace),
        (Shape::Span, 2 | 4) | (Shape::Link, 2) | (Shape::Log, 10) => Found::Place(Role::Span),
        (Shape::Span, 7 | 8) | (Shape::Event, 1) | (Shape::Log, 1 | 11) => Found::Place(Role::Time),
        (Shape::Span, 11) => Found::Inside(Shape::Event),
        (Shape::Span, 13) => Found::Inside(Shape::Link),
        _ => return None,
    })
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
