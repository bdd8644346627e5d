//! How fast what came in came by each protocol, of each signal.

use super::{Counters, value};
use crate::view::format;

/// A signal by a protocol.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Door {
    pub(crate) protocol: &'static str,
    pub(crate) signal: &'static str,
    pub(crate) requests: String,
    /// How many a second on average since the start.
    pub(crate) rate: String,
    /// Bytes of bodies as sent, and how many a second.
    pub(crate) bytes: String,
    pub(crate) bytes_rate: String,
}

/// Every protocol by which something came in `uptime` nanoseconds.
pub(crate) fn doors(counters: &Counters, uptime: u64) -> Vec<Door> {
    let seconds = (uptime / 1_000_000_000).max(1);
    let door = |(protocol, transport): (&'static str, &str), (noun, signal): (&'static str, &str)| {
        let labels = [("signal", signal), ("transport", transport)];
        let requests = value(counters, "throughline_requests_total", &labels);
        let bytes = value(counters, "throughline_received_bytes_total", &labels);
        (requests > 0).then(|| Door {
            protocol,
            signal: noun,
            requests: format::count(requests),
            rate: format::rate(requests, uptime),
            bytes: format::bytes(bytes),
            bytes_rate: format!("{}/s", format::bytes(bytes / seconds)),
        })
    };
    PROTOCOLS.into_iter().flat_map(|protocol| SIGNALS.into_iter().filter_map(move |signal| door(protocol, signal))).collect()
}

/// What they are called, and the words they are counted under.
const PROTOCOLS: [(&str, &str); 2] = [("OTLP/gRPC", "grpc"), ("OTLP/HTTP", "http")];
const SIGNALS: [(&str, &str); 2] = [("spans", "traces"), ("log records", "logs")];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_that_nothing_came_by_are_left_out() {
        let labels = |outcome: &str| format!("signal=\"logs\",transport=\"http\",encoding=\"json\",outcome=\"{outcome}\"");
        let counters = [
            ("throughline_requests_total", labels("accepted"), 9),
            ("throughline_requests_total", labels("refused"), 1),
            ("throughline_requests_total", "signal=\"traces\",transport=\"grpc\",encoding=\"protobuf\",outcome=\"accepted\"".to_owned(), 0),
            ("throughline_received_bytes_total", "signal=\"logs\",transport=\"http\"".to_owned(), 5_000),
        ];
        let doors = doors(&counters, 5_000_000_000);
        let told: Vec<_> = doors.iter().map(|door| (door.protocol, door.signal, door.requests.as_str(), door.rate.as_str())).collect();
        assert_eq!(told, [("OTLP/HTTP", "log records", "10", format::rate(10, 5_000_000_000).as_str())]);
        assert_eq!(doors[0].bytes_rate, format!("{}/s", format::bytes(1_000)));
    }
}
