use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use super::super::fixtures::{self, Dice};
use super::super::question::Cursor;
use super::super::{LogOrder, LogSearch, TraceOrder, TraceSearch, search_logs, search_traces};
use super::*;
use crate::model::{SpanKind, StatusCode, TimeRange};

fn control() -> Control {
    Control::new(Duration::from_secs(60))
}

/// What looking at the spans of each page finds, with the search for the next one.
pub(in super::super) fn all_pages(snapshot: &Snapshot, query: &str, range: TimeRange, limit: usize) -> Vec<Span> {
    let mut asked = SpanSearch { query: query.to_owned(), range, limit, cursor: None };
    let mut found = Vec::new();
    loop {
        let page = search(snapshot, &asked, &control()).unwrap_or_else(|error| panic!("{query}: {error}"));
        assert!(page.stats.complete && page.spans.len() <= limit, "{query}");
        assert!(page.spans.len() == limit || page.next.is_none(), "{query}");
        found.extend(page.spans);
        // Clients send it as text.
        asked.cursor = page.next.map(|cursor| cursor.to_string().parse().unwrap());
        if asked.cursor.is_none() {
            return found;
        }
    }
}

/// In the order of a search.
pub(in super::super) fn sorted(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_by_key(|span| (Reverse(span.start), span.trace_id, span.span_id, span.kind.number()));
    spans
}

/// Spans of which many begin at once, and some ids stand for both sides of a call.
fn random_span(dice: &mut Dice, id: u64) -> Span {
    let service = ["api", "cart"][dice.count(2)];
    let mut span =
        fixtures::span(dice.roll(9), id / 2 + 1, 0, service, ["GET /", "send"][dice.count(2)], 1_000 + dice.roll(40), dice.roll(90));
    span.kind = if id.is_multiple_of(2) { SpanKind::Client } else { SpanKind::Server };
    if dice.roll(4) == 0 {
        span.status.code = StatusCode::Error;
    }
    span
}

fn stored(folder: &std::path::Path, sent: &[Span], in_memory: usize) -> Snapshot {
    let (old, new) = sent.split_at(sent.len() - in_memory);
    let segments = old.chunks(old.len() / 3 + 1).map(|chunk| vec![fixtures::spans(chunk)]).collect();
    fixtures::snapshot(folder, Signal::Traces, new.chunks(13).map(fixtures::spans).collect(), segments)
}

#[test]
fn pages_of_a_search_join_to_what_looking_at_every_span_finds() {
    type Check = fn(&Span) -> bool;
    let cases: [(&str, Check); 4] = [
        ("", |_| true),
        ("service:api status:error", |span| span.service_name() == "api" && span.is_error()),
        ("name=send duration>=50ns", |span| span.name == "send" && span.duration() >= 50),
        ("kind:server OR duration<5ns", |span| span.kind == SpanKind::Server || span.duration() < 5),
    ];
    let mut dice = Dice(98);
    for round in 0..12 {
        let folder = tempfile::tempdir().unwrap();
        let mut sent: Vec<Span> = (1..=40 + round * 15).map(|id| random_span(&mut dice, id)).collect();
        // Some come again, with other content.
        for _ in 0..round * 3 {
            let mut again = dice.pick(&sent).clone();
            again.end = again.start.plus(dice.roll(90));
            again.name = ["GET /", "send"][dice.count(2)].to_owned();
            sent.push(again);
        }
        let last: BTreeMap<_, &Span> =
            sent.iter().map(|span| ((span.trace_id, span.span_id, span.kind.number(), span.start), span)).collect();
        let in_memory = [0, sent.len() / 3, sent.len()][dice.count(3)];
        let snapshot = stored(folder.path(), &sent, in_memory);
        for (query, check) in cases {
            let (from, length) = (1_000 + dice.roll(20), 1 + dice.roll(40));
            for range in [TimeRange::ALL, TimeRange { from: UnixNanos::new(from), to: UnixNanos::new(from + length) }] {
                let matching = last.values().filter(|span| (range == TimeRange::ALL || range.contains(span.start)) && check(span));
                let expected = sorted(matching.map(|span| (*span).clone()).collect());
                let limit = dice.count(12) + 1;
                assert_eq!(all_pages(&snapshot, query, range, limit), expected, "{query} {range:?} by {limit}");
                assert_eq!(all_pages(&snapshot, query, range, 1_000), expected, "{query} {range:?}");
            }
        }
    }
}

#[test]
fn an_early_stop_leaves_the_answer_and_every_row_is_accounted_for() {
    let folder = tempfile::tempdir().unwrap();
    let part = |n: u64| (1..=50).map(|i| fixtures::span(i % 7, n * 50 + i, 0, "api", "x", 1_000 * n + i, i)).collect::<Vec<_>>();
    let segments = (1..=4).map(|n| vec![fixtures::spans(&part(n))]).collect();
    let snapshot = fixtures::snapshot(folder.path(), Signal::Traces, vec![fixtures::spans(&part(5))], segments);
    let ask = |query: &str, limit, range| SpanSearch { query: query.to_owned(), range, limit, cursor: None };
    let find = |search: &SpanSearch| super::search(&snapshot, search, &control()).unwrap();
    let whole = find(&ask("", 1_000, TimeRange::ALL));
    assert_eq!((whole.spans.len(), whole.next, whole.stats.rows_skipped), (250, None, 0));
    for limit in [1, 49, 50, 60, 120, 249] {
        let page = find(&ask("", limit, TimeRange::ALL));
        assert_eq!(page.spans, whole.spans[..limit], "{limit}");
        let stats = page.stats;
        // Of those that were found, whole rows are read without counting them again.
        assert_eq!(stats.rows_scanned + stats.rows_pruned + stats.rows_skipped, 250, "{limit} {stats:?}");
        assert_eq!(stats.rows_skipped > 0, limit < 200, "{limit} {stats:?}");
    }
    let later = TimeRange { from: UnixNanos::new(3_000), to: UnixNanos::new(5_000) };
    let page = find(&ask("duration>40ns", 7, later));
    let expected: Vec<&Span> = whole.spans.iter().filter(|span| later.contains(span.start) && span.duration() > 40).take(7).collect();
    assert_eq!(page.spans.iter().collect::<Vec<_>>(), expected);
    assert_eq!(page.stats.rows_pruned, 150, "{:?}", page.stats);
    assert_eq!(page.stats.segments_pruned, 2);
}

#[test]
fn the_last_version_counts_for_what_matches() {
    let first = fixtures::span(1, 1, 0, "api", "before", 1_000, 5);
    let last = Span { name: "after".to_owned(), ..first.clone() };
    // The other side of the call, by the same id and of the same moment.
    let other_side = Span { kind: SpanKind::Client, ..last.clone() };
    let folder = tempfile::tempdir().unwrap();
    let snapshot = stored(folder.path(), &[other_side.clone(), first, last.clone()], 1);
    assert_eq!(all_pages(&snapshot, "name=after", TimeRange::ALL, 1), [last, other_side]);
    assert!(all_pages(&snapshot, "name=before", TimeRange::ALL, 10).is_empty());
}

#[test]
fn what_makes_no_sense_is_refused_and_what_is_absent_named() {
    let snapshot = Snapshot::default();
    let ask = |query: &str, limit| SpanSearch { query: query.to_owned(), range: TimeRange::ALL, limit, cursor: None };
    let find = |asked: &SpanSearch| search(&snapshot, asked, &control());
    for limit in [0, 1_001] {
        assert!(matches!(find(&ask("", limit)), Err(QueryError::Invalid(_))));
    }
    for whole in ["trace:(service:a) trace:(service:b)", "trace.duration>1s", "(service:a) > (service:b)"] {
        let error = find(&ask(whole, 1)).unwrap_err();
        assert!(matches!(&error, QueryError::Parse(error) if error.message.contains("whole traces")), "{whole}: {error}");
    }
    let notes = find(&ask("attr.absent=1", 1)).unwrap().stats.notes;
    assert!(notes.iter().any(|note| note.contains("attr.absent")), "{notes:?}");
}

#[test]
fn a_page_goes_on_for_its_own_question_alone() {
    let snapshot = Snapshot::default();
    let asked = SpanSearch { query: "a".to_owned(), range: TimeRange::ALL, limit: 1, cursor: None };
    let (trace, id) = (fixtures::trace_id(3), fixtures::span_id(7));
    let cursor = asked.behind(UnixNanos::new(9), (trace, (id, -1)));
    let text = cursor.to_string();
    assert_eq!(text.parse::<Cursor>().unwrap(), cursor);
    let with = |query: &str| SpanSearch { query: query.to_owned(), cursor: Some(cursor), ..asked.clone() };
    assert_eq!(with("a").after().unwrap(), Some((UnixNanos::new(9), (trace, (id, -1)))));
    let refused = |error: QueryError| matches!(error, QueryError::Invalid(message) if message.contains("another question"));
    assert!(refused(search(&snapshot, &with("b"), &control()).unwrap_err()));
    let other_kind: Cursor = text.replace("ffffffff", "00000001").parse().unwrap();
    assert!(refused(search(&snapshot, &SpanSearch { cursor: Some(other_kind), ..asked.clone() }, &control()).unwrap_err()));
    let without_span = text.replace("0000000000000007", "0000000000000000");
    for wrong in [&text[1..], without_span.as_str(), "é"] {
        assert!(wrong.parse::<Cursor>().is_err(), "{wrong}");
    }
    let query = "a".to_owned();
    let traces = TraceSearch { query: query.clone(), range: TimeRange::ALL, order: TraceOrder::Newest, limit: 1, cursor: Some(cursor) };
    assert!(refused(search_traces(&snapshot, &traces, &control()).unwrap_err()));
    let logs = LogSearch { query, range: TimeRange::ALL, order: LogOrder::Newest, limit: 1, cursor: Some(cursor) };
    assert!(refused(search_logs(&snapshot, &logs, &control()).unwrap_err()));
}
