//! Random conditions against a look at every span and every log record, in memory, in segments and mixed.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::facets::facets;
use super::fixtures::{self, Dice};
use super::logs;
use super::question::{LogOrder, LogSearch};
use super::rolled::Rolls;
use super::scan::Control;
use super::spans::tests::{all_pages, sorted};
use crate::model::{Event, Link, LogRecord, Span, SpanKind, StatusCode, TimeRange};
use crate::snapshot::Snapshot;
use crate::store::Signal;

mod conditions;

use self::conditions::{Condition, KEYS, attribute, attributes, fixed, joined, resource, scope};

fn control() -> Control {
    Control::new(Duration::from_secs(60))
}

fn span_condition(dice: &mut Dice) -> Condition<Span> {
    match dice.roll(8) {
        0 => attribute(dice, "attr.", |s: &Span| vec![s.attributes.clone()]),
        1 => attribute(dice, "resource.", |s: &Span| vec![s.resource.attributes.clone()]),
        2 => attribute(dice, "scope.", |s: &Span| vec![s.scope.attributes.clone()]),
        3 => attribute(dice, "event.", |s: &Span| vec![s.events.iter().flat_map(|event| event.attributes.clone()).collect()]),
        4 => attribute(dice, "link.", |s: &Span| vec![s.links.iter().flat_map(|link| link.attributes.clone()).collect()]),
        5 => attribute(dice, "", |s: &Span| vec![s.attributes.clone(), s.resource.attributes.clone()]),
        _ => fixed(
            dice,
            &[
                ("kind:server,client", |s| matches!(s.kind, SpanKind::Server | SpanKind::Client)),
                ("duration:100ns..500ns", |s| (100..=500).contains(&s.duration())),
                ("duration:..50ns,900ns..", |s| s.duration() <= 50 || s.duration() >= 900),
                ("event.name:retry", |s| s.events.iter().any(|event| event.name == "retry")),
                ("has:event,link", |s| !s.events.is_empty() || !s.links.is_empty()),
                ("has:attr.code", |s| s.attributes.iter().any(|kv| kv.key == "code")),
                ("scope.name:otel.*", |s| s.scope.name.starts_with("otel.")),
                ("scope.name!=otel.db", |s| s.scope.name != "otel.db"),
                ("link.span:0101010101010101", |s| s.links.iter().any(|link| link.span_id == [1; 8])),
                ("status:error root:true", |s| s.is_error() && s.parent_span_id.is_none()),
                ("service:pay", |s| s.service_name() == "pay"),
                ("name~\"^/[ab]\"", |s| s.name.starts_with("/a") || s.name.starts_with("/b")),
            ],
        ),
    }
}

fn random_span(dice: &mut Dice, id: u64) -> Span {
    let name = ["/a", "/b/c", "job"][dice.count(3)];
    let mut span = fixtures::span(dice.roll(20), id, dice.roll(3), "", name, 100 + dice.roll(500), dice.roll(1_000));
    span.kind = *dice.pick(&[SpanKind::Server, SpanKind::Client, SpanKind::Internal]);
    span.attributes = attributes(dice);
    span.resource = resource(dice);
    span.scope = scope(dice);
    if dice.roll(3) == 0 {
        span.status.code = StatusCode::Error;
    }
    for name in ["retry", "done"] {
        if dice.roll(4) == 0 {
            span.events.push(Event { name: name.to_owned(), attributes: attributes(dice), ..Event::default() });
        }
    }
    if dice.roll(5) == 0 {
        let span_id = vec![u8::from(dice.roll(2) == 0); 8];
        span.links.push(Link { trace_id: vec![1; 16], span_id, attributes: attributes(dice), ..Link::default() });
    }
    span
}

fn word(record: &LogRecord, test: impl Fn(&str) -> bool) -> bool {
    record.body.as_str().unwrap().split(|c: char| !c.is_alphanumeric()).any(test)
}

fn log_condition(dice: &mut Dice) -> Condition<LogRecord> {
    match dice.roll(7) {
        0 => attribute(dice, "attr.", |r: &LogRecord| vec![r.attributes.clone()]),
        1 => attribute(dice, "scope.", |r: &LogRecord| vec![r.scope.attributes.clone()]),
        2 => attribute(dice, "", |r: &LogRecord| vec![r.attributes.clone(), r.resource.attributes.clone()]),
        _ => fixed(
            dice,
            &[
                ("timeout", |r| word(r, |w| w.eq_ignore_ascii_case("timeout"))),
                ("time*", |r| word(r, |w| w.to_lowercase().starts_with("time"))),
                ("*out", |r| word(r, |w| w.to_lowercase().ends_with("out"))),
                ("c*d", |r| word(r, |w| w.to_lowercase().starts_with('c') && w.to_lowercase().ends_with('d'))),
                ("case:Timeout", |r| word(r, |w| w == "Timeout")),
                ("case:Time*,card", |r| word(r, |w| w.starts_with("Time") || w == "card")),
                ("case:\"ard dec\"", |r| r.body.as_str().unwrap().contains("ard dec")),
                ("\"card dec\"", |r| r.body.as_str().unwrap().to_lowercase().contains("card dec")),
                ("body~\"card|[0-9]+\"", |r| {
                    let body = r.body.as_str().unwrap();
                    body.contains("card") || body.contains(|c: char| c.is_ascii_digit())
                }),
                ("body=timeout", |r| r.body.as_str() == Some("timeout")),
                ("severity>=warn", |r| r.severity_number >= 13),
                ("severity:info..warn", |r| (9..=16).contains(&r.severity_number)),
                ("severity:..8,error", |r| r.severity_number <= 8 || (17..=20).contains(&r.severity_number)),
                ("event:login", |r| r.event_name == "login"),
                ("has:trace,event", |r| r.trace_id.is_some() || !r.event_name.is_empty()),
                ("span:0000000000000003", |r| r.span_id == Some(fixtures::span_id(3))),
            ],
        ),
    }
}

fn random_log(dice: &mut Dice, id: u64) -> LogRecord {
    let words = ["timeout", "Timeout", "card declined", "Card Declined", "connected", "7", "-"];
    let body = (0..dice.roll(4)).map(|_| *dice.pick(&words)).collect::<Vec<_>>().join(" ");
    let mut record = fixtures::log(id, "", &body, 100 + dice.roll(40));
    record.severity_number = i32::try_from(dice.roll(25)).unwrap();
    record.attributes = attributes(dice);
    record.resource = resource(dice);
    record.scope = scope(dice);
    record.trace_id = (dice.roll(2) == 0).then(|| fixtures::trace_id(dice.roll(9)));
    record.span_id = (dice.roll(2) == 0).then(|| fixtures::span_id(1 + dice.roll(5)));
    if dice.roll(3) == 0 {
        record.event_name = "login".to_owned();
    }
    record
}

#[test]
fn conditions_find_the_spans_that_looking_at_every_span_finds() {
    let mut dice = Dice(61);
    for round in 0..10 {
        let folder = tempfile::tempdir().unwrap();
        let spans: Vec<Span> = (1..=60 + round * 20).map(|id| random_span(&mut dice, id)).collect();
        let mut sent = spans.clone();
        // Some of them come again, with other content: what came last counts.
        let mut spans = spans;
        for _ in 0..round * 3 {
            let at = dice.count(spans.len() as u64);
            let (before, mut again) = (&spans[at], random_span(&mut dice, at as u64 + 1));
            (again.trace_id, again.span_id, again.kind, again.start) = (before.trace_id, before.span_id, before.kind, before.start);
            again.end = again.start.plus(dice.roll(1_000));
            sent.push(again.clone());
            spans[at] = again;
        }
        let (old, new) = sent.split_at(sent.len() * dice.count(3) / 2);
        let segments = old.chunks(old.len() / 2 + 1).map(|chunk| vec![fixtures::spans(chunk)]).collect();
        let layout = || (round % 2 == 1).then(|| fixtures::layout(&mut dice, &KEYS));
        let buffered = new.chunks(23).map(fixtures::spans).collect();
        let snapshot = fixtures::snapshot_in(layout, folder.path(), Signal::Traces, buffered, segments);
        for _ in 0..60 {
            let Condition { text, holds } = joined(&mut dice, 2, span_condition);
            let found = facets(&snapshot, Signal::Traces, &text, TimeRange::ALL, ("span", 1_000), &Rolls::default(), &control())
                .unwrap_or_else(|e| panic!("{text}: {e}"));
            let found: BTreeSet<String> = found.values.into_iter().map(|(id, _)| id).collect();
            let expected: BTreeSet<String> = spans.iter().filter(|span| holds(span)).map(|span| span.span_id.to_string()).collect();
            assert_eq!(found, expected, "{text}");
            let listed = all_pages(&snapshot, &text, TimeRange::ALL, [1_000, dice.count(20) + 1][dice.count(2)]);
            let expected = sorted(spans.iter().filter(|span| holds(span)).cloned().collect());
            // As text, because a float that is no number is not even itself.
            assert_eq!(format!("{:?}", by_keys(listed)), format!("{:?}", by_keys(expected)), "{text}");
        }
    }
}

/// With attributes in the order of their keys: those of a key with a column of its own come back before the others.
fn by_keys(mut spans: Vec<Span>) -> Vec<Span> {
    for span in &mut spans {
        let (resource, scope) = (Arc::make_mut(&mut span.resource), Arc::make_mut(&mut span.scope));
        for attributes in [&mut span.attributes, &mut resource.attributes, &mut scope.attributes] {
            attributes.sort_by(|one, other| one.key.cmp(&other.key));
        }
    }
    spans
}

fn stored_logs(folder: &std::path::Path, dice: &mut Dice, records: &[LogRecord]) -> Snapshot {
    let (old, new) = records.split_at(records.len() * dice.count(3) / 2);
    let segments = old.chunks(old.len() / 2 + 1).map(|chunk| vec![fixtures::logs(chunk)]).collect();
    let layout = || (dice.roll(2) == 0).then(|| fixtures::layout(dice, &KEYS));
    fixtures::snapshot_in(layout, folder, Signal::Logs, new.chunks(23).map(fixtures::logs).collect(), segments)
}

#[test]
fn conditions_find_the_records_that_looking_at_every_record_finds_page_by_page() {
    let mut dice = Dice(67);
    for round in 0..10 {
        let folder = tempfile::tempdir().unwrap();
        let records: Vec<LogRecord> = (1..=60 + round * 20).map(|id| random_log(&mut dice, id)).collect();
        let snapshot = stored_logs(folder.path(), &mut dice, &records);
        for _ in 0..60 {
            let Condition { text, holds } = joined(&mut dice, 2, log_condition);
            let limit = [1_000, dice.count(20) + 1][dice.count(2)];
            let mut asked = LogSearch { query: text.clone(), range: TimeRange::ALL, order: LogOrder::Oldest, limit, cursor: None };
            let mut found = Vec::new();
            loop {
                let page = logs::search(&snapshot, &asked, &control()).unwrap_or_else(|e| panic!("{text}: {e}"));
                found.extend(page.records.iter().map(|record| (record.time, record.record_id)));
                asked.cursor = page.next;
                if asked.cursor.is_none() {
                    break;
                }
            }
            let mut expected: Vec<_> =
                records.iter().filter(|record| holds(record)).map(|record| (record.time, record.record_id)).collect();
            expected.sort_unstable();
            assert_eq!(found, expected, "{text}");
        }
    }
}
