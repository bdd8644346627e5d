//! From a map to a picture: boxes with what they say, arrows with their cards, and where all of it goes.

use std::collections::HashMap;
use std::{fmt, iter};

use storage::{Edge, EdgeKind, Node, NodeKind, ServiceMap, TimeRange};

pub(crate) use self::card::Card;
use self::placing::Placing;
use self::size::{NARROW, PAGE, Size, TOO_WIDE, USUAL};
use super::change::{self, Change};
use super::{Facts, Key, Made, is_rare, shown, written};
use crate::view::colour::Palette;
use crate::view::format;
use crate::view::link::{Address, Links};

mod card;
mod letters;
mod path;
mod placing;
mod size;

/// The picture.
#[derive(Clone, Debug, Default)]
pub(crate) struct Drawing {
    pub(crate) width: Px,
    pub(crate) height: Px,
    /// The width below which it would not be legible, and what is missing to its own.
    pub(crate) least: Px,
    pub(crate) rest: Px,
    pub(crate) boxes: Vec<Box>,
    pub(crate) arrows: Vec<Arrow>,
}

/// What is drawn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Picture<'a> {
    pub(crate) map: &'a ServiceMap,
    /// The calls of its nodes, those that are not drawn too.
    pub(crate) made: &'a Made,
    /// The window before, when it is compared with.
    pub(crate) before: Option<&'a ServiceMap>,
    pub(crate) range: TimeRange,
    pub(crate) focus: Option<&'a Key>,
    /// Caller and callee of the dependency whose panel is open.
    pub(crate) selected: Option<(&'a Key, &'a Key)>,
    /// The page without a selection.
    pub(crate) page: &'a Address,
    /// Nodes that stand for namespaces, and the address at which they are open.
    pub(crate) groups: &'a HashMap<String, String>,
    /// Whether it is the map of one trace, in which numbers say more than rates.
    pub(crate) is_trace: bool,
}

/// A length of the picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub(crate) struct Px(pub(crate) f64);

/// One node.
#[derive(Clone, Debug, Default)]
pub(crate) struct Box {
    pub(crate) x: Px,
    pub(crate) y: Px,
    pub(crate) width: Px,
    pub(crate) height: Px,
    pub(crate) href: String,
    /// Kind of node, and the colour of a service.
    pub(crate) class: String,
    /// Two letters of a service.
    pub(crate) mono: String,
    /// Name in the icon sprite, for all that are not services.
    pub(crate) icon: &'static str,
    /// The name as it was sent.
    pub(crate) name: String,
    /// The name as it is shown, line by line with their heights.
    pub(crate) lines: Vec<(Px, String)>,
    /// Its numbers, line by line: height, class and text.
    pub(crate) facts: Vec<(Px, &'static str, String)>,
    /// In words.
    pub(crate) title: String,
}

/// One dependency.
#[derive(Clone, Debug, Default)]
pub(crate) struct Arrow {
    pub(crate) path: String,
    /// Points of the head.
    pub(crate) head: String,
    /// Dashed when the caller does not wait, red when calls fail.
    pub(crate) class: &'static str,
    /// The one whose panel is open.
    pub(crate) is_selected: bool,
    /// Slower or failing more than in the window before.
    pub(crate) is_worse: bool,
    /// Few of the calls of its caller and none failed: drawn faintly and without a card.
    pub(crate) is_rare: bool,
    /// Thickness, by rate.
    pub(crate) stroke: Px,
    pub(crate) card: Card,
    pub(crate) href: String,
    /// In words.
    pub(crate) title: String,
}

impl Drawing {
    /// Draws every node that calls or is called; nothing when they are too many to be read. What would be scrolled on a common screen is drawn
    /// narrower, where it fits then.
    pub(crate) fn new(picture: &Picture<'_>, links: &Links, palette: &Palette) -> Self {
        let usual = Self::sized(picture, links, palette, USUAL);
        if usual.least.0 <= PAGE || usual.least.0 > TOO_WIDE {
            return usual;
        }
        let narrow = Self::sized(picture, links, palette, NARROW);
        if narrow.least.0 <= PAGE { narrow } else { usual }
    }

    fn sized(picture: &Picture<'_>, links: &Links, palette: &Palette, size: Size) -> Self {
        let keys = super::keys(picture.map);
        let boxes: Vec<Box> = keys.iter().map(|key| picture.node(key, links, palette, size)).collect();
        let edges = picture.map.edges.iter().filter_map(|edge| {
            Some((keys.binary_search(&edge.from).ok()?, keys.binary_search(&edge.to).ok()?, picture.arrow(edge, links, size)))
        });
        let placing = Placing { boxes, edges: edges.collect(), size };
        placing.drawn().unwrap_or_default()
    }
}

// === impl Picture ===

impl Picture<'_> {
    /// What the box of a node says; not yet where it is.
    fn node(&self, key: &Key, links: &Links, palette: &Palette, size: Size) -> Box {
        let (name, kind) = key;
        let group = self.groups.get(name);
        let node = self.map.nodes.iter().find(|node| node.name == *name && node.kind == *kind);
        let (requests, errors, p95) = node.map_or((0, 0, 0), |node| (node.requests, node.errors, node.p95));
        let is_service = *kind == NodeKind::Service && group.is_none();
        let chip = palette.chip(name);
        let focused = if self.focus == Some(key) { " focused" } else { "" };
        let kind_of = match group {
            Some(_) => "group".to_owned(),
            None if is_service => format!("service {}", chip.class),
            None => kind.as_str().to_owned(),
        };
        let called = shown(key, self.map);
        let lines = letters::lines(&called, letters::least(&called).clamp(size.name, USUAL.name));
        let facts = self.said(key, (requests, errors, p95), node, size);
        let names = lines.iter().map(|line| letters::width(line, 13.0, true) + 41.0);
        let width = names.chain(facts.iter().map(|(_, line)| letters::width(line, 12.0, false) + 10.0)).fold(0.0, f64::max);
        let extra = 16.0 * (lines.len().max(1) - 1) as f64;
        let below = 14.0 * (facts.len().max(1) - 1) as f64;
        Box {
            width: Px((width + 10.0).max(size.least_box)),
            height: Px(BOX_HEIGHT + extra + below),
            href: match group {
                Some(opened) => opened.clone(),
                // What is in the middle already leads on.
                None if is_service && (self.is_trace || self.focus == Some(key)) => links.service(name).href(),
                None => self.page.clone().with("focus", &written(key)).href(),
            },
            class: format!("{kind_of}{focused}"),
            mono: if is_service { chip.mono } else { String::new() },
            icon: match (group, is_service) {
                (Some(_), _) => "map",
                (None, true) => "",
                (None, false) => kind.as_str(),
            },
            title: format::text(&self.node_title(key, (requests, errors, p95))),
            name: name.clone(),
            lines: lines.into_iter().zip(0_u8..).map(|(line, place)| (Px(23.0 + 16.0 * f64::from(place)), line)).collect(),
            facts: card::below(facts, 42.0 + extra, 14.0),
            ..Box::default()
        }
    }

    /// What a box says below its name: its numbers, and what became of them.
    fn said(&self, key: &Key, (requests, errors, p95): (u64, u64, u64), node: Option<&Node>, size: Size) -> Vec<card::Line> {
        let change = self.before.zip(node).and_then(|(before, node)| change::of_node(node, before, self.length())).unwrap_or_default();
        let said = match self.node_facts((requests, errors, p95), &change) {
            said if said.is_empty() && requests == 0 && key.1 == NodeKind::Service => "no requests".to_owned(),
            said => said,
        };
        let is_bad = errors > 0 && change.failed.is_empty();
        let lines = iter::once((if is_bad { "bad" } else { "" }, said)).filter(|(_, said)| !said.is_empty()).chain(change.parts());
        lines.flat_map(|line| card::broken(line, size.facts)).collect()
    }

    /// Its numbers, but for those that a change tells.
    fn node_facts(&self, (requests, errors, p95): (u64, u64, u64), change: &Change) -> String {
        if self.is_trace {
            return format!("{} · max {}", format::counted(requests, "entry", "entries"), format::duration(p95));
        }
        if requests == 0 {
            return String::new();
        }
        let rate = change.rate.is_empty().then(|| format::rate(requests, self.length()));
        let failed = (errors > 0 && change.failed.is_empty()).then(|| format!("{} ✕", format::percent(errors, requests)));
        let p95 = change.p95.is_empty().then(|| format!("p95 {}", format::duration(p95)));
        [rate, failed, p95].into_iter().flatten().collect::<Vec<_>>().join(" · ")
    }

    fn node_title(&self, key: &Key, (requests, errors, p95): (u64, u64, u64)) -> String {
        let (name, kind) = (shown(key, self.map), key.1);
        if self.is_trace {
            return format!("{name}: {}", self.node_facts((requests, errors, p95), &Change::default()));
        }
        // Who calls from outside is called what it is.
        let named = if kind == NodeKind::User { name } else { format!("{} {name}", kind.as_str()) };
        let rate = format::rate(requests, self.length());
        match (requests, kind) {
            (0, NodeKind::User) => named,
            (0, _) => format!("{named}: no requests"),
            _ => format!("{named}: {rate} in, {} failed, p95 {}", format::percent(errors, requests), format::duration(p95)),
        }
    }

    /// What an arrow says; not yet where it is.
    fn arrow(&self, edge: &Edge, links: &Links, size: Size) -> Arrow {
        let facts = Facts::new(edge, (self.map, self.made), self.before, self.length());
        // What changed is told, however rare it is.
        let is_rare = is_rare(edge, self.made) && facts.change.is_empty();
        let per_second = format::ratio(edge.calls, 1) / format::ratio(self.length().max(1), 1_000_000_000);
        let ends = format!("{} to {}", facts.from, facts.to);
        let (title, lines) = if self.is_trace {
            let failed = if edge.errors > 0 { format!(", {} failed", format::count(edge.errors)) } else { String::new() };
            let longest = format::duration(edge.p99);
            let mut lines = vec![("", format!("×{}", format::count(edge.calls)))];
            lines.extend(facts.is_failing.then(|| ("bad", facts.errors.clone())));
            lines.push(("muted", format!("max {longest}")));
            (format!("{ends}: {}{failed}, the longest took {longest}", facts.calls), lines)
        } else {
            let change = if facts.change.is_empty() { String::new() } else { format!("; {} against the window before", facts.change) };
            (format!("{ends}: {}, {} failed, p95 {}{change}", facts.rate, facts.errors, facts.p95), card::told(&facts))
        };
        Arrow {
            class: match (edge.kind, facts.is_failing) {
                (EdgeKind::Call, false) => "",
                (EdgeKind::Call, true) => "failing",
                (EdgeKind::Message, false) => "message",
                (EdgeKind::Message, true) => "message failing",
            },
            is_rare,
            stroke: Px((1.2 + (1.0 + per_second).ln() * 0.6).min(5.0)),
            href: if self.is_trace { crate::view::services::example(edge, links) } else { super::edge::address(self.page, edge) },
            is_selected: self.selected == Some((&edge.from, &edge.to)),
            is_worse: facts.is_worse,
            title: format::text(&title),
            card: if is_rare { Card::default() } else { Card::new(lines, size.card) },
            ..Arrow::default()
        }
    }

    fn length(&self) -> u64 {
        self.range.to.since(self.range.from)
    }
}

impl fmt::Display for Px {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1}", self.0)
    }
}

/// Of a box with a name of one line.
const BOX_HEIGHT: f64 = 52.0;
