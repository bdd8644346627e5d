//! `/query`: the SQL console.

use std::time::Duration;

use axum::response::Response;
use http::StatusCode;
use storage::SqlQuery;

use super::Visit;
use super::visit::html_with;
use crate::error::Failure;
use crate::view::format;
use crate::view::frame::Place;
use crate::view::plain::{Sql, table};
use crate::view::search::Problem;
use crate::view::sql_chart::chart;

/// `?sql=`. Runs when there is a statement.
pub(super) async fn page(visit: Visit) -> Result<Response, Failure> {
    let sql = visit.params.get("sql").unwrap_or_default().trim().to_owned();
    let links = visit.links();
    let title = if sql.is_empty() { "SQL".to_owned() } else { format!("{} – SQL", format::line(&sql, 60)) };
    let export = |form: &str| links.plain("/api/v1/sql").with("query", &sql).with("format", form).href();
    let example = |(about, sql): (&'static str, &'static str)| (about, links.plain("/query").with("sql", sql).href(), sql);
    let mut page = Sql {
        frame: visit.frame(Place::Sql, &title, None),
        examples: EXAMPLES.into_iter().map(example).collect(),
        csv: export("csv"),
        ndjson: export("ndjson"),
        explain: if is_explained(&sql) { String::new() } else { links.plain("/query").with("sql", &format!("EXPLAIN {sql}")).href() },
        sql: sql.clone(),
        ..Sql::default()
    };
    let mut status = StatusCode::OK;
    if !sql.is_empty() {
        match visit.state.store().sql(SqlQuery { sql: sql.clone(), max_rows: MAX_ROWS, timeout: TIMEOUT }).await {
            Ok(answer) => {
                page.chart = chart(&answer, &visit.clock());
                page.result = Some(table(&answer, &links));
            }
            Err(error) => {
                let failure = Failure::from(error);
                status = failure.status;
                page.problem = Some(Problem::new(&failure, &sql, |mended| links.plain("/query").with("sql", mended).href()));
            }
        }
    }
    Ok(html_with(status, &page))
}

/// Whether it cannot be explained: nothing, or no SELECT.
fn is_explained(sql: &str) -> bool {
    !sql.get(..6).is_some_and(|word| word.eq_ignore_ascii_case("select"))
        && !sql.get(..4).is_some_and(|word| word.eq_ignore_ascii_case("with"))
}

const EXAMPLES: [(&str, &str); 8] = [
    ("What can be asked", "SHOW TABLES"),
    ("Columns of spans", "DESCRIBE spans"),
    ("Columns of logs", "DESCRIBE logs"),
    (
        "Busiest operations",
        "SELECT service_name, name, count(*) AS n, avg(duration) / 1e6 AS avg_ms\nFROM spans\nGROUP BY service_name, name\nORDER BY n DESC\nLIMIT 20",
    ),
    ("Slowest spans", "SELECT trace_id, service_name, name, duration / 1e6 AS ms\nFROM spans\nORDER BY duration DESC\nLIMIT 20"),
    (
        "Requests per minute",
        "SELECT start_time / 60000000000 * 60000000000 AS time, count(*) AS requests, sum(CASE WHEN status = 'error' THEN 1 ELSE 0 END) AS failed\nFROM spans\nWHERE parent_span_id IS NULL\nGROUP BY 1\nORDER BY 1",
    ),
    (
        "An attribute by service",
        "SELECT service_name, attributes['http.response.status_code'] AS code, count(*) AS n\nFROM spans\nWHERE attributes['http.response.status_code'] IS NOT NULL\nGROUP BY 1, 2\nORDER BY n DESC\nLIMIT 30",
    ),
    ("Logs by severity", "SELECT service_name, severity, count(*) AS n\nFROM logs\nGROUP BY service_name, severity\nORDER BY n DESC"),
];

/// Rows on the page; CSV and NDJSON give more.
const MAX_ROWS: usize = 1_000;

/// The longest a statement may take here.
const TIMEOUT: Duration = Duration::from_secs(20);
