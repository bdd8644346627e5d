//! Puts together the columns of a trace from spans as they are read, in any order and some of them twice.

use std::collections::HashMap;

use crate::model::{Resource, Span, TraceId, UnixNanos};

use super::super::error_message;
use super::super::skew::clock_key;
use super::{Brief, Sheet, number, sheet};

/// Collects spans as they are read.
#[derive(Debug, Default)]
pub(crate) struct Collector {
    rows: Vec<(Brief, u32)>,
    services: Words,
    names: Words,
    clocks: Words,
    /// What failed spans say, by number of the row.
    messages: HashMap<u32, String>,
}

/// Texts by number, each once.
#[derive(Debug, Default)]
struct Words {
    known: HashMap<String, u32>,
    words: Vec<String>,
}

/// Messages of more failed spans are not kept.
const MAX_MESSAGES: usize = 1_000;

// === impl Collector ===

impl Collector {
    /// The number of a service.
    pub(crate) fn service(&mut self, name: &str) -> u32 {
        self.services.number(name)
    }

    /// The number of a name.
    pub(crate) fn name(&mut self, name: &str) -> u32 {
        self.names.number(name)
    }

    /// The number of the clock of a resource.
    pub(crate) fn clock(&mut self, resource: &Resource) -> u32 {
        self.clocks.number(&clock_key(resource))
    }

    /// Adds a span; `message` is asked for when it failed. Of equal spans the last one added is kept.
    pub(crate) fn add(&mut self, brief: Brief, message: impl FnOnce() -> Option<String>) {
        let row = number(self.rows.len());
        let brief = Brief { end: brief.end.min(brief.start.plus(UnixNanos::LONGEST)), ..brief };
        if brief.is_error()
            && self.messages.len() < MAX_MESSAGES
            && let Some(message) = message()
        {
            self.messages.insert(row, message);
        }
        self.rows.push((brief, row));
    }

    pub(crate) fn add_span(&mut self, span: &Span, clock: u32) {
        let brief = Brief {
            span_id: span.span_id,
            parent_span_id: span.parent_span_id,
            kind: span.kind,
            status: span.status.code,
            start: span.start,
            end: span.end,
            service: self.service(span.service_name()),
            name: self.name(&span.name),
            clock,
            events: u32::try_from(span.events.len()).unwrap_or(u32::MAX),
        };
        self.add(brief, || error_message(span).map(str::to_owned));
    }

    /// The sheet, and for every span the number of the row it came from.
    pub(crate) fn finish(mut self, id: TraceId, complete: bool, notes: Vec<String>) -> (Sheet, Vec<u32>) {
        let key = |(brief, _): &(Brief, u32)| (brief.start, brief.span_id, brief.kind.number());
        self.rows.sort_by_key(|row| (key(row), std::cmp::Reverse(row.1)));
        let (mut replaced, mut counted) = (0, None);
        self.rows.dedup_by(|again, kept| {
            let is_same = key(again) == key(kept);
            if is_same && again.0 != kept.0 && counted != Some(key(kept)) {
                counted = Some(key(kept));
                replaced += 1;
            }
            is_same
        });
        let rows: Vec<u32> = self.rows.iter().map(|(_, row)| *row).collect();
        let spans: Vec<Brief> = self.rows.into_iter().map(|(brief, _)| brief).collect();
        let taken = std::mem::take(&mut self.messages);
        let said = rows.iter().enumerate().filter(|(place, _)| spans.get(*place).is_some_and(Brief::is_error));
        let messages = said.filter_map(|(place, row)| Some((number(place), taken.get(row)?.clone()))).collect();
        let words = (self.services.words, self.names.words);
        (Sheet { replaced, ..sheet(id, spans, words, messages, (complete, notes)) }, rows)
    }
}

// === impl Words ===

impl Words {
    fn number(&mut self, word: &str) -> u32 {
        if let Some(known) = self.known.get(word) {
            return *known;
        }
        let next = number(self.words.len());
        self.words.push(word.to_owned());
        self.known.insert(word.to_owned(), next);
        next
    }
}
