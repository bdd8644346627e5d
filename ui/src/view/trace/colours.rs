//! Which colour a bar has: that of its service, and in a trace of one service that of its operation, where the service would tell nothing.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use storage::SERVICE_SLOTS;
use storage::trace::Sheet;

use super::Scene;
use crate::view::colour::slot_of;
use crate::view::format;
use crate::view::link::term;

/// Colours of operations by the number of their name; empty where services have them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Colours {
    slots: HashMap<u32, usize>,
}

/// An operation as the legend has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Operation {
    /// Class of the stylesheet.
    pub(crate) class: String,
    pub(crate) name: String,
    /// How many spans it has.
    pub(crate) count: String,
    /// The address that finds them.
    pub(crate) find: String,
}

/// What the legend says of operations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Legend {
    pub(crate) operations: Vec<Operation>,
    /// How many more there are, which share these colours; empty for none.
    pub(crate) more: String,
}

// === impl Colours ===

impl Colours {
    /// The operations that take longest have colours of their own, as far as there are; the others share them. A name alone says where the
    /// search for a free one begins, so that it mostly has the same one in other traces.
    pub(super) fn of(sheet: &Sheet) -> Self {
        let operations = if sheet.services.len() == 1 { operations(sheet) } else { Vec::new() };
        if operations.len() < 2 {
            return Self::default();
        }
        let mut own: Vec<(&str, u32)> = operations.iter().take(SERVICE_SLOTS).map(|one| (one.text, one.name)).collect();
        own.sort_unstable();
        let mut slots: HashMap<u32, usize> = operations.iter().skip(SERVICE_SLOTS).map(|one| (one.name, slot_of(one.text))).collect();
        let mut taken = HashSet::new();
        for (text, name) in own {
            let first = slot_of(text);
            let free = (0..SERVICE_SLOTS).map(|step| (first + step) % SERVICE_SLOTS).find(|slot| !taken.contains(slot)).unwrap_or(first);
            taken.insert(free);
            slots.insert(name, free);
        }
        Self { slots }
    }

    /// Whether operations have them.
    pub(super) fn is_by_operation(&self) -> bool {
        !self.slots.is_empty()
    }

    /// The slot of an operation; `None` where its service says the colour.
    pub(super) fn slot(&self, name: u32) -> Option<usize> {
        self.slots.get(&name).copied()
    }
}

/// A name, how many spans have it, and how long they last together.
struct Known<'a> {
    name: u32,
    text: &'a str,
    count: u64,
    total: u64,
}

/// Those that take longest first.
fn operations(sheet: &Sheet) -> Vec<Known<'_>> {
    let mut known: HashMap<u32, Known<'_>> = HashMap::new();
    for (place, span) in sheet.spans.iter().enumerate() {
        let one = known.entry(span.name).or_insert_with(|| Known { name: span.name, text: sheet.name(place), count: 0, total: 0 });
        one.count += 1;
        one.total = one.total.saturating_add(span.duration());
    }
    let mut known: Vec<Known<'_>> = known.into_values().collect();
    known.sort_unstable_by_key(|one| (Reverse(one.total), one.text));
    known
}

// === impl Scene ===

impl Scene {
    /// The class that colours the bar of a span.
    pub(crate) fn colour(&self, place: usize) -> String {
        let slot = self.sheet.spans.get(place).and_then(|span| self.colours.slot(span.name));
        slot.map_or_else(|| self.palette.chip(self.sheet.service(place)).class, |slot| format!("s{slot}"))
    }
}

/// The operations that have colours of their own; `None` where bars have those of services.
pub(super) fn legend(scene: &Scene) -> Option<Legend> {
    if !scene.colours.is_by_operation() {
        return None;
    }
    let known = operations(&scene.sheet);
    let more = known.len().saturating_sub(SERVICE_SLOTS) as u64;
    let operation = |one: Known<'_>| Operation {
        class: format!("s{}", scene.colours.slot(one.name).unwrap_or_default()),
        name: format::name(one.text),
        count: format::count(one.count),
        find: scene.timeline().with("span", "").with("tab", "").with("find", &term("name", one.text)).href(),
    };
    Some(Legend {
        operations: known.into_iter().take(SERVICE_SLOTS).map(operation).collect(),
        more: if more > 0 { format::exact(more) } else { String::new() },
    })
}
