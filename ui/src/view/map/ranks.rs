//! Columns by distance from where calls begin, nodes by name. Never fails and is fast, but lets edges cross.

use std::collections::VecDeque;

use super::{Graph, Layout, Place};

/// See the module.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ranks;

impl Layout for Ranks {
    fn arrange(&self, graph: &Graph) -> Option<Vec<Place>> {
        let mut columns: Vec<Option<usize>> = vec![None; graph.nodes];
        let mut called = vec![false; graph.nodes];
        let mut out: Vec<Vec<usize>> = vec![Vec::new(); graph.nodes];
        for (from, to) in &graph.edges {
            out.get_mut(*from)?.push(*to);
            *called.get_mut(*to)? = true;
        }
        let begin = |node: &usize| !called.get(*node).copied().unwrap_or(true);
        let mut waiting: VecDeque<usize> = (0..graph.nodes).filter(begin).collect();
        for node in &waiting {
            *columns.get_mut(*node)? = Some(0);
        }
        for next in 0..graph.nodes {
            // Rings have no beginning; their first node is taken for one.
            while let Some(node) = waiting.pop_front() {
                let column = columns.get(node).copied().flatten().unwrap_or(0);
                for to in out.get(node)? {
                    if let Some(place @ None) = columns.get_mut(*to) {
                        *place = Some(column + 1);
                        waiting.push_back(*to);
                    }
                }
            }
            if let Some(place @ None) = columns.get_mut(next) {
                *place = Some(0);
                waiting.push_back(next);
            }
        }
        let mut rows: Vec<f64> = Vec::new();
        let place = |column: usize| {
            if rows.len() <= column {
                rows.resize(column + 1, 0.0);
            }
            let row = rows.get_mut(column)?;
            let y = *row * STEP + STEP / 2.0;
            *row += 1.0;
            Some(Place { column, y })
        };
        columns.into_iter().map(|column| column.unwrap_or(0)).map(place).collect()
    }
}

/// From one node of a column to the next.
const STEP: f64 = 78.0;
