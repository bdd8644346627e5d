//! Where boxes, arrows and cards go: heights come from the layout, widths from what is written.

use super::path::{Point, around, through};
use super::size::Size;
use super::{Arrow, Box, Drawing, Px};
use crate::view::map::layout::{Arranged, Graph, Line, Route, arrange};

/// Boxes and arrows that know what they say, and between which boxes each arrow goes.
pub(super) struct Placing {
    pub(super) boxes: Vec<Box>,
    pub(super) edges: Vec<(usize, usize, Arrow)>,
    pub(super) size: Size,
}

/// From the left, per layer.
struct Columns {
    left: Vec<f64>,
    width: Vec<f64>,
}

/// The heights at which a line leaves its left and enters its right end.
type Ports = Vec<(f64, f64)>;

// === impl Placing ===

impl Placing {
    /// The picture.
    pub(super) fn drawn(mut self) -> Option<Drawing> {
        let arranged = arrange(&self.graph())?;
        let ports = self.ports(&arranged)?;
        let columns = self.columns(&arranged, &ports)?;
        self.place_boxes(&arranged, &columns)?;
        self.place_arrows(&arranged, &ports, &columns)?;
        let right = columns.left.last()? + columns.width.last()? + self.size.margin;
        // Readers and tab keys go column by column, from the top.
        self.boxes.sort_by(|a, b| a.x.0.total_cmp(&b.x.0).then(a.y.0.total_cmp(&b.y.0)));
        Some(Drawing {
            width: Px(right),
            height: Px(arranged.height + 2.0 * self.size.margin),
            least: Px(right * LEGIBLE),
            rest: Px(right * (1.0 - LEGIBLE)),
            boxes: self.boxes,
            arrows: self.edges.into_iter().map(|(_, _, arrow)| arrow).collect(),
        })
    }

    fn graph(&self) -> Graph {
        let line = |(from, to, arrow): &(usize, usize, Arrow)| Line {
            from: *from,
            to: *to,
            card: arrow.card.height.0,
            pull: if arrow.is_rare { 0.1 } else { 1.0 },
        };
        let nodes = self.boxes.iter().enumerate().map(|(node, shown)| shown.height.0 + self.below(node));
        Graph { nodes: nodes.collect(), lines: self.edges.iter().map(line).collect() }
    }

    /// Room below a box for the arrows that lead back to it, one below the other.
    fn below(&self, node: usize) -> f64 {
        let loops = self.edges.iter().filter(|(from, to, _)| *from == node && *to == node);
        loops.map(|(_, _, arrow)| arrow.card.height.0 + LOOP).sum()
    }

    /// The middle of a box, without the room below.
    fn middle(&self, node: usize, arranged: &Arranged) -> Option<f64> {
        Some(arranged.places.get(node)?.y + self.size.margin - self.below(node) / 2.0)
    }

    /// Lines fan out on the sides of their boxes, in the order in which they go on.
    fn ports(&self, arranged: &Arranged) -> Option<Ports> {
        let mut ports: Ports = vec![(0.0, 0.0); self.edges.len()];
        let mut sides: Vec<[Vec<(f64, usize)>; 2]> = vec![[Vec::new(), Vec::new()]; self.boxes.len()];
        for (index, (from, to, _)) in self.edges.iter().enumerate() {
            let route = arranged.routes.get(index)?;
            let (Some(first), Some(last)) = (route.stops.first(), route.stops.last()) else { continue };
            let (left, right) = if route.is_back { (*to, *from) } else { (*from, *to) };
            let [right_of, _] = sides.get_mut(left)?;
            right_of.push((first.y + self.size.margin, index));
            let [_, left_of] = sides.get_mut(right)?;
            left_of.push((last.y + self.size.margin, index));
        }
        for (node, sides) in sides.into_iter().enumerate() {
            let (middle, height) = (self.middle(node, arranged)?, self.boxes.get(node)?.height.0 - 16.0);
            for (side, mut lines) in sides.into_iter().enumerate() {
                lines.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
                let count = lines.len() as f64;
                for (place, (y, line)) in lines.into_iter().enumerate() {
                    let port = ports.get_mut(line)?;
                    // A single line is as straight as its box allows.
                    let offset = if count > 1.0 {
                        ((place as f64 + 0.5) / count - 0.5) * height
                    } else {
                        (y - middle).clamp(-height / 2.0, height / 2.0)
                    };
                    *(if side == 0 { &mut port.0 } else { &mut port.1 }) = middle + offset;
                }
            }
        }
        Some(ports)
    }

    /// Columns are as wide as what stands in them, and the gaps between them as the bends there need.
    fn columns(&self, arranged: &Arranged, ports: &Ports) -> Option<Columns> {
        let layers = arranged.places.iter().map(|place| place.layer + 1).max()?;
        let mut width = vec![0.0_f64; layers];
        let mut bend = vec![0.0_f64; layers];
        for (place, shown) in arranged.places.iter().zip(&self.boxes) {
            let widest = width.get_mut(place.layer)?;
            *widest = widest.max(shown.width.0);
        }
        for ((route, (_, _, arrow)), (leaves, enters)) in arranged.routes.iter().zip(&self.edges).zip(ports) {
            if let Some(widest) = route.card.and_then(|layer| width.get_mut(layer)) {
                *widest = widest.max(arrow.card.width.0);
            }
            // Faint lines may be steep.
            if arrow.is_rare {
                continue;
            }
            let mut y = *leaves;
            for stop in &route.stops {
                let steepest = bend.get_mut(stop.layer.checked_sub(1)?)?;
                *steepest = steepest.max((stop.y + self.size.margin - y).abs());
                y = stop.y + self.size.margin;
            }
            if let Some(steepest) = route.stops.last().and_then(|stop| bend.get_mut(stop.layer)) {
                *steepest = steepest.max((enters - y).abs());
            }
        }
        let mut x = self.size.margin;
        let place = |(width, bend): (&f64, &f64)| {
            let left = x;
            x += width + (self.size.least_gap + bend * 0.06).min(self.size.most_gap);
            left
        };
        Some(Columns { left: width.iter().zip(&bend).map(place).collect(), width })
    }

    fn place_boxes(&mut self, arranged: &Arranged, columns: &Columns) -> Option<()> {
        for node in 0..self.boxes.len() {
            let (middle, layer) = (self.middle(node, arranged)?, arranged.places.get(node)?.layer);
            let shown = self.boxes.get_mut(node)?;
            shown.x = Px(*columns.left.get(layer)?);
            shown.width = Px(*columns.width.get(layer)?);
            shown.y = Px(middle - shown.height.0 / 2.0);
        }
        Some(())
    }

    fn place_arrows(&mut self, arranged: &Arranged, ports: &Ports, columns: &Columns) -> Option<()> {
        let (boxes, margin) = (&self.boxes, self.size.margin);
        let mut below = vec![0.0_f64; boxes.len()];
        for (((from, to, arrow), route), ports) in self.edges.iter_mut().zip(&arranged.routes).zip(ports) {
            if from == to {
                let (shown, before) = (boxes.get(*from)?, below.get_mut(*from)?);
                let low = shown.y.0 + shown.height.0;
                let middle = low + *before + 12.0 + arrow.card.height.0 / 2.0;
                // A further one goes around those before.
                let edge = if *before > 0.0 { 6.0 } else { 18.0 };
                *before += arrow.card.height.0 + LOOP;
                let (left, right) = (shown.x.0 + edge, shown.x.0 + shown.width.0 - edge);
                (arrow.path, arrow.head) = around((right, low), (left, middle));
                arrow.card.put(f64::midpoint(left, right), arrow.card.width.0, middle);
                continue;
            }
            let (left, right) = if route.is_back { (*to, *from) } else { (*from, *to) };
            let mut points = points(route, *ports, (boxes.get(left)?, boxes.get(right)?), columns, margin)?;
            if route.is_back {
                points.reverse();
            }
            (arrow.path, arrow.head) = through(&points);
            if let Some(stop) = route.stops.iter().find(|stop| Some(stop.layer) == route.card) {
                let width = *columns.width.get(stop.layer)?;
                arrow.card.put(columns.left.get(stop.layer)? + width / 2.0, width, stop.y + margin);
            }
        }
        Some(())
    }
}

/// The points of a line from the left to the right: level across every column that it passes.
fn points(route: &Route, (leaves, enters): (f64, f64), (left, right): (&Box, &Box), columns: &Columns, margin: f64) -> Option<Vec<Point>> {
    let mut points = vec![(left.x.0 + left.width.0, leaves)];
    for stop in &route.stops {
        let (x, width) = (*columns.left.get(stop.layer)?, *columns.width.get(stop.layer)?);
        points.extend([(x, stop.y + margin), (x + width, stop.y + margin)]);
    }
    points.push((right.x.0, enters));
    Some(points)
}

// === impl Card ===

impl super::Card {
    fn put(&mut self, x: f64, width: f64, y: f64) {
        self.width = Px(width);
        self.middle = Px(width / 2.0);
        self.x = Px(x - width / 2.0);
        self.y = Px(y - self.height.0 / 2.0);
    }
}

/// Above and below the card of an arrow that leads back to its box.
const LOOP: f64 = 20.0;

/// The part of its own width below which a picture is scrolled and not made smaller: its letters, of 12 pixels and more, have 11 then.
const LEGIBLE: f64 = 11.0 / 12.0;
