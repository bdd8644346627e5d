use std::collections::BTreeSet;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;

use super::*;

fn spans(body: &[u8]) -> Vec<Span> {
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    request.resource_spans.into_iter().flat_map(|r| r.scope_spans).flat_map(|s| s.spans).collect()
}

fn template(signal: Signal, items: usize) -> Template {
    let mut now_nanos = EPOCH_NANOS;
    Template::new(signal, items, &mut World::new(11), &mut now_nanos)
}

#[test]
fn a_stamp_changes_ids_and_times_and_nothing_else() {
    let template = template(Signal::Traces, 1_000);
    let nonce = Nonce::new(&mut Random::new(1));
    let shift_nanos = 123_456_789;
    let (before, after) = (spans(&template.body), spans(&template.stamp(nonce, template.end_nanos + shift_nanos, std::iter::empty())));
    assert_eq!(before.len(), 1_000);
    for (old, new) in before.into_iter().zip(after) {
        assert_ne!(old.trace_id, new.trace_id);
        assert_ne!(old.span_id, new.span_id);
        let mut expected = old;
        xor(&mut expected.trace_id, &nonce.trace);
        xor(&mut expected.span_id, &nonce.span);
        xor(&mut expected.parent_span_id, &nonce.span);
        expected.start_time_unix_nano += shift_nanos;
        expected.end_time_unix_nano += shift_nanos;
        for event in &mut expected.events {
            event.time_unix_nano += shift_nanos;
        }
        for link in &mut expected.links {
            xor(&mut link.trace_id, &nonce.trace);
            xor(&mut link.span_id, &nonce.span);
        }
        assert_eq!(expected, new);
    }
}

#[test]
fn a_stamp_of_logs_keeps_them_beside_their_spans() {
    let template = template(Signal::Logs, 300);
    let nonce = Nonce::new(&mut Random::new(2));
    let end_nanos = template.end_nanos + 5;
    let request = ExportLogsServiceRequest::decode(template.stamp(nonce, end_nanos, std::iter::empty()).as_slice()).unwrap();
    let logs: Vec<_> = request.resource_logs.into_iter().flat_map(|r| r.scope_logs).flat_map(|s| s.log_records).collect();
    assert_eq!(logs.len(), 300);
    assert_eq!(logs.iter().map(|log| log.observed_time_unix_nano.max(log.time_unix_nano)).max(), Some(end_nanos));
    let known: BTreeSet<Vec<u8>> = template.traces().filter_map(|(id, _)| id.map(|id| nonce.trace(id).to_vec())).collect();
    for log in logs {
        assert!(known.contains(&log.trace_id));
        assert!(log.time_unix_nano > EPOCH_NANOS - 1_000_000_000 && log.observed_time_unix_nano > log.time_unix_nano);
    }
}

#[test]
fn nothing_that_is_sent_happens_after_it_is_sent() {
    let sent = EPOCH_NANOS + 3_600_000_000_000;
    for workload in [Workload::Shop, Workload::Tail] {
        let pool = Pool::new(Signal::Traces, workload, 2_500, 1_000, 5);
        for number in 0..pool.requests() {
            let body = pool.template(number).unwrap().stamp(Nonce::new(&mut Random::new(1)), sent, pool.words(number));
            let last = spans(&body).iter().map(|span| span.end_time_unix_nano.max(span.start_time_unix_nano)).max();
            // Events come before their span ends.
            assert_eq!(last, Some(sent), "{workload:?} {number}");
        }
    }
}

#[test]
fn the_pool_counts_exactly_what_was_asked_for() {
    for (items, per_request) in [(1, 1_000), (999, 1_000), (1_000, 1_000), (2_500, 1_000), (7, 1)] {
        let pool = Pool::new(Signal::Traces, Workload::Shop, items, per_request, 3);
        assert_eq!(pool.items(), items);
        let sent: usize = (0..pool.requests()).map(|n| spans(&pool.template(n).unwrap().body).len()).sum();
        assert_eq!(u64::try_from(sent).unwrap(), items);
        assert!(pool.template(pool.requests()).is_none());
    }
}

#[test]
fn traces_are_counted_with_their_records() {
    let template = template(Signal::Traces, 500);
    assert_eq!(template.traces().map(|(_, records)| records).sum::<u64>(), 500);
}
