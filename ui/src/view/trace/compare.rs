//! Two traces beside each other: where the time differs, and what only one of them does.
//!
//! Spans are matched by their way down from the root: service, name and kind of every span on it. Spans with the same way are one row.

use askama::Template;
use storage::trace::Sheet;

use crate::view::colour::{Chip, Palette};
use crate::view::format::{self, Clockface, Moment};
use crate::view::frame::Frame;
use crate::view::link::Links;
use crate::view::outcome::Outcome;
use crate::view::traces::Row as TraceRow;

mod alike;
mod unlike;
mod ways;

pub(crate) use self::unlike::{Record, Unlike, records, values};
use self::ways::{Sum, Way, Ways};

/// `/compare`.
#[derive(Debug, Default, Template)]
#[template(path = "compare.html")]
pub(crate) struct ComparePage {
    pub(crate) frame: Frame,
    /// What was asked for, as written.
    pub(crate) a: String,
    pub(crate) b: String,
    /// What cannot be shown, and why.
    pub(crate) problems: Vec<String>,
    pub(crate) sides: Vec<Side>,
    /// `B took 309 ms longer`.
    pub(crate) verdict: String,
    pub(crate) rows: Vec<Row>,
    /// Rows that are left out because there are too many.
    pub(crate) left_out: usize,
    /// How many are left out because less differs in them than was asked for, in words; empty for none.
    pub(crate) small: String,
    /// The least difference, as written.
    pub(crate) least: String,
    /// What the form of it carries along.
    pub(crate) hidden: Vec<(&'static str, String)>,
    /// Attributes that differ, those that only one side has first.
    pub(crate) values: Vec<Unlike>,
    /// Log records of which only one side has any like them.
    pub(crate) records: Vec<Record>,
    /// Why that is not all; empty when it is.
    pub(crate) untold: String,
    /// Traces that can be taken for one of the two, what they are, and whether one is still wanted.
    pub(crate) others: Vec<TraceRow>,
    pub(crate) others_title: String,
    pub(crate) is_wanted: bool,
    /// The same page with a typical trace for the baseline; empty where there is one.
    pub(crate) typical: String,
    pub(crate) services: Vec<Row>,
    /// Word, address and whether it is the present choice.
    pub(crate) orders: Vec<(&'static str, String, bool)>,
    pub(crate) swap: String,
}

/// One of the two traces.
#[derive(Clone, Debug, Default)]
pub(crate) struct Side {
    pub(crate) letter: &'static str,
    /// What it is to the other.
    pub(crate) role: &'static str,
    pub(crate) chip: Chip,
    pub(crate) operation: String,
    pub(crate) outcome: Outcome,
    pub(crate) duration: String,
    pub(crate) facts: String,
    pub(crate) start: Moment,
    pub(crate) href: String,
    /// How it was chosen, when the reader did not choose it.
    pub(crate) why: String,
}

/// One way down from the root, or one service.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    pub(crate) chip: Chip,
    pub(crate) name: String,
    /// What it is in, where others read like it; the tree shows that.
    pub(crate) within: String,
    pub(crate) indent: usize,
    /// Own time on both sides, as text and as a bar in percent of the greatest.
    pub(crate) sides: [Amount; 2],
    /// `+309 ms slower`, or `+3 spans`.
    pub(crate) delta: String,
    /// `+42 %` of the time in A, or `×12`; empty where that says nothing.
    pub(crate) relative: String,
    /// `slower`, `faster`, `same`, `only-a` or `only-b`.
    pub(crate) class: &'static str,
    /// `only in B`; empty when it is on both sides.
    pub(crate) only: &'static str,
}

/// What one side has of a row.
#[derive(Clone, Debug, Default)]
pub(crate) struct Amount {
    pub(crate) own: String,
    pub(crate) percent: String,
    pub(crate) count: String,
    pub(crate) errors: String,
    /// The first of the spans; empty for none.
    pub(crate) href: String,
}

/// What links and names are made with.
pub(crate) type Means<'a> = (&'a Links, &'a Clockface, &'a Palette);

// === impl Side ===

impl Side {
    /// The head of one trace.
    pub(crate) fn new(
        (letter, role): (&'static str, &'static str),
        sheet: &Sheet,
        why: String,
        (links, clock, palette): Means<'_>,
    ) -> Self {
        let root = sheet.main_root();
        let errors = sheet.spans.iter().filter(|span| span.is_error()).count() as u64;
        let mut facts = format::counted(sheet.spans.len() as u64, "span", "spans");
        let outcome = Outcome::of_sheet(sheet);
        if errors > 0 {
            let inside = if outcome.has_error_inside() { " inside" } else { "" };
            facts = format!("{facts}, {}{inside}", format::counted(errors, "error", "errors"));
        }
        Self {
            letter,
            role,
            chip: palette.chip(root.map_or("", |root| sheet.service(root))),
            operation: format::name(root.map_or("", |root| sheet.name(root))),
            outcome,
            duration: format::duration(sheet.duration()),
            facts,
            start: clock.moment(sheet.start()),
            href: links.trace(&sheet.id).href(),
            why,
        }
    }
}

/// In which order spans are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Order {
    /// The greatest difference of own time.
    #[default]
    Change,
    /// The most own time on either side.
    Own,
    /// The greatest difference of number.
    Count,
    /// From the root down.
    Tree,
}

impl Order {
    /// Words of the address.
    pub(crate) const WORDS: [(&'static str, Self); 4] =
        [("change", Self::Change), ("own", Self::Own), ("count", Self::Count), ("tree", Self::Tree)];

    /// Each with its label.
    pub(crate) fn labels() -> impl Iterator<Item = (&'static str, &'static str, Self)> {
        let labels = ["By change", "By own time", "By count", "As tree"];
        labels.into_iter().zip(Self::WORDS).map(|(label, (word, order))| (label, word, order))
    }
}

/// Fills the page with what differs between two traces: rows whose own time differs by `least` nanoseconds or more, in an order. Returns
/// pairs of spans that are worth a look at their attributes: the roots, and those that differ most.
pub(crate) fn comparison(page: &mut ComparePage, [a, b]: [&Sheet; 2], (order, least): (Order, u64), means: Means<'_>) -> Vec<[usize; 2]> {
    let ways = Ways::of([a, b]);
    let (of_a, of_b) = (a.duration(), b.duration());
    let difference = format::duration(of_a.abs_diff(of_b));
    let relative = Some(relative(of_a, of_b)).filter(|said| !said.is_empty()).map(|said| format!(" ({said})")).unwrap_or_default();
    page.verdict = match of_b.cmp(&of_a) {
        std::cmp::Ordering::Greater => format!("B took {difference} longer than A{relative}."),
        std::cmp::Ordering::Less => format!("B took {difference} less than A{relative}."),
        std::cmp::Ordering::Equal => "Both took equally long.".to_owned(),
    };
    page.services = rows(&ways.by_service([a, b]), [a, b], Order::Change, means).0;
    let (list, small) = ways.ordered(order, least);
    if small > 0 {
        page.small = format!("{} by less than {}", format::counted(small as u64, "row differs", "rows differ"), format::duration(least));
    }
    (page.rows, page.left_out) = rows(&list, [a, b], order, means);
    if order != Order::Tree {
        let places = alike::told(list.get(..page.rows.len()).unwrap_or_default(), &ways);
        page.rows.iter_mut().zip(places).for_each(|(row, place)| row.within = place);
    }
    let roots = a.main_root().zip(b.main_root()).map(|(a, b)| [a, b]);
    let mut pairs: Vec<[usize; 2]> = roots.into_iter().chain(ways.most_changed(MOST_CHANGED)).collect();
    // The root may be among those that differ most.
    let first = pairs.first().copied();
    let mut place = 0;
    pairs.retain(|pair| {
        place += 1;
        place == 1 || Some(*pair) != first
    });
    pairs
}

fn rows(ways: &[Way], sheets: [&Sheet; 2], order: Order, (links, _, palette): Means<'_>) -> (Vec<Row>, usize) {
    let most = ways.iter().flat_map(|way| way.sums).map(|sum| sum.own).max().unwrap_or(0).max(1);
    let amount = |sum: &Sum, sheet: &Sheet| {
        if sum.count == 0 {
            return Amount { own: format::MISSING.to_owned(), percent: "0".to_owned(), ..Amount::default() };
        }
        let id = sheet.spans.get(sum.first).map(|span| span.span_id.to_string()).unwrap_or_default();
        Amount {
            own: format::duration(sum.own),
            percent: format::position(sum.own, most),
            count: if sum.count == 1 { String::new() } else { format!("×{}", format::exact(sum.count)) },
            errors: if sum.errors > 0 { format::counted(sum.errors, "error", "errors") } else { String::new() },
            href: format!("{}#s{id}", links.trace(&sheet.id).with("span", &id).href()),
        }
    };
    let [a, b] = sheets;
    let shown = ways.len().min(MAX_ROWS);
    let row = |way: &Way| {
        let [in_a, in_b] = &way.sums;
        let (class, only, delta) = if order == Order::Count { counts(in_a, in_b) } else { verdict(in_a, in_b) };
        Row {
            chip: palette.chip(&way.service),
            name: format::name(&way.name),
            within: String::new(),
            indent: if order == Order::Tree { way.depth.min(super::waterfall::MAX_INDENT) } else { 0 },
            sides: [amount(in_a, a), amount(in_b, b)],
            delta,
            relative: if order == Order::Count || !only.is_empty() { String::new() } else { relative(in_a.own, in_b.own) },
            class,
            only,
        }
    };
    (ways.iter().take(shown).map(row).collect(), ways.len() - shown)
}

fn verdict(a: &Sum, b: &Sum) -> (&'static str, &'static str, String) {
    match (a.count, b.count) {
        (_, 0) => ("only-a", "not in B", format!("−{}", format::duration(a.own))),
        (0, _) => ("only-b", "only in B", format!("+{}", format::duration(b.own))),
        _ if b.own > a.own => ("slower", "", format!("+{} slower", format::duration(b.own - a.own))),
        _ if b.own < a.own => ("faster", "", format!("−{} faster", format::duration(a.own - b.own))),
        _ => ("same", "", "same".to_owned()),
    }
}

/// As [`verdict`], of how many there are.
fn counts(a: &Sum, b: &Sum) -> (&'static str, &'static str, String) {
    let (class, only, _) = verdict(a, b);
    let told = |sign: char, count: u64| format!("{sign}{}", format::counted(count, "span", "spans"));
    match b.count.cmp(&a.count) {
        std::cmp::Ordering::Greater => (if only.is_empty() { "slower" } else { class }, only, told('+', b.count - a.count)),
        std::cmp::Ordering::Less => (if only.is_empty() { "faster" } else { class }, only, told('−', a.count - b.count)),
        std::cmp::Ordering::Equal => ("same", "", "as many".to_owned()),
    }
}

/// What `b` is beside `a`: `+42 %`, `−7 %`, `×12`; empty for what is the same, or beside nothing.
fn relative(a: u64, b: u64) -> String {
    match b.checked_div(a) {
        None => String::new(),
        Some(_) if a == b => String::new(),
        Some(times) if times >= 10 => format!("×{}", format::exact(times + u64::from(b % a >= a - a / 2))),
        Some(_) => format!("{}{}", if b > a { '+' } else { '−' }, format::percent(a.abs_diff(b), a)),
    }
}

/// Spans whose attributes are compared, beside the roots.
const MOST_CHANGED: usize = 5;

/// Rows of a table.
const MAX_ROWS: usize = 300;

#[cfg(test)]
mod tests;
