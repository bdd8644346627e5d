//! Spans and log records of one trace, as little of each as judging needs, and who stands above whom.

use std::collections::{HashMap, HashSet};

/// A span or a log record, as far as judging needs it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    pub(super) is_span: bool,
    /// Start of a span, time of a record.
    pub(super) time: u64,
    pub(super) end: u64,
    pub(super) duration: u64,
    pub(super) is_error: bool,
    /// Of a span its id, of a record the id of its span or zero.
    pub(super) id: u64,
    /// Zero without parent.
    pub(super) parent: u64,
    pub(super) kind: i32,
    /// Bit by bit, whether it is in a leg.
    pub(super) legs: u64,
}

/// What was read of one trace.
#[derive(Debug, Default)]
pub(super) struct Rows {
    spans: Vec<Item>,
    records: Vec<Item>,
    seen: HashSet<(u64, i32, u64)>,
    services: HashSet<String>,
    /// Whether there is more of it than was read.
    pub(super) truncated: bool,
}

// === impl Item ===

impl Item {
    pub(super) fn is_in(&self, leg: usize) -> bool {
        self.legs >> leg & 1 == 1
    }
}

// === impl Rows ===

/// The spans that share an id.
#[derive(Clone, Copy)]
struct Holders {
    first: u32,
    server: Option<u32>,
    client: Option<u32>,
}

impl Rows {
    /// False when the span is there already.
    pub(super) fn add(&mut self, item: Item) -> bool {
        if !item.is_span {
            self.records.push(item);
            return true;
        }
        let is_new = self.seen.insert((item.id, item.kind, item.time));
        if is_new {
            self.spans.push(item);
        }
        is_new
    }

    pub(super) fn add_service(&mut self, service: &str) {
        if !self.services.contains(service) {
            self.services.insert(service.to_owned());
        }
    }

    pub(super) fn items(&self) -> usize {
        self.spans.len() + self.records.len()
    }

    pub(super) fn services(&self) -> usize {
        self.services.len()
    }

    /// All items, and for each the one above it: as in the tree of the trace (`trace::Tree`), with records below their spans.
    pub(super) fn laid_out(&self) -> (Vec<Item>, Vec<Option<u32>>) {
        let mut items = self.spans.clone();
        items.sort_unstable_by_key(|span| (span.time, span.id, span.kind));
        let mut holders: HashMap<u64, Holders> = HashMap::with_capacity(items.len());
        for (place, span) in (0_u32..).zip(&items) {
            let entry = holders.entry(span.id).or_insert(Holders { first: place, server: None, client: None });
            match span.kind {
                SERVER => entry.server = entry.server.or(Some(place)),
                CLIENT => entry.client = entry.client.or(Some(place)),
                _ => {}
            }
        }
        let under = |id: u64| holders.get(&id).map(|holders| holders.server.unwrap_or(holders.first));
        let parent = |(place, span): (u32, &Item)| {
            // Where a client and a server share an id, the server is the client's child and has the children of both.
            let client = holders.get(&span.id).and_then(|holders| holders.client.filter(|_| holders.server == Some(place)));
            client.or_else(|| if span.parent == 0 { None } else { under(span.parent) })
        };
        let mut parents: Vec<Option<u32>> = (0_u32..).zip(&items).map(parent).collect();
        cut_loops(&mut parents);
        parents.extend(self.records.iter().map(|record| under(record.id)));
        items.extend(&self.records);
        (items, parents)
    }
}

const SERVER: i32 = 2;
const CLIENT: i32 = 3;

/// Walks up from every span; who meets the own way has found a loop, which is cut above its earliest span.
fn cut_loops(parents: &mut [Option<u32>]) {
    let up = |parents: &[Option<u32>], at: usize| parents.get(at).copied().flatten().map(|parent| parent as usize);
    let mut walk_of = vec![usize::MAX; parents.len()];
    for start in 0..parents.len() {
        let mut at = start;
        while let Some(mark) = walk_of.get_mut(at).filter(|mark| **mark == usize::MAX) {
            *mark = start;
            match up(parents, at) {
                Some(parent) => at = parent,
                None => break,
            }
        }
        if walk_of.get(at) != Some(&start) || up(parents, at).is_none() {
            continue;
        }
        let (inside, mut earliest) = (at, at);
        while let Some(parent) = up(parents, at).filter(|parent| *parent != inside) {
            earliest = earliest.min(parent);
            at = parent;
        }
        if let Some(cut) = parents.get_mut(earliest) {
            *cut = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::super::fixtures::{self, Dice};
    use super::*;
    use crate::model::{SpanKind, StatusCode, UnixNanos};
    use crate::trace::{Brief, Tree};

    fn brief(item: &Item) -> Brief {
        Brief {
            span_id: fixtures::span_id(item.id),
            parent_span_id: (item.parent != 0).then(|| fixtures::span_id(item.parent)),
            kind: SpanKind::from(item.kind),
            status: StatusCode::Unset,
            start: UnixNanos::new(item.time),
            end: UnixNanos::new(item.end),
            service: 0,
            name: 0,
            clock: 0,
        }
    }

    #[test]
    fn who_stands_above_whom_is_as_on_the_page_of_the_trace() {
        let mut dice = Dice(71);
        for _ in 0..2_000 {
            let mut rows = Rows::default();
            for _ in 0..dice.roll(12) + 1 {
                let time = dice.roll(6);
                rows.add(Item {
                    is_span: true,
                    time,
                    end: time,
                    duration: 0,
                    is_error: false,
                    id: dice.roll(8) + 1,
                    parent: dice.roll(10),
                    kind: [1, SERVER, CLIENT][dice.count(3)],
                    legs: 0,
                });
            }
            let (items, parents) = rows.laid_out();
            let tree = Tree::new(&items.iter().map(brief).collect::<Vec<_>>());
            for (place, parent) in parents.iter().enumerate() {
                assert_eq!(parent.map(|parent| parent as usize), tree.parent(place), "{items:?}");
            }
        }
    }
}
