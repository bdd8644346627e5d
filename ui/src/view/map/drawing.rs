//! From places to a picture: boxes, arrows that go around boxes, and cards that say what flows.

use std::collections::HashMap;
use std::fmt::Write as _;

use storage::{Edge, EdgeKind, NodeKind, ServiceMap, TimeRange};

use super::facts::made;
use super::{Facts, Key, Place, arrange, graph, shown};
use crate::view::colour::Palette;
use crate::view::format;
use crate::view::link::{Address, Links};

/// The picture.
#[derive(Clone, Debug, Default)]
pub(crate) struct Drawing {
    pub(crate) width: String,
    pub(crate) height: String,
    /// The width below which it would not be legible, and what is missing to its own.
    pub(crate) least: String,
    pub(crate) rest: String,
    pub(crate) boxes: Vec<Box>,
    pub(crate) arrows: Vec<Arrow>,
}

/// What is drawn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Picture<'a> {
    pub(crate) map: &'a ServiceMap,
    /// The window before, when it is compared with.
    pub(crate) before: Option<&'a ServiceMap>,
    pub(crate) range: TimeRange,
    pub(crate) focus: &'a str,
    /// Caller and callee of the dependency whose panel is open.
    pub(crate) selected: Option<(&'a str, &'a str)>,
    /// The page without a selection.
    pub(crate) page: &'a Address,
    /// Nodes that stand for namespaces, and the address at which they are open.
    pub(crate) groups: &'a HashMap<String, String>,
}

/// One node.
#[derive(Clone, Debug, Default)]
pub(crate) struct Box {
    pub(crate) x: String,
    pub(crate) y: String,
    pub(crate) href: String,
    /// Kind of node, and the colour of a service.
    pub(crate) class: String,
    /// Two letters of a service.
    pub(crate) mono: String,
    /// Name in the icon sprite, for all that are not services.
    pub(crate) icon: &'static str,
    pub(crate) name: String,
    /// Whether its letters must be smaller to fit.
    pub(crate) is_long: bool,
    pub(crate) facts: String,
    pub(crate) is_failing: bool,
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
    pub(crate) stroke: String,
    /// The card: its left and top edge, and its two lines.
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) card_x: String,
    pub(crate) card_y: String,
    pub(crate) rate: String,
    pub(crate) errors: String,
    pub(crate) latency: String,
    pub(crate) href: String,
    /// In words.
    pub(crate) title: String,
}

/// A point of the picture.
type Point = (f64, f64);

impl Drawing {
    /// Draws every node that calls or is called.
    pub(crate) fn new(picture: &Picture<'_>, links: &Links, palette: &Palette) -> Self {
        let Picture { map, range, .. } = *picture;
        let (keys, graph) = graph(map);
        let places = arrange(&graph);
        if places.len() != keys.len() || keys.is_empty() {
            return Self::default();
        }
        let canvas = Canvas { keys, places, window: range.to.since(range.from) };
        let mut arrows: Vec<Arrow> = map.edges.iter().filter_map(|edge| canvas.arrow(edge, picture)).collect();
        spread(&mut arrows);
        let columns = canvas.places.iter().map(|place| place.column).max().unwrap_or(0);
        let bottom = canvas.places.iter().map(|place| place.y + BOX_HEIGHT).fold(0.0, f64::max);
        let lowest_card = arrows.iter().filter(|arrow| !arrow.is_rare).map(|arrow| arrow.y + CARD_HEIGHT + 12.0).fold(0.0, f64::max);
        let has_return = map.edges.iter().any(|edge| canvas.is_return(edge));
        let width = left_of(columns) + BOX_WIDTH + MARGIN;
        Self {
            width: rounded(width),
            least: rounded(width * LEGIBLE),
            rest: rounded(width * (1.0 - LEGIBLE)),
            height: rounded((bottom + MARGIN + if has_return { 60.0 } else { 0.0 }).max(lowest_card)),
            boxes: canvas.boxes(picture, links, palette),
            arrows,
        }
    }
}

struct Canvas {
    keys: Vec<Key>,
    places: Vec<Place>,
    window: u64,
}

impl Canvas {
    fn place(&self, key: &Key) -> Option<Place> {
        let index = self.keys.binary_search(key).ok()?;
        self.places.get(index).copied()
    }

    fn is_return(&self, edge: &Edge) -> bool {
        matches!((self.place(&edge.from), self.place(&edge.to)), (Some(from), Some(to)) if to.column <= from.column)
    }

    fn boxes(&self, picture: &Picture<'_>, links: &Links, palette: &Palette) -> Vec<Box> {
        let mut order: Vec<usize> = (0..self.keys.len()).collect();
        // Readers and tab keys go column by column, from the top.
        order.sort_by(|a, b| {
            let place = |index: &usize| self.places.get(*index).map_or((0, 0.0), |place| (place.column, place.y));
            place(a).0.cmp(&place(b).0).then(place(a).1.total_cmp(&place(b).1))
        });
        order.into_iter().filter_map(|index| self.node(self.keys.get(index)?, *self.places.get(index)?, picture, links, palette)).collect()
    }

    fn node(&self, key: &Key, place: Place, picture: &Picture<'_>, links: &Links, palette: &Palette) -> Option<Box> {
        let Picture { map, focus, .. } = *picture;
        let (name, kind) = key;
        let group = picture.groups.get(name);
        let node = map.nodes.iter().find(|node| node.name == *name && node.kind == *kind);
        let (requests, errors, p95) = node.map_or((0, 0, 0), |node| (node.requests, node.errors, node.p95));
        let rate = format::rate(requests, self.window);
        let failing = errors > 0;
        let facts = match (requests, failing) {
            (0, _) => String::new(),
            (_, true) => format!("{rate} · {} · {}", format::percent(errors, requests), format::duration(p95)),
            (_, false) => format!("{rate} · p95 {}", format::duration(p95)),
        };
        let is_service = *kind == NodeKind::Service && group.is_none();
        let chip = palette.chip(name);
        let name_shown = format::line(&shown(key, map), LONGEST);
        let focused = if name == focus { " focused" } else { "" };
        let title = format!(
            "{} {}: {rate} in, {} failed, p95 {}",
            kind.as_str(),
            shown(key, map),
            format::percent(errors, requests),
            format::duration(p95)
        );
        Some(Box {
            x: rounded(left_of(place.column)),
            y: rounded(place.y + MARGIN - BOX_HEIGHT / 2.0),
            href: match group {
                Some(opened) => opened.clone(),
                None if is_service => links.service(name).href(),
                None => picture.page.clone().with("focus", name).href(),
            },
            class: if group.is_some() {
                format!("group{focused}")
            } else if is_service {
                format!("service {}{focused}", chip.class)
            } else {
                format!("{}{focused}", kind.as_str())
            },
            mono: if is_service { chip.mono } else { String::new() },
            icon: if is_service {
                ""
            } else if group.is_some() {
                "map"
            } else {
                kind.as_str()
            },
            is_long: name_shown.chars().nth(FITTING).is_some(),
            name: name_shown,
            facts,
            is_failing: failing,
            title: format::text(&title),
        })
    }

    fn arrow(&self, edge: &Edge, picture: &Picture<'_>) -> Option<Arrow> {
        let map = picture.map;
        let (from, to) = (self.place(&edge.from)?, self.place(&edge.to)?);
        let points = if to.column > from.column { self.forward(edge, map, from, to) } else { Vec::new() };
        let (path, end, card) = if points.is_empty() { self.backward(from, to) } else { smooth(&points) };
        let class = match (edge.kind, edge.errors > 0) {
            (EdgeKind::Call, false) => "",
            (EdgeKind::Call, true) => "failing",
            (EdgeKind::Message, false) => "message",
            (EdgeKind::Message, true) => "message failing",
        };
        let facts = Facts::new(edge, map, picture.before, self.window);
        let per_second = format::ratio(edge.calls, 1) / format::ratio(self.window.max(1), 1_000_000_000);
        Some(Arrow {
            path,
            head: format!("{:.1},{:.1} {:.1},{:.1} {:.1},{:.1}", end.0, end.1, end.0 - 8.0, end.1 - 4.0, end.0 - 8.0, end.1 + 4.0),
            class,
            is_rare: is_rare(edge, map),
            stroke: format!("{:.1}", (1.2 + (1.0 + per_second).ln() * 0.6).min(5.0)),
            x: card.0,
            y: card.1,
            card_x: String::new(),
            card_y: String::new(),
            href: super::edge::address(picture.page, edge),
            is_selected: picture.selected == Some((edge.from.0.as_str(), edge.to.0.as_str())),
            title: format::text(&format!("{} to {}: {}, {} failed, p95 {}", facts.from, facts.to, facts.rate, facts.errors, facts.p95)),
            is_worse: facts.is_worse,
            errors: if facts.is_failing { format!("{} ✕", facts.errors) } else { String::new() },
            latency: format!("p95 {}", facts.p95),
            rate: facts.rate,
        })
    }

    /// From the right side of one box to the left side of another, around the boxes of the columns between.
    fn forward(&self, edge: &Edge, map: &ServiceMap, from: Place, to: Place) -> Vec<Point> {
        let start = (left_of(from.column) + BOX_WIDTH, from.y + MARGIN + self.port(edge, map, true));
        let end = (left_of(to.column), to.y + MARGIN + self.port(edge, map, false));
        let mut points = vec![start];
        for column in from.column + 1..to.column {
            let done = format::ratio((column - from.column) as u64, (to.column - from.column) as u64);
            let y = self.clear(column, start.1 + (end.1 - start.1) * done);
            points.push((left_of(column) - 8.0, y));
            points.push((left_of(column) + BOX_WIDTH + 8.0, y));
        }
        points.push(end);
        points
    }

    /// The height nearest to `y` at which no box of the column stands.
    fn clear(&self, column: usize, y: f64) -> f64 {
        let reach = BOX_HEIGHT / 2.0 + 10.0;
        let blocked: Vec<f64> = self.places.iter().filter(|place| place.column == column).map(|place| place.y + MARGIN).collect();
        let is_free = |y: f64| blocked.iter().all(|centre| (centre - y).abs() >= reach - 0.01);
        let beside = blocked.iter().flat_map(|centre| [centre - reach, centre + reach]).filter(|y| is_free(*y));
        let nearest = beside.min_by(|a, b| (a - y).abs().total_cmp(&(b - y).abs()));
        if is_free(y) { y } else { nearest.unwrap_or(y) }
    }

    /// Where on the side of its box an edge begins or ends: edges fan out in the order of their other ends.
    fn port(&self, edge: &Edge, map: &ServiceMap, is_start: bool) -> f64 {
        let near = |edge: &Edge| if is_start { edge.from.clone() } else { edge.to.clone() };
        let far = |edge: &Edge| self.place(if is_start { &edge.to } else { &edge.from }).map_or(0.0, |place| place.y);
        let mut others: Vec<&Edge> = map.edges.iter().filter(|other| near(other) == near(edge) && !self.is_return(other)).collect();
        others.sort_by(|a, b| far(a).total_cmp(&far(b)).then_with(|| (&a.from, &a.to, a.kind).cmp(&(&b.from, &b.to, b.kind))));
        let index = others.iter().position(|other| std::ptr::eq(*other, edge)).unwrap_or(0);
        let share = format::ratio(index as u64 + 1, others.len() as u64 + 1);
        (share - 0.5) * (BOX_HEIGHT - 12.0)
    }

    /// Below both boxes and back to the left side of the called one.
    fn backward(&self, from: Place, to: Place) -> (String, Point, Point) {
        let start = (left_of(from.column) + BOX_WIDTH * 0.7, from.y + MARGIN + BOX_HEIGHT / 2.0);
        let end = (left_of(to.column), to.y + MARGIN + BOX_HEIGHT / 4.0);
        let low = start.1.max(end.1) + 46.0;
        let path =
            format!("M{:.1} {:.1}C{:.1} {low:.1} {:.1} {low:.1} {:.1} {:.1}", start.0, start.1, start.0, end.0 - 70.0, end.0 - 6.0, end.1);
        (path, end, ((start.0 + end.0) / 2.0 - CARD_WIDTH / 2.0, low - 26.0))
    }
}

/// A curve through points, level at each; with its end and the place of its card, near the middle of its last free stretch.
fn smooth(points: &[Point]) -> (String, Point, Point) {
    let mut path = String::new();
    let (mut last, mut card) = ((0.0, 0.0), (0.0, 0.0));
    for (index, point) in points.iter().enumerate() {
        // Writing to a String cannot fail.
        let _ = match index {
            0 => write!(path, "M{:.1} {:.1}", point.0, point.1),
            _ if (point.1 - last.1).abs() < 0.05 => write!(path, "H{:.1}", point.0 - if index + 1 == points.len() { 6.0 } else { 0.0 }),
            _ => {
                let end = point.0 - if index + 1 == points.len() { 6.0 } else { 0.0 };
                let middle = (last.0 + end) / 2.0;
                write!(path, "C{middle:.1} {:.1} {middle:.1} {:.1} {end:.1} {:.1}", last.1, point.1, point.1)
            }
        };
        if index % 2 == 1 {
            card = ((last.0 + point.0) / 2.0 - CARD_WIDTH / 2.0, (last.1 + point.1) / 2.0 - CARD_HEIGHT / 2.0);
        }
        last = *point;
    }
    (path, last, card)
}

/// Moves cards of one gap apart, from the top down, and writes their places.
fn spread(arrows: &mut [Arrow]) {
    let mut order: Vec<usize> = arrows.iter().enumerate().filter(|(_, arrow)| !arrow.is_rare).map(|(index, _)| index).collect();
    let at = |arrows: &[Arrow], index: usize| arrows.get(index).map_or((0.0, 0.0), |arrow| (arrow.x, arrow.y));
    order.sort_by(|a, b| at(arrows, *a).1.total_cmp(&at(arrows, *b).1));
    let mut placed: Vec<Point> = Vec::new();
    for index in order {
        let (x, mut y) = at(arrows, index);
        y = y.max(4.0);
        // Sorted by height, so one walk finds every card in the way.
        placed.sort_by(|a, b| a.1.total_cmp(&b.1));
        for other in &placed {
            if (other.0 - x).abs() < CARD_WIDTH + 4.0 && (other.1 - y).abs() < CARD_HEIGHT + 3.0 {
                y = other.1 + CARD_HEIGHT + 3.0;
            }
        }
        placed.push((x, y));
        if let Some(arrow) = arrows.get_mut(index) {
            arrow.y = y;
            arrow.card_x = rounded(x);
            arrow.card_y = rounded(y);
        }
    }
}

fn left_of(column: usize) -> f64 {
    MARGIN + format::ratio(column as u64, 1) * (BOX_WIDTH + GAP)
}

fn rounded(value: f64) -> String {
    format!("{value:.1}")
}

/// Whether the caller makes far more calls elsewhere, and none of these failed.
fn is_rare(edge: &Edge, map: &ServiceMap) -> bool {
    edge.errors == 0 && edge.calls < made(&edge.from, map) / RARE
}

/// Of a node.
pub(super) const BOX_WIDTH: f64 = 168.0;
pub(super) const BOX_HEIGHT: f64 = 52.0;

/// Characters of a name that fit into a box, and those that do when they are smaller.
const FITTING: usize = 13;
const LONGEST: usize = 17;

/// Between columns: room for a card and the bend of an arrow.
const GAP: f64 = 120.0;

/// An arrow is rare below one in so many calls of its caller.
const RARE: u64 = 50;

/// The part of its own width below which a picture is scrolled and not made smaller.
const LEGIBLE: f64 = 0.76;

/// Around the picture.
const MARGIN: f64 = 16.0;

/// Of the card of an arrow.
const CARD_WIDTH: f64 = 104.0;
const CARD_HEIGHT: f64 = 32.0;
