//! What a sender should know although nothing was rejected.
//!
//! A warning travels in `partial_success.error_message` with a count of zero. Some SDKs report every such message as an
//! error of the application, so each kind is said at most once a minute.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

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

/// Remembers when each kind was last said.
#[derive(Debug)]
pub(crate) struct Limiter {
    started: Instant,
    /// Seconds since `started` plus one; zero when never said.
    said: [AtomicU64; Warning::COUNT],
}

// === impl Warning ===

impl Warning {
    const COUNT: usize = 6;
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
    pub(crate) fn new() -> Self {
        Self { started: Instant::now(), said: Default::default() }
    }

    /// The warnings that may be said now, joined; marks them said.
    pub(crate) fn due(&self, warnings: &Warnings) -> Option<String> {
        let now = self.started.elapsed().as_secs() + 1;
        let mut due = Vec::new();
        for (text, said) in warnings.first.iter().zip(&self.said) {
            let Some(text) = text else { continue };
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
        let limiter = Limiter::new();
        let mut warnings = Warnings::default();
        warnings.note(Warning::SnakeCase, || "first".to_owned());
        warnings.note(Warning::SnakeCase, || "second".to_owned());
        assert_eq!(limiter.due(&warnings).as_deref(), Some("first"));
        assert_eq!(limiter.due(&warnings), None);
        warnings.note(Warning::EnumName, || "other".to_owned());
        assert_eq!(limiter.due(&warnings).as_deref(), Some("other"));
    }
}
