//! Numbers and truth values among attributes, asked for over memory and segments.

use super::*;

/// Values of the attribute `k`, one span each, lasting 1, 2, … nanoseconds.
fn values() -> Vec<Option<Value>> {
    let text = |text: &str| Some(Value::String(text.to_owned()));
    vec![
        Some(Value::Double(0.5)),
        Some(Value::Double(2.0)),
        Some(Value::Int(7)),
        text("seven"),
        text("7"),
        Some(Value::Bool(true)),
        Some(Value::Bool(false)),
        Some(Value::Double(f64::NAN)),
        Some(Value::Int(i64::MAX)),
        Some(Value::Array(vec![Value::Int(7)])),
        None,
    ]
}

async fn answers(sql: &str) -> Vec<String> {
    let mut spans: Vec<Span> = (1..=11).map(|i| fixtures::span(i, i, 0, "api", "x", 1_000 + i, i)).collect();
    for (span, value) in spans.iter_mut().zip(values()) {
        span.attributes = value.into_iter().map(|value| KeyValue { key: "k".to_owned(), value }).collect();
    }
    let mut found = Vec::new();
    for in_memory in [11, 0, 5] {
        let folder = tempfile::tempdir().unwrap();
        let (new, old) = spans.split_at(in_memory);
        let segments = old.chunks(3).map(|spans| vec![fixtures::spans(spans)]).collect();
        let snapshot = fixtures::snapshot(folder.path(), Signal::Traces, vec![fixtures::spans(new)], segments);
        let engine = Engine::new(&Config::new(folder.path().to_owned()), &Registry::default());
        let query = SqlQuery { sql: sql.to_owned(), max_rows: 100, timeout: Duration::from_secs(20) };
        let answer = engine.sql(Arc::new(snapshot), query).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        found.push(serde_json::to_string(&answer.rows).unwrap());
    }
    found.dedup();
    found
}

/// Which spans a condition finds.
async fn found(condition: &str) -> String {
    let answers = answers(&format!("SELECT duration AS d FROM spans s WHERE {condition} ORDER BY duration")).await;
    assert_eq!(answers.len(), 1, "{condition}: {answers:?}");
    answers[0].replace("{\"d\":", "").replace('}', "")
}

#[tokio::test]
async fn numbers_compare_as_numbers_and_the_rest_is_no_match() {
    for (condition, spans) in [
        ("attributes['k'] > 0", "[1,2,3,5,9]"),
        ("0.5 < attributes['k']", "[2,3,5,9]"),
        ("attributes['k'] <= 2", "[1,2]"),
        ("s.attributes['k'] = 7", "[3,5]"),
        ("attributes['k'] = 7.0", "[3,5]"),
        ("attributes['k'] = 2", "[2]"),
        ("attributes['k'] = 0.50", "[1]"),
        ("attributes['k'] = 9223372036854775807", "[9]"),
        ("attributes['k'] <> 7", "[1,2,9]"),
        ("attributes['k'] BETWEEN 0.5 AND 7", "[1,2,3,5]"),
        ("attributes['k'] IN (0.5, 2)", "[1,2]"),
        ("attributes['k'] NOT IN (0.5, 2)", "[3,5,9]"),
        ("attributes['k'] + 1 > duration", "[1,2,3,5,9]"),
        ("attributes['k'] >= duration", "[2,3,5,9]"),
        ("attributes['k'] = true", "[6]"),
        ("attributes['k'] <> true", "[7]"),
        ("attributes['k'] IS FALSE", "[7]"),
        ("attributes['k'] = 'seven'", "[4]"),
        ("attributes['k'] = '2'", "[2]"),
        ("attributes['k'] = '[7]'", "[10]"),
        ("attributes['none'] > 0", "[]"),
        ("resource['service.name'] > 0", "[]"),
    ] {
        assert_eq!(found(condition).await, spans, "{condition}");
    }
}

#[tokio::test]
async fn sums_are_of_what_reads_as_a_number() {
    let sql = "SELECT avg(attributes['k']), sum(attributes['k']) AS s, max(attributes['k']) AS m, count(attributes['k']) AS n FROM spans \
               WHERE attributes['k'] < 100";
    assert_eq!(answers(sql).await, [r#"[{"avg(attributes['k'])":4.125,"m":7.0,"n":4,"s":16.5}]"#]);
    let sql = "SELECT a.d AS d FROM (SELECT duration AS d, attributes['k'] * 2 AS double FROM spans) a WHERE a.double > 4 ORDER BY 1";
    assert_eq!(answers(sql).await, [r#"[{"d":3},{"d":5},{"d":9}]"#]);
    let sql = "SELECT attributes['k'] / 2 FROM spans WHERE attributes['k'] = 7 GROUP BY attributes['k'] / 2";
    assert_eq!(answers(sql).await, [r#"[{"attributes['k'] / 2":3.5}]"#]);
}

#[tokio::test]
async fn a_cast_that_meets_something_else_says_what_and_what_helps() {
    let folder = tempfile::tempdir().unwrap();
    let mut span = fixtures::span(1, 1, 0, "api", "x", 1, 1);
    span.attributes = vec![fixtures::text("k", "it's seven"), fixtures::text("long", &"x".repeat(5_000))];
    let snapshot = Arc::new(fixtures::snapshot(folder.path(), Signal::Traces, vec![fixtures::spans(&[span])], Vec::new()));
    let engine = Engine::new(&Config::new(folder.path().to_owned()), &Registry::default());
    for (sql, said) in [
        ("SELECT CAST(attributes['k'] AS BIGINT) FROM spans", "`it's seven`, which it cannot read as BIGINT; TRY_CAST"),
        ("SELECT attributes['k']::DOUBLE FROM spans", "`it's seven`, which it cannot read as DOUBLE; TRY_CAST"),
        ("SELECT CAST(attributes['k'] AS BOOLEAN) FROM spans", "`it's seven`, which it cannot read as BOOLEAN; TRY_CAST"),
    ] {
        let error = engine.sql(snapshot.clone(), asked(sql)).await.unwrap_err();
        assert!(matches!(&error, QueryError::Invalid(line) if line.contains(said)), "{sql}: {error}");
    }
    let error = engine.sql(snapshot.clone(), asked("SELECT CAST(attributes['long'] AS INT) FROM spans")).await.unwrap_err();
    assert!(error.to_string().len() < 300 && error.to_string().contains("xxx…`"), "{error}");
    assert!(engine.sql(snapshot, asked("SELECT TRY_CAST(attributes['k'] AS BIGINT) FROM spans")).await.is_ok());
}
