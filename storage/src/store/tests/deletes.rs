//! Deletes: gone from every answer at once, for good, and soon from the disk.

use super::*;
use crate::deletion::{DeleteReceipt, DeleteWhat};
use crate::model::{TimeRange, TraceId};
use crate::query::{Control, LogOrder, LogSearch, SpanSearch, SqlQuery, TraceOrder, TraceSearch};

const MARKER: &str = "the-name-to-be-forgotten";

fn trace(number: u64) -> TraceId {
    TraceId::from_slice(&u128::from(number).to_be_bytes()).unwrap()
}

/// Logs of some numbers.
fn logs_of(numbers: std::ops::Range<u64>) -> DeleteWhat {
    let range = TimeRange { from: NOW.plus(numbers.start), to: NOW.plus(numbers.end) };
    DeleteWhat::Matching { signal: Signal::Logs, query: String::new(), range }
}

fn without(all: u64, gone: std::ops::Range<u64>) -> BTreeMap<u64, usize> {
    (0..all).filter(|number| !gone.contains(number)).map(|number| (number, 1)).collect()
}

async fn done(store: &Store, receipt: &DeleteReceipt) -> DeleteReceipt {
    let begun = std::time::Instant::now();
    loop {
        let now = store.deletion(&receipt.id).unwrap();
        if now.done.is_some() {
            return now;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{now:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Files under `dir` that hold `text` as it is, without the manifest, whose receipts say what was asked.
fn files_with(dir: &Path, text: &str) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.ends_with("manifest") {
            continue;
        }
        if path.is_dir() {
            found.extend(files_with(&path, text));
        } else if fs::read(&path).unwrap_or_default().windows(text.len()).any(|part| part == text.as_bytes()) {
            found.push(path);
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_trace_is_in_no_answer_and_does_not_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    append(&store, Signal::Traces, spans(0, 20)).await;
    store.flush().await.unwrap();
    append(&store, Signal::Traces, spans(20, 20)).await;
    // Numbers 8 to 11 are of trace 3, in a segment; 24 to 27 of trace 7, in memory.
    let receipt = store.delete(DeleteWhat::Traces(vec![trace(3), trace(7), trace(999)])).await.unwrap();
    assert_eq!((receipt.spans, receipt.logs), (8, 0));
    let copy = crash(dir.path());
    let expected: BTreeMap<u64, usize> = without(40, 8..12).into_iter().filter(|(number, _)| !(24..28).contains(number)).collect();
    let ask = async |store: &Store| {
        assert_eq!(contents(store)[0], expected);
        assert!(store.trace(trace(3)).await.unwrap().is_none() && store.trace(trace(7)).await.unwrap().is_none());
        assert_eq!(store.trace(trace(4)).await.unwrap().unwrap().spans.len(), 4);
        let search = TraceSearch { query: String::new(), range: TimeRange::ALL, order: TraceOrder::Newest, limit: 100, cursor: None };
        assert_eq!(store.search_traces(search).await.unwrap().traces.len(), 8);
        let search = SpanSearch { query: String::new(), range: TimeRange::ALL, limit: 100, cursor: None };
        let listed = store.search_spans(search).await.unwrap().spans;
        assert!(listed.len() == 32 && listed.iter().all(|span| ![trace(3), trace(7)].contains(&span.trace_id)));
        let sql = SqlQuery { sql: "SELECT count(*) AS n FROM spans".to_owned(), max_rows: 1, timeout: Duration::from_secs(20) };
        assert_eq!(store.sql(sql).await.unwrap().rows[0]["n"], 32);
        let services = store.services(TimeRange::ALL, 0).await.unwrap();
        assert_eq!(services.iter().map(|service| service.span_count).sum::<u64>(), 32);
        let histogram = store.histogram(Signal::Traces, "", TimeRange { from: NOW, to: NOW.plus(100) }, 1).await.unwrap();
        assert_eq!(histogram.buckets[0].counts.iter().sum::<u64>(), 32);
    };
    ask(&store).await;
    // A process that dies right after the answer.
    let crashed = open(copy.path()).await;
    ask(&crashed).await;
    assert_eq!(done(&crashed, &receipt).await.spans, 8);
    ask(&crashed).await;
    crashed.close().await.unwrap();
    assert!(check(copy.path(), &mut |_| ()).unwrap().is_ok());

    done(&store, &receipt).await;
    ask(&store).await;
    // What comes later is another matter; the very request that was stored once is known, so it needs another time.
    append(&store, Signal::Traces, spans(8, 1)).await;
    assert_eq!(store.trace(trace(3)).await.unwrap().unwrap().spans.len(), 1);
    store.close().await.unwrap();
    let again = open(copy.path()).await;
    assert_eq!(again.deletion(&receipt.id).unwrap().what, receipt.what);
    ask(&again).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_deleted_is_stored_when_the_same_request_comes_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    append(&store, Signal::Logs, logs(0, 10)).await;
    append(&store, Signal::Traces, spans(0, 4)).await;
    store.delete(logs_of(0..10)).await.unwrap();
    // A process that dies now forgets the request too, and does not bring back what it brought.
    let before = crash(dir.path());
    assert!(!store.append(Signal::Logs, logs(0, 10)).await.unwrap().repeated);
    assert!(store.append(Signal::Logs, logs(0, 10)).await.unwrap().repeated, "it came after the delete");
    assert!(store.append(Signal::Traces, spans(0, 4)).await.unwrap().repeated, "no span was deleted");
    assert_eq!(contents(&store), [once(0..4), once(0..10)]);
    let after = crash(dir.path());
    for (copy, there) in [(before, 0), (after, 10)] {
        let store = open(copy.path()).await;
        assert_eq!(contents(&store), [once(0..4), once(0..there)]);
        assert_eq!(store.append(Signal::Logs, logs(0, 10)).await.unwrap().repeated, there > 0);
        assert_eq!(contents(&store), [once(0..4), once(0..10)]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn done_means_that_no_file_holds_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let span = Span {
        trace_id: vec![5; 16],
        span_id: vec![6; 8],
        name: MARKER.to_owned(),
        start_time_unix_nano: NOW.get(),
        end_time_unix_nano: NOW.get(),
        ..Span::default()
    };
    let scope = ScopeSpans { spans: vec![span], ..ScopeSpans::default() };
    let resource = ResourceSpans { scope_spans: vec![scope], ..ResourceSpans::default() };
    append(&store, Signal::Traces, ExportTraceServiceRequest { resource_spans: vec![resource] }.encode_to_vec().into()).await;
    append(&store, Signal::Traces, spans(0, 4)).await;
    store.flush().await.unwrap();
    assert!(files_with(dir.path(), MARKER).iter().any(|path| path.extension().is_some_and(|e| e == "wal")), "the log holds it");
    let range = TimeRange { from: NOW, to: NOW.plus(1) };
    let what = DeleteWhat::Matching { signal: Signal::Traces, query: format!("name={MARKER}"), range };
    let receipt = store.delete(what).await.unwrap();
    assert_eq!((receipt.spans, receipt.done), (1, None));
    done(&store, &receipt).await;
    assert_eq!(files_with(dir.path(), MARKER), Vec::<std::path::PathBuf>::new());
    assert_eq!(contents(&store)[0], once(0..4));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_being_answered_keeps_its_files_and_a_delete_waits_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    append(&store, Signal::Logs, logs(0, 10)).await;
    store.flush().await.unwrap();
    let reading = store.inner.snapshot.load_full();
    let receipt = store.delete(logs_of(2..5)).await.unwrap();
    assert_eq!(receipt.logs, 3);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(store.deletion(&receipt.id).unwrap().done, None, "a question still reads the file");
    let rows: usize = reading.logs.segments[0].read(&[column::TIME], None).unwrap().map(|batch| batch.unwrap().num_rows()).sum();
    assert_eq!(rows, 10, "an answer begun before is whole");
    drop(reading);
    done(&store, &receipt).await;
    assert_eq!(contents(&store)[1], without(10, 2..5));
}

#[tokio::test(flavor = "multi_thread")]
async fn deletes_amid_flushes_and_merges_take_exactly_their_rows() {
    let dir = tempfile::tempdir().unwrap();
    let registry = Registry::default();
    let store = Store::open(config(dir.path()), Clock::held_at(NOW.plus(7_200_000_000_000)), registry.clone()).await.unwrap();
    let mut receipts = Vec::new();
    for round in 0..30u64 {
        append(&store, Signal::Logs, logs(round * 20, 20)).await;
        if round % 3 > 0 {
            store.flush().await.unwrap();
        }
        if round % 2 == 0 {
            receipts.push(store.delete(logs_of(round * 20 + 3..round * 20 + 7)).await.unwrap());
        }
    }
    let expected: BTreeMap<u64, usize> = (0..600).filter(|n| !((n / 20) % 2 == 0 && (3..7).contains(&(n % 20)))).map(|n| (n, 1)).collect();
    assert_eq!(contents(&store)[1], expected);
    let copy = crash(dir.path());
    for receipt in &receipts {
        assert_eq!(done(&store, receipt).await.logs, 4);
    }
    assert_eq!(contents(&store)[1], expected);
    let search = LogSearch { query: String::new(), range: TimeRange::ALL, order: LogOrder::Newest, limit: 1_000, cursor: None };
    assert_eq!(store.search_logs(search).await.unwrap().records.len(), expected.len());
    let series =
        |name: &str| registry.values().into_iter().filter(|(n, l, _)| *n == name && l.contains("logs")).map(|(.., v)| v).sum::<i64>();
    let rows = i64::try_from(store.status().signals[1].segment_rows + store.status().signals[1].buffered_rows).unwrap();
    assert_eq!(series("throughline_stored_items_total") - series("throughline_rows_let_go_total"), rows, "rows balance");
    store.close().await.unwrap();
    assert!(check(dir.path(), &mut |_| ()).unwrap().is_ok());
    let crashed = open(copy.path()).await;
    assert_eq!(contents(&crashed)[1], expected);
    assert_eq!(crashed.deletions().len(), receipts.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_meant_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    assert!(store.delete(DeleteWhat::Traces(Vec::new())).await.is_err());
    let what = DeleteWhat::Matching { signal: Signal::Logs, query: "a=(".to_owned(), range: TimeRange::ALL };
    assert!(store.delete(what).await.is_err());
    let nothing = store.delete(DeleteWhat::Traces(vec![trace(1)])).await.unwrap();
    assert!(nothing.done.is_some() && nothing.spans == 0);
    assert_eq!(store.deletion("nothing"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_segment_that_the_disk_has_no_room_to_write_anew_keeps_no_other_from_going() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), Clock::held_at(NOW));
    let store = Store::open(config(dir.path()), clock.clone(), Registry::default()).await.unwrap();
    for first in [0, 10] {
        append(&store, Signal::Logs, logs(first, 10)).await;
        store.flush().await.unwrap();
    }
    store.inner.disk.pretend(100);
    let part = store.delete(logs_of(2..5)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let whole = store.delete(logs_of(10..20)).await.unwrap();
    done(&store, &whole).await;
    assert_eq!((store.deletion(&part.id).unwrap().done, store.status().background_error), (None, None));
    store.inner.disk.pretend(1 << 40);
    clock.set(NOW.plus(61_000_000_000));
    done(&store, &part).await;
    assert_eq!(contents(&store)[1], without(10, 2..5));
}

#[tokio::test]
async fn rows_that_are_written_only_after_a_delete_was_asked_for_are_deleted_too() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    append(&store, Signal::Logs, logs(0, 10)).await;
    let folder = dir.path().join("seg/logs");
    fs::remove_dir(&folder).unwrap();
    fs::write(&folder, "in the way").unwrap();
    let before = store.inner.before().unwrap();
    let control = Control::new(Duration::from_secs(60));
    let error = store.inner.attempt(&logs_of(2..5), &before, &control).unwrap_err();
    assert!(error.to_string().contains("some of the rows are in memory"), "{error}");
    fs::remove_file(&folder).unwrap();
    fs::create_dir(&folder).unwrap();
    // As the flush that is tried again does, at any time.
    store.flush().await.unwrap();
    let deletion = store.inner.attempt(&logs_of(2..5), &before, &control).unwrap().unwrap();
    assert_eq!((deletion.rows, deletion.wal_through), ([0, 3], store.inner.tables.last_seq()));
    assert_eq!(contents(&store)[1], without(10, 2..5));
    let copy = crash(dir.path());
    assert_eq!(contents(&open(copy.path()).await)[1], without(10, 2..5));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_closed_writes_nothing_more() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    append(&store, Signal::Logs, logs(0, 10)).await;
    let before = store.inner.before().unwrap();
    store.close().await.unwrap();
    let manifest = || fs::read(dir.path().join("manifest/log")).unwrap();
    // Another process has the folder now.
    let (other, listed) = (open(dir.path()).await, manifest());
    let control = Control::new(Duration::from_secs(60));
    let late = store.inner.attempt(&logs_of(2..5), &before, &control).unwrap_err();
    assert!(late.to_string().contains("closing"), "it began before: {late}");
    assert!(store.delete(logs_of(2..5)).await.unwrap_err().to_string().contains("closing"));
    assert!(store.save_view("mine", "/logs", false).await.is_err() && store.saved_views().all().is_empty());
    // The other one may add to it meanwhile.
    assert!(manifest().starts_with(&listed));
    other.close().await.unwrap();
    assert_eq!(contents(&open(dir.path()).await)[1], once(0..10));
}
