//! Reading the rows alone that may have a text that is looked for, by the columns that can hold it.
//!
//! A word is in few of the columns that texts of spans lie in, as their dictionaries say. These alone are read of all rows, and everything
//! else of the rows that have the word. What is left here is decided on by the predicate as ever.

use std::borrow::Cow;

use arrow::array::RecordBatch;
use arrow::buffer::BooleanBuffer;

use super::numbers::Numbers;
use super::{Account, Place, RowRanges, Scan, ranges};
use crate::query::predicate::{Predicate, SpanText, TEXT_COLUMNS};
use crate::query::question::QueryError;
use crate::schema::column;
use crate::segment::{Segment, SegmentError};

/// Fewer rows are read at once.
const MANY_ROWS: usize = if cfg!(test) { 4 } else { 8_192 };
/// So many rows show how frequent a text is.
const TRIAL_ROWS: usize = 2 * MANY_ROWS;
/// Of one in so many rows, all rows are read: single rows are found one by one.
const FREQUENT: usize = 16;
/// Rows between others are rather read than skipped when they are no more.
const GAP_ROWS: u32 = 16;

impl Scan<'_> {
    /// Those of some rows of a place that may have the texts of a predicate, or all rows where that is not worth finding out. None when a
    /// part cannot be read, which is noted.
    pub(super) fn worded<'r>(
        &self,
        place: Place,
        rows: Cow<'r, RowRanges>,
        predicate: &Predicate,
        account: &mut Account,
    ) -> Result<Cow<'r, RowRanges>, QueryError> {
        let texts = predicate.texts();
        let all = ranges::count(&rows);
        let Place::Segment(at) = place else { return Ok(rows) };
        let Some(segment) = self.table.segments.get(at).filter(|_| all > MANY_ROWS && !texts.is_empty()) else { return Ok(rows) };
        // An attribute without a value reads as an empty text, of which no dictionary knows.
        if texts.iter().any(|text| text.is_in("")) {
            return Ok(rows);
        }
        let found = match self.rows_with(segment, &rows, &texts)? {
            Ok(Some(found)) => ranges::joined(found, GAP_ROWS, &rows),
            Ok(None) => return Ok(rows),
            Err(error) => return account.unreadable(&error).map(|()| Cow::Owned(RowRanges::new())),
        };
        // Those that are left are counted when they are read.
        account.rows += (all - ranges::count(&found)) as u64;
        account.segments.insert(at);
        Ok(Cow::Owned(found))
    }

    /// `None` when the texts are frequent.
    fn rows_with(
        &self,
        segment: &Segment,
        rows: &RowRanges,
        texts: &[SpanText<'_>],
    ) -> Result<Result<Option<Vec<u32>>, SegmentError>, QueryError> {
        let batches = match columns_with(segment, rows, texts) {
            Ok(columns) if columns.is_empty() => return Ok(Ok(Some(Vec::new()))),
            Ok(columns) => segment.read_stored(&columns.iter().map(String::as_str).collect::<Vec<_>>(), Some(rows)),
            Err(error) => Err(error),
        };
        let batches = match batches {
            Ok(batches) => batches,
            Err(error) => return Ok(Err(error)),
        };
        let (numbers, mut position, mut found) = (Numbers::new(rows), 0, Vec::new());
        for batch in batches {
            self.control.check()?;
            let batch: RecordBatch = match batch {
                Ok(batch) => batch,
                Err(error) => return Ok(Err(error)),
            };
            let mut alive = BooleanBuffer::new_set(batch.num_rows());
            for text in texts {
                alive = &alive & &text.may_be_of(&batch)?;
            }
            found.extend(alive.set_indices().map(|row| numbers.of(position + row)));
            position += batch.num_rows();
            if position >= TRIAL_ROWS && found.len() * FREQUENT > position {
                return Ok(Ok(None));
            }
        }
        Ok(Ok(Some(found)))
    }
}

/// Columns of the row group of some rows in which one of the texts may be, or that say where they may be beside.
fn columns_with(segment: &Segment, rows: &RowRanges, texts: &[SpanText<'_>]) -> Result<Vec<String>, SegmentError> {
    let Some(row) = rows.first().map(|range| range.start) else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for name in TEXT_COLUMNS.into_iter().map(str::to_owned).chain(segment.columns_of_texts()?) {
        let tells_more = |value: &str| name == column::EVENT_NAMES && SpanText::may_be_beside(value);
        if segment.may_have_text(row, &name, |value| texts.iter().any(|text| text.is_in(value)) || tells_more(value))? {
            found.push(name);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{Control, Wanted};
    use super::*;
    use crate::model::{Event, Span, TimeRange};
    use crate::query::fixtures::{self, Dice};
    use crate::query::language::Query;
    use crate::snapshot::Snapshot;
    use crate::store::Signal;

    const KEYS: [&str; 3] = ["few", "long", "note"];
    const QUERIES: [&str; 12] = [
        "timeout",
        "cart timeout",
        "\"ime\"",
        "name:put retry",
        "tim*",
        "case:Timeout",
        "absent",
        "w17",
        "NOT timeout",
        "retry OR cart",
        "service:api timeout",
        "*out",
    ];

    fn text(dice: &mut Dice) -> String {
        (0..dice.roll(3)).map(|_| *dice.pick(&["cart", "Timeout", "timeouts", "retry", "ok", "time-out"])).collect::<Vec<_>>().join(" ")
    }

    fn span(dice: &mut Dice, id: u64) -> Span {
        let mut span = fixtures::span(id / 3, id, 0, ["api", "pay"][dice.count(2)], ["get", "put"][dice.count(2)], 1_000 + id, 5);
        if dice.roll(9) == 0 {
            span.attributes.push(fixtures::text("few", &text(dice)));
        }
        // Hardly two are alike, so that a dictionary of them is given up.
        span.attributes.push(fixtures::text("long", &format!("{:060} w{}", dice.roll(u64::MAX), dice.roll(90))));
        for _ in 0..dice.roll(9).saturating_sub(6) {
            let attributes = vec![fixtures::text("exception.message", &text(dice))];
            span.events.push(Event { name: "exception".to_owned(), attributes, ..Event::default() });
        }
        if dice.roll(40) == 0 {
            span.status.message = text(dice);
        }
        span
    }

    fn snapshot(folder: &std::path::Path, dice: &mut Dice, spans: &[Span]) -> Snapshot {
        let mut keys = Dice(dice.roll(99));
        let segments = spans.chunks(400).map(|spans| vec![fixtures::spans(spans)]).collect();
        fixtures::snapshot_in(|| Some(fixtures::layout(&mut keys, &KEYS)), folder, Signal::Traces, Vec::new(), segments)
    }

    #[test]
    fn rows_with_a_text_are_those_that_a_look_at_each_finds() {
        let (mut dice, mut narrowed) = (Dice(81), 0);
        let control = Control::new(Duration::from_secs(60));
        for _ in 0..4 {
            let folder = tempfile::tempdir().unwrap();
            let spans: Vec<Span> = (1..=900).map(|id| span(&mut dice, id)).collect();
            let snapshot = snapshot(folder.path(), &mut dice, &spans);
            for query in QUERIES {
                let predicate = Predicate::new(&Query::parse(Signal::Traces, query).unwrap());
                let batch = fixtures::spans(&spans);
                let expected = predicate.matches(&batch, BooleanBuffer::new_set(spans.len())).unwrap().count_set_bits();
                let mut scan = Scan::new(&snapshot, Signal::Traces, TimeRange::ALL, &predicate.hints, &control).unwrap();
                let (mut found, mut read) = (0, 0);
                let wanted = Wanted { columns: &[column::NAME], keys: &[], predicate: &predicate };
                scan.run(
                    wanted,
                    |_| false,
                    |rows| {
                        found += rows.alive.count_set_bits();
                        read += rows.batch.num_rows();
                        Ok(())
                    },
                )
                .unwrap();
                assert_eq!(found, expected, "{query}");
                assert_eq!((scan.stats.rows_scanned, scan.stats.complete), (900, true), "{query}");
                narrowed += usize::from(found > 0 && read < 900);
            }
        }
        assert!(narrowed > 0);
    }

    #[test]
    fn columns_are_read_that_have_the_text_or_have_no_dictionary() {
        let folder = tempfile::tempdir().unwrap();
        let mut dice = Dice(7);
        let mut spans: Vec<Span> = (1..=400).map(|id| span(&mut dice, id)).collect();
        spans.iter_mut().for_each(|span| span.events.clear());
        let segments = vec![vec![fixtures::spans(&spans)]];
        let keys = crate::attributes::Layout::new([
            ("few".to_owned(), crate::attributes::Type::Text),
            ("long".to_owned(), crate::attributes::Type::Text),
        ]);
        let snapshot = fixtures::snapshot_in(|| Some(keys.clone()), folder.path(), Signal::Traces, Vec::new(), segments);
        let columns = |query: &str| {
            let predicate = Predicate::new(&Query::parse(Signal::Traces, query).unwrap());
            let segment = &snapshot.spans.segments[0];
            columns_with(segment, &segment.every_row(), &predicate.texts()).unwrap()
        };
        assert_eq!(columns("absent"), ["a:long"]);
        assert_eq!(columns("timeout"), [column::STATUS_MESSAGE, "a:few", "a:long"]);
        assert_eq!(columns("put"), [column::NAME, "a:long"]);
    }
}
