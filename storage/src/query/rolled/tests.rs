use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::super::fixtures::{self, Dice};
use super::super::histogram;
use super::super::window::{operations, services};
use super::*;
use crate::model::{LogRecord, Span, SpanKind, StatusCode, UnixNanos};
use crate::rollup::MINUTE;
use crate::segment::{Bundle, Segment};

const SECOND: u64 = 1_000_000_000;
const NOON: u64 = 1_700_000_000_000_000_000 / MINUTE * MINUTE;

fn control() -> Control {
    Control::new(Duration::from_secs(60))
}

fn random_span(dice: &mut Dice) -> Span {
    let start = NOON + dice.roll(20 * 60) * 1_000_000_000 + dice.roll(3);
    let service = *dice.pick(&["api", "cart", "pay", "job"]);
    let name = *dice.pick(&["a", "b", "c"]);
    let parent = dice.roll(2) * dice.roll(9);
    let mut span = fixtures::span(dice.roll(60), 1 + dice.roll(1_000), parent, service, name, start, dice.roll(1 << 40));
    span.kind = if service == "job" { SpanKind::Internal } else { *dice.pick(&[SpanKind::Server, SpanKind::Client, SpanKind::Consumer]) };
    span.status.code = *dice.pick(&[StatusCode::Unset, StatusCode::Ok, StatusCode::Error]);
    span.flags = *dice.pick(&[0, 0x101, 0x301]);
    span
}

/// Spans in several places, many of them in two or three; logs in several places, each in one.
fn random_snapshot(folder: &Path, dice: &mut Dice) -> Snapshot {
    let all: Vec<Span> = (0..400).map(|_| random_span(dice)).collect();
    // The same spans in several places, now and then with other content.
    let some = |dice: &mut Dice, share: u64| -> Vec<Span> {
        let mut some: Vec<Span> = all.iter().filter(|_| dice.roll(100) < share).cloned().collect();
        for span in &mut some {
            if dice.roll(4) > 0 {
                continue;
            }
            (span.name, span.end) = ((*dice.pick(&["a", "b", "c"])).to_owned(), span.start.plus(dice.roll(1 << 40)));
            span.status.code = *dice.pick(&[StatusCode::Unset, StatusCode::Ok, StatusCode::Error]);
        }
        some
    };
    let segments = (0..dice.roll(5)).map(|_| vec![fixtures::spans(&some(dice, 40))]).collect();
    let buffered = (0..dice.roll(4)).map(|_| fixtures::spans(&some(dice, 20))).collect();
    let spans = fixtures::snapshot(folder, Signal::Traces, buffered, segments).spans;
    let mut records: Vec<LogRecord> = (0..200).map(|i| fixtures::log(i, "api", "x", NOON + dice.roll(20 * MINUTE))).collect();
    for record in &mut records {
        record.resource = fixtures::resource(dice.pick::<&str>(&["api", "quiet"]));
        record.severity_number = i32::try_from(dice.roll(25)).unwrap();
    }
    let logs: Vec<_> = records.chunks(50).map(fixtures::logs).collect();
    let segments = logs[1..].iter().map(|batch| vec![batch.clone()]).collect();
    let logs = fixtures::snapshot(folder, Signal::Logs, logs[..1].to_vec(), segments).logs;
    Snapshot { spans, logs, ..Snapshot::default() }
}

fn random_range(dice: &mut Dice) -> TimeRange {
    let mut time = || {
        let time = NOON - MINUTE + dice.roll(22 * 60) * 1_000_000_000;
        UnixNanos::new(if dice.roll(2) == 0 { time } else { time / MINUTE * MINUTE })
    };
    let (a, b) = (time(), time());
    if dice.roll(8) == 0 { TimeRange::ALL } else { TimeRange { from: a.min(b), to: a.max(b) } }
}

#[test]
fn roll_ups_and_rows_give_the_same_answers() {
    for seed in 1..120 {
        let mut dice = Dice(seed * 7_919);
        let folder = tempfile::tempdir().unwrap();
        let snapshot = random_snapshot(folder.path(), &mut dice);
        let (rolls, none) = (Rolls::default(), Rolls::unusable());
        for _ in 0..6 {
            let range = random_range(&mut dice);
            let points = *dice.pick(&[0, 1, 7, 400]);
            let ask = |rolls: &Rolls| services(&snapshot, range, points, rolls, &control()).unwrap().0;
            assert_eq!(ask(&rolls), ask(&none), "seed {seed}, {range:?}, {points} points");
            for (signal, query) in [(Signal::Traces, ""), (Signal::Traces, "service:api status:error"), (Signal::Logs, "severity>=warn")] {
                let buckets = 1 + dice.count(9);
                let width = range.to.since(range.from) / MINUTE;
                let ask = |rolls: &Rolls| histogram(&snapshot, signal, query, range, buckets, rolls, &control()).unwrap().buckets;
                if width > 0 {
                    assert_eq!(ask(&rolls), ask(&none), "seed {seed}, {range:?}, {query}, {buckets} of {width} minutes");
                }
            }
            for service in ["api", "job", "absent"] {
                let ask = |rolls: &Rolls| operations(&snapshot, service, range, rolls, &control()).unwrap().0;
                assert_eq!(ask(&rolls), ask(&none), "seed {seed}, {range:?}, {service}");
            }
        }
    }
}

fn count(snapshot: &Snapshot, range: TimeRange, rolls: &Rolls) -> (u64, QueryStats) {
    let filter = Predicate::all();
    let question = Question {
        snapshot,
        signal: Signal::Traces,
        range,
        names: false,
        bare: false,
        in_shares: false,
        moment: Moment::Minute,
        filter: &filter,
    };
    let (states, stats) = fold(question, rolls, &control(), Counts::default, Counts::take, |counts, _| counts.heap_bytes()).unwrap();
    (states.iter().map(|counts| counts.rows).sum(), stats)
}

fn at(id: u64, start: u64) -> Span {
    fixtures::span(id, id, 0, "api", "x", start, 1)
}

#[test]
fn whole_minutes_read_no_rows_and_others_only_those_of_cut_segments() {
    let folder = tempfile::tempdir().unwrap();
    let spans = |from: u64| fixtures::spans(&(from..from + 100).map(|i| at(i + 1, NOON + i * 3_000_000_000)).collect::<Vec<_>>());
    let snapshot = fixtures::snapshot(folder.path(), Signal::Traces, Vec::new(), vec![vec![spans(0)], vec![spans(100)]]);
    let rolls = Rolls::default();
    let minutes = |from: u64, to: u64| TimeRange { from: UnixNanos::new(NOON + from * MINUTE), to: UnixNanos::new(NOON + to * MINUTE) };
    let (rows, stats) = count(&snapshot, minutes(1, 9), &rolls);
    assert_eq!((rows, stats.rows_scanned, stats.complete), (160, 0, true));
    // The end of the window is after all rows: nothing is cut there.
    let late = TimeRange { to: UnixNanos::new(NOON + 20 * MINUTE + 1), ..minutes(1, 2) };
    assert_eq!((count(&snapshot, late, &rolls).0, count(&snapshot, late, &rolls).1.rows_scanned), (180, 0));
    let cut = TimeRange { from: UnixNanos::new(NOON + MINUTE / 2), ..minutes(0, 10) };
    let (rows, stats) = count(&snapshot, cut, &rolls);
    assert_eq!((rows, stats.rows_scanned), (190, 100));
    // Both ends cut the same segment, then one each, then one the first of them and the other none.
    let seconds = |from: u64, to: u64| TimeRange { from: UnixNanos::new(NOON + from * SECOND), to: UnixNanos::new(NOON + to * SECOND) };
    for (range, expected, read) in [(seconds(30, 270), 80, 100), (seconds(30, 570), 180, 200), (seconds(30, 540), 170, 100)] {
        let (rows, stats) = count(&snapshot, range, &rolls);
        assert_eq!((rows, stats.rows_scanned, stats.segments_read as u64), (expected, read, read / 100), "{range:?}");
    }
}

#[test]
fn what_is_summed_up_is_shown_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let spans = |from: u64| fixtures::spans(&(from..from + 100).map(|i| at(i + 1, NOON + i * 3 * SECOND)).collect::<Vec<_>>());
    let snapshot = fixtures::snapshot(folder.path(), Signal::Traces, vec![spans(200)], vec![vec![spans(0)], vec![spans(100)]]);
    let (gauge, control) = (crate::metrics::Registry::default().question_memory("services"), control());
    control.show_memory(gauge.clone());
    let filter = Predicate::all();
    let (range, moment) = (TimeRange::ALL, Moment::Minute);
    let question = Question {
        snapshot: &snapshot,
        signal: Signal::Traces,
        range,
        names: false,
        bare: false,
        in_shares: false,
        moment,
        filter: &filter,
    };
    let seen = parking_lot::Mutex::new(std::collections::BTreeSet::new());
    let take = |counts: &mut Counts, item: &Item<'_>| {
        seen.lock().insert(gauge.get());
        counts.take(item);
    };
    fold(question, &Rolls::default(), &control, Counts::default, take, |counts, _| 1_000_000 * usize::try_from(counts.rows).unwrap())
        .unwrap();
    // The sums of one segment while the next is summed up, those of both while rows of memory are.
    assert!(seen.lock().contains(&100_000_000) && seen.lock().iter().any(|bytes| *bytes >= 200_000_000), "{:?}", seen.lock());
    assert_eq!(gauge.get(), 0);
}

#[test]
fn spans_in_two_or_three_segments_and_in_memory_count_once() {
    let folder = tempfile::tempdir().unwrap();
    let spans: Vec<Span> = (1..=90).map(|i| at(i, NOON + i)).collect();
    let batch = |range: std::ops::Range<usize>| fixtures::spans(&spans[range]);
    let segments = vec![vec![batch(0..60)], vec![batch(30..80)], vec![batch(40..70)]];
    let snapshot = fixtures::snapshot(folder.path(), Signal::Traces, vec![batch(50..90)], segments);
    let rolls = Rolls::default();
    for _ in 0..2 {
        let (rows, stats) = count(&snapshot, TimeRange::ALL, &rolls);
        assert_eq!((rows, stats.rows_scanned), (90, 90), "each is as short as the shortest");
    }
}

#[test]
fn damaged_roll_ups_are_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let spans: Vec<Span> = (1..=90).map(|i| at(i, NOON + i)).collect();
    let snapshot = fixtures::snapshot(folder.path(), Signal::Traces, Vec::new(), vec![vec![fixtures::spans(&spans)]]);
    let meta = snapshot.spans.segments[0].meta().clone();
    let path = folder.path().join(format!("{}.idx", meta.id));
    let blob = Bundle::open(&crate::files::Place::real(&path), meta.index_bytes).unwrap().find("roll.red").unwrap().clone();
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[usize::try_from(blob.offset).unwrap() + 10] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let (rows, stats) = count(&snapshot, TimeRange::ALL, &Rolls::default());
    assert_eq!((rows, stats.rows_scanned, stats.complete), (90, 90, true));
}

#[test]
fn rows_that_were_let_go_are_not_counted() {
    let folder = tempfile::tempdir().unwrap();
    let spans: Vec<Span> = (1..=90).map(|i| at(i, NOON + i)).collect();
    let mut snapshot = fixtures::snapshot(folder.path(), Signal::Traces, Vec::new(), vec![vec![fixtures::spans(&spans)]]);
    let rolls = Rolls::default();
    assert_eq!(count(&snapshot, TimeRange::ALL, &rolls).0, 90);
    let meta = snapshot.spans.segments[0].meta().clone();
    let segment = Segment::open(&crate::files::Place::real(folder.path()), meta).unwrap();
    snapshot.spans.segments = vec![Arc::new(segment.hiding(std::iter::once(10..30).collect()))];
    let (rows, stats) = count(&snapshot, TimeRange::ALL, &rolls);
    assert_eq!((rows, stats.complete), (70, true));
}
