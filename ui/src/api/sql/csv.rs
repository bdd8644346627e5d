//! Rows as CSV (RFC 4180) that a spreadsheet does not run.

use serde_json::Value as AnyJson;
use storage::SqlAnswer;

/// A header line and a line per row.
pub(in super::super) fn table(answer: &SqlAnswer) -> Vec<u8> {
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

#[cfg(test)]
mod tests {
    use serde_json::json;
    use storage::SqlColumn;

    use super::*;

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
}
