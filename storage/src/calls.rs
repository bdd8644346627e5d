//! Who calls whom, found out trace by trace.
//!
//! Owns what of a span shows a call, the rules by which the spans of a trace become calls (`derive`), and the part `roll.edge` of the
//! index bundle: calls summed up minute by minute (`unit`, `roll`, their layout in `codec`). Knows nothing of windows and maps.
//!
//! A *unit* is consecutive rows of a segment in which the spans of a trace lie together: those of one time bucket. What a unit says is
//! what its spans alone would say. A trace of which several units hold spans is looked at again as a whole by whoever asks.

use std::sync::Arc;

use arrow::array::{
    Array as _, AsArray as _, BinaryViewArray, FixedSizeBinaryArray, Int32Array, Int64Array, PrimitiveArray, RecordBatch, StringViewArray,
};
use arrow::datatypes::{ArrowPrimitiveType, Int32Type, Int64Type};

use crate::encoded;
use crate::model::{SpanKind, StatusCode};
use crate::rollup::Texts;
use crate::schema::column;

mod builder;
mod codec;
mod derive;
mod notes;
mod powers;
mod roll;
mod unit;

pub(crate) use self::derive::{Fact, Instance, Linked, Party, Way, derive, derive_far, queue};
pub(crate) use self::roll::{CallRoll, RollWriter, UnitHead};
pub(crate) use self::unit::{Cell, Sample, Subject, Sums, Unit, slot_of};

/// Columns that calls are made from, in the order of the table.
pub(crate) const COLUMNS: [&str; 12] = [
    column::TRACE_ID,
    column::SPAN_ID,
    column::PARENT_SPAN_ID,
    column::START_TIME,
    column::DURATION,
    column::KIND,
    column::STATUS_CODE,
    column::SERVICE_NAME,
    column::LINKS,
    column::PEER,
    column::PEER_KIND,
    column::PEER_SYSTEM,
];

/// Spans of a trace that start further apart have nothing to do with each other: so what a minute holds depends on the time around it alone.
pub(crate) const REACH: u64 = 600_000_000_000;

/// What is needed of one span.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) trace: u128,
    pub(crate) span: u64,
    /// Zero for a root.
    pub(crate) parent: u64,
    pub(crate) start: u64,
    pub(crate) duration: u64,
    pub(crate) service: Name,
    /// Name, kind and system of what it says it talks to.
    pub(crate) peer: Option<(Name, PeerKind, Name)>,
    pub(crate) kind: Kind,
    pub(crate) error: bool,
}

/// A text by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Name(pub(crate) u32);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Server,
    Client,
    Producer,
    Consumer,
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum PeerKind {
    Database,
    Queue,
    External,
}

/// From the linking span to the linked one, as trace and span id.
pub(crate) type LinkBetween = ((u128, u64), (u128, u64));

/// Every text once.
#[derive(Debug, Default)]
pub(crate) struct Names(Texts);

/// Spans that show calls, with the texts they name.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    pub(crate) calls: Vec<Call>,
    /// Of consumers.
    pub(crate) links: Vec<LinkBetween>,
    pub(crate) names: Names,
}

/// The columns of a batch.
#[derive(Debug)]
pub(crate) struct View<'a> {
    traces: &'a FixedSizeBinaryArray,
    spans: &'a FixedSizeBinaryArray,
    parents: &'a FixedSizeBinaryArray,
    starts: &'a Int64Array,
    durations: &'a Int64Array,
    kinds: &'a Int32Array,
    statuses: &'a Int32Array,
    services: &'a StringViewArray,
    links: &'a BinaryViewArray,
    peers: &'a StringViewArray,
    peer_kinds: &'a Int32Array,
    peer_systems: &'a StringViewArray,
}

impl<'a> View<'a> {
    /// `None` when a column is missing.
    pub(crate) fn of(batch: &'a RecordBatch) -> Option<Self> {
        let column = |name| batch.column_by_name(name);
        let id = |name| column(name)?.as_fixed_size_binary_opt();
        let text = |name| column(name)?.as_string_view_opt();
        Some(Self {
            traces: id(column::TRACE_ID)?,
            spans: id(column::SPAN_ID)?,
            parents: id(column::PARENT_SPAN_ID)?,
            starts: number::<Int64Type>(batch, column::START_TIME)?,
            durations: number::<Int64Type>(batch, column::DURATION)?,
            kinds: number::<Int32Type>(batch, column::KIND)?,
            statuses: number::<Int32Type>(batch, column::STATUS_CODE)?,
            services: text(column::SERVICE_NAME)?,
            links: column(column::LINKS)?.as_binary_view_opt()?,
            peers: text(column::PEER)?,
            peer_kinds: number::<Int32Type>(batch, column::PEER_KIND)?,
            peer_systems: text(column::PEER_SYSTEM)?,
        })
    }

    pub(crate) fn start(&self, row: usize) -> u64 {
        self.starts.value(row).cast_unsigned()
    }

    pub(crate) fn trace(&self, row: usize) -> u128 {
        self.traces.value(row).first_chunk().map_or(0, |bytes| u128::from_be_bytes(*bytes))
    }

    pub(crate) fn call(&self, row: usize, names: &mut Names) -> Call {
        let peer_kind = if self.peer_kinds.is_null(row) { None } else { PeerKind::from_number(self.peer_kinds.value(row)) };
        let peer = peer_kind.filter(|_| self.peers.is_valid(row)).map(|kind| {
            let system = if self.peer_systems.is_null(row) { "" } else { self.peer_systems.value(row) };
            (names.number(self.peers.value(row)), kind, names.number(system))
        });
        Call {
            trace: self.trace(row),
            span: short(self.spans.value(row)),
            parent: if self.parents.is_null(row) { 0 } else { short(self.parents.value(row)) },
            start: self.start(row),
            duration: self.durations.value(row).cast_unsigned(),
            service: names.number(self.services.value(row)),
            peer,
            kind: Kind::from(SpanKind::from(self.kinds.value(row))),
            error: self.statuses.value(row) == StatusCode::Error.number(),
        }
    }

    /// The spans that a consumer links to.
    pub(crate) fn links(&self, row: usize, call: &Call) -> impl Iterator<Item = LinkBetween> + use<'a> {
        let links = if call.kind == Kind::Consumer && self.links.is_valid(row) { self.links.value(row) } else { &[] };
        let from = (call.trace, call.span);
        encoded::link_ids(links).filter_map(move |(trace, span)| {
            let trace: &[u8; 16] = trace.try_into().ok()?;
            let span: &[u8; 8] = span.try_into().ok()?;
            Some((from, (u128::from_be_bytes(*trace), u64::from_be_bytes(*span))))
        })
    }
}

fn number<'a, T: ArrowPrimitiveType>(batch: &'a RecordBatch, name: &str) -> Option<&'a PrimitiveArray<T>> {
    batch.column_by_name(name)?.as_primitive_opt::<T>()
}

fn short(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

impl Call {
    /// What tells spans apart, those of a trace together.
    pub(crate) fn key(&self) -> (u128, u64, Kind, u64) {
        (self.trace, self.span, self.kind, self.start)
    }

    /// The same with other numbers for its names.
    pub(crate) fn renamed(self, number: impl Fn(Name) -> Name) -> Self {
        let peer = self.peer.map(|(name, kind, system)| (number(name), kind, number(system)));
        Self { service: number(self.service), peer, ..self }
    }
}

impl Calls {
    /// Adds a row; of links no more than `max_links` are kept.
    pub(crate) fn add(&mut self, view: &View<'_>, row: usize, max_links: usize) {
        let call = view.call(row, &mut self.names);
        let room = max_links.saturating_sub(self.links.len());
        self.links.extend(view.links(row, &call).take(room));
        self.calls.push(call);
    }

    /// Both, with one number for each name.
    pub(crate) fn join(mut self, other: Self, max_links: usize) -> Self {
        let numbers = self.names.take_in(other.names.0.texts());
        self.calls.extend(other.calls.into_iter().map(|call| call.renamed(|name| numbers.get(name.0 as usize).copied().unwrap_or(name))));
        let room = max_links.saturating_sub(self.links.len());
        self.links.extend(other.links.into_iter().take(room));
        self
    }
}

impl Names {
    pub(crate) fn number(&mut self, text: &str) -> Name {
        Name(self.0.number(text))
    }

    pub(crate) fn text(&self, name: Name) -> &str {
        self.0.text(name.0)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The numbers that these texts have here, in their order.
    pub(crate) fn take_in(&mut self, texts: &[Arc<str>]) -> Vec<Name> {
        texts.iter().map(|text| self.number(text)).collect()
    }

    pub(crate) fn texts(&self) -> &[Arc<str>] {
        self.0.texts()
    }

    fn into_texts(self) -> Vec<Arc<str>> {
        self.0.into_texts()
    }
}

impl From<SpanKind> for Kind {
    fn from(kind: SpanKind) -> Self {
        match kind {
            SpanKind::Server => Self::Server,
            SpanKind::Client => Self::Client,
            SpanKind::Producer => Self::Producer,
            SpanKind::Consumer => Self::Consumer,
            SpanKind::Internal | SpanKind::Unspecified | SpanKind::Other(_) => Self::Other,
        }
    }
}

impl PeerKind {
    fn from_number(number: i32) -> Option<Self> {
        match number {
            1 => Some(Self::Database),
            2 => Some(Self::Queue),
            3 => Some(Self::External),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
