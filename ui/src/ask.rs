//! Typed questions that are asked in SQL: which errors there are, and which instances a service has.
//!
//! Owns the statements. Every value from outside is quoted here.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Map, Value};
use storage::{Aggregate, AggregateGroup, Measure, Measured, QueryError, Signal, SqlQuery, Store, TimeRange, UnixNanos};

use crate::view::link::{Links, term};

pub(crate) mod trends;

/// Failed spans that say the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ErrorGroup {
    pub(crate) service: String,
    /// Type of the exception; empty when there was none.
    pub(crate) kind: String,
    /// The message, with `#` for its numbers and ids.
    pub(crate) message: String,
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

/// A running copy of a service, as its resource describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Instance {
    pub(crate) id: String,
    pub(crate) version: String,
    pub(crate) host: String,
    /// Language and version of the SDK.
    pub(crate) sdk: String,
    pub(crate) spans: u64,
    pub(crate) errors: u64,
    pub(crate) first: UnixNanos,
    pub(crate) last: UnixNanos,
}

/// A service with the SDK that it sends by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sender {
    pub(crate) service: String,
    pub(crate) sdk: String,
    pub(crate) spans: u64,
    /// When the service was last seen.
    pub(crate) last: UnixNanos,
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
const KIND_OF_ERROR: &str = "coalesce(exception_type, attributes['error.type'], 'HTTP ' || attributes['http.response.status_code'], \
    'HTTP ' || attributes['http.status_code'], 'gRPC status ' || attributes['rpc.grpc.status_code'], '')";

/// Instances of a service, the busiest first.
pub(crate) async fn instances(store: &Store, service: &str, range: TimeRange) -> Result<Vec<Instance>, QueryError> {
    let sql = format!(
        "SELECT coalesce(resource['service.instance.id'], '') AS id, coalesce(resource['service.version'], '') AS version, \
         coalesce(resource['host.name'], '') AS host, coalesce(resource['telemetry.sdk.language'], '') AS language, \
         coalesce(resource['telemetry.sdk.version'], '') AS sdk, count(*) AS n, \
         sum(CASE WHEN status = 'error' THEN 1 ELSE 0 END) AS errors, min(start_time) AS first, max(start_time) AS last \
         FROM spans WHERE service_name = {} AND {} GROUP BY 1, 2, 3, 4, 5 ORDER BY n DESC",
        quoted(service),
        within("start_time", range)
    );
    let instance = |row: &Map<String, Value>| Instance {
        id: text(row, "id"),
        version: text(row, "version"),
        host: text(row, "host"),
        sdk: format!("{} {}", text(row, "language"), text(row, "sdk")).trim().to_owned(),
        spans: number(row, "n"),
        errors: number(row, "errors"),
        first: UnixNanos::new(number(row, "first")),
        last: UnixNanos::new(number(row, "last")),
    };
    Ok(rows(store, sql, MAX_INSTANCES).await?.iter().map(instance).collect())
}

/// Versions of a service by when each was first seen in the window; nothing while there is but one, which the dictionaries of resources say
/// without reading rows.
pub(crate) async fn versions(store: &Store, service: &str, range: TimeRange) -> Result<Vec<(String, UnixNanos)>, QueryError> {
    let known = store.facets(Signal::Traces, &term("service", service), range, "resource.service.version", 2).await?;
    if known.values.len() < 2 {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT resource['service.version'] AS version, min(start_time) AS first FROM spans \
         WHERE service_name = {} AND {} AND resource['service.version'] IS NOT NULL GROUP BY 1 ORDER BY first",
        quoted(service),
        within("start_time", range)
    );
    let version = |row: &Map<String, Value>| (text(row, "version"), UnixNanos::new(number(row, "first")));
    Ok(rows(store, sql, MAX_INSTANCES).await?.iter().map(version).collect())
}

/// Who sent spans, by service and SDK, the busiest first. What is counted lies in the dictionaries of resources: no row is made.
pub(crate) async fn senders(store: &Store, range: TimeRange) -> Result<Vec<Sender>, QueryError> {
    let asked = Aggregate {
        signal: Signal::Traces,
        query: String::new(),
        range,
        group_by: ["service", "resource.telemetry.sdk.language", "resource.telemetry.sdk.version"].map(str::to_owned).to_vec(),
        measures: vec![Measure::Count],
        step: None,
        limit: MAX_INSTANCES,
    };
    let (counted, services) = tokio::join!(store.aggregate(asked), store.services(range, 1));
    let last: HashMap<String, UnixNanos> = services?.into_iter().map(|service| (service.name, service.last_seen)).collect();
    let sender = |group: &AggregateGroup| {
        let [service, language, sdk] = &group.values[..] else { return None };
        let service = service.clone()?;
        let sdk = [language, sdk].into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(" ");
        let spans = match group.parts.first()?.first()? {
            Measured::Count(spans) => *spans,
            _ => 0,
        };
        Some(Sender { last: last.get(&service).copied().unwrap_or(range.from), service, sdk, spans })
    };
    Ok(counted?.groups.iter().filter(|group| !group.is_other).filter_map(sender).collect())
}

/// The namespace of every service that names one.
pub(crate) async fn namespaces(store: &Store, range: TimeRange) -> Result<HashMap<String, String>, QueryError> {
    let sql = format!(
        "SELECT service_name AS service, max(coalesce(resource['service.namespace'], '')) AS namespace FROM spans WHERE {} GROUP BY 1",
        within("start_time", range)
    );
    let pair = |row: &Map<String, Value>| (text(row, "service"), text(row, "namespace"));
    let named = rows(store, sql, MAX_MESSAGES).await?;
    Ok(named.iter().map(pair).filter(|(_, namespace)| !namespace.is_empty()).collect())
}

/// A text as SQL takes it.
pub(crate) fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

/// A condition on a column of times.
pub(crate) fn within(column: &str, range: TimeRange) -> String {
    let bounded = |time: UnixNanos| time.get().min(i64::MAX.unsigned_abs());
    format!("{column} >= {} AND {column} < {}", bounded(range.from), bounded(range.to))
}

async fn rows(store: &Store, sql: String, max_rows: usize) -> Result<Vec<Map<String, Value>>, QueryError> {
    Ok(store.sql(SqlQuery { sql, max_rows, timeout: TIMEOUT }).await?.rows)
}

fn text(row: &Map<String, Value>, name: &str) -> String {
    row.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Whole numbers beyond 2^53 come as text.
fn number(row: &Map<String, Value>, name: &str) -> u64 {
    match row.get(name) {
        Some(Value::String(text)) => text.parse().unwrap_or(0),
        Some(value) => value.as_u64().unwrap_or(0),
        None => 0,
    }
}

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

/// The first line with `#` for what differs from one occurrence to the next: numbers and ids.
pub(crate) fn normalised(message: &str) -> String {
    let line: String = message.trim_start().lines().next().unwrap_or_default().chars().take(MAX_MESSAGE).collect();
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

/// Different messages that are read.
const MAX_MESSAGES: usize = 2_000;

/// Instances that are read.
const MAX_INSTANCES: usize = 200;

/// More of a message is not looked at.
const MAX_MESSAGE: usize = 300;

/// A page waits no longer.
const TIMEOUT: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;
    use crate::harness::{App, NOW};

    #[test]
    fn messages_that_differ_in_numbers_and_ids_are_alike() {
        for (message, expected) in [
            ("card 4242 declined for order 88123", "card # declined for order #"),
            ("timeout after 1.5s at 10.0.0.7:5432", "timeout after # at #"),
            ("user 6f9619ff-8b86-d011-b42d-00cf4fc964ff is gone\nat x", "user # is gone"),
            ("card declined", "card declined"),
            ("", ""),
        ] {
            assert_eq!(normalised(message), expected, "{message}");
        }
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
    async fn a_version_that_comes_is_told_and_marked_and_one_alone_is_not() {
        let app = App::empty().await;
        let version = |number: u8, age: u64, version: &str| {
            let mut sent = crate::harness::requests(&[(number, age, 1, number == 2)]);
            let resource = sent.resource_spans[0].resource.as_mut().unwrap();
            resource.attributes.push(crate::harness::attribute("service.version", crate::harness::text(version)));
            sent.encode_to_vec()
        };
        let all = TimeRange { from: UnixNanos::new(0), to: UnixNanos::new(NOW) };
        app.append(Signal::Traces, version(1, 1_500, "1.0")).await;
        assert!(versions(app.store(), "checkout", all).await.unwrap().is_empty());
        app.append(Signal::Traces, version(2, 900, "1.1")).await;
        let at = |age: u64| UnixNanos::new(NOW - age * 1_000_000_000);
        let found = versions(app.store(), "checkout", all).await.unwrap();
        assert_eq!(found, [("1.0".to_owned(), at(1_500)), ("1.1".to_owned(), at(900))]);
        let page = app.get("/services/checkout?tab=errors").await.text();
        assert!(page.contains("Version 1.1 first seen"), "{page}");
        assert_eq!(page.matches("class=\"mark\" x1=\"75\"").count() + page.matches("class=\"mark\" x1=\"75%\"").count(), 3, "{page}");
        assert!(page.contains("Failed spans"), "{page}");
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

    #[tokio::test(flavor = "multi_thread")]
    async fn errors_are_grouped() {
        let app = App::filled().await;
        let all = TimeRange { from: UnixNanos::new(0), to: UnixNanos::new(NOW) };
        let found = errors(app.store(), Some("checkout"), all).await.unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].message.as_str(), found[0].count), ("card declined", 1));
        assert_eq!((found[0].requests, found[0].calls), (1, 0));
        for hostile in ["x' OR '1'='1", "\\'; --", "'"] {
            assert!(errors(app.store(), Some(hostile), all).await.unwrap().is_empty(), "{hostile}");
        }
        let instances = instances(app.store(), "checkout", all).await.unwrap();
        assert_eq!((instances.len(), instances[0].spans, instances[0].errors), (1, 2, 1));
        assert!(namespaces(app.store(), all).await.unwrap().is_empty(), "none names one");
        let senders = senders(app.store(), all).await.unwrap();
        assert_eq!((senders.len(), senders[0].service.as_str(), senders[0].spans), (2, "checkout", 2));
    }
}
