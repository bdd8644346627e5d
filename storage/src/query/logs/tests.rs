use std::time::Duration;

use super::super::fixtures::{self, Dice};
use super::*;
use crate::attributes::Layout;

const WORDS: [&str; 6] = ["timeout", "connection", "refused", "user", "cart", "ERROR"];

fn control() -> Control {
    Control::new(Duration::from_secs(60))
}

fn random_logs(dice: &mut Dice, count: u64) -> Vec<LogRecord> {
    (1..=count)
        .map(|id| {
            let body = format!("{} {} {id}", dice.pick(&WORDS), dice.pick(&WORDS));
            let mut record = fixtures::log(id, ["api", "cart"][dice.count(2)], &body, 1_000 + dice.roll(count / 3) * 7);
            record.severity_number = i32::try_from(dice.roll(24)).unwrap();
            record.trace_id = (dice.roll(3) == 0).then(|| fixtures::trace_id(dice.roll(5)));
            record
        })
        .collect()
}

fn stored(folder: &std::path::Path, records: &[LogRecord]) -> Snapshot {
    let (old, new) = records.split_at(records.len() / 2);
    let segments = old.chunks(old.len() / 2 + 1).map(|chunk| vec![fixtures::logs(chunk)]).collect();
    fixtures::snapshot(folder, Signal::Logs, new.chunks(13).map(fixtures::logs).collect(), segments)
}

#[test]
fn pages_of_a_search_join_to_what_looking_at_every_record_finds() {
    type Check = fn(&LogRecord) -> bool;
    let body = |record: &LogRecord| record.body.as_str().unwrap().to_owned();
    let cases: [(&str, Check); 6] = [
        ("", |_| true),
        ("timeout", |r| r.body.as_str().unwrap().contains("timeout")),
        ("\"user cart\" -service:api", |r| r.body.as_str().unwrap().contains("user cart") && r.service_name() == "cart"),
        ("severity>=warn service:api", |r| r.severity_number >= 13 && r.service_name() == "api"),
        ("error OR refused", |r| r.body.as_str().unwrap().contains("ERROR") || r.body.as_str().unwrap().contains("refused")),
        ("has:trace NOT severity:unknown", |r| r.trace_id.is_some() && r.severity_number > 0),
    ];
    let mut dice = Dice(3);
    for round in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let records = random_logs(&mut dice, 40 + round * 20);
        let snapshot = stored(folder.path(), &records);
        for (text, check) in cases {
            for order in [LogOrder::Newest, LogOrder::Oldest] {
                let range = TimeRange { from: UnixNanos::new(1_000 + dice.roll(100)), to: UnixNanos::new(1_100 + dice.roll(3_000)) };
                let mut query = LogSearch { query: text.to_owned(), range, order, limit: dice.count(12) + 1, cursor: None };
                let mut found = Vec::new();
                loop {
                    let page = search(&snapshot, &query, &control()).unwrap();
                    assert!(page.stats.complete);
                    found.extend(page.records.iter().map(|r| (r.time, r.record_id, body(r))));
                    query.cursor = page.next;
                    if query.cursor.is_none() {
                        break;
                    }
                }
                let mut expected: Vec<_> =
                    records.iter().filter(|r| range.contains(r.time) && check(r)).map(|r| (r.time, r.record_id, body(r))).collect();
                expected.sort_by_key(|(time, id, _)| (if order == LogOrder::Newest { u64::MAX - time.get() } else { time.get() }, *id));
                assert_eq!(found, expected, "{text} {range:?} {order:?}");
            }
            let counted = histogram(
                &snapshot,
                Signal::Logs,
                text,
                TimeRange { from: UnixNanos::new(1_000), to: UnixNanos::new(5_000) },
                7,
                &Rolls::default(),
                &control(),
            );
            let counted = counted.unwrap().buckets.iter().map(|bucket| bucket.counts.iter().sum::<u64>()).sum::<u64>();
            assert_eq!(counted, records.iter().filter(|r| (1_000..5_000).contains(&r.time.get()) && check(r)).count() as u64, "{text}");
        }
    }
}

#[test]
fn records_are_found_by_number_and_by_trace() {
    let folder = tempfile::tempdir().unwrap();
    let records = random_logs(&mut Dice(5), 200);
    let snapshot = stored(folder.path(), &records);
    for record in records.iter().step_by(17) {
        assert_eq!(by_number(&snapshot, record.record_id, &control()).unwrap().as_ref(), Some(record));
    }
    assert_eq!(by_number(&snapshot, 0, &control()).unwrap(), None);
    let id = fixtures::trace_id(2);
    let page = of_trace(&snapshot, id, 1_000, &control()).unwrap();
    let mut expected: Vec<_> = records.iter().filter(|r| r.trace_id == Some(id)).map(|r| (r.time, r.record_id)).collect();
    expected.sort_unstable();
    assert_eq!(page.records.iter().map(|r| (r.time, r.record_id)).collect::<Vec<_>>(), expected);
    assert!(page.stats.complete);
    let cut = of_trace(&snapshot, id, 3, &control()).unwrap();
    assert_eq!(cut.records.len(), 3);
    assert!(!cut.stats.complete);
    let rest = LogSearch { query: format!("trace:{id}"), range: TimeRange::ALL, order: LogOrder::Oldest, limit: 1_000, cursor: cut.next };
    let rest = search(&snapshot, &rest, &control()).unwrap().records;
    assert_eq!(cut.records.iter().chain(&rest).map(|r| (r.time, r.record_id)).collect::<Vec<_>>(), expected);
}

#[test]
fn a_context_is_what_lies_around_the_record_in_the_same_origin() {
    let mut dice = Dice(17);
    for round in 0..10 {
        let folder = tempfile::tempdir().unwrap();
        let mut records = random_logs(&mut dice, 60 + round * 20);
        let other = std::sync::Arc::new(crate::model::Resource {
            attributes: vec![fixtures::text("service.name", "api"), fixtures::text("host.id", "2")],
            ..crate::model::Resource::default()
        });
        for record in records.iter_mut().filter(|record| record.record_id % 3 == 0) {
            record.resource = other.clone();
        }
        let snapshot = stored(folder.path(), &records);
        let mut sorted: Vec<_> = records.iter().collect();
        sorted.sort_by_key(|record| (record.time, record.record_id));
        for _ in 0..20 {
            let record = *dice.pick(&sorted);
            let origin = *dice.pick(&[SameOrigin::Service, SameOrigin::Instance]);
            let asked = LogContextSearch { record_id: record.record_id, before: dice.count(9), after: dice.count(9), origin };
            let found = context(&snapshot, asked, &control()).unwrap().unwrap();
            let same: Vec<_> = sorted
                .iter()
                .filter(|other| match origin {
                    SameOrigin::Service => other.service_name() == record.service_name(),
                    SameOrigin::Instance => other.resource == record.resource,
                })
                .map(|other| other.record_id)
                .collect();
            let at = same.iter().position(|id| *id == record.record_id).unwrap();
            let ids = |records: &[LogRecord]| records.iter().map(|record| record.record_id).collect::<Vec<_>>();
            assert_eq!(ids(&found.before), same[at.saturating_sub(asked.before)..at], "{asked:?}");
            assert_eq!(found.record, *record);
            assert_eq!(ids(&found.after), same[at + 1..(at + 1 + asked.after).min(same.len())], "{asked:?}");
            assert!(found.stats.complete);
        }
        let absent = LogContextSearch { record_id: 999_999, before: 1, after: 1, origin: SameOrigin::Service };
        assert!(context(&snapshot, absent, &control()).unwrap().is_none());
    }
}

#[test]
fn a_histogram_covers_its_range_and_splits_by_severity() {
    let folder = tempfile::tempdir().unwrap();
    let mut records = vec![fixtures::log(1, "a", "x", 100), fixtures::log(2, "a", "x", 109), fixtures::log(3, "a", "x", 129)];
    records[1].severity_number = 17;
    let snapshot = stored(folder.path(), &records);
    let found = histogram(
        &snapshot,
        Signal::Logs,
        "",
        TimeRange { from: UnixNanos::new(100), to: UnixNanos::new(130) },
        3,
        &Rolls::default(),
        &control(),
    )
    .unwrap();
    assert_eq!(found.step, 10);
    assert_eq!(
        found.buckets.iter().map(|b| (b.start.get(), b.counts)).collect::<Vec<_>>(),
        [(100, [0, 0, 0, 1, 0, 1, 0]), (110, [0; 7]), (120, [0, 0, 0, 1, 0, 0, 0]),]
    );
    assert!(
        histogram(
            &snapshot,
            Signal::Logs,
            "",
            TimeRange { from: UnixNanos::new(5), to: UnixNanos::new(5) },
            3,
            &Rolls::default(),
            &control()
        )
        .is_err()
    );
    assert!(histogram(&snapshot, Signal::Logs, "", TimeRange::ALL, 501, &Rolls::default(), &control()).is_err());
    assert_eq!(histogram(&snapshot, Signal::Logs, "", TimeRange::ALL, 500, &Rolls::default(), &control()).unwrap().buckets.len(), 500);
}

#[test]
fn every_row_is_scanned_pruned_or_skipped() {
    let folder = tempfile::tempdir().unwrap();
    let part = |first: u64| (first..first + 50).map(|id| fixtures::log(id, "api", "x", 1_000 * first + id)).collect::<Vec<_>>();
    let segments = [1, 101, 201, 301].map(|first| vec![fixtures::logs(&part(first))]).into();
    let buffered = [401, 501].map(|first| fixtures::logs(&part(first))).into();
    let snapshot = fixtures::snapshot(folder.path(), Signal::Logs, buffered, segments);
    let range = TimeRange { from: UnixNanos::new(101_000), to: UnixNanos::new(500_000) };
    let ask = LogSearch { query: String::new(), range, order: LogOrder::Newest, limit: 60, cursor: None };
    for (order, scanned, skipped) in [(LogOrder::Newest, 100, 100), (LogOrder::Oldest, 100, 100)] {
        let stats = search(&snapshot, &LogSearch { order, ..ask.clone() }, &control()).unwrap().stats;
        assert_eq!((stats.rows_scanned, stats.rows_pruned, stats.rows_skipped), (scanned, 100, skipped), "{order:?}: {stats:?}");
    }
}

#[test]
fn words_are_found_page_by_page_in_many_segments_and_every_row_is_accounted_for() {
    type Check = fn(u64) -> bool;
    let folder = tempfile::tempdir().unwrap();
    let body = |i: u64| format!("{} order{i}", if i.is_multiple_of(50) { "scarce" } else { "common" });
    let part = |n: u64| (1..=200).map(|i| fixtures::log(n * 200 + i, "api", &body(i), 1_000 * n + i)).collect::<Vec<_>>();
    let segments = (0..10).map(|n| vec![fixtures::logs(&part(n))]).collect();
    let snapshot = fixtures::snapshot_in(|| Some(Layout::default()), folder.path(), Signal::Logs, Vec::new(), segments);
    assert!(snapshot.logs.segments.iter().all(|segment| segment.text_rows(&["scarce".to_owned()]).unwrap().is_some()));
    let cases: [(&str, Check); 6] = [
        ("scarce", |i| i.is_multiple_of(50)),
        ("order7", |i| i == 7),
        ("ord*", |_| true),
        ("\"scarce order50\"", |i| i == 50),
        ("absent", |_| false),
        ("scarce -order100", |i| i.is_multiple_of(50) && i != 100),
    ];
    for (text, check) in cases {
        for (order, limit) in [(LogOrder::Newest, 1), (LogOrder::Newest, 6), (LogOrder::Oldest, 3), (LogOrder::Oldest, 700)] {
            let mut query = LogSearch { query: text.to_owned(), range: TimeRange::ALL, order, limit, cursor: None };
            let mut expected: Vec<u64> = (0..10).flat_map(|n| (1..=200).filter(|i| check(*i)).map(move |i| n * 200 + i)).collect();
            if order == LogOrder::Newest {
                expected.reverse();
            }
            expected.truncate(40);
            let mut found = Vec::new();
            while found.len() < expected.len().max(1) {
                let page = search(&snapshot, &query, &control()).unwrap();
                let stats = &page.stats;
                assert_eq!(stats.rows_scanned + stats.rows_pruned + stats.rows_skipped, 2_000, "{text} {order:?} {stats:?}");
                assert!(text != "scarce" || query.cursor.is_some() || limit > 1 || stats.rows_skipped > 1_000, "{stats:?}");
                found.extend(page.records.iter().map(|record| record.record_id));
                query.cursor = page.next;
                if query.cursor.is_none() {
                    break;
                }
            }
            assert_eq!(found.get(..expected.len()), Some(&expected[..]), "{text} {order:?}");
        }
    }
}

#[test]
fn bodies_are_searched_as_they_are_shown_without_the_colours_of_a_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let body = |number: u64| match number % 3 {
        0 => format!("\u{1b}[31merror\u{1b}[39m: db down {number}"),
        1 => format!("error: db down {number}"),
        _ => "all is well".to_owned(),
    };
    let snapshot =
        stored(folder.path(), &(0..300).map(|number| fixtures::log(number, "shop", &body(number), 1_000 + number)).collect::<Vec<_>>());
    let found = |query: &str| {
        let search = LogSearch { query: query.to_owned(), range: TimeRange::ALL, order: LogOrder::Newest, limit: 1_000, cursor: None };
        super::search(&snapshot, &search, &control()).unwrap().records.len()
    };
    for query in ["error", "\"error: db\"", "err*", "body~\"^error: db down \\d+$\"", "\"\u{1b}[31merror\u{1b}[39m: db\""] {
        assert_eq!(found(query), 200, "{query}");
    }
    assert_eq!((found("31merror"), found("-error")), (0, 100));
}
