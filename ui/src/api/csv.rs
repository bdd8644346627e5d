//! Rows as CSV (RFC 4180) for people and their spreadsheets.
//!
//! Owns its form: cells that a spreadsheet does not run, times as RFC 3339 with nine digits, durations in milliseconds in columns that end
//! with `_ms`, and files that are called after what they hold. Nanoseconds as numbers are in JSON: a spreadsheet keeps fifteen digits.

use axum::response::{IntoResponse as _, Response};
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use http::{HeaderName, HeaderValue};
use serde_json::Value as AnyJson;
use storage::{Cursor, SqlAnswer, SqlColumn, SqlMeaning, UnixNanos};

use crate::client::rfc3339;

/// A file to be kept, called after what it holds and when that was asked for.
pub(super) fn file(what: &'static str, asked: UnixNanos, table: Vec<u8>) -> Response {
    let mut response = ([(CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"))], table).into_response();
    let at = jiff::Timestamp::from_nanosecond(i128::from(asked.get())).map(|time| time.strftime("-%Y%m%dT%H%M%SZ").to_string());
    let name = format!("attachment; filename=\"throughline-{what}{}.csv\"", at.unwrap_or_default());
    if let Ok(name) = HeaderValue::try_from(name) {
        response.headers_mut().insert(CONTENT_DISPOSITION, name);
    }
    response
}

/// A moment with all its digits.
pub(super) fn time(time: UnixNanos) -> String {
    rfc3339(time.get())
}

/// A duration in milliseconds, with all digits that it has.
pub(super) fn milliseconds(nanos: u64) -> String {
    let (whole, rest) = (nanos / NANOS_PER_MILLI, nanos % NANOS_PER_MILLI);
    if rest == 0 { whole.to_string() } else { format!("{whole}.{rest:06}").trim_end_matches('0').to_owned() }
}

/// Says whether there are more rows than these, whether none is missing, and why some are: lines and tables have no other place for it.
pub(super) fn marked(mut response: Response, truncated: bool, complete: bool, notes: &[String]) -> Response {
    let word = |yes| HeaderValue::from_static(if yes { "true" } else { "false" });
    response.headers_mut().insert(TRUNCATED, word(truncated));
    response.headers_mut().insert(COMPLETE, word(complete));
    for note in as_headers(notes) {
        response.headers_mut().append(NOTE, note);
    }
    response
}

/// Notes as lines of a head: so many of such a length, other characters than those of ASCII as `?`.
fn as_headers(notes: &[String]) -> impl Iterator<Item = HeaderValue> {
    let plain = |note: &String| -> String {
        note.chars().take(MAX_NOTE_CHARS).map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { '?' }).collect()
    };
    let more = notes.len().checked_sub(MAX_NOTES + 1).map(|more| format!("and {} more notes", more + 1));
    notes.iter().take(MAX_NOTES).map(plain).chain(more).filter_map(|note| HeaderValue::try_from(note).ok())
}

/// The same of a page of a list, and where the next one begins.
pub(super) fn page(response: Response, next: Option<Cursor>, complete: bool, notes: &[String]) -> Response {
    let mut response = marked(response, next.is_some(), complete, notes);
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
    line(&mut out, answer.columns.iter().map(|column| harmless(&name(column))));
    for row in &answer.rows {
        line(&mut out, answer.columns.iter().map(|column| row.get(&column.name).map(|value| cell(column, value)).unwrap_or_default()));
    }
    out.into_bytes()
}

/// The unit of a duration stands in its head.
fn name(column: &SqlColumn) -> String {
    let says_it = column.meaning != SqlMeaning::Duration || column.name.ends_with("_ms");
    if says_it { column.name.clone() } else { format!("{}_ms", column.name) }
}

fn cell(column: &SqlColumn, value: &AnyJson) -> String {
    let written = text(value);
    let (sign, size) = written.strip_prefix('-').map_or(("", written.as_str()), |size| ("-", size));
    let in_words = match (column.meaning, size.parse::<u64>()) {
        (SqlMeaning::Time, Ok(nanos)) if sign.is_empty() => Some(rfc3339(nanos)),
        (SqlMeaning::Duration, Ok(nanos)) => Some(format!("{sign}{}", milliseconds(nanos))),
        // An average.
        (SqlMeaning::Duration, Err(_)) => size.parse::<f64>().ok().map(|nanos| format!("{sign}{}", nanos / 1e6)),
        _ => None,
    };
    in_words.unwrap_or(written)
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

const NANOS_PER_MILLI: u64 = 1_000_000;

const TRUNCATED: HeaderName = HeaderName::from_static("x-throughline-truncated");

/// What is missing of an answer: as many of these as there are notes.
const NOTE: HeaderName = HeaderName::from_static("x-throughline-note");

const MAX_NOTES: usize = 16;

const MAX_NOTE_CHARS: usize = 500;

/// The cursor of the next page.
const NEXT: HeaderName = HeaderName::from_static("x-throughline-next");

/// Whether an answer lacks rows that could not be read.
const COMPLETE: HeaderName = HeaderName::from_static("x-throughline-complete");

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use serde_json::json;

    use super::*;
    use crate::harness::{App, TRACE};

    #[test]
    fn cells_are_quoted_and_formulas_disarmed() {
        let column = |name: &str| SqlColumn { name: name.to_owned(), sql_type: "VARCHAR".to_owned(), meaning: SqlMeaning::Plain };
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

    #[test]
    fn times_and_durations_are_written_for_spreadsheets_without_loss() {
        let column = |name: &str, meaning| SqlColumn { name: name.to_owned(), meaning, ..SqlColumn::default() };
        let row = |values: [AnyJson; 3]| ["t", "d", "p95_ms"].map(str::to_owned).into_iter().zip(values).collect();
        let answer = SqlAnswer {
            columns: vec![column("t", SqlMeaning::Time), column("d", SqlMeaning::Duration), column("p95_ms", SqlMeaning::Duration)],
            rows: vec![
                row([json!("1795813877443316239"), json!(15_820_159), json!(5_000_000_000_u64)]),
                row([json!(null), json!(-1_500_000), json!(2_500_000.5)]),
                row([json!("=1"), json!("-x"), json!(0)]),
            ],
            ..SqlAnswer::default()
        };
        let expected = "t,d_ms,p95_ms\r\n2026-11-27T21:11:17.443316239Z,15.820159,5000\r\n,-1.5,2.5000005\r\n'=1,'-x,0\r\n";
        assert_eq!(String::from_utf8(table(&answer)).unwrap(), expected);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn lists_are_tables_too_and_say_whether_more_follow() {
        let app = App::filled().await;
        let traces = app.get("/api/v1/traces?from=0&format=csv").await;
        assert_eq!((traces.header("content-type"), traces.header("x-throughline-truncated")), ("text/csv; charset=utf-8", "false"));
        let text = traces.text();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("trace_id,root_service,root_name,has_root,start_time,duration_ms,"), "{text}");
        assert!(lines[1].contains(",2027-01-15T07:59:30.000000000Z,10000,"), "{text}");
        assert_eq!(traces.header("content-disposition"), "attachment; filename=\"throughline-traces-20270115T080000Z.csv\"");
        assert!(lines[1].starts_with(&format!("{TRACE},checkout,POST /pay,true,")), "{text}");
        assert!(lines[1].ends_with(",3,1,checkout payment,card declined,checkout,card declined") && lines.len() == 2, "{text}");
        let logs = app.get("/api/v1/logs?from=0&format=csv&limit=1&order=oldest").await;
        assert_eq!((logs.header("x-throughline-truncated"), logs.header("x-throughline-complete")), ("true", "true"));
        let next = format!("/api/v1/logs?from=0&format=otlp&limit=1&order=oldest&cursor={}", logs.header("x-throughline-next"));
        let rest = app.get(&next).await;
        assert!(rest.text().contains("payment failed"), "{}", rest.text());
        assert_eq!((rest.header("x-throughline-truncated"), rest.header("x-throughline-next")), ("false", ""));
        let text = logs.text();
        assert!(
            logs.header("content-disposition").contains("throughline-logs-") && text.contains("\n2027-01-15T07:59:34.000000000Z,info,"),
            "{text}"
        );
        assert!(text.starts_with("time,severity,service,body,trace_id,span_id,attributes,resource,record_id\r\n"), "{text}");
        assert!(text.contains(&format!(",info,checkout,charging the card,{TRACE},eee19b7ec3c1b174,\"{{\"\"attempt\"\":2}}\",")), "{text}");
        for wrong in ["/api/v1/traces?format=otlp", "/api/v1/logs?format=xls"] {
            assert_eq!(app.get(wrong).await.status, StatusCode::BAD_REQUEST, "{wrong}");
        }
    }
}
