//! Wherever spans lie, roll-ups and rows give the same map.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::super::super::fixtures::Dice;
use super::*;
use crate::files::Place;
use crate::segment::{self, Bundle, Segment};

pub(super) const MINUTE: u64 = 60 * S;
/// Begin of a time bucket.
pub(super) const NOON: u64 = 1_700_000_400 * S;
/// What random spans lie in.
const WIDTH: u64 = 70 * MINUTE;

const PEERS: [&[(&str, &str)]; 4] = [&QUEUE, &[("db.system.name", "mysql")], &[("server.address", "c")], &[("server.address", "pay:1")]];

fn random_span(dice: &mut Dice, trace: u64, begin: u64) -> Span {
    let id = 1 + dice.roll(12);
    let kind = *dice.pick(&[Server, Server, Client, Client, Producer, Consumer, Internal]);
    // Most spans of a trace are close together; some are later than anything has to do with them.
    let late = if dice.roll(12) == 0 { dice.roll(25) * MINUTE } else { dice.roll(40) * S / 10 };
    let mut span = at(span(trace, id, dice.roll(13), dice.pick::<&str>(&["a", "b", "c", "d"]), kind), begin + late, dice.roll(1 << 36));
    if dice.roll(3) == 0 {
        span = with(span, PEERS[dice.count(4)]);
    }
    if kind == Consumer && dice.roll(2) == 0 {
        let to = dice.roll(40);
        let producer = fixtures::span_id(1 + dice.roll(12)).as_bytes().to_vec();
        span.links = vec![Link { trace_id: fixtures::trace_id(to).as_bytes().to_vec(), span_id: producer, ..Link::default() }];
    }
    if dice.roll(4) == 0 { failed(span) } else { span }
}

pub(super) fn random_spans(dice: &mut Dice) -> Vec<Span> {
    let mut spans = Vec::new();
    for trace in 0..40 {
        let begin = NOON + dice.roll(WIDTH);
        // No two spans that could be taken for the same.
        for i in 0..1 + dice.roll(9) {
            spans.push(random_span(dice, trace, begin + trace * 100 + i));
        }
    }
    spans
}

pub(super) fn segment_of(folder: &Path, level: u8, spans: &[Span]) -> Vec<Arc<Segment>> {
    let folder = &Place::real(folder);
    let metas = segment::write(folder, folder, Signal::Traces, level, segment::Origin::default(), vec![fixtures::spans(spans)]).unwrap();
    metas.into_iter().map(|meta| Arc::new(Segment::open(folder, meta).unwrap())).collect()
}

/// Spans in several places, some in two or three; some segments stacked, some with rows let go.
fn random_snapshot(folder: &Path, dice: &mut Dice) -> Snapshot {
    let all = random_spans(dice);
    let mut snapshot = Snapshot::default();
    let copies = 1 + dice.roll(2);
    let places = 1 + dice.roll(5);
    let mut held = vec![Vec::new(); usize::try_from(places).unwrap()];
    for span in &all {
        // Traces lie together or not, by the seed.
        for _ in 0..copies {
            let by_trace = u64::from(span.trace_id.as_bytes()[15]) % places;
            let place = if dice.roll(6) == 0 { dice.roll(places) } else { by_trace };
            // Now and then with other content: what came last counts.
            let mut again = span.clone();
            if dice.roll(3) == 0 {
                again.end = again.start.plus(dice.roll(1 << 36));
                again.status.code = *dice.pick(&[StatusCode::Unset, StatusCode::Error]);
            }
            held[usize::try_from(place).unwrap()].push(again);
        }
    }
    let mut segments = Vec::new();
    for (i, spans) in held.iter().filter(|spans| !spans.is_empty()).enumerate() {
        if i == 0 && dice.roll(2) == 0 {
            snapshot.spans.buffered.push(fixtures::spans(spans));
            continue;
        }
        segments.extend(segment_of(folder, u8::from(dice.roll(3) > 0), spans));
    }
    if segments.len() > 1 && segments[..2].iter().all(|segment| segment.meta().level == 1) {
        let place = Place::real(folder);
        let stop = std::sync::atomic::AtomicBool::new(false);
        if let Some(meta) = segment::stack(&segments[..2], &place, &place, &stop).unwrap() {
            segments.splice(..2, [Arc::new(Segment::open(&place, meta).unwrap())]);
        }
    }
    if dice.roll(4) == 0
        && let Some(segment) = segments.pop()
    {
        let rows = u32::try_from(segment.meta().rows).unwrap();
        let reopened = Segment::open(&Place::real(folder), segment.meta().clone()).unwrap();
        segments.push(Arc::new(reopened.hiding(std::iter::once(rows / 3..rows / 2).filter(|range| !range.is_empty()).collect())));
    }
    segments.sort_by_key(|segment| (Reverse(segment.meta().max_time), Reverse(segment.meta().id)));
    snapshot.spans.segments = segments;
    snapshot
}

pub(super) fn random_window(dice: &mut Dice) -> Window {
    let mut time = || {
        let time = NOON - 5 * MINUTE + dice.roll(WIDTH + 10 * MINUTE);
        UnixNanos::new(if dice.roll(2) == 0 { time } else { time / MINUTE * MINUTE })
    };
    let (a, b) = (time(), time());
    let range = if dice.roll(8) == 0 { TimeRange::ALL } else { TimeRange { from: a.min(b), to: a.max(b) } };
    let now = if dice.roll(2) == 0 { UnixNanos::MAX } else { UnixNanos::new(NOON + dice.roll(WIDTH)) };
    let from = TimeRange { from: range.from.max(UnixNanos::new(NOON)), ..range };
    let parts = if dice.roll(2) == 0 { Parts::default() } else { Parts::new(from, 1 + dice.roll(20), 1 + dice.count(8)).unwrap() };
    Window { range, now, parts }
}

fn rolled(snapshot: &Snapshot, window: Window, rolls: &CallRolls) -> (Derived, QueryStats) {
    match rolled::derive(snapshot, window, rolls, &control()).unwrap() {
        rolled::Outcome::Done(tally, stats) => (tally.finish(), stats),
        rolled::Outcome::Damaged => panic!("damaged"),
        rolled::Outcome::TooMuch => panic!("too much"),
    }
}

/// Without examples, which are some of many.
fn plain(derived: &Derived) -> Derived {
    let bare = |edges: &[Edge]| edges.iter().map(|edge| Edge { examples: Vec::new(), ..edge.clone() }).collect();
    let parts = derived.parts.iter().map(|(edges, relays)| (bare(edges), bare(relays))).collect();
    Derived { nodes: derived.nodes.clone(), edges: bare(&derived.edges), relays: bare(&derived.relays), parts, open: derived.open }
}

use super::super::super::answer::Edge;

#[test]
fn roll_ups_and_rows_give_the_same_map() {
    for seed in 1..80 {
        let mut dice = Dice(seed * 7_919);
        let folder = tempfile::tempdir().unwrap();
        let snapshot = random_snapshot(folder.path(), &mut dice);
        let rolls = CallRolls::default();
        for _ in 0..8 {
            let window = random_window(&mut dice);
            let (of_rows, stats) = of_rows(&snapshot, window, &control()).unwrap();
            let of_rows = of_rows.finish();
            let (of_rolls, of_rolls_stats) = rolled(&snapshot, window, &rolls);
            assert_eq!(plain(&of_rolls), plain(&of_rows), "seed {seed}, {window:?}");
            assert_eq!((stats.complete, of_rolls_stats.complete), (true, true));
            assert_eq!(of_rows.parts.len(), window.parts.count());
            if !of_rows.parts.is_empty() {
                let (edges, relays) = (of_rows.parts.iter().flat_map(|part| &part.0), of_rows.parts.iter().flat_map(|part| &part.1));
                assert_eq!(added_up(edges), added_up(&of_rows.edges), "seed {seed}, {window:?}");
                assert_eq!(added_up(relays), added_up(&of_rows.relays), "seed {seed}, {window:?}");
            }
            for (edge, same) in of_rolls.edges.iter().zip(&of_rows.edges) {
                // Of a single call there is no choice.
                assert!(edge.calls > 1 || edge.examples.is_empty() || edge.examples == same.examples, "seed {seed}, {window:?}, {edge:?}");
                assert!(edge.examples.len() <= 4);
            }
        }
    }
}

/// Calls and failed ones by caller and called.
fn added_up<'a>(edges: impl IntoIterator<Item = &'a Edge>) -> BTreeMap<String, (u64, u64)> {
    let mut sums = BTreeMap::new();
    for edge in edges {
        let sum: &mut (u64, u64) = sums.entry(format!("{:?} {:?} {:?}", edge.from, edge.to, edge.kind)).or_default();
        *sum = (sum.0 + edge.calls, sum.1 + edge.errors);
    }
    sums
}

fn window(from: u64, to: u64) -> Window {
    let range = TimeRange { from: UnixNanos::new(from), to: UnixNanos::new(to) };
    Window { range, now: UnixNanos::MAX, parts: Parts::default() }
}

/// A call a second for twenty minutes, its halves in two segments every tenth time.
fn calls() -> (Vec<Span>, Vec<Span>) {
    let halves = |i: u64| {
        let client = with(span(i, 1, 0, "api", Client), &[("server.address", "pay:1")]);
        (at(client, NOON + i * S, S), at(span(i, 2, 1, "pay", Server), NOON + i * S + S / 10, S / 2))
    };
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for i in 0..1_200 {
        let (client, server) = halves(i);
        a.push(client);
        if i % 10 == 0 { &mut b } else { &mut a }.push(server);
    }
    (a, b)
}

#[test]
fn whole_minutes_read_nothing_but_halves_and_cut_ones_the_traces_of_one_minute() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = calls();
    let mut snapshot = Snapshot::default();
    snapshot.spans.segments = [segment_of(folder.path(), 1, &a), segment_of(folder.path(), 1, &b)].concat();
    let rolls = CallRolls::default();
    let (map, stats) = rolled(&snapshot, window(NOON, NOON + 20 * MINUTE), &rolls);
    let [edge] = map.edges.as_slice() else { panic!("{map:?}") };
    assert_eq!((edge.from.0.as_str(), edge.to.0.as_str(), edge.calls, stats.rows_scanned), ("api", "pay", 1_200, 240));
    assert!(!edge.examples.is_empty());
    // They are kept, and told as before.
    let again = rolled(&snapshot, window(NOON, NOON + 20 * MINUTE), &rolls).1;
    assert_eq!((again.rows_scanned, again.segments_read), (stats.rows_scanned, stats.segments_read));
    let (map, stats) = rolled(&snapshot, window(NOON + MINUTE / 2, NOON + 3 * MINUTE), &rolls);
    assert_eq!(map.edges[0].calls, 150);
    assert!(stats.rows_scanned > 0);
    // Where both ends cut the same segments, what is looked up there is read once; the traces that come of it are read, and told, besides.
    let [one, other, both] = [(30, 180), (60, 210), (30, 210)].map(|(from, to)| {
        let range = window(NOON + from * S, NOON + to * S);
        rolled(&snapshot, range, &CallRolls::default()).1.rows_scanned
    });
    let all = (a.len() + b.len()) as u64;
    let traces = both - all;
    assert!(one > all && other > all && traces < (one - all) + (other - all) && traces < all, "{one}, {other}, {both} of {all}");
}

#[test]
fn the_sums_of_a_map_are_shown_while_it_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = calls();
    let mut snapshot = Snapshot::default();
    snapshot.spans.segments = [segment_of(folder.path(), 1, &a), segment_of(folder.path(), 1, &b)].concat();
    let (gauge, control) = (crate::metrics::Registry::default().question_memory("service_map"), control());
    control.show_memory(gauge.clone());
    let made = rolled::derive(&snapshot, window(NOON, NOON + 20 * MINUTE), &CallRolls::default(), &control).unwrap();
    assert!(matches!(made, rolled::Outcome::Done(..)) && gauge.get() > 0, "{}", gauge.get());
    drop(made);
    assert_eq!(gauge.get(), 0);
}

#[test]
fn parts_say_when_calls_were_made_and_cost_no_second_look() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = calls();
    let mut snapshot = Snapshot::default();
    snapshot.spans.segments = [segment_of(folder.path(), 1, &a), segment_of(folder.path(), 1, &b)].concat();
    let range = TimeRange { from: UnixNanos::new(NOON + 30 * S), to: UnixNanos::new(NOON + 13 * MINUTE) };
    let parts = Parts::new(range, 5, 3).unwrap();
    let made = service_map(&snapshot, (range, parts), UnixNanos::MAX, &CallRolls::default(), &control()).unwrap();
    let calls: Vec<u64> = made.parts.iter().map(|part| part.edges.iter().map(|edge| edge.calls).sum()).collect();
    assert_eq!((calls.as_slice(), made.map.edges[0].calls), ([270, 300, 180].as_slice(), 750), "{:?}", made.parts);
    assert_eq!(made.parts[1].range, Some(TimeRange { from: UnixNanos::new(NOON + 5 * MINUTE), to: UnixNanos::new(NOON + 10 * MINUTE) }));
    let alone = service_map(&snapshot, (range, Parts::default()), UnixNanos::MAX, &CallRolls::default(), &control()).unwrap();
    assert_eq!(alone.map.stats.rows_scanned, made.map.stats.rows_scanned);
    for (minutes, count) in [(0, 3), (5, 0), (5, 61)] {
        assert!(Parts::new(range, minutes, count).unwrap_err().to_string().contains("1 to 60 parts"));
    }
}

#[test]
fn damaged_roll_ups_are_made_of_rows() {
    let folder = tempfile::tempdir().unwrap();
    let (a, _) = calls();
    let mut snapshot = Snapshot::default();
    snapshot.spans.segments = segment_of(folder.path(), 1, &a);
    let meta = snapshot.spans.segments[0].meta().clone();
    let path = folder.path().join(format!("{}.idx", meta.id));
    let whole = std::fs::read(&path).unwrap();
    let expected = map_in(&snapshot, TimeRange::ALL, UnixNanos::MAX).0.edges;
    for name in ["roll.edge", "roll.edge.cells"] {
        let blob = Bundle::open(&Place::real(&path), meta.index_bytes).unwrap().find(name).unwrap().clone();
        let mut bytes = whole.clone();
        bytes[usize::try_from(blob.offset + blob.len / 2).unwrap()] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let segment = Arc::new(Segment::open(&Place::real(folder.path()), meta.clone()).unwrap());
        snapshot.spans.segments = vec![segment.clone()];
        let (map, _) = map_in(&snapshot, TimeRange::ALL, UnixNanos::MAX);
        assert_eq!((map.edges, map.stats.complete), (expected.clone(), true), "{name}");
        assert!(segment.is_index_wanting(), "{name}");
        std::fs::write(&path, &whole).unwrap();
    }
}

#[test]
fn what_could_not_be_read_is_missing_in_the_next_answer_too() {
    let folder = tempfile::tempdir().unwrap();
    let mut dice = Dice(11);
    let spans = random_spans(&mut dice);
    let mut snapshot = Snapshot::default();
    snapshot.spans.segments = [&spans, &spans].into_iter().flat_map(|spans| segment_of(folder.path(), 1, spans)).collect();
    let meta = snapshot.spans.segments[0].meta().clone();
    let path = folder.path().join(format!("{}.parquet", meta.id));
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[4..600].iter_mut().for_each(|byte| *byte ^= 1);
    std::fs::write(&path, bytes).unwrap();
    snapshot.spans.segments[0] = Arc::new(Segment::open(&Place::real(folder.path()), meta).unwrap());
    let rolls = CallRolls::default();
    let [first, second] = [0, 1].map(|_| {
        let asked = (TimeRange::ALL, Parts::default());
        let map = service_map(&snapshot, asked, UnixNanos::MAX, &rolls, &control()).unwrap().map;
        (map.edges, map.stats.complete, map.stats.notes)
    });
    assert!(!first.1, "the traces of the damaged segment are in the other one too");
    assert_eq!(first, second);
}
