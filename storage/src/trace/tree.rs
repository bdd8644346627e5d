//! Who caused whom among the spans of a trace.

use crate::model::SpanId;

use super::Brief;
use super::parents::{Kin, Parents};

/// The spans of a trace as a forest. Indices are places in the slice of spans it was made from, which is ordered by start.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    parents: Parents,
    nodes: Vec<Node>,
    /// Children of all spans, one after the other.
    children: Vec<usize>,
    roots: Vec<usize>,
    preorder: Vec<usize>,
    reused: usize,
}

/// Narrow numbers: a large trace has a million of these, and making room for them takes its time.
#[derive(Clone, Debug, Default)]
struct Node {
    /// Where its children begin and end.
    first_child: u32,
    last_child: u32,
    depth: u32,
    subtree: u32,
}

// === impl Tree ===

impl Tree {
    /// Builds the forest. Parents that are missing, and loops, make roots; a loop is cut at its earliest span.
    #[must_use]
    pub fn new(spans: &[Brief]) -> Self {
        Self::of(spans)
    }

    /// As [`Tree::new`], of whatever says where spans stand.
    pub(crate) fn of(spans: &[impl Kin]) -> Self {
        let parents = Parents::new(spans);
        let mut tree = Self { reused: parents.reused(spans), parents, nodes: vec![Node::default(); spans.len()], ..Self::default() };
        tree.link_children();
        tree.measure();
        tree
    }

    /// The span with this id; of a client and a server that share one, the earlier.
    #[must_use]
    pub fn place_of(&self, id: SpanId) -> Option<usize> {
        self.parents.first_of(id)
    }

    /// The span that caused `span`, when it was received.
    #[must_use]
    pub fn parent(&self, span: usize) -> Option<usize> {
        self.parents.of(span)
    }

    /// The spans that `span` caused, in the order of their start.
    #[must_use]
    pub fn children(&self, span: usize) -> &[usize] {
        let range = self.nodes.get(span).map_or(0..0, |node| node.first_child as usize..node.last_child as usize);
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
        self.nodes.get(span).map_or(0, |node| node.depth as usize)
    }

    /// Spans below it, itself included.
    #[must_use]
    pub fn subtree_size(&self, span: usize) -> usize {
        self.nodes.get(span).map_or(0, |node| node.subtree as usize)
    }

    /// Whether it names a parent that was not received.
    #[must_use]
    pub fn is_unattached(&self, span: usize) -> bool {
        self.parents.is_unattached(span)
    }

    /// Whether a loop of parents was cut above it.
    #[must_use]
    pub fn is_cut(&self, span: usize) -> bool {
        self.parents.is_cut(span)
    }

    /// Spans with the id and the kind of an earlier one.
    #[must_use]
    pub fn reused(&self) -> usize {
        self.reused
    }

    fn link_children(&mut self) {
        let mut counts = vec![0_u32; self.nodes.len()];
        for span in 0..self.nodes.len() {
            if let Some(count) = self.parent(span).and_then(|parent| counts.get_mut(parent)) {
                *count += 1;
            }
        }
        let mut next = 0;
        for (node, count) in self.nodes.iter_mut().zip(counts) {
            node.first_child = next;
            node.last_child = next;
            next += count;
        }
        self.children = vec![0; next as usize];
        for span in 0..self.nodes.len() {
            let Some(parent) = self.parent(span) else {
                self.roots.push(span);
                continue;
            };
            if let Some(parent) = self.nodes.get_mut(parent)
                && let Some(place) = self.children.get_mut(parent.last_child as usize)
            {
                *place = span;
                parent.last_child += 1;
            }
        }
    }

    fn measure(&mut self) {
        let mut open: Vec<(usize, u32)> = self.roots.iter().rev().map(|root| (*root, 0)).collect();
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
            let size = self.nodes.get(*span).map_or(0, |node| node.subtree);
            if let Some(parent) = self.parent(*span).and_then(|parent| self.nodes.get_mut(parent)) {
                parent.subtree += size;
            }
        }
        self.preorder = preorder;
    }
}
