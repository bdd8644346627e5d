//! What an address of `/logs` asks for, and the addresses that lead on from there.
//!
//! Owns the words of the address and which of them a link keeps. Knows nothing of records.

use storage::LogOrder;

use super::super::Visit;
use super::context::Around;
use crate::error::Failure;
use crate::params::LOG_ORDERS;
use crate::view::link::{Address, Links};
use crate::view::logs::OPEN;

/// How what is found is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum View {
    /// One line per record.
    #[default]
    List,
    /// Texts that are alike.
    Patterns,
    /// Which fields there are.
    Fields,
}

const VIEWS: [(&str, View); 3] = [("list", View::List), ("patterns", View::Patterns), ("fields", View::Fields)];

/// What the address asks for.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    pub(super) query: String,
    pub(super) order: LogOrder,
    pub(super) view: View,
    /// Keys of attributes, each once.
    pub(super) columns: Vec<String>,
    pub(super) wrap: bool,
    /// The record that is open.
    pub(super) row: Option<u64>,
    /// How many records around it, and whose.
    pub(super) context: usize,
    pub(super) by: Around,
}

// === impl Asked ===

impl Asked {
    pub(super) fn read(visit: &Visit) -> Result<Self, Failure> {
        let mut columns: Vec<String> = Vec::new();
        for key in visit.params.get("cols").unwrap_or_default().split(',').filter(|key| !key.is_empty()) {
            if columns.len() < MAX_COLUMNS && !columns.iter().any(|known| known == key) {
                columns.push(key.to_owned());
            }
        }
        Ok(Self {
            query: visit.params.get("q").unwrap_or_default().to_owned(),
            order: visit.params.word("sort", &LOG_ORDERS)?.unwrap_or_default(),
            view: visit.params.word("view", &VIEWS)?.unwrap_or_default(),
            columns,
            wrap: visit.params.get("wrap") == Some("1"),
            row: visit.params.get("row").and_then(|row| row.parse().ok()),
            context: if visit.params.get("ctx").is_some() { visit.params.number("ctx", REACH, MAX_REACH)? } else { 0 },
            by: visit.params.word("by", &Around::WORDS)?.unwrap_or_default(),
        })
    }

    /// This page without an open record.
    pub(super) fn address(&self, links: &Links) -> Address {
        links
            .logs(&self.query)
            .with("sort", if self.order == LogOrder::Oldest { "oldest" } else { "" })
            .with("view", self.view.as_str())
            .with("cols", &self.columns.join(","))
            .with("wrap", if self.wrap { "1" } else { "" })
    }

    /// This page with what is open on it, for links that only show it in another way. The same records are listed where they keep `cursor`.
    pub(super) fn adjusted(&self, visit: &Visit) -> Address {
        let kept = visit.params.pairs().filter(|(name, _)| ["row", "ctx", "by", "limit"].contains(name));
        self.address(&visit.links()).with_all(kept, &[])
    }

    pub(super) fn relaid(&self, visit: &Visit) -> Address {
        self.adjusted(visit).with("cursor", visit.params.get("cursor").unwrap_or_default())
    }

    /// The address, and where on its page the open record is.
    pub(super) fn at_row(&self, address: &Address) -> String {
        if self.row.is_some() { format!("{}#{OPEN}", address.href()) } else { address.href() }
    }

    /// As [`Self::at_row`]; while none is open, where the link itself is, which has the focus again.
    pub(super) fn at_row_or(&self, link: &str, address: &Address) -> String {
        if self.row.is_some() { self.at_row(address) } else { format!("{}#{link}", address.href()) }
    }

    /// This page with a chosen column one place further to the left or to the right; empty at the end.
    pub(super) fn with_moved(&self, key: &str, is_left: bool, visit: &Visit) -> String {
        let mut columns = self.columns.clone();
        let at = columns.iter().position(|known| known == key);
        let other = at.and_then(|at| if is_left { at.checked_sub(1) } else { Some(at + 1) }).filter(|other| *other < columns.len());
        let (Some(at), Some(other)) = (at, other) else { return String::new() };
        columns.swap(at, other);
        self.at_row(&self.relaid(visit).with("cols", &columns.join(",")))
    }

    /// This page with a column added or removed; empty when there are as many as there may be.
    pub(super) fn with_column(&self, key: &str, visit: &Visit) -> String {
        let mut columns: Vec<&str> = self.columns.iter().map(String::as_str).filter(|known| *known != key).collect();
        if columns.len() == self.columns.len() {
            if columns.len() == MAX_COLUMNS {
                return String::new();
            }
            columns.push(key);
        }
        self.at_row(&self.relaid(visit).with("cols", &columns.join(",")))
    }
}

impl View {
    /// As addresses name it; the default is left out.
    pub(super) fn as_str(self) -> &'static str {
        VIEWS.iter().find(|(_, known)| *known == self && self != Self::List).map_or("", |(word, _)| word)
    }
}

/// Columns that may be added.
pub(super) const MAX_COLUMNS: usize = 8;

/// Records on each side of one.
pub(super) const REACH: usize = 10;
const MAX_REACH: usize = 200;
