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
        text("7.0"),
        text("+7"),
        text("NULL"),
        text("2026-01-31T12:00:00Z"),
    ]
}

/// The same spans in memory, in segments and in both.
struct Stores(Vec<(tempfile::TempDir, Engine, Arc<Snapshot>)>);

impl Stores {
    fn new() -> Self {
        let mut spans: Vec<Span> = (1..=15).map(|i| fixtures::span(i, i, 0, "api", "x", 1_000 + i, i)).collect();
        for (span, value) in spans.iter_mut().zip(values()) {
            span.attributes = value.into_iter().map(|value| KeyValue { key: "k".to_owned(), value }).collect();
        }
        let store = |in_memory| {
            let folder = tempfile::tempdir().unwrap();
            let (new, old) = spans.split_at(in_memory);
            let segments = old.chunks(3).map(|spans| vec![fixtures::spans(spans)]).collect();
            let snapshot = fixtures::snapshot(folder.path(), Signal::Traces, vec![fixtures::spans(new)], segments);
            let engine = Engine::new(&Config::new(folder.path().to_owned()), &Registry::default());
            (folder, engine, Arc::new(snapshot))
        };
        Self([15, 0, 5].map(store).into())
    }

    /// The answers that differ.
    async fn answers(&self, sql: &str) -> Vec<String> {
        let mut found = Vec::new();
        for (_, engine, snapshot) in &self.0 {
            let query = SqlQuery { sql: sql.to_owned(), max_rows: 100, timeout: Duration::from_secs(20) };
            let answer = engine.sql(snapshot.clone(), query).await;
            found.push(answer.map_or_else(|error| format!("{sql}: {error}"), |answer| serde_json::to_string(&answer.rows).unwrap()));
        }
        found.dedup();
        found
    }

    /// Which spans a condition finds.
    async fn found(&self, from: &str, condition: &str) -> String {
        let answers = self.answers(&format!("SELECT duration AS d FROM {from} WHERE {condition} ORDER BY duration")).await;
        answers.join(" or ").replace("{\"d\":", "").replace('}', "")
    }
}

async fn answers(sql: &str) -> Vec<String> {
    Stores::new().answers(sql).await
}

#[tokio::test]
async fn numbers_compare_as_numbers_and_the_rest_is_no_match() {
    let stores = Stores::new();
    for (condition, spans) in [
        ("attributes['k'] > 0", "[1,2,3,5,9,12,13]"),
        ("0.5 < attributes['k']", "[2,3,5,9,12,13]"),
        ("attributes['k'] <= 2", "[1,2]"),
        ("s.attributes['k'] = 7", "[3,5]"),
        ("attributes['k'] = 7.0", "[3,5]"),
        ("attributes['k'] = 2", "[2]"),
        ("attributes['k'] = 0.50", "[1]"),
        ("attributes['k'] = 9223372036854775807", "[9]"),
        ("attributes['k'] <> 7", "[1,2,9]"),
        ("attributes['k'] BETWEEN 0.5 AND 7", "[1,2,3,5,12,13]"),
        ("attributes['k'] IN (0.5, 2)", "[1,2]"),
        ("attributes['k'] NOT IN (0.5, 2)", "[3,5,9,12,13]"),
        ("attributes['k'] > 9223372036854775806", "[9]"),
        ("9223372036854775807 > attributes['k']", "[1,2,3,5,12,13]"),
        ("attributes['k'] <> 9223372036854775806", "[1,2,3,5,9,12,13]"),
        ("attributes['k'] < 18446744073709551615", "[1,2,3,5,9,12,13]"),
        ("attributes['k'] > -9223372036854775807", "[1,2,3,5,9,12,13]"),
        ("attributes['k'] BETWEEN 9223372036854775806 AND 9223372036854775806", "[]"),
        ("attributes['k'] NOT BETWEEN 1 AND 9223372036854775806", "[1,9]"),
        ("attributes['k'] NOT IN (9223372036854775806, 2)", "[1,3,5,9,12,13]"),
        ("attributes['k'] + 1 > duration", "[1,2,3,5,9]"),
        ("attributes['k'] >= duration", "[2,3,5,9]"),
        ("attributes['k'] = true", "[6]"),
        ("attributes['k'] <> true", "[7]"),
        ("attributes['k'] IS FALSE", "[7]"),
        ("attributes['k'] = 'seven'", "[4]"),
        ("attributes['k'] = '2'", "[2]"),
        ("attributes['k'] = '[7]'", "[10]"),
        ("attributes['k'] = -0", "[]"),
        ("NOT attributes['k'] = 7", "[1,2,4,6,7,8,9,10,12,13,14,15]"),
        ("attributes['none'] > 0", "[]"),
        ("resource['service.name'] > 0", "[]"),
    ] {
        assert_eq!(stores.found("spans s", condition).await, spans, "{condition}");
    }
}

#[tokio::test]
async fn it_does_not_matter_what_a_number_is_made_of() {
    let stores = Stores::new();
    for seven in [
        "7",
        "7.0",
        "CAST(7 AS SMALLINT)",
        "'7'::BIGINT",
        "CAST(7 AS DOUBLE)",
        "7::DECIMAL(10, 2)",
        "3 + 4",
        "(SELECT 7)",
        "(SELECT 7.0)",
        "s.three",
    ] {
        for (condition, spans) in [
            ("k = 7", "[3,5]"),
            ("7 = k", "[3,5]"),
            ("k IN (8, 7)", "[3,5]"),
            ("k IN ('seven', 7)", "[3,4,5]"),
            ("k IS NOT DISTINCT FROM 7", "[3,5]"),
            ("k IS DISTINCT FROM 7", "[1,2,4,6,7,8,9,10,11,12,13,14,15]"),
            ("CASE k WHEN 7 THEN true ELSE false END", "[3,5]"),
            ("nullif(k, 7) IS NULL", "[3,5,11]"),
            ("k <> 7", "[1,2,9]"),
            ("k NOT IN (8, 7)", "[1,2,9]"),
            ("7 < k", "[9]"),
            ("k >= 7", "[3,5,9,12,13]"),
            ("k BETWEEN 7 AND 8", "[3,5,12,13]"),
            ("k + 7 = 14", "[3,5,12,13]"),
        ] {
            let seven = seven.replace("s.three", "(s.duration - s.duration + 7)");
            let condition = condition.replace('7', &seven);
            for (from, k) in SOURCES {
                assert_eq!(stores.found(from, &condition.replace('k', k)).await, spans, "{condition}, {k} of {from}");
            }
        }
    }
}

/// What has spans with their durations and, under the name beside it, attributes.
const SOURCES: [(&str, &str); 3] = [
    ("spans s", "s.attributes['k']"),
    ("(SELECT duration, attributes AS handed FROM spans) s", "s.handed['k']"),
    ("(WITH x AS (SELECT duration, attributes['k'] AS handed FROM spans) SELECT * FROM x) s", "handed"),
];

#[tokio::test]
async fn texts_meet_subqueries_joins_truth_values_and_times() {
    let stores = Stores::new();
    let mut wrong = Vec::new();
    for (condition, spans) in [
        ("k IN (SELECT 7)", "[3,5]"),
        ("k IN (SELECT duration FROM spans)", "[2,3,5]"),
        ("k IN (SELECT 2 UNION ALL SELECT 7.0)", "[2,3,5]"),
        ("k NOT IN (SELECT 7)", "[1,2,9]"),
        ("7 IN (k, 'x')", "[3,5]"),
        ("duration IN (SELECT attributes['k'] FROM spans)", "[2,7]"),
        ("k = ANY (SELECT duration FROM spans)", "[2,3,5]"),
        ("k > ALL (SELECT 2)", "[3,5,9,12,13]"),
        ("k = (SELECT max(duration) FROM spans WHERE duration < 8)", "[3,5]"),
        ("EXISTS (SELECT 1 FROM spans b WHERE b.duration = k)", "[2,3,5]"),
        ("EXISTS (SELECT 1 FROM spans b WHERE b.attributes['k'] = s.duration)", "[2,7]"),
        ("k = (duration > 0)", "[6]"),
        ("k <> (duration > 0)", "[7]"),
        ("k IN (true, false)", "[6,7]"),
        ("k NOT IN (true)", "[7]"),
        ("k IS TRUE", "[6]"),
        ("k IS NOT TRUE", "[1,2,3,4,5,7,8,9,10,11,12,13,14,15]"),
        ("k > to_timestamp(5)", "[15]"),
        ("k BETWEEN TIMESTAMP '2026-01-31 00:00:00' AND now() + INTERVAL '1000 days'", "[15]"),
        ("coalesce(k, 7) = 7", "[3,5,11]"),
        ("coalesce(k, 7.0) = 7", "[3,5,11]"),
        ("greatest(k, 7) > 7", "[9]"),
        ("CASE WHEN duration > 10 THEN 7.0 ELSE k END = 7", "[3,5,11,12,13,14,15]"),
        ("-k < -7", "[9]"),
        ("abs(k) = 7", "[3,5,12,13]"),
        ("+k = 7", "[3,5,12,13]"),
    ] {
        for (from, k) in SOURCES {
            let condition = condition.replace("['k']", "['K']").replace(" k", &format!(" {k}")).replace("(k", &format!("({k}"));
            let condition = match condition.strip_prefix(['k']) {
                Some(rest) => format!("{k}{rest}"),
                None => condition.replace("-k", &format!("-{k}")).replace("+k", &format!("+{k}")),
            };
            let found = stores.found(from, &condition.replace("['K']", "['k']")).await;
            if found != spans {
                wrong.push(format!("{condition} of {from}: {found}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn keys_of_joins_meet_texts() {
    for on in ["a.attributes['k'] = b.duration", "b.duration = a.attributes['k'] AND a.duration > 0", "a.attributes['k'] = b.duration + 0"]
    {
        let sql = format!("SELECT a.duration AS d FROM spans a JOIN spans b ON {on} ORDER BY 1");
        assert_eq!(answers(&sql).await, [r#"[{"d":2},{"d":3},{"d":5}]"#], "{on}");
    }
    let sql = "SELECT x.d AS d FROM (SELECT duration AS d, attributes['k'] AS k FROM spans) x JOIN (SELECT duration AS k FROM spans) y \
               USING (k) ORDER BY 1";
    assert_eq!(answers(sql).await, [r#"[{"d":2},{"d":3},{"d":5}]"#]);
}

#[tokio::test]
async fn texts_that_are_handed_on_are_summed() {
    let from = "FROM (SELECT duration, attributes['k'] AS k FROM spans) x WHERE k < 100";
    let sql = format!("SELECT avg(k) AS a, sum(k) AS s, sum(k * 2) AS t, round(sum(x.k)) AS r, count(k) AS n {from}");
    assert_eq!(answers(&sql).await, [r#"[{"a":5.083333333333333,"n":6,"r":31.0,"s":30.5,"t":61.0}]"#]);
    let sql = format!("SELECT sum(CASE WHEN k > 2 THEN k ELSE 0 END) AS s, sum(coalesce(k, 0)) AS c, sum(duration) AS d {from}");
    assert_eq!(answers(&sql).await, [r#"[{"c":30.5,"d":36,"s":28.0}]"#]);
    let sql = "SELECT attributes['k'] = 7, count(*) AS n FROM spans GROUP BY attributes['k'] = 7 ORDER BY n";
    assert_eq!(answers(sql).await[0].matches("attributes['k'] = 7").count(), 3);
    let sql = "SELECT number(attributes['k']) AS n, number(duration) AS d FROM spans WHERE duration IN (4, 13) ORDER BY 2";
    assert_eq!(answers(sql).await, [r#"[{"d":4,"n":null},{"d":13,"n":7.0}]"#]);
}

#[tokio::test]
async fn sums_are_of_what_reads_as_a_number() {
    let sql = "SELECT avg(attributes['k']), sum(attributes['k']) AS s, max(attributes['k']) AS m, count(attributes['k']) AS n FROM spans \
               WHERE attributes['k'] < 100";
    assert_eq!(answers(sql).await, [r#"[{"avg(attributes['k'])":5.083333333333333,"m":7.0,"n":6,"s":30.5}]"#]);
    let sql = "SELECT a.d AS d FROM (SELECT duration AS d, attributes['k'] * 2 AS double FROM spans) a WHERE a.double > 4 ORDER BY 1";
    assert_eq!(answers(sql).await, [r#"[{"d":3},{"d":5},{"d":9},{"d":12},{"d":13}]"#]);
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
        ("SELECT 1 FROM spans WHERE attributes['k']::BIGINT = 5", "`it's seven`, which it cannot read as BIGINT; TRY_CAST"),
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
