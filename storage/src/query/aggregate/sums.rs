//! Groups while they are summed up. Their number is bounded: where there are more, rows are gone over again to count which have the most
//! (`query/frequent.rs`), and once more to sum up those; all others are summed up as one.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::super::frequent::{Chosen, Frequent};
use super::super::rolled::{Counts, Item};
use super::super::scan::of_map;
use super::amount::Amount;
use super::group::{MAX_KEYS, values};
use super::measure::Measured;
use super::numbers::{Number, Numbers};
use crate::model::Severity;
use crate::store::Signal;

/// Sums by key. A key is what `group` writes.
#[derive(Debug)]
pub(super) struct Groups {
    known: HashMap<Box<[u8]>, Sums>,
    other: Sums,
    max: usize,
    pass: Pass,
    is_full: bool,
    /// What was held when it was last measured, how many sums that were, and rows since.
    held: (usize, usize),
    unmeasured: usize,
    /// Whether a row had more values than groups it counts for.
    pub(super) is_cut: bool,
    /// Rows whose value is no number, by what is measured.
    not_numbers: Vec<u64>,
}

/// What one pass over the rows is for.
#[derive(Debug)]
pub(super) enum Pass {
    /// Every group, if there is room.
    All,
    /// Which groups have the most rows; with the number of rows that were counted.
    Rank(Frequent, u64),
    /// These groups.
    Chosen(Arc<Chosen>),
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
    /// Of each attribute that is measured.
    amounts: Vec<Amount>,
}

/// Groups that are told apart, when they have one part.
const MAX_GROUPS: usize = 10_000;
/// Groups times parts that are kept while they are summed up.
const MAX_SUMS: usize = 100_000;
/// Groups that are told apart however many parts they have.
const MIN_GROUPS: usize = 100;

impl Groups {
    pub(super) fn new(parts: usize, pass: Pass) -> Self {
        let max = (MAX_SUMS / parts.max(1)).clamp(MIN_GROUPS, MAX_GROUPS);
        Self {
            known: HashMap::new(),
            other: Sums::default(),
            max,
            pass,
            is_full: false,
            held: (0, 0),
            unmeasured: 0,
            is_cut: false,
            not_numbers: Vec::new(),
        }
    }

    /// Whether there were more groups than there is room for, so that nothing of this pass counts.
    pub(super) fn is_full(&self) -> bool {
        self.is_full
    }

    /// Whether it counts which groups have the most rows.
    pub(super) fn ranks(&self) -> bool {
        matches!(self.pass, Pass::Rank(..))
    }

    /// The groups to be summed up for an answer with `limit` of them, by a pass that ranked them.
    pub(super) fn chosen(&self, limit: usize) -> Option<Arc<Chosen>> {
        if let Pass::Rank(frequent, _) = &self.pass { Some(Arc::new(frequent.choose(limit, self.max))) } else { None }
    }

    pub(super) fn take(&mut self, key: &[u8], part: usize, item: &Item<'_>) {
        if self.rank(key, item) {
            return;
        }
        self.sums(key).parts.entry(part).or_default().take(item);
    }

    /// Takes a row with the numbers that are measured of it.
    pub(super) fn measure(&mut self, key: &[u8], part: usize, item: &Item<'_>, numbers: &[Number]) {
        if self.rank(key, item) {
            return;
        }
        let sum = self.sums(key).parts.entry(part).or_default();
        sum.take(item);
        sum.amounts.resize_with(numbers.len(), Amount::default);
        sum.amounts.iter_mut().zip(numbers).for_each(|(amount, number)| number.add_to(amount));
    }

    /// Counts what is no number in a row.
    pub(super) fn leave_out(&mut self, numbers: &[Number]) {
        self.not_numbers.resize(numbers.len(), 0);
        self.not_numbers.iter_mut().zip(numbers).for_each(|(rows, number)| *rows += u64::from(number.is_other()));
    }

    pub(super) fn merge(mut self, other: Self) -> Self {
        let mut more: Vec<_> = other.known.into_iter().collect();
        more.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        for (key, sums) in more {
            self.sums(&key).merge(sums);
        }
        self.other.merge(other.other);
        self.pass = match (self.pass, other.pass) {
            (Pass::Rank(one, rows), Pass::Rank(more, more_rows)) => Pass::Rank(one.join(more), rows + more_rows),
            (pass, _) => pass,
        };
        self.is_full |= other.is_full;
        self.is_cut |= other.is_cut;
        self.not_numbers.resize(self.not_numbers.len().max(other.not_numbers.len()), 0);
        self.not_numbers.iter_mut().zip(other.not_numbers).for_each(|(own, more)| *own += more);
        self
    }

    /// Says when it is not sure which groups have the most rows.
    pub(super) fn notes(&self) -> impl Iterator<Item = String> {
        let full = if let Pass::Chosen(chosen) = &self.pass { chosen.note("groups") } else { None };
        let cut = self.is_cut.then(|| format!("of rows with more than {MAX_KEYS} different values only the first were counted"));
        full.into_iter().chain(cut)
    }

    /// Says what was left out because it is no number.
    pub(super) fn left_out(&self, numbers: &Numbers) -> Vec<String> {
        let note = |(name, rows): (&str, &u64)| {
            let rows_have = if *rows == 1 { "1 row has".to_owned() } else { format!("{rows} rows have") };
            (*rows > 0).then(|| format!("{rows_have} a value of `{name}` that is no finite number; nothing was measured of it there"))
        };
        numbers.names().zip(&self.not_numbers).filter_map(note).collect()
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

    /// Bytes that are held, about, after so many more rows. Measured when there were as many rows as there are sums, so that it costs
    /// little.
    pub(super) fn bytes(&mut self, rows: usize) -> usize {
        self.unmeasured = self.unmeasured.saturating_add(rows);
        if self.unmeasured >= self.held.1 {
            let sums = self.known.values().chain([&self.other]).flat_map(|sums| sums.parts.values());
            let (count, bytes) = sums.fold((0, 0), |(count, bytes), sum| (count + 1, bytes + sum.bytes()));
            let keys: usize = self.known.keys().map(|key| key.len()).sum();
            let ranked = if let Pass::Rank(frequent, _) = &self.pass { frequent.bytes() } else { 0 };
            (self.held, self.unmeasured) = ((of_map(&self.known) + keys + bytes + ranked, count), 0);
        }
        self.held.0
    }

    /// Whether rows are ranked; then these were.
    fn rank(&mut self, key: &[u8], item: &Item<'_>) -> bool {
        let Pass::Rank(frequent, rows) = &mut self.pass else { return false };
        *rows += 1;
        frequent.add(key, item.rows(), *rows);
        true
    }

    fn sums(&mut self, key: &[u8]) -> &mut Sums {
        if !self.known.contains_key(key) {
            match &self.pass {
                Pass::Chosen(chosen) if !chosen.has(key) => return &mut self.other,
                Pass::All if self.known.len() >= self.max => {
                    self.is_full = true;
                    return &mut self.other;
                }
                _ => {}
            }
            self.known.insert(key.into(), Sums::default());
        }
        self.known.get_mut(key).unwrap_or(&mut self.other)
    }
}

impl Sums {
    /// What is asked for of one part, which is `seconds` long.
    pub(super) fn measured(&self, part: usize, numbers: &Numbers, seconds: f64) -> Vec<Measured> {
        let (nothing, none) = (Sum::default(), Amount::default());
        let sum = self.parts.get(&part).unwrap_or(&nothing);
        let errors = u64::try_from(sum.errors).unwrap_or_default();
        let amount = |place: Option<usize>| place.and_then(|place| sum.amounts.get(place)).unwrap_or(&none);
        let Counts { rows, durations, .. } = &sum.counts;
        numbers.measures().map(|(measure, place)| measure.of(*rows, errors, durations, seconds, amount(place))).collect()
    }

    fn rows(&self) -> u64 {
        self.parts.values().map(|sum| sum.counts.rows).sum()
    }

    fn merge(&mut self, other: Self) {
        for (part, sum) in other.parts {
            let own = self.parts.entry(part).or_default();
            own.counts.merge(&sum.counts);
            own.errors += sum.errors;
            own.amounts.resize_with(own.amounts.len().max(sum.amounts.len()), Amount::default);
            own.amounts.iter_mut().zip(sum.amounts).for_each(|(own, more)| own.merge(more));
        }
    }
}

impl Sum {
    fn bytes(&self) -> usize {
        let amounts: usize = self.amounts.iter().map(Amount::bytes).sum();
        size_of::<(usize, Self)>() + self.counts.durations.heap_bytes() + amounts
    }

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
