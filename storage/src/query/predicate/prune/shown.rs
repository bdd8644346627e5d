//! Where an attribute can be shown as a text, as SQL shows all of them.

use super::union;
use crate::encoded;
use crate::query::sql::text_of;
use crate::segment::{AttributeIndex, Kind, Owner, RowRanges, Scalar, Segment, key_hash, value_hash};

/// An attribute that is there, and what it reads.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Shown {
    /// Of the resource, or of the span or record itself.
    pub(crate) of_resource: bool,
    pub(crate) key: String,
    /// One of these; `None` for anything.
    pub(crate) texts: Option<Vec<String>>,
}

impl Shown {
    pub(super) fn rows(&self, segment: &Segment) -> Option<RowRanges> {
        let index = segment.attributes()?;
        if self.of_resource {
            if let Some(resources) = index.resources() {
                let rows = u32::try_from(segment.meta().rows).unwrap_or(u32::MAX);
                return Some(resources.rows(rows, |envelope| {
                    encoded::resource_attributes(envelope).any(|(key, value)| key == self.key && self.reads(value))
                }));
            }
            return segment.attribute_rows(key_hash(Owner::Resource, &self.key));
        }
        let key = key_hash(Owner::Record, &self.key);
        match self.hashes(index, key) {
            Hashes::None => Some(RowRanges::new()),
            Hashes::Key => segment.attribute_rows(key),
            Hashes::Values(hashes) => {
                hashes.into_iter().try_fold(RowRanges::new(), |found, hash| Some(union(found, segment.attribute_rows(hash)?)))
            }
        }
    }

    fn reads(&self, value: &[u8]) -> bool {
        self.texts.as_ref().is_none_or(|texts| text_of(value).is_some_and(|text| texts.contains(&text)))
    }

    fn hashes(&self, index: &AttributeIndex, key: u64) -> Hashes {
        let Some(catalogue) = index.catalogue() else { return Hashes::Key };
        let Some(entry) = catalogue.entry(Owner::Record, &self.key) else {
            return if catalogue.is_complete(Owner::Record) { Hashes::None } else { Hashes::Key };
        };
        // Arrays, maps and bytes read as texts that their hashes know nothing of.
        let is_plain = catalogue.is_complete(Owner::Record) && entry.types.iter().all(|values| values.kind != Kind::Other);
        let Some(texts) = self.texts.as_ref().filter(|_| is_plain) else { return Hashes::Key };
        let mut hashes = Vec::new();
        for text in texts {
            let number = text.parse().map(Scalar::Double).ok();
            let scalars = [Some(Scalar::Text(text)), text.parse().map(Scalar::Int).ok(), number, text.parse().map(Scalar::Bool).ok()];
            for scalar in scalars.into_iter().flatten() {
                match value_hash(key, scalar) {
                    Some(hash) => hashes.push(hash),
                    // Not a number equals nothing, but reads as it is written.
                    None => return Hashes::Key,
                }
            }
        }
        hashes.sort_unstable();
        hashes.dedup();
        Hashes::Values(hashes)
    }
}

/// Which hashes a row has.
enum Hashes {
    /// There is no such row.
    None,
    /// That of the key.
    Key,
    /// One of these.
    Values(Vec<u64>),
}
