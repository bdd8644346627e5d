//! Calls summed up by minute.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use super::powers::Powers;
use super::{Instance, Name, Party, Way};
use crate::rollup::Buckets;

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
    /// Of the same.
    pub(crate) powers: Powers,
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

/// Cells of one unit; beyond, there is no roll-up.
pub(super) const MAX_CELLS: usize = 50_000;
/// Texts of one unit.
pub(super) const MAX_NAMES: usize = 20_000;
/// Traces that are not summed up.
pub(super) const MAX_APART: usize = 10_000;
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
        self.merge_durations(other);
        self.samples.extend_from_slice(&other.samples);
    }

    /// Adds only how long the calls took.
    pub(crate) fn merge_durations(&mut self, other: &Self) {
        self.durations.merge(&other.durations);
        self.powers.merge(other.powers);
    }

    /// The duration that the share `q` of all does not exceed.
    pub(crate) fn quantile(&self, q: f64) -> u64 {
        self.powers.quantile(q, &self.durations)
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
    pub(super) fn lot(&self) -> u64 {
        self.span.wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }
}
