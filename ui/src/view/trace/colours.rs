//! Which colour a bar has: that of its service, and in a trace of one service that of its operation, where the service would tell nothing.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use storage::SERVICE_SLOTS;
use storage::trace::Sheet;

use super::Scene;
use crate::view::colour::slot_of;
use crate::view::format;
use crate::view::link::term;

/// Colours of operations: of those that take longest by the number of their name, of the others by what they are called. Empty where services
/// have them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Colours {
    own: HashMap<u32, usize>,
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
        let (operations, _) = if sheet.services.len() == 1 { operations(sheet) } else { (Vec::new(), 0) };
        if operations.len() < 2 {
            return Self::default();
        }
        let mut sorted: Vec<(&str, u32)> = operations.iter().map(|one| (one.text, one.name)).collect();
        sorted.sort_unstable();
        let (mut own, mut taken) = (HashMap::new(), HashSet::new());
        for (text, name) in sorted {
            let first = slot_of(text);
            let free = (0..SERVICE_SLOTS).map(|step| (first + step) % SERVICE_SLOTS).find(|slot| !taken.contains(slot)).unwrap_or(first);
            taken.insert(free);
            own.insert(name, free);
        }
        Self { own }
    }

    /// Whether operations have them.
    pub(super) fn is_by_operation(&self) -> bool {
        !self.own.is_empty()
    }

    /// The slot of an operation; `None` where its service says the colour.
    pub(super) fn slot(&self, sheet: &Sheet, place: usize) -> Option<usize> {
        let name = sheet.spans.get(place).filter(|_| self.is_by_operation())?.name;
        Some(self.own.get(&name).copied().unwrap_or_else(|| slot_of(sheet.name(place))))
    }
}

/// A name, how many spans have it, and how long they last together.
struct Known<'a> {
    name: u32,
    text: &'a str,
    count: u64,
    total: u64,
}

/// Those that take longest, as many as there are colours, the longest first; and how many there are in all. A trace may have as many names as
/// spans, and this is asked for each of its windows.
fn operations(sheet: &Sheet) -> (Vec<Known<'_>>, usize) {
    let mut known: Vec<Known<'_>> =
        (0..).zip(&sheet.names).map(|(name, text)| Known { name, text: text.as_str(), count: 0, total: 0 }).collect();
    for span in &sheet.spans {
        if let Some(one) = known.get_mut(span.name as usize) {
            one.count += 1;
            one.total = one.total.saturating_add(span.duration());
        }
    }
    known.retain(|one| one.count > 0);
    let all = known.len();
    if all > SERVICE_SLOTS {
        known.select_nth_unstable_by_key(SERVICE_SLOTS, longest);
        known.truncate(SERVICE_SLOTS);
    }
    known.sort_unstable_by_key(longest);
    (known, all)
}

fn longest<'a>(one: &Known<'a>) -> (Reverse<u64>, &'a str) {
    (Reverse(one.total), one.text)
}

// === impl Scene ===

impl Scene {
    /// The class that colours the bar of a span.
    pub(crate) fn colour(&self, place: usize) -> String {
        let slot = self.colours.slot(&self.sheet, place);
        slot.map_or_else(|| self.palette.chip(self.sheet.service(place)).class, |slot| format!("s{slot}"))
    }
}

/// The operations that have colours of their own; `None` where bars have those of services.
pub(super) fn legend(scene: &Scene) -> Option<Legend> {
    if !scene.colours.is_by_operation() {
        return None;
    }
    let (known, all) = operations(&scene.sheet);
    let more = (all - known.len()) as u64;
    let operation = |one: Known<'_>| Operation {
        class: format!("s{}", scene.colours.own.get(&one.name).copied().unwrap_or_default()),
        name: format::name(one.text),
        count: format::count(one.count),
        find: scene.timeline().with("span", "").with("tab", "").with("find", &term("name", one.text)).href(),
    };
    Some(Legend {
        operations: known.into_iter().map(operation).collect(),
        more: if more > 0 { format::exact(more) } else { String::new() },
    })
}
