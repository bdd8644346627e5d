//! Layers by the method of Sugiyama: rings cut open, columns by longest path, rows by the middle of their neighbours.
//!
//! Ends after a fixed number of passes on every graph and gives the same picture for the same graph.

use super::{Graph, Layout, Place};

/// See the module.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layered;

/// Edges without rings, from each node and to it.
struct Acyclic {
    out: Vec<Vec<usize>>,
    into: Vec<Vec<usize>>,
    /// Nodes so that every edge leads to a later one.
    order: Vec<usize>,
}

impl Layout for Layered {
    fn arrange(&self, graph: &Graph) -> Option<Vec<Place>> {
        if graph.nodes > MAX_NODES || graph.edges.len() > MAX_EDGES {
            return None;
        }
        let acyclic = Acyclic::of(graph)?;
        let columns = acyclic.columns()?;
        let mut layers: Vec<Vec<usize>> = vec![Vec::new(); columns.iter().max().map_or(0, |last| last + 1)];
        for node in 0..graph.nodes {
            layers.get_mut(*columns.get(node)?)?.push(node);
        }
        let mut y = vec![0.0; graph.nodes];
        for layer in &layers {
            stack(layer, &mut y)?;
        }
        for pass in 0..PASSES {
            let forward = pass % 2 == 0;
            let neighbours = if forward { &acyclic.into } else { &acyclic.out };
            for index in 0..layers.len() {
                let layer = if forward { layers.get_mut(index)? } else { layers.iter_mut().rev().nth(index)? };
                settle(layer, neighbours, &mut y)?;
            }
        }
        let top = y.iter().copied().fold(f64::INFINITY, f64::min);
        columns.into_iter().zip(y).map(|(column, y)| Some(Place { column, y: y - top + STEP / 2.0 })).collect()
    }
}

// === impl Acyclic ===

impl Acyclic {
    /// Leaves out edges that lead back to a node on the way to them, as a depth-first walk meets them.
    fn of(graph: &Graph) -> Option<Self> {
        let mut all: Vec<Vec<usize>> = vec![Vec::new(); graph.nodes];
        let mut called = vec![false; graph.nodes];
        for (from, to) in graph.edges.iter().filter(|(from, to)| from != to) {
            all.get_mut(*from)?.push(*to);
            *called.get_mut(*to)? = true;
        }
        let mut acyclic = Self { out: vec![Vec::new(); graph.nodes], into: vec![Vec::new(); graph.nodes], order: Vec::new() };
        let mut state = vec![State::New; graph.nodes];
        let starts = (0..graph.nodes).filter(|node| !called.get(*node).copied().unwrap_or(true)).chain(0..graph.nodes);
        for start in starts {
            acyclic.walk(start, &all, &mut state)?;
        }
        acyclic.order.reverse();
        Some(acyclic)
    }

    fn walk(&mut self, start: usize, all: &[Vec<usize>], state: &mut [State]) -> Option<()> {
        if *state.get(start)? != State::New {
            return Some(());
        }
        *state.get_mut(start)? = State::OnTheWay;
        let mut way = vec![(start, 0)];
        while let Some((node, next)) = way.last_mut() {
            let node = *node;
            let Some(to) = all.get(node)?.get(*next).copied() else {
                *state.get_mut(node)? = State::Done;
                self.order.push(node);
                way.pop();
                continue;
            };
            *next += 1;
            let seen = state.get_mut(to)?;
            if *seen == State::OnTheWay {
                continue;
            }
            self.out.get_mut(node)?.push(to);
            self.into.get_mut(to)?.push(node);
            if *seen == State::New {
                *seen = State::OnTheWay;
                way.push((to, 0));
            }
        }
        Some(())
    }

    /// The length of the longest way to each node.
    fn columns(&self) -> Option<Vec<usize>> {
        let mut columns = vec![0_usize; self.out.len()];
        for node in &self.order {
            let column = *columns.get(*node)?;
            for to in self.out.get(*node)? {
                let later = columns.get_mut(*to)?;
                *later = (*later).max(column + 1);
            }
        }
        Some(columns)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    OnTheWay,
    Done,
}

/// Puts the nodes of a column below each other, around the middle line.
fn stack(layer: &[usize], y: &mut [f64]) -> Option<()> {
    let mut next = -STEP * f64::from(u32::try_from(layer.len()).ok()?.saturating_sub(1)) / 2.0;
    for node in layer {
        *y.get_mut(*node)? = next;
        next += STEP;
    }
    Some(())
}

/// Orders a column by the middle of each node's neighbours and moves its nodes there, as far as they leave each other room.
fn settle(layer: &mut [usize], neighbours: &[Vec<usize>], y: &mut [f64]) -> Option<()> {
    let mut wishes: Vec<(f64, usize)> = Vec::with_capacity(layer.len());
    for node in layer.iter() {
        let around = neighbours.get(*node)?;
        let sum: f64 = around.iter().filter_map(|other| y.get(*other)).sum();
        let count = f64::from(u32::try_from(around.len()).ok()?);
        wishes.push((if around.is_empty() { *y.get(*node)? } else { sum / count }, *node));
    }
    wishes.sort_by(|(a, one), (b, other)| a.total_cmp(b).then(one.cmp(other)));
    // Pushed down by those above, then moved back so that the column as a whole stays where it wishes to be.
    let mut at = f64::NEG_INFINITY;
    let mut pushed = 0.0;
    for (wish, node) in &wishes {
        at = wish.max(at + STEP);
        pushed += at - wish;
        *y.get_mut(*node)? = at;
    }
    let back = pushed / f64::from(u32::try_from(wishes.len().max(1)).ok()?);
    for ((_, node), place) in wishes.iter().zip(layer.iter_mut()) {
        *y.get_mut(*node)? -= back;
        *place = *node;
    }
    Some(())
}

/// Beyond this a picture is no longer read.
const MAX_NODES: usize = 500;
const MAX_EDGES: usize = 2_000;

/// Forward and backward passes over the columns.
const PASSES: usize = 12;

/// From one node of a column to the next.
const STEP: f64 = 78.0;
