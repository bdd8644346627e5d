//! What columns hold, whatever they are called.

use super::super::super::answer::SqlMeaning::{self, Duration, Plain, Time};
use super::*;

/// What the first column of a statement holds.
async fn holds(sql: &str) -> SqlMeaning {
    ask(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}")).columns[0].meaning
}

#[tokio::test]
async fn times_and_durations_stay_what_they_are_under_another_name() {
    for (expression, meaning) in [
        ("start_time AS began", Time),
        ("end_time", Time),
        ("start_time / 60000000000 * 60000000000", Time),
        ("(start_time / 60000000000) * 60000000000", Time),
        ("start_time - start_time % 60000000000", Time),
        ("start_time + duration / 2 * 2", Time),
        ("coalesce(end_time, start_time)", Time),
        ("duration AS d", Duration),
        ("end_time - start_time", Duration),
        ("CAST(duration AS DOUBLE)", Duration),
        ("CASE WHEN duration > 5 THEN duration ELSE NULL END", Duration),
        ("duration * 2", Duration),
        ("lag(duration) OVER (ORDER BY start_time)", Duration),
        ("duration / 1e6 AS duration", Plain),
        ("duration / 1000000", Plain),
        ("duration * 0.001", Plain),
        ("duration / (SELECT max(duration) FROM spans)", Plain),
        ("start_time / 60000000000", Plain),
        ("CASE WHEN duration > 5 THEN duration ELSE start_time END", Plain),
        ("1 AS duration", Plain),
        ("name AS start_time", Plain),
    ] {
        assert_eq!(holds(&format!("SELECT {expression} FROM spans")).await, meaning, "{expression}");
    }
    assert_eq!(holds("SELECT time AS t FROM logs").await, Time);
}

#[tokio::test]
async fn aggregates_subqueries_joins_and_unions_hand_it_on() {
    for (sql, meaning) in [
        ("SELECT avg(duration) AS d FROM spans", Duration),
        ("SELECT sum(duration) / count(*) AS mean FROM spans GROUP BY service_name", Duration),
        ("SELECT approx_percentile_cont(duration, 0.95) AS p95 FROM spans", Duration),
        ("SELECT max(start_time) AS latest FROM spans GROUP BY name ORDER BY 1 LIMIT 3", Time),
        ("SELECT start_time / 60 * 60 AS minute, count(*) FROM spans GROUP BY 1", Time),
        ("WITH w AS (SELECT duration AS d FROM spans) SELECT DISTINCT max(w.d) AS longest FROM w", Duration),
        ("SELECT l.time AS t FROM spans s JOIN logs l ON s.trace_id = l.trace_id", Time),
        ("SELECT start_time AS t FROM spans UNION ALL SELECT time FROM logs", Time),
        ("SELECT start_time AS t FROM spans UNION ALL SELECT duration FROM spans", Plain),
        ("SELECT count(duration) FROM spans", Plain),
        ("SELECT sum(duration) / 1e6 AS ms FROM spans", Plain),
        ("SELECT sum(start_time) FROM spans", Plain),
        ("SHOW TABLES", Plain),
        ("EXPLAIN SELECT duration FROM spans", Plain),
    ] {
        assert_eq!(holds(sql).await, meaning, "{sql}");
    }
}

#[tokio::test]
async fn columns_without_a_name_are_called_as_they_were_written() {
    let names = async |sql: &str| ask(sql).await.unwrap().columns.into_iter().map(|column| column.name).collect::<Vec<_>>();
    assert_eq!(names("select 1").await, ["1"]);
    assert_eq!(names("SELECT 'a', round(1.5), NULL").await, ["'a'", "round(1.5)", "NULL"]);
    assert_eq!(names("SELECT name LIKE 'x%', count(1) FROM spans GROUP BY 1 ORDER BY count(1) DESC").await, ["name LIKE 'x%'", "count(1)"]);
}

#[tokio::test]
async fn columns_of_one_name_are_told_by_it() {
    for (sql, name) in [
        ("select 1 a, 2 a", "a"),
        ("SELECT 1, 1", "1"),
        ("SELECT duration AS d, name AS d FROM spans", "d"),
        ("SELECT n FROM (SELECT 1 AS n, 2 AS n)", "n"),
    ] {
        let error = ask(sql).await.unwrap_err().to_string();
        assert_eq!(error, format!("two columns are called `{name}`; give each a name of its own, such as `AS {name}_2`"), "{sql}");
    }
}
