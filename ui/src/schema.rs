//! Checks JSON against the part of JSON Schema that `openapi.json` uses, for tests.

use serde_json::Value as AnyJson;

/// What is wrong with `value`, as paths with reasons; empty when it is as described. A property that is not described is
/// wrong too.
pub(crate) fn faults(document: &AnyJson, schema: &AnyJson, value: &AnyJson) -> Vec<String> {
    let mut faults = Vec::new();
    check(document, schema, value, "$", &mut faults);
    faults
}

fn check(document: &AnyJson, schema: &AnyJson, value: &AnyJson, at: &str, faults: &mut Vec<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = document.pointer(reference.trim_start_matches('#'));
        return match target {
            Some(target) => check(document, target, value, at, faults),
            None => faults.push(format!("{at}: {reference} is not there")),
        };
    }
    if let Some(options) = schema["anyOf"].as_array() {
        let attempts: Vec<_> = options.iter().map(|option| self::faults(document, option, value)).collect();
        if attempts.iter().all(|attempt| !attempt.is_empty()) {
            faults.push(format!("{at}: fits none of anyOf: {attempts:?}"));
        }
        return;
    }
    if !has_type(&schema["type"], value) {
        faults.push(format!("{at}: {value} is not {}", schema["type"]));
        return;
    }
    if let Some(words) = schema["enum"].as_array()
        && !words.contains(value)
    {
        faults.push(format!("{at}: {value} is not one of {words:?}"));
    }
    if let (Some(properties), Some(object)) = (schema["properties"].as_object(), value.as_object()) {
        for name in schema["required"].as_array().into_iter().flatten().filter_map(AnyJson::as_str) {
            if !object.contains_key(name) {
                faults.push(format!("{at}.{name} is missing"));
            }
        }
        for (name, inner) in object {
            match properties.get(name) {
                Some(schema) => check(document, schema, inner, &format!("{at}.{name}"), faults),
                None => faults.push(format!("{at}.{name} is not described")),
            }
        }
    }
    for (place, item) in value.as_array().into_iter().flatten().enumerate() {
        check(document, &schema["items"], item, &format!("{at}[{place}]"), faults);
    }
}

fn has_type(types: &AnyJson, value: &AnyJson) -> bool {
    let is = |word: &str| match word {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        "null" => value.is_null(),
        _ => false,
    };
    match types {
        AnyJson::String(word) => is(word),
        AnyJson::Array(words) => words.iter().filter_map(AnyJson::as_str).any(is),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn faults_are_found_with_their_place() {
        let document = json!({ "parts": { "A": { "type": "object", "required": ["n", "m"], "properties": {
            "n": { "type": ["integer", "null"] }, "m": { "type": "array", "items": { "type": "string", "enum": ["x"] } } } } } });
        let check = |value: AnyJson| faults(&document, &json!({ "$ref": "#/parts/A" }), &value);
        assert!(check(json!({ "n": null, "m": ["x"] })).is_empty());
        assert_eq!(check(json!({ "n": 1.5, "m": ["y", 1], "z": 1 })).len(), 4);
        assert_eq!(check(json!({ "n": 1 })), ["$.m is missing"]);
    }
}
