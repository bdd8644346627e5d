//! What one group of spans waits for longer than another: calls by their part of the critical path below each span. And what fails below them
//! more often.

use std::collections::{BTreeMap, BTreeSet};

use storage::trace::{Sheet, critical_path};
use storage::{SpanId, TraceId};

use crate::view::chance::{CERTAIN, certainty, margin, share};
use crate::view::colour::{Chip, Palette};
use crate::view::format;
use crate::view::link::Links;

/// Calls that take longer in the selection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Calls {
    /// Those that explain most come first.
    pub(crate) rows: Vec<CallRow>,
    /// What fails below more of the selected spans, the most frequent first.
    pub(crate) failed: Vec<FailedRow>,
    /// What was looked at, or why nothing was.
    pub(crate) remark: String,
}

/// A called operation, or what the spans did themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CallRow {
    /// `None` for the spans themselves.
    pub(crate) chip: Option<Chip>,
    pub(crate) name: String,
    /// The page of the operation.
    pub(crate) href: String,
    /// For the selection and the rest: how long a span waits for it, and in how many spans that is.
    pub(crate) selected: (String, String),
    pub(crate) rest: (String, String),
    /// The selected span that waited longest for it, at the longest such call.
    pub(crate) example: String,
}

/// An operation that fails below spans.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FailedRow {
    pub(crate) chip: Chip,
    pub(crate) name: String,
    /// What it says of it; empty for nothing.
    pub(crate) said: String,
    /// The page of the operation.
    pub(crate) href: String,
    /// Below how many spans of how many, for the selection and the rest.
    pub(crate) selected: String,
    pub(crate) rest: String,
    /// Where it failed below one of the selected spans.
    pub(crate) example: String,
}

/// What one span waited for.
#[derive(Clone, Debug)]
pub(crate) struct Waits {
    trace: TraceId,
    calls: BTreeMap<Call, Wait>,
    /// What failed below it: service, operation and what it says, and the first such span.
    failed: BTreeMap<Failed, SpanId>,
}

type Failed = (String, String, String);

/// Service and operation; `None` for the span itself.
type Call = Option<(String, String)>;

/// How long in all, and the span of the longest stretch.
#[derive(Clone, Copy, Debug)]
struct Wait {
    nanos: u64,
    longest: u64,
    span: SpanId,
}

// === impl Waits ===

impl Waits {
    /// Of the span at a place: its duration, divided among itself and what is below it.
    pub(crate) fn of(sheet: &Sheet, place: usize) -> Self {
        let mut calls: BTreeMap<Call, Wait> = BTreeMap::new();
        for section in critical_path(&sheet.spans, sheet.tree(), place) {
            let Some(span) = sheet.spans.get(section.span) else { continue };
            let call = (section.span != place).then(|| (sheet.service(section.span).to_owned(), sheet.name(section.span).to_owned()));
            let length = section.from.until(section.to);
            let wait = calls.entry(call).or_insert(Wait { nanos: 0, longest: 0, span: span.span_id });
            wait.nanos = wait.nanos.saturating_add(length);
            if length > wait.longest {
                (wait.longest, wait.span) = (length, span.span_id);
            }
        }
        Self { trace: sheet.id, calls, failed: failed_below(sheet, place) }
    }

    fn nanos(&self, call: &Call) -> u64 {
        self.calls.get(call).map_or(0, |wait| wait.nanos)
    }
}

// === impl Calls ===

impl Calls {
    /// Ranks calls by how much longer the selection waits for them.
    pub(crate) fn new((selected, rest): (&[Waits], &[Waits]), links: &Links, palette: &Palette) -> Self {
        if selected.len() < FEWEST || rest.len() < FEWEST {
            return Self {
                remark: format!("Calls are compared where each side has at least {FEWEST} spans in traces that are not too large."),
                ..Self::default()
            };
        }
        let calls: BTreeSet<&Call> = selected.iter().flat_map(|waits| waits.calls.keys()).collect();
        let whole: u64 = mean(selected.iter().flat_map(|waits| waits.calls.values().map(|wait| wait.nanos)), selected.len());
        let mut ranked: Vec<(u64, &Call)> = Vec::new();
        for call in calls {
            let more = each(call, selected).saturating_sub(each(call, rest));
            let ranks = |group: &[Waits]| group.iter().map(|waits| format::ratio(waits.nanos(call), 1)).collect::<Vec<f64>>();
            if more > 0 && more >= whole / LEAST && certainty(&ranks(selected), &ranks(rest)) >= CERTAIN {
                ranked.push((more, call));
            }
        }
        ranked.sort_by_key(|(more, call)| (std::cmp::Reverse(*more), *call));
        let rows: Vec<CallRow> = ranked.into_iter().take(MAX_ROWS).map(|(_, call)| row(call, (selected, rest), links, palette)).collect();
        let looked = format!("{} of the selection and {} of the rest", format::counted(selected.len() as u64, "span", "spans"), rest.len());
        let found = if rows.is_empty() { "; no call takes longer in the selection by more than chance among so few" } else { "" };
        Self {
            rows,
            failed: failed_more((selected, rest), links, palette),
            remark: format!("Calls: looked at {looked}, and how long each of them waited; times are means of all of these spans{found}."),
        }
    }
}

/// Failed spans below the one at a place.
fn failed_below(sheet: &Sheet, place: usize) -> BTreeMap<Failed, SpanId> {
    let (row, tree) = (sheet.rank(place), sheet.tree());
    let below = tree.preorder().get(row + 1..row + tree.subtree_size(place)).unwrap_or_default();
    let mut failed = BTreeMap::new();
    for place in below {
        let Some(span) = sheet.spans.get(*place).filter(|span| span.is_error()) else { continue };
        let said = format::message(sheet.message(*place).unwrap_or_default(), MAX_SAID);
        failed.entry((sheet.service(*place).to_owned(), sheet.name(*place).to_owned(), said)).or_insert(span.span_id);
    }
    failed
}

/// What fails below more of the selected spans than of the rest, by more than chance.
fn failed_more((selected, rest): (&[Waits], &[Waits]), links: &Links, palette: &Palette) -> Vec<FailedRow> {
    let all: BTreeSet<&Failed> = selected.iter().flat_map(|waits| waits.failed.keys()).collect();
    let (of_selected, of_rest) = (selected.len() as u64, rest.len() as u64);
    let below = |group: &[Waits], failed: &Failed| group.iter().filter(|waits| waits.failed.contains_key(failed)).count() as u64;
    let counted = all.into_iter().map(|failed| (below(selected, failed), below(rest, failed), failed));
    let is_more = |(a, b, _): &(u64, u64, &Failed)| share(*a, of_selected) - share(*b, of_rest) >= margin((*a, *b), (of_selected, of_rest));
    let mut more: Vec<(u64, u64, &Failed)> = counted.filter(is_more).collect();
    more.sort_by_key(|(a, b, failed)| (std::cmp::Reverse(*a), *b, *failed));
    let row = |(a, b, failed): (u64, u64, &Failed)| {
        let example = selected.iter().find_map(|waits| {
            let span = waits.failed.get(failed)?.to_string();
            Some(links.trace(&waits.trace).with("span", &span).href() + &format!("#s{span}"))
        });
        let (service, operation, said) = failed;
        FailedRow {
            chip: palette.chip(service),
            name: format::name(operation),
            said: said.clone(),
            href: links.operation(service, operation).href(),
            selected: format!("below {a} of {of_selected}"),
            rest: format!("below {b} of {of_rest}"),
            example: example.unwrap_or_default(),
        }
    };
    more.into_iter().take(MAX_FAILED).map(row).collect()
}

fn row(call: &Call, (selected, rest): (&[Waits], &[Waits]), links: &Links, palette: &Palette) -> CallRow {
    let longest = selected.iter().max_by_key(|waits| waits.nanos(call));
    let example = longest.and_then(|waits| {
        let span = waits.calls.get(call)?.span.to_string();
        Some(links.trace(&waits.trace).with("span", &span).href())
    });
    let common =
        CallRow { selected: told(call, selected), rest: told(call, rest), example: example.unwrap_or_default(), ..CallRow::default() };
    match call {
        Some((service, operation)) => CallRow {
            chip: Some(palette.chip(service)),
            name: format::name(operation),
            href: links.operation(service, operation).href(),
            ..common
        },
        None => CallRow { name: "the selected spans themselves".to_owned(), ..common },
    }
}

/// How long a span of a group waits for a call, those that do not wait included, and in how many of them that is.
fn told(call: &Call, group: &[Waits]) -> (String, String) {
    let waiting = group.iter().filter(|waits| waits.nanos(call) > 0).count();
    let each = if waiting > 0 { format::duration(each(call, group)) } else { format::MISSING.to_owned() };
    (each, format!("in {waiting} of {}", group.len()))
}

/// The mean over all spans of a group.
fn each(call: &Call, group: &[Waits]) -> u64 {
    mean(group.iter().map(|waits| waits.nanos(call)), group.len())
}

fn mean(values: impl Iterator<Item = u64>, count: usize) -> u64 {
    values.fold(0, u64::saturating_add) / (count as u64).max(1)
}

/// Spans that each side must have: with fewer no difference is beyond chance.
const FEWEST: usize = 4;

/// A call explains something when it makes a twentieth of how long the selected spans last, at least.
const LEAST: u64 = 20;

/// Failed operations that are listed, and letters of what they say.
const MAX_FAILED: usize = 6;
const MAX_SAID: usize = 100;

/// Calls that are listed.
const MAX_ROWS: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(number: u8, calls: &[(&str, u64)]) -> Waits {
        let wait = |(name, ms): &(&str, u64)| {
            let call = (!name.is_empty()).then(|| ("db".to_owned(), (*name).to_owned()));
            (call, Wait { nanos: ms * 1_000_000, longest: ms * 1_000_000, span: SpanId::from_slice(&[number; 8]).unwrap() })
        };
        Waits { trace: TraceId::from_slice(&[number; 16]).unwrap(), calls: calls.iter().map(wait).collect(), failed: BTreeMap::new() }
    }

    fn told(selected: &[Waits], rest: &[Waits]) -> Vec<[String; 5]> {
        let calls = Calls::new((selected, rest), &Links::default(), &Palette::default());
        calls
            .rows
            .into_iter()
            .map(|row| {
                [row.name, row.selected.0, row.selected.1, row.rest.0, row.rest.1].map(|text| text.replace(['\u{a0}', '\u{202f}'], " "))
            })
            .collect()
    }

    #[test]
    fn calls_that_take_longer_are_listed_and_what_is_alike_or_chance_is_not() {
        let slow =
            |n: u8| waits(n, &[("", 10), ("SELECT orders", if n <= 12 { 480 + u64::from(n) } else { 0 }), ("SELECT stock", u64::from(n))]);
        let fast = |n: u8| waits(n, &[("", 10), ("SELECT orders", 3), ("SELECT stock", u64::from(n))]);
        let (selected, rest) = ((1..15).map(slow).collect::<Vec<_>>(), (1..17).map(fast).collect::<Vec<_>>());
        assert_eq!(told(&selected, &rest), [["SELECT orders", "417 ms", "in 12 of 14", "3.00 ms", "in 16 of 16"].map(str::to_owned)]);
        assert_eq!(told(&rest, &selected), Vec::<[String; 5]>::new());
        let remark = |groups: (&[Waits], &[Waits])| Calls::new(groups, &Links::default(), &Palette::default()).remark;
        assert!(remark((&rest, &selected)).contains("; no call takes longer in the selection"), "what was looked at has a result");
        assert!(!remark((&selected, &rest)).contains("no call"));
        // One span that waits for minutes says nothing of the others.
        let mut one = rest.clone();
        one[3] = waits(3, &[("SELECT orders", 90_000)]);
        assert_eq!(told(&one, &rest), Vec::<[String; 5]>::new());
        let few = Calls::new((&selected[..3], &rest), &Links::default(), &Palette::default());
        assert!(few.rows.is_empty() && few.remark.contains("at least 4 spans"), "{few:?}");
    }

    #[test]
    fn what_fails_below_more_of_the_selection_is_listed_with_what_it_says() {
        let failing = |n: u8, said: &str| {
            let key = ("booking".to_owned(), "GET".to_owned(), said.to_owned());
            Waits { failed: BTreeMap::from([(key, SpanId::from_slice(&[n; 8]).unwrap())]), ..waits(n, &[("", 1)]) }
        };
        let selected: Vec<Waits> = (1..15).map(|n| failing(n, if n < 11 { "refused" } else { "odd" })).collect();
        let mut rest: Vec<Waits> = (1..17).map(|n| waits(n, &[("", 1)])).collect();
        rest[0] = failing(1, "odd");
        let calls = Calls::new((&selected, &rest), &Links::default(), &Palette::default());
        let [row] = calls.failed.as_slice() else { panic!("{calls:?}") };
        assert_eq!((row.said.as_str(), row.selected.as_str(), row.rest.as_str()), ("refused", "below 10 of 14", "below 0 of 16"));
        assert_eq!(row.example, format!("/trace/{}?span={}#s{1}", "01".repeat(16), "01".repeat(8)));
        let trace = crate::view::trace::sample::checkout();
        let failed: Vec<Failed> = Waits::of(&Sheet::of(&trace), 0).failed.into_keys().collect();
        assert_eq!(
            failed.iter().map(|(service, name, _)| (service.as_str(), name.as_str())).collect::<Vec<_>>(),
            [("payment", "ChargeCard")]
        );
    }

    #[test]
    fn a_row_leads_to_its_operation_and_to_the_span_that_waited_longest() {
        let of = |n: u8, ms: u64| waits(n, &[("", ms), ("GET /a b", ms)]);
        let selected: Vec<Waits> = (1..9).map(|n| of(n, 100 + u64::from(n))).collect();
        let rest: Vec<Waits> = (1..9).map(|n| of(n, 1)).collect();
        let calls = Calls::new((&selected, &rest), &Links::default(), &Palette::default());
        let [own, call] = calls.rows.as_slice() else { panic!("{calls:?}") };
        assert_eq!((own.name.as_str(), own.href.as_str(), &own.chip), ("the selected spans themselves", "", &None));
        assert_eq!(call.href, "/services/db/ops/GET%20%2Fa%20b");
        assert_eq!(call.example, format!("/trace/{}?span={}", "08".repeat(16), "08".repeat(8)));
    }

    #[test]
    fn a_span_is_divided_among_itself_and_what_it_waited_for() {
        let trace = crate::view::trace::sample::checkout();
        let waits = Waits::of(&Sheet::of(&trace), 0);
        let told: Vec<(String, u64)> =
            waits.calls.iter().map(|(call, wait)| (call.clone().map_or_else(String::new, |call| call.1), wait.nanos / 1_000_000)).collect();
        let of = |name: &str, ms| (name.to_owned(), ms);
        assert_eq!(told, [of("", 25), of("Reserve", 15), of("SELECT stock", 10), of("ChargeCard", 50)]);
    }
}
