//! Spans and log records of one trace, as little of each as judging needs, and who stands above whom.

use std::collections::HashSet;

use crate::model::SpanKind;
use crate::trace::{Kin, Parents};

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

impl Kin for Item {
    fn id(&self) -> u64 {
        self.id
    }

    fn parent(&self) -> Option<u64> {
        (self.parent != 0).then_some(self.parent)
    }

    fn kind(&self) -> SpanKind {
        SpanKind::from(self.kind)
    }
}

// === impl Rows ===

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
    pub(super) fn laid_out(&self) -> (Vec<Item>, Vec<Option<usize>>) {
        let mut items = self.spans.clone();
        items.sort_unstable_by_key(|span| (span.time, span.id, span.kind));
        let parents = Parents::new(&items);
        let spans = (0..items.len()).map(|span| parents.of(span));
        let above = spans.chain(self.records.iter().map(|record| parents.holder(record.id, &items))).collect();
        items.extend(&self.records);
        (items, above)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(is_span: bool, id: u64, parent: u64, kind: i32, time: u64) -> Item {
        Item { is_span, time, end: time, duration: 0, is_error: false, id, parent, kind, legs: 0 }
    }

    #[test]
    fn records_stand_below_their_spans_and_spans_as_in_the_tree_of_the_trace() {
        const SERVER: i32 = 2;
        const CLIENT: i32 = 3;
        let mut rows = Rows::default();
        // A client and a server that share an id; a span below both; a record of the shared id, one of no span, one of an absent one.
        let spans = [item(true, 7, 9, CLIENT, 1), item(true, 7, 9, SERVER, 2), item(true, 8, 7, 1, 3)];
        let records = [7, 0, 99].map(|id| item(false, id, 0, 0, 4));
        assert!(spans.into_iter().chain(records).all(|item| rows.add(item)));
        assert!(!rows.add(spans[1]), "the same span twice");
        assert_eq!(rows.laid_out().1, [None, Some(0), Some(1), Some(1), None, None]);
    }
}
