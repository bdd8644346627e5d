//! What is counted in one pass is what is counted one by one: from segments and memory, of spans that came again and of rows that are hidden.

use std::sync::Arc;

use super::super::super::grid::grid;
use super::*;
use crate::files::Place;
use crate::model::UnixNanos;
use crate::segment::Segment;

const FIELDS: [(&str, usize); 11] = [
    ("service", 10),
    ("exception.type", 10),
    ("status", 1),
    // As many values as there are spans: more than are kept beside others.
    ("span", 1_000),
    ("attr.code", 10),
    ("resource.code", 10),
    ("http.route", 3),
    ("servce", 10),
    ("duration", 2),
    ("name", 0),
    ("attr.\"a key\"", 10),
];
const QUERIES: [&str; 7] = ["", "name:x", "\"b c\"", "a", "service:api", "attr.code:1 status:error", "NOT a OR retry"];

/// Every third segment hides some of its rows, as after a delete.
fn hide(snapshot: &mut Snapshot, folder: &std::path::Path, dice: &mut Dice) {
    for segment in &mut snapshot.spans.segments {
        if dice.roll(3) == 0 {
            let from = u32::try_from(dice.roll(segment.meta().rows)).unwrap();
            let meta = segment.meta().clone();
            let to = u32::try_from(meta.rows).unwrap().min(from + 5);
            *segment = Arc::new(Segment::open(&Place::real(folder), meta).unwrap().hiding(std::iter::once(from..to).collect()));
        }
    }
}

fn asked(query: &str, range: TimeRange, fields: &[(&str, usize)]) -> Survey {
    let fields = fields.iter().map(|(field, limit)| ((*field).to_owned(), *limit)).collect();
    Survey { signal: Signal::Traces, query: query.to_owned(), range, fields, columns: Some(7) }
}

#[test]
fn what_is_counted_in_one_pass_is_what_is_counted_one_by_one() {
    let (mut dice, mut put_aside, mut from_sums) = (Dice(41), 0, 0);
    let range = TimeRange { from: UnixNanos::new(90), to: UnixNanos::new(140) };
    for round in 0..6 {
        let folder = tempfile::tempdir().unwrap();
        let mut spans = random_spans(&mut dice, 60 + round * 20);
        // Some come again with other content.
        spans.extend(random_spans(&mut dice, 30));
        let mut snapshot = stored(folder.path(), &mut dice, &spans);
        hide(&mut snapshot, folder.path(), &mut dice);
        for query in QUERIES {
            let (rolls, control) = (Rolls::default(), control());
            let together = survey(&snapshot, &asked(query, range, &FIELDS), &rolls, &control).unwrap();
            for (field, found) in FIELDS.into_iter().zip(together.values) {
                let alone = facets(&snapshot, Signal::Traces, query, range, field, &rolls, &control);
                put_aside += usize::from(found.as_ref().is_ok_and(|found| found.values.len() > 60));
                from_sums += usize::from(field.0 == "service" && found.as_ref().is_ok_and(|found| found.stats.segments_read == 0));
                let told = |facets: Result<Facets, QueryError>| format!("{facets:?}");
                assert_eq!(told(found), told(alone), "{query} {field:?}");
            }
            let alone = grid(&snapshot, query, range, 7, &control).unwrap();
            assert_eq!(format!("{:?}", together.grid.unwrap()), format!("{alone:?}"), "{query}");
        }
    }
    assert!(put_aside > 0 && from_sums > 0, "{put_aside} {from_sums}");
}

#[test]
fn what_cannot_be_counted_is_refused_and_what_is_over_ends() {
    let snapshot = Snapshot::default();
    let ask = |asked: &Survey| survey(&snapshot, asked, &Rolls::default(), &control());
    let fields = |count| vec![("service".to_owned(), 1); count];
    let of_logs = Survey { signal: Signal::Logs, ..asked("", TimeRange::ALL, &[]) };
    for refused in [
        Survey { fields: fields(65), ..asked("", TimeRange::ALL, &[]) },
        of_logs,
        asked("", TimeRange { from: UnixNanos::new(5), to: UnixNanos::new(5) }, &[]),
    ] {
        assert!(matches!(ask(&refused), Err(QueryError::Invalid(_))), "{refused:?}");
    }
    assert!(matches!(ask(&asked("(", TimeRange::ALL, &[])), Err(QueryError::Parse(_))));
    let mut snapshot = Snapshot::default();
    snapshot.spans.buffered = vec![fixtures::spans(&[fixtures::span(1, 1, 0, "a", "x", 5, 1)])];
    let over = control();
    over.cancel();
    assert!(survey(&snapshot, &asked("x", TimeRange::ALL, &[("name", 1)]), &Rolls::default(), &over).is_err());
}
