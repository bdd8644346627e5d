//! Sums up spans or log records by group and over time.
//!
//! Owns the question, its bounds and its answer; `measure` what is computed, `group` what rows are told apart by, `numbers` what is read of
//! attributes that are measured and `amount` its sums, `column` the values of a field, `sums` how groups are kept. Rows are counted by
//! `rolled` where groups and filter are what roll-ups tell apart, else read one by one here. Both give the same answer: of a span that was
//! sent twice the last version counts, and quantiles come from the same buckets.

use super::answer::QueryStats;
use super::frequent::Frequent;
use super::language::Query;
use super::predicate::Predicate;
use super::question::QueryError;
use super::rolled::{self, Moment, Question, Rolls, View};
use super::scan::{Control, Kept, Scan, Wanted};
use crate::model::{TimeRange, UnixNanos};
use crate::rollup::MINUTE;
use crate::snapshot::Snapshot;
use crate::store::Signal;

mod amount;
mod column;
mod group;
mod measure;
mod numbers;
mod sums;

use self::group::Grouping;
pub use self::measure::{Bar, Measure, Measured, Statistic};
use self::numbers::Numbers;
use self::sums::{Groups, Pass, Sums};

/// Sums up spans or log records.
#[derive(Clone, Debug)]
pub struct Aggregate {
    /// Spans or log records.
    pub signal: Signal,
    /// The query language; empty matches everything.
    pub query: String,
    /// By the start of spans, by the time of records. It has an end when there is a step.
    pub range: TimeRange,
    /// Up to three fields as the query language names them. A row with several different events or links counts once for each value.
    pub group_by: Vec<String>,
    /// What to compute of each group, 1 to 16.
    pub measures: Vec<Measure>,
    /// Width of parts in nanoseconds; they begin at multiples of it since 1970. `None` for the whole window as one.
    pub step: Option<u64>,
    /// Groups in the answer, 1 to 1,000, those with the most rows; all others together are one more.
    pub limit: usize,
}

/// Sums by group.
#[derive(Clone, Debug, Default)]
pub struct Aggregation {
    /// Most rows first, equal ones by their values; what is beyond the limit comes last, as one.
    pub groups: Vec<AggregateGroup>,
    /// Begin of each part, never before the window; one part without a step.
    pub starts: Vec<UnixNanos>,
    /// What it took. Not complete when there were too many groups to tell apart.
    pub stats: QueryStats,
}

/// Rows that agree in every field, or all rows beyond the limit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AggregateGroup {
    /// One for each field; `None` where rows do not have it.
    pub values: Vec<Option<String>>,
    /// Whether this is everything that has no group of its own.
    pub is_other: bool,
    /// For each part one for each measure.
    pub parts: Vec<Vec<Measured>>,
}

/// Parts of a window.
#[derive(Clone, Copy, Debug)]
struct Parts {
    range: TimeRange,
    /// Width of a part and begin of the first.
    steps: Option<(u64, u64)>,
    count: usize,
}

const MAX_FIELDS: usize = 3;
const MAX_MEASURES: usize = 16;
const MAX_LIMIT: usize = 1_000;
const MAX_PARTS: usize = 1_000;
/// Groups times parts of an answer.
const MAX_CELLS: usize = 50_000;

/// Answers from roll-ups where they can, else from rows.
pub(crate) fn aggregate(snapshot: &Snapshot, ask: &Aggregate, rolls: &Rolls, control: &Control) -> Result<Aggregation, QueryError> {
    let parts = check(ask)?;
    let grouping = Grouping::new(ask.signal, &ask.group_by)?;
    let numbers = Numbers::new(ask.signal, &ask.measures)?;
    let (query, note) = Query::rows(ask.signal, &ask.query).map_err(QueryError::Parse)?;
    let filter = Predicate::new(&query);
    let question = Question {
        snapshot,
        signal: ask.signal,
        range: ask.range,
        names: grouping.has_names(),
        bare: false,
        in_shares: false,
        moment: match parts.steps {
            None => Moment::Nothing,
            Some((step, _)) if step.is_multiple_of(MINUTE) => Moment::Minute,
            Some(_) => Moment::All,
        },
        filter: &filter,
    };
    let mut holding = control.holding();
    let mut pass = |new: &(dyn Fn() -> Groups + Sync)| -> Result<(Groups, QueryStats), QueryError> {
        let question = Question { in_shares: new().ranks(), ..question };
        let (mut states, stats) = if grouping.is_told_apart() && numbers.is_empty() {
            let take =
                |groups: &mut Groups, item: &rolled::Item<'_>| grouping.told(item, |key| groups.take(key, parts.of(item.time), item));
            rolled::fold(question, rolls, control, new, take, Groups::bytes)?
        } else {
            rows(&question, (&grouping, &numbers), (parts, new), control)?
        };
        control.check()?;
        holding.set(states.iter_mut().map(|groups| groups.bytes(usize::MAX)).sum());
        Ok((states.into_iter().fold(new(), Groups::merge), stats))
    };
    let (mut groups, mut stats) = pass(&|| Groups::new(parts.count, Pass::All))?;
    if groups.is_full() {
        let ranked = pass(&|| Groups::new(parts.count, Pass::Rank(Frequent::default(), 0)))?.0;
        if let Some(chosen) = ranked.chosen(ask.limit) {
            drop(ranked);
            (groups, stats) = pass(&|| Groups::new(parts.count, Pass::Chosen(chosen.clone())))?;
        }
    }
    for note in note.into_iter().chain(groups.notes()) {
        stats.complete = false;
        stats.notes.push(note);
    }
    stats.notes.extend(groups.left_out(&numbers));
    let (found, other) = groups.largest(ask.limit);
    let of = |sums: &Sums| (0..parts.count).map(|part| sums.measured(part, &numbers, parts.seconds(part))).collect();
    let mut groups: Vec<_> =
        found.iter().map(|(key, sums)| AggregateGroup { values: group::values(key), is_other: false, parts: of(sums) }).collect();
    if groups.is_empty() && ask.group_by.is_empty() {
        groups.push(AggregateGroup { parts: of(&Sums::default()), ..AggregateGroup::default() });
    }
    if let Some(other) = other {
        groups.push(AggregateGroup { values: vec![None; ask.group_by.len()], is_other: true, parts: of(&other) });
    }
    Ok(Aggregation { groups, starts: (0..parts.count).map(|part| parts.start(part)).collect(), stats })
}

/// Reads every row that the filter leaves.
fn rows(
    question: &Question<'_>,
    (grouping, numbers): (&Grouping, &Numbers),
    (parts, new): (Parts, &(dyn Fn() -> Groups + Sync)),
    control: &Control,
) -> Result<(Vec<Groups>, QueryStats), QueryError> {
    let Question { snapshot, signal, range, filter, .. } = *question;
    let mut columns = rolled::columns(question);
    columns.extend(grouping.columns().chain(numbers.columns()));
    let mut scan = Scan::new(snapshot, signal, range, &filter.hints, control)?;
    if question.in_shares {
        scan.in_shares();
    }
    let keys: Vec<String> = grouping.keys().chain(numbers.keys()).cloned().collect();
    let wanted = Wanted { columns: &columns, keys: &keys, predicate: filter };
    let states = scan.fold(
        wanted,
        || Kept { all: new(), holding: control.holding() },
        |Kept { all: groups, holding }, rows| {
            // Nothing of this pass counts any more.
            if groups.is_full() {
                return Ok(());
            }
            let view = View::of(question, rows.batch)?;
            let mut reader = grouping.reader(rows.batch)?;
            let mut amounts = numbers.reader(rows.batch)?;
            for row in rows.alive.set_indices() {
                let item = view.item(row);
                let numbers = amounts.read(row);
                groups.leave_out(numbers);
                reader.read(row, &item, |key| groups.measure(key, parts.of(item.time), &item, numbers));
            }
            groups.is_cut |= reader.is_cut;
            holding.set(groups.bytes(rows.batch.num_rows()));
            Ok(())
        },
    )?;
    Ok((states.into_iter().map(|kept| kept.all).collect(), std::mem::take(&mut scan.stats)))
}

/// Refuses what would be without bounds or without meaning.
fn check(ask: &Aggregate) -> Result<Parts, QueryError> {
    let refuse = |reason: String| Err(QueryError::Invalid(reason));
    if ask.group_by.len() > MAX_FIELDS {
        return refuse(format!("rows are grouped by at most {MAX_FIELDS} fields, not {}", ask.group_by.len()));
    }
    if ask.measures.is_empty() || ask.measures.len() > MAX_MEASURES {
        return refuse(format!("there are 1 to {MAX_MEASURES} measures, not {}", ask.measures.len()));
    }
    if ask.signal == Signal::Logs
        && let Some(measure) = ask.measures.iter().find(|measure| measure.is_of_durations())
    {
        return refuse(format!(
            "log records have no duration, which `{measure}` is about; of them there are count, rate, error_share, and of attributes with numbers \
             avg(attr.size) and the like"
        ));
    }
    if !(1..=MAX_LIMIT).contains(&ask.limit) {
        return refuse(format!("an answer has 1 to {MAX_LIMIT} groups, not {}", ask.limit));
    }
    if ask.range.from >= ask.range.to {
        return refuse("the time range ends before it begins".to_owned());
    }
    let parts = Parts::new(ask.range, ask.step)?;
    let groups = if ask.group_by.is_empty() { 1 } else { ask.limit };
    if parts.count.saturating_mul(groups) > MAX_CELLS {
        return refuse(format!("{groups} groups of {} parts are too many; ask for a longer step or fewer groups", parts.count));
    }
    Ok(parts)
}

impl Parts {
    fn new(range: TimeRange, step: Option<u64>) -> Result<Self, QueryError> {
        let Some(step) = step else { return Ok(Self { range, steps: None, count: 1 }) };
        if step == 0 {
            return Err(QueryError::Invalid("the step is more than zero".to_owned()));
        }
        let first = range.from.get() / step * step;
        let count = usize::try_from((range.to.get() - first).div_ceil(step)).unwrap_or(usize::MAX);
        if count > MAX_PARTS {
            return Err(QueryError::Invalid(format!(
                "the window has more than {MAX_PARTS} steps; ask for a longer step or a shorter window"
            )));
        }
        Ok(Self { range, steps: Some((step, first)), count })
    }

    fn of(&self, time: u64) -> usize {
        let part = self.steps.map_or(0, |(step, first)| time.saturating_sub(first) / step);
        usize::try_from(part).unwrap_or(usize::MAX).min(self.count - 1)
    }

    fn start(&self, part: usize) -> UnixNanos {
        let start = self.steps.map_or(0, |(step, first)| first.saturating_add(step.saturating_mul(part as u64)));
        self.range.from.max(UnixNanos::new(start))
    }

    /// How much of the window lies in a part.
    #[expect(clippy::cast_precision_loss, reason = "rates are not that exact")]
    fn seconds(&self, part: usize) -> f64 {
        let end = if self.steps.is_none() || part + 1 >= self.count { self.range.to } else { self.start(part + 1) };
        end.since(self.start(part)) as f64 / 1e9
    }
}

#[cfg(test)]
mod tests;
