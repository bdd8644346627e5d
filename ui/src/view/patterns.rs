//! Patterns of log records: texts that are alike as one line with holes, found in one pass over a sample.
//!
//! Words that hold digits, addresses and what stands in quotes are holes from the start; of JSON the keys and the words of texts stay. A text
//! joins the first pattern of as many words that begins alike and has at least half of its words; words that differ become holes. A hole that is
//! filled alike in all of them is shown filled.

use std::collections::{BTreeMap, HashMap, HashSet};

use storage::{LogRecord, Severity, TimeRange, UnixNanos};

use super::chart::{Columns, Parts};
use super::colour::{Chip, Palette};
use super::format::{self, Clockface, Moment};
use super::link::Address;
use super::logs::{body, letter_of};

mod words;

use self::words::{Word, beginning, is_alike, is_whole, regex, spelled, words};

/// One pattern as a row.
#[derive(Clone, Debug, Default)]
pub(crate) struct PatternRow {
    /// Texts and holes in turn; a hole is empty.
    pub(crate) parts: Vec<String>,
    pub(crate) count: String,
    pub(crate) share: String,
    pub(crate) part: String,
    /// How many over time, and the most in one part of it.
    pub(crate) trend: Columns,
    pub(crate) peak: String,
    /// Its severities, the most frequent first: letter, class, and how many of which.
    pub(crate) severities: Vec<(&'static str, &'static str, String)>,
    pub(crate) services: Vec<Chip>,
    pub(crate) last: Moment,
    /// Its records, and what finds them; empty where no word is fixed, so that nothing would.
    pub(crate) href: String,
    pub(crate) query: String,
    /// Whether no record before was like it; only told where there are records to tell by.
    pub(crate) is_new: bool,
}

/// What is gathered of one pattern.
#[derive(Clone, Debug, Default)]
struct Pattern {
    words: Vec<Word>,
    /// Each word as it is written in all of them; `None` where they differ.
    written: Vec<Option<String>>,
    /// Whether a text has more words than these.
    is_cut: bool,
    count: u64,
    /// Records by severity; `None` has none.
    severities: BTreeMap<Option<Severity>, u64>,
    services: Vec<String>,
    last: UnixNanos,
    over_time: Vec<u64>,
}

/// The part of `range` that `records`, the newest first, tell of: from the oldest of them when there are more.
pub(crate) fn period(records: &[LogRecord], is_cut: bool, range: TimeRange) -> TimeRange {
    let oldest = records.iter().map(|record| record.time).min().filter(|_| is_cut);
    TimeRange { from: oldest.unwrap_or(range.from).max(range.from), to: range.to }
}

/// Patterns of `records` over `range`, the most frequent first; each leads to its records on `page`. `before` are records of earlier, where
/// they are known.
pub(crate) fn rows(
    (records, before): (&[LogRecord], Option<&[LogRecord]>),
    range: TimeRange,
    (query, page): (&str, &Address),
    clock: &Clockface,
    palette: &Palette,
) -> Vec<PatternRow> {
    let mut patterns = find(records, range);
    patterns.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.words.cmp(&b.words)));
    let most = patterns.first().map_or(0, |pattern| pattern.count);
    let known = before.map(Texts::of);
    let row = |pattern: &Pattern| {
        let peak = pattern.over_time.iter().copied().max().unwrap_or(0);
        let step = format::duration(Parts::new(range, POINTS).step);
        let is_fixed = pattern.words.iter().any(|word| !word.is_hole());
        let matching = super::facets::with(query, &format!("body~\"{}\"", regex(&pattern.words, !pattern.is_cut).replace('"', "\\\"")));
        PatternRow {
            parts: pattern.parts(),
            count: format::count(pattern.count),
            share: format::position(pattern.count, most),
            part: format::percent(pattern.count, records.len() as u64),
            trend: Columns::new(&pattern.over_time, format!("at most {} in {step}", format::exact(peak))),
            peak: format::count(peak),
            severities: pattern.severities(),
            services: pattern.services.iter().map(|name| palette.chip(name)).collect(),
            last: clock.moment(pattern.last),
            href: if is_fixed { page.clone().with("q", &matching).with("view", "").href() } else { String::new() },
            is_new: is_fixed && known.as_ref().is_some_and(|known| !known.holds(&pattern.words)),
            query: if is_fixed { matching } else { String::new() },
        }
    };
    patterns.iter().take(MAX_ROWS).map(row).collect()
}

/// The words of a text, of which those with digits and such only fill a place.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Shape(Vec<Word>);

/// What texts have in common that differ in numbers, ids and addresses alone.
pub(crate) fn shape(record: &LogRecord) -> Shape {
    Shape(words(&body(&record.body, &record.event_name)))
}

/// Puts first what is new.
pub(crate) fn new_first(rows: &mut [PatternRow]) {
    rows.sort_by_key(|row| !row.is_new);
}

/// Texts of records by number of words, to look for like ones.
struct Texts(HashMap<usize, HashSet<Vec<Word>>>);

impl Texts {
    fn of(records: &[LogRecord]) -> Self {
        let mut texts: HashMap<usize, HashSet<Vec<Word>>> = HashMap::new();
        for record in records {
            let words = words(&body(&record.body, &record.event_name));
            texts.entry(words.len()).or_default().insert(words);
        }
        Self(texts)
    }

    /// Whether one of them is as the pattern says: holes stand for any word.
    fn holds(&self, pattern: &[Word]) -> bool {
        let fits = |text: &Vec<Word>| pattern.iter().zip(text).all(|(mine, other)| mine.is_hole() || mine == other);
        self.0.get(&pattern.len()).is_some_and(|texts| texts.iter().any(fits))
    }
}

fn find(records: &[LogRecord], range: TimeRange) -> Vec<Pattern> {
    let mut patterns: Vec<Pattern> = Vec::new();
    // By number of words and the first of them.
    let mut alike: HashMap<(usize, String), Vec<usize>> = HashMap::new();
    for record in records {
        let text = body(&record.body, &record.event_name);
        let (words, written): (Vec<Word>, Vec<&str>) = spelled(beginning(&text)).into_iter().unzip();
        let key = (words.len(), words.first().and_then(Word::text).unwrap_or_default().to_owned());
        let places = alike.entry(key).or_default();
        let known = places.iter().copied().find(|place| patterns.get(*place).is_some_and(|pattern| is_alike(&pattern.words, &words)));
        let place = known.unwrap_or_else(|| {
            if patterns.len() < MAX_PATTERNS {
                let written = written.iter().map(|word| Some((*word).to_owned())).collect();
                patterns.push(Pattern { words: words.clone(), written, over_time: vec![0; POINTS], ..Pattern::default() });
                places.push(patterns.len() - 1);
            }
            patterns.len() - 1
        });
        if let Some(pattern) = patterns.get_mut(place) {
            pattern.is_cut |= !is_whole(&text, words.len()) || pattern.words.len() != words.len();
            pattern.take(record, (&words, &written), range);
        }
    }
    patterns
}

// === impl Pattern ===

impl Pattern {
    fn take(&mut self, record: &LogRecord, (words, written): (&[Word], &[&str]), range: TimeRange) {
        for (mine, other) in self.words.iter_mut().zip(words) {
            mine.widen(other);
        }
        for (mine, other) in self.written.iter_mut().zip(written) {
            *mine = mine.take().filter(|mine| mine == other);
        }
        self.count += 1;
        *self.severities.entry(Severity::from_number(record.severity_number)).or_default() += 1;
        self.last = self.last.max(record.time);
        let service = record.service_name();
        if self.services.len() < MAX_SERVICES && !self.services.iter().any(|known| known == service) {
            self.services.push(service.to_owned());
        }
        if let Some(count) = Parts::new(range, POINTS).of(record.time).and_then(|point| self.over_time.get_mut(point)) {
            *count += 1;
        }
    }

    /// The most frequent first, of equals the worst.
    fn severities(&self) -> Vec<(&'static str, &'static str, String)> {
        let mut counts: Vec<(Option<Severity>, u64)> = self.severities.iter().map(|(severity, count)| (*severity, *count)).collect();
        counts.sort_by_key(|(severity, count)| std::cmp::Reverse((*count, *severity)));
        let told = |(severity, count): (Option<Severity>, u64)| {
            let (letter, class) = letter_of(severity);
            (letter, class, format!("{} {}", format::exact(count), severity.map_or("without severity", Severity::as_str)))
        };
        counts.into_iter().map(told).collect()
    }

    fn parts(&self) -> Vec<String> {
        let mut parts: Vec<String> = Vec::new();
        let mut is_joined = false;
        for (word, written) in self.words.iter().zip(&self.written) {
            match (word.text().or(written.as_deref()), parts.last_mut()) {
                (Some(text), Some(last)) if !last.is_empty() => {
                    if !(is_joined || word.is_between()) {
                        last.push(' ');
                    }
                    last.push_str(&format::said(text));
                }
                (Some(text), _) => parts.push(format::said(text)),
                (None, Some(last)) if last.is_empty() => {}
                (None, _) => parts.push(String::new()),
            }
            is_joined = word.is_between();
        }
        parts
    }
}

/// Patterns that are told apart in a sample; what is unlike all of them counts as the last.
const MAX_PATTERNS: usize = 500;
const MAX_ROWS: usize = 100;
const MAX_SERVICES: usize = 4;

/// Points of the small line.
const POINTS: usize = 30;

#[cfg(test)]
mod tests;
