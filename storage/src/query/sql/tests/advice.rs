//! What is said of statements that are right as SQL and hardly mean what they say.

use super::*;

async fn advice(sql: &str) -> Vec<String> {
    let answer = ask(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    assert!(answer.notes.is_empty(), "{sql}: no row is missing");
    answer.advice
}

/// Each statement with what its one sentence begins and ends with.
async fn said(cases: &[(&str, &str, &str)]) {
    for (sql, begin, end) in cases {
        let advice = advice(sql).await;
        let [sentence] = advice.as_slice() else { panic!("{sql}: {advice:?}") };
        assert!(sentence.starts_with(begin) && sentence.ends_with(end), "{sql}: {sentence}");
    }
}

#[tokio::test]
async fn words_that_no_row_has_are_told_with_those_that_are_meant() {
    said(&[
        ("SELECT 1 FROM logs WHERE severity = 'ERROR'", "no row has severity 'ERROR'", "in small letters, 'error'"),
        ("SELECT 1 FROM spans s WHERE 'SERVER' = s.kind", "no row has kind 'SERVER'", "'server'"),
        ("SELECT count(*) FILTER (WHERE status = 'Error') FROM spans", "no row has status 'Error'", "'error'"),
        ("SELECT sum(CASE WHEN status <> 'ERROR' THEN 1 ELSE 0 END) FROM spans", "no row has status 'ERROR'", "'error'"),
        ("SELECT CASE status WHEN 'ERROR' THEN 1 END FROM spans", "no row has status 'ERROR'", "'error'"),
        ("SELECT 1 FROM logs WHERE severity IN ('error', 'FATAL')", "no row has severity 'FATAL'", "'fatal'"),
        ("SELECT 1 FROM logs WHERE severity LIKE 'ERR%'", "no row has severity 'ERR%'", "'err%'"),
        ("SELECT 1 FROM logs WHERE severity = 'warning'", "no row has severity 'warning': it is one of trace", "write 'warn'"),
        ("SELECT 1 FROM spans WHERE kind = 'SPAN_KIND_CLIENT'", "no row has kind", "write 'client'"),
        ("SELECT 1 FROM spans WHERE status = 'failed'", "no row has status 'failed'", "it is one of unset, ok, error"),
        ("SELECT 1 FROM spans WHERE status = 2", "no row has status 2", "it is one of unset, ok, error"),
        ("SELECT 1 FROM logs WHERE severity = 17", "no row has severity 17", "severity_number has the numbers"),
        ("WITH w AS (SELECT severity AS s FROM logs) SELECT s, count(*) FROM w GROUP BY s HAVING s = 'ERROR'", "no row has", "'error'"),
        ("SELECT 1 FROM spans WHERE trace_id IN (SELECT trace_id FROM logs WHERE severity = 'Error')", "no row has severity", "'error'"),
        ("SELECT 1 FROM spans s JOIN logs l ON s.trace_id = l.trace_id AND l.severity = 'WARN'", "no row has severity", "'warn'"),
    ])
    .await;
}

#[tokio::test]
async fn severities_that_are_compared_by_letters_are_told_their_numbers() {
    said(&[
        ("SELECT 1 FROM logs WHERE severity >= 'error'", "severity is compared by its letters", "write severity_number >= 17"),
        ("SELECT 1 FROM logs WHERE severity > 'WARN'", "severity is compared by its letters", "write severity_number > 16"),
        ("SELECT 1 FROM logs WHERE 'info' > severity", "severity is compared by its letters", "write severity_number < 9"),
        ("SELECT 1 FROM logs WHERE severity <= 'debug'", "severity is compared by its letters", "write severity_number <= 8"),
        ("SELECT 1 FROM logs WHERE severity BETWEEN 'warn' AND 'fatal'", "severity is compared by its letters", "severity_number >= 13"),
        ("SELECT 1 FROM logs WHERE severity >= 17", "severity is a word", "write severity_number >= 17"),
        ("SELECT max(severity) FROM logs", "severity is compared by its letters", "max(severity_number) is by weight"),
    ])
    .await;
}

#[tokio::test]
async fn statements_that_may_mean_what_they_say_are_left_alone() {
    for sql in [
        "SELECT 1 FROM logs WHERE severity = 'error' AND severity_text = 'ERROR' AND severity_number >= 17",
        "SELECT 1 FROM logs WHERE severity NOT IN ('unknown', 'trace') ORDER BY severity",
        "SELECT 1 FROM logs WHERE upper(severity) = 'ERROR'",
        "SELECT 1 FROM logs WHERE severity ILIKE 'ERR%'",
        "SELECT 1 FROM spans WHERE name = 'ERROR' OR attributes['status'] = 'ERROR'",
        "SELECT 1 FROM spans WHERE kind = 'server' AND status <> 'unset' AND status_message = 'Error'",
        "WITH w AS (SELECT upper(status) AS status FROM spans) SELECT 1 FROM w WHERE status = 'ERROR'",
        "SELECT 1 FROM (SELECT severity FROM logs UNION ALL SELECT 'ERROR') WHERE severity = 'ERROR'",
        "SELECT kind, max(status_message) FROM spans GROUP BY kind",
        "SHOW TABLES",
    ] {
        assert_eq!(advice(sql).await, Vec::<String>::new(), "{sql}");
    }
}

#[tokio::test]
async fn advice_is_short_and_each_sentence_is_said_once() {
    let words: Vec<String> = (0..20).map(|i| format!("'X{i}'")).collect();
    assert_eq!(advice(&format!("SELECT 1 FROM logs WHERE severity IN ({})", words.join(", "))).await.len(), 5);
    assert_eq!(advice("SELECT 1 FROM logs WHERE severity = 'ERROR' OR severity = 'ERROR'").await.len(), 1);
    let long = advice(&format!("SELECT 1 FROM logs WHERE severity = '{}'", "ä".repeat(5_000))).await;
    assert!(long[0].len() < 250, "{long:?}");
}
