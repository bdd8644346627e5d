//! Parts of a graph that nothing connects: side by side in rows, where one below the other they would be too high to be read.

use std::cmp::Reverse;

use super::{Arranged, Graph, Line, Place, Route, connected};

/// What hangs together, and which nodes and lines of the whole these are.
#[derive(Debug, Default)]
struct Part {
    graph: Graph,
    nodes: Vec<usize>,
    lines: Vec<usize>,
}

/// Each part arranged for itself; those of many layers come first.
pub(super) fn shelved(graph: &Graph) -> Option<Arranged> {
    let arranged = |part: Part| connected(&part.graph).map(|arranged| (part, arranged));
    let mut parts: Vec<(Part, Arranged)> = parts(graph)?.into_iter().map(arranged).collect::<Option<_>>()?;
    parts.sort_by_key(|(_, arranged)| Reverse(depth(arranged)));
    let most = parts.iter().map(|(_, arranged)| depth(arranged)).max()?.max(WIDE);
    let mut all =
        Arranged { places: vec![Place::default(); graph.nodes.len()], routes: vec![Route::default(); graph.lines.len()], height: 0.0 };
    let (mut layer, mut top, mut height) = (0, 0.0, 0.0_f64);
    for (part, arranged) in parts {
        let depth = depth(&arranged);
        if layer > 0 && layer + depth > most {
            top += height + GAP;
            (layer, height) = (0, 0.0);
        }
        let moved = |place: Place| Place { layer: place.layer + layer, y: place.y + top };
        for (node, place) in part.nodes.iter().zip(arranged.places) {
            *all.places.get_mut(*node)? = moved(place);
        }
        for (line, Route { is_back, stops, card }) in part.lines.iter().zip(arranged.routes) {
            let stops = stops.into_iter().map(moved).collect();
            *all.routes.get_mut(*line)? = Route { is_back, stops, card: card.map(|card| card + layer) };
        }
        height = height.max(arranged.height);
        // Boxes have even layers.
        layer += depth + 1;
    }
    all.height = top + height;
    Some(all)
}

/// What hangs together, in the order of the first node of each.
fn parts(graph: &Graph) -> Option<Vec<Part>> {
    let mut beside: Vec<Vec<usize>> = vec![Vec::new(); graph.nodes.len()];
    for line in &graph.lines {
        beside.get_mut(line.from)?.push(line.to);
        beside.get_mut(line.to)?.push(line.from);
    }
    let mut parts: Vec<Part> = Vec::new();
    // The part of each node, and its place there.
    let mut of: Vec<Option<(usize, usize)>> = vec![None; graph.nodes.len()];
    for start in 0..graph.nodes.len() {
        if of.get(start)?.is_some() {
            continue;
        }
        let mut part = Part::default();
        let mut way = vec![start];
        while let Some(node) = way.pop() {
            let place = of.get_mut(node)?;
            if place.is_none() {
                *place = Some((parts.len(), part.nodes.len()));
                part.nodes.push(node);
                part.graph.nodes.push(*graph.nodes.get(node)?);
                way.extend(beside.get(node)?.iter().rev());
            }
        }
        parts.push(part);
    }
    for (index, line) in graph.lines.iter().enumerate() {
        let ((part, from), (_, to)) = ((*of.get(line.from)?)?, (*of.get(line.to)?)?);
        let part = parts.get_mut(part)?;
        part.graph.lines.push(Line { from, to, ..*line });
        part.lines.push(index);
    }
    Some(parts)
}

/// Layers of boxes and of cards.
fn depth(arranged: &Arranged) -> usize {
    arranged.places.iter().map(|place| place.layer + 1).max().unwrap_or(0)
}

/// Layers of a row, if no part has more: two pairs side by side, as much as a page is wide.
const WIDE: usize = 7;

/// Between two rows, as between two boxes.
const GAP: f64 = 20.0;
