//! Where the nodes, lines and cards of a layered picture go, by the method of Sugiyama.
//!
//! Rings are turned around where they close, nodes stand in columns by the longest way to them, and between two columns of boxes there is one
//! of cards. A line has a place of its own in every column that it passes, and its card stands in one of these places: so no card lies over
//! another, over a box or over a line of others. Ends after a fixed number of passes on every graph and gives the same picture for the same
//! graph. Knows no text and nothing of the other axis: widths are up to the drawing.

mod columns;
mod heights;
mod order;
mod shelves;

/// What is laid out.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Graph {
    /// One height per node.
    pub(super) nodes: Vec<f64>,
    pub(super) lines: Vec<Line>,
}

/// From one node to another.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Line {
    pub(super) from: usize,
    pub(super) to: usize,
    /// Height of its card; 0 when it has none.
    pub(super) card: f64,
    /// How strongly it pulls its ends to the same height.
    pub(super) pull: f64,
}

/// The answer: one place per node and one route per line.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Arranged {
    pub(super) places: Vec<Place>,
    pub(super) routes: Vec<Route>,
    pub(super) height: f64,
}

/// Where a node goes: its layer from the left, and its centre from the top. Boxes have even layers, cards have odd ones.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Place {
    pub(super) layer: usize,
    pub(super) y: f64,
}

/// The way of a line from its left to its right end.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Route {
    /// Whether it leads from right to left.
    pub(super) is_back: bool,
    /// Its places in the layers between its ends, from the left.
    pub(super) stops: Vec<Place>,
    /// The layer of its card.
    pub(super) card: Option<usize>,
}

/// Arranges a graph; nothing when it would be too large to read. Lines from a node to itself have no route.
pub(super) fn arrange(graph: &Graph) -> Option<Arranged> {
    let whole = connected(graph)?;
    if whole.height <= HIGH {
        return Some(whole);
    }
    let shelved = shelves::shelved(graph)?;
    Some(if shelved.height < whole.height { shelved } else { whole })
}

/// Arranges a graph as if all of it hung together.
fn connected(graph: &Graph) -> Option<Arranged> {
    let (columns, is_back) = columns::columns(graph)?;
    let mut layers = Layers::new(graph, &columns, &is_back)?;
    order::untangle(&mut layers)?;
    let heights = heights::settle(&layers)?;
    layers.arranged(graph.nodes.len(), is_back, &heights)
}

/// Everything that has a place, by layer.
#[derive(Clone, Debug, Default)]
struct Layers {
    /// The first items are the nodes.
    items: Vec<Item>,
    /// Items of each layer from the top.
    rows: Vec<Vec<usize>>,
    /// The items of each line between its ends, from the left.
    ways: Vec<Vec<usize>>,
}

/// A node, or a place that a line passes.
#[derive(Clone, Debug)]
struct Item {
    layer: usize,
    height: f64,
    kind: Kind,
    /// Neighbours in the layers beside, and how strongly they pull.
    left: Vec<(usize, f64)>,
    right: Vec<(usize, f64)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Box,
    Card,
    Pass,
}

// === impl Layers ===

impl Layers {
    fn new(graph: &Graph, columns: &[usize], is_back: &[bool]) -> Option<Self> {
        let item = |(height, column): (&f64, &usize)| Item::new(2 * column, *height, Kind::Box);
        let items: Vec<Item> = graph.nodes.iter().zip(columns).map(item).collect();
        let layers = columns.iter().max().map_or(0, |last| 2 * last + 1);
        let mut all = Self { items, rows: vec![Vec::new(); layers], ways: vec![Vec::new(); graph.lines.len()] };
        // How much of each layer is taken by cards: the next one goes where there is most room.
        let mut taken = vec![0.0_f64; layers];
        let ends = |index: usize| {
            let line = graph.lines.get(index)?;
            let (left, right) = if *is_back.get(index)? { (line.to, line.from) } else { (line.from, line.to) };
            Some((*columns.get(left)?, left, *columns.get(right)?, right))
        };
        let mut order: Vec<usize> = (0..graph.lines.len()).collect();
        // Those that have no choice first.
        order.sort_by_key(|index| (ends(*index).map_or(0, |(from, _, to, _)| to.saturating_sub(from)), *index));
        for index in order {
            let (line, (from, left, to, right)) = (graph.lines.get(index)?, ends(index)?);
            if left == right {
                continue;
            }
            let between = 2 * from + 1..2 * to;
            let room = |layer: &usize| taken.get(*layer).copied().unwrap_or(0.0);
            let emptiest = between.clone().step_by(2).min_by(|a, b| room(a).total_cmp(&room(b)));
            let card = emptiest.filter(|_| line.card > 0.0);
            if let Some(place) = card.and_then(|layer| taken.get_mut(layer)) {
                *place += line.card;
            }
            all.route(index, (left, right), between, card, *line)?;
        }
        all.fill();
        Some(all)
    }

    /// Gives a line its items.
    fn route(
        &mut self,
        index: usize,
        (left, right): (usize, usize),
        layers: std::ops::Range<usize>,
        card: Option<usize>,
        line: Line,
    ) -> Option<()> {
        let mut before = left;
        for layer in layers {
            let next = self.items.len();
            if next >= MAX_ITEMS {
                return None;
            }
            self.items.push(match card {
                Some(own) if own == layer => Item::new(layer, line.card, Kind::Card),
                _ => Item::new(layer, 0.0, Kind::Pass),
            });
            self.ways.get_mut(index)?.push(next);
            self.link(before, next, line.pull)?;
            before = next;
        }
        self.link(before, right, line.pull)
    }

    fn link(&mut self, left: usize, right: usize, pull: f64) -> Option<()> {
        let kind = |item: usize| self.items.get(item).map(|item| item.kind);
        // A line is straight rather than its ends are level.
        let is_inner = kind(left)? != Kind::Box && kind(right)? != Kind::Box;
        let pull = if is_inner { pull * STRAIGHT } else { pull };
        self.items.get_mut(left)?.right.push((right, pull));
        self.items.get_mut(right)?.left.push((left, pull));
        Some(())
    }

    /// The first order within layers: as a walk along the lines meets the items.
    fn fill(&mut self) {
        let mut seen = vec![false; self.items.len()];
        let starts = (0..self.items.len()).filter(|item| self.items.get(*item).is_some_and(|item| item.left.is_empty()));
        for start in starts {
            let mut way = vec![start];
            while let Some(next) = way.pop() {
                let (Some(item), Some(known @ false)) = (self.items.get(next), seen.get_mut(next)) else { continue };
                *known = true;
                if let Some(row) = self.rows.get_mut(item.layer) {
                    row.push(next);
                }
                way.extend(item.right.iter().rev().map(|(to, _)| *to));
            }
        }
    }

    fn arranged(&self, nodes: usize, is_back: Vec<bool>, heights: &[f64]) -> Option<Arranged> {
        let edges = |sign: f64| self.items.iter().zip(heights).map(move |(item, y)| sign * y + item.height / 2.0);
        let top = -edges(-1.0).fold(f64::NEG_INFINITY, f64::max);
        let bottom = edges(1.0).fold(f64::NEG_INFINITY, f64::max);
        let place = |item: usize| Some(Place { layer: self.items.get(item)?.layer, y: heights.get(item)? - top });
        let route = |(way, is_back): (&Vec<usize>, bool)| {
            let is_card = |item: &&usize| self.items.get(**item).is_some_and(|item| item.kind == Kind::Card);
            let card = way.iter().find(is_card).and_then(|item| Some(self.items.get(*item)?.layer));
            Some(Route { is_back, stops: way.iter().map(|item| place(*item)).collect::<Option<_>>()?, card })
        };
        Some(Arranged {
            places: (0..nodes).map(place).collect::<Option<_>>()?,
            routes: self.ways.iter().zip(is_back).map(route).collect::<Option<_>>()?,
            height: if nodes == 0 { 0.0 } else { bottom - top },
        })
    }
}

// === impl Item ===

impl Item {
    fn new(layer: usize, height: f64, kind: Kind) -> Self {
        Self { layer, height, kind, left: Vec::new(), right: Vec::new() }
    }
}

/// What is higher is set in rows, if nothing connects its parts: more than a screen.
const HIGH: f64 = 1_000.0;

/// Beyond this a picture is no longer read.
const MAX_ITEMS: usize = 8_000;

/// How much more than its ends a line pulls its inner parts.
const STRAIGHT: f64 = 4.0;
