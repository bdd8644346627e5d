use super::*;

#[tokio::test]
async fn whole_numbers_that_grow_too_large_are_an_error() {
    for sql in [
        "SELECT 9223372036854775807 + 1",
        "SELECT -9223372036854775807 - 2",
        "SELECT 9223372036854775807 * 9223372036854775807",
        "SELECT sum(9223372036854775807) FROM spans",
        "SELECT sum(9223372036854775807) OVER () FROM spans",
        "SELECT count(*) FROM spans GROUP BY name HAVING sum(duration + 4611686018427387904) * 4 > 1",
    ] {
        let failed = ask(sql).await.unwrap_err().to_string();
        assert!(failed.contains("more than 64 bits"), "{sql}: {failed}");
    }
}

#[tokio::test]
async fn what_fits_keeps_its_name_its_type_and_its_value() {
    let answer = ask("SELECT sum(duration), sum(duration) * 2 - sum(duration), sum(duration / 2.0) FROM spans").await.unwrap();
    let told: Vec<_> = answer.columns.iter().map(|column| (column.name.as_str(), column.sql_type.as_str())).collect();
    assert_eq!(
        told,
        [("sum(spans.duration)", "BIGINT"), ("sum(duration) * 2 - sum(duration)", "BIGINT"), ("sum(duration / 2.0)", "DOUBLE"),]
    );
    let total = |sql: &'static str| async move { json(sql).await };
    assert_eq!(
        total("SELECT sum(duration) AS n FROM spans").await,
        total("SELECT CAST(sum(CAST(duration AS DECIMAL(38, 0))) AS BIGINT) AS n FROM spans").await
    );
    for sql in [
        "SELECT name, sum(duration) AS total FROM spans GROUP BY name HAVING sum(duration) >= 0 ORDER BY sum(duration) DESC, name",
        "WITH t AS (SELECT name, sum(end_time - start_time) AS s FROM spans GROUP BY name) SELECT max(s) + 1 FROM t WHERE s > (SELECT min(s) - 1 FROM t)",
        "SELECT sum(duration) OVER (PARTITION BY name ORDER BY start_time) + 1 AS running FROM spans ORDER BY 1",
        "SELECT sum(DISTINCT duration), count(*) FILTER (WHERE duration + 1 > 0) FROM spans",
        "SELECT a.name FROM spans a JOIN spans b ON a.start_time + 1 = b.start_time + 1 AND a.duration - b.duration = 0 LIMIT 3",
        "SELECT sum(1) FROM spans UNION ALL SELECT sum(severity_number) + 1 FROM logs",
    ] {
        assert!(ask(sql).await.is_ok(), "{sql}: {:?}", ask(sql).await.unwrap_err().to_string());
    }
}

#[tokio::test]
async fn samples_are_refused_where_they_are_asked_for() {
    let failed = ask("SELECT count(*) FROM spans TABLESAMPLE (10 PERCENT)").await.unwrap_err();
    let QueryError::Parse(mistake) = failed else { panic!("{failed}") };
    assert_eq!((mistake.offset, mistake.length), (27, 11));
}
