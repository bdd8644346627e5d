//! How many data points a metrics request holds, for senders that are told that all were rejected.

use bytes::Buf as _;
use prost::encoding::{WireType, decode_key, decode_varint};

/// Counts the data points of an `ExportMetricsServiceRequest`; `None` when it is not one.
pub(crate) fn count(request: &[u8]) -> Option<u64> {
    count_within(request, LEVELS)
}

/// As deep as the table is long.
fn count_within(mut message: &[u8], levels: &[&[u32]]) -> Option<u64> {
    let Some((wanted, inner)) = levels.split_first() else { return Some(1) };
    let mut points = 0_u64;
    while !message.is_empty() {
        let (number, wire_type) = decode_key(&mut message).ok()?;
        let length = match wire_type {
            WireType::Varint => {
                decode_varint(&mut message).ok()?;
                0
            }
            WireType::SixtyFourBit => 8,
            WireType::ThirtyTwoBit => 4,
            WireType::LengthDelimited => usize::try_from(decode_varint(&mut message).ok()?).ok()?,
            WireType::StartGroup | WireType::EndGroup => return None,
        };
        let field = message.get(..length)?;
        message.advance(length);
        if wire_type == WireType::LengthDelimited && wanted.contains(&number) {
            points = points.saturating_add(count_within(field, inner)?);
        }
    }
    Some(points)
}

/// Field numbers from the request down to the data points: resource metrics, scope metrics, metrics, the five kinds of data.
const LEVELS: &[&[u32]] = &[&[1], &[2], &[2], &[5, 7, 9, 10, 11], &[1]];

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
        assert_eq!(count(&made.payload), Some(6));
        assert_eq!(count(b""), Some(0));
        assert_eq!(count(b"\x0a\xff"), None);
    }
}
