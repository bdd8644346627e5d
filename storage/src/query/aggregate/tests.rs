use std::time::Duration;

use super::super::fixtures::{self, Dice};
use super::*;
use crate::model::{KeyValue, LogRecord, Span, SpanKind, StatusCode, Value};

mod fields;

const NOON: u64 = 1_700_000_000_000_000_000 / MINUTE * MINUTE;

fn control() -> Control {
    Control::new(Duration::from_secs(60))
}

fn of_spans(group_by: &[&str], measures: &[&str]) -> Aggregate {
    Aggregate {
        signal: Signal::Traces,
        query: String::new(),
        range: TimeRange { from: UnixNanos::new(NOON), to: UnixNanos::new(NOON + 20 * MINUTE) },
        group_by: group_by.iter().map(|name| (*name).to_owned()).collect(),
        measures: measures.iter().map(|name| name.parse().unwrap()).collect(),
        step: None,
        limit: 100,
    }
}

fn ask(snapshot: &Snapshot, ask: &Aggregate) -> Aggregation {
    aggregate(snapshot, ask, &Rolls::default(), &control()).unwrap()
}

/// Groups as text: values, then what was measured part by part.
fn lines(found: &Aggregation) -> Vec<String> {
    let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
    let measured = |measured: &Measured| match measured {
        Measured::Count(n) | Measured::Nanos(n) => n.to_string(),
        Measured::Number(n) => format!("{n:.3}"),
        Measured::Bars(bars) => format!("{} bars", bars.len()),
        Measured::Nothing => "nothing".to_owned(),
    };
    let line = |group: &AggregateGroup| {
        let name = if group.is_other { "<other>".to_owned() } else { group.values.iter().map(value).collect::<Vec<_>>().join(" ") };
        let parts: Vec<_> = group.parts.iter().map(|part| part.iter().map(measured).collect::<Vec<_>>().join(" ")).collect();
        format!("{name}: {}", parts.join(" | "))
    };
    found.groups.iter().map(line).collect()
}

fn span(id: u64, service: &str, start: u64, duration: u64) -> Span {
    fixtures::span(id, id, 0, service, "x", start, duration)
}

fn in_memory(spans: &[Span]) -> Snapshot {
    let mut snapshot = Snapshot::default();
    snapshot.spans.buffered.push(fixtures::spans(spans));
    snapshot
}

#[test]
fn every_measure_is_what_its_name_says() {
    let mut spans: Vec<Span> = (1..=100).map(|i| span(i, "api", NOON + i, i)).collect();
    spans[3].status.code = StatusCode::Error;
    let all = of_spans(&["service"], &["count", "rate", "error_share", "avg", "min", "max", "sum", "p50", "p95", "p999", "histogram"]);
    assert_eq!(lines(&ask(&in_memory(&spans), &all)), ["api: 100 0.083 0.010 51 1 100 5050 50 95 100 1 bars"]);
    let nothing = Aggregate { query: "service:none".to_owned(), group_by: Vec::new(), ..all };
    let line = ": 0 0.000 nothing nothing nothing nothing nothing nothing nothing nothing nothing";
    assert_eq!(lines(&ask(&in_memory(&spans), &nothing)), [line]);
}

#[test]
fn groups_are_fields_and_attributes_of_spans_and_resources() {
    let mut spans: Vec<Span> = (1..=6).map(|i| span(i, if i % 2 == 0 { "even" } else { "odd" }, NOON + i, i)).collect();
    for (i, span) in (1..).zip(&mut spans) {
        span.kind = SpanKind::Server;
        span.attributes = vec![KeyValue { key: "code".to_owned(), value: Value::Int(i / 4) }];
    }
    spans[0].attributes = vec![KeyValue { key: "code".to_owned(), value: Value::Array(vec![Value::Int(1), Value::Bool(true)]) }];
    spans[1].attributes.clear();
    let snapshot = in_memory(&spans);
    let found = |group_by: &[&str]| lines(&ask(&snapshot, &of_spans(group_by, &["count"])));
    assert_eq!(found(&["kind", "service.name"]), ["server even: 3", "server odd: 3"]);
    assert_eq!(found(&["attr.code"]), ["1: 3", "-: 1", "0: 1", "[1,true]: 1"]);
    assert_eq!(found(&["resource.service.name", "attr.code"]), ["even 1: 2", "even -: 1", "odd 0: 1", "odd 1: 1", "odd [1,true]: 1"]);
    assert_eq!(found(&["service.name", "attr.odd \"key\""]), ["even -: 3", "odd -: 3"]);
    let filtered = Aggregate { query: "attr.code:1".to_owned(), ..of_spans(&["status"], &["count", "max"]) };
    assert_eq!(lines(&ask(&snapshot, &filtered)), ["unset: 4 6"]);
}

#[test]
fn groups_beyond_the_limit_are_one_and_too_many_are_said_to_be() {
    let spans: Vec<Span> = (1..=60).map(|i| span(i, &format!("s{:02}", i % 20 * u64::from(i > 20)), NOON + i, 1)).collect();
    let few = Aggregate { limit: 2, ..of_spans(&["service"], &["count", "sum"]) };
    let found = ask(&in_memory(&spans), &few);
    assert_eq!(lines(&found), ["s00: 22 22", "s01: 2 2", "<other>: 36 36"]);
    assert!(found.stats.complete);
    let spans: Vec<Span> = (0..20_000).map(|i| span(i + 1, &format!("{i}"), NOON + i, 1)).collect();
    let found = ask(&in_memory(&spans), &Aggregate { limit: 1, ..few });
    assert!(!found.stats.complete && found.stats.notes[0].contains("too many different groups"), "{:?}", found.stats);
    assert_eq!(lines(&found)[1], "<other>: 19999 19999");
}

/// Three services among very many others, which come first, in several places.
#[test]
fn the_largest_of_very_many_groups_are_found_and_counted_in_full() {
    let frequent =
        |i: u64| if i < 11_000 { None } else { [Some("hot"), Some("hot"), Some("warm"), None, Some("mild"), None][(i % 6) as usize] };
    let spans: Vec<Span> =
        (0..20_000).map(|i| span(i + 1, frequent(i).unwrap_or(&format!("s{i:05}")), NOON + i % 7 * MINUTE + i, i % 5)).collect();
    let mut snapshot = Snapshot::default();
    snapshot.spans.buffered = spans.chunks(1_900).map(fixtures::spans).collect();
    let rows = |name: &str| (0..20_000).filter(|i| frequent(*i) == Some(name)).count();
    for (step, measures) in [(None, &["count"][..]), (Some(MINUTE), &["count"]), (None, &["count", "max(attr.none)"])] {
        let asked = Aggregate { limit: 3, step, ..of_spans(&["service"], measures) };
        let found = ask(&snapshot, &asked);
        let count = |group: &AggregateGroup| {
            let counts = group.parts.iter().map(|part| if let Measured::Count(n) = part[0] { n } else { 0 });
            usize::try_from(counts.sum::<u64>()).unwrap()
        };
        let groups: Vec<_> = found.groups.iter().map(|group| (group.values[0].as_deref().unwrap_or("-"), count(group))).collect();
        let others = 20_000 - ["hot", "warm", "mild"].map(rows).iter().sum::<usize>();
        let mut known = vec![("hot", rows("hot")), ("warm", rows("warm")), ("mild", rows("mild"))];
        known.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        known.push(("-", others));
        assert_eq!(groups, known, "{step:?} {measures:?}");
    }
}

/// More groups than a worker can rank, in many places, so that it is chance which of two workers reads what.
#[test]
fn the_same_question_has_the_same_answer_however_many_groups_there_are() {
    let mut dice = Dice(7);
    let spans: Vec<Span> = (0..6_000)
        .map(|i| span(i + 1, &format!("s{}", dice.roll(3_000).min(dice.roll(3_000)).min(dice.roll(3_000))), NOON + i * 200_000_000, 1))
        .collect();
    let mut snapshot = Snapshot::default();
    snapshot.spans.buffered = spans.chunks(250).map(fixtures::spans).collect();
    for measures in [&["count"][..], &["count", "max(attr.none)"]] {
        let asked = Aggregate { limit: 40, step: Some(1_200_000_000), ..of_spans(&["service"], measures) };
        let first = ask(&snapshot, &asked);
        assert!(first.stats.notes.iter().any(|note| note.contains("too many different groups")), "{:?}", first.stats);
        for _ in 0..6 {
            let again = ask(&snapshot, &asked);
            assert_eq!((again.groups, again.stats.notes), (first.groups.clone(), first.stats.notes.clone()));
        }
    }
}

#[test]
fn parts_begin_at_multiples_of_the_step_and_hold_every_row_once() {
    let spans: Vec<Span> = (0..600).map(|i| span(i + 1, "api", NOON + i * 1_000_000_000, 1)).collect();
    let range = TimeRange { from: UnixNanos::new(NOON + 90_000_000_000), to: UnixNanos::new(NOON + 270_000_000_000) };
    let found = ask(&in_memory(&spans), &Aggregate { range, step: Some(MINUTE), ..of_spans(&[], &["count", "rate"]) });
    assert_eq!(lines(&found), [": 30 1.000 | 60 1.000 | 60 1.000 | 30 1.000"]);
    let starts: Vec<_> = found.starts.iter().map(|start| (start.get() - NOON) / 1_000_000_000).collect();
    assert_eq!(starts, [90, 120, 180, 240]);
}

#[test]
fn questions_without_bounds_or_meaning_are_refused() {
    let base = of_spans(&["service"], &["count"]);
    let wide = TimeRange { to: UnixNanos::new(NOON + 100_000 * MINUTE), ..base.range };
    let wrong = [
        Aggregate { group_by: vec!["service".to_owned(); 4], ..base.clone() },
        Aggregate { group_by: vec!["has".to_owned()], ..base.clone() },
        Aggregate { group_by: vec!["trace.spans".to_owned()], ..base.clone() },
        Aggregate { measures: vec!["avg(name)".parse().unwrap()], ..base.clone() },
        Aggregate { measures: vec!["avg(nonsense)".parse().unwrap()], ..base.clone() },
        Aggregate { group_by: vec!["nonsense".to_owned()], ..base.clone() },
        Aggregate { measures: Vec::new(), ..base.clone() },
        Aggregate { measures: vec![Measure::Count; 17], ..base.clone() },
        Aggregate { signal: Signal::Logs, measures: vec![Measure::Avg], ..base.clone() },
        Aggregate { limit: 0, ..base.clone() },
        Aggregate { limit: 1_001, ..base.clone() },
        Aggregate { step: Some(0), ..base.clone() },
        Aggregate { step: Some(MINUTE), range: wide, ..base.clone() },
        Aggregate { step: Some(2 * 1_000_000_000), limit: 100, ..base.clone() },
        Aggregate { range: TimeRange { from: base.range.to, to: base.range.from }, ..base.clone() },
    ];
    for ask in wrong {
        let found = aggregate(&Snapshot::default(), &ask, &Rolls::default(), &control());
        assert!(matches!(found, Err(QueryError::Invalid(_))), "{ask:?}: {found:?}");
    }
    let unclear = Aggregate { query: "service:".to_owned(), ..base };
    assert!(matches!(aggregate(&Snapshot::default(), &unclear, &Rolls::default(), &control()), Err(QueryError::Parse(_))));
}

#[test]
fn work_that_nobody_waits_for_ends() {
    let control = control();
    control.cancel();
    let found = aggregate(&in_memory(&[span(1, "api", NOON, 1)]), &of_spans(&["attr.x"], &["count"]), &Rolls::default(), &control);
    assert!(matches!(found, Err(QueryError::Internal(_))));
}

fn random_span(dice: &mut Dice) -> Span {
    let mut span =
        span(1 + dice.roll(300), dice.pick::<&str>(&["api", "cart"]), NOON + dice.roll(1_200) * 1_000_000_000, dice.roll(1 << 36));
    span.name = (*dice.pick(&["a", "b", "c"])).to_owned();
    span.kind = *dice.pick(&[SpanKind::Server, SpanKind::Client]);
    span.status.code = *dice.pick(&[StatusCode::Unset, StatusCode::Error]);
    // Says the same as the name, but no roll-up knows it.
    span.attributes = vec![fixtures::text("alias", &span.name.clone())];
    span
}

fn random_log(dice: &mut Dice, record: u64) -> LogRecord {
    let mut log = fixtures::log(record, dice.pick::<&str>(&["api", "cart"]), "x", NOON + dice.roll(1_200) * 1_000_000_000);
    log.severity_number = i32::try_from(dice.roll(25)).unwrap();
    log
}

#[test]
fn roll_ups_and_rows_agree() {
    const MEASURES: [&str; 10] = ["count", "rate", "error_share", "avg", "min", "max", "sum", "p50", "p99", "histogram"];
    for seed in 1..60 {
        let mut dice = Dice(seed * 104_729);
        let folder = tempfile::tempdir().unwrap();
        let all: Vec<Span> = (0..300).map(|_| random_span(&mut dice)).collect();
        let mut some = |share: u64| fixtures::spans(&all.iter().filter(|_| dice.roll(100) < share).cloned().collect::<Vec<_>>());
        let segments = vec![vec![some(50)], vec![some(30)], vec![some(20)]];
        let buffered = vec![some(20), some(5)];
        let spans = fixtures::snapshot(folder.path(), Signal::Traces, buffered, segments).spans;
        let records: Vec<_> = (0..100).map(|i| random_log(&mut dice, i)).collect();
        let (old, new) = records.split_at(60);
        let logs = fixtures::snapshot(folder.path(), Signal::Logs, vec![fixtures::logs(new)], vec![vec![fixtures::logs(old)]]).logs;
        let snapshot = Snapshot { spans, logs, ..Snapshot::default() };
        let second = |dice: &mut Dice| NOON + dice.roll(1_200) * 1_000_000_000;
        for _ in 0..8 {
            let (a, b) = (second(&mut dice), second(&mut dice));
            let range = TimeRange { from: UnixNanos::new(a.min(b)), to: UnixNanos::new(a.max(b) + 1) };
            let step = *dice.pick(&[None, Some(MINUTE), Some(5 * MINUTE), Some(37 * 1_000_000_000)]);
            let query = *dice.pick(&["", "service:api", "status:error kind:server", "name:a OR service:cart", "duration>10s"]);
            let group_by: &[&str] = dice.pick::<&[&str]>(&[&[], &["service"], &["name", "status"], &["kind"]]);
            let base = Aggregate { query: query.to_owned(), range, step, ..of_spans(group_by, &MEASURES) };
            let rolls = Rolls::default();
            let from = |ask: &Aggregate, rolls: &Rolls| aggregate(&snapshot, ask, rolls, &control()).unwrap().groups;
            assert_eq!(from(&base, &rolls), from(&base, &Rolls::unusable()), "seed {seed}: {base:?}");
            let by_attribute = Aggregate { group_by: vec!["attr.alias".to_owned()], ..base.clone() };
            let by_name = Aggregate { group_by: vec!["name".to_owned()], ..base.clone() };
            assert_eq!(from(&by_attribute, &rolls), from(&by_name, &rolls), "seed {seed}: {base:?}");
            let logs = Aggregate {
                signal: Signal::Logs,
                query: (*dice.pick(&["", "service:api", "severity>=error"])).to_owned(),
                group_by: vec!["severity".to_owned(), "service".to_owned()],
                measures: vec![Measure::Count, Measure::Rate, Measure::ErrorShare],
                ..base
            };
            assert_eq!(from(&logs, &rolls), from(&logs, &Rolls::unusable()), "seed {seed}: {logs:?}");
        }
    }
}
