//! Which operations of a trace take longest: looked for once per trace and version, however many pages and windows of rows ask.

use std::cmp::Reverse;

use super::Brief;

/// All spans of one name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Operation {
    /// Place in [`Sheet::names`](super::Sheet::names).
    pub name: u32,
    /// How many there are.
    pub count: u64,
    /// Nanoseconds that they last together.
    pub total: u64,
}

/// The operations of a trace, as far as they can be told apart at a glance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Operations {
    /// Those that take longest, the longest first, as many as can be told apart.
    pub longest: Vec<Operation>,
    /// How many there are in all.
    pub all: usize,
}

// === impl Operations ===

impl Operations {
    pub(super) fn of(spans: &[Brief], names: &[String]) -> Self {
        Self::most(spans, names, MOST)
    }

    /// A trace may have as many names as spans; `most` of them are kept.
    fn most(spans: &[Brief], names: &[String], most: usize) -> Self {
        let mut known: Vec<Operation> = (0..).zip(names).map(|(name, _)| Operation { name, count: 0, total: 0 }).collect();
        for span in spans {
            if let Some(one) = known.get_mut(span.name as usize) {
                one.count += 1;
                one.total = one.total.saturating_add(span.duration());
            }
        }
        known.retain(|one| one.count > 0);
        let all = known.len();
        let longest = |one: &Operation| (Reverse(one.total), names.get(one.name as usize).map(String::as_str));
        if all > most {
            known.select_nth_unstable_by(most, |a, b| longest(a).cmp(&longest(b)));
            known.truncate(most);
        }
        known.sort_unstable_by(|a, b| longest(a).cmp(&longest(b)));
        Self { longest: known, all }
    }
}

/// As many as there are colours that can be told apart.
const MOST: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{SpanId, SpanKind, StatusCode, UnixNanos};

    fn brief(name: u32, duration: u64) -> Brief {
        Brief {
            span_id: SpanId::from_slice(&[1; 8]).unwrap(),
            parent_span_id: None,
            kind: SpanKind::Internal,
            status: StatusCode::Unset,
            start: UnixNanos::new(10),
            end: UnixNanos::new(10 + duration),
            service: 0,
            name,
            clock: 0,
            events: 0,
        }
    }

    #[test]
    fn those_that_take_longest_together_are_kept_and_the_others_counted() {
        let names = ["b", "a", "unused", "c"].map(str::to_owned);
        let spans = [brief(0, 5), brief(3, 9), brief(0, 5), brief(1, 10)];
        let told = |most: usize| {
            let operations = Operations::most(&spans, &names, most);
            (operations.longest.iter().map(|one| (one.name, one.count, one.total)).collect::<Vec<_>>(), operations.all)
        };
        assert_eq!(told(9), (vec![(1, 1, 10), (0, 2, 10), (3, 1, 9)], 3), "of equal ones by name");
        assert_eq!(told(2), (vec![(1, 1, 10), (0, 2, 10)], 3));
    }
}
