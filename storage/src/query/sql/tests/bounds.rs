//! What a statement may take: rows, time, memory, nesting.

use super::*;

#[tokio::test]
async fn rows_time_and_memory_are_bounded() {
    let answer = ask_with("SELECT span_id FROM spans", 10, 1 << 28).await.unwrap();
    assert!(answer.truncated);
    assert_eq!((answer.rows.len(), answer.columns[0].sql_type.as_str()), (10, "TEXT"));
    let answer = ask_with("SELECT span_id FROM spans", 100, 1 << 28).await.unwrap();
    assert!(!answer.truncated);
    let heavy = "SELECT count(DISTINCT a.span_id || b.span_id || c.span_id) FROM spans a, spans b, spans c";
    assert!(matches!(ask_with(heavy, 10, 1 << 20).await, Err(QueryError::Memory(advice)) if advice.starts_with("narrow its window")));
    let big = json("SELECT 9007199254740993 AS a, 9007199254740991 AS b, 1 AS c").await;
    assert_eq!(big, r#"[{"a":"9007199254740993","b":9007199254740991,"c":1}]"#);
}

#[tokio::test]
async fn statements_that_nest_or_join_without_end_are_refused_before_planning() {
    let chains = [
        ("SELECT 1".to_owned(), "+1", ""),
        ("SELECT 1".to_owned(), "::int", ""),
        ("SELECT 1".to_owned(), " IS NULL", ""),
        ("SELECT 1".to_owned(), " UNION ALL SELECT 1", ""),
        ("SELECT count(*) FROM spans WHERE kind = 'x'".to_owned(), " OR kind = 'y'", ""),
        ("SELECT count(*) FROM spans".to_owned(), ", spans", ""),
        ("EXPLAIN SELECT count(*) FROM spans".to_owned(), ", spans", ""),
        ("SELECT [1]".to_owned(), "[1]", ""),
    ];
    for (start, link, end) in chains {
        let sql = format!("{start}{}{end}", link.repeat(10_000));
        assert!(matches!(ask(&sql).await, Err(QueryError::Invalid(message)) if message.contains("at most")), "{link}");
    }
    let mut doubling = "WITH c0 AS (SELECT 1 AS x)".to_owned();
    for i in 1..20 {
        doubling += &format!(", c{i} AS (SELECT a.x FROM c{} a, c{} b)", i - 1, i - 1);
    }
    assert!(matches!(ask(&format!("{doubling} SELECT x FROM c19")).await, Err(QueryError::Invalid(message)) if message.contains("steps")));
    let many: Vec<_> = (0..10_000).map(|i| format!("'{i}'")).collect();
    assert_eq!(json(&format!("SELECT count(*) AS n FROM spans WHERE kind IN ({}, 'server')", many.join(","))).await, r#"[{"n":100}]"#);
    assert!(ask(&format!("SELECT 1{}", "+1".repeat(500))).await.is_ok());
}

#[tokio::test]
async fn functions_that_make_values_of_any_length_do_not_exist() {
    for sql in ["repeat('x', 1000000000)", "lpad('x', 1000000000)", "range(1, 10000000000)", "array_repeat(1, 1000000000)"] {
        assert!(matches!(ask(&format!("SELECT {sql}")).await, Err(QueryError::Parse(_))), "{sql}");
    }
    assert_eq!(json("SELECT count(*) AS n FROM generate_series(1, 10)").await, r#"[{"n":10}]"#);
}

#[tokio::test]
async fn a_statement_ends_when_nobody_waits_for_it_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let spans: Vec<Span> = (1..=3_000).map(|i| fixtures::span(i, i, 0, "api", "x", i, 1)).collect();
    let snapshot = fixtures::snapshot(folder.path(), Signal::Traces, vec![fixtures::spans(&spans)], Vec::new());
    let mut config = Config::new(folder.path().to_owned());
    config.concurrent_queries = 1;
    let engine = Engine::new(&config, &Registry::default());
    let snapshot = Arc::new(snapshot);
    // What consumes a join that never waits must notice too that its time is over.
    let gathering = SqlQuery { timeout: Duration::from_millis(200), ..asked("SELECT array_agg(a.name) FROM spans a, spans b, spans c") };
    let begun = Instant::now();
    let failure = engine.sql(snapshot.clone(), gathering).await.unwrap_err();
    assert!(matches!(failure, QueryError::Timeout(_) | QueryError::Memory(_)), "{failure}");
    assert!(begun.elapsed() < Duration::from_secs(10), "it went on for {:?}", begun.elapsed());
    // Nine thousand million rows: far longer than this test may take.
    let endless = "SELECT max(length(a.span_id || b.span_id)) FROM spans a, spans b, (SELECT * FROM spans LIMIT 1000) c WHERE a.duration + b.duration + c.duration > 0";
    let waited = tokio::time::timeout(Duration::from_millis(300), engine.sql(snapshot.clone(), asked(endless))).await;
    assert!(waited.is_err(), "it was too quick to be left: {waited:?}");
    // The only place is free again.
    let next = tokio::time::timeout(Duration::from_secs(10), engine.sql(snapshot, asked("SELECT count(*) AS n FROM spans"))).await;
    assert_eq!(serde_json::to_string(&next.expect("the place was not given back").unwrap().rows).unwrap(), r#"[{"n":3000}]"#);
}

/// Nothing comes out of these for far longer than a test may take.
const SILENT: [&str; 5] = [
    "SELECT sum(a.duration % 7) FROM spans a, spans b WHERE a.duration % 1000 < b.duration % 1000 - 1000 AND a.name <> b.name",
    "SELECT count(*) FROM spans a JOIN spans b ON a.kind = b.kind WHERE regexp_like(a.trace_id || b.trace_id, 'x.*y')",
    "SELECT count(*) FROM (SELECT unnest(a.exception_types) FROM spans a JOIN spans b ON a.kind = b.kind)",
    "SELECT count(*) FROM spans a WHERE NOT EXISTS (SELECT 1 FROM spans b WHERE b.kind = a.kind AND b.duration + a.duration < 0)",
    "SELECT count(*) FROM spans a LEFT JOIN spans b ON a.kind = b.kind AND a.start_time + b.duration < 0",
];

#[tokio::test]
async fn a_join_that_finds_nothing_ends_with_its_time_and_with_its_reader() {
    let folder = tempfile::tempdir().unwrap();
    let spans: Vec<Span> = (1..=40_000).map(|i| fixtures::span(i, i, 0, "api", "x", i, i)).collect();
    let snapshot = fixtures::snapshot(folder.path(), Signal::Traces, spans.chunks(10_000).map(fixtures::spans).collect(), Vec::new());
    let mut config = Config::new(folder.path().to_owned());
    config.concurrent_queries = 1;
    let (engine, snapshot) = (Engine::new(&config, &Registry::default()), Arc::new(snapshot));
    let place_is_free = async |sql: &str| {
        let next = tokio::time::timeout(Duration::from_secs(5), engine.sql(snapshot.clone(), asked("SELECT 1 AS n"))).await;
        next.unwrap_or_else(|_| panic!("{sql} keeps its place")).unwrap();
    };
    for sql in SILENT {
        let late = engine.sql(snapshot.clone(), SqlQuery { timeout: Duration::from_millis(700), ..asked(sql) }).await;
        assert!(matches!(late, Err(QueryError::Timeout(_))), "{sql}: {late:?}");
        place_is_free(sql).await;
        let left = tokio::time::timeout(Duration::from_millis(700), engine.sql(snapshot.clone(), asked(sql))).await;
        assert!(left.is_err(), "{sql} was too quick to be left: {left:?}");
        place_is_free(sql).await;
    }
}

#[tokio::test]
async fn a_join_that_finds_nothing_lets_others_have_the_threads() {
    let folder = tempfile::tempdir().unwrap();
    let spans: Vec<Span> = (1..=40_000).map(|i| fixtures::span(i, i, 0, "api", "x", i, i)).collect();
    let snapshot = fixtures::snapshot(folder.path(), Signal::Traces, spans.chunks(10_000).map(fixtures::spans).collect(), Vec::new());
    let mut config = Config::new(folder.path().to_owned());
    config.concurrent_queries = 4;
    let (engine, snapshot) = (Engine::new(&config, &Registry::default()), Arc::new(snapshot));
    for sql in SILENT {
        let beside = async {
            tokio::time::sleep(Duration::from_millis(700)).await;
            let begun = Instant::now();
            engine.sql(snapshot.clone(), asked("SELECT 1 AS n")).await.unwrap();
            begun.elapsed()
        };
        tokio::select! {
            ended = engine.sql(snapshot.clone(), asked(sql)) => panic!("{sql} ended: {ended:?}"),
            waited = beside => assert!(waited < Duration::from_secs(25), "{sql}: {waited:?}"),
        }
    }
}
