//! Which errors there are: failed spans that say the same, by their service, type and message.
//!
//! Owns which messages are alike, and what is shown for those that are.

use std::collections::HashMap;
use std::fmt::Write as _;

use serde_json::{Map, Value};
use storage::{QueryError, Store, TimeRange, UnixNanos};

use super::{MAX_MESSAGES, number, quoted, rows, text, within};
use crate::view::link::Links;

/// Failed spans that say the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ErrorGroup {
    pub(crate) service: String,
    /// Type of the exception; empty when there was none.
    pub(crate) kind: String,
    /// The message, with `#` for its numbers and ids.
    pub(crate) message: String,
    /// The first line of the message where all of them have the same, else as above.
    pub(crate) shown: String,
    /// How many there are.
    pub(crate) count: u64,
    /// Those of them that are requests to the service, and those that are calls it makes; the others are steps within it.
    pub(crate) requests: u64,
    pub(crate) calls: u64,
    pub(crate) first: UnixNanos,
    /// When the newest of them began.
    pub(crate) last: UnixNanos,
}

impl ErrorGroup {
    /// How many failures these are at most: a request that failed and the call within it are one.
    pub(crate) fn failures(&self) -> u64 {
        self.requests.max(self.calls).max(self.count.saturating_sub(self.requests).saturating_sub(self.calls))
    }

    /// The newest of them in its trace.
    pub(crate) fn newest(&self, links: &Links) -> String {
        self.at(self.last, links)
    }

    /// The first of them in its trace.
    pub(crate) fn oldest(&self, links: &Links) -> String {
        self.at(self.first, links)
    }

    fn at(&self, began: UnixNanos, links: &Links) -> String {
        let address = links.plain("/open").with("failed", &self.service).with("at", &began.get().to_string());
        address.with("says", &self.message.chars().take(MAX_SAID).collect::<String>()).href()
    }
}

/// Failed spans of one service, or of all, by type and message, the most frequent first.
pub(crate) async fn errors(store: &Store, service: Option<&str>, range: TimeRange) -> Result<Vec<ErrorGroup>, QueryError> {
    let mut filter = format!("status = 'error' AND {}", within("start_time", range));
    if let Some(service) = service {
        // Writing to a String cannot fail.
        let _ = write!(filter, " AND service_name = {}", quoted(service));
    }
    // Ids are left out: reading them of spans that lie everywhere costs more than all the rest.
    let of_kinds = |kinds: &str| format!("sum(CASE WHEN kind IN ({kinds}) THEN 1 ELSE 0 END)");
    // Attributes are read only where one service is asked of: reading them of all takes long.
    let kind = if service.is_some() { KIND_OF_ERROR } else { "coalesce(exception_type, '')" };
    let sql = format!(
        "SELECT service_name AS service, {kind} AS kind, coalesce(exception_message, status_message, '') AS message, \
         count(*) AS n, {} AS requests, {} AS calls, min(start_time) AS first, max(start_time) AS last \
         FROM spans WHERE {filter} GROUP BY 1, 2, 3 ORDER BY n DESC",
        of_kinds("'server', 'consumer'"),
        of_kinds("'client', 'producer'")
    );
    let rows = rows(store, sql, MAX_MESSAGES).await?;
    let group = |row: &Map<String, Value>| ErrorGroup {
        service: text(row, "service"),
        kind: text(row, "kind"),
        message: normalised(&text(row, "message")),
        shown: first_line(&text(row, "message")).trim_end().to_owned(),
        count: number(row, "n"),
        requests: number(row, "requests"),
        calls: number(row, "calls"),
        first: UnixNanos::new(number(row, "first")),
        last: UnixNanos::new(number(row, "last")),
    };
    Ok(merged(rows.iter().map(group)))
}

/// Sets when each of the errors of a service was first seen of all that is kept until the end of a window. False, and nothing is set, when that
/// takes too long or there are too many to look at.
pub(crate) async fn first_ever(store: &Store, service: &str, range: TimeRange, groups: &mut [ErrorGroup]) -> bool {
    let ever = TimeRange { from: UnixNanos::new(0), ..range };
    let Ok(known) = errors(store, Some(service), ever).await else { return false };
    let first = |group: &ErrorGroup| known.iter().find(|old| old.kind == group.kind && old.message == group.message).map(|old| old.first);
    let firsts: Vec<Option<UnixNanos>> = groups.iter().map(first).collect();
    if firsts.iter().any(Option::is_none) {
        return false;
    }
    groups.iter_mut().zip(firsts).for_each(|(group, first)| group.first = first.unwrap_or(group.first).min(group.first));
    true
}

/// What kind of error it was, the best that a span says of it.
pub(super) const KIND_OF_ERROR: &str = "coalesce(exception_type, attributes['error.type'], 'HTTP ' || attributes['http.response.status_code'], \
    'HTTP ' || attributes['http.status_code'], 'gRPC status ' || attributes['rpc.grpc.status_code'], '')";

/// Groups whose messages became alike, as one.
fn merged(groups: impl Iterator<Item = ErrorGroup>) -> Vec<ErrorGroup> {
    let mut merged: Vec<ErrorGroup> = Vec::new();
    let mut places = HashMap::new();
    for group in groups {
        let key = (group.service.clone(), group.kind.clone(), group.message.clone());
        match places.get(&key).and_then(|place: &usize| merged.get_mut(*place)) {
            Some(known) => {
                known.count += group.count;
                known.requests += group.requests;
                known.calls += group.calls;
                known.first = known.first.min(group.first);
                known.last = known.last.max(group.last);
                if known.shown != group.shown {
                    known.shown.clone_from(&known.message);
                }
            }
            None => {
                places.insert(key, merged.len());
                merged.push(group);
            }
        }
    }
    merged.sort_by_key(|group| std::cmp::Reverse((group.count, group.last)));
    merged
}

fn first_line(message: &str) -> String {
    message.trim_start().lines().next().unwrap_or_default().chars().take(MAX_MESSAGE).collect()
}

/// The first line with `#` for what differs from one occurrence to the next: numbers and ids. A code alone, such as 503, is the message.
pub(crate) fn normalised(message: &str) -> String {
    let line = first_line(message);
    if line.len() <= MAX_CODE && line.bytes().all(|byte| byte.is_ascii_digit()) {
        return line;
    }
    let mut out = String::with_capacity(line.len());
    let mut word = String::new();
    for c in line.chars().chain(std::iter::once('\n')) {
        if c.is_alphanumeric() {
            word.push(c);
            continue;
        }
        let varies = word.bytes().any(|b| b.is_ascii_digit());
        if varies && !out.ends_with('#') {
            out.push('#');
        } else if !varies {
            out.push_str(&word);
        }
        word.clear();
        // Dashes and dots between numbers belong to them, as in UUIDs and addresses.
        if c != '\n' && !(out.ends_with('#') && matches!(c, '-' | '.' | ':')) {
            out.push(c);
        }
    }
    out.trim_end().to_owned()
}

/// Letters of a message by which one of several errors of the same nanosecond is known.
pub(crate) const MAX_SAID: usize = 60;

/// Digits of a code.
const MAX_CODE: usize = 5;

/// More of a message is not looked at.
const MAX_MESSAGE: usize = 300;

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use storage::Signal;

    use super::*;
    use crate::harness::{App, NOW};

    #[test]
    fn messages_that_differ_in_numbers_and_ids_are_alike() {
        for (message, expected) in [
            ("card 4242 declined for order 88123", "card # declined for order #"),
            ("timeout after 1.5s at 10.0.0.7:5432", "timeout after # at #"),
            ("user 6f9619ff-8b86-d011-b42d-00cf4fc964ff is gone\nat x", "user # is gone"),
            ("card declined", "card declined"),
            ("503", "503"),
            ("1234567", "#"),
            ("", ""),
        ] {
            assert_eq!(normalised(message), expected, "{message}");
        }
    }

    #[test]
    fn what_all_say_alike_is_shown_with_its_numbers() {
        let of = |shown: &str| ErrorGroup {
            service: String::new(),
            kind: String::new(),
            message: normalised(shown),
            shown: shown.to_owned(),
            count: 1,
            requests: 0,
            calls: 0,
            first: UnixNanos::new(1),
            last: UnixNanos::new(1),
        };
        let shown = |all: &[&str]| merged(all.iter().map(|shown| of(shown))).into_iter().map(|group| group.shown).collect::<Vec<_>>();
        assert_eq!(shown(&["timed out after 5000 ms"; 2]), ["timed out after 5000 ms"]);
        assert_eq!(shown(&["order 1 is gone", "order 2 is gone", "order 2 is gone"]), ["order # is gone"]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_request_that_failed_and_the_call_within_it_are_told_apart() {
        let app = App::empty().await;
        app.append(Signal::Traces, crate::harness::failing_chain().encode_to_vec()).await;
        let all = TimeRange { from: UnixNanos::new(0), to: UnixNanos::new(NOW) };
        let found = errors(app.store(), Some("checkout"), all).await.unwrap();
        assert_eq!((found.len(), found[0].count, found[0].requests, found[0].calls, found[0].failures()), (1, 2, 1, 1, 1));
        let page = app.get("/services/checkout?tab=errors&from=0").await.text();
        for cell in ["Requests\">1<", "Calls\">1<", "Steps\">0<"] {
            assert!(page.contains(&format!("data-label=\"{cell}")), "{cell}: {page}");
        }
        let href = page.split("/open?").nth(1).and_then(|rest| rest.split('"').next()).unwrap().replace("&#38;", "&");
        let answer = app.get(&format!("/open?{href}")).await;
        assert_eq!(answer.header("location"), format!("/trace/{}?span=00f067aa0ba902b7#s00f067aa0ba902b7", crate::harness::TRACE));
        let first = page.split("data-label=\"First\"><a href=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
        assert_eq!(first.replace("&#38;", "&"), format!("/open?failed=checkout&at={}", found[0].first.get()), "it says nothing");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_failure_without_a_message_says_the_best_that_its_attributes_say() {
        let app = App::empty().await;
        for (number, key, value) in
            [(1, "error.type", "Timeout"), (2, "http.response.status_code", "503"), (3, "rpc.grpc.status_code", "14"), (4, "other", "x")]
        {
            let mut sent = crate::harness::requests(&[(number, 60, 1, true)]);
            let span = &mut sent.resource_spans[0].scope_spans[0].spans[0];
            span.attributes.push(crate::harness::attribute(key, crate::harness::text(value)));
            app.append(Signal::Traces, sent.encode_to_vec()).await;
        }
        let page = app.get("/services/checkout?tab=errors").await.text();
        for said in ["Timeout", "HTTP 503", "gRPC status 14"] {
            assert!(page.contains(said), "{said}: {page}");
        }
        assert_eq!(page.matches("(says nothing of why)").count(), 1, "{page}");
    }
}
