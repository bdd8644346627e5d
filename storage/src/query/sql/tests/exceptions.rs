//! The exceptions of spans as lists.

use super::*;

#[tokio::test]
async fn every_exception_of_a_span_is_in_a_list() {
    let folder = tempfile::tempdir().unwrap();
    let event = |name: &str, said: &[(&str, &str)]| crate::model::Event {
        name: name.to_owned(),
        attributes: said.iter().map(|(key, value)| fixtures::text(key, value)).collect(),
        ..crate::model::Event::default()
    };
    let exception = |kind: &str, message: &str| event("exception", &[("exception.type", kind), ("exception.message", message)]);
    let mut spans: Vec<Span> = (1..=4).map(|i| fixtures::span(1, i, 0, "api", "x", 1_000 + i, 1)).collect();
    spans[1].events = vec![event("retry", &[("exception.type", "not one")]), exception("Timeout", "late")];
    spans[2].events = vec![exception("Timeout", "too late"), event("retry", &[]), exception("IoError", "gone")];
    spans[3].events = vec![event("exception", &[]), event("exception", &[("exception.type", "Only")])];
    let (stored, memory) = (vec![vec![fixtures::spans(&spans[..3])]], vec![fixtures::spans(&spans[3..])]);
    let snapshot = Arc::new(fixtures::snapshot(folder.path(), Signal::Traces, memory, stored));
    let engine = Engine::new(&Config::new(folder.path().to_owned()), &Registry::default());
    let ask = async |sql: &str| {
        let query = SqlQuery { sql: sql.to_owned(), max_rows: 100, timeout: Duration::from_secs(20) };
        serde_json::to_string(&engine.sql(snapshot.clone(), query).await.unwrap().rows).unwrap()
    };
    assert_eq!(
        ask("SELECT exception_types AS t, exception_messages AS m FROM spans ORDER BY start_time").await,
        r#"[{"m":[],"t":[]},{"m":["late"],"t":["Timeout"]},{"m":["too late","gone"],"t":["Timeout","IoError"]},{"m":[],"t":["Only"]}]"#
    );
    assert_eq!(ask("SELECT count(*) AS n FROM spans WHERE array_has(exception_types, 'IoError')").await, r#"[{"n":1}]"#);
    assert_eq!(
        ask("SELECT t, count(*) AS n FROM (SELECT unnest(exception_types) AS t FROM spans) GROUP BY t ORDER BY t").await,
        r#"[{"n":1,"t":"IoError"},{"n":1,"t":"Only"},{"n":2,"t":"Timeout"}]"#
    );
}
