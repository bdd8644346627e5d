//! Who caused whom among the spans of a trace.

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
    /// Ids as numbers, with their places, in order.
    by_id: Vec<(u64, u32)>,
}

/// Narrow numbers: a large trace has a million of these, and making room for them takes its time.
#[derive(Clone, Debug, Default)]
struct Node {
    parent: Option<u32>,
    /// Where its children begin and end.
    first_child: u32,
    last_child: u32,
    depth: u32,
    subtree: u32,
    unattached: bool,
    cut: bool,
}

// === impl Tree ===

impl Tree {
    /// Builds the forest. Parents that are missing, and loops, make roots; a loop is cut at its earliest span.
    #[must_use]
    pub fn new(spans: &[Brief]) -> Self {
        let by_id = numbered(spans.iter().map(|span| Some(span.span_id)));
        let mut tree = Self { nodes: parents(spans, &by_id), by_id, ..Self::default() };
        tree.cut_loops();
        tree.link_children();
        tree.measure();
        tree
    }

    /// The span with this id; of a client and a server that share one, the earlier.
    #[must_use]
    pub fn place_of(&self, id: SpanId) -> Option<usize> {
        let id = as_number(id);
        let at = self.by_id.partition_point(|(known, _)| *known < id);
        self.by_id.get(at).filter(|(known, _)| *known == id).map(|(_, place)| *place as usize)
    }

    /// The span that caused `span`, when it was received.
    #[must_use]
    pub fn parent(&self, span: usize) -> Option<usize> {
        Some(self.nodes.get(span)?.parent? as usize)
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
        let mut counts = vec![0_u32; self.nodes.len()];
        for node in &self.nodes {
            if let Some(count) = node.parent.and_then(|parent| counts.get_mut(parent as usize)) {
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

/// Finds parents by id. Where a client and a server share an id, the server is the client's child and has the children of both.
///
/// Walks along all ids and all ids of parents, both in order: a table of a million ids is slower to fill and to ask.
fn parents(spans: &[Brief], by_id: &[(u64, u32)]) -> Vec<Node> {
    let mut nodes = vec![Node::default(); spans.len()];
    let named = numbered(spans.iter().map(|span| span.parent_span_id));
    let mut holders = by_id.chunk_by(same_id).filter_map(|alike| Holder::of(alike, spans));
    for holder in holders.clone() {
        if let Some((server, client)) = holder.server.zip(holder.client)
            && let Some(node) = nodes.get_mut(server as usize)
        {
            node.parent = Some(client);
        }
    }
    let mut holder = holders.next();
    for children in named.chunk_by(same_id) {
        let Some((id, _)) = children.first() else { continue };
        while holder.as_ref().is_some_and(|holder| holder.id < *id) {
            holder = holders.next();
        }
        let parent = holder.as_ref().filter(|holder| holder.id == *id).map(|holder| holder.server.unwrap_or(holder.first));
        for (_, child) in children {
            // The server of a shared id has its parent already.
            if let Some(node) = nodes.get_mut(*child as usize).filter(|node| node.parent.is_none()) {
                node.parent = parent;
                node.unattached = parent.is_none();
            }
        }
    }
    nodes
}

/// The spans that share an id.
#[derive(Clone, Copy, Debug)]
struct Holder {
    id: u64,
    first: u32,
    server: Option<u32>,
    client: Option<u32>,
}

impl Holder {
    /// `alike` has their places in order.
    fn of(alike: &[(u64, u32)], spans: &[Brief]) -> Option<Self> {
        let (id, first) = *alike.first()?;
        if alike.len() == 1 {
            return Some(Self { id, first, server: None, client: None });
        }
        let of_kind = |kind: SpanKind| {
            let is_of_kind = |(_, place): &&(u64, u32)| spans.get(*place as usize).is_some_and(|span| span.kind == kind);
            alike.iter().find(is_of_kind).map(|(_, place)| *place)
        };
        Some(Self { id, first, server: of_kind(SpanKind::Server), client: of_kind(SpanKind::Client) })
    }
}

/// The ids that are there with their places, in order.
fn numbered(ids: impl Iterator<Item = Option<SpanId>>) -> Vec<(u64, u32)> {
    let mut numbered: Vec<(u64, u32)> = (0_u32..).zip(ids).filter_map(|(place, id)| Some((as_number(id?), place))).collect();
    numbered.sort_unstable();
    numbered
}

fn as_number(id: SpanId) -> u64 {
    u64::from_be_bytes(*id.as_bytes())
}

fn same_id(a: &(u64, u32), b: &(u64, u32)) -> bool {
    a.0 == b.0
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
