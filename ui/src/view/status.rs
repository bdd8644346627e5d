//! How this process is doing: what came in, what was refused and why, what is stored.

use askama::Template;
use storage::{SignalStatus, StoreStatus};

use super::colour::{Chip, Palette};
use super::format::{self, Clockface, Moment};
use super::frame::Frame;
use super::link::Links;
use crate::Refused;
use crate::ask::Sender;

/// `/status`.
#[derive(Debug, Default, Template)]
#[template(path = "status.html")]
pub(crate) struct Status {
    pub(crate) frame: Frame,
    /// What is wrong now; empty when nothing is.
    pub(crate) faults: Vec<String>,
    pub(crate) facts: Vec<(&'static str, String)>,
    pub(crate) ingest: Vec<Intake>,
    /// Reason and count.
    pub(crate) refusals: Vec<(String, String)>,
    pub(crate) recent: Vec<Refusal>,
    pub(crate) clients: Vec<Client>,
    pub(crate) signals: Vec<Kept>,
    /// Every other counter: name, labels, value.
    pub(crate) counters: Vec<(String, String, String)>,
    pub(crate) now: Moment,
}

/// What came in by one way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Intake {
    pub(crate) way: String,
    pub(crate) requests: String,
    pub(crate) is_failing: bool,
}

/// What is kept of one signal.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kept {
    pub(crate) name: &'static str,
    pub(crate) in_memory: String,
    pub(crate) memory_bytes: String,
    pub(crate) in_segments: String,
    pub(crate) segment_bytes: String,
    pub(crate) segments: String,
    pub(crate) per_row: String,
    pub(crate) span: Option<(Moment, Moment)>,
}

/// A kind of request that was refused lately.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) times: String,
    /// What the sender was told.
    pub(crate) what: String,
    /// How the sender is mended; empty when the message says it.
    pub(crate) advice: &'static str,
    /// What the sender calls itself, and how it came.
    pub(crate) who: String,
    pub(crate) last: Moment,
}

/// Who sent spans lately.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Client {
    pub(crate) chip: Chip,
    pub(crate) href: String,
    pub(crate) sdk: String,
    pub(crate) rate: String,
    pub(crate) last: Moment,
}

/// Counters as the registry gives them: name, labels and value.
type Counters = [(&'static str, String, i64)];

/// Requests by signal, transport, encoding and outcome, those that happened.
pub(crate) fn intake(counters: &Counters) -> Vec<Intake> {
    let rows = named(counters, "throughline_requests_total").filter(|(_, n)| *n > 0);
    rows.map(|(labels, n)| {
        let part = |name| label(labels, name).unwrap_or_default();
        let outcome = part("outcome");
        Intake {
            way: [part("signal"), part("transport"), part("encoding"), outcome]
                .into_iter()
                .filter(|part| !part.is_empty())
                .collect::<Vec<_>>()
                .join(" · "),
            requests: format::exact(n),
            is_failing: !matches!(outcome, "accepted" | ""),
        }
    })
    .collect()
}

/// Why requests were refused and items rejected, the most frequent first.
pub(crate) fn refusals(counters: &Counters) -> Vec<(String, String)> {
    let requests = named(counters, "throughline_refused_requests_total")
        .map(|(labels, n)| (label(labels, "reason").unwrap_or("no reason given").replace('_', " "), n));
    let items = named(counters, "throughline_items_total")
        .filter(|(labels, _)| label(labels, "outcome") == Some("rejected"))
        .map(|(labels, n)| (format!("rejected {}", items_of(labels)), n));
    let mut refusals: Vec<(String, u64)> = requests.chain(items).filter(|(_, n)| *n > 0).collect();
    refusals.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    refusals.into_iter().map(|(reason, n)| (format::text(&reason), format::exact(n))).collect()
}

/// The last refusals, newest first.
pub(crate) fn recent(refused: &[Refused], clock: &Clockface) -> Vec<Refusal> {
    let row = |refused: &Refused| Refusal {
        times: format::exact(refused.count),
        what: super::search::sentence(&format::line(&refused.message, 400)),
        advice: advice(refused.reason),
        who: [refused.transport, &format::line(&refused.user_agent, 80)]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(" · "),
        last: clock.moment(refused.last),
    };
    refused.iter().map(row).collect()
}

/// Senders of a window of this length.
pub(crate) fn clients(senders: &[Sender], window: u64, links: &Links, clock: &Clockface, palette: &Palette) -> Vec<Client> {
    let row = |sender: &Sender| Client {
        chip: palette.chip(&sender.service),
        href: links.service(&sender.service).href(),
        sdk: if sender.sdk.is_empty() { format::MISSING.to_owned() } else { format::line(&sender.sdk, 80) },
        rate: format::rate(sender.spans, window),
        last: clock.moment(sender.last),
    };
    senders.iter().map(row).collect()
}

/// What mends the sender.
fn advice(reason: &str) -> &'static str {
    match reason {
        "media_type" => "Send with Content-Type application/x-protobuf or application/json.",
        "content_encoding" => "Send with gzip, zstd or no compression.",
        "not_found" => "Send traces to /v1/traces and logs to /v1/logs; many exporters add that to the endpoint by themselves.",
        "method" => "Exporters use POST.",
        "signal_not_stored" => "Metrics and profiles are not kept here; set OTEL_METRICS_EXPORTER=none.",
        "malformed" => "The protocol may be another than the content type says; set OTEL_EXPORTER_OTLP_PROTOCOL.",
        "protocol" | "framing" => "The port may be wrong: gRPC and HTTP have one each.",
        "origin" => "Allow the page's origin in the settings of the HTTP receiver.",
        "too_large" => "Let the exporter send smaller batches.",
        "busy" | "unavailable" | "deadline" => "Exporters try again by themselves.",
        _ => "",
    }
}

/// `12 spans, 3 log records`, since the start of this process.
pub(crate) fn received(counters: &Counters) -> String {
    let accepted = |signal: &str| {
        let rows = named(counters, "throughline_items_total");
        let mine = rows.filter(|(labels, _)| label(labels, "outcome") == Some("accepted") && label(labels, "signal") == Some(signal));
        mine.map(|(_, n)| n).sum::<u64>()
    };
    format!("{}, {}", format::counted(accepted("traces"), "span", "spans"), format::counted(accepted("logs"), "log record", "log records"))
}

/// Counters that the page shows nowhere else.
pub(crate) fn others(counters: &Counters) -> Vec<(String, String, String)> {
    let shown = ["throughline_requests_total", "throughline_refused_requests_total"];
    let other = counters.iter().filter(|(name, ..)| !shown.contains(name));
    other.map(|(name, labels, value)| ((*name).to_owned(), format::text(labels), value.to_string())).collect()
}

/// What is kept per signal.
pub(crate) fn kept(status: &StoreStatus, clock: &Clockface) -> Vec<Kept> {
    let row = |(name, signal): (&'static str, &SignalStatus)| Kept {
        name,
        in_memory: format::exact(signal.buffered_rows),
        memory_bytes: format::bytes(signal.buffered_bytes),
        in_segments: format::exact(signal.segment_rows),
        segment_bytes: format::bytes(signal.segment_bytes),
        segments: format!("{} + {}", signal.level0_segments, signal.level1_segments),
        per_row: signal.segment_bytes.checked_div(signal.segment_rows).map_or_else(|| format::MISSING.to_owned(), format::bytes),
        span: signal.time.map(|(first, last)| (clock.moment(first), clock.moment(last))),
    };
    ["Spans", "Log records"].into_iter().zip(&status.signals).map(row).collect()
}

fn named<'a>(counters: &'a Counters, name: &'a str) -> impl Iterator<Item = (&'a str, u64)> {
    let mine = counters.iter().filter(move |(known, ..)| *known == name);
    mine.map(|(_, labels, value)| (labels.as_str(), u64::try_from(*value).unwrap_or(0)))
}

fn items_of(labels: &str) -> &'static str {
    if label(labels, "signal") == Some("logs") { "log records" } else { "spans" }
}

/// The value of a label in `a="1",b="2"`.
fn label<'a>(labels: &'a str, name: &str) -> Option<&'a str> {
    labels.split("\",").find_map(|pair| {
        let (known, value) = pair.split_once("=\"")?;
        (known == name).then(|| value.trim_end_matches('"'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_with_their_reason_and_the_most_frequent_first() {
        let counters = [
            ("throughline_refused_requests_total", "reason=\"body_too_large\"".to_owned(), 2),
            ("throughline_refused_requests_total", "reason=\"busy\"".to_owned(), 0),
            ("throughline_items_total", "signal=\"logs\",outcome=\"rejected\"".to_owned(), 7),
            ("throughline_items_total", "signal=\"traces\",outcome=\"accepted\"".to_owned(), 12),
        ];
        assert_eq!(
            refusals(&counters),
            [("rejected log records".to_owned(), "7".to_owned()), ("body too large".to_owned(), "2".to_owned())]
        );
        assert_eq!(received(&counters), "12\u{a0}spans, 0\u{a0}log records");
    }
}
