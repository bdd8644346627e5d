//! Texts that hold something with a form of its own: JSON and SQL, laid out for reading.

use storage::{KeyValue, Value};

use super::sql;

/// A text that is JSON or SQL in lines; `None` for all else.
pub(super) fn laid_out(pair: &KeyValue) -> Option<String> {
    let Value::String(text) = &pair.value else { return None };
    if text.len() > MAX_TEXT {
        return None;
    }
    match text.trim_start().as_bytes().first()? {
        b'{' | b'[' => indented(text),
        _ if KEYS.contains(&pair.key.as_str()) => sql::laid_out(text),
        _ => None,
    }
}

fn indented(text: &str) -> Option<String> {
    let parsed: serde_json::Value = serde_json::from_str(text).ok()?;
    serde_json::to_string_pretty(&parsed).ok()
}

/// Attributes that hold a statement.
const KEYS: [&str; 2] = ["db.query.text", "db.statement"];

/// Longer texts are not laid out.
const MAX_TEXT: usize = 65_536;
