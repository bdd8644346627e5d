//! The way back to the page of logs or the trace that a trace was opened from, beside its list.

use super::Scene;
use crate::params::Params;
use crate::view::format;

/// Where the reader came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Back {
    pub(crate) label: String,
    /// What was asked for there; empty for nothing.
    pub(crate) query: String,
    pub(crate) href: String,
}

/// Whether an address is one that leads back: a page of logs or a trace of this site.
pub(super) fn is_way(address: &str) -> bool {
    let path = address.split(['?', '#']).next().unwrap_or_default();
    let is_trace = path.strip_prefix("/trace/").is_some_and(|id| !id.is_empty() && id.chars().all(|c| c.is_ascii_hexdigit()));
    address.len() <= MAX_WAY && (is_trace || path == "/logs") && !address.chars().any(char::is_control)
}

/// The address of this page as others name it on their way back; empty when it is too long for that.
pub(super) fn way(scene: &Scene) -> String {
    let here = scene.here().with("via", "").href();
    let span = scene.wanted.span.map(|span| format!("#s{span}")).unwrap_or_default();
    here.strip_prefix(scene.links.base()).map(|here| format!("{here}{span}")).filter(|way| is_way(way)).unwrap_or_default()
}

/// Where the reader came from, if the address says so.
pub(crate) fn back(scene: &Scene) -> Option<Back> {
    let via = &scene.wanted.via;
    let (path, rest) = via.split_once('?').unwrap_or((via, ""));
    let label = match path.strip_prefix("/trace/") {
        Some(id) => format!("Trace {}", id.chars().take(8).collect::<String>()),
        None if path.is_empty() => return None,
        None => "Logs".to_owned(),
    };
    let asked = Params::parse(rest.split('#').next().unwrap_or_default());
    Some(Back { label, query: format::line(asked.get("q").unwrap_or_default(), 80), href: scene.links.plain(via).href() })
}

/// Bytes of an address that leads back.
const MAX_WAY: usize = 2_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_logs_and_traces_of_this_site_are_ways_back() {
        for way in ["/logs", "/logs?q=a%20b#r5", "/trace/00ab?span=1#s1"] {
            assert!(is_way(way), "{way}");
        }
        for other in [
            "",
            "/",
            "//evil.example/trace/1",
            "https://evil.example/logs",
            "/logsx",
            "/trace/",
            "/trace/../sql",
            "/logs\n",
            "javascript:1",
        ] {
            assert!(!is_way(other), "{other}");
        }
        assert!(!is_way(&format!("/logs?q={}", "x".repeat(2_000))));
    }
}
