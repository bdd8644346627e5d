//! Getting started: where to send, and what to copy for it.

use std::net::{IpAddr, SocketAddr};

use askama::Template;
use storage::UnixNanos;

use super::frame::Frame;

mod recipes;

/// `/start`, and `/` while the store is empty.
#[derive(Debug, Default, Template)]
#[template(path = "start.html")]
pub(crate) struct Start {
    pub(crate) frame: Frame,
    pub(crate) receivers: Receivers,
    pub(crate) snippets: Vec<Snippet>,
    /// What was refused lately, and how it is mended.
    pub(crate) refused: Vec<super::status::Refusal>,
    /// How many other kinds there are, and where all are listed.
    pub(crate) more_refused: usize,
    pub(crate) status: String,
    /// What was left out of requests that were taken in, such as spans of a clock that is wrong.
    pub(crate) lost: Vec<super::status::Loss>,
    pub(crate) received: String,
    /// Who sent lately, who is new here first.
    pub(crate) senders: Vec<Sender>,
    /// How many others sent lately, how many only earlier, and where all are listed.
    pub(crate) more: usize,
    pub(crate) earlier: usize,
    pub(crate) all: String,
    pub(crate) live: String,
}

/// A service that sent something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sender {
    pub(crate) chip: super::colour::Chip,
    /// When it was last seen, or that its clock is wrong.
    pub(crate) said: String,
    pub(crate) href: String,
    pub(crate) is_off: bool,
    /// What one of its traces is called, and where that is; empty where none is known.
    pub(crate) trace: (&'static str, String),
}

/// Where senders reach this process, as seen from where the page was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Receivers {
    /// `http://host:4317` and `http://host:4318`; empty when that receiver is off.
    pub(crate) grpc: String,
    pub(crate) http: String,
    /// Whether senders on other machines, in containers and pods do not reach them.
    pub(crate) is_local: bool,
    /// What a reader on another machine must know; empty when there is nothing.
    pub(crate) note: &'static str,
}

/// Something to copy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Snippet {
    pub(crate) title: &'static str,
    pub(crate) text: String,
    pub(crate) is_open: bool,
}

// === impl Receivers ===

impl Receivers {
    /// `host` is the name by which the page was opened, without port.
    pub(crate) fn new(grpc: Option<SocketAddr>, http: Option<SocketAddr>, host: &str) -> Self {
        let is_here = is_this_machine(host);
        // Whoever opened the page by an address is shown addresses.
        let by_address = is_here && bare(host).parse::<IpAddr>().is_ok();
        let at = |addr: SocketAddr| {
            let name = match addr.ip() {
                ip if ip.is_loopback() && !by_address => "localhost".to_owned(),
                ip if ip.is_unspecified() && is_here && !by_address => "localhost".to_owned(),
                ip if ip.is_unspecified() => host.to_owned(),
                IpAddr::V6(ip) => format!("[{ip}]"),
                IpAddr::V4(ip) => ip.to_string(),
            };
            format!("http://{name}:{}", addr.port())
        };
        let is_local = [grpc, http].into_iter().flatten().any(|addr| addr.ip().is_loopback());
        Self {
            grpc: grpc.map(at).unwrap_or_default(),
            http: http.map(at).unwrap_or_default(),
            is_local,
            note: if is_local && !is_here { LOCAL_ONLY } else { "" },
        }
    }
}

/// What to copy to send a first trace.
pub(crate) fn snippets(receivers: &Receivers, now: UnixNanos) -> Vec<Snippet> {
    let (grpc, http) = (receivers.grpc.as_str(), receivers.http.as_str());
    if grpc.is_empty() && http.is_empty() {
        return Vec::new();
    }
    let mut snippets = vec![Snippet { title: "Any OpenTelemetry SDK", text: recipes::environment(grpc, http), is_open: true }];
    if !http.is_empty() {
        snippets.push(Snippet { title: "curl, right now", text: curl(http, now), is_open: true });
    }
    let closed = |(title, text)| Snippet { title, text, is_open: false };
    snippets.extend(recipes::languages(grpc, http, receivers.is_local).into_iter().map(closed));
    snippets
}

/// One span that ended now, as OTLP/JSON.
fn curl(http: &str, now: UnixNanos) -> String {
    let start = now.minus(120_000_000);
    // Ids that differ from page to page, so that each copy makes a trace of its own.
    let trace = format!("{:032x}", (u128::from(now.get()) << 64) | u128::from(now.get().rotate_left(17)));
    let span = format!("{:016x}", now.get().rotate_left(31) | 1);
    format!(
        "curl -i {http}/v1/traces -H 'Content-Type: application/json' -d '{{\n  \"resourceSpans\": [{{\n    \"resource\": {{\"attributes\": [{{\"key\": \"service.name\", \"value\": {{\"stringValue\": \"hello\"}}}}]}},\n    \"scopeSpans\": [{{\"spans\": [{{\n      \"traceId\": \"{trace}\",\n      \"spanId\": \"{span}\",\n      \"name\": \"first span\", \"kind\": 2,\n      \"startTimeUnixNano\": \"{}\",\n      \"endTimeUnixNano\": \"{}\"\n    }}]}}]\n  }}]\n}}'",
        start.get(),
        now.get()
    )
}

/// A host without the brackets of an address of IPv6.
fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

fn is_this_machine(host: &str) -> bool {
    host.is_empty() || host.eq_ignore_ascii_case("localhost") || bare(host).parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

const LOCAL_ONLY: &str = "The receivers listen on the machine of the server only. To send from other machines, start it with \
    --listen-all, or with THROUGHLINE_LISTEN_ALL=true in its environment.";

#[cfg(test)]
mod tests {
    use super::*;

    fn receivers(listen: &str, host: &str) -> Receivers {
        let http: SocketAddr = listen.parse().unwrap();
        Receivers::new(None, Some(http), host)
    }

    #[test]
    fn addresses_are_those_that_a_sender_beside_the_reader_can_reach() {
        assert_eq!(receivers("0.0.0.0:4318", "localhost").http, "http://localhost:4318");
        assert_eq!(receivers("0.0.0.0:4318", "traces.example.org").http, "http://traces.example.org:4318");
        assert_eq!(receivers("[::]:4318", "[2001:db8::1]").http, "http://[2001:db8::1]:4318");
        assert_eq!(receivers("192.0.2.7:4318", "localhost").http, "http://192.0.2.7:4318");
        let local = receivers("127.0.0.1:4318", "traces.example.org");
        assert_eq!((local.http.as_str(), local.note), ("http://localhost:4318", LOCAL_ONLY));
        assert_eq!(receivers("127.0.0.1:4318", "127.0.0.1").note, "");
        // Whoever opened the page by an address finds an address.
        assert_eq!(receivers("127.0.0.1:4318", "127.0.0.1").http, "http://127.0.0.1:4318");
        assert_eq!(receivers("0.0.0.0:4318", "127.0.0.1").http, "http://127.0.0.1:4318");
        assert_eq!(receivers("127.0.0.1:4318", "[::1]").http, "http://127.0.0.1:4318");
        assert_eq!(receivers("127.0.0.1:4318", "localhost").http, "http://localhost:4318");
    }

    #[test]
    fn recipes_for_containers_say_how_the_receivers_are_reached() {
        let containers = |listen: &str| {
            let snippets = snippets(&receivers(listen, "localhost"), UnixNanos::new(1));
            let found = snippets.into_iter().filter(|snippet| ["Docker Compose", "Kubernetes"].contains(&snippet.title));
            found.map(|snippet| snippet.text).collect::<Vec<_>>()
        };
        let local = containers("127.0.0.1:4318");
        assert!(local.len() == 2 && local.iter().all(|text| text.contains("--listen-all") && text.contains("THROUGHLINE_LISTEN_ALL=true")));
        assert!(containers("0.0.0.0:4318").iter().all(|text| !text.contains("listen-all")));
    }

    #[test]
    fn each_language_is_whole_by_itself_and_goes_by_the_protocol_that_there_is() {
        let at = |port: u16| Some(SocketAddr::from(([127, 0, 0, 1], port)));
        let of = |grpc, http| snippets(&Receivers::new(grpc, http, "localhost"), UnixNanos::new(1));
        let languages = ["Python", "Node", "Java", "Go", ".NET", "Rust", "Ruby", "PHP"];
        for (grpc, http, endpoint, protocol) in
            [(at(4317), at(4318), "http://localhost:4318", "http/protobuf"), (at(4317), None, "http://localhost:4317", "grpc")]
        {
            let found = of(grpc, http);
            for language in languages {
                let text = &found.iter().find(|snippet| snippet.title == language).unwrap().text;
                for line in [
                    format!("export OTEL_EXPORTER_OTLP_ENDPOINT={endpoint}\n"),
                    format!("export OTEL_EXPORTER_OTLP_PROTOCOL={protocol}\n"),
                    "export OTEL_SERVICE_NAME=my-service\n".to_owned(),
                ] {
                    assert!(text.contains(&line), "{language}: {text}");
                }
                assert!(!(http.is_none() && (text.contains("otlptracehttp") || text.contains("with_http"))), "{text}");
            }
        }
    }

    #[test]
    fn without_a_receiver_there_is_nothing_to_copy() {
        assert!(snippets(&Receivers::default(), UnixNanos::new(1)).is_empty());
        let http_only = receivers("127.0.0.1:4318", "localhost");
        assert!(snippets(&http_only, UnixNanos::new(1)).iter().all(|snippet| !snippet.text.contains("4317") && !snippet.text.is_empty()));
    }

    #[test]
    fn the_body_to_copy_is_valid_otlp_json_with_a_fresh_time() {
        let text = curl("http://localhost:4318", UnixNanos::new(1_795_176_202_123_456_789));
        let body = text.split("-d '").nth(1).unwrap().trim_end_matches('\'');
        let json: serde_json::Value = serde_json::from_str(body).unwrap();
        let span = &json["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
        assert_eq!(span["endTimeUnixNano"], "1795176202123456789");
        assert!(span["traceId"].as_str().unwrap().parse::<storage::TraceId>().is_ok());
        assert!(span["spanId"].as_str().unwrap().parse::<storage::SpanId>().is_ok());
    }
}
