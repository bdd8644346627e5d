//! Spans of two traces, matched by their way down from the root, and what is added up of each.

use std::cmp::Reverse;
use std::collections::HashMap;

use storage::SpanKind;
use storage::trace::Sheet;

use super::Order;

/// What is added up of equal spans.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sum {
    pub(super) count: u64,
    pub(super) errors: u64,
    pub(super) own: u64,
    pub(super) first: usize,
}

/// A way down from the root: the way to the parent, service, name, kind.
#[derive(Clone, Debug)]
pub(super) struct Way {
    parent: Option<usize>,
    pub(super) depth: usize,
    pub(super) service: String,
    pub(super) name: String,
    pub(super) sums: [Sum; 2],
}

/// The ways of two traces, each parent before its children.
#[derive(Debug, Default)]
pub(super) struct Ways {
    ways: Vec<Way>,
    known: HashMap<(Option<usize>, String, String, i32), usize>,
}

// === impl Way, Ways ===

impl Way {
    fn change(&self) -> u64 {
        let [a, b] = &self.sums;
        a.own.abs_diff(b.own)
    }

    fn most(&self) -> u64 {
        self.sums.iter().map(|sum| sum.own).max().unwrap_or(0)
    }

    fn change_of_count(&self) -> u64 {
        let [a, b] = &self.sums;
        a.count.abs_diff(b.count)
    }
}

impl Ways {
    pub(super) fn of(sheets: [&Sheet; 2]) -> Self {
        let mut ways = Self::default();
        for (side, sheet) in sheets.into_iter().enumerate() {
            ways.add(sheet, side);
        }
        ways
    }

    /// The ways in their order, and how many are left out because their own time differs by less than `least`. In the tree a way stays
    /// that leads to one which differs by more.
    pub(super) fn ordered(&self, order: Order, least: u64) -> (Vec<Way>, usize) {
        let mut stays: Vec<bool> = self.ways.iter().map(|way| way.change() >= least).collect();
        if order == Order::Tree {
            // Every way stands behind its parent.
            for (at, way) in self.ways.iter().enumerate().rev() {
                let (true, Some(parent)) = (stays.get(at).is_some_and(|stays| *stays), way.parent) else { continue };
                if let Some(above) = stays.get_mut(parent) {
                    *above = true;
                }
            }
        }
        let mut list: Vec<Way> = self.ways.iter().zip(&stays).filter(|(_, stays)| **stays).map(|(way, _)| way.clone()).collect();
        match order {
            Order::Tree => {}
            Order::Change => list.sort_by_key(|way| Reverse(way.change())),
            Order::Own => list.sort_by_key(|way| Reverse(way.most())),
            Order::Count => list.sort_by_key(|way| Reverse((way.change_of_count(), way.change()))),
        }
        let left_out = self.ways.len() - list.len();
        (list, left_out)
    }

    /// The way that leads to one of these.
    pub(super) fn above(&self, way: &Way) -> Option<&Way> {
        self.ways.get(way.parent?)
    }

    /// The first spans, on both sides, of the ways that differ most.
    pub(super) fn most_changed(&self, most: usize) -> Vec<[usize; 2]> {
        let mut both: Vec<&Way> = self.ways.iter().filter(|way| way.change() > 0 && way.sums.iter().all(|sum| sum.count > 0)).collect();
        both.sort_by_key(|way| Reverse(way.change()));
        both.into_iter().take(most).map(|way| way.sums.map(|sum| sum.first)).collect()
    }

    fn add(&mut self, sheet: &Sheet, side: usize) {
        let mut way_of: HashMap<usize, usize> = HashMap::with_capacity(sheet.spans.len());
        for place in sheet.tree().preorder() {
            let Some(span) = sheet.spans.get(*place) else { continue };
            let parent = sheet.tree().parent(*place).and_then(|parent| way_of.get(&parent).copied());
            let way = self.way(parent, sheet.service(*place), sheet.name(*place), span.kind);
            way_of.insert(*place, way);
            let Some(sum) = self.ways.get_mut(way).and_then(|way| way.sums.get_mut(side)) else { continue };
            if sum.count == 0 {
                sum.first = *place;
            }
            sum.count += 1;
            sum.errors += u64::from(span.is_error());
            sum.own = sum.own.saturating_add(sheet.self_time(*place));
        }
        self.sort_as_tree();
    }

    fn way(&mut self, parent: Option<usize>, service: &str, name: &str, kind: SpanKind) -> usize {
        let key = (parent, service.to_owned(), name.to_owned(), kind.number());
        if let Some(known) = self.known.get(&key) {
            return *known;
        }
        let depth = parent.and_then(|parent| self.ways.get(parent)).map_or(0, |way| way.depth + 1);
        self.ways.push(Way { parent, depth, service: service.to_owned(), name: name.to_owned(), sums: <[Sum; 2]>::default() });
        self.known.insert(key, self.ways.len() - 1);
        self.ways.len() - 1
    }

    /// Puts every way below its parent, the ways of the first trace before those of the second.
    fn sort_as_tree(&mut self) {
        let mut children: HashMap<Option<usize>, Vec<usize>> = HashMap::new();
        for (at, way) in self.ways.iter().enumerate() {
            children.entry(way.parent).or_default().push(at);
        }
        let mut order = Vec::with_capacity(self.ways.len());
        let mut open: Vec<usize> = children.get(&None).into_iter().flatten().rev().copied().collect();
        while let Some(at) = open.pop() {
            order.push(at);
            open.extend(children.get(&Some(at)).into_iter().flatten().rev());
        }
        let mut new_place = vec![0; self.ways.len()];
        for (new, old) in order.iter().enumerate() {
            if let Some(slot) = new_place.get_mut(*old) {
                *slot = new;
            }
        }
        let moved = |old: usize| new_place.get(old).copied().unwrap_or(0);
        let old = std::mem::take(&mut self.ways);
        let sorted = order.iter().filter_map(|at| old.get(*at).cloned());
        self.ways = sorted.map(|way| Way { parent: way.parent.map(moved), ..way }).collect();
        let known = std::mem::take(&mut self.known);
        self.known = known.into_iter().map(|((parent, a, b, kind), at)| ((parent.map(moved), a, b, kind), moved(at))).collect();
    }

    /// Totals per service, the greatest change first. The own time is that of the trace's table of services.
    pub(super) fn by_service(&self, sheets: [&Sheet; 2]) -> Vec<Way> {
        let mut services: Vec<Way> = Vec::new();
        let mut known: HashMap<&str, usize> = HashMap::new();
        for way in &self.ways {
            let at = *known.entry(way.service.as_str()).or_insert_with(|| {
                services.push(Way {
                    parent: None,
                    depth: 0,
                    name: String::new(),
                    service: way.service.clone(),
                    sums: <[Sum; 2]>::default(),
                });
                services.len() - 1
            });
            for (sum, more) in services.get_mut(at).into_iter().flat_map(|service| &mut service.sums).zip(&way.sums) {
                if sum.count == 0 {
                    sum.first = more.first;
                }
                sum.count += more.count;
                sum.errors += more.errors;
            }
        }
        for (side, sheet) in sheets.into_iter().enumerate() {
            for (service, own) in sheet.services.iter().zip(sheet.own_times()) {
                let way = known.get(service.as_str()).and_then(|at| services.get_mut(*at));
                if let Some(sum) = way.and_then(|way| way.sums.get_mut(side)) {
                    sum.own = own;
                }
            }
        }
        services.sort_by_key(|service| Reverse(service.change()));
        services
    }
}
