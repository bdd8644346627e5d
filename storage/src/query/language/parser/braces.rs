//! Queries in braces, those of TraceQL and LogQL: what they would be here.
//!
//! Only conditions and filters of lines are known; of anything else it is said that it is another language.

use super::super::super::question::ParseError;
use super::super::structure::Part;
use super::parse;
use crate::store::Signal;

/// What is understood of a text in braces: nothing, where conditions are in them. Anything else stays, such as the beginning of JSON.
pub(super) fn refuse(signal: Signal, text: &str, understood: Result<Part, ParseError>) -> Result<Part, ParseError> {
    let Some((conditions, rest)) = text.trim().strip_prefix('{').and_then(|text| text.split_once('}')) else { return understood };
    let compares = !conditions.trim_start().starts_with('"') && conditions.contains(['=', '<', '>']);
    if !compares {
        return understood;
    }
    let meant = lines(rest).map(|lines| format!("{} {lines}", without_signs(conditions)));
    let meant = meant.map(|meant| meant.trim().to_owned()).filter(|meant| !meant.starts_with('{') && parse(signal, meant).is_ok());
    let message = "braces belong to TraceQL and LogQL; here conditions stand without them, with spaces between";
    Err(ParseError { offset: 0, length: text.len(), message: message.to_owned(), suggestions: meant.into_iter().collect() })
}

/// Conditions with spaces between.
fn without_signs(conditions: &str) -> String {
    let parts = conditions.split('"').enumerate().map(|(i, part)| {
        if i % 2 == 1 {
            return part.to_owned();
        }
        let part = part.replace("&&", " ").replace("||", " OR ").replace(',', " ").replace("=~", "~");
        let words = part.split(' ').map(|word| word.strip_prefix('.').unwrap_or(word));
        words.map(|word| word.replace("service_name", "service")).collect::<Vec<_>>().join(" ")
    });
    parts.collect::<Vec<_>>().join("\"").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Filters of lines as words; `None` when something else follows the braces.
fn lines(mut rest: &str) -> Option<String> {
    let mut words = Vec::new();
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return Some(words.join(" "));
        }
        let (sign, before) = [("|=", ""), ("!=", "-"), ("|~", "body~")].into_iter().find(|(sign, _)| rest.starts_with(sign))?;
        let quoted = rest.strip_prefix(sign)?.trim_start().strip_prefix('"')?;
        let (text, after) = quoted.split_once('"')?;
        words.push(format!("{before}\"{text}\""));
        rest = after;
    }
}
