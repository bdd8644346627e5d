//! Counts the rows of a window: whole minutes of segments from their roll-ups, everything else from rows.
//!
//! Owns which minutes of which segments are counted from where. `plan` has them and counts cells, `rows` counts rows, `rolls` keeps what was
//! decoded, `older` reads what must be taken off, `view` reads rows. What is counted is up to the caller.
//!
//! Scans leave older versions of spans out; roll-ups count them, so they are taken off again (see `query/versions.rs`).

use std::sync::Arc;

use super::answer::QueryStats;
use super::predicate::Predicate;
use super::question::QueryError;
use super::scan::Control;
use crate::model::TimeRange;
use crate::segment::Segment;
use crate::snapshot::Snapshot;
use crate::store::Signal;

mod item;
mod older;
mod plan;
mod rolls;
mod rows;
mod view;

use self::item::Amount;
pub(super) use self::item::{Counts, Item};
use self::older::Told;
use self::plan::Plan;
use self::rolls::Detail;
pub(crate) use self::rolls::Rolls;
pub(super) use self::view::{View, columns};

/// Which rows are counted, and what is told apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) signal: Signal,
    pub(super) range: TimeRange,
    /// Whether span names matter; `filter` may still ask for them.
    pub(super) names: bool,
    /// Whether of the rest only status and time matter.
    pub(super) bare: bool,
    /// Whether what a worker keeps depends on which rows it meets, so that each must have the same ones every time.
    pub(super) in_shares: bool,
    pub(super) moment: Moment,
    pub(super) filter: &'a Predicate,
}

/// What of the time of a row matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    All,
    /// Its minute.
    Minute,
    /// Only that it is in the window.
    Nothing,
}

/// Whether a filter asks only for what roll-ups tell apart.
pub(super) fn is_told_apart(filter: &Predicate) -> bool {
    filter.columns().iter().all(|column| plan::TOLD_APART.contains(column))
}

/// Whether roll-ups have what segments say of a question, so that rows are read in memory and in cut minutes alone.
pub(super) fn have_all(question: &Question<'_>, rolls: &Rolls) -> bool {
    let Question { snapshot, signal, range, names, filter, .. } = *question;
    let names = names || filter.columns().contains(crate::schema::column::NAME);
    let is_asked = |segment: &&Arc<Segment>| range == TimeRange::ALL || range.overlaps(segment.meta().min_time, segment.meta().max_time);
    snapshot.table(signal).segments.iter().filter(is_asked).all(|segment| {
        let roll = rolls.of(segment, Detail { names, minutes: true });
        segment.hidden().is_empty() && roll.is_some_and(|roll| roll.has_names || !names)
    })
}

/// Hands everything that is asked for to `take`, each item to one of the states that are given back. `bytes` says what a state holds after so
/// many more items, which is shown while they are summed up.
pub(super) fn fold<S: Send>(
    question: Question<'_>,
    rolls: &Rolls,
    control: &Control,
    new: impl Fn() -> S + Sync,
    take: impl Fn(&mut S, &Item<'_>) + Sync,
    bytes: impl Fn(&mut S, usize) -> usize + Sync,
) -> Result<(Vec<S>, QueryStats), QueryError> {
    let mut plan = Plan::new(question, rolls, control)?;
    let states = plan.run(&new, &take, &bytes)?;
    Ok((states, plan.stats))
}

#[cfg(test)]
mod tests;
