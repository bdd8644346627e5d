use std::collections::BTreeSet;

use opentelemetry_proto::tonic::trace::v1::Span;

use super::*;
use crate::load::Workload;
use crate::load::maker::Maker;

fn spans(body: &[u8]) -> Vec<Span> {
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    request.resource_spans.into_iter().flat_map(|r| r.scope_spans).flat_map(|s| s.spans).collect()
}

fn template(signal: Signal, items: usize) -> Template {
    Maker::new(signal, Workload::Shop, 11).set(&[items], 0).requests.remove(0)
}

fn stamp(template: &Template, nonce: Nonce, end_nanos: u64) -> Vec<u8> {
    let replay = Replay { nonce, end_nanos };
    template.stamp(replay, replay, std::iter::empty())
}

#[test]
fn a_stamp_changes_ids_and_times_and_nothing_else() {
    let template = template(Signal::Traces, 1_000);
    let nonce = Nonce::new(&mut Random::new(1));
    let shift_nanos = 123_456_789;
    let (before, after) = (spans(&template.body), spans(&stamp(&template, nonce, template.end_nanos() + shift_nanos)));
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
    let end_nanos = template.end_nanos() + 5;
    let request = ExportLogsServiceRequest::decode(stamp(&template, nonce, end_nanos).as_slice()).unwrap();
    let logs: Vec<_> = request.resource_logs.into_iter().flat_map(|r| r.scope_logs).flat_map(|s| s.log_records).collect();
    assert_eq!(logs.len(), 300);
    assert_eq!(logs.iter().map(|log| log.observed_time_unix_nano.max(log.time_unix_nano)).max(), Some(end_nanos));
    let known: BTreeSet<Vec<u8>> = template.traces(nonce).filter_map(|(id, _)| Some(id?.to_vec())).collect();
    for log in logs {
        assert!(known.contains(&log.trace_id));
        assert!(log.time_unix_nano > EPOCH_NANOS - 1_000_000_000 && log.observed_time_unix_nano > log.time_unix_nano);
    }
}

#[test]
fn traces_are_counted_with_their_records() {
    let template = template(Signal::Traces, 500);
    let nonce = Nonce::new(&mut Random::new(3));
    assert_eq!(template.traces(nonce).map(|(_, records)| records).sum::<u64>(), 500);
}
