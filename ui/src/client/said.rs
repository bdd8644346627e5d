//! What an answer that is no success says, in one line for people: of this server, of a receiver, or of something else.

/// The message in an answer of `/api/v1` or `/readyz`, else the beginning of the answer in one line.
pub(super) fn said(text: &str) -> String {
    let json: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    let words = |at: &str| json.pointer(at).and_then(serde_json::Value::as_str);
    if let Some(message) = words("/error/message") {
        let place = json.pointer("/error/offset").and_then(serde_json::Value::as_u64);
        let place = place.map_or_else(String::new, |offset| format!(", at character {}", offset + 1));
        return format!("{message}{place}{}", suggested(&json));
    }
    // Receivers answer so.
    if let Some(message) = words("/message") {
        return format!("{message}; {WHERE_PAGES_ARE}");
    }
    let parts = json.get("parts").and_then(serde_json::Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let unready = parts.iter().filter(|part| part.get("ready") == Some(&false.into())).map(|part| {
        let word = |key: &str| part.get(key).and_then(serde_json::Value::as_str).unwrap_or("not ready");
        format!("{}: {}", word("name"), word("reason"))
    });
    let unready: Vec<String> = unready.collect();
    if !unready.is_empty() {
        return unready.join("; ");
    }
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let beginning: String = line.chars().take(MAX_SHOWN_CHARS).collect();
    format!("{beginning}{}; {WHERE_PAGES_ARE}", if beginning.len() < line.len() { "…" } else { "" })
}

/// The names that an answer says may have been meant.
fn suggested(json: &serde_json::Value) -> String {
    let names = json.pointer("/error/suggestions").and_then(serde_json::Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let names: Vec<String> = names.iter().filter_map(serde_json::Value::as_str).map(|name| format!("`{name}`")).collect();
    if names.is_empty() { String::new() } else { format!("; did you mean {}?", names.join(" or ")) }
}

/// Characters of an answer of somebody else.
const MAX_SHOWN_CHARS: usize = 200;

/// Said where it was not this server that answered.
pub(super) const WHERE_PAGES_ARE: &str = "is this the address of the pages, http://127.0.0.1:16686 by default?";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_in_the_words_of_the_server() {
        assert_eq!(said(r#"{"error":{"code":"x","message":"no such field","offset":3}}"#), "no such field, at character 4");
        let unready = r#"{"ready":false,"parts":[{"name":"store","ready":false,"reason":"full"},{"name":"b","ready":true,"reason":null}]}"#;
        assert_eq!(said(unready), "store: full");
        let typo = r#"{"error":{"code":"x","message":"unknown field","offset":0,"suggestions":["service","severity"]}}"#;
        assert_eq!(said(typo), "unknown field, at character 1; did you mean `service` or `severity`?");
        assert!(said(r#"{"code":5,"message":"send spans to /v1/traces"}"#).starts_with("send spans to /v1/traces; is this the address of"));
        assert!(said("  odd\n text ").starts_with("odd text; is this"));
        assert!(said(&"<html>".repeat(100)).contains("<h…; is this"));
    }
}
