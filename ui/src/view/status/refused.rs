//! What was not taken in, in words that lead to the mending: requests refused, items rejected, and warnings.

use storage::{Ledger, Signal};

use super::{Counters, label, named};
use crate::Refused;
use crate::view::format::{self, Clockface, Moment};

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

/// Something that senders should mend, since the start of this process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Loss {
    pub(crate) what: String,
    pub(crate) times: String,
    /// Both in words: `1 span (future)`.
    pub(crate) counted: String,
    pub(crate) advice: &'static str,
    /// Clients, where they are known.
    pub(crate) who: String,
}

/// The last refusals, newest first.
pub(crate) fn recent(refused: &[Refused], clock: &Clockface) -> Vec<Refusal> {
    let row = |refused: &Refused| Refusal {
        times: format::exact(refused.count),
        what: crate::view::search::sentence(&format::line(&refused.message, 400)),
        advice: if tells_what_to_do(refused) { "" } else { advice(refused.reason) },
        who: [refused.transport, &format::line(&refused.user_agent, 80)]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(" · "),
        last: clock.moment(refused.last),
    };
    refused.iter().map(row).collect()
}

/// Whether the refusal itself says what mends the sender. Broken JSON is no question of the protocol, and says where it breaks.
fn tells_what_to_do(refused: &Refused) -> bool {
    let message = refused.message.as_str();
    match refused.reason {
        "busy" | "unavailable" | "deadline" => false,
        "wrong_port" => true,
        _ => message.contains("; ") || message.starts_with("the JSON body"),
    }
}

/// Why requests were refused and items rejected, with who sent them, the most frequent first.
pub(crate) fn losses(counters: &Counters, ledger: &Ledger) -> Vec<Loss> {
    let accounts = ledger.accounts();
    let mut losses: Vec<(String, u64, &'static str, Vec<String>)> = Vec::new();
    for (labels, n) in named(counters, "throughline_refused_requests_total").filter(|(_, n)| *n > 0) {
        let reason = label(labels, "reason").unwrap_or("no reason given");
        let who = accounts.iter().filter(|(_, _, account)| account.refused.contains_key(reason)).map(|(_, who, _)| who.clone());
        losses.push((format!("requests: {}", reason.replace('_', " ")), n, advice(reason), who.collect()));
    }
    for (signal, who, account) in &accounts {
        // Items of requests that were refused are counted with them.
        for (reason, n) in account.rejected.iter().filter(|(reason, n)| **n > 0 && !account.refused.contains_key(*reason)) {
            let what = format!("{}: {}", if *signal == Signal::Logs { "log records" } else { "spans" }, reason.replace('_', " "));
            match losses.iter_mut().find(|(known, ..)| *known == what) {
                Some((_, count, _, clients)) => {
                    *count = count.saturating_add(*n);
                    clients.push(who.clone());
                }
                None => losses.push((what, *n, advice(reason), vec![who.clone()])),
            }
        }
    }
    losses.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    losses.into_iter().map(|(what, n, advice, who)| loss(&what, n, advice, who)).collect()
}

/// What was taken in although its sender should mend something, the most frequent first.
pub(crate) fn warnings(counters: &Counters, ledger: &Ledger) -> Vec<Loss> {
    let accounts = ledger.accounts();
    let who = |kind: &str| {
        let mine = accounts.iter().filter(|(_, _, account)| account.warned.contains_key(kind));
        mine.map(|(_, who, _)| who.clone()).collect::<Vec<_>>()
    };
    let mut found: Vec<(&str, u64)> = named(counters, "throughline_request_warnings_total")
        .filter(|(_, n)| *n > 0)
        .map(|(labels, n)| (label(labels, "kind").unwrap_or_default(), n))
        .collect();
    found.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    found.into_iter().map(|(kind, n)| loss(&kind.replace('_', " "), n, warned(kind), who(kind))).collect()
}

fn loss(what: &str, n: u64, advice: &'static str, mut who: Vec<String>) -> Loss {
    who.sort();
    who.dedup();
    let more = who.len().saturating_sub(MAX_NAMES);
    let mut named: Vec<String> = who.iter().take(MAX_NAMES).map(|who| format::line(who, 60)).collect();
    if more > 0 {
        named.push(format!("and {more} more"));
    }
    Loss { what: format::text(what), times: format::exact(n), counted: counted(what, n), advice, who: named.join(", ") }
}

fn counted(what: &str, n: u64) -> String {
    let (nouns, why) = what.split_once(": ").unwrap_or((what, ""));
    let noun = nouns.strip_suffix('s').unwrap_or(nouns);
    let why = if why.is_empty() { String::new() } else { format!(" ({why})") };
    format!("{}{why}", format::counted(n, &format::text(noun), &format::text(nouns)))
}

/// What mends the sender.
fn advice(reason: &str) -> &'static str {
    match reason {
        "media_type" => "Send with Content-Type application/x-protobuf or application/json.",
        "content_encoding" => "Send with gzip, zstd or no compression.",
        "not_found" => "Send traces to /v1/traces and logs to /v1/logs; many exporters add that to the endpoint by themselves.",
        "method" => "Exporters use POST.",
        "signal_not_stored" => "Metrics and profiles are not kept here; set OTEL_METRICS_EXPORTER=none.",
        "malformed" => {
            "What the sender was told says what is wrong. If it is no request at all, the protocol may be another than the content type says: set OTEL_EXPORTER_OTLP_PROTOCOL."
        }
        "protocol" | "framing" => "The port may be wrong: gRPC and HTTP have one each.",
        "origin" => "Allow the page's origin in the settings of the HTTP receiver.",
        "too_large" => "Let the exporter send smaller batches.",
        "busy" | "unavailable" | "deadline" => "Exporters try again by themselves.",
        "wrong_port" => "Somebody sends OTLP to the port of these pages. Point the exporter at the port of its protocol.",
        "future" => "Check the clock of the sender: its times are more than a day ahead.",
        "expired" => "Check the clock of the sender, or keep data longer: its times are older than what is kept.",
        "trace_id" | "span_id" => "Ids are 16 and 8 bytes, in JSON 32 and 16 hex digits, and not all zeros.",
        _ => "",
    }
}

/// What mends the sender of something that was taken in.
fn warned(kind: &str) -> &'static str {
    match kind {
        "enum_name" => "OTLP/JSON writes enums as numbers.",
        "snake_case" => "OTLP/JSON writes keys in lowerCamelCase; others are left out.",
        "null_element" => "An array held a null.",
        "dropped_value" => "A value had a type that its field cannot hold, and was left out.",
        "id" => "An id was not hex of the right length, and was left out or is kept as it came.",
        "depth" => "Values were nested deeper than anything sends, and were cut.",
        "legacy_field" => "The sender writes as before OTLP 0.15, which is not read; update it.",
        "utf8" => "Texts were not UTF-8; their wrong bytes read as \u{fffd}.",
        "parent_id" => "A parent's id has not 8 bytes; its span is stored without a parent.",
        "profiles_field" => "Fields that belong to profiles were left out.",
        "two_values" => "A value was given twice with different types; the last one holds.",
        "same_span" => "Spans of one request had the same ids, and only the last of them counts; give each an id of its own.",
        "end_before_start" => "Spans end before they start; they are shown without a duration. Check the clock of the sender.",
        "before_2000" => {
            "Times lie before the year 2000 and are stored as sent; OTLP writes nanoseconds since 1970, not seconds or milliseconds."
        }
        "future" => "Times lie more than a day ahead of this server's clock and are stored as sent; check the clock of the sender.",
        _ => "",
    }
}

/// Clients that are named.
const MAX_NAMES: usize = 3;

#[cfg(test)]
mod tests {
    use storage::Settlement;

    use super::*;

    #[test]
    fn losses_are_told_with_their_senders_and_the_most_frequent_first() {
        let ledger = Ledger::default();
        let send = |client: &str, received, settlement| {
            let mut booking = ledger.open(Signal::Traces, client);
            booking.received(received);
            booking.settle(settlement);
        };
        send("a/1", 9, Settlement::Taken { stored: 2, rejected: vec![("future", 7)] });
        send("b/1", 5, Settlement::Taken { stored: 4, rejected: vec![("future", 1)] });
        send("c/1", 50, Settlement::Refused("too_large"));
        let counters = [
            ("throughline_refused_requests_total", "reason=\"too_large\"".to_owned(), 2),
            ("throughline_refused_requests_total", "reason=\"busy\"".to_owned(), 0),
        ];
        let losses = losses(&counters, &ledger);
        let told: Vec<_> = losses.iter().map(|loss| (loss.what.as_str(), loss.times.as_str(), loss.who.as_str())).collect();
        assert_eq!(told, [("spans: future", "8", "a/1, b/1"), ("requests: too large", "2", "c/1")]);
        assert!(losses[0].advice.contains("clock"));
        let counted: Vec<String> = losses.iter().map(|loss| loss.counted.replace('\u{a0}', " ")).collect();
        assert_eq!(counted, ["8 spans (future)", "2 requests (too large)"]);
        assert_eq!(super::counted("log records: future", 1).replace('\u{a0}', " "), "1 log record (future)");
    }

    #[test]
    fn a_refusal_that_says_what_to_do_has_no_other_advice() {
        let advice = |reason, message: &str| {
            let refused = Refused { reason, message: message.to_owned(), ..Refused::default() };
            recent(&[refused], &Clockface::new(storage::UnixNanos::new(0), None)).remove(0).advice
        };
        assert_eq!(advice("protocol", "TLS on a port that speaks plain text; use http:// in the exporter's endpoint"), "");
        assert_eq!(advice("malformed", "the JSON body is broken at byte 7: expected a value"), "");
        assert_eq!(advice("media_type", "content-type text/plain; send application/x-protobuf or application/json"), "");
        assert_ne!(advice("malformed", "the body ends within a field"), "");
        assert_ne!(advice("busy", "too much at once; try again in 1 s"), "");
    }

    #[test]
    fn every_warning_says_what_is_written_instead() {
        let of_json = ["enum_name", "snake_case", "null_element", "dropped_value"];
        for kind in of_json.into_iter().chain(storage::Flaw::ALL.map(storage::Flaw::as_str)) {
            let counters = [("throughline_request_warnings_total", format!("kind=\"{kind}\""), 1)];
            assert!(!warnings(&counters, &Ledger::default())[0].advice.is_empty(), "{kind}");
        }
    }

    #[test]
    fn warnings_name_who_should_mend_them() {
        let ledger = Ledger::default();
        for (client, kinds) in [("b/1", vec!["future", "id", "id"]), ("a/1", vec!["future"]), ("c/1", vec![])] {
            let mut booking = ledger.open(Signal::Traces, client);
            booking.warn(kinds);
            booking.settle(Settlement::Taken { stored: 1, rejected: Vec::new() });
        }
        let counters = [
            ("throughline_request_warnings_total", "kind=\"future\"".to_owned(), 2),
            ("throughline_request_warnings_total", "kind=\"id\"".to_owned(), 1),
        ];
        let told: Vec<_> =
            warnings(&counters, &ledger).into_iter().map(|loss| format!("{} {} {}", loss.what, loss.times, loss.who)).collect();
        assert_eq!(told, ["future 2 a/1, b/1", "id 1 b/1"]);
        assert_eq!(ledger.total(Signal::Traces).warned, [("future", 2), ("id", 1)].into());
    }
}
