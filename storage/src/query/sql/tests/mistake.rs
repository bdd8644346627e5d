//! What newcomers write, where it is shown, and what they are told to write instead.

use super::*;

/// The mistake in a statement, and the piece of it that is shown.
async fn mistake(sql: &str) -> (String, ParseError) {
    match ask(sql).await {
        Err(QueryError::Parse(mistake)) => (sql[mistake.offset..mistake.offset + mistake.length].to_owned(), mistake),
        other => panic!("{sql}: {other:?}"),
    }
}

/// Each statement with the piece that is shown, words of the message, and the first suggestion.
async fn told(cases: &[(&str, &str, &str, &str)]) {
    for (sql, part, said, suggestion) in cases {
        let (piece, mistake) = mistake(sql).await;
        assert_eq!(piece, *part, "{sql}: {mistake:?}");
        assert!(mistake.message.contains(said), "{sql}: {mistake:?}");
        assert_eq!(mistake.suggestions.first().map_or("", String::as_str), *suggestion, "{sql}: {mistake:?}");
    }
}

#[tokio::test]
async fn texts_in_double_quotes_are_told_to_take_single_ones() {
    told(&[
        ("SELECT 1 FROM spans WHERE service_name = \"orders\"", "\"orders\"", "a text is written in single quotes: 'orders'", "'orders'"),
        (" SELECT 1 FROM spans WHERE name = \"it's\"", "\"it's\"", "single quotes: 'it''s'", "'it''s'"),
        ("SELECT attributes[\"order.id\"] FROM spans", "\"order.id\"", "a key is written in single quotes: 'order.id'", "'order.id'"),
        ("SELECT s.resource [ \"host.name\" ] FROM spans s", "\"host.name\"", "single quotes", "'host.name'"),
        ("SELECT attributes[order.id] FROM spans", "order.id", "a key is written in single quotes", "'order.id'"),
        ("SELECT attributes[code] FROM spans", "code", "a key is written in single quotes", "'code'"),
        ("SELECT \"Duration\" FROM spans", "\"Duration\"", "there is no column `Duration`", "duration"),
    ])
    .await;
    assert_eq!(mistake("SELECT 1 FROM spans WHERE kind = \"nam\"").await.1.suggestions, ["'nam'", "name"]);
}

#[tokio::test]
async fn attributes_written_as_paths_are_told_their_brackets() {
    told(&[
        ("SELECT attributes.order.id FROM spans", "attributes.order.id", "an attribute is written", "attributes['order.id']"),
        ("SELECT name, s.attributes.order.id FROM spans s", "attributes.order.id", "an attribute", "attributes['order.id']"),
        ("SELECT 1 FROM logs WHERE resource.host.name = 'a'", "resource.host.name", "an attribute", "resource['host.name']"),
        ("EXPLAIN SELECT attributes.a.b.c FROM logs", "attributes.a.b.c", "an attribute", "attributes['a.b.c']"),
        ("SELECT attributes->'order.id' FROM spans", "attributes->'order.id'", "an attribute", "attributes['order.id']"),
        ("SELECT s.attributes ->> 'a' FROM spans s", "attributes ->> 'a'", "an attribute", "attributes['a']"),
    ])
    .await;
    assert_eq!(json("SELECT attributes.code AS c FROM spans WHERE duration = 8").await, r#"[{"c":"208"}]"#);
}

#[tokio::test]
async fn durations_and_times_are_told_to_be_nanoseconds() {
    let nanos = "durations are numbers of nanoseconds here: 1000000000";
    told(&[
        ("SELECT 1 FROM spans WHERE duration > INTERVAL '1 second'", "INTERVAL '1 second'", nanos, "1000000000"),
        ("SELECT 1 FROM spans WHERE interval '1' SECOND < duration", "interval '1' SECOND", nanos, "1000000000"),
        ("SELECT 1 FROM spans WHERE end_time - start_time > interval 1 second", "interval 1 second", nanos, "1000000000"),
        ("SELECT 1 FROM spans WHERE duration - INTERVAL '1 s' > 0", "INTERVAL '1 s'", nanos, "1000000000"),
        ("SELECT name FROM spans GROUP BY name HAVING avg(duration) > INTERVAL '1 second'", "INTERVAL '1 second'", nanos, "1000000000"),
        (
            "SELECT 1 FROM spans WHERE duration BETWEEN INTERVAL '1 second' AND INTERVAL '1 hour'",
            "INTERVAL '1 second'",
            nanos,
            "1000000000",
        ),
        (
            "WITH w AS (SELECT duration AS d FROM spans) SELECT 1 FROM w WHERE d > INTERVAL '1 second'",
            "INTERVAL '1 second'",
            nanos,
            "1000000000",
        ),
        ("SELECT 1 FROM spans WHERE duration > INTERVAL '1 month'", "INTERVAL '1 month'", "such as 1000000000 for a second", ""),
        ("SELECT 1 FROM spans WHERE duration > '1s'", "'1s'", nanos, "1000000000"),
        ("SELECT 1 FROM spans s WHERE s.duration IN (5, '1s')", "'1s'", nanos, "1000000000"),
        ("SELECT 1 FROM spans WHERE duration BETWEEN '1000 ms' AND 5", "'1000 ms'", nanos, "1000000000"),
        ("SELECT name FROM spans GROUP BY name HAVING max(duration) > '1 second'", "'1 second'", nanos, "1000000000"),
        ("SELECT 1 FROM spans WHERE duration > 'long'", "'long'", "`long` is none", ""),
        ("SELECT 1 FROM spans WHERE duration > 1.5s", "1.5s", "1500000000", "1500000000"),
        ("SELECT 1 FROM spans WHERE duration > 1 second", "1 second", nanos, "1000000000"),
        (
            "SELECT 1 FROM spans WHERE start_time > INTERVAL '1 hour'",
            "INTERVAL '1 hour'",
            "times are compared with moments",
            "now() - INTERVAL '1 hour'",
        ),
        ("SELECT 1 FROM logs WHERE time > '1h'", "'1h'", "`1h` is no time", "now() - INTERVAL '1 hour'"),
        ("SELECT 1 FROM logs WHERE time > '-90m'", "'-90m'", "is no time", "now() - INTERVAL '90 minutes'"),
        ("SELECT 1 FROM logs WHERE time > 'yesterday'", "'yesterday'", "'2026-01-31T12:00:00Z'", ""),
        ("SELECT 1 FROM logs WHERE severity_number >= 'ERROR'", "'ERROR'", "17 to 20 for error", "17"),
    ])
    .await;
    assert_eq!(json("SELECT count(*) AS n FROM spans WHERE duration > '90'").await, r#"[{"n":10}]"#);
}

#[tokio::test]
async fn a_cast_that_was_written_is_told_as_one() {
    for sql in [
        "SELECT CAST(attributes['http.route'] AS BIGINT) FROM spans",
        "SELECT 1 FROM spans WHERE attributes['http.route'] = '/pay' AND CAST(attributes['http.route'] AS BIGINT) > 5",
    ] {
        let error = ask(sql).await.unwrap_err();
        assert!(matches!(&error, QueryError::Invalid(said) if said.starts_with("CAST met `/pay`")), "{sql}: {error:?}");
    }
}

#[tokio::test]
async fn columns_to_sort_by_have_a_place_and_their_names_here() {
    told(&[
        ("SELECT body FROM logs ORDER BY timestamp DESC", "timestamp", "there is no column `timestamp`", "time"),
        ("SELECT * FROM spans ORDER BY timestamp", "timestamp", "there is no column `timestamp`", "start_time"),
        ("SELECT name FROM spans s ORDER BY s.timestamp", "timestamp", "no column", "start_time"),
        ("SELECT DISTINCT body FROM logs ORDER BY Timestamp", "Timestamp", "no column", "time"),
        ("SELECT name, count(*) FROM spans GROUP BY name ORDER BY durtion", "durtion", "no column", "duration"),
    ])
    .await;
}
