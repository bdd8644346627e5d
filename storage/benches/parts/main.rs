//! Measures the parts of the store by themselves: decoding, columns, the log, merging, filters, the index of words.

#![expect(clippy::unwrap_used, reason = "a measurement that fails ends")]

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use storage::bench::{Columns, Folder, Segments, decode, frames, index_words, read_frames};
use storage::{Signal, TraceId, UnixNanos};

mod requests;

use self::requests::{RECORDS, START};

const NOW: UnixNanos = UnixNanos::new(START + 60_000_000_000);
/// Requests of a flush.
const FLUSH: u64 = 50;

fn request(signal: Signal, number: u64) -> Bytes {
    if signal == Signal::Traces { requests::spans(number) } else { requests::logs(number) }
}

fn decoded(signal: Signal, numbers: std::ops::Range<u64>) -> Vec<Columns> {
    numbers.map(|number| decode(signal, &request(signal, number), NOW).unwrap()).collect()
}

fn decoding(c: &mut Criterion) {
    let mut group = c.benchmark_group("decode");
    group.throughput(Throughput::Elements(RECORDS));
    for signal in [Signal::Traces, Signal::Logs] {
        let payload = request(signal, 0);
        group.bench_function(signal.as_str(), |b| b.iter(|| decode(signal, &payload, NOW).unwrap()));
    }
}

fn log(c: &mut Criterion) {
    let payloads: Vec<Bytes> = (0..8).map(requests::spans).collect();
    let file = Bytes::from(frames(Signal::Traces, &payloads, NOW));
    let mut group = c.benchmark_group("log");
    group.throughput(Throughput::Bytes(file.len() as u64));
    group.bench_function("frames written", |b| b.iter(|| frames(Signal::Traces, &payloads, NOW)));
    group.bench_function("frames read", |b| b.iter(|| read_frames(&file)));
}

fn segments(c: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::new(dir.path()).unwrap();
    let mut group = c.benchmark_group("segments");
    group.sample_size(10);
    for signal in [Signal::Traces, Signal::Logs] {
        let rows = decoded(signal, 0..FLUSH);
        group.throughput(Throughput::Elements(FLUSH * RECORDS));
        group.bench_function(format!("flush of {}", signal.as_str()), |b| {
            b.iter_batched(|| (), |()| folder.remove(folder.write(signal, &rows).unwrap()).unwrap(), BatchSize::PerIteration);
        });
        let flushes = (0..4).map(|flush| folder.write(signal, &decoded(signal, flush * FLUSH..(flush + 1) * FLUSH)).unwrap());
        let flushes = Segments::join(flushes);
        group.throughput(Throughput::Elements(4 * FLUSH * RECORDS));
        group.bench_function(format!("merge of {}", signal.as_str()), |b| {
            b.iter(|| folder.remove(folder.merge(&flushes).unwrap()).unwrap());
        });
        folder.remove(flushes).unwrap();
    }
}

/// One merged segment of 200,000 records.
fn merged(folder: &Folder, signal: Signal) -> Segments {
    let flushes = Segments::join((0..4).map(|flush| folder.write(signal, &decoded(signal, flush * FLUSH..(flush + 1) * FLUSH)).unwrap()));
    let merged = folder.merge(&flushes).unwrap();
    folder.remove(flushes).unwrap();
    merged
}

fn columns(c: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let spans = merged(&Folder::new(dir.path()).unwrap(), Signal::Traces);
    let mut group = c.benchmark_group("columns");
    group.throughput(Throughput::Elements(4 * FLUSH * RECORDS)).sample_size(20);
    let few = ["service_name", "start_time"];
    let some = ["service_name", "name", "start_time", "duration", "status_code"];
    let all = ["trace_id", "span_id", "parent_span_id", "attr_str", "attr_int", "resource"];
    for (name, columns) in [("two", &few[..]), ("five", &some), ("ids and attributes", &all)] {
        group.bench_function(name, |b| b.iter(|| spans.read(columns).unwrap()));
    }
}

fn filters(c: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let spans = merged(&Folder::new(dir.path()).unwrap(), Signal::Traces);
    let there = TraceId::from_slice(&requests::trace_id(77_777)).unwrap();
    let absent = TraceId::from_slice(&[0xab; 16]).unwrap();
    assert_eq!((spans.of_trace(there), spans.of_trace(absent)), (Ok(10), Ok(0)));
    let mut group = c.benchmark_group("filters");
    group.bench_function("trace by id", |b| b.iter(|| spans.of_trace(there).unwrap()));
    group.bench_function("absent trace", |b| b.iter(|| spans.of_trace(absent).unwrap()));
    for (name, query, rows) in [
        ("rare attribute", "user.id=user-777", 100),
        ("absent attribute", "user.id=nobody", 0),
        ("service", "service=service-3", 10_000),
        ("attribute in a map", "user_agent.original=x*", 0),
    ] {
        assert_eq!(spans.matching(Signal::Traces, query), Ok(rows), "{query}");
        group.bench_function(name, |b| b.iter(|| spans.matching(Signal::Traces, query).unwrap()));
    }
}

fn words(c: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let bodies: Vec<String> = (0..20_000).map(requests::body).collect();
    let path = dir.path().join("words");
    let mut group = c.benchmark_group("words");
    group.throughput(Throughput::Elements(20_000)).sample_size(10);
    group.bench_function("indexed", |b| b.iter(|| index_words(&path, bodies.iter().map(String::as_str)).unwrap()));
    let logs = merged(&Folder::new(dir.path()).unwrap(), Signal::Logs);
    for (name, query, rows) in [("unique", "ticket12345", 1), ("frequent", "authorized", 200_000), ("absent", "nowhere", 0)] {
        assert_eq!(logs.matching(Signal::Logs, query), Ok(rows), "{query}");
        group.bench_function(name, |b| b.iter(|| logs.matching(Signal::Logs, query).unwrap()));
    }
}

criterion_group!(parts, decoding, log, segments, columns, filters, words);
criterion_main!(parts);
