//! `/query`: the SQL console.

use std::time::Duration;

use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use storage::SqlQuery;

use super::Visit;
use super::visit::html_with;
use crate::error::Failure;
use crate::view::format;
use crate::view::frame::Place;
use crate::view::search::Problem;
use crate::view::sql::{Sorting, Sql, schema, table};
use crate::view::sql_chart::chart;

/// `?sql=`, `past=`, earlier statements with a line of two dashes between them, `chart=1`, and `sort=`, the column by which the rows of the
/// result are sorted, counted from 1, with a minus sign for the greatest first. Runs when there is a statement.
pub(super) async fn page(visit: Visit) -> Result<Response, Failure> {
    // Pages that search have `q`, and the API `query`.
    let sql = ["sql", "q", "query"].into_iter().find_map(|name| visit.params.get(name)).unwrap_or_default().trim().to_owned();
    let links = visit.links();
    let title = if sql.is_empty() { "SQL".to_owned() } else { format!("{} – SQL", format::line(&sql, 60)) };
    let export = |form: &str| links.plain("/api/v1/sql").with("query", &sql).with("format", form).href();
    let past = past(&visit, &sql);
    // What is asked next knows what was asked before.
    let joined = past.join(BETWEEN);
    let is_drawn = visit.params.get("chart") == Some("1");
    let at = |sql: &str, is_drawn: bool, sort: &str| {
        let address = links.plain("/query").with("sql", sql).with("chart", if is_drawn { "1" } else { "" });
        address.with("sort", sort).with("past", &joined).href()
    };
    // Another statement has other columns.
    let next = |sql: &str| at(sql, is_drawn, "");
    let example = |(about, sql): (&'static str, &'static str)| (about, next(sql), sql);
    let earlier = past.iter().filter(|known| **known != sql).map(|known| (format::line(known, 120), next(known)));
    let mut page = Sql {
        frame: visit.frame(Place::Sql, &title, None),
        examples: EXAMPLES.into_iter().map(example).collect(),
        csv: export("csv"),
        ndjson: export("ndjson"),
        explain: if is_explained(&sql) { String::new() } else { next(&format!("EXPLAIN {sql}")) },
        earlier: earlier.collect(),
        tables: schema(next),
        past: joined.clone(),
        is_drawn,
        sql: sql.clone(),
        ..Sql::default()
    };
    let mut status = StatusCode::OK;
    if !sql.is_empty() {
        match visit.state.store().sql(SqlQuery { sql: sql.clone(), max_rows: MAX_ROWS, timeout: TIMEOUT }).await {
            Ok(mut answer) => {
                let sorting = Sorting::read(visit.params.get("sort"), &answer);
                match chart(&answer, &visit.palette(), &visit.clock()) {
                    Ok(chart) => {
                        page.toggle_chart = at(&sql, !is_drawn, &sorting.map(Sorting::written).unwrap_or_default());
                        page.chart = Some(chart).filter(|_| is_drawn);
                    }
                    Err(why) => page.no_chart = why,
                }
                if let Some(sorting) = sorting {
                    sorting.sort(&mut answer);
                }
                let mut result = table(&answer, &links, &visit.clock());
                Sorting::head(sorting, &mut result.columns, |sort| at(&sql, is_drawn, sort));
                page.result = Some(result);
            }
            Err(error) => {
                let failure = Failure::from(error);
                status = failure.status;
                page.problem = Some(Problem::new(&failure, &sql, next));
            }
        }
    }
    Ok(html_with(status, &page))
}

/// What the page is called is a way to it too: `/sql?sql=`, or `query=` as the API has it.
pub(super) async fn lead(visit: Visit) -> Response {
    let sql = visit.params.get("sql").or_else(|| visit.params.get("query")).unwrap_or_default();
    Redirect::to(&visit.links().plain("/query").with("sql", sql).href()).into_response()
}

/// The statements of this address, the last one first, each once and as many as an address should hold.
fn past(visit: &Visit, sql: &str) -> Vec<String> {
    let mut past: Vec<String> = Vec::new();
    let mut bytes = 0;
    // Forms send line breaks as two characters.
    let before = visit.params.get("past").unwrap_or_default().replace("\r\n", "\n");
    for known in std::iter::once(sql).chain(before.split(BETWEEN)).map(str::trim).filter(|known| !known.is_empty()) {
        bytes += known.len();
        if past.len() == MAX_PAST || bytes > MAX_PAST_BYTES {
            break;
        }
        if !past.iter().any(|one| one == known) {
            past.push(known.to_owned());
        }
    }
    past
}

/// Whether it cannot be explained: nothing, or no SELECT.
fn is_explained(sql: &str) -> bool {
    !sql.get(..6).is_some_and(|word| word.eq_ignore_ascii_case("select"))
        && !sql.get(..4).is_some_and(|word| word.eq_ignore_ascii_case("with"))
}

const EXAMPLES: [(&str, &str); 9] = [
    ("What can be asked", "SHOW TABLES"),
    ("Columns of spans", "DESCRIBE spans"),
    ("Columns of logs", "DESCRIBE logs"),
    (
        "Busiest operations",
        "SELECT service_name, name, count(*) AS n, avg(duration) / 1e6 AS avg_ms\nFROM spans\nGROUP BY service_name, name\nORDER BY n DESC\nLIMIT 20",
    ),
    (
        "The last 15 minutes",
        "SELECT service_name, count(*) AS n\nFROM spans\nWHERE start_time > now() - INTERVAL '15 minutes'\nGROUP BY service_name\nORDER BY n DESC",
    ),
    ("Slowest spans", "SELECT trace_id, service_name, name, duration / 1e6 AS ms\nFROM spans\nORDER BY duration DESC\nLIMIT 20"),
    (
        "Traces per minute",
        "SELECT start_time / 60000000000 * 60000000000 AS time, count(*) AS traces, sum(CASE WHEN status = 'error' THEN 1 ELSE 0 END) AS failed\nFROM spans\nWHERE parent_span_id IS NULL\nGROUP BY 1\nORDER BY 1",
    ),
    (
        "An attribute by service",
        "SELECT service_name, attributes['http.response.status_code'] AS code, count(*) AS n\nFROM spans\nWHERE attributes['http.response.status_code'] IS NOT NULL\nGROUP BY 1, 2\nORDER BY n DESC\nLIMIT 30",
    ),
    ("Logs by severity", "SELECT service_name, severity, count(*) AS n\nFROM logs\nGROUP BY service_name, severity\nORDER BY n DESC"),
];

/// A comment without text, between statements.
const BETWEEN: &str = "\n--\n";

/// Earlier statements that an address carries, and their bytes together.
const MAX_PAST: usize = 8;
const MAX_PAST_BYTES: usize = 1_500;

/// Rows on the page; CSV and NDJSON give more.
const MAX_ROWS: usize = 1_000;

/// The longest a statement may take here.
const TIMEOUT: Duration = Duration::from_secs(20);

#[cfg(test)]
mod tests {
    use crate::harness::App;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_statement_is_followed_by_those_before_it() {
        let app = App::filled().await;
        let page = app.get("/query?sql=SELECT%202%20AS%20two&past=SELECT%201%20AS%20one%0D%0A--%0D%0ASELECT%202%20AS%20two").await.text();
        assert!(page.contains("name=\"past\" value=\"SELECT 2 AS two\n--\nSELECT 1 AS one\""), "{page}");
        assert!(page.contains("/query?sql=SELECT%201%20AS%20one&#38;past=SELECT%202%20AS%20two%0A--%0ASELECT%201%20AS%20one"), "{page}");
        assert!(page.contains(">attributes<"), "{page}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_chart_is_drawn_when_it_is_asked_for_and_stays_with_the_next_statement() {
        let app = App::filled().await;
        let sql = "SELECT%20service_name%2C%20count%28%2A%29%20AS%20n%20FROM%20spans%20GROUP%20BY%201";
        let plain = app.get(&format!("/query?sql={sql}")).await.text();
        let drawn = format!("/query?sql={sql}&chart=1");
        assert!(!plain.contains("sql-chart") && plain.contains(&format!("{}&#38;past=", drawn.replace('&', "&#38;"))), "{plain}");
        let page = app.get(&drawn).await.text();
        assert!(page.contains("sql-chart") && page.contains(">No chart</a>") && page.contains("name=\"chart\" value=\"1\""), "{page}");
        // Where there is none, it is said why in the place of the button.
        let no_amounts = "SELECT%20trace_id%2C%20duration%20FROM%20spans";
        for address in [format!("/query?sql={no_amounts}"), format!("/query?sql={no_amounts}&chart=1")] {
            let page = app.get(&address).await.text();
            let actions =
                page.split("class=\"row-actions\"><button class=\"primary\"").nth(1).and_then(|rest| rest.split("</p>").next()).unwrap();
            assert!(actions.contains("No chart: ") && !actions.contains(">Chart</a>"), "{address}: {actions}");
        }
        assert!(!plain.contains("No chart"), "{plain}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_result_is_sorted_by_the_head_of_a_column_and_stays_so_with_its_chart() {
        let app = App::filled().await;
        let sql = "sql=SELECT%20%2A%20FROM%20%28VALUES%20%28%27b%27%2C%209%29%2C%20%28%27a%27%2C%2010%29%29%20AS%20t%28word%2C%20n%29";
        let cells = |page: &str| {
            let body = page.split("<table class=\"list sql\">").nth(1).and_then(|rest| rest.split("</table>").next()).unwrap().to_owned();
            ["9<", "10<"].map(|cell| body.find(&format!(">{cell}")).unwrap())
        };
        let plain = app.get(&format!("/query?{sql}")).await.text();
        let [nine, ten] = cells(&plain);
        assert!(nine < ten && !plain.contains("aria-sort"), "{plain}");
        let falling = plain.split("sort=").nth(2).map(|rest| format!("sort={}", rest.split('&').next().unwrap())).unwrap();
        assert_eq!(falling, "sort=-2");
        let page = app.get(&format!("/query?{sql}&chart=1&{falling}")).await.text();
        let [nine, ten] = cells(&page);
        assert!(ten < nine && page.contains("aria-sort=\"descending\""), "{page}");
        let links: Vec<&str> = page.split("href=\"").filter(|link| link.contains("No chart</a>") || link.contains("Explain</a>")).collect();
        assert!(links[0].contains("sort=-2") && !links[1].contains("sort="), "{links:?}");
        assert!(!app.get(&format!("/query?{sql}&sort=7")).await.text().contains("aria-sort"));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_statement_goes_by_the_names_that_other_pages_have() {
        let app = App::filled().await;
        for name in ["sql", "q", "query"] {
            let page = app.get(&format!("/query?{name}=SELECT%207%20AS%20seven")).await.text();
            assert!(page.contains(">SELECT 7 AS seven</textarea>") && page.contains("seven"), "{name}: {page}");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_name_of_the_page_leads_to_it_with_the_statement() {
        let app = App::filled().await;
        for (asked, to) in
            [("/sql", "/query"), ("/sql?sql=SELECT%201", "/query?sql=SELECT%201"), ("/sql?query=SELECT%201", "/query?sql=SELECT%201")]
        {
            let answer = app.get(asked).await;
            assert_eq!((answer.status, answer.header("location")), (http::StatusCode::SEE_OTHER, to), "{asked}");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_shared_is_the_statement_without_those_before_it() {
        let app = App::filled().await;
        for path in ["/query?sql=SELECT%202&past=SELECT%201", "/traces?q=service%3Acheckout&list=q%3Dx"] {
            let page = app.get(path).await.text();
            let form = page.split("id=\"share\"").nth(1).and_then(|rest| rest.split("</form>").next()).unwrap();
            assert!(form.contains("q=") || form.contains("sql="), "{form}");
            assert!(!form.contains("past=") && !form.contains("list="), "{form}");
        }
    }
}
