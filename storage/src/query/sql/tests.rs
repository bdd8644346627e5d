use super::super::fixtures;
use super::super::question::ParseError;
use super::*;
use crate::metrics::Registry;
use crate::model::{KeyValue, Span, SpanKind, StatusCode, Value};

mod advice;
mod bounds;
mod exact;
mod exceptions;
mod meaning;
mod mistake;
mod subqueries;
mod typed;

async fn ask(sql: &str) -> Result<SqlAnswer, QueryError> {
    ask_with(sql, 1_000, 1 << 28).await
}

async fn ask_with(sql: &str, max_rows: usize, memory: usize) -> Result<SqlAnswer, QueryError> {
    let folder = tempfile::tempdir().unwrap();
    let mut spans: Vec<Span> =
        (1..=100).map(|i| fixtures::span(i / 10, i, 0, if i % 4 == 0 { "api" } else { "cart" }, "x", 1_000 + i, i)).collect();
    for (i, span) in (1_i64..).zip(&mut spans) {
        span.kind = SpanKind::Server;
        span.attributes = vec![fixtures::text("http.route", "/pay"), KeyValue { key: "code".to_owned(), value: Value::Int(200 + i) }];
        if i == 7 {
            span.status.code = StatusCode::Error;
        }
    }
    let mut snapshot = fixtures::snapshot(
        folder.path(),
        Signal::Traces,
        spans[50..].chunks(9).map(fixtures::spans).collect(),
        vec![vec![fixtures::spans(&spans[..50])]],
    );
    let mut record = fixtures::log(1, "api", "it broke", 5);
    record.trace_id = Some(fixtures::trace_id(1));
    record.severity_number = 17;
    snapshot.logs.buffered.push(fixtures::logs(&[record]));
    let mut config = Config::new(folder.path().to_owned());
    config.query_memory_bytes = memory;
    let engine = Engine::new(&config, &Registry::default());
    let query = SqlQuery { sql: sql.to_owned(), max_rows, timeout: Duration::from_secs(20) };
    engine.sql(Arc::new(snapshot), query).await
}

async fn json(sql: &str) -> String {
    let answer = ask(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    serde_json::to_string(&answer.rows).unwrap()
}

#[tokio::test]
async fn both_tables_answer_over_memory_and_segments() {
    assert_eq!(json("SELECT count(*) AS n FROM spans").await, r#"[{"n":100}]"#);
    let sql = "SELECT service_name, count(*) AS n, max(duration) AS d FROM spans WHERE start_time > 1010 GROUP BY service_name ORDER BY n";
    assert_eq!(
        json(sql).await,
        r#"[{"service_name":"api","n":23,"d":100},{"service_name":"cart","n":67,"d":99}]"#
            .replace("\"service_name\":\"api\",\"n\":23,\"d\":100", "\"d\":100,\"n\":23,\"service_name\":\"api\"")
            .replace("\"service_name\":\"cart\",\"n\":67,\"d\":99", "\"d\":99,\"n\":67,\"service_name\":\"cart\"")
    );
    assert_eq!(json("SELECT count(*) AS n FROM spans WHERE start_time BETWEEN 1001 AND 1010").await, r#"[{"n":10}]"#);
    assert_eq!(json("SELECT kind, status FROM spans WHERE status = 'error'").await, r#"[{"kind":"server","status":"error"}]"#);
    assert_eq!(json("SELECT severity, body FROM logs").await, r#"[{"body":"it broke","severity":"error"}]"#);
    let sql = format!("SELECT span_id FROM spans WHERE trace_id = '{}' ORDER BY start_time LIMIT 1", fixtures::trace_id(2));
    assert_eq!(json(&sql).await, r#"[{"span_id":"0000000000000014"}]"#);
    let sql = "SELECT count(*) AS n FROM spans s JOIN logs l ON s.trace_id = l.trace_id WHERE l.severity = 'error'";
    assert_eq!(json(sql).await, r#"[{"n":10}]"#);
}

#[tokio::test]
async fn times_can_be_compared_with_moments() {
    let all = json("SELECT count(*) AS n FROM spans").await;
    for condition in [
        "start_time < now()",
        "start_time < now() - INTERVAL '1 hour'",
        "start_time < CURRENT_TIMESTAMP",
        "start_time >= '1970-01-01T00:00:00Z'",
        "start_time < TIMESTAMP '2000-01-01 00:00:00'",
        "start_time BETWEEN TIMESTAMP '1970-01-01 00:00:00' AND now()",
        "date_trunc('day', now()) > end_time",
    ] {
        assert_eq!(json(&format!("SELECT count(*) AS n FROM spans WHERE {condition}")).await, all, "{condition}");
    }
    assert_eq!(json("SELECT count(*) AS n FROM spans WHERE start_time > now()").await, r#"[{"n":0}]"#);
}

#[tokio::test]
async fn moments_can_be_computed_of_times() {
    let all = json("SELECT count(*) AS n FROM spans").await;
    for condition in [
        "end_time <= start_time + INTERVAL '1 hour'",
        "EXTRACT(YEAR FROM start_time) = 1970",
        "date_part('hour', s.start_time) = 0",
        "s.start_time::timestamp < '2000-01-01T00:00:00Z'",
        "to_char(start_time, '%Y') = '1970'",
    ] {
        assert_eq!(json(&format!("SELECT count(*) AS n FROM spans s WHERE {condition}")).await, all, "{condition}");
    }
    let sql =
        "SELECT date_bin(INTERVAL '1 minute', start_time) AS minute, date_trunc('hour', min(start_time)) AS hour FROM spans GROUP BY 1";
    assert_eq!(json(sql).await, r#"[{"hour":"1970-01-01T00:00:00Z","minute":"1970-01-01T00:00:00Z"}]"#);
}

#[tokio::test]
async fn attributes_are_texts_by_key() {
    let sql =
        "SELECT attributes['http.route'] AS route, count(*) AS n FROM spans WHERE CAST(attributes['code'] AS BIGINT) > 290 GROUP BY 1";
    assert_eq!(json(sql).await, r#"[{"n":10,"route":"/pay"}]"#);
    assert_eq!(json("SELECT resource['service.name'] AS s FROM spans WHERE duration = 8").await, r#"[{"s":"api"}]"#);
    assert_eq!(json("SELECT attributes['none'] AS a FROM spans WHERE duration = 8").await, r#"[{"a":null}]"#);
    assert_eq!(json("SELECT attributes FROM spans WHERE duration = 8").await, r#"[{"attributes":{"code":"208","http.route":"/pay"}}]"#);
}

#[tokio::test]
async fn tables_and_columns_can_be_listed() {
    let tables = json("SHOW TABLES").await;
    assert!(tables.contains("spans") && tables.contains("logs"), "{tables}");
    assert!(json("DESCRIBE spans").await.contains("attributes"));
    assert!(json("EXPLAIN SELECT * FROM spans WHERE service_name = 'api'").await.contains("plan"));
}

#[tokio::test]
async fn nothing_can_be_changed_or_reached_outside() {
    for sql in [
        "DROP TABLE spans",
        "SHOW ALL",
        "CREATE TABLE x AS SELECT 1",
        "CREATE EXTERNAL TABLE x STORED AS PARQUET LOCATION '/etc/passwd'",
        "COPY (SELECT 1) TO '/tmp/x.csv'",
        "INSERT INTO spans SELECT * FROM spans",
        "DELETE FROM spans",
        "SET datafusion.execution.batch_size = 1",
        "EXPLAIN ANALYZE INSERT INTO spans SELECT * FROM spans",
        "SELECT * FROM '/etc/passwd'",
        "SELECT 1; SELECT 2",
        "SELEC 1",
        "",
        "SELECT nope FROM spans",
    ] {
        let error = ask(sql).await.expect_err(sql);
        assert!(matches!(error, QueryError::Invalid(_) | QueryError::Parse(_)), "{sql}: {error:?}");
        assert!(!error.to_string().contains('\n'), "{error}");
    }
}

#[tokio::test]
async fn statements_that_would_change_something_and_second_ones_are_said_to_be_such() {
    for (sql, offset, length, part) in [
        ("INSERT spans", 0, 6, "only SELECT, EXPLAIN, SHOW TABLES and DESCRIBE"),
        ("  INSERT INTO spans VALUES (1", 2, 6, "only SELECT"),
        ("-- all of it\nDELETE FROM spans", 13, 6, "nothing can be changed by SQL"),
        ("SELECT 1; SELECT 2", 10, 6, "a second statement begins here"),
        ("SELECT ';' ;; DROP TABLE spans", 14, 4, "a second statement begins here"),
    ] {
        match ask(sql).await {
            Err(QueryError::Parse(error)) => {
                assert_eq!((error.offset, error.length), (offset, length), "{sql}: {error:?}");
                assert!(error.message.contains(part), "{sql}: {error:?}");
            }
            other => panic!("{sql}: {other:?}"),
        }
    }
    assert!(ask("SELECT 1; ; -- no more\n").await.is_ok());
}

#[tokio::test]
async fn a_mistake_is_shown_where_it_is_with_what_may_have_been_meant() {
    // The statement, the part that is wrong, a word of the message, and the best suggestion.
    let cases = [
        ("  SELECT naem FROM spans", "naem", "no column `naem`", "name"),
        ("SELECT count(*)\nFROM spans\nWHERE \"Duration\" > 1", "\"Duration\"", "no column", "duration"),
        ("SELECT 'ä', s.servicename FROM spans s", "servicename", "no column", "service_name"),
        ("SELECT http.route FROM spans", "http.route", "attributes['http.route']", "attributes['http.route']"),
        ("SELECT 1 FROM spans WHERE host.name = 'a'", "host.name", "resource['host.name']", "resource['host.name']"),
        ("SELECT service.name FROM spans", "service.name", "no column", "service_name"),
        ("SELECT timestamp FROM logs", "timestamp", "no column `timestamp`", "time"),
        ("SELECT timestamp FROM spans", "timestamp", "no column `timestamp`", "start_time"),
        ("SELECT Service, count(*) FROM spans GROUP BY 1", "Service", "no column", "service_name"),
        ("SELECT message FROM logs", "message", "no column `message`", "body"),
        ("SELECT 1 FROM otel_traces", "otel_traces", "no table `otel_traces`", "spans"),
        ("SELECT quantile(duration, 0.9) FROM spans", "quantile", "no function `quantile`", "approx_percentile_cont"),
        ("SELECT cuont(*) FROM spans", "cuont", "no function `cuont`", "count"),
        ("SELECT xyzzyx(name) FROM spans", "xyzzyx", "no function `xyzzyx`", ""),
        ("SELECT nothing_like_it FROM spans", "nothing_like_it", "DESCRIBE", ""),
        ("SELECT 1 FROM span", "span", "no table `span`; SHOW TABLES", "spans"),
        ("SELECT uper(name) FROM spans", "uper", "no function `uper`", "upper"),
        ("SELECT 1 FROM spans WHERE duration > 15ms", "15ms", "durations are numbers of nanoseconds", "15000000"),
        ("SELEC 1", "SELEC", "expected an SQL statement", ""),
        ("SELECT 1\nFROM spans WHERE", "", "found the end", ""),
        ("SELECT 1 FROM spans GROUP name", "GROUP", "expected end of statement", ""),
        ("SELECT 'open", "'", "Unterminated string", ""),
        ("SELECT kind, name, count(*) FROM spans GROUP BY kind", "name", "`name` is neither in GROUP BY", ""),
    ];
    for (sql, part, said, suggestion) in cases {
        let error = ask(sql).await.unwrap_err();
        let QueryError::Parse(mistake) = error else { panic!("{sql}: {error:?}") };
        assert_eq!(sql.get(mistake.offset..mistake.offset + mistake.length), Some(part), "{sql}: {mistake:?}");
        assert!(mistake.message.to_lowercase().contains(&said.to_lowercase()), "{sql}: {mistake:?}");
        assert_eq!(mistake.suggestions.first().map_or("", String::as_str), suggestion, "{sql}: {mistake:?}");
    }
}

fn asked(sql: &str) -> SqlQuery {
    SqlQuery { sql: sql.to_owned(), max_rows: 1_000, timeout: Duration::from_secs(20) }
}

#[tokio::test]
async fn what_cannot_be_read_is_left_out_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let spans = |from: u64| fixtures::spans(&(from..from + 50).map(|i| fixtures::span(i, i, 0, "api", "x", i, 1)).collect::<Vec<_>>());
    let mut snapshot = fixtures::snapshot(folder.path(), Signal::Traces, vec![spans(1)], vec![vec![spans(100)], vec![spans(200)]]);
    // One segment is damaged on disk, another could not even be opened.
    let meta = snapshot.spans.segments[0].meta();
    let path = folder.path().join(format!("{}.parquet", meta.id));
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.iter_mut().for_each(|byte| *byte ^= 0x55);
    std::fs::write(&path, bytes).unwrap();
    snapshot.spans.unreadable.push("segment X cannot be opened".to_owned());
    let engine = Engine::new(&Config::new(folder.path().to_owned()), &Registry::default());
    let answer = engine.sql(Arc::new(snapshot), asked("SELECT count(*) AS n FROM spans")).await.unwrap();
    assert_eq!(serde_json::to_string(&answer.rows).unwrap(), r#"[{"n":100}]"#);
    assert_eq!(answer.notes.len(), 2, "{:?}", answer.notes);
    assert!(answer.notes.iter().any(|note| note == "segment X cannot be opened"), "{:?}", answer.notes);
    assert!(ask("SELECT count(*) FROM spans").await.unwrap().notes.is_empty());
}

#[tokio::test]
async fn a_pattern_that_cannot_be_used_is_a_mistake_in_the_statement() {
    let folder = tempfile::tempdir().unwrap();
    let spans = [fixtures::span(1, 1, 0, "api", "x", 1, 1)];
    let snapshot = Arc::new(fixtures::snapshot(folder.path(), Signal::Traces, vec![fixtures::spans(&spans)], Vec::new()));
    let engine = Engine::new(&Config::new(folder.path().to_owned()), &Registry::default());
    for statement in [
        "SELECT regexp_like(name, '(') FROM spans",
        "SELECT regexp_like(name, '((a{1000}){1000}){1000}') FROM spans",
        "SELECT name ~ '(' FROM spans",
        "SELECT regexp_replace(name, '(', 'x') FROM spans",
        "SELECT regexp_replace(name, name || '(', 'x') FROM spans",
        "SELECT regexp_replace(name, '((a{1000}){1000}){1000}', 'x') FROM spans",
        "SELECT max(attributes) FROM spans",
        "SELECT regexp_count(name, '((a{100}){100}){100}') FROM spans",
        "SELECT regexp_instr(name, '(') FROM spans",
    ] {
        let failure = engine.sql(snapshot.clone(), asked(statement)).await.unwrap_err();
        assert!(matches!(failure, QueryError::Invalid(_)) && !failure.to_string().contains("bug"), "{statement}: {failure:?}");
        assert!(!failure.to_string().contains("Compute error"), "{statement}: {failure:?}");
        assert_eq!(failure.to_string().contains(PATTERN_TOO_LARGE), statement.contains("{1000}"), "{statement}: {failure:?}");
    }
}

/// Values of every type, some of them as texts that others read like.
fn values() -> Vec<Value> {
    let array = |values: &[Value]| Value::Array(values.to_vec());
    let text = |text: &str| Value::String(text.to_owned());
    vec![
        text("207"),
        Value::Int(207),
        Value::Double(207.0),
        Value::Double(2.5),
        text("2.5"),
        Value::Double(f64::NAN),
        text("NaN"),
        Value::Bool(true),
        text("true"),
        Value::Bytes(vec![0xab, 0xcd]),
        text("q80="),
        array(&[text("a"), Value::Int(1)]),
        text("[\"a\",1]"),
        text(""),
        Value::Int(-7),
    ]
}

#[tokio::test]
async fn conditions_on_attributes_read_less_and_find_all() {
    let folder = tempfile::tempdir().unwrap();
    let values = values();
    // The last keys have values of plain types only, the first one of all.
    let spans = |from: u64| -> Vec<Span> {
        let span = |i: u64| {
            let mut span = fixtures::span(i, i, 0, ["api", "cart"][usize::try_from(i % 2).unwrap()], "x", 1_000 + i, i);
            span.kind = SpanKind::from(i32::try_from(i % 4).unwrap());
            let value = |i: u64| values[usize::try_from(i).unwrap() % values.len()].clone();
            let plain = |i: u64| values[usize::try_from(i).unwrap() % 9].clone();
            let kv = |key: &str, value| KeyValue { key: key.to_owned(), value };
            span.attributes = vec![kv("any", value(i)), kv("plain", plain(i))];
            span.resource = Arc::new(crate::model::Resource {
                attributes: vec![fixtures::text("service.name", "api"), kv("of.resource", value(i / 7))],
                ..crate::model::Resource::default()
            });
            span
        };
        (from..from + 60).map(span).collect()
    };
    let segments = vec![vec![fixtures::spans(&spans(1))], vec![fixtures::spans(&spans(100))]];
    let snapshot = Arc::new(fixtures::snapshot(folder.path(), Signal::Traces, vec![fixtures::spans(&spans(200))], segments));
    let engine = Engine::new(&Config::new(folder.path().to_owned()), &Registry::default());
    let ask = async |sql: String| {
        let query = SqlQuery { sql: sql.clone(), max_rows: 1_000, timeout: Duration::from_secs(20) };
        engine.sql(snapshot.clone(), query).await.unwrap_or_else(|error| panic!("{sql}: {error}")).rows
    };
    for of in ["attributes['any']", "attributes['plain']", "resource['of.resource']"] {
        for found in ask(format!("SELECT {of} AS v, count(*) AS n FROM spans GROUP BY 1")).await {
            let text = found["v"].as_str().unwrap().replace('\'', "''");
            for condition in [format!("= '{text}'"), format!("IN ('{text}', 'absent')")] {
                let counted = ask(format!("SELECT count(*) AS n FROM spans WHERE {of} {condition}")).await;
                assert_eq!(counted[0]["n"], found["n"], "{of} {condition}");
            }
        }
        let all = ask(format!("SELECT count(*) AS n FROM spans WHERE {of} IS NOT NULL OR {of} = 'x' OR {of} LIKE 'y%'")).await;
        assert_eq!(all[0]["n"], 180);
    }
    for column in ["kind", "status", "service_name", "name"] {
        for found in ask(format!("SELECT {column} AS v, count(*) AS n FROM spans GROUP BY 1")).await {
            let text = found["v"].as_str().unwrap();
            let counted = ask(format!("SELECT count(*) AS n, count(DISTINCT span_id) AS d FROM spans WHERE {column} = '{text}'")).await;
            assert_eq!((&counted[0]["n"], &counted[0]["d"]), (&found["n"], &found["n"]), "{column} = {text}");
        }
        let others =
            ask(format!("SELECT count(*) AS n FROM spans WHERE {column} = 'no such' OR {column} <> 'no such' AND name = 'x'")).await;
        assert_eq!(others[0]["n"], 180, "{column}");
    }
    let none = ask("SELECT count(*) AS n FROM spans WHERE attributes['absent'] > '1' AND attributes['any'] <> 'x'".to_owned()).await;
    assert_eq!(none[0]["n"], 0);
}
