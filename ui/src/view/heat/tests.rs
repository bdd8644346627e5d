use storage::GridCell;

use super::*;
use crate::view::link::Links;

fn range() -> TimeRange {
    TimeRange { from: UnixNanos::new(0), to: UnixNanos::new(6_000) }
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
    assert_eq!((heat.failed.as_str(), heat.strips.len()), ("M20 117.1h9.4v2.3h-9.4z", 1));
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
