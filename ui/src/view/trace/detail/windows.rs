//! Long parts of the detail in windows: as many rows as keep a page small, the others one link away.

use super::super::{PanelTab, Scene};
use crate::view::format;

/// Which of the rows of a part are shown, and the ways to the others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Window {
    /// How many there are in all.
    pub(crate) count: String,
    /// `41–80 of 315`; empty when all are shown.
    pub(crate) place: String,
    /// The first ones; empty when they are shown.
    pub(crate) first: String,
    /// `235 more`, and where they are; both empty after the last.
    pub(crate) more: (String, String),
}

/// The windows of all parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Windows {
    pub(crate) attributes: Window,
    pub(crate) events: Window,
    pub(crate) links: Window,
    pub(crate) logs: Window,
    pub(crate) resource: Window,
}

/// How the parts of one detail are cut.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut<'a> {
    pub(super) scene: &'a Scene,
    pub(super) id: &'a str,
    pub(super) shown: PanelTab,
}

// === impl Cut ===

impl Cut<'_> {
    /// The rows of a part from where it is shown on, as long as their elements are few; at least one. `elements` says about how many one has.
    pub(super) fn rows<A, T>(
        &self,
        part: PanelTab,
        all: impl ExactSizeIterator<Item = A>,
        mut row: impl FnMut(usize, A) -> T,
        elements: impl Fn(&T) -> usize,
    ) -> (Vec<T>, Window) {
        let of = all.len();
        let first = if self.shown == part && self.scene.wanted.first < of { self.scene.wanted.first } else { 0 };
        let mut spare = if self.shown == PanelTab::All { BESIDE_OTHERS } else { ALONE };
        let mut rows = Vec::new();
        for (number, item) in all.enumerate().skip(first) {
            let row = row(number, item);
            let Some(left) = spare.checked_sub(elements(&row)).or(rows.is_empty().then_some(0)) else { break };
            spare = left;
            rows.push(row);
        }
        let window = self.window(part, (first, first + rows.len()), of);
        (rows, window)
    }

    fn window(&self, part: PanelTab, (first, end): (usize, usize), of: usize) -> Window {
        let count = format::exact(of as u64);
        if (first, end) == (0, of) {
            return Window { count, ..Window::default() };
        }
        let from = |first: usize| {
            let first = if first == 0 { String::new() } else { first.to_string() };
            self.scene.here().with("span", self.id).with("tab", part.as_str()).with("first", &first).href()
        };
        let left = of - end;
        Window {
            place: format!("{}–{} of {count}", format::exact(first as u64 + 1), format::exact(end as u64)),
            first: if first > 0 { from(0) } else { String::new() },
            more: if left > 0 { (format!("{} more", format::exact(left as u64)), from(end)) } else { (String::new(), String::new()) },
            count,
        }
    }
}

/// Elements of a part that stands beside the rows of a trace, and of each where all parts stand below each other.
const ALONE: usize = 800;
const BESIDE_OTHERS: usize = 600;
