use storage::SqlColumn;

use super::*;

/// Of columns with their types, and rows.
fn answer(columns: &[(&str, &str)], rows: &[&[Value]]) -> SqlAnswer {
    let column =
        |(name, sql_type): &(&str, &str)| SqlColumn { name: (*name).to_owned(), sql_type: (*sql_type).to_owned(), ..SqlColumn::default() };
    let row = |row: &&[Value]| columns.iter().zip(*row).map(|((name, _), value)| ((*name).to_owned(), value.clone())).collect();
    SqlAnswer { columns: columns.iter().map(column).collect(), rows: rows.iter().map(row).collect(), ..SqlAnswer::default() }
}

fn draw(columns: &[(&str, &str)], rows: &[&[Value]]) -> Result<Chart, String> {
    chart(&answer(columns, rows), &Palette::default(), &Clockface::new(UnixNanos::new(1_795_176_300_000_000_000), None))
}

fn names(chart: &Chart) -> Vec<&str> {
    chart.series.iter().map(|[name, ..]| name.as_str()).collect()
}

const SERVICE: (&str, &str) = ("service", "TEXT");
const N: (&str, &str) = ("n", "DOUBLE");
const TIME: (&str, &str) = ("minute", "BIGINT");

/// So many minutes after some minute.
fn minute(n: u64) -> Value {
    (1_795_176_000_000_000_000 + n * 60_000_000_000).to_string().into()
}

#[test]
fn services_have_more_lines_than_what_has_no_colours_of_its_own() {
    let rows: Vec<[Value; 3]> = (0..20).map(|n| [minute(n / 10), format!("w{}", n % 10).into(), 5.0.into()]).collect();
    let rows: Vec<&[Value]> = rows.iter().map(<[Value; 3]>::as_slice).collect();
    let of = |word: (&'static str, &'static str)| draw(&[TIME, word, N], &rows).unwrap();
    assert_eq!((of(SERVICE).series.len(), of(SERVICE).left_out.as_str()), (8, "2\u{a0}lines with less are not drawn"));
    assert_eq!((of(("word", "TEXT")).series.len(), of(("word", "TEXT")).left_out.as_str()), (4, "6\u{a0}lines with less are not drawn"));
}

#[test]
fn words_become_bars() {
    let bars = draw(&[SERVICE, N], &[&["a".into(), 10.0.into()], &["b".into(), 5.0.into()]]).unwrap();
    assert_eq!(bars.series, [["n", "plain0"].map(str::to_owned)]);
    assert_eq!((bars.bars[1].label.as_str(), &bars.bars[1].parts), ("b", &vec![["plain0", "50.00", "5"].map(str::to_owned)]));
    let rows: Vec<[Value; 2]> = (0..33).map(|n| [Value::from(format!("w{n}")), 1.0.into()]).collect();
    let cut = draw(&[SERVICE, N], &rows.iter().map(<[Value; 2]>::as_slice).collect::<Vec<_>>()).unwrap();
    assert_eq!((cut.bars.len(), cut.left_out.replace('\u{a0}', " ").as_str()), (30, "3 rows below are not drawn"));
    let both = draw(&[SERVICE, ("name", "TEXT"), N], &[&["a".into(), "x".into(), 1.into()], &["a".into(), "y".into(), 2.into()]]).unwrap();
    assert_eq!(both.bars[1].label, "a · y");
    let codes = draw(&[("code", "BIGINT"), N], &[&[200.into(), 7.into()], &[404.into(), 1.into()]]).unwrap();
    assert_eq!((codes.bars[0].label.as_str(), names(&codes)), ("200", vec!["n"]));
}

#[test]
fn times_become_the_axis_wherever_they_stand() {
    let line = draw(&[N, TIME], &[&[2.0.into(), minute(3)], &[1.0.into(), minute(0)], &[1.0.into(), minute(1)]]).unwrap();
    assert_eq!(line.series, [["n", "plain0"].map(str::to_owned)]);
    assert_eq!(line.panels[0].lines, [["plain0", "M0.00 60.00L200.00 60.00L600.00 0.00"].map(str::to_owned)]);
    assert_eq!(line.panels[0].scale.marks.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>(), ["2", "1", "0"]);
    assert!(line.labels.iter().any(|label| label.1.contains(':') || label.0.contains(':')), "{:?}", line.labels);
    let of = |service: &str, at, n: f64| [minute(at), service.into(), n.into()];
    let rows = [of("a", 0, 1.0), of("b", 0, 5.0), of("a", 1, 2.0), of("b", 1, 5.0)];
    let rows: Vec<&[Value]> = rows.iter().map(<[Value; 3]>::as_slice).collect();
    assert_eq!(names(&draw(&[TIME, SERVICE, N], &rows).unwrap()), ["b", "a"], "a line for each word");
    let made = draw(&[("at", "TIMESTAMP"), N], &[&["2026-11-20T14:00:00".into(), 1.into()], &["2026-11-20T14:01:00".into(), 2.into()]]);
    assert_eq!(made.unwrap().panels[0].lines[0][1], "M0.00 60.00L600.00 0.00");
    let numbers = draw(&[("bucket", "BIGINT"), N], &[&[10.into(), 1.into()], &[20.into(), 3.into()]]).unwrap();
    assert_eq!((names(&numbers), numbers.labels[4].1.as_str()), (vec!["n"], "20"));
}

#[test]
fn a_line_of_a_service_has_its_colour_and_no_other_line_has() {
    let of = |service: &str, at, n: f64| [minute(at), service.into(), n.into()];
    let rows = [of("cart", 0, 1.0), of("orders", 0, 5.0), of("cart", 1, 2.0), of("orders", 1, 5.0)];
    let rows: Vec<&[Value]> = rows.iter().map(<[Value; 3]>::as_slice).collect();
    let classes = |name: &str| {
        let chart = draw(&[TIME, (name, "TEXT"), N], &rows).unwrap();
        chart.series.into_iter().map(|[_, class]| class).collect::<Vec<_>>()
    };
    let palette = Palette::default();
    assert_eq!(classes("service_name"), ["orders", "cart"].map(|name| palette.chip(name).class));
    assert_eq!(classes("severity"), ["plain0", "plain1"]);
}

#[test]
fn names_are_told_apart_by_what_is_not_shown_of_them_too() {
    let long = "a".repeat(300);
    let names_of = ["", "two\nlines", "two\nothers", &long];
    let rows: Vec<[Value; 3]> = (0..8).map(|n| [minute(n / 4), names_of[(n % 4) as usize].into(), (9 - n % 4).into()]).collect();
    let rows: Vec<&[Value]> = rows.iter().map(<[Value; 3]>::as_slice).collect();
    let drawn = draw(&[TIME, SERVICE, N], &rows).unwrap();
    assert_eq!(names(&drawn), ["(empty)", "two…", "two…", &format!("{}…", "a".repeat(60))]);
    let bars = draw(&[SERVICE, N], &[&["two\nlines".into(), 1.into()], &["two\nothers".into(), 2.into()]]).unwrap();
    assert_eq!(bars.bars.len(), 2);
}

#[test]
fn rows_that_are_spans_of_their_own_are_no_lines() {
    let row = |at, n: u64| [minute(at), "5b8efff798038103d269b633813fc60c".into(), n.into()];
    let rows = [row(0, 5), row(1, 7)];
    let drawn = draw(&[TIME, ("trace_id", "TEXT"), N], &rows.iter().map(<[Value; 3]>::as_slice).collect::<Vec<_>>());
    assert!(drawn.unwrap_err().contains("each row is a span or a record of its own"));
}

#[test]
fn ids_and_times_are_no_amounts() {
    let id = ("trace_id", "TEXT");
    let first: Value = "5b8efff798038103d269b633813fc60c".into();
    let second: Value = "5b8efff798038103d269b633813fc60d".into();
    let slowest = draw(&[id, SERVICE, ("ms", "DOUBLE")], &[&[first.clone(), "a".into(), 9.into()], &[second, "a".into(), 8.into()]]);
    assert_eq!(slowest.unwrap_err(), "No chart: several rows have the same service; GROUP BY makes one of them.");
    let times = draw(&[SERVICE, TIME], &[&["a".into(), minute(0)], &["b".into(), minute(1)]]);
    assert_eq!(times.unwrap_err(), "No chart: no column holds amounts; ids, codes and times are none.");
    let ids = draw(&[("record_id", "BIGINT"), SERVICE], &[&[1.into(), "a".into()], &[2.into(), "b".into()]]);
    assert!(ids.unwrap_err().contains("no column holds amounts"));
    let hex = draw(&[("key", "TEXT"), N], &[&[first.clone(), 1.into()], &[first, 2.into()]]);
    assert_eq!(hex.unwrap_err(), "No chart: there is no time and no word to draw amounts by.");
}

#[test]
fn what_is_no_series_of_numbers_is_not_drawn() {
    assert_eq!(draw(&[SERVICE, N], &[&["a".into(), 10.0.into()]]), Err(String::new()));
    assert_eq!(draw(&[SERVICE, SERVICE], &[&["a".into(), "b".into()], &["c".into(), "d".into()]]), Err(String::new()));
    assert!(draw(&[SERVICE, N], &[&["a".into(), (-1.0).into()], &["b".into(), 5.0.into()]]).is_err());
    let twice = draw(&[TIME, N], &[&[minute(0), 1.into()], &[minute(0), 2.into()]]);
    assert_eq!(twice.unwrap_err(), "No chart: several rows have the same minute; GROUP BY makes one of them.");
}

#[test]
fn what_is_measured_in_something_else_has_a_scale_of_its_own() {
    let columns = [TIME, ("requests", "BIGINT"), ("failed", "BIGINT"), ("avg_ms", "DOUBLE")];
    let row = |at, n: u64, failed: u64, ms: f64| [minute(at), n.into(), failed.into(), ms.into()];
    let rows = [row(0, 600, 3, 154.5), row(1, 300, 6, 72.25)];
    let chart = draw(&columns, &rows.iter().map(<[Value; 4]>::as_slice).collect::<Vec<_>>()).unwrap();
    let plain = |text: &str| text.replace('\u{202f}', " ");
    let marks: Vec<Vec<String>> =
        chart.panels.iter().map(|panel| panel.scale.marks.iter().map(|(_, text)| plain(text)).collect()).collect();
    assert_eq!(marks, [["600", "300", "0"], ["200 ms", "100 ms", "0"]]);
    assert_eq!(chart.panels.iter().map(|panel| panel.lines.len()).collect::<Vec<_>>(), [2, 1]);
    let rows = [["a".into(), Value::from(600), Value::from(154.5)], ["b".into(), 300.into(), 309.0.into()]];
    let bars = draw(&[SERVICE, N, ("avg_ms", "DOUBLE")], &rows.iter().map(<[Value; 3]>::as_slice).collect::<Vec<_>>()).unwrap();
    let parts: Vec<(&str, String)> =
        bars.bars.iter().flat_map(|row| &row.parts).map(|[_, width, text]| (width.as_str(), plain(text))).collect();
    let expected = [("100.00", "600"), ("50.00", "154 ms"), ("50.00", "300"), ("100.00", "309 ms")];
    assert_eq!(parts, expected.map(|(width, text)| (width, text.to_owned())));
}

#[test]
fn numbers_have_no_digits_that_say_nothing() {
    let told = [154.5, 0.25, 12.0, 3.456_7, 12_345.6].map(|value| short(value, "").replace('\u{202f}', " "));
    assert_eq!(told, ["154.5", "0.25", "12", "3.46", "12.3 k"]);
    assert_eq!([0.0, 0.3, 1.0, 9.0, 155.0].map(|value| short(round_up(value), "")), ["1", "0.4", "1", "10", "200"]);
}

#[test]
fn what_is_a_duration_has_one_on_its_axis_whatever_it_is_called() {
    let mut found = answer(&[TIME, ("d", "DOUBLE")], &[&[minute(0), 50e6.into()], &[minute(1), 100e6.into()]]);
    let drawn = |found: &SqlAnswer| {
        let chart = chart(found, &Palette::default(), &Clockface::new(UnixNanos::new(1_795_176_300_000_000_000), None)).unwrap();
        chart.panels[0].scale.marks[0].1.replace('\u{202f}', " ")
    };
    assert_eq!(drawn(&found), "100 M");
    found.columns[1].meaning = storage::SqlMeaning::Duration;
    assert_eq!(drawn(&found), "100 ms");
}
