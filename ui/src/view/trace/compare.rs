//! Two traces beside each other: where the time differs, and what only one of them does.
//!
//! Spans are matched by their way down from the root: service, name and kind of every span on it. Spans with the same way are one row.

use std::collections::HashMap;

use askama::Template;
use storage::SpanKind;
use storage::trace::Sheet;

use crate::view::colour::{Chip, Palette};
use crate::view::format::{self, Clockface, Moment};
use crate::view::frame::Frame;
use crate::view::link::Links;
use crate::view::outcome::Outcome;

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
    /// Rows that are left out because hardly anything differs in them.
    pub(crate) left_out: usize,
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
    pub(crate) indent: usize,
    /// Own time on both sides, as text and as a bar in percent of the greatest.
    pub(crate) sides: [Amount; 2],
    /// `+309 ms slower`.
    pub(crate) delta: String,
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

/// What is added up of equal spans.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    count: u64,
    errors: u64,
    own: u64,
    first: usize,
}

/// A way down from the root: the way to the parent, service, name, kind.
#[derive(Clone, Debug)]
struct Way {
    parent: Option<usize>,
    depth: usize,
    service: String,
    name: String,
    sums: [Sum; 2],
}

/// The ways of two traces, each parent before its children.
#[derive(Debug, Default)]
struct Ways {
    ways: Vec<Way>,
    known: HashMap<(Option<usize>, String, String, i32), usize>,
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

/// Fills the page with what differs between two traces. `by_change` puts the greatest differences first, else rows follow the tree.
pub(crate) fn comparison(page: &mut ComparePage, [a, b]: [&Sheet; 2], by_change: bool, means: Means<'_>) {
    let mut ways = Ways::default();
    ways.add(a, 0);
    ways.add(b, 1);
    let (of_a, of_b) = (a.duration(), b.duration());
    let difference = format::duration(of_a.abs_diff(of_b));
    page.verdict = match of_b.cmp(&of_a) {
        std::cmp::Ordering::Greater => format!("B took {difference} longer than A, its baseline."),
        std::cmp::Ordering::Less => format!("B took {difference} less than A, its baseline."),
        std::cmp::Ordering::Equal => "Both took equally long.".to_owned(),
    };
    page.services = rows(&ways.by_service([a, b]), [a, b], true, means).0;
    let mut list = ways.ways;
    if by_change {
        list.sort_by_key(|way| std::cmp::Reverse(way.change()));
        for way in &mut list {
            way.depth = 0;
        }
    }
    (page.rows, page.left_out) = rows(&list, [a, b], by_change, means);
}

fn rows(ways: &[Way], sheets: [&Sheet; 2], by_change: bool, (links, _, palette): Means<'_>) -> (Vec<Row>, usize) {
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
        let (class, only, delta) = verdict(in_a, in_b);
        Row {
            chip: palette.chip(&way.service),
            name: format::name(&way.name),
            indent: if by_change { 0 } else { way.depth.min(super::waterfall::MAX_INDENT) },
            sides: [amount(in_a, a), amount(in_b, b)],
            delta,
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

// === impl Way, Ways ===

impl Way {
    fn change(&self) -> u64 {
        let [a, b] = &self.sums;
        a.own.abs_diff(b.own)
    }
}

impl Ways {
    fn add(&mut self, sheet: &Sheet, side: usize) {
        let mut way_of: HashMap<usize, usize> = HashMap::with_capacity(sheet.spans.len());
        for place in sheet.tree().preorder() {
            let Some(span) = sheet.spans.get(*place) else { continue };
            let parent = sheet.tree().parent(*place).and_then(|parent| way_of.get(&parent).copied());
            let way = self.way(parent, sheet.service(*place), sheet.name(*place), span.kind);
            way_of.insert(*place, way);
            let Some(sum) = self.ways.get_mut(way).and_then(|way| way.sums.get_mut(side)) else { continue };
            if sum.count == 0 {
                sum.first = *place;
            }
            sum.count += 1;
            sum.errors += u64::from(span.is_error());
            sum.own = sum.own.saturating_add(sheet.self_time(*place));
        }
        self.sort_as_tree();
    }

    fn way(&mut self, parent: Option<usize>, service: &str, name: &str, kind: SpanKind) -> usize {
        let key = (parent, service.to_owned(), name.to_owned(), kind.number());
        if let Some(known) = self.known.get(&key) {
            return *known;
        }
        let depth = parent.and_then(|parent| self.ways.get(parent)).map_or(0, |way| way.depth + 1);
        self.ways.push(Way { parent, depth, service: service.to_owned(), name: name.to_owned(), sums: <[Sum; 2]>::default() });
        self.known.insert(key, self.ways.len() - 1);
        self.ways.len() - 1
    }

    /// Puts every way below its parent, the ways of the first trace before those of the second.
    fn sort_as_tree(&mut self) {
        let mut children: HashMap<Option<usize>, Vec<usize>> = HashMap::new();
        for (at, way) in self.ways.iter().enumerate() {
            children.entry(way.parent).or_default().push(at);
        }
        let mut order = Vec::with_capacity(self.ways.len());
        let mut open: Vec<usize> = children.get(&None).into_iter().flatten().rev().copied().collect();
        while let Some(at) = open.pop() {
            order.push(at);
            open.extend(children.get(&Some(at)).into_iter().flatten().rev());
        }
        let mut new_place = vec![0; self.ways.len()];
        for (new, old) in order.iter().enumerate() {
            if let Some(slot) = new_place.get_mut(*old) {
                *slot = new;
            }
        }
        let moved = |old: usize| new_place.get(old).copied().unwrap_or(0);
        let old = std::mem::take(&mut self.ways);
        let sorted = order.iter().filter_map(|at| old.get(*at).cloned());
        self.ways = sorted.map(|way| Way { parent: way.parent.map(moved), ..way }).collect();
        let known = std::mem::take(&mut self.known);
        self.known = known.into_iter().map(|((parent, a, b, kind), at)| ((parent.map(moved), a, b, kind), moved(at))).collect();
    }

    /// Totals per service, the greatest change first. The own time is that of the trace's table of services.
    fn by_service(&self, sheets: [&Sheet; 2]) -> Vec<Way> {
        let mut services: Vec<Way> = Vec::new();
        let mut known: HashMap<&str, usize> = HashMap::new();
        for way in &self.ways {
            let at = *known.entry(way.service.as_str()).or_insert_with(|| {
                services.push(Way {
                    parent: None,
                    depth: 0,
                    name: String::new(),
                    service: way.service.clone(),
                    sums: <[Sum; 2]>::default(),
                });
                services.len() - 1
            });
            for (sum, more) in services.get_mut(at).into_iter().flat_map(|service| &mut service.sums).zip(&way.sums) {
                if sum.count == 0 {
                    sum.first = more.first;
                }
                sum.count += more.count;
                sum.errors += more.errors;
            }
        }
        for (side, sheet) in sheets.into_iter().enumerate() {
            for (service, own) in sheet.services.iter().zip(sheet.own_times()) {
                let way = known.get(service.as_str()).and_then(|at| services.get_mut(*at));
                if let Some(sum) = way.and_then(|way| way.sums.get_mut(side)) {
                    sum.own = own;
                }
            }
        }
        services.sort_by_key(|service| std::cmp::Reverse(service.change()));
        services
    }
}

/// Rows of a table.
const MAX_ROWS: usize = 300;

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use storage::UnixNanos;
    use storage::trace::Trace;

    fn compare(b: Vec<storage::Span>, by_change: bool) -> ComparePage {
        let (a, b) = (sample::checkout(), Trace::assemble(sample::checkout().id, b, true, Vec::new()));
        let (links, clock, palette) = (Links::default(), Clockface::new(UnixNanos::new(0), None), Palette::default());
        let mut page = ComparePage::default();
        comparison(&mut page, [&Sheet::of(&a), &Sheet::of(&b)], by_change, (&links, &clock, &palette));
        page
    }

    fn told(page: &ComparePage) -> Vec<String> {
        let plain = |text: &str| text.replace('\u{202f}', " ");
        page.rows.iter().map(|row| format!("{}{} {}{}", " ".repeat(row.indent), row.name, row.only, plain(&row.delta))).collect()
    }

    #[test]
    fn a_trace_beside_itself_differs_in_nothing() {
        let page = compare(sample::checkout().spans, false);
        assert!(page.rows.iter().all(|row| row.class == "same"), "{:?}", page.rows);
        assert_eq!(page.verdict, "Both took equally long.");
    }

    #[test]
    fn rows_say_what_is_slower_and_what_only_one_side_has() {
        let mut spans = sample::checkout().spans;
        spans.retain(|span| span.name != "SELECT stock");
        for span in &mut spans {
            if span.name == "ChargeCard" {
                span.end = span.end.plus(8_000_000);
            }
        }
        spans.push(sample::span(9, 1, "fraud", "Check", 90, 94));
        let page = compare(spans, false);
        assert_eq!(
            told(&page),
            [
                "POST /checkout −8.00 ms faster",
                " Reserve +10.0 ms slower",
                "  SELECT stock not in B−10.0 ms",
                " ChargeCard +8.00 ms slower",
                " Check only in B+4.00 ms"
            ]
        );
        assert_eq!(page.services[0].chip.name, "gateway");
    }

    #[test]
    fn own_time_of_a_service_is_that_of_the_page_of_its_trace() {
        let mut spans = sample::checkout().spans;
        // Two queries side by side.
        spans.push(sample::span(9, 2, "orders", "SELECT price", 12, 22));
        let trace = Trace::assemble(sample::checkout().id, spans, true, Vec::new());
        let means = (Links::default(), Clockface::new(UnixNanos::new(0), None), Palette::default());
        let scene = sample::scene(&trace, Vec::new(), super::super::Wanted::default(), means.clone());
        let shares = super::super::shares(&scene);
        let mut page = ComparePage::default();
        comparison(&mut page, [&scene.sheet, &scene.sheet], false, (&means.0, &means.1, &means.2));
        for row in &page.services {
            let share = shares.iter().find(|share| share.chip.name == row.chip.name).unwrap();
            assert_eq!(row.sides[0].own, share.self_time, "{}", row.chip.name);
        }
        let orders = shares.iter().find(|share| share.chip.name == "orders").unwrap();
        assert_eq!((orders.self_time.as_str(), orders.sum.as_str()), ("25.0\u{202f}ms", "33.0\u{202f}ms"));
    }

    #[test]
    fn rows_by_change_have_no_indentation() {
        let mut spans = sample::checkout().spans;
        spans.retain(|span| span.name != "ChargeCard");
        let page = compare(spans, true);
        assert!(page.rows.iter().all(|row| row.indent == 0));
        assert_eq!(page.rows[0].class, "slower");
    }
}
