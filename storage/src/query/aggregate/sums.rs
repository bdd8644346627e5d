//! Groups while they are summed up. Their number is bounded; what finds no room is summed up as one.

use std::collections::{BTreeMap, HashMap};

use super::super::rolled::{Counts, Item};
use super::group::values;
use super::measure::{Measure, Measured};
use crate::model::Severity;
use crate::store::Signal;

/// Sums by key. A key is what `group` writes.
#[derive(Debug)]
pub(super) struct Groups {
    known: HashMap<Box<[u8]>, Sums>,
    other: Sums,
    max: usize,
    is_full: bool,
}

/// A group by its key.
pub(super) type Keyed = (Box<[u8]>, Sums);

/// Sums of one group by part of the window.
#[derive(Debug, Default)]
pub(super) struct Sums {
    parts: BTreeMap<usize, Sum>,
}

#[derive(Debug, Default)]
struct Sum {
    counts: Counts,
    errors: i64,
}

/// Groups that are told apart, when they have one part.
const MAX_GROUPS: usize = 10_000;
/// Groups times parts that are kept while they are summed up.
const MAX_SUMS: usize = 100_000;
/// Groups that are told apart however many parts they have.
const MIN_GROUPS: usize = 100;

impl Groups {
    pub(super) fn new(parts: usize) -> Self {
        let max = (MAX_SUMS / parts.max(1)).clamp(MIN_GROUPS, MAX_GROUPS);
        Self { known: HashMap::new(), other: Sums::default(), max, is_full: false }
    }

    pub(super) fn take(&mut self, key: &[u8], part: usize, item: &Item<'_>) {
        self.sums(key).parts.entry(part).or_default().take(item);
    }

    pub(super) fn merge(mut self, other: Self) -> Self {
        let mut more: Vec<_> = other.known.into_iter().collect();
        more.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        for (key, sums) in more {
            self.sums(&key).merge(sums);
        }
        self.other.merge(other.other);
        self.is_full |= other.is_full;
        self
    }

    /// Says when there were more groups than are told apart.
    pub(super) fn note(&self) -> Option<String> {
        let max = self.max;
        self.is_full.then(|| format!("only {max} groups were told apart; rows of further ones are counted together; narrow the question"))
    }

    /// The groups with the most rows, and all others as one.
    pub(super) fn largest(&mut self, limit: usize) -> (Vec<Keyed>, Option<Sums>) {
        let mut found: Vec<_> = std::mem::take(&mut self.known).into_iter().filter(|(_, sums)| sums.rows() > 0).collect();
        found.sort_unstable_by(|a, b| b.1.rows().cmp(&a.1.rows()).then_with(|| values(&a.0).cmp(&values(&b.0))));
        let mut other = std::mem::take(&mut self.other);
        found.split_off(limit.min(found.len())).into_iter().for_each(|(_, sums)| other.merge(sums));
        let has_other = other.rows() > 0;
        (found, has_other.then_some(other))
    }

    fn sums(&mut self, key: &[u8]) -> &mut Sums {
        if !self.known.contains_key(key) {
            if self.known.len() >= self.max {
                self.is_full = true;
                return &mut self.other;
            }
            self.known.insert(key.into(), Sums::default());
        }
        self.known.get_mut(key).unwrap_or(&mut self.other)
    }
}

impl Sums {
    /// What is asked for of one part, which is `seconds` long.
    pub(super) fn measured(&self, part: usize, measures: &[Measure], seconds: f64) -> Vec<Measured> {
        let nothing = Sum::default();
        let sum = self.parts.get(&part).unwrap_or(&nothing);
        let errors = u64::try_from(sum.errors).unwrap_or_default();
        measures.iter().map(|measure| measure.of(sum.counts.rows, errors, &sum.counts.durations, seconds)).collect()
    }

    fn rows(&self) -> u64 {
        self.parts.values().map(|sum| sum.counts.rows).sum()
    }

    fn merge(&mut self, other: Self) {
        for (part, sum) in other.parts {
            let own = self.parts.entry(part).or_default();
            own.counts.merge(&sum.counts);
            own.errors += sum.errors;
        }
    }
}

impl Sum {
    fn take(&mut self, item: &Item<'_>) {
        self.counts.take(item);
        let is_error = match item.signal {
            Signal::Traces => item.status == crate::model::StatusCode::Error.number(),
            Signal::Logs => matches!(Severity::from_number(item.status), Some(Severity::Error | Severity::Fatal)),
        };
        if is_error {
            self.errors += item.rows();
        }
    }
}
