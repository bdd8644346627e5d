//! What stands above the waterfall: search, the ways to errors and matches, filters, and the readings of the trace.

use std::collections::{HashMap, HashSet};

use storage::trace::Brief;

use super::colours::{Legend, legend};
use super::columns::{Choice, choice};
use super::hiding::{Hidden, Services, told};
use super::said::are_events_told;
use super::wanted::Depth;
use super::{LogMarks, Only, Scene, View};
use crate::view::colour::Chip;
use crate::view::format;
use crate::view::link::quoted;
use crate::view::search::{Problem, sentence};

/// What stands above the waterfall.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tools {
    /// Where the find form leads.
    pub(crate) action: String,
    /// What it carries along.
    pub(crate) hidden: Vec<(String, String)>,
    /// What the form of the window of time carries along, and that of the services.
    pub(crate) zoomed: Vec<(String, String)>,
    pub(crate) chosen: Vec<(String, String)>,
    pub(crate) find: String,
    /// The box for the search, in readings that have none; empty in those that have it.
    pub(crate) to_find: String,
    /// How many spans match; empty without search.
    pub(crate) found: String,
    /// Why nothing matches, as far as attributes are to blame that nothing has.
    pub(crate) unknown: Vec<String>,
    /// Why the search was not answered.
    pub(crate) problem: Option<Problem>,
    /// The page without search.
    pub(crate) clear: String,
    /// How many spans failed.
    pub(crate) errors: String,
    /// Keys and addresses of the ways on from the chosen span.
    pub(crate) ways: Vec<(&'static str, String)>,
    /// Word, address and whether it is the present choice.
    pub(crate) only: Vec<(&'static str, String, bool)>,
    pub(crate) logs: Vec<(&'static str, String, bool)>,
    /// Key, word, title and address of single switches.
    pub(crate) switches: Vec<(&'static str, &'static str, &'static str, String)>,
    /// Columns to choose from.
    pub(crate) columns: Choice,
    /// Services by number of spans: colours in use, and which of them are shown.
    pub(crate) services: Vec<Service>,
    /// How many of them stand beside each other; the others are in a menu.
    pub(crate) first_services: usize,
    /// Services beyond all those.
    pub(crate) more_services: usize,
    /// What colours tell where they tell operations.
    pub(crate) operations: Option<Legend>,
    /// What is said of hidden spans.
    pub(crate) told: Option<Hidden>,
}

/// A service above the waterfall.
#[derive(Clone, Debug, Default)]
pub(crate) struct Service {
    /// From 1.
    pub(crate) number: usize,
    pub(crate) chip: Chip,
    /// How many spans it has.
    pub(crate) count: String,
    /// The address that finds them.
    pub(crate) find: String,
    pub(crate) is_hidden: bool,
    /// Name and value of the parameter that hides its spans, or shows them again.
    pub(crate) toggle: (&'static str, String),
    /// The page with its spans alone.
    pub(crate) only: String,
}

/// One reading of the trace.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tab {
    pub(crate) label: &'static str,
    pub(crate) count: String,
    pub(crate) href: String,
    pub(crate) is_current: bool,
    /// `1` to `7`.
    pub(crate) key: &'static str,
}

impl Tools {
    /// The address under a key; empty for none.
    pub(crate) fn way(&self, key: &str) -> &str {
        self.ways.iter().find(|(known, _)| *known == key).map_or("", |(_, href)| href)
    }
}

/// The readings, the present one marked.
pub(crate) fn tabs(scene: &Scene) -> Vec<Tab> {
    let tab = |key, label, count: usize, view: View| {
        let count = if count == 0 { String::new() } else { format::count(count as u64) };
        let address = scene.here().with("view", view.as_str()).with("at", "");
        Tab { label, count, href: address.href(), is_current: scene.wanted.view == view, key }
    };
    vec![
        tab("1", "Timeline", 0, View::Timeline),
        tab("2", "Flame", 0, View::Flame),
        tab("3", "Services", scene.sheet.services.len(), View::Services),
        tab("4", "Spans", scene.sheet.spans.len(), View::Spans),
        tab("5", if events(scene) > 0 { "Logs, events" } else { "Logs" }, scene.logs.len() + events(scene), View::Logs),
        tab("6", "Map", 0, View::Map),
        tab("7", "JSON", 0, View::Json),
    ]
}

/// The events that are told among the log records.
fn events(scene: &Scene) -> usize {
    let spans = &scene.sheet.spans;
    if are_events_told(scene) { spans.iter().map(|span| span.events as usize).sum() } else { 0 }
}

/// What stands above the waterfall.
pub(crate) fn tools(scene: &Scene) -> Tools {
    let (sheet, wanted) = (&scene.sheet, &scene.wanted);
    let failed = |place: &usize| sheet.spans.get(*place).is_some_and(Brief::is_error);
    let all_errors: Vec<usize> = sheet.tree().preorder().iter().copied().filter(failed).collect();
    let (errors, matches) = (scene.seen(&all_errors), scene.seen(&scene.matches));
    let here = || scene.here().with("at", "");
    let logs = |label, value: LogMarks| (label, here().with("logs", value.as_str()).href(), wanted.marks == value);
    let (services, more_services) = services(scene);
    Tools {
        action: scene.links.trace(&sheet.id).href(),
        hidden: carried(scene, &NOT_FOUND_AGAIN),
        zoomed: carried(scene, &["t0", "t1", "at"]),
        chosen: carried(scene, &["hide", "show", "at"]),
        find: wanted.find.clone(),
        to_find: match wanted.view {
            View::Timeline | View::Spans => String::new(),
            _ => format!("{}#find", scene.timeline().href()),
        },
        found: if wanted.find.trim().is_empty() || scene.unfound.is_some() {
            String::new()
        } else {
            position(scene, &matches, scene.matches.len())
        },
        unknown: scene.unknown.iter().map(|note| sentence(note)).collect(),
        problem: scene
            .unfound
            .as_ref()
            .map(|failure| Problem::new(failure, wanted.find.trim(), |mended| scene.timeline().with("find", mended).href())),
        clear: here()
            .with("find", "")
            .with("mode", "")
            .with("only", if wanted.only == Only::Matches { "" } else { wanted.only.as_str() })
            .href(),
        errors: if all_errors.is_empty() { String::new() } else { position(scene, &from_begin(scene, &errors), all_errors.len()) },
        ways: ways(scene, &errors, &matches),
        only: shown(scene, !all_errors.is_empty()),
        logs: if scene.logs.is_empty() {
            Vec::new()
        } else {
            vec![logs("On bars", LogMarks::Dots), logs("As rows", LogMarks::Rows), logs("Hidden", LogMarks::Off)]
        },
        switches: switches(scene),
        columns: choice(scene),
        services,
        first_services: MAX_CHIPS,
        more_services,
        operations: legend(scene),
        told: told(scene, &all_errors),
    }
}

/// Which rows are kept, and whether those that do not match step back.
fn shown(scene: &Scene, has_errors: bool) -> Vec<(&'static str, String, bool)> {
    let choice = |label, only: Only, is_dim: bool| {
        let address = scene.here().with("at", "").with("only", only.as_str()).with("mode", if is_dim { "dim" } else { "" });
        (label, address.href(), scene.wanted.only == only && scene.wanted.is_dim == is_dim)
    };
    let mut shown = vec![choice("All", Only::All, false)];
    if has_errors || scene.wanted.only == Only::Errors {
        shown.push(choice("Errors", Only::Errors, false));
    }
    shown.push(choice("Critical path", Only::Critical, false));
    if !scene.matches.is_empty() {
        shown.extend([choice("Matches", Only::Matches, false), choice("Dim others", Only::All, true)]);
    }
    shown
}

/// What a form keeps of the page: everything but what it says itself.
fn carried(scene: &Scene, except: &[&str]) -> Vec<(String, String)> {
    let here = scene.here();
    here.pairs().iter().filter(|(name, _)| !except.contains(&name.as_str())).cloned().collect()
}

/// Single switches: how much is folded, and what is shown as the root.
fn switches(scene: &Scene) -> Vec<(&'static str, &'static str, &'static str, String)> {
    let wanted = &scene.wanted;
    let folded =
        |depth: &str| scene.here().with("at", "").with("depth", depth).with("open", "").with("closed", "").with("groups", "").href();
    let mut switches = vec![("]", "Expand", "Unfold every span", folded("all")), ("[", "Collapse", "Fold all but the root", folded("1"))];
    if wanted.depth != Depth::Rule || !wanted.open.is_empty() || !wanted.closed.is_empty() || !wanted.groups.is_empty() {
        switches.push(("=", "Reset", "Fold by size again", folded("")));
    }
    let group = scene.here().with("at", "").with("group", if wanted.is_ungrouped { "" } else { "off" }).href();
    switches.push(if wanted.is_ungrouped {
        ("*", "Group similar", "Show many similar siblings as one row", group)
    } else {
        ("*", "Ungroup", "Show every similar sibling", group)
    });
    if scene.root.is_some() {
        let whole = scene.here().with("at", "").with("root", "").with("t0", "").with("t1", "").href();
        switches.push(("Z", "Whole trace", "Show the real root again", whole));
    } else if let Some(chosen) = scene.chosen.and_then(|place| scene.sheet.spans.get(place)) {
        let root = scene.here().with("at", "").with("root", &chosen.span_id.to_string()).with("t0", "").with("t1", "").href();
        switches.push(("z", "From here", "Show the chosen span as the root", root));
    }
    switches
}

/// The ways on from the chosen span, around the ends: errors, matches, spans of the same service; and the other switches that have a key.
fn ways(scene: &Scene, errors: &[usize], matches: &[usize]) -> Vec<(&'static str, String)> {
    let sheet = &scene.sheet;
    let mut ways = Vec::new();
    // Whoever has chosen nothing yet is led to where a failure began, not to who passed it on.
    let counted = if scene.chosen.is_none() { from_begin(scene, errors) } else { Vec::new() };
    if let (Some(begin), Some(last)) = (counted.first(), counted.last()) {
        ways.extend([("e", scene.to_span(*begin)), ("E", scene.to_span(*last))]);
    }
    let mut add = |back: &'static str, on: &'static str, places: &[usize]| {
        if let Some((before, after)) = around(scene, places) {
            ways.push((back, before));
            ways.push((on, after));
        }
    };
    add("E", "e", errors);
    add("N", "n", matches);
    if let Some(service) = scene.chosen.and_then(|chosen| sheet.spans.get(chosen)).map(|span| span.service) {
        let same = |place: &usize| sheet.spans.get(*place).is_some_and(|span| span.service == service);
        let same: Vec<usize> = sheet.tree().preorder().iter().copied().filter(same).collect();
        add(",", ".", &same);
    }
    let wanted = &scene.wanted;
    let next_marks = match wanted.marks {
        LogMarks::Dots => LogMarks::Rows,
        LogMarks::Rows => LogMarks::Off,
        LogMarks::Off => LogMarks::Dots,
    };
    ways.push(("l", scene.here().with("logs", next_marks.as_str()).href()));
    let critical = if wanted.only == Only::Critical { Only::All } else { Only::Critical };
    ways.push(("b", scene.here().with("at", "").with("only", critical.as_str()).href()));
    ways
}

/// Errors in the order in which they are counted: that of rows, around the end, from where a failure began.
fn from_begin(scene: &Scene, errors: &[usize]) -> Vec<usize> {
    let known: HashSet<usize> = errors.iter().copied().collect();
    let begin = scene.sheet.failure_starts().into_iter().find(|place| known.contains(place));
    let at = begin.and_then(|begin| errors.iter().position(|place| *place == begin)).unwrap_or(0);
    let (passed_on, from) = errors.split_at_checked(at).unwrap_or((&[], errors));
    [from, passed_on].concat()
}

/// Services by number of spans, as many as a menu holds, and how many there are beyond.
fn services(scene: &Scene) -> (Vec<Service>, usize) {
    let mut counts: HashMap<u32, u64> = HashMap::new();
    for span in &scene.sheet.spans {
        *counts.entry(span.service).or_default() += 1;
    }
    let mut counts: Vec<(u32, u64)> = counts.into_iter().collect();
    counts.sort_unstable_by_key(|(service, count)| (std::cmp::Reverse(*count), *service));
    let more = counts.len().saturating_sub(MAX_SERVICES);
    let chosen = &scene.wanted.services;
    let shown = counts.into_iter().take(MAX_SERVICES).zip(1..).filter_map(|((service, count), number)| {
        let name = scene.sheet.services.get(service as usize)?;
        let find = scene.timeline().with("span", "").with("tab", "").with("find", &format!("service:{}", quoted(name)));
        let only = Services::Only(vec![name.clone()]).write(scene.here().with("at", ""));
        Some(Service {
            number,
            chip: scene.palette.chip(name),
            count: format::count(count),
            // What is looked for is shown.
            find: chosen.showing(name).write(find).href(),
            is_hidden: chosen.is_hidden(name),
            toggle: chosen.toggled(name).pair(),
            only: only.href(),
        })
    });
    (shown.collect(), more)
}

/// `7`, or `2 of 7` when the chosen span is one of them; and how many of all are hidden.
fn position(scene: &Scene, places: &[usize], all: usize) -> String {
    if all == 0 {
        return "no span matches".to_owned();
    }
    let count = format::count(places.len() as u64);
    let shown = match scene.chosen.and_then(|chosen| places.iter().position(|place| *place == chosen)) {
        Some(at) => format!("{} of {count}", at + 1),
        None => count,
    };
    if places.len() == all { shown } else { format!("{shown}, {} hidden", format::count((all - places.len()) as u64)) }
}

/// Addresses of the one before and the one after the chosen span, in the order of rows and around the ends.
fn around(scene: &Scene, places: &[usize]) -> Option<(String, String)> {
    let (first, last) = (places.first()?, places.last()?);
    let rank = |place: usize| scene.sheet.rank(place);
    let chosen = scene.chosen.map(rank);
    let before = chosen.and_then(|chosen| places.iter().rev().find(|place| rank(**place) < chosen)).unwrap_or(last);
    let after = chosen.and_then(|chosen| places.iter().find(|place| rank(**place) > chosen)).unwrap_or(first);
    Some((scene.to_span(*before), scene.to_span(*after)))
}

/// Chips above the waterfall, and those with the ones in the menu beside them.
const MAX_CHIPS: usize = 16;
const MAX_SERVICES: usize = 64;

/// What a new search leaves behind: the search before, what was chosen and unfolded for it, and which rows were kept of it.
const NOT_FOUND_AGAIN: [&str; 10] = ["find", "only", "at", "span", "tab", "open", "closed", "groups", "t0", "t1"];
