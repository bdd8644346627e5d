//! Judges one trace in memory: its spans as a tree, its log records hanging on their spans.

use std::collections::BTreeMap;

use super::super::super::language::Relation;
use super::super::super::question::{TraceOrder, TraceSearch};
use super::plan::{Check, Number, Plan, SetPlan};
use super::rows::{Item, Rows};
use crate::model::{TimeRange, UnixNanos};

/// A trace that matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    /// That of the best deciding row in range, or of how many spans in range are counted; see [`TraceOrder::weight`] and
    /// [`TraceOrder::weight_of`].
    pub(super) weight: u64,
    /// Deciding rows in range.
    pub(super) rows: usize,
}

/// A trace laid out.
struct Judge<'a> {
    items: &'a [Item],
    /// Per item, the item above it.
    parents: &'a [Option<usize>],
    rows: &'a Rows,
}

/// What an item hangs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Above {
    /// Another item, by its place.
    Item(usize),
    /// A span with this id that did not come.
    Missing(u64),
}

/// Which items are in a set.
type Members = Vec<bool>;

/// `None` when the trace does not match, or has no deciding row in range.
pub(super) fn judge(plan: &Plan, rows: &Rows, search: &TraceSearch) -> Option<Verdict> {
    let (items, parents) = rows.laid_out();
    if !items.iter().any(|item| item.is_span) {
        return None;
    }
    let judge = Judge { items: &items, parents: &parents, rows };
    if !judge.check(&plan.root) {
        return None;
    }
    let members = match &plan.decider {
        Some(set) => judge.members(set),
        None => items.iter().map(|item| item.is_span).collect(),
    };
    let in_range = |item: &&Item| search.range == TimeRange::ALL || search.range.contains(UnixNanos::new(item.time));
    let weight = search.order.weight();
    let of = |item: &Item| weight(if search.order.is_by_start() { item.time } else { item.duration });
    let best = judge.chosen(&members).filter(in_range).map(of).max()?;
    let counted = |is_counted: fn(&Item) -> bool| {
        let times = items.iter().filter(|item| item.is_span && is_counted(item)).filter(in_range).map(|item| item.time);
        let (count, newest) = times.fold((0, 0), |(count, newest), time| (count + 1, time.max(newest)));
        (count > 0).then_some(TraceOrder::weight_of(count, newest))
    };
    let weight = match search.order {
        TraceOrder::Newest | TraceOrder::Oldest | TraceOrder::Slowest => best,
        TraceOrder::MostSpans => counted(|_| true)?,
        TraceOrder::MostErrors => counted(|span| span.is_error)?,
    };
    Some(Verdict { weight, rows: judge.chosen(&members).filter(in_range).count() })
}

impl Judge<'_> {
    fn check(&self, check: &Check) -> bool {
        match check {
            Check::And(parts) => parts.iter().all(|part| self.check(part)),
            Check::Or(parts) => parts.iter().any(|part| self.check(part)),
            Check::Not(part) => !self.check(part),
            Check::Some(SetPlan::Leg(leg)) => self.items.iter().any(|item| item.is_in(*leg)),
            Check::Some(set) => self.members(set).contains(&true),
            Check::Within(number, ranges) => {
                let number = self.number(number);
                ranges.iter().any(|(first, last)| *first <= number && number <= *last)
            }
        }
    }

    fn number(&self, number: &Number) -> u64 {
        let spans = || self.items.iter().filter(|item| item.is_span);
        let count = match number {
            Number::Count(set) => self.chosen(&self.members(set)).count(),
            Number::Duration => {
                let start = spans().map(|span| span.time).min().unwrap_or_default();
                let end = spans().map(|span| span.end.max(span.time)).max().unwrap_or_default();
                return UnixNanos::new(start).until(UnixNanos::new(end));
            }
            Number::Spans => spans().count(),
            Number::Errors => spans().filter(|span| span.is_error).count(),
            Number::Services => self.rows.services(),
            Number::Logs => self.items.iter().filter(|item| !item.is_span).count(),
        };
        count as u64
    }

    fn chosen<'b>(&'b self, members: &'b Members) -> impl Iterator<Item = &'b Item> {
        self.items.iter().zip(members).filter(|(_, chosen)| **chosen).map(|(item, _)| item)
    }

    fn members(&self, set: &SetPlan) -> Members {
        match set {
            SetPlan::Leg(leg) => self.items.iter().map(|item| item.is_in(*leg)).collect(),
            SetPlan::Related { left, relation, negated, right } => {
                let left = self.members(left);
                let related = match relation {
                    Relation::Child => self.children_of(&left),
                    Relation::Descendant => self.below(&left),
                    Relation::Parent => self.parents_of(&left),
                    Relation::Ancestor => self.above(&left),
                    Relation::Sibling => self.siblings_of(&left),
                };
                let mut members = self.members(right);
                members.iter_mut().zip(related).for_each(|(member, related)| *member &= related != *negated);
                members
            }
        }
    }

    fn parent(&self, item: usize) -> Option<usize> {
        self.parents.get(item).copied().flatten()
    }

    fn children_of(&self, set: &Members) -> Members {
        (0..self.items.len()).map(|item| self.parent(item).is_some_and(|parent| holds(set, parent))).collect()
    }

    fn parents_of(&self, set: &Members) -> Members {
        let mut found = vec![false; self.items.len()];
        for item in (0..self.items.len()).filter(|item| holds(set, *item)) {
            if let Some(found) = self.parent(item).and_then(|parent| found.get_mut(parent)) {
                *found = true;
            }
        }
        found
    }

    /// Walks up from each member until it meets what was marked before.
    fn above(&self, set: &Members) -> Members {
        let mut found = vec![false; self.items.len()];
        for item in (0..self.items.len()).filter(|item| holds(set, *item)) {
            let mut at = item;
            while let Some(parent) = self.parent(at)
                && let Some(mark) = found.get_mut(parent)
                && !*mark
            {
                *mark = true;
                at = parent;
            }
        }
        found
    }

    /// Walks up from each item until it meets a member or what is known, and marks the way.
    fn below(&self, set: &Members) -> Members {
        let mut known: Vec<Option<bool>> = vec![None; self.items.len()];
        let mut way = Vec::new();
        for item in 0..self.items.len() {
            let mut at = item;
            let answer = loop {
                if let Some(answer) = known.get(at).copied().flatten() {
                    break answer;
                }
                way.push(at);
                match self.parent(at) {
                    None => break false,
                    Some(parent) if holds(set, parent) => break true,
                    Some(parent) => at = parent,
                }
            };
            for step in way.drain(..) {
                if let Some(known) = known.get_mut(step) {
                    *known = Some(answer);
                }
            }
        }
        known.into_iter().map(|known| known == Some(true)).collect()
    }

    fn siblings_of(&self, set: &Members) -> Members {
        let mut members_below: BTreeMap<Above, usize> = BTreeMap::new();
        for above in (0..self.items.len()).filter(|item| holds(set, *item)).filter_map(|item| self.above_of(item)) {
            *members_below.entry(above).or_default() += 1;
        }
        let others = |item: usize| {
            let all = self.above_of(item).and_then(|above| members_below.get(&above)).copied().unwrap_or_default();
            all.saturating_sub(usize::from(holds(set, item)))
        };
        (0..self.items.len()).map(|item| others(item) > 0).collect()
    }

    /// What an item hangs on, whether that came or not.
    fn above_of(&self, item: usize) -> Option<Above> {
        let missing = || self.items.get(item).map(|item| item.parent).filter(|id| *id != 0).map(Above::Missing);
        self.parent(item).map(Above::Item).or_else(missing)
    }
}

fn holds(set: &Members, item: usize) -> bool {
    set.get(item).copied().unwrap_or_default()
}
