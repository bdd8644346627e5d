//! Values that roll-ups tell apart: counted without reading rows where these can answer.

use std::collections::HashMap;

use super::super::answer::QueryStats;
use super::super::language::Field;
use super::super::predicate::Predicate;
use super::super::question::QueryError;
use super::super::rolled::{self, Item, Moment, Question, Rolls};
use super::super::scan::{Control, of_map};
use super::Facets;
use super::counts::MAX_VALUES;
use crate::model::{Severity, SpanKind, StatusCode, TimeRange};
use crate::snapshot::Snapshot;
use crate::store::Signal;

/// A field that is told apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    signal: Signal,
    value: for<'i> fn(&Item<'i>) -> &'i str,
    is_name: bool,
}

/// Rows by value.
#[derive(Debug, Default)]
struct Rows {
    values: HashMap<String, i64>,
    all: i64,
    is_full: bool,
}

impl Told {
    /// `None` when roll-ups do not tell this field apart, or not what the filter asks for.
    pub(super) fn new(signal: Signal, field: &Field, filter: &Predicate) -> Option<Self> {
        let value: for<'i> fn(&Item<'i>) -> &'i str = match (signal, field) {
            (_, Field::Service) => |item| item.service,
            (Signal::Traces, Field::Name) => |item| item.name,
            (Signal::Traces, Field::Kind) => |item| SpanKind::from(item.kind).as_str(),
            (Signal::Traces, Field::Status) => |item| StatusCode::from(item.status).as_str(),
            (Signal::Logs, Field::Severity) => |item| Severity::from_number(item.status).map_or("unknown", Severity::as_str),
            _ => return None,
        };
        rolled::is_told_apart(filter).then_some(Self { signal, value, is_name: *field == Field::Name })
    }

    /// `None` when counting values alone takes less, because segments have no roll-up that helps, or when there are too many values.
    pub(super) fn count(
        self,
        snapshot: &Snapshot,
        range: TimeRange,
        filter: &Predicate,
        rolls: &Rolls,
        (limit, control): (usize, &Control),
    ) -> Result<Option<Facets>, QueryError> {
        let Self { signal, value, is_name } = self;
        let question = Question { snapshot, signal, range, names: is_name, bare: false, in_shares: false, moment: Moment::Nothing, filter };
        if !rolled::have_all(&question, rolls) {
            return Ok(None);
        }
        let take = |rows: &mut Rows, item: &Item<'_>| rows.take(value(item), item.rows());
        let (states, stats) = rolled::fold(question, rolls, control, Rows::default, take, |rows, _| rows.bytes())?;
        let mut rows = Rows::default();
        for state in states {
            rows.all += state.all;
            rows.is_full |= state.is_full;
            state.values.iter().for_each(|(value, count)| rows.add(value, *count));
        }
        // Which of so many are the most frequent is known by counting them.
        if rows.is_full {
            return Ok(None);
        }
        Ok(Some(rows.finish(limit, stats)))
    }
}

impl Rows {
    fn take(&mut self, value: &str, rows: i64) {
        self.all += rows;
        self.add(value, rows);
    }

    fn bytes(&self) -> usize {
        of_map(&self.values) + self.values.keys().map(String::len).sum::<usize>()
    }

    fn add(&mut self, value: &str, rows: i64) {
        if let Some(count) = self.values.get_mut(value) {
            *count += rows;
        } else if self.values.len() < MAX_VALUES {
            self.values.insert(value.to_owned(), rows);
        } else {
            self.is_full = true;
        }
    }

    fn finish(mut self, limit: usize, stats: QueryStats) -> Facets {
        let without = self.values.remove("").unwrap_or_default();
        let whole = |count: i64| u64::try_from(count).unwrap_or(0);
        let mut values: Vec<_> =
            self.values.into_iter().map(|(value, count)| (value, whole(count))).filter(|(_, count)| *count > 0).collect();
        values.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        values.truncate(limit);
        Facets { values, rows: whole(self.all), without: whole(without), stats }
    }
}
