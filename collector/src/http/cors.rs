//! Which browser pages may send.
//!
//! A request with an origin that is not on the list is refused, not just left without headers: the body of a simple request
//! reaches a server before any preflight, and a store on a loopback address is what a foreign page would write to.

use ::http::header::{self, HeaderMap, HeaderName, HeaderValue};

use crate::error::bounded;

/// The origins that may send.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origins {
    patterns: Vec<String>,
}

/// What the list says of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// Not from a page.
    None,
    /// From a page that may send.
    Allowed(HeaderValue),
    /// From a page that may not.
    Refused(String),
}

// === impl Origins ===

impl Origins {
    pub(crate) fn new(patterns: &[String]) -> Self {
        Self { patterns: patterns.iter().map(|p| p.trim().trim_end_matches('/').to_ascii_lowercase()).collect() }
    }

    pub(super) fn decide(&self, headers: &HeaderMap) -> Decision {
        let mut origins = headers.get_all(header::ORIGIN).iter();
        let Some(value) = origins.next() else { return Decision::None };
        let origin = value.to_str().unwrap_or("?").to_ascii_lowercase();
        let known = origins.next().is_none() && origin != "null" && self.patterns.iter().any(|p| matches(p, &origin));
        if known { Decision::Allowed(value.clone()) } else { Decision::Refused(bounded(origin.escape_default().to_string(), 128)) }
    }
}

/// A `*` stands for one or more characters of a host or port, so it never reaches past the host it is part of.
fn matches(pattern: &str, origin: &str) -> bool {
    if pattern == "*" {
        return true;
    }
    let Some((start, end)) = pattern.split_once('*') else { return pattern == origin };
    let Some(rest) = origin.strip_prefix(start) else { return false };
    let is_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    let reach = rest.find(|c| !is_host(c)).unwrap_or(rest.len());
    (1..=reach).any(|taken| rest.get(taken..).is_some_and(|after| matches_rest(end, after)))
}

fn matches_rest(pattern: &str, rest: &str) -> bool {
    if pattern.contains('*') { matches(pattern, rest) } else { pattern == rest }
}

/// Adds the headers that let the page see its answer; on every status, since a page must learn of refusals too.
pub(super) fn decorate(origins: &Origins, decision: &Decision, requested: Option<HeaderValue>, headers: &mut HeaderMap) {
    if !origins.patterns.is_empty() {
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
    }
    let Decision::Allowed(origin) = decision else { return };
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    // sendBeacon sends with credentials and asks for this.
    headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("Retry-After"));
    if headers.contains_key(header::ALLOW) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST, OPTIONS"));
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("7200"));
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, allowed_headers(requested));
    }
}

/// What the page asks for, when it is a list of header names.
fn allowed_headers(requested: Option<HeaderValue>) -> HeaderValue {
    let is_list = |value: &HeaderValue| {
        value.len() <= MAX_REQUESTED_BYTES
            && value.to_str().is_ok_and(|text| text.split(',').all(|name| HeaderName::try_from(name.trim()).is_ok()))
    };
    requested.filter(is_list).unwrap_or(HeaderValue::from_static("content-type, content-encoding"))
}

const MAX_REQUESTED_BYTES: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(patterns: &[&str], origin: &str) -> bool {
        let origins = Origins::new(&patterns.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>());
        let mut headers = HeaderMap::new();
        headers.insert(header::ORIGIN, HeaderValue::from_str(origin).unwrap());
        matches!(origins.decide(&headers), Decision::Allowed(_))
    }

    #[test]
    fn no_origin_may_send_by_default() {
        assert!(!allows(&[], "https://app.example"));
    }

    #[test]
    fn a_pattern_stays_within_its_host() {
        let patterns = ["https://*.example.com", "http://localhost:*"];
        assert!(allows(&patterns, "https://app.example.com"));
        assert!(allows(&patterns, "https://a.b.example.com"));
        assert!(allows(&patterns, "http://localhost:3000"));
        for foreign in [
            "https://example.com",
            "https://example.com.evil.io",
            "https://app.example.com.evil.io",
            "https://evil.io/.example.com",
            "http://app.example.com",
            "https://app.example.com:8443",
            "http://localhost:3000.evil.io/",
            "null",
        ] {
            assert!(!allows(&patterns, foreign), "{foreign}");
        }
    }

    #[test]
    fn a_star_allows_every_origin_but_null() {
        assert!(allows(&["*"], "https://anything.example:1"));
        assert!(!allows(&["*"], "null"));
    }
}
