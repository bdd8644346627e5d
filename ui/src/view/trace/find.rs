//! Search within one trace: words that must all occur somewhere in a span.

use storage::trace::Sheet;
use storage::{KeyValue, Span};

use crate::view::attributes;

/// What is looked for. `word` occurs anywhere, `key:word` in that field or attribute, `-word` nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Needle {
    words: Vec<Word>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Word {
    is_not: bool,
    key: String,
    text: String,
}

// === impl Needle ===

impl Needle {
    /// `None` when nothing is looked for.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut words = Vec::new();
        for piece in split(text).into_iter().take(MAX_WORDS) {
            let (is_not, piece) =
                piece.strip_prefix('-').filter(|rest| !rest.is_empty()).map_or((false, piece.as_str()), |rest| (true, rest));
            let (key, text) = match piece.split_once([':', '=']) {
                Some((key, text)) if !key.is_empty() && !text.is_empty() && !text.starts_with("//") => (key, text),
                _ => ("", piece),
            };
            let key = ["attr.", "span."].into_iter().find_map(|prefix| key.strip_prefix(prefix)).unwrap_or(key);
            words.push(Word { is_not, key: key.to_lowercase(), text: text.to_lowercase() });
        }
        (!words.is_empty()).then_some(Self { words })
    }

    /// What the columns alone decide: `None` when the span must be read whole.
    pub(crate) fn quick(&self, sheet: &Sheet, place: usize) -> Option<bool> {
        let mut all_decided = true;
        for word in &self.words {
            match word.quick(sheet, place) {
                Some(is_in) if is_in == word.is_not => return Some(false),
                Some(_) => {}
                None => all_decided = false,
            }
        }
        all_decided.then_some(true)
    }

    /// Whether every word is in the span.
    pub(crate) fn is_in(&self, span: &Span) -> bool {
        self.words.iter().all(|word| word.is_in(span) != word.is_not)
    }
}

// === impl Word ===

impl Word {
    fn quick(&self, sheet: &Sheet, place: usize) -> Option<bool> {
        let brief = sheet.spans.get(place)?;
        match self.key.as_str() {
            "name" => Some(contains(sheet.name(place), &self.text)),
            "service" => Some(contains(sheet.service(place), &self.text)),
            "kind" => Some(contains(brief.kind.as_str(), &self.text)),
            "status" => Some(contains(brief.status.as_str(), &self.text)),
            "" => (contains(sheet.name(place), &self.text) || contains(sheet.service(place), &self.text)).then_some(true),
            _ => None,
        }
    }

    fn is_in(&self, span: &Span) -> bool {
        let fields: [(&str, &str); 6] = [
            ("name", &span.name),
            ("service", span.service_name()),
            ("kind", span.kind.as_str()),
            ("status", span.status.code.as_str()),
            ("message", &span.status.message),
            ("scope", &span.scope.name),
        ];
        if ["name", "service", "kind", "status"].contains(&self.key.as_str()) {
            // Fields of every span; attributes of these names are found by their values.
            return fields.iter().any(|(key, value)| self.key == *key && contains(value, &self.text));
        }
        let named = |key: &str| self.key.is_empty() || self.key == key;
        // The words of closed sets are found by name only, or every search for `error` would say little.
        let closed = |key: &str| self.key.is_empty() && matches!(key, "kind" | "status");
        fields.iter().any(|(key, value)| named(key) && !closed(key) && contains(value, &self.text))
            || (named("span") && span.span_id.to_string().starts_with(&self.text))
            || self.is_in_pairs(&span.attributes)
            || self.is_in_pairs(&span.resource.attributes)
            || span.events.iter().any(|event| (named("event") && contains(&event.name, &self.text)) || self.is_in_pairs(&event.attributes))
    }

    fn is_in_pairs(&self, pairs: &[KeyValue]) -> bool {
        pairs.iter().any(|pair| {
            let key = pair.key.to_lowercase();
            if self.key.is_empty() {
                key.contains(&self.text) || contains(&attributes::shown(&pair.value), &self.text)
            } else {
                key == self.key && contains(&attributes::shown(&pair.value), &self.text)
            }
        })
    }
}

/// `needle` is in lower case already.
fn contains(text: &str, needle: &str) -> bool {
    text.contains(needle) || text.to_lowercase().contains(needle)
}

/// At spaces outside quotes; quotes are taken away.
fn split(text: &str) -> Vec<String> {
    let (mut pieces, mut piece, mut in_quotes) = (Vec::new(), String::new(), false);
    for c in text.chars().take(MAX_TEXT) {
        match c {
            '"' => in_quotes = !in_quotes,
            c if c.is_whitespace() && !in_quotes => pieces.push(std::mem::take(&mut piece)),
            c => piece.push(c),
        }
    }
    pieces.push(piece);
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

/// More words are left out.
const MAX_WORDS: usize = 16;

/// More characters are left out.
const MAX_TEXT: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    fn found(text: &str) -> bool {
        let trace = sample::checkout();
        Needle::parse(text).is_some_and(|needle| needle.is_in(&trace.spans[3]))
    }

    #[test]
    fn what_the_columns_decide_agrees_with_the_whole_span() {
        let trace = sample::checkout();
        let sheet = Sheet::of(&trace);
        for text in ["charge", "service:payment", "name:post -kind:server", "status:error", "-payment", "kind:client declined", "mysql"] {
            let needle = Needle::parse(text).unwrap();
            for (place, span) in trace.spans.iter().enumerate() {
                assert!(needle.quick(&sheet, place).is_none_or(|quick| quick == needle.is_in(span)), "{text} {place}");
            }
        }
        assert_eq!(Needle::parse("declined").unwrap().quick(&sheet, 0), None);
        assert_eq!(Needle::parse("service:payment").unwrap().quick(&sheet, 0), Some(false));
    }

    #[test]
    fn words_are_found_in_names_attributes_and_events_without_regard_to_case() {
        for text in [
            "chargecard",
            "DECLINED",
            "http.response.status_code:402",
            "service:payment",
            "status:error charge",
            "\"card declined\"",
            "-mysql",
        ] {
            assert!(found(text), "{text}");
        }
        for text in ["mysql", "service:orders", "http.response.status_code:200", "-payment", "charge nothing"] {
            assert!(!found(text), "{text}");
        }
        assert_eq!(Needle::parse("  \"\" "), None);
    }
}
