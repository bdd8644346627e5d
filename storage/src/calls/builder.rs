//! Sums up the calls of a unit by minute.
//!
//! Owns what is kept of them: sums, and some of the calls. What calls there are is derived elsewhere.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::notes::{Notes, Run};
use super::unit::{Cell, MAX_APART, MAX_CELLS, MAX_NAMES, Sample, Subject, Sums, Unit, slot_of};
use super::{Call, Fact, LinkBetween, Linked, Names, Party, View, Way, derive};
use crate::rollup::{Buckets, minute_of};

/// Sums up one unit after the other: tables that have grown stay.
#[derive(Debug, Default)]
pub(super) struct UnitBuilder {
    names: Names,
    edges: HashMap<(Party, Party, Way), u32, BuildHasherDefault<Mix>>,
    cells: HashMap<(u32, Subject), Gathered, BuildHasherDefault<Mix>>,
    /// Calls and requests that are in no cell yet.
    notes: Notes,
    /// Spans of the trace whose rows come in.
    trace: Vec<Call>,
    links: Vec<LinkBetween>,
    /// Traces that are not summed up, because they depend on where links lead.
    apart: Vec<u128>,
    facts: Vec<Fact>,
}

#[derive(Debug, Default)]
struct Gathered {
    sums: Sums,
    slowest: Option<Sample>,
    failed: Option<Sample>,
    /// A call like any other.
    usual: Option<Sample>,
}

/// Spans of one trace in one unit.
const MAX_SPANS: usize = 1_000_000;
/// Calls of a minute from which on a usual one is kept too.
const MANY_CALLS: u64 = 8;

impl Cell {
    fn of(minute: u32, subject: Subject, gathered: Gathered) -> Self {
        Self { minute, subject, sums: gathered.finish(matches!(subject, Subject::Edge(_) | Subject::Orphans(..))) }
    }
}

impl Gathered {
    fn take_all(&mut self, run: &Run<'_>) {
        let buckets = run.buckets();
        if self.sums.durations.count() == 0 {
            self.sums.durations = Buckets::from_parts(buckets).unwrap_or_default();
        } else {
            buckets.into_iter().for_each(|(bucket, n)| self.sums.durations.add(bucket, n));
        }
        for call in run.calls() {
            self.sums.errors += u64::from(call.error);
            self.sums.powers.add(call.duration);
            let sample = Sample::of(call);
            self.slowest = self.slowest.max(Some(sample));
            if call.error {
                self.failed = self.failed.max(Some(sample));
            }
            if self.usual.is_none_or(|usual| sample.lot() < usual.lot()) {
                self.usual = Some(sample);
            }
        }
    }

    fn finish(self, keeps_samples: bool) -> Sums {
        let Self { mut sums, slowest, failed, usual } = self;
        if keeps_samples {
            let usual = usual.filter(|_| sums.durations.count() >= MANY_CALLS);
            sums.samples = [slowest, failed, usual].into_iter().flatten().collect();
            sums.samples.sort_unstable();
            sums.samples.dedup();
        }
        sums
    }
}

impl UnitBuilder {
    /// Adds a row; those of a trace come together.
    pub(super) fn push(&mut self, view: &View<'_>, row: usize) {
        if self.trace.last().is_some_and(|call| call.trace != view.trace(row)) {
            self.end_trace();
        }
        let call = view.call(row, &mut self.names);
        self.links.extend(view.links(row, &call));
        self.trace.push(call);
    }

    /// Whether more is there than a roll-up may hold.
    pub(super) fn is_full(&self) -> bool {
        let texts = self.names.len() > MAX_NAMES || self.apart.len() > MAX_APART;
        texts || self.cells.len() > MAX_CELLS || self.trace.len() > MAX_SPANS || self.links.len() > MAX_SPANS
    }

    /// What was summed up, and the traces that were not. What comes then is another unit.
    pub(super) fn finish(&mut self) -> (Unit, Vec<u128>) {
        self.end_trace();
        let mut edges: Vec<_> = self.edges.drain().collect();
        edges.sort_unstable_by_key(|(_, number)| *number);
        let mut cells = Vec::new();
        let known = &mut self.cells;
        self.notes.drain(|run| {
            let mut gathered = known.remove(&(run.minute, run.subject)).unwrap_or_default();
            gathered.take_all(&run);
            cells.push(Cell::of(run.minute, run.subject, gathered));
        });
        cells.extend(known.drain().map(|((minute, subject), gathered)| Cell::of(minute, subject, gathered)));
        cells.sort_unstable_by_key(|cell| (cell.minute, cell.subject));
        let edges = edges.into_iter().map(|(edge, _)| edge).collect();
        (Unit::new(std::mem::take(&mut self.names).into_texts(), edges, cells), std::mem::take(&mut self.apart))
    }

    /// Makes cells of what waits.
    fn sum_up_notes(&mut self) {
        let mut notes = std::mem::take(&mut self.notes);
        notes.drain(|run| self.cells.entry((run.minute, run.subject)).or_default().take_all(&run));
        self.notes = notes;
    }

    fn end_trace(&mut self) {
        let Some(trace) = self.trace.first().map(|call| call.trace) else { return };
        self.trace.sort_unstable_by_key(Call::key);
        self.links.sort_unstable();
        self.facts.clear();
        if derive(&self.trace, Linked { all: &[], links: &self.links }, &mut self.facts) {
            self.apart.push(trace);
        } else {
            let facts = std::mem::take(&mut self.facts);
            facts.iter().for_each(|fact| self.take(fact));
            self.facts = facts;
        }
        self.trace.clear();
        self.links.clear();
    }

    fn take(&mut self, fact: &Fact) {
        if self.notes.is_full() {
            self.sum_up_notes();
        }
        match *fact {
            Fact::Seen(service, at) => self.cell(at, Subject::Service(service)).sums.rows += 1,
            Fact::Request(service, call) => self.notes.push(Subject::Service(service), call),
            Fact::Call(from, to, way, call) => {
                let next = u32::try_from(self.edges.len()).unwrap_or(u32::MAX);
                let edge = *self.edges.entry((from, to, way)).or_insert(next);
                self.notes.push(Subject::Edge(edge), call);
            }
            Fact::Orphan(service, call) => {
                let ended = slot_of(call.at.saturating_add(call.duration));
                self.notes.push(Subject::Orphans(service, ended), call);
            }
            Fact::Answer(address, service, at) => self.cell(at, Subject::Answers(address, service)).sums.rows += 1,
        }
    }

    fn cell(&mut self, at: u64, subject: Subject) -> &mut Gathered {
        self.cells.entry((minute_of(at), subject)).or_default()
    }
}

/// Mixes a few small numbers: what is counted is not chosen to collide, and the number of cells has a bound.
#[derive(Debug, Default)]
struct Mix(u64);

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 29)
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.chunks(8).for_each(|chunk| self.write_u64(chunk.iter().fold(0, |sum, byte| (sum << 8) | u64::from(*byte))));
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(number.into());
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0.rotate_left(5) ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    fn write_isize(&mut self, number: isize) {
        self.write_u64(number.cast_unsigned() as u64);
    }
}
