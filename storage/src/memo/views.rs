//! Saved views and short links: an address under a short name.

use serde::{Deserialize, Serialize};

use crate::model::UnixNanos;

/// An address that was saved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedView {
    /// The end of its short link.
    pub short: String,
    /// What it is called; empty for a bare short link.
    pub name: String,
    /// Path and query below the base path.
    pub address: String,
    /// When it was saved, as nanoseconds since 1970.
    saved: u64,
}

/// Everything that was saved, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SavedViews {
    all: Vec<SavedView>,
}

/// Why something was not saved or not removed.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// Too long, or not a name. Mend it.
    #[error("{0}")]
    Invalid(String),
    /// Another view has that name. Take another name, or replace it.
    #[error("another view is called `{0}`; take another name, or replace that view")]
    Taken(String),
    /// There are too many. Remove some.
    #[error("{MAX_NAMED} views are saved; remove some before saving more")]
    Full,
    /// Nothing has that name.
    #[error("nothing is saved under that name")]
    Unknown,
    /// The disk did not take it. Look at the disk of the data folder.
    #[error("what is saved could not be written to the data folder")]
    Io(#[source] std::io::Error),
}

// === impl SavedView ===

impl SavedView {
    /// When it was saved.
    #[must_use]
    pub fn saved(&self) -> UnixNanos {
        UnixNanos::new(self.saved)
    }
}

// === impl SavedViews ===

impl SavedViews {
    pub(super) fn new(all: Vec<SavedView>) -> Self {
        Self { all }
    }

    /// Everything, the oldest first.
    #[must_use]
    pub fn all(&self) -> &[SavedView] {
        &self.all
    }

    /// Views with a name, the oldest first.
    pub fn named(&self) -> impl DoubleEndedIterator<Item = &SavedView> {
        self.all.iter().filter(|view| !view.name.is_empty())
    }

    /// The one with that short name.
    #[must_use]
    pub fn find(&self, short: &str) -> Option<&SavedView> {
        self.all.iter().find(|view| view.short == short)
    }

    /// Saves an address, and gives its short name: the same for the same address and name. Of two views with one name the new one is
    /// refused, or takes the place of the old one and keeps its short name. A bare link pushes out the oldest one when there are too many.
    pub(crate) fn save(&mut self, name: &str, address: &str, replaces: bool, now: UnixNanos) -> Result<String, SaveError> {
        let name = name.trim();
        if address.len() > MAX_ADDRESS_BYTES || name.len() > MAX_NAME_BYTES {
            return Err(SaveError::Invalid(format!("an address has at most {MAX_ADDRESS_BYTES} bytes and a name {MAX_NAME_BYTES}")));
        }
        if let Some(known) = self.all.iter().find(|view| view.address == address && view.name == name) {
            return Ok(known.short.clone());
        }
        if let Some(known) = self.all.iter_mut().find(|view| !name.is_empty() && view.name == name) {
            if !replaces {
                return Err(SaveError::Taken(name.to_owned()));
            }
            (known.address, known.saved) = (address.to_owned(), now.get());
            return Ok(known.short.clone());
        }
        if name.is_empty() {
            let bare = self.all.iter().filter(|view| view.name.is_empty()).count();
            if bare >= MAX_BARE
                && let Some(oldest) = self.all.iter().position(|view| view.name.is_empty())
            {
                self.all.remove(oldest);
            }
        } else if self.named().count() >= MAX_NAMED {
            return Err(SaveError::Full);
        }
        let short = self.free_name(name, address);
        self.all.push(SavedView { short: short.clone(), name: name.to_owned(), address: address.to_owned(), saved: now.get() });
        Ok(short)
    }

    /// Forgets the one with that short name.
    pub(crate) fn remove(&mut self, short: &str) -> Result<(), SaveError> {
        let place = self.all.iter().position(|view| view.short == short).ok_or(SaveError::Unknown)?;
        self.all.remove(place);
        Ok(())
    }

    fn free_name(&self, name: &str, address: &str) -> String {
        let text = format!("{name}\n{address}");
        let candidates = (0_u32..).map(|attempt| short_name(&format!("{attempt}{text}")));
        candidates.into_iter().find(|short| self.find(short).is_none()).unwrap_or_default()
    }
}

/// Eight letters and digits that cannot be mistaken for each other.
fn short_name(text: &str) -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let mixed = (hash ^ (hash >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (0..8).filter_map(|place| LETTERS.get(usize::try_from((mixed >> (place * 5 + 20)) & 31).unwrap_or(0))).map(|b| char::from(*b)).collect()
}

const MAX_NAMED: usize = 500;
const MAX_BARE: usize = 2_000;
const MAX_ADDRESS_BYTES: usize = 8_192;
const MAX_NAME_BYTES: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixNanos = UnixNanos::new(1);

    #[test]
    fn the_same_address_has_one_short_name_and_names_are_unlike() {
        let mut views = SavedViews::default();
        let first = views.save("", "/traces?q=a", false, NOW).unwrap();
        assert_eq!(views.save("", "/traces?q=a", false, NOW).unwrap(), first);
        let named = views.save("mine", "/traces?q=a", false, NOW).unwrap();
        assert_ne!(named, first);
        assert_eq!((first.len(), views.all().len(), views.named().count()), (8, 2, 1));
    }

    #[test]
    fn a_name_that_is_taken_is_refused_until_its_view_is_to_be_replaced() {
        let mut views = SavedViews::default();
        let first = views.save("mine", "/traces?q=a", false, NOW).unwrap();
        assert!(matches!(views.save(" mine ", "/traces?q=b", false, NOW), Err(SaveError::Taken(name)) if name == "mine"));
        assert_eq!(views.find(&first).unwrap().address, "/traces?q=a");
        assert_eq!(views.save("mine", "/traces?q=b", true, NOW).unwrap(), first, "links to the view lead to what it is now");
        assert_eq!((views.find(&first).unwrap().address.as_str(), views.all().len()), ("/traces?q=b", 1));
    }

    #[test]
    fn bare_links_push_out_the_oldest_and_named_views_are_refused_when_full() {
        let mut views = SavedViews::default();
        let first = views.save("", "/0", false, NOW).unwrap();
        for i in 1..=MAX_BARE {
            views.save("", &format!("/{i}"), false, NOW).unwrap();
        }
        assert!(views.find(&first).is_none());
        for i in 0..MAX_NAMED {
            views.save(&format!("n{i}"), "/", false, NOW).unwrap();
        }
        assert!(matches!(views.save("more", "/", false, NOW), Err(SaveError::Full)));
        assert!(matches!(views.save("", &"x".repeat(9_000), false, NOW), Err(SaveError::Invalid(_))));
    }
}
