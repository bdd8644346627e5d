use storage::{GridCell, SpanPoint};

use super::*;
use crate::view::link::Links;

fn range() -> TimeRange {
    TimeRange { from: UnixNanos::new(0), to: UnixNanos::new(6_000) }
}

fn point(number: u8, start: u64, duration: u64, failed: bool) -> SpanPoint {
    SpanPoint {
        start: UnixNanos::new(start),
        duration,
        trace_id: storage::TraceId::from_slice(&[number; 16]).unwrap(),
        span_id: storage::SpanId::from_slice(&[number; 8]).unwrap(),
        failed,
        service: "shop".to_owned(),
        name: "GET /".to_owned(),
    }
}

#[test]
fn few_spans_are_points_at_their_time_and_duration_the_failed_ones_on_top() {
    let cell = |column, duration, errors| GridCell { column, row: Grid::row_of(duration), count: 1, errors };
    let cells = vec![cell(0, 1_000_000, 1), cell(30, 10_000_000, 0)];
    let grid = Grid { step: 100, columns: COLUMNS, cells, ..Grid::default() };
    let (links, clock) = (Links::default(), Clockface::new(UnixNanos::new(0), None));
    let drawn = |counts| {
        let heat = Heat::new(&grid, range(), None, counts, (&links.plain("/traces"), &clock));
        heat.scattered(&[point(1, 0, 1_000_000, true), point(2, 3_000, 10_000_000, false)], range(), counts, (&links, &clock))
    };
    let heat = drawn(Counts::Matches);
    let [second, first] = heat.dots.as_slice() else { panic!("{:?}", heat.dots) };
    assert_eq!([first.x.as_str(), second.x.as_str()], ["0", "50"]);
    // Rows from a millisecond up to and with that of ten: the lower edge of the first, and of the last.
    assert_eq!((first.y.as_str(), second.y.as_str()), ("100.0", "16.7"));
    assert_eq!(first.href, format!("/trace/{}?span={}", "01".repeat(16), "01".repeat(8)));
    assert_eq!(first.words, format!("00:00:00, {}: shop GET /, failed", format::duration(1_000_000)));
    assert!(first.is_failed && !second.is_failed);
    assert!(heat.layers.is_empty() && heat.failed.is_empty() && !heat.cells.is_empty(), "cells are selected as before");
    assert_eq!(drawn(Counts::Roots).dots[0].href, format!("/trace/{}", "02".repeat(16)));
}

#[test]
fn the_last_row_is_open_and_is_told_so() {
    let cell = |duration| GridCell { column: 0, row: Grid::row_of(duration), count: 1, errors: 0 };
    let grid = Grid { step: 100, columns: COLUMNS, cells: vec![cell(1_000_000), cell(u64::MAX)], ..Grid::default() };
    let clock = Clockface::new(UnixNanos::new(0), None);
    let heat = Heat::new(&grid, range(), None, Counts::Matches, (&Links::default().plain("/traces"), &clock));
    assert!(heat.summary.ends_with(" and more") && heat.lengths.ends_with(" or more"), "{} {}", heat.summary, heat.lengths);
    let labels: Vec<String> = heat.rows.iter().map(|(label, _)| label.replace('\u{202f}', " ")).collect();
    assert!(labels.iter().all(|label| !label.contains(" d") && !label.contains("min")), "one unit above a second: {labels:?}");
}

#[test]
fn a_selection_is_read_bounded_and_becomes_a_condition() {
    let selected = Selection::parse("3-5,10-12").unwrap();
    assert_eq!(selected.range(range()), TimeRange { from: UnixNanos::new(300), to: UnixNanos::new(600) });
    let (from, to) = (Grid::bounds(19).0, Grid::bounds(24).1);
    assert_eq!(selected.condition(), format!("duration>={} duration<{}", format::written(from), format::written(to)));
    for bad in ["", "3,4", "5-3,1-2", "0-60,1-2", "0-1,1-99999999999999999999", "-,-"] {
        assert_eq!(Selection::parse(bad), None, "{bad}");
    }
}

#[test]
fn cells_in_which_everything_failed_are_as_strong_as_they_have_many() {
    let cell = |column, count, errors| GridCell { column, row: 19, count, errors };
    let grid = Grid { step: 100, columns: COLUMNS, cells: vec![cell(2, 1, 1), cell(3, 400, 400), cell(4, 400, 1)], ..Grid::default() };
    let clock = Clockface::new(UnixNanos::new(0), None);
    let heat = Heat::new(&grid, range(), None, Counts::Matches, (&Links::default().plain("/traces"), &clock));
    let of = |column: &str, layers: &[(String, String)]| {
        layers.iter().find(|(_, path)| path.contains(column)).map(|(strength, _)| strength.clone())
    };
    assert_eq!(["M20 ", "M30 ", "M40 "].map(|column| of(column, &heat.layers)), [None, None, Some("1.00".to_owned())]);
    let [few, many, part] = ["M20 ", "M30 ", "M40 "].map(|column| of(column, &heat.failed).unwrap());
    assert_eq!((few.as_str(), many.as_str(), part.as_str()), ("0.39", "1.00", "1.00"));
}

#[test]
fn cells_of_two_rows_are_one_and_lead_to_themselves_selected() {
    let cell = |row, count, errors| GridCell { column: 2, row, count, errors };
    let grid = Grid { step: 100, columns: COLUMNS, cells: vec![cell(19, 3, 0), cell(20, 4, 1), cell(30, 1, 0)], ..Grid::default() };
    let clock = Clockface::new(UnixNanos::new(0), None);
    let page = Links::default().plain("/traces");
    let heat = Heat::new(&grid, range(), Selection::parse("2-2,10-10"), Counts::Roots, (&page, &clock));
    assert_eq!((heat.bounds, heat.page.as_str()), ([COLUMNS, 10, 15], "/traces?from=0&to=6000"));
    assert!(heat.summary.replace('\u{a0}', " ").starts_with("8 traces (by their root spans), 1 failed"), "{}", heat.summary);
    assert!(Heat::new(&grid, range(), None, Counts::Matches, (&page, &clock)).summary.contains("spans that match"));
    assert_eq!(heat.cells.trim_end_matches('|'), "||10,7,1 15,1");
    assert_eq!(heat.layers.iter().map(|(_, path)| path.as_str()).collect::<Vec<_>>(), ["M20 9.7h9.4", "M20 109.7h9.4"]);
    assert_eq!(heat.failed, [("1.00".to_owned(), "M20 117.1h9.4v2.3h-9.4z".to_owned())]);
    assert_eq!(heat.strips.len(), 1);
    assert_eq!(heat.strips[0].1, "/traces?from=0&to=6000&sel=0-4%2C10-15");
    assert_eq!(heat.lengths.split('|').count(), 6);
    let cells: Vec<_> = heat.table.rows.iter().flat_map(|(_, cells)| cells).filter(|cell| !cell.count.is_empty()).collect();
    let told: Vec<_> = cells.iter().map(|cell| (cell.sel.as_str(), cell.count.as_str(), cell.errors.as_str())).collect();
    assert_eq!(told, [("0-4,15-15", "1", ""), ("0-4,10-10", "7", "1")]);
    assert_eq!(heat.table.hidden, [("from", "0"), ("to", "6000")].map(|(name, value)| (name.to_owned(), value.to_owned())));
    let [x, y, width, _] = heat.selected.unwrap();
    assert_eq!((x, y, width), ("20.00".to_owned(), "100.00".to_owned(), "10.00".to_owned()));
    assert!(Heat::new(&Grid::default(), range(), None, Counts::Matches, (&page, &clock)).cells.is_empty());
}
