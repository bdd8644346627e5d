//! In which column each node stands: rings are turned around where they close, then every line leads to a later column.

use super::Graph;

/// One column per node, and for each line whether it leads back.
pub(super) fn columns(graph: &Graph) -> Option<(Vec<usize>, Vec<bool>)> {
    let nodes = graph.nodes.len();
    let mut out: Vec<Vec<(usize, usize)>> = vec![Vec::new(); nodes];
    let mut called = vec![false; nodes];
    for (index, line) in graph.lines.iter().enumerate().filter(|(_, line)| line.from != line.to) {
        out.get_mut(line.from)?.push((line.to, index));
        *called.get_mut(line.to)? = true;
    }
    let mut walk = Walk { state: vec![State::New; nodes], order: Vec::with_capacity(nodes), is_back: vec![false; graph.lines.len()] };
    let begin = |node: &usize| !called.get(*node).copied().unwrap_or(true);
    for start in (0..nodes).filter(begin).chain(0..nodes) {
        walk.from(start, &out)?;
    }
    walk.order.reverse();
    let mut columns = vec![0_usize; nodes];
    for node in &walk.order {
        let column = *columns.get(*node)?;
        for (to, line) in out.get(*node)? {
            if !*walk.is_back.get(*line)? {
                let later = columns.get_mut(*to)?;
                *later = (*later).max(column + 1);
            }
        }
    }
    // Who is called by nobody stands beside what it calls.
    for node in (0..nodes).filter(begin) {
        let nearest = out.get(node)?.iter().filter_map(|(to, _)| columns.get(*to)).min().copied();
        *columns.get_mut(node)? = nearest.unwrap_or(0).saturating_sub(1);
    }
    Some((columns, walk.is_back))
}

struct Walk {
    state: Vec<State>,
    /// Nodes in the order in which all below them was seen.
    order: Vec<usize>,
    is_back: Vec<bool>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    OnTheWay,
    Done,
}

// === impl Walk ===

impl Walk {
    /// Walks depth first; a line to a node on the way closes a ring.
    fn from(&mut self, start: usize, out: &[Vec<(usize, usize)>]) -> Option<()> {
        if *self.state.get(start)? != State::New {
            return Some(());
        }
        *self.state.get_mut(start)? = State::OnTheWay;
        let mut way = vec![(start, 0)];
        while let Some((node, next)) = way.last_mut() {
            let node = *node;
            let Some((to, line)) = out.get(node)?.get(*next).copied() else {
                *self.state.get_mut(node)? = State::Done;
                self.order.push(node);
                way.pop();
                continue;
            };
            *next += 1;
            match self.state.get_mut(to)? {
                State::OnTheWay => *self.is_back.get_mut(line)? = true,
                State::Done => {}
                state @ State::New => {
                    *state = State::OnTheWay;
                    way.push((to, 0));
                }
            }
        }
        Some(())
    }
}
