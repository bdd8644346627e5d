//! What a condition looks at in the columns of a batch.

use std::collections::BTreeSet;

use crate::attributes::{ATTRIBUTES, TEXTS};

/// Columns of the table or [`TEXTS`], and attributes of the record by their keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Needs<'a> {
    pub(crate) columns: BTreeSet<&'static str>,
    /// Keys that are looked up by [`crate::attributes::Values`]. Of no account when `columns` has the maps of all attributes.
    pub(crate) keys: BTreeSet<&'a str>,
}

impl<'a> Needs<'a> {
    pub(super) fn column(&mut self, name: &'static str) {
        self.columns.insert(name);
    }

    pub(super) fn keys(&mut self, keys: &'a [String]) {
        self.keys.extend(keys.iter().map(String::as_str));
    }

    /// All columns of the table that may be looked into.
    pub(super) fn in_full(mut self) -> BTreeSet<&'static str> {
        if self.columns.remove(TEXTS) || !self.keys.is_empty() {
            self.columns.extend(ATTRIBUTES);
        }
        self.columns
    }
}
