//! Calls summed up by minute.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Arc, OnceLock};

use super::notes::{Notes, Run};
use super::{Call, Fact, Instance, LinkBetween, Linked, Name, Names, Party, View, Way, derive};
use crate::rollup::{Buckets, minute_of};

/// What consecutive rows of a segment show, in which the spans of a trace lie together.
#[derive(Debug, Default)]
pub(crate) struct Unit {
    pub(crate) names: Vec<Arc<str>>,
    pub(crate) edges: Vec<(Party, Party, Way)>,
    /// Sorted by minute, then by what they are about.
    pub(crate) cells: Vec<Cell>,
    whole: OnceLock<Vec<Cell>>,
}

/// Facts of one minute about one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    /// Minutes since 1970.
    pub(crate) minute: u32,
    pub(crate) subject: Subject,
    pub(crate) sums: Sums,
}

/// What a cell is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Subject {
    /// Spans of a service, and what it was asked for.
    Service(Name),
    /// Calls between two parties, by position in the list of edges.
    Edge(u32),
    /// Calls to a service by spans that are not there, by when they ended: see [`slot_of`].
    Orphans(Name, u64),
    /// A service that answers at an address.
    Answers(Name, Name),
}

/// Sums of facts. All of them can be taken off again, but for the samples.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    /// Spans, or answers.
    pub(crate) rows: u64,
    pub(crate) errors: u64,
    /// Of calls and requests, which are as many.
    pub(crate) durations: Buckets,
    /// Some of the calls.
    pub(crate) samples: Vec<Sample>,
}

/// One of several calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Sample {
    pub(crate) duration: u64,
    pub(crate) error: bool,
    pub(crate) trace: u128,
    pub(crate) span: u64,
}

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

/// Cells of one unit; beyond, there is no roll-up.
pub(super) const MAX_CELLS: usize = 50_000;
/// Texts of one unit.
pub(super) const MAX_NAMES: usize = 20_000;
/// Traces that are not summed up.
pub(super) const MAX_APART: usize = 10_000;
/// Spans of one trace in one unit.
const MAX_SPANS: usize = 1_000_000;
/// Calls of a minute from which on a usual one is kept too.
const MANY_CALLS: u64 = 8;
/// Samples of a whole unit.
const MAX_SAMPLES: usize = 12;

/// The part of a minute in which something ended: a call by somebody unknown waits for its caller for one or two of these.
pub(crate) fn slot_of(time: u64) -> u64 {
    const SLOT: u64 = 15_000_000_000;
    time / SLOT
}

impl Unit {
    pub(super) fn new(names: Vec<Arc<str>>, edges: Vec<(Party, Party, Way)>, cells: Vec<Cell>) -> Self {
        Self { names, edges, cells, whole: OnceLock::new() }
    }

    /// The cells of all minutes together.
    pub(crate) fn whole(&self) -> &[Cell] {
        self.whole.get_or_init(|| {
            let mut sums: HashMap<Subject, Sums> = HashMap::new();
            for cell in &self.cells {
                sums.entry(cell.subject).or_default().merge(&cell.sums);
            }
            let cell = |(subject, mut sums): (Subject, Sums)| {
                sums.thin_out(MAX_SAMPLES);
                Cell { minute: 0, subject, sums }
            };
            let mut cells: Vec<Cell> = sums.into_iter().map(cell).collect();
            cells.sort_unstable_by_key(|cell| cell.subject);
            cells
        })
    }

    /// The cells of some minutes.
    pub(crate) fn between(&self, minutes: &std::ops::Range<u64>) -> &[Cell] {
        let before = |minute: u64| self.cells.partition_point(|cell| u64::from(cell.minute) < minute);
        self.cells.get(before(minutes.start)..before(minutes.end)).unwrap_or_default()
    }

    /// Bytes of memory, about; twice for what is made of it later.
    pub(crate) fn bytes(&self) -> usize {
        let texts: usize = self.names.iter().map(|text| text.len() + 32).sum();
        let cells = self.cells.iter().map(|cell| size_of::<Cell>() + cell.sums.heap_bytes());
        texts + self.edges.len() * size_of::<(Party, Party, Way)>() + cells.sum::<usize>() * 2
    }
}

impl Sums {
    pub(crate) fn merge(&mut self, other: &Self) {
        self.rows += other.rows;
        self.errors += other.errors;
        self.durations.merge(&other.durations);
        self.samples.extend_from_slice(&other.samples);
    }

    /// Keeps no more than `max` samples: from the fastest to the slowest, and the slowest failed one.
    pub(crate) fn thin_out(&mut self, max: usize) {
        self.samples.sort_unstable();
        self.samples.dedup();
        if self.samples.len() > max {
            let failed = self.samples.iter().rfind(|sample| sample.error).copied();
            let (last, count) = (self.samples.len() - 1, max.max(2) - 1);
            let kept = (0..count).filter_map(|i| self.samples.get(i * last / (count - 1).max(1)).copied());
            self.samples = kept.chain(failed).collect();
        }
    }

    /// Bytes that are held beside this itself.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.durations.heap_bytes() + self.samples.capacity() * size_of::<Sample>()
    }
}

impl Sample {
    pub(crate) fn of(call: &Instance) -> Self {
        Self { duration: call.duration, error: call.error, trace: call.trace, span: call.span }
    }

    /// A number that says nothing of how long it took.
    fn lot(&self) -> u64 {
        self.span.wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }
}

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
