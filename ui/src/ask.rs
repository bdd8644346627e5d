//! Typed questions that are asked in SQL: which errors there are, and which instances a service has.
//!
//! Owns the statements. Every value from outside is quoted here.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Map, Value};
use storage::{Aggregate, AggregateGroup, Measure, Measured, QueryError, Signal, SqlQuery, Store, TimeRange, UnixNanos};

use crate::view::link::term;

mod errors;
pub(crate) mod trends;

use self::errors::KIND_OF_ERROR;
pub(crate) use self::errors::{ErrorGroup, MAX_SAID, errors, first_ever, normalised};

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

/// Different messages that are read.
const MAX_MESSAGES: usize = 2_000;

/// Instances that are read.
const MAX_INSTANCES: usize = 200;

/// A page waits no longer.
const TIMEOUT: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;
    use crate::harness::{App, NOW};

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
