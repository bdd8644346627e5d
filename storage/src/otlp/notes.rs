//! What a sender is told about a request that was taken in: what was refused and why, or what it should mend.

use std::fmt::Write;

use super::shape::Oddities;

/// Longest message in bytes.
const MAX_MESSAGE: usize = 1024;

/// Longest part of a span's name in a message, in characters.
const MAX_NAME: usize = 100;

/// Counts, and the first offender.
#[derive(Debug, Default)]
pub(super) struct Notes {
    pub(super) stored: u64,
    pub(super) rejected: u64,
    /// How many of them for which reason.
    pub(super) rejected_by: Vec<(&'static str, u64)>,
    first: String,
    /// Parent ids of wrong length.
    pub(super) wrong_parents: u64,
    /// Fields 1000.
    pub(super) legacy: u64,
    pub(super) repaired_texts: u64,
    pub(super) oddities: Oddities,
}

impl Notes {
    #[cold]
    pub(super) fn refuse(&mut self, path: [&str; 3], place: [usize; 3], name: &[u8], (reason, rule): (&'static str, &str)) {
        self.rejected += 1;
        match self.rejected_by.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, count)) => *count += 1,
            None => self.rejected_by.push((reason, 1)),
        }
        if !self.first.is_empty() {
            return;
        }
        for (step, (field, index)) in path.into_iter().zip(place).enumerate() {
            let dot = if step == 0 { "" } else { "." };
            let _ = write!(self.first, "{dot}{field}[{index}]");
        }
        let shown = name.get(..MAX_NAME * 4).unwrap_or(name);
        let name: String = String::from_utf8_lossy(shown).chars().take(MAX_NAME).map(|c| if c.is_control() { ' ' } else { c }).collect();
        if !name.is_empty() {
            let _ = write!(self.first, " \"{name}\"");
        }
        let _ = write!(self.first, ": {rule}");
    }

    /// The message, if there is anything to say.
    pub(super) fn message(&self, noun: &str) -> Option<String> {
        let mut message = String::new();
        if self.rejected > 0 {
            let _ = write!(message, "refused {} of {} {noun}, first {}", self.rejected, self.stored + self.rejected, self.first);
        } else {
            for warning in self.warnings().into_iter().flatten() {
                let separator = if message.is_empty() { "" } else { "; " };
                let _ = write!(message, "{separator}{warning}");
            }
        }
        let end = message.floor_char_boundary(MAX_MESSAGE);
        message.truncate(end);
        (!message.is_empty()).then_some(message)
    }

    fn warnings(&self) -> [Option<String>; 5] {
        let say = |count: u64, what: &str| (count > 0).then(|| format!("{count} {what}"));
        [
            say(
                self.legacy,
                "field(s) 1000 (instrumentation_library_spans or _logs of OTLP before 0.15) were ignored with their records; update the sender",
            ),
            say(self.repaired_texts, "text(s) were not UTF-8; their wrong bytes are stored as U+FFFD"),
            say(self.oddities.deep, "value(s) are nested deeper than 128 levels and read as \"…\" there"),
            say(self.wrong_parents, "parent span id(s) do not have 8 bytes; their spans are stored as roots"),
            say(self.oddities.profiles, "field(s) key_strindex or string_value_strindex were ignored; they belong to profiles"),
        ]
    }
}
