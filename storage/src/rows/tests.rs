//! What was sent comes back: checked against prost and the published OTLP messages.

mod oracle;

use std::sync::Arc;

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::EntityRef;
use prost::Message;

use crate::model::{Resource, UnixNanos};
use crate::otlp::{Context, Decoded, Malformed, decode};
use crate::store::Signal;

use self::oracle::{Dice, logs_of, random_logs, random_spans, spans_of};

const CONTEXT: Context = Context { now: UnixNanos::new(2_000_000_000_000_000_000), retention: None, first_record_id: 1000 };

fn decoded(signal: Signal, bytes: Vec<u8>) -> Result<Decoded, Malformed> {
    decode(signal, &Bytes::from(bytes), &CONTEXT)
}

/// What prost refuses and we do not: text that is not UTF-8, and deep nesting.
fn is_known_difference(error: &prost::DecodeError) -> bool {
    let text = error.to_string();
    text.contains("UTF-8") || text.contains("recursion")
}

/// Entity references are kept byte by byte; prost drops what it does not know.
fn as_prost_writes(resource: &mut Arc<Resource>) {
    for entity in &mut Arc::make_mut(resource).entity_refs {
        *entity = EntityRef::decode(entity.as_slice()).unwrap().encode_to_vec();
    }
}

fn agrees_on_traces(bytes: &[u8]) {
    match (ExportTraceServiceRequest::decode(bytes), decoded(Signal::Traces, bytes.to_vec())) {
        (Ok(request), ours) => {
            let ours = ours.unwrap_or_else(|error| panic!("prost reads it, we do not: {error}\n{request:?}"));
            let mut spans = super::spans(&ours.batch, 0..ours.batch.num_rows()).unwrap();
            spans.iter_mut().for_each(|span| as_prost_writes(&mut span.resource));
            let (expected, rejected) = spans_of(&request, CONTEXT.now.get());
            assert_eq!(ours.rejected, rejected, "{:?}", ours.message);
            assert_eq!(spans, expected);
        }
        (Err(error), Ok(_)) => assert!(is_known_difference(&error), "prost does not read it, we do: {error}"),
        (Err(_), Err(_)) => {}
    }
}

fn agrees_on_logs(bytes: &[u8]) {
    match (ExportLogsServiceRequest::decode(bytes), decoded(Signal::Logs, bytes.to_vec())) {
        (Ok(request), ours) => {
            let ours = ours.unwrap_or_else(|error| panic!("prost reads it, we do not: {error}\n{request:?}"));
            let mut logs = super::logs(&ours.batch, 0..ours.batch.num_rows()).unwrap();
            logs.iter_mut().for_each(|log| as_prost_writes(&mut log.resource));
            assert_eq!(logs, logs_of(&request, &CONTEXT));
            assert_eq!(ours.rejected, 0);
        }
        (Err(error), Ok(_)) => assert!(is_known_difference(&error), "prost does not read it, we do: {error}"),
        (Err(_), Err(_)) => {}
    }
}

#[test]
fn spans_come_back_as_they_were_sent() {
    for seed in 0..500 {
        agrees_on_traces(&random_spans(&mut Dice::new(seed)).encode_to_vec());
    }
}

#[test]
fn log_records_come_back_as_they_were_sent() {
    for seed in 0..500 {
        agrees_on_logs(&random_logs(&mut Dice::new(seed)).encode_to_vec());
    }
}

#[test]
fn damaged_requests_are_read_and_refused_as_prost_does() {
    for seed in 0..400 {
        let mut dice = Dice::new(seed);
        let spans = random_spans(&mut dice).encode_to_vec();
        let logs = random_logs(&mut dice).encode_to_vec();
        for _ in 0..20 {
            agrees_on_traces(&dice.damage(&spans));
            agrees_on_logs(&dice.damage(&logs));
        }
    }
}

#[test]
fn two_requests_in_a_row_read_as_one() {
    let mut dice = Dice::new(7);
    let mut bytes = random_spans(&mut dice).encode_to_vec();
    bytes.extend(random_spans(&mut dice).encode_to_vec());
    agrees_on_traces(&bytes);
}

#[test]
fn decoding_the_same_bytes_again_gives_the_same_batch() {
    let bytes = random_spans(&mut Dice::new(3)).encode_to_vec();
    let (first, second) = (decoded(Signal::Traces, bytes.clone()).unwrap(), decoded(Signal::Traces, bytes).unwrap());
    assert_eq!(first.batch, second.batch);
    assert_eq!(first.message, second.message);
}

#[test]
fn a_batch_without_a_column_is_an_error_that_names_it() {
    let batch = decoded(Signal::Logs, Vec::new()).unwrap().batch;
    let error = super::spans(&batch, 0..0).unwrap_err();
    assert!(error.to_string().contains("parent_span_id"), "{error}");
}

#[test]
fn rows_beyond_the_batch_are_left_out() {
    let batch = decoded(Signal::Logs, Vec::new()).unwrap().batch;
    assert!(super::logs(&batch, 0..10).unwrap().is_empty());
}

#[test]
fn damaged_stored_bytes_read_as_far_as_they_go() {
    let mut dice = Dice::new(11);
    for length in 0..200 {
        let bytes: Vec<u8> = (0..length).map(|_| dice.byte()).collect();
        let _ = (
            super::any_value(&bytes),
            super::envelope::resource(&bytes),
            super::envelope::scope(&bytes),
            super::events(&bytes),
            super::links(&bytes),
        );
    }
}
