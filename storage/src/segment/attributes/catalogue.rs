//! The attribute catalogue: what keys a segment has, of which types, and what is known of their values.
//!
//! Blob `attr.catalogue`, in JSON. Bounded: 4,096 keys; per key and type 64 listed values of at most 128 bytes, 1 MiB of them in all.

use serde::{Deserialize, Serialize};

use super::hash::{Owner, Scalar};

mod builder;

pub(super) use self::builder::{Builder, Seen};

/// What is known of the attributes of a segment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Catalogue {
    /// Sorted by owner and key.
    pub(crate) entries: Vec<Entry>,
    /// Owners of whose keys some are not listed.
    pub(crate) incomplete: Vec<Owner>,
    /// [`VERSION`] when it was written.
    #[serde(default)]
    pub(super) version: u32,
}

/// Changes when more is listed: what is not listed is taken not to be there.
pub(super) const VERSION: u32 = 2;

/// One key of one owner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Whose it is.
    pub(crate) owner: Owner,
    /// The key.
    pub(crate) key: String,
    /// What is known of its values, by type.
    pub(crate) types: Vec<Values>,
}

/// The values of one key and type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Values {
    /// Their type.
    pub(crate) kind: Kind,
    /// How many there are, one per row.
    pub(crate) count: u64,
    /// Bytes of all texts. Older versions did not count them.
    #[serde(default)]
    pub(crate) bytes: u64,
    /// About how many different ones, exact when `complete`.
    pub(crate) distinct: u64,
    /// Smallest and largest number; for other types none.
    pub(crate) bounds: Option<(Listed, Listed)>,
    /// Frequent values with how often they occur at least, the most frequent first.
    pub(crate) top: Vec<(Listed, u64)>,
    /// Whether `top` has all values.
    pub(crate) complete: bool,
    /// What `distinct` was estimated from, one character per group of hashes.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    sketch: String,
}

/// Types of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Text,
    Int,
    Double,
    Bool,
    /// Arrays, maps, bytes, and all values of a key that a record has more than once.
    Other,
}

/// A value as it is listed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Listed {
    #[serde(rename = "t")]
    Text(String),
    #[serde(rename = "i")]
    Int(i64),
    /// The bits, so that nothing is rounded.
    #[serde(rename = "d")]
    Double(u64),
    #[serde(rename = "b")]
    Bool(bool),
}

// === impl Listed ===

impl Listed {
    fn of(value: Scalar<'_>) -> Self {
        match value {
            Scalar::Text(text) => Self::Text(text.to_owned()),
            Scalar::Int(int) => Self::Int(int),
            Scalar::Double(double) => Self::Double(double.to_bits()),
            Scalar::Bool(flag) => Self::Bool(flag),
        }
    }

    /// The value.
    pub(crate) fn scalar(&self) -> Scalar<'_> {
        match self {
            Self::Text(text) => Scalar::Text(text),
            Self::Int(int) => Scalar::Int(*int),
            Self::Double(bits) => Scalar::Double(f64::from_bits(*bits)),
            Self::Bool(flag) => Scalar::Bool(*flag),
        }
    }

    fn is(&self, value: Scalar<'_>) -> bool {
        match (self, value) {
            (Self::Text(text), Scalar::Text(value)) => text == value,
            (Self::Int(int), Scalar::Int(value)) => *int == value,
            // 0 and -0 compare equal and are listed as one.
            (Self::Double(bits), Scalar::Double(value)) => f64::from_bits(*bits).to_bits() == value.to_bits(),
            (Self::Bool(flag), Scalar::Bool(value)) => *flag == value,
            _ => false,
        }
    }
}

// === impl Catalogue ===

impl Catalogue {
    /// What is known of a key; `None` when no record has it. Ask [`Catalogue::is_complete`] first.
    pub(crate) fn entry(&self, owner: Owner, key: &str) -> Option<&Entry> {
        let found = self.entries.binary_search_by(|entry| (entry.owner, entry.key.as_str()).cmp(&(owner, key)));
        found.ok().and_then(|at| self.entries.get(at))
    }

    /// Whether all keys of an owner are listed.
    pub(crate) fn is_complete(&self, owner: Owner) -> bool {
        !self.incomplete.contains(&owner)
    }
}
