//! Retention by age and rule, and the byte budget.

use super::*;
use crate::retention::{KeepRule, Retention};

const SECOND: u64 = 1_000_000_000;

async fn wait_for(what: &str, mut reached: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !reached() {
        assert!(begun.elapsed() < Duration::from_secs(30), "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn rule(signal: Signal, query: &str, seconds: u64) -> KeepRule {
    KeepRule { signal, query: query.to_owned(), keep: Some(Duration::from_secs(seconds)) }
}

/// Bytes that the files under a folder take on the disk.
fn disk_usage(dir: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    let Ok(entries) = fs::read_dir(dir) else { return 0 };
    let entries: Vec<_> = entries.filter_map(Result::ok).collect();
    entries
        .iter()
        // A file may go while it is looked at.
        .filter_map(|entry| entry.metadata().ok().map(|meta| (entry.path(), meta)))
        .map(|(path, meta)| if meta.is_dir() { disk_usage(&path) } else { (meta.blocks() * 512).max(meta.len()) })
        .sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_keep_whole_traces_and_single_records_longer_and_the_rest_is_gone_from_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::held_at(NOW);
    let retention = Retention {
        traces: Some(Duration::from_secs(60)),
        logs: Some(Duration::from_secs(120)),
        rules: vec![rule(Signal::Traces, "name=\"operation 5\"", 600), rule(Signal::Logs, "\"log line 3\"", 900)],
    };
    assert!(retention.mistakes().is_empty());
    let config = Config { retention, ..config(dir.path()) };
    let store = Store::open(config.clone(), clock.clone(), Registry::default()).await.unwrap();
    append(&store, Signal::Traces, spans(0, 20)).await;
    append(&store, Signal::Logs, logs(0, 10)).await;
    store.flush().await.unwrap();
    clock.set(NOW.plus(61 * SECOND));
    // Number 5 is of trace 2, whose other spans stay with it.
    wait_for("spans by rule", || contents(&store) == [once(4..8), once(0..10)]).await;
    clock.set(NOW.plus(121 * SECOND));
    wait_for("logs by rule", || contents(&store) == [once(4..8), once(3..4)]).await;
    store.close().await.unwrap();

    let store = Store::open(config, clock.clone(), Registry::default()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(contents(&store), [once(4..8), once(3..4)], "what is kept by rule outlives a restart");
    clock.set(NOW.plus(601 * SECOND));
    let files = |signal: &str| fs::read_dir(dir.path().join("seg").join(signal)).unwrap().count();
    wait_for("the rule's own age", || contents(&store) == [BTreeMap::new(), once(3..4)] && files("traces") == 0).await;
    clock.set(NOW.plus(901 * SECOND));
    wait_for("the last row", || store.is_empty() && files("logs") == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_stays_whole_when_its_parts_begin_within_an_hour() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::held_at(NOW);
    let rules = vec![rule(Signal::Traces, "name=\"late failure\"", 86_400)];
    let retention = Retention { traces: Some(Duration::from_secs(7_200)), logs: None, rules };
    let store = Store::open(Config { retention, ..config(dir.path()) }, clock.clone(), Registry::default()).await.unwrap();
    for (trace, minutes, name) in [(1_u64, 0, "begin"), (2, 0, "begin"), (1, 25, "late failure")] {
        let span = Span {
            trace_id: u128::from(trace).to_be_bytes().to_vec(),
            span_id: (trace + minutes).to_be_bytes().to_vec(),
            name: name.to_owned(),
            start_time_unix_nano: NOW.get() + minutes * 60 * SECOND,
            end_time_unix_nano: NOW.get() + minutes * 60 * SECOND + 5,
            ..Span::default()
        };
        let scope = ScopeSpans { spans: vec![span], ..ScopeSpans::default() };
        let resource = ResourceSpans { scope_spans: vec![scope], ..ResourceSpans::default() };
        append(&store, Signal::Traces, ExportTraceServiceRequest { resource_spans: vec![resource] }.encode_to_vec().into()).await;
        store.flush().await.unwrap();
    }
    clock.set(NOW.plus(10_000 * SECOND));
    wait_for("the other trace to go", || contents(&store)[0].values().sum::<usize>() == 2).await;
    let trace = store.trace(crate::model::TraceId::from_slice(&1_u128.to_be_bytes()).unwrap()).await.unwrap().unwrap();
    assert_eq!(trace.spans.len(), 2);
    store.close().await.unwrap();
}

/// Records at these hours, as one request. They are errors in even hours.
fn hourly(hours: impl IntoIterator<Item = u64>) -> Bytes {
    let log = |hour: u64| LogRecord {
        time_unix_nano: NOW.get() + hour * 3_600 * SECOND,
        severity_number: if hour.is_multiple_of(2) { 17 } else { 9 },
        ..LogRecord::default()
    };
    let scope = ScopeLogs { log_records: hours.into_iter().map(log).collect(), ..ScopeLogs::default() };
    let resource = ResourceLogs { scope_logs: vec![scope], ..ResourceLogs::default() };
    ExportLogsServiceRequest { resource_logs: vec![resource] }.encode_to_vec().into()
}

fn hours_of_logs(store: &Store) -> Vec<u64> {
    contents(store)[1].keys().map(|nanos| nanos / (3_600 * SECOND)).collect()
}

async fn become_hours(store: &Store, hours: &[u64]) {
    let begun = std::time::Instant::now();
    while hours_of_logs(store) != hours && begun.elapsed() < Duration::from_secs(30) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(hours_of_logs(store), hours, "{:?}", store.status());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_past_its_age_for_an_hour_goes_from_among_what_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::held_at(NOW);
    let at = |minutes: u64| NOW.plus(minutes * 60 * SECOND);
    let mut config = config(dir.path());
    config.retention = Retention { logs: Some(Duration::from_secs(10 * 3_600)), ..Retention::default() };
    let registry = Registry::default();
    let store = Store::open(config.clone(), clock.clone(), registry.clone()).await.unwrap();
    // One has a clock that is far ahead, which counts as a day.
    append(&store, Signal::Logs, hourly((0..10).chain([24 * 365]))).await;
    store.flush().await.unwrap();
    clock.set(at(10 * 60 + 50));
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    assert_eq!(hours_of_logs(&store).len(), 11, "the first is past its age, but not for long");
    clock.set(at(11 * 60 + 1));
    become_hours(&store, &[2, 3, 4, 5, 6, 7, 8, 9, 24]).await;
    assert_eq!(store.status().signals[1].segment_rows, 9);
    let gone = |why: &str| {
        let values = registry.values().into_iter();
        values
            .filter(|(name, labels, _)| *name == "throughline_rows_let_go_total" && labels.contains(why))
            .map(|(_, _, rows)| rows)
            .sum::<i64>()
    };
    assert_eq!((gone("age"), gone("duplicate")), (2, 0));
    store.close().await.unwrap();

    config.retention.rules = vec![rule(Signal::Logs, "severity>=error", 20 * 3_600)];
    let store = Store::open(config, clock.clone(), Registry::default()).await.unwrap();
    clock.set(at(15 * 60 + 1));
    become_hours(&store, &[2, 4, 6, 7, 8, 9, 24]).await;
    clock.set(at(24 * 60));
    become_hours(&store, &[4, 6, 8, 24]).await;
    let files = fs::read_dir(dir.path().join("seg/logs")).unwrap().count();
    assert_eq!(files, 2, "one segment with its index");
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_byte_budget_is_never_passed_and_the_oldest_rows_go_first() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config { max_buffer_bytes: 4 << 20, ..config(dir.path()) };
    let budget = config.smallest_disk();
    config.max_disk_bytes = Some(budget);
    let registry = Registry::default();
    let store = Store::open(config, Clock::held_at(NOW), registry.clone()).await.unwrap();
    let (mut most, mut number) = (0, 0);
    let gone = || {
        registry.values().iter().any(|(name, labels, n)| *name == "throughline_rows_let_go_total" && labels.contains("budget") && *n > 0)
    };
    // Each record has 640 bytes: long before these are five budgets something has to go, however long that takes.
    while !gone() && number * 640 < 5 * budget {
        // Under load there may be no room in memory for longer than a sender waits.
        while let Err(error) = store.append(Signal::Logs, incompressible(number, 200)).await {
            assert!(matches!(error, AppendError::Busy { .. }), "{error}");
        }
        number += 200;
        most = most.max(disk_usage(dir.path()));
    }
    assert!(gone(), "nothing was let go: {number} records, {most} of {budget} bytes");
    assert!(most <= budget, "{most} bytes of {budget}");
    let left = contents(&store)[1].clone();
    let first = *left.keys().next().unwrap();
    assert!(first > 0, "the oldest went");
    assert_eq!(left, once(first..number), "and nothing else");
    store.close().await.unwrap();
    assert!(disk_usage(dir.path()) <= budget);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_made_smaller_lets_the_oldest_rows_go_before_anything_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config { max_buffer_bytes: 4 << 20, ..config(dir.path()) };
    let budget = config.smallest_disk();
    let mut number = 0;
    // What the log takes goes when the store is closed; how much that is is up to how fast segments were written.
    while disk_usage(dir.path()) <= budget {
        let store = Store::open(config.clone(), Clock::held_at(NOW), Registry::default()).await.unwrap();
        loop {
            while store.append(Signal::Logs, incompressible(number, 200)).await.is_err() {}
            number += 200;
            if disk_usage(dir.path()) > budget + budget / 4 {
                break;
            }
        }
        store.close().await.unwrap();
    }

    config.max_disk_bytes = Some(budget);
    let store = Store::open(config, Clock::held_at(NOW), Registry::default()).await.unwrap();
    let mut said = String::new();
    for _ in 0..600 {
        match store.append(Signal::Logs, incompressible(number, 1)).await {
            Ok(_) => break,
            Err(error) => said = error.to_string(),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let left = contents(&store)[1].clone();
    let first = *left.keys().next().unwrap();
    assert!(first > 0, "nothing went: {said}");
    assert_eq!(left, once(first..number + 1), "the oldest went, and nothing else");
    store.close().await.unwrap();
    assert!(disk_usage(dir.path()) <= budget);
}

/// Log records with bodies that no compression makes small.
fn incompressible(first: u64, count: u64) -> Bytes {
    let body = |number: u64| {
        let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut text = String::new();
        for _ in 0..40 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            text.push_str(&format!("{state:016x}"));
        }
        text
    };
    let log = |number: u64| LogRecord {
        time_unix_nano: NOW.get() + number,
        body: Some(AnyValue { value: Some(any_value::Value::StringValue(body(number))) }),
        ..LogRecord::default()
    };
    let scope = ScopeLogs { log_records: (first..first + count).map(log).collect(), ..ScopeLogs::default() };
    let resource = ResourceLogs { scope_logs: vec![scope], ..ResourceLogs::default() };
    ExportLogsServiceRequest { resource_logs: vec![resource] }.encode_to_vec().into()
}

/// A store with three segments of log records, of which one is past every age, one is past that of all its records, and a rule keeps one
/// record of the newest.
async fn of_three_ages(dir: &Path, clock: &Clock) -> Store {
    let rules = vec![rule(Signal::Logs, "\"log line 300000000003\"", 600)];
    let retention = Retention { traces: None, logs: Some(Duration::from_secs(60)), rules };
    let store = Store::open(Config { retention, ..config(dir) }, clock.clone(), Registry::default()).await.unwrap();
    for seconds in [0, 200, 300] {
        append(&store, Signal::Logs, logs(seconds * SECOND, 10)).await;
        store.flush().await.unwrap();
    }
    store
}

const AFTER_THREE_AGES: UnixNanos = NOW.plus(700 * SECOND);

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_written_anew_keeps_nothing_else_from_going() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), Clock::held_at(NOW));
    let store = of_three_ages(dir.path(), &clock).await;
    let folder = dir.path().join("tmp");
    fs::remove_dir_all(&folder).unwrap();
    fs::write(&folder, "in the way").unwrap();
    clock.set(AFTER_THREE_AGES);
    wait_for("the failure to be told", || store.status().background_error.is_some()).await;
    wait_for("the other two", || contents(&store)[1] == once(300 * SECOND..300 * SECOND + 10)).await;
    fs::remove_file(&folder).unwrap();
    fs::create_dir(&folder).unwrap();
    clock.set(AFTER_THREE_AGES.plus(61 * SECOND));
    wait_for("the rest", || contents(&store)[1] == once(300 * SECOND + 3..300 * SECOND + 4)).await;
    wait_for("nothing to fail", || store.status().background_error.is_none()).await;
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_disk_has_no_room_to_write_anew_waits_and_the_rest_goes() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), Clock::held_at(NOW));
    let store = of_three_ages(dir.path(), &clock).await;
    store.inner.disk.pretend(100);
    clock.set(AFTER_THREE_AGES);
    wait_for("the other two", || contents(&store)[1] == once(300 * SECOND..300 * SECOND + 10)).await;
    assert_eq!(store.status().background_error, None, "it is expected to pass");
    store.inner.disk.pretend(1 << 40);
    clock.set(AFTER_THREE_AGES.plus(61 * SECOND));
    wait_for("the rest", || contents(&store)[1] == once(300 * SECOND + 3..300 * SECOND + 4)).await;
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_leave_the_log_in_time_though_few_come_and_stay_in_it_without_an_age() {
    let [dir, other_dir] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let clock = Clock::held_at(NOW);
    let retention = Retention { logs: Some(Duration::from_secs(3_600)), ..Retention::default() };
    let store = Store::open(Config { retention, ..config(dir.path()) }, clock.clone(), Registry::default()).await.unwrap();
    let other = Store::open(config(other_dir.path()), clock.clone(), Registry::default()).await.unwrap();
    let file_of = |store: &Store| store.inner.wal.file_with_frames();
    for store in [&store, &other] {
        append(store, Signal::Logs, logs(0, 10)).await;
    }
    assert_eq!([file_of(&store), file_of(&other)], [Some(1), Some(1)]);
    // Long enough for the store to see that there is something in the file, far too short for a flush.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    clock.set(NOW.plus(220 * SECOND));
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!((file_of(&store), store.inner.wal.oldest_seq()), (Some(1), Some(1)), "it is not time yet");
    clock.set(NOW.plus(226 * SECOND));
    // One request is in segments, and the file that comes next is empty.
    wait_for("the log to let it go", || (file_of(&store), store.inner.wal.oldest_seq()) == (None, Some(2))).await;
    wait_for("the file to be gone", || fs::read_dir(dir.path().join("wal")).unwrap().count() == 1).await;
    assert_eq!(store.status().signals[1].segment_rows, 10);
    assert_eq!(contents(&store)[1], once(0..10));
    clock.set(NOW.plus(3_000 * SECOND));
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    assert_eq!(store.inner.wal.oldest_seq(), Some(2), "nothing came");
    assert_eq!((file_of(&other), other.inner.wal.oldest_seq()), (Some(1), Some(1)), "it has no age");
    store.close().await.unwrap();
    other.close().await.unwrap();
    assert!(check(dir.path(), &mut |_| ()).unwrap().is_ok());
}
