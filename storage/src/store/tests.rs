use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array as _, AsArray as _};
use arrow::datatypes::Int64Type;
use bytes::Bytes;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use parking_lot::Mutex;
use prost::Message as _;

use crate::check::check;
use crate::model::TimeRange;
use crate::query::Survey;
use crate::schema::column;

use super::*;
use crate::error::AppendError;
use crate::retention::Retention;

mod backlog;
mod backup;
mod damage;
mod deletes;
mod empties;
mod faults;
mod keeping;
mod log;
mod merging;
mod repair;
mod repeating;
mod unopened;
mod versions;

const NOW: UnixNanos = UnixNanos::new(1_700_000_000_000_000_000);

fn spans(first: u64, count: u64) -> Bytes {
    let span = |number: u64| Span {
        trace_id: u128::from(number / 4 + 1).to_be_bytes().to_vec(),
        span_id: (number + 1).to_be_bytes().to_vec(),
        name: format!("operation {number}"),
        start_time_unix_nano: NOW.get() + number,
        end_time_unix_nano: NOW.get() + number + 5,
        ..Span::default()
    };
    let scope = ScopeSpans { spans: (first..first + count).map(span).collect(), ..ScopeSpans::default() };
    let resource = ResourceSpans { scope_spans: vec![scope], ..ResourceSpans::default() };
    ExportTraceServiceRequest { resource_spans: vec![resource] }.encode_to_vec().into()
}

fn logs(first: u64, count: u64) -> Bytes {
    let log = |number: u64| LogRecord {
        time_unix_nano: NOW.get() + number,
        body: Some(AnyValue { value: Some(any_value::Value::StringValue(format!("log line {number}"))) }),
        ..LogRecord::default()
    };
    let scope = ScopeLogs { log_records: (first..first + count).map(log).collect(), ..ScopeLogs::default() };
    let resource = ResourceLogs { scope_logs: vec![scope], ..ResourceLogs::default() };
    ExportLogsServiceRequest { resource_logs: vec![resource] }.encode_to_vec().into()
}

fn config(dir: &Path) -> Config {
    Config { min_free_bytes: 0, buffer_bytes: 1 << 20, ..Config::new(dir.to_owned()) }
}

async fn open_with(config: Config) -> Result<Store, OpenError> {
    Store::open(config, Clock::held_at(NOW), Registry::default()).await
}

async fn open(dir: &Path) -> Store {
    open_with(config(dir)).await.unwrap()
}

async fn append(store: &Store, signal: Signal, payload: Bytes) -> u64 {
    store.append(signal, payload).await.unwrap().accepted
}

/// How often each item is there: spans by number, logs by number.
fn contents(store: &Store) -> [BTreeMap<u64, usize>; 2] {
    let snapshot = store.inner.snapshot.load_full();
    [Signal::Traces, Signal::Logs].map(|signal| {
        let table = snapshot.table(signal);
        let name = crate::schema::time_column(signal);
        let stored = table.segments.iter().flat_map(|segment| segment.read(&[name], None).unwrap().map(Result::unwrap));
        let mut counts = BTreeMap::new();
        for batch in stored.chain(table.buffered.clone()) {
            for time in batch.column_by_name(name).unwrap().as_primitive::<Int64Type>().values() {
                *counts.entry(time.cast_unsigned() - NOW.get()).or_default() += 1;
            }
        }
        counts
    })
}

fn once(numbers: std::ops::Range<u64>) -> BTreeMap<u64, usize> {
    numbers.map(|number| (number, 1)).collect()
}

/// A copy of the folder as a crash at this moment would leave it, or better: everything written counts as synced. Made again when the list
/// of segments changed meanwhile, or a file went: that would be no moment.
fn crash(from: &Path) -> tempfile::TempDir {
    fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
        fs::create_dir_all(to)?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            let target = to.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                copy(&entry.path(), &target)?;
            } else {
                fs::copy(entry.path(), target)?;
            }
        }
        Ok(())
    }
    let listed = || fs::read(from.join("manifest/log")).ok();
    for _ in 0..100 {
        let (to, before) = (tempfile::tempdir().unwrap(), listed());
        if copy(from, to.path()).is_ok() && listed() == before {
            return to;
        }
    }
    panic!("the folder never stays the same");
}

async fn five_flushes(store: &Store) {
    for round in 0..5 {
        append(store, Signal::Traces, spans(round * 10, 10)).await;
        append(store, Signal::Logs, logs(round * 10, 10)).await;
        store.flush().await.unwrap();
    }
}

async fn wait_until(store: &Store, what: impl Fn(&StoreStatus) -> bool) {
    let begun = std::time::Instant::now();
    while !what(&store.status()) {
        assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", store.status());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn merged(status: &StoreStatus) -> bool {
    status.signals.iter().all(|signal| signal.level0_segments == 0 && signal.level1_segments + signal.level2_segments > 0)
}

const AFTER_THE_BUCKET: UnixNanos = NOW.plus(1_200_000_000_000);

#[tokio::test(flavor = "multi_thread")]
async fn questions_about_one_moment_do_not_see_what_came_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    append(&store, Signal::Traces, spans(0, 8)).await;
    let moment = store.moment();
    append(&store, Signal::Traces, spans(8, 8)).await;
    let fields = ["status", "name"].map(|field| (field.to_owned(), 100)).to_vec();
    let asked = Survey { signal: Signal::Traces, query: String::new(), range: TimeRange::ALL, fields, columns: Some(1) };
    let counted = store.survey_at(&moment, asked).await.unwrap();
    let sums = counted.values.iter().map(|facets| facets.as_ref().unwrap().values.iter().map(|(_, count)| count).sum::<u64>());
    assert_eq!(sums.collect::<Vec<_>>(), [8, 8]);
    assert_eq!(counted.grid.unwrap().cells.iter().map(|cell| cell.count).sum::<u64>(), 8);
    assert_eq!(store.facets(Signal::Traces, "", TimeRange::ALL, "status", 100).await.unwrap().rows, 16);
    store.close().await.unwrap();
}

#[tokio::test]
async fn what_was_acknowledged_is_there_once_after_a_crash_and_after_a_close() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    assert!(store.is_empty());
    assert_eq!(append(&store, Signal::Traces, spans(0, 10)).await, 10);
    assert_eq!(append(&store, Signal::Logs, logs(0, 7)).await, 7);
    assert_eq!(contents(&store), [once(0..10), once(0..7)]);
    let copy = crash(dir.path());
    let crashed = open(copy.path()).await;
    assert_eq!(contents(&crashed), [once(0..10), once(0..7)]);
    crashed.close().await.unwrap();

    store.close().await.unwrap();
    assert!(matches!(store.append(Signal::Logs, logs(50, 1)).await, Err(AppendError::Unavailable { .. })));
    assert_eq!(contents(&store), [once(0..10), once(0..7)], "what is stored can still be read");
    let reopened = open(dir.path()).await;
    assert_eq!(contents(&reopened), [once(0..10), once(0..7)]);
    let status = reopened.status();
    assert_eq!((status.signals[0].segment_rows, status.signals[1].segment_rows), (10, 7));
    assert_eq!((status.signals[0].buffered_rows, &status.write_refusal), (0, &None));
    assert_eq!(status.signals[1].time, Some((NOW, NOW.plus(6))));
}

#[tokio::test]
async fn a_crash_between_any_two_steps_of_a_flush_loses_and_doubles_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    append(&store, Signal::Logs, logs(0, 5)).await;
    store.flush().await.unwrap();
    append(&store, Signal::Traces, spans(0, 20)).await;
    append(&store, Signal::Logs, logs(5, 20)).await;
    let copies = Arc::new(Mutex::new(Vec::new()));
    let (seen, root) = (copies.clone(), dir.path().to_owned());
    store.inner.keeper.watch_steps(move |step| seen.lock().push((step, crash(&root))));
    store.flush().await.unwrap();
    let copies = std::mem::take(&mut *copies.lock());
    assert_eq!(copies.iter().map(|(step, _)| *step).collect::<Vec<_>>(), ["segments renamed", "edit synced", "snapshot swapped"]);
    for (step, copy) in &copies {
        let crashed = open(copy.path()).await;
        assert_eq!(contents(&crashed), [once(0..20), once(0..25)], "crash after: {step}");
        assert_eq!(append(&crashed, Signal::Logs, logs(25, 1)).await, 1);
        crashed.close().await.unwrap();
        let files = fs::read_dir(copy.path().join("seg/logs")).unwrap().count();
        let listed = crashed.inner.keeper.listed().len();
        assert!(files <= 2 * listed, "left-over files are gone after: {step}");
        assert!(check(copy.path(), &mut |_| ()).unwrap().is_ok());
    }
    assert_eq!(contents(&store), [once(0..20), once(0..25)]);
}

#[tokio::test]
async fn a_flush_lets_the_log_forget_and_later_rows_stay() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    for round in 0..5 {
        append(&store, Signal::Logs, logs(round * 10, 10)).await;
        store.flush().await.unwrap();
    }
    append(&store, Signal::Logs, logs(50, 10)).await;
    assert_eq!(contents(&store)[1], once(0..60));
    assert_eq!(store.status().signals[1].level0_segments, 5);
    let crashed = open(crash(dir.path()).path()).await;
    assert_eq!(contents(&crashed)[1], once(0..60));
    // What was read back is flushed soon after, maybe already.
    assert!([50, 60].contains(&crashed.status().signals[1].segment_rows));
}

#[tokio::test]
async fn a_log_larger_than_the_buffer_is_replayed_in_parts() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_with(Config { buffer_bytes: 1 << 30, ..config(dir.path()) }).await.unwrap();
    for round in 0..20 {
        append(&store, Signal::Logs, logs(round * 500, 500)).await;
    }
    let copy = crash(dir.path());
    let crashed = open(copy.path()).await;
    assert_eq!(contents(&crashed)[1], once(0..10_000));
    assert!(crashed.status().signals[1].level0_segments > 1);
}

#[tokio::test]
async fn a_request_sent_again_is_answered_again_and_stored_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let same = || store.append(Signal::Logs, logs(0, 3));
    let (a, b, c) = tokio::join!(same(), same(), same());
    let first = a.unwrap();
    let again = Appended { repeated: true, ..first.clone() };
    assert_eq!((first.accepted, first.repeated, b.unwrap(), c.unwrap()), (3, false, again.clone(), again.clone()));
    assert_eq!(same().await.unwrap(), again);
    let crashed = open(crash(dir.path()).path()).await;
    assert_eq!(crashed.append(Signal::Logs, logs(0, 3)).await.unwrap(), again, "the log remembers it over a crash");
    assert_eq!(contents(&crashed)[1], once(0..3));
    store.flush().await.unwrap();
    let crashed = open(crash(dir.path()).path()).await;
    assert_eq!(crashed.append(Signal::Logs, logs(0, 3)).await.unwrap(), again, "also when segments hold it");
    assert_eq!(contents(&crashed)[1], once(0..3));
    store.inner.clock.set(NOW.plus(301_000_000_000));
    assert_eq!(append(&store, Signal::Logs, logs(0, 3)).await, 3);
    assert_eq!(contents(&store)[1].values().copied().collect::<Vec<_>>(), [2, 2, 2], "after five minutes it is another request");
}

#[tokio::test]
async fn many_senders_at_once_lose_nothing_and_record_ids_are_unique() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let senders = (0..40u64).map(|sender| {
        let store = store.clone();
        tokio::spawn(async move {
            for round in 0..10 {
                append(&store, Signal::Logs, logs((sender * 10 + round) * 20, 20)).await;
            }
        })
    });
    for sender in senders.collect::<Vec<_>>() {
        sender.await.unwrap();
    }
    store.close().await.unwrap();
    let store = open(dir.path()).await;
    append(&store, Signal::Logs, logs(8000, 20)).await;
    assert_eq!(contents(&store)[1], once(0..8020));
    let snapshot = store.inner.snapshot.load_full();
    let stored = snapshot.logs.segments.iter().flat_map(|s| s.read(&[column::RECORD_ID], None).unwrap().map(Result::unwrap));
    let ids: Vec<i64> = stored
        .chain(snapshot.logs.buffered.clone())
        .flat_map(|batch| batch.column_by_name(column::RECORD_ID).unwrap().as_primitive::<Int64Type>().values().to_vec())
        .collect();
    assert_eq!(ids.iter().collect::<std::collections::HashSet<_>>().len(), ids.len());
    assert!(snapshot.logs.buffered.iter().all(|batch| batch.column(0).null_count() == 0));
}

#[tokio::test]
async fn malformed_requests_are_refused_and_leave_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let error = store.append(Signal::Traces, Bytes::from_static(b"\x0a\xff")).await.unwrap_err();
    assert!(matches!(error, AppendError::Malformed(_)), "{error}");
    assert_eq!(store.append(Signal::Traces, Bytes::new()).await.unwrap(), Appended::default());
    assert!(store.is_empty());
    assert!(open(crash(dir.path()).path()).await.is_empty());
}

#[tokio::test]
async fn a_full_disk_refuses_writes_and_keeps_reads() {
    let dir = tempfile::tempdir().unwrap();
    append(&open(dir.path()).await, Signal::Logs, logs(0, 3)).await;
    let copy = crash(dir.path());
    let store = open_with(Config { min_free_bytes: u64::MAX, ..config(copy.path()) }).await.unwrap();
    let error = store.append(Signal::Logs, logs(3, 1)).await.unwrap_err();
    assert!(matches!(&error, AppendError::Unavailable { .. }) && error.to_string().contains("MiB left"), "{error}");
    assert!(store.status().write_refusal.is_some());
    assert_eq!(contents(&store)[1], once(0..3));
}

#[tokio::test]
async fn what_a_flush_may_need_is_kept_free_whatever_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_with(Config { min_free_bytes: 0, buffer_bytes: 1 << 50, ..config(dir.path()) }).await.unwrap();
    let error = store.append(Signal::Logs, logs(0, 1)).await.unwrap_err();
    assert!(error.to_string().contains("1073741825 MiB are kept free"), "{error}");
}

#[tokio::test]
async fn a_sender_that_hangs_up_leaves_its_request_whole_or_absent() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    for number in 0..50 {
        let request = store.append(Signal::Logs, logs(number, 1));
        drop(tokio::time::timeout(Duration::from_micros(number * 20), request).await);
    }
    for number in 0..50 {
        append(&store, Signal::Logs, logs(number, 1)).await;
    }
    assert_eq!(contents(&store)[1], once(0..50), "sent again, each is there once");
    store.close().await.unwrap();
    assert_eq!(contents(&open(dir.path()).await)[1], once(0..50));
}

#[tokio::test]
async fn a_flush_that_fails_keeps_rows_refuses_when_memory_is_full_and_heals() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_with(Config { max_buffer_bytes: 30_000, ..config(dir.path()) }).await.unwrap();
    append(&store, Signal::Logs, logs(0, 30)).await;
    let folder = dir.path().join("seg/logs");
    fs::remove_dir(&folder).unwrap();
    fs::write(&folder, "in the way").unwrap();
    assert!(store.flush().await.is_err());
    assert!(store.status().background_error.is_some());
    assert_eq!(store.status().write_refusal, None, "there is room yet");
    let error = store.append(Signal::Logs, logs(30, 30)).await.unwrap_err();
    assert!(matches!(&error, AppendError::Unavailable { .. }) && error.to_string().contains("memory is full"), "{error}");
    assert!(store.status().write_refusal.is_some_and(|why| why.contains("writing memory to segments failed")));
    assert_eq!(contents(&store)[1], once(0..30));
    fs::remove_file(&folder).unwrap();
    fs::create_dir(&folder).unwrap();
    store.flush().await.unwrap();
    assert_eq!((store.status().background_error, store.status().write_refusal), (None, None));
    append(&store, Signal::Logs, logs(30, 30)).await;
    assert_eq!(contents(&store)[1], once(0..60));
}

#[tokio::test]
async fn rows_older_than_the_retention_go_with_their_files() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::held_at(NOW);
    let config = Config { retention: Retention { logs: Some(Duration::from_secs(60)), ..Retention::default() }, ..config(dir.path()) };
    let store = Store::open(config, clock.clone(), Registry::default()).await.unwrap();
    append(&store, Signal::Logs, logs(0, 3)).await;
    store.flush().await.unwrap();
    clock.set(NOW.plus(61_000_000_000));
    let begun = std::time::Instant::now();
    let files = || fs::read_dir(dir.path().join("seg/logs")).unwrap().count();
    while !(store.is_empty() && files() == 0) {
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", store.status());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    store.close().await.unwrap();
    assert!(open(dir.path()).await.is_empty());
}
