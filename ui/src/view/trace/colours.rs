//! Which colour a bar has: that of its service, and in a trace of one service that of its operation, where the service would tell nothing.

use std::collections::{HashMap, HashSet};

use storage::SERVICE_SLOTS;
use storage::trace::{Operation as Known, Sheet};

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
    /// What of it stands in the legend.
    pub(crate) short: String,
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
        if sheet.services.len() != 1 || sheet.operations().all < 2 {
            return Self::default();
        }
        let text = |one: &Known| sheet.names.get(one.name as usize).map_or("", String::as_str);
        let mut sorted: Vec<(&str, u32)> = sheet.operations().longest.iter().map(|one| (text(one), one.name)).collect();
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
    let (sheet, known) = (&scene.sheet, scene.sheet.operations());
    let more = (known.all - known.longest.len()) as u64;
    let operation = |one: &Known| {
        let text = sheet.names.get(one.name as usize).map_or("", String::as_str);
        let name = format::name(text);
        Operation {
            class: format!("s{}", scene.colours.own.get(&one.name).copied().unwrap_or_default()),
            short: format::ending(&name, MAX_LABEL),
            name,
            count: format::count(one.count),
            find: scene.timeline().with("span", "").with("tab", "").with("find", &term("name", text)).href(),
        }
    };
    Some(Legend {
        operations: known.longest.iter().map(operation).collect(),
        more: if more > 0 { format::exact(more) } else { String::new() },
    })
}

/// Characters of a name in the legend; of longer ones the end, where names of one family differ.
const MAX_LABEL: usize = 34;
