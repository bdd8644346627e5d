//! What a sender should know although nothing was rejected.
//!
//! A warning travels in `partial_success.error_message`, with a count of zero when nothing was rejected. Some SDKs report every such
//! message as an error of the application, so a client is told of each kind at most once a minute; but what loses something that was sent is
//! said every time. All are counted, by requests and by values.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use storage::{Counter, Flaw, Registry};

/// What can be worth a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Warning {
    /// An enum by its name, where OTLP sends numbers.
    EnumName,
    /// A snake_case key, which OTLP ignores.
    SnakeCase,
    /// A null inside an array.
    NullElement,
    /// A value of a type that its field cannot hold.
    DroppedValue,
    /// An id that is not hex of the right length: where it stands. What it leads to is said and counted as in other encodings.
    Id,
    /// What can be wrong in every encoding.
    Stored(Flaw),
}

/// What was found in a request: of each kind how much, and words for it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Warnings {
    found: Vec<Found>,
}

#[derive(Clone, Debug)]
struct Found {
    kind: Warning,
    values: u64,
    /// The first one; a flaw without it is told by its count.
    example: Option<String>,
}

/// Remembers what was said to whom lately, and counts.
#[derive(Debug)]
pub(crate) struct Limiter {
    counters: Vec<(Warning, [Counter; 2])>,
    /// When a client was told of a kind.
    said: Mutex<HashMap<(String, Warning), Instant>>,
}

// === impl Warning ===

impl Warning {
    /// What only JSON can get wrong and is counted here.
    const OF_JSON: [Self; 4] = [Self::EnumName, Self::SnakeCase, Self::NullElement, Self::DroppedValue];

    /// The word used in metrics.
    fn as_str(self) -> &'static str {
        match self {
            Self::EnumName => "enum_name",
            Self::SnakeCase => "snake_case",
            Self::NullElement => "null_element",
            Self::DroppedValue => "dropped_value",
            Self::Id => "id",
            Self::Stored(flaw) => flaw.as_str(),
        }
    }

    /// Whether something that was sent is not stored.
    fn loses(self) -> bool {
        match self {
            Self::SnakeCase | Self::DroppedValue | Self::Id => true,
            Self::EnumName | Self::NullElement => false,
            Self::Stored(flaw) => flaw.loses(),
        }
    }
}

// === impl Warnings ===

impl Warnings {
    /// Notes one more of a kind; its words are used if it is the first.
    pub(crate) fn note(&mut self, kind: Warning, text: impl FnOnce() -> String) {
        if let Some(found) = self.found.iter_mut().find(|found| found.kind == kind) {
            found.values += 1;
        } else {
            self.found.push(Found { kind, values: 1, example: Some(text()) });
        }
    }

    /// Notes so many more of a flaw.
    pub(crate) fn add(&mut self, flaw: Flaw, values: u64) {
        let kind = Warning::Stored(flaw);
        match self.found.iter_mut().find(|found| found.kind == kind) {
            Some(found) => found.values += values,
            None => self.found.push(Found { kind, values, example: None }),
        }
    }

    /// The words that what was found is counted under.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = &'static str> {
        self.found.iter().map(|found| found.kind.as_str())
    }

    #[cfg(test)]
    pub(crate) fn get(&self, kind: Warning) -> Option<String> {
        self.found.iter().find(|found| found.kind == kind).map(Found::text)
    }
}

// === impl Found ===

impl Found {
    fn text(&self) -> String {
        match (&self.example, self.kind) {
            (Some(example), _) => example.clone(),
            (None, Warning::Stored(flaw)) => flaw.sentence(self.values),
            (None, kind) => format!("{} of kind {}", self.values, kind.as_str()),
        }
    }
}

// === impl Limiter ===

impl Limiter {
    pub(crate) fn new(registry: &Registry) -> Self {
        let kinds = Warning::OF_JSON.into_iter().chain(Flaw::ALL.map(Warning::Stored));
        let counters = kinds.map(|kind| {
            let labels = [("kind", kind.as_str())];
            let requests = "Requests with something that their sender should mend, by kind; a request counts once per kind.";
            let values = "Values that their sender should mend, by kind: texts, ids, times, or the records that hold them.";
            let counters = [
                registry.counter("throughline_request_warnings_total", requests, &labels),
                registry.counter("throughline_warned_values_total", values, &labels),
            ];
            (kind, counters)
        });
        Self { counters: counters.collect(), said: Mutex::default() }
    }

    /// Counts what was noted in a request.
    pub(crate) fn count(&self, warnings: &Warnings) {
        for found in &warnings.found {
            if let Some((_, [requests, values])) = self.counters.iter().find(|(kind, _)| *kind == found.kind) {
                requests.add(1);
                values.add(found.values);
            }
        }
    }

    /// What this client is told now, joined; marks it said.
    pub(crate) fn due(&self, client: &str, warnings: &Warnings) -> Option<String> {
        let due = warnings.found.iter().filter(|found| found.kind.loses() || self.may_say(client, found.kind));
        let texts: Vec<String> = due.map(Found::text).collect();
        (!texts.is_empty()).then(|| texts.join("; "))
    }

    fn may_say(&self, client: &str, kind: Warning) -> bool {
        let now = Instant::now();
        let lately = |said: &Instant| now.duration_since(*said) < INTERVAL;
        let mut said = self.said.lock();
        let key = (client.to_owned(), kind);
        if said.get(&key).is_some_and(lately) {
            return false;
        }
        if said.len() >= MAX_REMEMBERED {
            said.retain(|_, at| lately(at));
        }
        if said.len() >= MAX_REMEMBERED {
            // So many names within a minute are made up. Better said twice than never.
            said.clear();
        }
        said.insert(key, now);
        true
    }
}

const INTERVAL: Duration = Duration::from_mins(1);
const MAX_REMEMBERED: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_is_told_of_a_kind_once_a_minute() {
        let limiter = Limiter::new(&Registry::default());
        let mut warnings = Warnings::default();
        warnings.note(Warning::NullElement, || "first".to_owned());
        warnings.note(Warning::NullElement, || "second".to_owned());
        assert_eq!(limiter.due("a", &warnings).as_deref(), Some("first"));
        assert_eq!(limiter.due("a", &warnings), None);
        assert_eq!(limiter.due("b", &warnings).as_deref(), Some("first"));
        warnings.note(Warning::EnumName, || "other".to_owned());
        assert_eq!(limiter.due("a", &warnings).as_deref(), Some("other"));
    }

    #[test]
    fn what_is_lost_is_told_of_every_time_with_its_count() {
        let limiter = Limiter::new(&Registry::default());
        let mut warnings = Warnings::default();
        warnings.note(Warning::DroppedValue, || "a value is left out".to_owned());
        warnings.add(Flaw::Text, 2);
        warnings.add(Flaw::Text, 1);
        let said = limiter.due("a", &warnings).unwrap();
        assert!(said.starts_with("a value is left out; 3 text(s) were not UTF-8"), "{said}");
        assert_eq!(limiter.due("a", &warnings), Some(said));
    }

    #[test]
    fn made_up_names_do_not_fill_the_memory() {
        let limiter = Limiter::new(&Registry::default());
        let mut warnings = Warnings::default();
        warnings.note(Warning::NullElement, || "said".to_owned());
        for client in 0..MAX_REMEMBERED * 2 + 5 {
            assert!(limiter.due(&client.to_string(), &warnings).is_some());
        }
        assert_eq!(limiter.said.lock().len(), 5);
    }

    #[test]
    fn requests_and_values_are_counted_apart() {
        let registry = Registry::default();
        let limiter = Limiter::new(&registry);
        let mut warnings = Warnings::default();
        warnings.add(Flaw::Early, 7);
        limiter.count(&warnings);
        let text = registry.render();
        assert!(text.contains("throughline_request_warnings_total{kind=\"before_2000\"} 1\n"), "{text}");
        assert!(text.contains("throughline_warned_values_total{kind=\"before_2000\"} 7\n"), "{text}");
    }
}
