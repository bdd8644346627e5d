//! What a pasted text names: a page of this server, a trace, a span, or words to search for.

use storage::{SpanId, TraceId};

/// What a text is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Trace(TraceId, Option<SpanId>),
    /// Sixteen digits: a span, or a trace of an older tracer.
    Span(SpanId),
    /// Digits of an id, too few or too many.
    Digits(String),
    /// As many digits as lists show of an id, or more; a number or a word may look the same.
    Beginning(String),
    Text(String),
}

/// What follows the host in a link to a page of this server, where `base` is what its pages begin with.
pub(super) fn own_path<'a>(text: &'a str, host: &str, base: &str) -> Option<&'a str> {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"))?;
    let (authority, path) = rest.split_at(rest.find('/')?);
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    let named = authority.rsplit_once(':').filter(|(_, port)| is_port(port)).map_or(authority, |(host, _)| host);
    let is_below = path.strip_prefix(base).is_some_and(|rest| rest.starts_with('/') && !rest.starts_with("/open"));
    // Two slashes, or what browsers take for one, would begin the name of another host.
    let is_plain = !path.starts_with("//") && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    (!host.is_empty() && named.eq_ignore_ascii_case(host) && is_below && is_plain).then_some(path)
}

/// A path without host, or a link to a list of a server like this one under another name, as a path of this one. What leads to a trace is found
/// by its id.
pub(super) fn like_own<'a>(text: &'a str, base: &str) -> Option<&'a str> {
    let after_host = || text.split_once("://").and_then(|(_, rest)| rest.get(rest.find('/')?..));
    let is_path = text.starts_with('/');
    let path = if is_path { text } else { after_host()? };
    let path = path.strip_prefix(base).filter(|rest| rest.starts_with('/')).unwrap_or(path);
    let is_plain = !path.starts_with("//") && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let (page, query) = path.split_once('?').unwrap_or((path, ""));
    let has_ours = query.split('&').any(|pair| pair.split_once('=').is_some_and(|(name, _)| OUR_PARAMS.contains(&name)));
    let first = page.trim_start_matches('/').split('/').next().unwrap_or_default();
    (is_plain && OUR_PAGES.contains(&first) && (has_ours || is_path)).then_some(path)
}

/// Pages whose addresses say what they show, and what only they are asked with.
const OUR_PAGES: [&str; 7] = ["logs", "traces", "services", "map", "query", "compare", "s"];
const OUR_PARAMS: [&str; 9] = ["q", "sql", "from", "row", "a", "b", "caller", "focus", "tab"];

// === impl Target ===

impl Target {
    pub(super) fn of(text: &str) -> Self {
        if let Some(id) = spelled(text) {
            return Self::Trace(id, None);
        }
        // Links and traceparents hold ids between other signs; the first of each length counts.
        let runs: Vec<&str> = text.split(|c: char| !c.is_ascii_hexdigit()).filter(|run| matches!(run.len(), 16 | 32)).collect();
        // What tracers write between and around ids, and nothing else: `traceparent: 00-…`, `b3: …-…-1`, `trace_id=…`, `"traceId":"…"`.
        let is_labelled = LABELS.iter().any(|label| begins(text, label));
        let is_link = text.contains("://") || text.starts_with('/') || is_ids(text) || is_labelled;
        let trace = runs.iter().filter(|run| run.len() == 32).find_map(|run| run.parse::<TraceId>().ok());
        let span = runs.iter().filter(|run| run.len() == 16).find_map(|run| run.parse::<SpanId>().ok());
        match (trace, span) {
            (Some(trace), span) if is_link || runs.first() == Some(&text) => Self::Trace(trace, span),
            (None, Some(span)) if runs.first() == Some(&text) => Self::Span(span),
            (None, None) if is_part_of_id(text) => Self::Digits(text.to_owned()),
            (None, None) if (SHOWN_DIGITS..16).contains(&text.len()) && is_hex(text) => Self::Beginning(text.to_owned()),
            _ => Self::Text(text.to_owned()),
        }
    }
}

/// A trace id as a UUID, after `0x`, or as AWS X-Ray writes it: `1-5759e988-bd862e3fe1be46a994272793`.
fn spelled(text: &str) -> Option<TraceId> {
    let text = text.strip_prefix("Root=").unwrap_or(text).trim_matches(['"', '\'', '{', '}']);
    let groups: Vec<usize> = text.split('-').map(str::len).collect();
    let digits = match groups.as_slice() {
        [8, 4, 4, 4, 12] => text.replace('-', ""),
        [1, 8, 24] => text.get(2..)?.replace('-', ""),
        [34] => text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))?.to_owned(),
        _ => return None,
    };
    (digits.len() == 32).then(|| digits.parse().ok()).flatten()
}

/// Ids and the flags between them, as headers carry them: `00-…-…-01`, `…-…-1`, `…:…:0:1`.
fn is_ids(text: &str) -> bool {
    let parts: Vec<&str> = text.split(['-', ':']).collect();
    let are_digits = parts.iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_hexdigit()));
    are_digits && parts.len() > 1 && parts.iter().take(2).any(|part| part.len() == 32)
}

/// Whether a text is a label with what follows it.
fn begins(text: &str, label: &str) -> bool {
    let text = text.trim_start_matches(['"', '\'', '{', ' ']);
    let Some((word, rest)) = text.split_at_checked(label.len()) else { return false };
    word.eq_ignore_ascii_case(label) && rest.trim_start_matches(['"', '\'', ' ']).starts_with([':', '='])
}

/// What names an id in headers and log lines. `trace:` is of the query language.
const LABELS: [&str; 9] =
    ["traceparent", "b3", "uber-trace-id", "x-b3-traceid", "trace_id", "traceid", "trace.id", "trace-id", "dd.trace_id"];

/// Hexadecimal digits in a number that no word has, and no id.
fn is_part_of_id(text: &str) -> bool {
    text.len() > 16 && text.len() != 32 && text.len() < 64 && is_hex(text)
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Digits of a trace id that lists show.
const SHOWN_DIGITS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn ids_traceparents_and_links_lead_to_the_trace() {
        let trace: TraceId = TRACE.parse().unwrap();
        let span: SpanId = "00f067aa0ba902b7".parse().unwrap();
        assert_eq!(Target::of(TRACE), Target::Trace(trace, None));
        assert_eq!(Target::of(&format!("00-{TRACE}-00f067aa0ba902b7-01")), Target::Trace(trace, Some(span)));
        assert_eq!(Target::of(&format!("http://x:16686/trace/{TRACE}?span=00f067aa0ba902b7")), Target::Trace(trace, Some(span)));
        assert_eq!(Target::of("00f067aa0ba902b7"), Target::Span(span));
    }

    #[test]
    fn ids_are_known_in_the_spellings_of_tracers() {
        let trace: TraceId = TRACE.parse().unwrap();
        let span: SpanId = "00f067aa0ba902b7".parse().unwrap();
        for text in [
            "4bf92f35-77b3-4da6-a3ce-929d0e0e4736",
            "{4BF92F35-77B3-4DA6-A3CE-929D0E0E4736}",
            "4BF92F3577B34DA6A3CE929D0E0E4736",
            "0x4bf92f3577b34da6a3ce929d0e0e4736",
            "1-4bf92f35-77b34da6a3ce929d0e0e4736",
            "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736",
            "trace_id=4bf92f3577b34da6a3ce929d0e0e4736",
            "\"traceId\": \"4bf92f3577b34da6a3ce929d0e0e4736\"",
        ] {
            assert_eq!(Target::of(text), Target::Trace(trace, None), "{text}");
        }
        for text in [
            format!("traceparent: 00-{TRACE}-00f067aa0ba902b7-01"),
            format!("{TRACE}-00f067aa0ba902b7-1"),
            format!("uber-trace-id: {TRACE}:00f067aa0ba902b7:0:1"),
            format!("{TRACE}:00f067aa0ba902b7:0:1"),
        ] {
            assert_eq!(Target::of(&text), Target::Trace(trace, Some(span)), "{text}");
        }
    }

    #[test]
    fn lists_of_a_server_like_this_one_open_here_and_other_links_are_searched_for() {
        let path = |text| like_own(text, "/tl");
        assert_eq!(path("https://elsewhere.test/logs?q=trace%3Aabc&from=1"), Some("/logs?q=trace%3Aabc&from=1"));
        assert_eq!(path("https://elsewhere.test/tl/query?sql=SELECT%201"), Some("/query?sql=SELECT%201"));
        assert_eq!(path("/services/cart"), Some("/services/cart"));
        for other in [
            "https://shop.test/services/cart",
            "https://shop.test/logs",
            "//elsewhere.test/logs?q=a",
            "/api/v1/traces?q=a",
            "/open?id=x",
            "/preferences?theme=dark",
            "https://shop.test//logs?q=a",
            "/logs?q=a b",
            "shop.test/logs?q=a",
        ] {
            assert_eq!(path(other), None, "{other}");
        }
    }

    #[test]
    fn links_to_pages_of_this_server_are_followed_and_no_others() {
        let path = |text| own_path(text, "tl.test", "/tl");
        assert_eq!(path("http://tl.test:16686/tl/logs?q=a%20b&from=now-1h"), Some("/tl/logs?q=a%20b&from=now-1h"));
        assert_eq!(path("https://TL.test/tl/map#edge"), Some("/tl/map#edge"));
        for other in [
            "http://other.test/tl/logs",
            "http://tl.test/elsewhere",
            "http://tl.test//other.test/tl",
            "http://tl.test/tl/open?id=x",
            "tl.test/tl/logs",
            "http://tl.test",
        ] {
            assert_eq!(path(other), None, "{other}");
        }
        assert_eq!(own_path("http://tl.test//other.test", "tl.test", ""), None);
        assert_eq!(own_path("http://tl.test/\\other.test", "tl.test", ""), None);
        assert_eq!(own_path("http:///logs", "", ""), None);
    }

    #[test]
    fn digits_of_another_number_are_a_part_of_an_id() {
        for text in [&TRACE[1..], &TRACE[..17], &format!("{TRACE}0")] {
            assert_eq!(Target::of(text), Target::Digits(text.to_owned()));
        }
        assert_eq!(Target::of("facade"), Target::Text("facade".to_owned()));
        assert_eq!(Target::of("4BF92F35"), Target::Beginning("4BF92F35".to_owned()));
        assert_eq!(Target::of("4bf92f3"), Target::Text("4bf92f3".to_owned()));
    }

    #[test]
    fn queries_stay_queries() {
        for text in [
            "service:cart",
            "status:error duration>1s",
            &format!("trace:{TRACE} status:error"),
            &format!("trace:{TRACE}"),
            "00000000000000000000000000000000",
        ] {
            assert_eq!(Target::of(text), Target::Text(text.to_owned()), "{text}");
        }
    }
}
