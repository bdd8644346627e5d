use storage::{HistogramBucket, UnixNanos};

use super::lines::{LAST_SO_FAR, broken_line};
use super::*;
use crate::view::link::Links;

#[test]
fn bars_are_stacked_and_lead_to_their_own_window() {
    let range = TimeRange { from: UnixNanos::new(0), to: UnixNanos::new(20) };
    let buckets = vec![
        HistogramBucket { start: UnixNanos::new(0), counts: [3, 0, 0, 0, 0, 1, 0] },
        HistogramBucket { start: UnixNanos::new(10), counts: [0; 7] },
    ];
    let histogram = Histogram { buckets, step: 10, ..Histogram::default() };
    let clock = Clockface::new(UnixNanos::new(0), None);
    let bars = Bars::new(&histogram, range, &SPANS, ("span", "spans"), &clock, &Links::default().plain("/traces"));
    assert_eq!(bars.bars.len(), 1);
    assert_eq!(
        bars.bars[0].parts,
        [("bar-ok", "15.00".to_owned(), "45.00".to_owned()), ("bar-error", "0.00".to_owned(), "15.00".to_owned())]
    );
    assert_eq!(bars.bars[0].href, "/traces?from=0&to=10");
    assert_eq!(bars.scale.marks.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>(), ["4", "2", "0"]);
    assert_eq!(bars.legend, [("ok", "bar-ok"), ("error", "bar-error")]);
}

#[test]
fn a_part_that_is_not_over_is_marked() {
    let range = TimeRange { from: UnixNanos::new(0), to: UnixNanos::new(300) };
    let bucket = |start| HistogramBucket { start: UnixNanos::new(start), counts: [2, 0, 0, 0, 0, 0, 0] };
    let histogram = Histogram { buckets: vec![bucket(0), bucket(100), bucket(200)], step: 100, ..Histogram::default() };
    let at = |now: u64| Clockface::new(UnixNanos::new(now), None);
    let open = |now: u64| {
        let bars = Bars::new(&histogram, range, &SPANS, ("span", "spans"), &at(now), &Links::default().plain("/"));
        bars.bars.iter().map(|bar| (bar.is_open, bar.title.ends_with("2 ok, so far"))).collect::<Vec<_>>()
    };
    assert_eq!(open(250), [(false, false), (false, false), (true, true)]);
    assert_eq!(open(295), [(false, false); 3], "nearly over");
    assert_eq!(open(900), [(false, false); 3]);
    let lines = |now: u64| Lines::durations(&[("p50", "line-p50", vec![4, 4, 2])], range, &at(now)).unwrap();
    let (over, open) = (lines(900), lines(250));
    let drawn = |values: &[u64]| vec![("line-p50", broken_line(values, &over.scale))];
    assert_eq!((over.paths.clone(), over.so_far.clone()), (drawn(&[4, 4, 2]), Vec::new()));
    assert!(open.summary.ends_with(LAST_SO_FAR), "{}", open.summary);
    assert_eq!(open.told.iter().map(|(_, words)| words.ends_with(", so far")).collect::<Vec<_>>(), [false, false, true]);
    assert_eq!((open.paths, open.so_far), (drawn(&[4, 4, 0]), drawn(&[0, 4, 2])));
}

#[test]
fn a_line_breaks_where_nothing_happened() {
    let scale = Scale::counts(2);
    assert_eq!(broken_line(&[2, 0, 1, 2, 0], &scale), "M0.0 0.0h120.0M300.0 30.0L420.0 0.0");
    assert_eq!(broken_line(&[], &scale), "");
}

#[test]
fn times_fall_into_parts_and_parts_are_windows() {
    let range = TimeRange { from: UnixNanos::new(100), to: UnixNanos::new(195) };
    let parts = Parts::new(range, 10);
    assert_eq!((parts.of(UnixNanos::new(100)), parts.of(UnixNanos::new(194)), parts.of(UnixNanos::new(195))), (Some(0), Some(9), None));
    assert_eq!(parts.of(UnixNanos::new(99)), None);
    assert_eq!(parts.window(2, 9), TimeRange { from: UnixNanos::new(120), to: UnixNanos::new(195) });
}

#[test]
fn small_columns_leave_out_what_is_nothing() {
    assert_eq!(Columns::new(&[0, 2], String::new()).path, "M50.0 20v-19.0h40.0v19.0z");
    assert_eq!(Columns::new(&[], String::new()).path, "");
}

#[test]
fn lines_of_durations_share_a_scale_and_say_their_most() {
    let range = TimeRange { from: UnixNanos::new(0), to: UnixNanos::new(4_000_000_000) };
    let clock = Clockface::new(UnixNanos::new(0), None);
    let series = [("p50", "line-p50", vec![1_000_000, 0, 2_000_000, 1_000_000]), ("p99", "line-p99", vec![4_000_000; 4])];
    let lines = Lines::durations(&series, range, &clock).unwrap();
    assert_eq!(lines.legend, [("p50", "line-p50"), ("p99", "line-p99")]);
    assert!(lines.summary.starts_with(&format!(
        "p50 at most {}, p99 at most {}",
        format::duration(2_000_000),
        format::duration(4_000_000)
    )));
    assert_eq!(lines.paths[0].1.matches('M').count(), 2, "a part without requests is a gap: {:?}", lines.paths);
    let told: Vec<(&str, &str)> = lines.told.iter().map(|(x, words)| (x.as_str(), words.split_once(": ").unwrap().1)).collect();
    let values = |p50: u64| format!("p50 {}, p99 {}", format::duration(p50), format::duration(4_000_000));
    let alone = format!("p99 {}", format::duration(4_000_000));
    assert_eq!((told.len(), lines.width.as_str()), (4, "150.00"));
    assert_eq!(told[..3], [("0.00", values(1_000_000).as_str()), ("150.00", alone.as_str()), ("300.00", values(2_000_000).as_str())]);
    assert!(Lines::durations(&[("p50", "line-p50", vec![0, 0])], range, &clock).is_none());
}

#[test]
fn a_flat_line_of_nothing_is_not_drawn() {
    assert_eq!(Spark::new(&[0, 0], "none".to_owned()).line, "");
    assert_eq!(Spark::new(&[0, 2], String::new()).line, "M0.0 19.0L100.0 1.5");
}
