//! How many items a request holds: spans, log records, data points. Counted from the outermost levels of the message, independently of
//! what the store makes of it, so that the books of both can be compared.

use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use storage::Signal;

/// Counts the spans or log records of an export request; `None` when it is not one.
pub(crate) fn count(signal: Signal, request: &[u8]) -> Option<u64> {
    // Both signals nest their items alike.
    match signal {
        Signal::Traces | Signal::Logs => count_within(request, ITEM_LEVELS),
    }
}

/// Counts the data points of an `ExportMetricsServiceRequest`; `None` when it is not one.
pub(crate) fn count_data_points(request: &[u8]) -> Option<u64> {
    count_within(request, DATA_POINT_LEVELS)
}

/// Whether a request that is not one of this signal is one of the other: what its first item begins with tells spans from log records.
pub(crate) fn is_of_other(signal: Signal, request: &[u8]) -> bool {
    let first = ITEM_LEVELS.iter().try_fold(request, |message, wanted| first_of(message, wanted)).and_then(|mut item| next(&mut item));
    match (signal, first) {
        // The id of a trace, and the two times of a log record.
        (Signal::Logs, Some((1, WireType::LengthDelimited, _))) | (Signal::Traces, Some((1 | 11, WireType::SixtyFourBit, _))) => true,
        _ => false,
    }
}

/// The same of a JSON text in which nothing was found.
pub(crate) fn names_other(signal: Signal, text: &[u8]) -> bool {
    let name: &[u8] = match signal {
        Signal::Traces => b"\"resourceLogs\"",
        Signal::Logs => b"\"resourceSpans\"",
    };
    text.windows(name.len()).any(|part| part == name)
}

fn first_of<'a>(mut message: &'a [u8], wanted: &[u32]) -> Option<&'a [u8]> {
    loop {
        let (number, wire_type, field) = next(&mut message)?;
        if wire_type == WireType::LengthDelimited && wanted.contains(&number) {
            return Some(field);
        }
    }
}

/// As deep as the table is long.
fn count_within(mut message: &[u8], levels: &[&[u32]]) -> Option<u64> {
    let Some((wanted, inner)) = levels.split_first() else { return Some(1) };
    let mut points = 0_u64;
    while !message.is_empty() {
        let (number, wire_type, field) = next(&mut message)?;
        if wire_type == WireType::LengthDelimited && wanted.contains(&number) {
            points = points.saturating_add(count_within(field, inner)?);
        }
    }
    Some(points)
}

/// Takes a field off the front: its number, its type, and its bytes where it has a length of its own.
fn next<'a>(message: &mut &'a [u8]) -> Option<(u32, WireType, &'a [u8])> {
    let (number, wire_type) = decode_key(message).ok()?;
    let length = match wire_type {
        WireType::Varint => {
            decode_varint(message).ok()?;
            0
        }
        WireType::SixtyFourBit => 8,
        WireType::ThirtyTwoBit => 4,
        WireType::LengthDelimited => usize::try_from(decode_varint(message).ok()?).ok()?,
        // No field of OTLP is a group: an unknown one is passed over whole.
        WireType::StartGroup => {
            skip_field(wire_type, number, message, DecodeContext::default()).ok()?;
            0
        }
        WireType::EndGroup => return None,
    };
    let (field, rest) = message.split_at_checked(length)?;
    *message = rest;
    Some((number, wire_type, field))
}

/// Field numbers from the request down to the items: resource, scope, item.
const ITEM_LEVELS: &[&[u32]] = &[&[1], &[2], &[2]];
/// Field numbers from the request down to the data points: resource metrics, scope metrics, metrics, the five kinds of data.
const DATA_POINT_LEVELS: &[&[u32]] = &[&[1], &[2], &[2], &[5, 7, 9, 10, 11], &[1]];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    #[test]
    fn data_points_of_every_kind_are_counted() {
        let text = br#"{"resourceMetrics":[{"resource":{},"scopeMetrics":[{"metrics":[
            {"name":"a","gauge":{"dataPoints":[{"asInt":"1"},{}]}},{"sum":{"dataPoints":[{}],"isMonotonic":true}},
            {"histogram":{"dataPoints":[{"bucketCounts":["1"]}]}},{"exponentialHistogram":{"dataPoints":[{}]}},{"summary":{"dataPoints":[{}]}}]}]}]}"#;
        let made = json::transcode(json::Request::Metrics, text).unwrap();
        assert_eq!(count_data_points(&made.payload), Some(6));
        assert_eq!(count_data_points(b""), Some(0));
        assert_eq!(count_data_points(b"\x0a\xff"), None);
    }

    #[test]
    fn spans_and_log_records_are_counted_whatever_is_in_them() {
        let text = br#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{},{"body":{"stringValue":"x"}}]},{"scope":{"name":"s"}}]},
            {"scopeLogs":[{"logRecords":[{"severityNumber":9}]}]}]}"#;
        let made = json::transcode(json::Request::Logs, text).unwrap();
        assert_eq!(count(Signal::Logs, &made.payload), Some(3));
        let grouped = [b"\xa3\x06\x08\x05\xa4\x06".as_slice(), &made.payload].concat();
        assert_eq!(count(Signal::Logs, &grouped), Some(3), "an unknown group counts as nothing");
        assert_eq!(count(Signal::Traces, b""), Some(0));
        assert_eq!(count(Signal::Traces, b"\x0a\xff"), None);
    }

    #[test]
    fn spans_and_log_records_are_told_apart() {
        let spans = br#"{"resourceSpans":[{"resource":{},"scopeSpans":[{"spans":[{"traceId":"5b8efff798038103d269b633813fc60c"}]}]}]}"#;
        let records = br#"{"resourceLogs":[{"resource":{},"scopeLogs":[{"logRecords":[{"timeUnixNano":"5"}]}]}]}"#;
        let (of_spans, of_records) =
            (json::transcode(json::Request::Traces, spans).unwrap(), json::transcode(json::Request::Logs, records).unwrap());
        for (signal, text, payload, other) in [
            (Signal::Traces, &records[..], &of_records.payload, true),
            (Signal::Traces, spans, &of_spans.payload, false),
            (Signal::Logs, spans, &of_spans.payload, true),
            (Signal::Logs, records, &of_records.payload, false),
        ] {
            assert_eq!((is_of_other(signal, payload), names_other(signal, text)), (other, other), "{signal:?}");
        }
        assert!(!is_of_other(Signal::Logs, b"") && !is_of_other(Signal::Logs, b"\x0a\xff") && !names_other(Signal::Logs, b"{}"));
    }
}
