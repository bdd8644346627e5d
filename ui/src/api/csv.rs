//! Rows as CSV (RFC 4180) that a spreadsheet does not run.

use axum::response::{IntoResponse as _, Response};
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use http::{HeaderName, HeaderValue};
use serde_json::Value as AnyJson;
use storage::{Cursor, SqlAnswer};

/// A file to be kept.
pub(super) fn file(table: Vec<u8>) -> Response {
    let headers = [(CONTENT_TYPE, "text/csv; charset=utf-8"), (CONTENT_DISPOSITION, "attachment; filename=\"throughline.csv\"")];
    (headers.map(|(name, value)| (name, HeaderValue::from_static(value))), table).into_response()
}

/// Says whether there are more rows than these, and whether none is missing: lines and tables have no other place for it.
pub(super) fn marked(mut response: Response, truncated: bool, complete: bool) -> Response {
    let word = |yes| HeaderValue::from_static(if yes { "true" } else { "false" });
    response.headers_mut().insert(TRUNCATED, word(truncated));
    response.headers_mut().insert(COMPLETE, word(complete));
    response
}

/// The same of a page of a list, and where the next one begins.
pub(super) fn page(response: Response, next: Option<Cursor>, complete: bool) -> Response {
    let mut response = marked(response, next.is_some(), complete);
    // Hex digits.
    if let Some(next) = next.and_then(|cursor| HeaderValue::try_from(cursor.to_string()).ok()) {
        response.headers_mut().insert(NEXT, next);
    }
    response
}

/// A header line, and a line per row of as many texts.
pub(super) fn texts<const N: usize>(columns: [&str; N], rows: impl Iterator<Item = [String; N]>) -> Vec<u8> {
    let mut out = String::new();
    line(&mut out, columns.into_iter().map(harmless));
    for row in rows {
        line(&mut out, row.iter().map(|cell| harmless(cell)));
    }
    out.into_bytes()
}

/// A header line and a line per row.
pub(super) fn table(answer: &SqlAnswer) -> Vec<u8> {
    let mut out = String::new();
    line(&mut out, answer.columns.iter().map(|column| harmless(&column.name)));
    for row in &answer.rows {
        line(&mut out, answer.columns.iter().map(|column| row.get(&column.name).map(text).unwrap_or_default()));
    }
    out.into_bytes()
}

fn line(out: &mut String, cells: impl Iterator<Item = String>) {
    for (place, cell) in cells.enumerate() {
        if place > 0 {
            out.push(',');
        }
        if cell.contains([',', '"', '\r', '\n']) || cell.starts_with(' ') || cell.ends_with(' ') {
            out.push('"');
            out.push_str(&cell.replace('"', "\"\""));
            out.push('"');
        } else {
            out.push_str(&cell);
        }
    }
    out.push_str("\r\n");
}

fn text(value: &AnyJson) -> String {
    match value {
        AnyJson::Null => String::new(),
        AnyJson::String(text) => harmless(text),
        other => other.to_string(),
    }
}

/// Spreadsheets take what begins like a formula for one; an apostrophe makes it text. Numbers stay numbers.
fn harmless(text: &str) -> String {
    let like_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    let is_number = text.strip_prefix('-').is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit() || b == b'.'));
    if like_formula && !is_number { format!("'{text}") } else { text.to_owned() }
}

const TRUNCATED: HeaderName = HeaderName::from_static("x-throughline-truncated");

/// The cursor of the next page.
const NEXT: HeaderName = HeaderName::from_static("x-throughline-next");

/// Whether an answer lacks rows that could not be read.
const COMPLETE: HeaderName = HeaderName::from_static("x-throughline-complete");

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use serde_json::json;
    use storage::SqlColumn;

    use super::*;
    use crate::harness::{App, TRACE};

    #[test]
    fn cells_are_quoted_and_formulas_disarmed() {
        let column = |name: &str| SqlColumn { name: name.to_owned(), sql_type: "VARCHAR".to_owned() };
        let row = |value: AnyJson| json!({ "=a": 1.5, "b": value }).as_object().unwrap().clone();
        let answer = SqlAnswer {
            columns: vec![column("=a"), column("b")],
            rows: vec![
                row(json!("=cmd|' /C calc'!A0")),
                row(json!("say \"hi\",\nthen")),
                row(json!("-9223372036854775808")),
                row(json!("-1+1")),
                row(json!(null)),
                row(json!([1, "x"])),
            ],
            ..SqlAnswer::default()
        };
        let table = String::from_utf8(table(&answer)).unwrap();
        let expected = "'=a,b\r\n1.5,'=cmd|' /C calc'!A0\r\n1.5,\"say \"\"hi\"\",\nthen\"\r\n1.5,-9223372036854775808\r\n\
                        1.5,'-1+1\r\n1.5,\r\n1.5,\"[1,\"\"x\"\"]\"\r\n";
        assert_eq!(table, expected);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn lists_are_tables_too_and_say_whether_more_follow() {
        let app = App::filled().await;
        let traces = app.get("/api/v1/traces?from=0&format=csv").await;
        assert_eq!((traces.header("content-type"), traces.header("x-throughline-truncated")), ("text/csv; charset=utf-8", "false"));
        let text = traces.text();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("trace_id,root_service,root_name,has_root,start_time,duration,"), "{text}");
        assert!(lines[1].starts_with(&format!("{TRACE},checkout,POST /pay,true,")), "{text}");
        assert!(lines[1].ends_with(",3,1,checkout payment,card declined") && lines.len() == 2, "{text}");
        let logs = app.get("/api/v1/logs?from=0&format=csv&limit=1&order=oldest").await;
        assert_eq!((logs.header("x-throughline-truncated"), logs.header("x-throughline-complete")), ("true", "true"));
        let next = format!("/api/v1/logs?from=0&format=otlp&limit=1&order=oldest&cursor={}", logs.header("x-throughline-next"));
        let rest = app.get(&next).await;
        assert!(rest.text().contains("payment failed"), "{}", rest.text());
        assert_eq!((rest.header("x-throughline-truncated"), rest.header("x-throughline-next")), ("false", ""));
        let text = logs.text();
        assert!(text.starts_with("time,severity,service,body,trace_id,span_id,attributes,resource,record_id\r\n"), "{text}");
        assert!(text.contains(&format!(",info,checkout,charging the card,{TRACE},eee19b7ec3c1b174,\"{{\"\"attempt\"\":2}}\",")), "{text}");
        for wrong in ["/api/v1/traces?format=otlp", "/api/v1/logs?format=xls"] {
            assert_eq!(app.get(wrong).await.status, StatusCode::BAD_REQUEST, "{wrong}");
        }
    }
}
