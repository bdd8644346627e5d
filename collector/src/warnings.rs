//! What a sender should know although nothing was rejected.
//!
//! A warning travels in `partial_success.error_message` with a count of zero. Some SDKs report every such message as an
//! error of the application, so each kind is said at most once a minute; but what loses a value is said every time. All are counted.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use storage::{Counter, Registry};

/// What can be worth a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Warning {
    /// An enum by its name, where OTLP sends numbers.
    EnumName,
    /// A snake_case key, which OTLP ignores.
    SnakeCase,
    /// A null inside an array.
    NullElement,
    /// A value of a type that its field cannot hold.
    DroppedValue,
    /// An id that is not hex of the right length.
    Id,
    /// Values nested deeper than anything sends.
    Depth,
}

/// The first example of each kind seen in a request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Warnings {
    first: [Option<String>; Warning::COUNT],
}

/// Remembers when each kind was last said, and counts them.
#[derive(Debug)]
pub(crate) struct Limiter {
    started: Instant,
    counters: [Counter; Warning::COUNT],
    /// Seconds since `started` plus one; zero when never said.
    said: [AtomicU64; Warning::COUNT],
}

// === impl Warning ===

impl Warning {
    const COUNT: usize = 6;
    const ALL: [Self; Self::COUNT] = [Self::EnumName, Self::SnakeCase, Self::NullElement, Self::DroppedValue, Self::Id, Self::Depth];

    /// The word used in metrics.
    fn as_str(self) -> &'static str {
        match self {
            Self::EnumName => "enum_name",
            Self::SnakeCase => "snake_case",
            Self::NullElement => "null_element",
            Self::DroppedValue => "dropped_value",
            Self::Id => "id",
            Self::Depth => "depth",
        }
    }

    /// Whether something that was sent is not stored.
    fn loses(self) -> bool {
        matches!(self, Self::DroppedValue | Self::Depth)
    }
}

// === impl Warnings ===

impl Warnings {
    pub(crate) fn note(&mut self, kind: Warning, text: impl FnOnce() -> String) {
        if let Some(slot @ None) = self.first.get_mut(kind as usize) {
            *slot = Some(text());
        }
    }

    pub(crate) fn get(&self, kind: Warning) -> Option<&str> {
        self.first.get(kind as usize)?.as_deref()
    }
}

// === impl Limiter ===

impl Limiter {
    pub(crate) fn new(registry: &Registry) -> Self {
        let counters = Warning::ALL.map(|kind| {
            let help = "Requests taken in with something that their sender should mend, by kind.";
            registry.counter("throughline_request_warnings_total", help, &[("kind", kind.as_str())])
        });
        Self { started: Instant::now(), counters, said: Default::default() }
    }

    /// Counts what was noted in a request.
    pub(crate) fn count(&self, warnings: &Warnings) {
        for (text, counter) in warnings.first.iter().zip(&self.counters) {
            counter.add(u64::from(text.is_some()));
        }
    }

    /// The warnings that may be said now, joined; marks them said.
    pub(crate) fn due(&self, warnings: &Warnings) -> Option<String> {
        let now = self.started.elapsed().as_secs() + 1;
        let mut due = Vec::new();
        for ((text, said), kind) in warnings.first.iter().zip(&self.said).zip(Warning::ALL) {
            let Some(text) = text else { continue };
            if kind.loses() {
                due.push(text.as_str());
                continue;
            }
            let last = said.load(Ordering::Relaxed);
            let again = last == 0 || now.saturating_sub(last) >= INTERVAL_SECONDS;
            if again && said.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                due.push(text.as_str());
            }
        }
        (!due.is_empty()).then(|| due.join("; "))
    }
}

const INTERVAL_SECONDS: u64 = 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_said_once_a_minute() {
        let limiter = Limiter::new(&Registry::default());
        let mut warnings = Warnings::default();
        warnings.note(Warning::SnakeCase, || "first".to_owned());
        warnings.note(Warning::SnakeCase, || "second".to_owned());
        assert_eq!(limiter.due(&warnings).as_deref(), Some("first"));
        assert_eq!(limiter.due(&warnings), None);
        warnings.note(Warning::EnumName, || "other".to_owned());
        assert_eq!(limiter.due(&warnings).as_deref(), Some("other"));
    }

    #[test]
    fn a_value_that_is_lost_is_told_of_every_time() {
        let limiter = Limiter::new(&Registry::default());
        let mut warnings = Warnings::default();
        warnings.note(Warning::DroppedValue, || "a value is left out".to_owned());
        assert_eq!(limiter.due(&warnings).as_deref(), Some("a value is left out"));
        assert_eq!(limiter.due(&warnings).as_deref(), Some("a value is left out"));
    }
}
