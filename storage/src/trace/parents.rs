//! Who stands above whom among the spans of a trace, by their ids.
//!
//! Owns the rules: the server of a shared id is the child of its client and has the children of both, and a loop is cut above its earliest
//! span. Knows of a span only what [`Kin`] says, so that pages and searches find the same parents.

use std::collections::HashSet;

use crate::model::{SpanId, SpanKind};

use super::Brief;

/// What says where a span stands.
pub(crate) trait Kin {
    fn id(&self) -> u64;
    /// The id of the span above it, if it names one.
    fn parent(&self) -> Option<u64>;
    fn kind(&self) -> SpanKind;
}

/// The parents of all spans of a trace, in the order in which they were given: by start.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parents {
    of: Vec<Above>,
    /// Ids with their places, in order.
    by_id: Vec<(u64, u32)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Above {
    parent: Option<u32>,
    unattached: bool,
    cut: bool,
}

/// The spans that share an id.
#[derive(Clone, Copy, Debug)]
struct Holder {
    id: u64,
    first: u32,
    server: Option<u32>,
    client: Option<u32>,
}

impl Kin for Brief {
    fn id(&self) -> u64 {
        as_number(self.span_id)
    }

    fn parent(&self) -> Option<u64> {
        self.parent_span_id.map(as_number)
    }

    fn kind(&self) -> SpanKind {
        self.kind
    }
}

// === impl Parents ===

impl Parents {
    /// Walks along all ids and all ids of parents, both in order: a table of a million ids is slower to fill and to ask.
    pub(crate) fn new(spans: &[impl Kin]) -> Self {
        let by_id = numbered(spans.iter().map(|span| Some(span.id())));
        let mut of = vec![Above::default(); spans.len()];
        let mut holders = by_id.chunk_by(same_id).filter_map(|alike| Holder::of(alike, spans));
        for holder in holders.clone() {
            if let Some((server, client)) = holder.server.zip(holder.client)
                && let Some(above) = of.get_mut(server as usize)
            {
                above.parent = Some(client);
            }
        }
        let mut holder = holders.next();
        for children in numbered(spans.iter().map(Kin::parent)).chunk_by(same_id) {
            let Some((id, _)) = children.first() else { continue };
            while holder.as_ref().is_some_and(|holder| holder.id < *id) {
                holder = holders.next();
            }
            let parent = holder.as_ref().filter(|holder| holder.id == *id).map(Holder::of_children);
            for (_, child) in children {
                // The server of a shared id has its parent already.
                if let Some(above) = of.get_mut(*child as usize).filter(|above| above.parent.is_none()) {
                    above.parent = parent;
                    above.unattached = parent.is_none();
                }
            }
        }
        let mut parents = Self { of, by_id };
        parents.cut_loops();
        parents
    }

    /// Spans with the id and the kind of an earlier one of `spans`, which these are the parents of.
    pub(crate) fn reused(&self, spans: &[impl Kin]) -> usize {
        let further = |alike: &[(u64, u32)]| {
            let kinds: HashSet<i32> = alike.iter().filter_map(|(_, place)| Some(spans.get(*place as usize)?.kind().number())).collect();
            alike.len() - kinds.len()
        };
        self.by_id.chunk_by(same_id).filter(|alike| alike.len() > 1).map(further).sum()
    }

    /// The place of the span above the one at `place`.
    pub(crate) fn of(&self, place: usize) -> Option<usize> {
        Some(self.of.get(place)?.parent? as usize)
    }

    /// Whether it names a parent that is not there.
    pub(crate) fn is_unattached(&self, place: usize) -> bool {
        self.of.get(place).is_some_and(|above| above.unattached)
    }

    /// Whether a loop was cut above it.
    pub(crate) fn is_cut(&self, place: usize) -> bool {
        self.of.get(place).is_some_and(|above| above.cut)
    }

    /// The earliest span with this id.
    pub(crate) fn first_of(&self, id: SpanId) -> Option<usize> {
        self.alike(as_number(id)).first().map(|(_, place)| *place as usize)
    }

    /// The span below which stands what names this id, if it is one of `spans`, which these are the parents of.
    pub(crate) fn holder(&self, id: u64, spans: &[impl Kin]) -> Option<usize> {
        Holder::of(self.alike(id), spans).map(|holder| holder.of_children() as usize)
    }

    fn alike(&self, id: u64) -> &[(u64, u32)] {
        let from = self.by_id.partition_point(|(known, _)| *known < id);
        let rest = self.by_id.get(from..).unwrap_or_default();
        rest.get(..rest.partition_point(|(known, _)| *known == id)).unwrap_or_default()
    }

    /// Walks up from every span; whoever meets the own path has found a loop.
    fn cut_loops(&mut self) {
        let mut walk_of = vec![usize::MAX; self.of.len()];
        for start in 0..self.of.len() {
            let mut at = start;
            while let Some(mark) = walk_of.get_mut(at).filter(|mark| **mark == usize::MAX) {
                *mark = start;
                match self.of(at) {
                    Some(parent) => at = parent,
                    None => break,
                }
            }
            if walk_of.get(at) == Some(&start) && self.of(at).is_some() {
                self.cut_loop_through(at);
            }
        }
    }

    fn cut_loop_through(&mut self, inside: usize) {
        let (mut at, mut earliest) = (inside, inside);
        while let Some(parent) = self.of(at).filter(|parent| *parent != inside) {
            earliest = earliest.min(parent);
            at = parent;
        }
        if let Some(above) = self.of.get_mut(earliest) {
            *above = Above { parent: None, cut: true, ..*above };
        }
    }
}

impl Holder {
    /// `alike` has their places in order.
    fn of(alike: &[(u64, u32)], spans: &[impl Kin]) -> Option<Self> {
        let (id, first) = *alike.first()?;
        if alike.len() == 1 {
            return Some(Self { id, first, server: None, client: None });
        }
        let of_kind = |kind: SpanKind| {
            let is_of_kind = |(_, place): &&(u64, u32)| spans.get(*place as usize).is_some_and(|span| span.kind() == kind);
            alike.iter().find(is_of_kind).map(|(_, place)| *place)
        };
        Some(Self { id, first, server: of_kind(SpanKind::Server), client: of_kind(SpanKind::Client) })
    }

    /// The one that has the children of all.
    fn of_children(&self) -> u32 {
        self.server.unwrap_or(self.first)
    }
}

/// The ids that are there with their places, in order.
fn numbered(ids: impl Iterator<Item = Option<u64>>) -> Vec<(u64, u32)> {
    let mut numbered: Vec<(u64, u32)> = (0_u32..).zip(ids).filter_map(|(place, id)| Some((id?, place))).collect();
    numbered.sort_unstable();
    numbered
}

fn as_number(id: SpanId) -> u64 {
    u64::from_be_bytes(*id.as_bytes())
}

fn same_id(a: &(u64, u32), b: &(u64, u32)) -> bool {
    a.0 == b.0
}
