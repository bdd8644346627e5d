use std::collections::BTreeSet;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;

use super::*;
use crate::load::template::EPOCH_NANOS;

fn pool(signal: Signal, workload: Workload, items: u64, items_per_request: usize) -> Pool {
    Pool::new(&Config { workload, items_per_request, ..Config::default() }, signal, items, 3)
}

fn spans(body: &[u8]) -> Vec<Span> {
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    request.resource_spans.into_iter().flat_map(|r| r.scope_spans).flat_map(|s| s.spans).collect()
}

fn logs(body: &[u8]) -> Vec<LogRecord> {
    let request = ExportLogsServiceRequest::decode(body).unwrap();
    request.resource_logs.into_iter().flat_map(|r| r.scope_logs).flat_map(|s| s.log_records).collect()
}

#[test]
fn nothing_that_is_sent_happens_after_it_is_sent() {
    let hour = 3_600_000_000_000;
    for workload in [Workload::Shop, Workload::Tail] {
        let pool = pool(Signal::Traces, workload, 5_500, 500);
        for set in 0..pool.sets().0 {
            let sent = EPOCH_NANOS + hour / pool.sets().0 * set;
            let bodies: Vec<_> = pool.requests_of(set).map(|number| pool.body(number, EPOCH_NANOS).unwrap()).collect();
            let ends = bodies.iter().flat_map(|body| spans(body)).map(|span| span.end_time_unix_nano.max(span.start_time_unix_nano));
            // Events come before their span ends.
            assert_eq!(ends.max(), Some(sent), "{workload:?} {set}");
        }
    }
}

#[test]
fn the_pool_counts_exactly_what_was_asked_for() {
    for workload in [Workload::Shop, Workload::Tail] {
        for (items, per_request) in [(1, 1_000), (999, 1_000), (1_000, 1_000), (2_500, 1_000), (7, 1), (3_000, 1_000), (3_001, 1_000)] {
            let pool = pool(Signal::Traces, workload, items, per_request);
            let sizes: Vec<usize> = (0..pool.requests()).map(|number| spans(&pool.body(number, 0).unwrap()).len()).collect();
            assert_eq!((pool.items(), sizes.iter().sum::<usize>() as u64), (items, items));
            let whole = sizes.iter().filter(|size| **size == per_request).count();
            assert_eq!(whole as u64, items / per_request as u64, "{workload:?} {sizes:?}");
            assert!(pool.template(pool.requests()).is_none() && pool.body(pool.requests(), 0).is_none());
        }
    }
}

#[test]
fn each_replay_has_ids_and_noise_of_its_own() {
    let pool = pool(Signal::Logs, Workload::Raw, 1_200, 100);
    let mut seen = BTreeSet::new();
    for number in 0..pool.requests() {
        let words: Vec<[u8; 12]> = pool.words(number).collect();
        for (record, word) in logs(&pool.body(number, EPOCH_NANOS).unwrap()).into_iter().zip(words) {
            let body = format!("{:?}", record.body);
            assert!(body.contains(&format!("{} ", String::from_utf8_lossy(&word))), "{body}");
            let noise = body.split_once(&*String::from_utf8_lossy(&word)).unwrap().1.to_owned();
            assert!(noise.len() > 1_000 && seen.insert(noise));
        }
    }
    assert_eq!(seen.len(), 1_200);
}
