//! Reading the rows alone that meet the conditions of a question on single columns, such as services, durations and attributes.
//!
//! Which rows these are is found by the values as they are stored, at a fraction of what it takes to make columns of all rows. What is left
//! here is decided on by the predicate as ever.

use std::borrow::Cow;

use super::{Account, Place, RowRanges, Scan, ranges};
use crate::query::predicate::{Predicate, Stored};
use crate::segment::Segment;

/// Fewer rows are read at once.
const MANY_ROWS: usize = if cfg!(test) { 4 } else { 1_024 };
/// So many rows show whether most meet the conditions.
const TRIAL_ROWS: usize = 8 * MANY_ROWS;
/// Of one in so many rows, all rows are read: single rows are found one by one.
const FREQUENT: usize = if cfg!(test) { 2 } else { 16 };
/// Rows between others are rather read than skipped when they are no more.
const GAP_ROWS: u32 = 4;

impl Scan<'_> {
    /// Those of some rows of a place that meet such conditions, or all rows where that is not worth finding out.
    pub(super) fn stored<'r>(
        &self,
        place: Place,
        rows: Cow<'r, RowRanges>,
        predicate: &Predicate,
        account: &mut Account,
    ) -> Cow<'r, RowRanges> {
        let (all, conditions) = (ranges::count(&rows), predicate.stored());
        let Place::Segment(at) = place else { return rows };
        let Some(segment) = self.table.segments.get(at).filter(|_| all > MANY_ROWS && !conditions.is_empty()) else { return rows };
        let Some(left) = few_that_meet(segment, &rows, &conditions) else { return rows };
        let left = ranges::closed(left, GAP_ROWS, &rows);
        // Those that are left are counted when they are read.
        account.rows += (all - ranges::count(&left)) as u64;
        account.segments.insert(at);
        Cow::Owned(left)
    }
}

/// `None` when they are many, or cannot be told.
fn few_that_meet(segment: &Segment, rows: &RowRanges, conditions: &[Stored<'_>]) -> Option<RowRanges> {
    let (trial, rest) = ranges::split(rows, TRIAL_ROWS);
    let mut found = that_meet(segment, trial, conditions)?;
    if !rest.is_empty() {
        found.extend(that_meet(segment, rest, conditions)?);
    }
    Some(found)
}

fn that_meet(segment: &Segment, rows: RowRanges, conditions: &[Stored<'_>]) -> Option<RowRanges> {
    let (all, mut left, mut are_known) = (ranges::count(&rows), rows, false);
    for condition in conditions {
        if left.is_empty() {
            break;
        }
        if let Some(rows) = condition.rows(segment, &left) {
            (left, are_known) = (rows, true);
        }
    }
    (are_known && ranges::count(&left) * FREQUENT <= all).then_some(left)
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

    const QUERIES: [&str; 14] = [
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
