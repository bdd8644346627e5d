//! Who caused whom among the spans of a trace.

use std::collections::HashMap;

use crate::model::{SpanId, SpanKind};

use super::Brief;

/// The spans of a trace as a forest. Indices are places in the slice of spans it was made from, which is ordered by start.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    nodes: Vec<Node>,
    /// Children of all spans, one after the other.
    children: Vec<usize>,
    roots: Vec<usize>,
    preorder: Vec<usize>,
}

#[derive(Clone, Debug, Default)]
struct Node {
    parent: Option<usize>,
    /// Where its children begin and end.
    first_child: usize,
    last_child: usize,
    depth: usize,
    subtree: usize,
    unattached: bool,
    cut: bool,
}

/// The spans that share an id.
#[derive(Clone, Copy, Debug)]
struct Holders {
    first: usize,
    server: Option<usize>,
    client: Option<usize>,
}

// === impl Tree ===

impl Tree {
    /// Builds the forest. Parents that are missing, and loops, make roots; a loop is cut at its earliest span.
    #[must_use]
    pub fn new(spans: &[Brief]) -> Self {
        let mut tree = Self { nodes: parents(spans), ..Self::default() };
        tree.cut_loops();
        tree.link_children();
        tree.measure();
        tree
    }

    /// The span that caused `span`, when it was received.
    #[must_use]
    pub fn parent(&self, span: usize) -> Option<usize> {
        self.nodes.get(span)?.parent
    }

    /// The spans that `span` caused, in the order of their start.
    #[must_use]
    pub fn children(&self, span: usize) -> &[usize] {
        let range = self.nodes.get(span).map_or(0..0, |node| node.first_child..node.last_child);
        self.children.get(range).unwrap_or_default()
    }

    /// Spans without parent, spans whose parent was not received, and where loops were cut; in the order of their start.
    #[must_use]
    pub fn roots(&self) -> &[usize] {
        &self.roots
    }

    /// All spans, each before its children, siblings in the order of their start: the rows of a waterfall.
    #[must_use]
    pub fn preorder(&self) -> &[usize] {
        &self.preorder
    }

    /// Steps from its root.
    #[must_use]
    pub fn depth(&self, span: usize) -> usize {
        self.nodes.get(span).map_or(0, |node| node.depth)
    }

    /// Spans below it, itself included.
    #[must_use]
    pub fn subtree_size(&self, span: usize) -> usize {
        self.nodes.get(span).map_or(0, |node| node.subtree)
    }

    /// Whether it names a parent that was not received.
    #[must_use]
    pub fn is_unattached(&self, span: usize) -> bool {
        self.nodes.get(span).is_some_and(|node| node.unattached)
    }

    /// Whether a loop of parents was cut above it.
    #[must_use]
    pub fn is_cut(&self, span: usize) -> bool {
        self.nodes.get(span).is_some_and(|node| node.cut)
    }

    /// Walks up from every span; whoever meets the own path has found a loop.
    fn cut_loops(&mut self) {
        let mut walk_of = vec![usize::MAX; self.nodes.len()];
        for start in 0..self.nodes.len() {
            let mut at = start;
            while let Some(mark) = walk_of.get_mut(at).filter(|mark| **mark == usize::MAX) {
                *mark = start;
                match self.parent(at) {
                    Some(parent) => at = parent,
                    None => break,
                }
            }
            if walk_of.get(at) == Some(&start) && self.parent(at).is_some() {
                self.cut_loop_through(at);
            }
        }
    }

    fn cut_loop_through(&mut self, inside: usize) {
        let mut earliest = inside;
        let mut at = inside;
        while let Some(parent) = self.parent(at) {
            if parent == inside {
                break;
            }
            earliest = earliest.min(parent);
            at = parent;
        }
        if let Some(node) = self.nodes.get_mut(earliest) {
            node.parent = None;
            node.cut = true;
        }
    }

    fn link_children(&mut self) {
        let mut counts = vec![0_usize; self.nodes.len()];
        for node in &self.nodes {
            if let Some(count) = node.parent.and_then(|parent| counts.get_mut(parent)) {
                *count += 1;
            }
        }
        let mut next = 0;
        for (node, count) in self.nodes.iter_mut().zip(counts) {
            node.first_child = next;
            node.last_child = next;
            next += count;
        }
        self.children = vec![0; next];
        for span in 0..self.nodes.len() {
            let Some(parent) = self.parent(span) else {
                self.roots.push(span);
                continue;
            };
            if let Some(parent) = self.nodes.get_mut(parent)
                && let Some(place) = self.children.get_mut(parent.last_child)
            {
                *place = span;
                parent.last_child += 1;
            }
        }
    }

    fn measure(&mut self) {
        let mut open: Vec<(usize, usize)> = self.roots.iter().rev().map(|root| (*root, 0)).collect();
        let mut preorder = Vec::with_capacity(self.nodes.len());
        while let Some((span, depth)) = open.pop() {
            preorder.push(span);
            open.extend(self.children(span).iter().rev().map(|child| (*child, depth + 1)));
            if let Some(node) = self.nodes.get_mut(span) {
                node.depth = depth;
                node.subtree = 1;
            }
        }
        for span in preorder.iter().rev() {
            let size = self.subtree_size(*span);
            if let Some(parent) = self.parent(*span).and_then(|parent| self.nodes.get_mut(parent)) {
                parent.subtree += size;
            }
        }
        self.preorder = preorder;
    }
}

/// Finds parents by id. Where a client and a server share an id, the server is the client's child and has the children of both.
fn parents(spans: &[Brief]) -> Vec<Node> {
    let mut holders: HashMap<SpanId, Holders> = HashMap::with_capacity(spans.len());
    for (place, span) in spans.iter().enumerate() {
        let entry = holders.entry(span.span_id).or_insert(Holders { first: place, server: None, client: None });
        match span.kind {
            SpanKind::Server => entry.server = entry.server.or(Some(place)),
            SpanKind::Client => entry.client = entry.client.or(Some(place)),
            _ => {}
        }
    }
    let find = |place: usize, span: &Brief| -> Node {
        let shared = holders.get(&span.span_id).and_then(|holders| holders.client.filter(|_| holders.server == Some(place)));
        if shared.is_some() {
            return Node { parent: shared, ..Node::default() };
        }
        let Some(id) = span.parent_span_id else { return Node::default() };
        match holders.get(&id).map(|holders| holders.server.unwrap_or(holders.first)) {
            Some(parent) => Node { parent: Some(parent), ..Node::default() },
            None => Node { unattached: true, ..Node::default() },
        }
    };
    spans.iter().enumerate().map(|(place, span)| find(place, span)).collect()
}

/// Per span, the nanoseconds in which none of its children ran.
#[must_use]
pub fn self_times(spans: &[Brief], tree: &Tree) -> Vec<u64> {
    let own = |(place, span): (usize, &Brief)| {
        let (start, end) = (span.start.get(), span.end.get().max(span.start.get()));
        let mut covered_until = start;
        let mut covered = 0;
        for child in tree.children(place).iter().filter_map(|child| spans.get(*child)) {
            let from = child.start.get().clamp(covered_until, end);
            let to = child.end.get().clamp(from, end);
            covered += to - from;
            covered_until = to;
        }
        end - start - covered
    };
    spans.iter().enumerate().map(own).collect()
}
