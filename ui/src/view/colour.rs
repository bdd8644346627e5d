//! Which colour and monogram a service has: the same on every page and for every reader.
//!
//! Slots come from the store, which keeps them; the colours are in the stylesheet, one class per slot.

use std::collections::{HashMap, HashSet};

use storage::{SERVICE_SLOTS, ServiceSlots};

/// Colours of all services of a store.
#[derive(Clone, Debug, Default)]
pub(crate) struct Palette {
    chips: HashMap<String, Chip>,
}

/// How one service is marked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Chip {
    /// The service.
    pub(crate) name: String,
    /// Two letters, unique within the store as far as letters go.
    pub(crate) mono: String,
    /// Class of the stylesheet: `s0` to `s11`.
    pub(crate) class: String,
}

// === impl Palette ===

impl Palette {
    /// The marks of these services. Monograms go to the services that were seen first first, so that later ones change none.
    pub(crate) fn new(slots: &ServiceSlots) -> Self {
        let mut taken: HashSet<String> = HashSet::new();
        let mut chips = HashMap::new();
        for (name, slot) in slots.iter() {
            let mono = monograms(name).into_iter().find(|mono| !taken.contains(mono)).unwrap_or_else(|| "··".to_owned());
            taken.insert(mono.clone());
            chips.insert(name.to_owned(), Chip { name: super::format::name(name), mono, class: format!("s{slot}") });
        }
        Self { chips }
    }

    /// The mark of a service; one without slot gets what its name alone gives.
    pub(crate) fn chip(&self, name: &str) -> Chip {
        self.chips.get(name).cloned().unwrap_or_else(|| Chip {
            name: super::format::name(name),
            mono: monograms(name).into_iter().next().unwrap_or_else(|| "··".to_owned()),
            class: format!("s{}", slot_of(name)),
        })
    }
}

/// The slot that a name alone gives.
pub(crate) fn slot_of(name: &str) -> usize {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    usize::try_from((hash ^ (hash >> 32)) % SERVICE_SLOTS as u64).unwrap_or(0)
}

/// Candidates, best first: initials of two words, the first two letters, the first with every later one, the first with a digit.
fn monograms(name: &str) -> Vec<String> {
    let letters: Vec<char> = name.chars().filter(|c| c.is_alphanumeric()).take(40).flat_map(char::to_uppercase).collect();
    let Some(first) = letters.first() else { return Vec::new() };
    let words: Vec<char> =
        name.split(|c: char| !c.is_alphanumeric()).filter_map(|word| word.chars().next()).take(2).flat_map(char::to_uppercase).collect();
    let mut candidates = Vec::with_capacity(letters.len() + 11);
    if let [a, b] = words.as_slice() {
        candidates.push(format!("{a}{b}"));
    }
    candidates.extend(letters.iter().skip(1).map(|letter| format!("{first}{letter}")));
    candidates.extend(('1'..='9').map(|digit| format!("{first}{digit}")));
    candidates
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_for_monograms_begin_with_initials() {
        assert_eq!(monograms("api-gateway").first().map(String::as_str), Some("AG"));
        assert_eq!(monograms("cart").iter().take(2).map(String::as_str).collect::<Vec<_>>(), ["CA", "CR"]);
    }

    #[test]
    fn names_without_letters_and_unknown_names_have_a_mark_too() {
        let palette = Palette::default();
        assert_eq!(palette.chip("---").mono, "··");
        assert_eq!(palette.chip("new").mono, "NE");
    }
}
