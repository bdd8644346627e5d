//! What a sender is told about a request that was taken in: what was refused and why, and what it should mend.

use std::fmt::Write;

use super::Flaw;
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
    /// Ids of wrong length in log records.
    pub(super) record_ids: u64,
    /// Ids in links that are none.
    pub(super) link_ids: u64,
    /// Fields 1000.
    pub(super) legacy: u64,
    pub(super) repaired_texts: u64,
    /// Spans that another of the request takes the place of.
    pub(super) same: u64,
    /// Spans that end before they start.
    pub(super) backwards: u64,
    /// Records and events with a time before [`UnixNanos::YEAR_2000`](crate::model::UnixNanos::YEAR_2000).
    pub(super) early: u64,
    /// Records and events with a time more than a day ahead of the server's clock.
    pub(super) late: u64,
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

    /// Why records were refused, if any was.
    pub(super) fn message(&self, noun: &str) -> Option<String> {
        if self.rejected == 0 {
            return None;
        }
        let mut message = format!("refused {} of {} {noun}, first {}", self.rejected, self.stored + self.rejected, self.first);
        message.truncate(message.floor_char_boundary(MAX_MESSAGE));
        Some(message)
    }

    /// What the sender should mend, and how often it was found.
    pub(super) fn flaws(&self) -> Vec<(Flaw, u64)> {
        let found = Flaw::ALL.map(|flaw| (flaw, self.count(flaw)));
        found.into_iter().filter(|(_, count)| *count > 0).collect()
    }

    fn count(&self, flaw: Flaw) -> u64 {
        match flaw {
            Flaw::LegacyField => self.legacy,
            Flaw::Text => self.repaired_texts.saturating_add(self.oddities.texts),
            Flaw::Depth => self.oddities.deep,
            Flaw::ParentId => self.wrong_parents,
            Flaw::RecordId => self.record_ids,
            Flaw::LinkId => self.link_ids,
            Flaw::ProfilesField => self.oddities.profiles,
            Flaw::Members => self.oddities.members,
            Flaw::SameSpan => self.same,
            Flaw::EndBeforeStart => self.backwards,
            Flaw::Early => self.early,
            Flaw::Late => self.late,
        }
    }
}
