//! Layers by the method of Sugiyama: few crossings, short edges. Done by `rust-sugiyama`, which may panic on graphs it
//! does not expect; such graphs are left to the next layout.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rust_sugiyama::configure::Config;
use rust_sugiyama::from_vertices_and_edges;

use super::{Graph, Layout, Place};

/// See the module.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layered;

impl Layout for Layered {
    fn arrange(&self, graph: &Graph) -> Option<Vec<Place>> {
        if graph.nodes > MAX_NODES || graph.edges.len() > MAX_EDGES {
            return None;
        }
        let number = |place: usize| u32::try_from(place).ok();
        let vertices = (0..graph.nodes).map(|place| Some((number(place)?, (HEIGHT, WIDTH)))).collect::<Option<Vec<_>>>()?;
        let edges = graph.edges.iter().map(|(from, to)| Some((number(*from)?, number(*to)?))).collect::<Option<Vec<_>>>()?;
        let config = Config { vertex_spacing: SPACING, ..Config::default() };
        // Nothing is shared with the closure but what it reads.
        let parts = catch_unwind(AssertUnwindSafe(|| from_vertices_and_edges(&vertices, &edges, &config))).ok()?;
        let mut places = vec![None; graph.nodes];
        let mut top = 0.0_f64;
        for (part, ..) in &parts {
            // The library lays out from top to bottom: its x is our y, its layers are our columns.
            let layers: Vec<i64> = part.iter().map(|(_, (_, y))| whole(*y)).collect::<BTreeSet<_>>().into_iter().collect();
            let low = part.iter().map(|(_, (x, _))| *x).fold(f64::INFINITY, f64::min);
            let mut bottom = top;
            for (vertex, (x, y)) in part {
                let column = layers.binary_search(&whole(*y)).ok()?;
                let place = Place { column, y: top + (x - low) + HEIGHT / 2.0 };
                if !place.y.is_finite() {
                    return None;
                }
                bottom = bottom.max(place.y + HEIGHT / 2.0);
                *places.get_mut(*vertex)? = Some(place);
            }
            top = bottom + 2.0 * SPACING;
        }
        places.into_iter().collect()
    }
}

/// Layers lie far apart, so tenths tell them from each other.
fn whole(y: f64) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "coordinates of a drawing of at most some hundred nodes")]
    let tenths = (y * 10.0).round() as i64;
    tenths
}

/// Beyond this the method takes longer than a page may.
const MAX_NODES: usize = 200;
const MAX_EDGES: usize = 600;

/// Of a node across the flow, and along it.
const HEIGHT: f64 = 52.0;
const WIDTH: f64 = 172.0;

/// Between nodes of a column.
const SPACING: f64 = 26.0;
