//! Reading the rows alone that meet the conditions of a question on single columns, such as services, durations and attributes.
//!
//! Which rows these are is found by the values as they are stored, at a fraction of what it takes to make columns of all rows. What their
//! values do not decide alone is decided on by the predicate as ever.

use std::borrow::Cow;

use arrow::array::RecordBatch;
use arrow::buffer::BooleanBuffer;

use super::numbers::Numbers;
use super::{Account, Place, RowRanges, Scan, ranges};
use crate::query::predicate::{Predicate, Rest, Stored};
use crate::query::question::QueryError;
use crate::segment::{Segment, holds_rows};

/// Fewer rows are read at once.
const MANY_ROWS: usize = if cfg!(test) { 4 } else { 1_024 };
/// So many rows show whether most meet the conditions.
const TRIAL_ROWS: usize = 8 * MANY_ROWS;
/// Of one in so many rows, all rows are read: single rows are found one by one.
const FREQUENT: usize = if cfg!(test) { 2 } else { 16 };
/// Rows between others are rather read than skipped when they are no more.
const GAP_ROWS: u32 = 4;

/// Rows of a place that are to be read.
#[derive(Debug)]
pub(super) struct Left<'r, 'p> {
    pub(super) rows: Cow<'r, RowRanges>,
    /// What was found out of them, where something was.
    pub(super) known: Option<Known<'p>>,
}

/// What is known of rows that conditions were asked of.
#[derive(Clone, Debug)]
pub(super) struct Known<'p> {
    /// The rows that may match.
    rows: RowRanges,
    /// Conditions that all of these meet.
    met: Vec<Stored<'p>>,
}

impl Scan<'_> {
    /// Those of some rows of a place that meet such conditions, or all rows where that is not worth finding out.
    pub(super) fn stored<'r, 'p>(
        &self,
        place: Place,
        rows: Cow<'r, RowRanges>,
        predicate: &'p Predicate,
        account: &mut Account,
    ) -> Left<'r, 'p> {
        let (all, conditions) = (ranges::count(&rows), predicate.stored());
        let segment = if let Place::Segment(at) = place { self.table.segments.get(at).map(|segment| (at, segment)) } else { None };
        let asked = segment.filter(|_| all > MANY_ROWS && !conditions.is_empty());
        let Some((at, known)) = asked.and_then(|(at, segment)| Some((at, few_that_meet(segment, &rows, &conditions)?))) else {
            return Left { rows, known: None };
        };
        let left = ranges::closed(&known.rows, GAP_ROWS, &rows);
        // Those that are left are counted when they are read.
        account.rows += (all - ranges::count(&left)) as u64;
        account.segments.insert(at);
        Left { rows: Cow::Owned(left), known: Some(known) }
    }
}

/// `None` when they are many, or cannot be told.
fn few_that_meet<'p>(segment: &Segment, rows: &RowRanges, conditions: &[Stored<'p>]) -> Option<Known<'p>> {
    let (trial, rest) = ranges::split(rows, TRIAL_ROWS);
    let (mut rows, mut are_met) = that_meet(segment, trial, conditions)?;
    if !rest.is_empty() {
        let (more, are_met_there) = that_meet(segment, rest, conditions)?;
        rows.extend(more);
        are_met.iter_mut().zip(are_met_there).for_each(|(is_met, there)| *is_met &= there);
    }
    let met = conditions.iter().zip(are_met).filter_map(|(condition, is_met)| is_met.then_some(*condition)).collect();
    Some(Known { rows, met })
}

/// Rows that may meet conditions, and which of these all of them meet.
fn that_meet(segment: &Segment, rows: RowRanges, conditions: &[Stored<'_>]) -> Option<(RowRanges, Vec<bool>)> {
    let (all, mut left, mut are_known) = (ranges::count(&rows), rows, false);
    let mut are_met = Vec::with_capacity(conditions.len());
    for condition in conditions {
        let found = if left.is_empty() { None } else { condition.rows(segment, &left) };
        are_met.push(left.is_empty() || found.as_ref().is_some_and(|(_, are_exact)| *are_exact));
        if let Some((found, _)) = found {
            (left, are_known) = (found, true);
        }
    }
    (are_known && ranges::count(&left) * FREQUENT <= all).then_some((left, are_met))
}

// === impl Known ===

impl Known<'_> {
    /// Those of the `alive` rows of a batch that may match, whose numbers begin with this one.
    fn alive(&self, alive: &BooleanBuffer, numbers: &Numbers<'_>, first: usize) -> BooleanBuffer {
        alive & &BooleanBuffer::collect_bool(alive.len(), |row| holds_rows(&self.rows, numbers.of(first + row)))
    }
}

// === impl Left ===

impl<'p> Left<'_, 'p> {
    /// What is to be asked of the rows.
    pub(super) fn rest(&self, predicate: &'p Predicate) -> Rest<'p> {
        predicate.rest(self.known.as_ref().map_or(&[], |known| &known.met))
    }

    /// Those of the `alive` rows of a batch that match.
    pub(super) fn matches(
        &self,
        rest: &Rest<'_>,
        batch: &RecordBatch,
        alive: BooleanBuffer,
        (numbers, first): (&Numbers<'_>, usize),
    ) -> Result<BooleanBuffer, QueryError> {
        let alive = match &self.known {
            Some(known) => known.alive(&alive, numbers, first),
            None => alive,
        };
        rest.matches(batch, alive)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use arrow::buffer::BooleanBuffer;

    use super::super::{Control, Wanted};
    use crate::model::{Resource, Span, TimeRange};
    use crate::query::fixtures::{self, Dice};
    use crate::query::language::Query;
    use crate::query::predicate::Predicate;
    use crate::query::scan::Scan;
    use crate::schema::column;
    use crate::store::Signal;

    const QUERIES: [&str; 19] = [
        "service=api name=put",
        "service=api name=put duration>1004ns",
        "duration>1006ns",
        "service=absent",
        "status=error",
        "status=error kind=internal service!=api",
        "attr.region=*",
        "attr.region=north",
        "attr.region=north service=pay",
        "attr.zone=7 name=get",
        "attr.region=* duration<1001ns",
        "resource.region=north",
        "attr.zone>5 name:p*",
        "service=api attr.region=north attr.region=south",
        "shop.region=north",
        "shop.region=north service=pay duration>1002ns",
        "service=api name=put NOT attr.region=north status!=error",
        "service=api (name=put OR name=get) attr.zone=7",
        "attr.share>0.5 attr.is_new=true",
    ];

    fn span(dice: &mut Dice, id: u64) -> Span {
        let service = *dice.pick(&["api", "pay", "cart", "mail"]);
        let mut span = fixtures::span(id / 3, id, 0, service, dice.pick::<&str>(&["get", "put", "post"]), 1_000 + id, 1_000 + dice.roll(8));
        if dice.roll(7) == 0 {
            span.attributes.push(fixtures::text("region", dice.pick::<&str>(&["north", "south"])));
        }
        if dice.roll(40) == 0 {
            let attributes = [&span.resource.attributes[..], &[fixtures::text("region", "north")]].concat();
            span.resource = Resource { attributes, ..Resource::default() }.into();
        }
        if dice.roll(3) == 0 {
            span.attributes
                .push(crate::model::KeyValue { key: "zone".to_owned(), value: crate::model::Value::Int(dice.roll(9).cast_signed()) });
        }
        let mut add = |key: &str, value| span.attributes.push(crate::model::KeyValue { key: key.to_owned(), value });
        if dice.roll(9) == 0 {
            add("shop.region", crate::model::Value::String((*dice.pick(&["north", "south"])).to_owned()));
        }
        if dice.roll(5) == 0 {
            add("share", crate::model::Value::Double(f64::from(u32::try_from(dice.roll(9)).unwrap()) / 9.0));
            add("is_new", crate::model::Value::Bool(dice.roll(4) == 0));
        }
        if dice.roll(30) == 0 {
            span.status.code = crate::model::StatusCode::Error;
        }
        span
    }

    #[test]
    fn rows_that_meet_conditions_are_those_that_a_look_at_each_finds() {
        let (mut dice, mut narrowed) = (Dice(93), 0);
        let control = Control::new(Duration::from_secs(60));
        for round in 0..4 {
            let folder = tempfile::tempdir().unwrap();
            let spans: Vec<Span> = (1..=900).map(|id| span(&mut dice, id)).collect();
            let mut keys = Dice(round + 5);
            let segments = spans.chunks(400).map(|spans| vec![fixtures::spans(spans)]).collect();
            let layout = || Some(fixtures::layout(&mut keys, &["region", "zone"]));
            let snapshot = fixtures::snapshot_in(layout, folder.path(), Signal::Traces, Vec::new(), segments);
            for query in QUERIES {
                let predicate = Predicate::new(&Query::parse(Signal::Traces, query).unwrap());
                let batch = fixtures::spans(&spans);
                let expected = predicate.matches(&batch, BooleanBuffer::new_set(spans.len())).unwrap().count_set_bits();
                let mut scan = Scan::new(&snapshot, Signal::Traces, TimeRange::ALL, &Predicate::all().hints, &control).unwrap();
                let (mut found, mut read) = (0, 0);
                let wanted = Wanted { columns: &[column::NAME], keys: &[], predicate: &predicate };
                let each = |rows: &super::super::Rows<'_>| {
                    found += rows.alive.count_set_bits();
                    read += rows.batch.num_rows();
                    Ok(())
                };
                scan.run(wanted, |_| false, each).unwrap();
                assert_eq!(found, expected, "{query}");
                assert_eq!((scan.stats.rows_scanned, scan.stats.complete), (900, true), "{query}");
                narrowed += usize::from(found > 0 && read < 900);
            }
        }
        assert!(narrowed > 30, "{narrowed}");
    }
}
