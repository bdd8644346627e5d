//! Which colour and monogram a service has: the same on every page and for every reader.
//!
//! Owns the assignment of the twelve slots; the colours themselves are in the stylesheet, one class per slot.

use std::collections::HashMap;

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
    /// Gives every name a slot: its hash chooses, and the least used slot after it wins. Depends on the set of names only.
    pub(crate) fn new(names: &[String]) -> Self {
        let mut names: Vec<&String> = names.iter().collect();
        names.sort();
        names.dedup();
        let mut used = [0_usize; SLOTS];
        let mut taken: HashMap<String, ()> = HashMap::new();
        let mut chips = HashMap::with_capacity(names.len());
        for name in names {
            let first = slot_of(name);
            let order = (0..SLOTS).map(|step| (first + step) % SLOTS);
            let slot = order.min_by_key(|slot| used.get(*slot).copied().unwrap_or(0)).unwrap_or(first);
            if let Some(count) = used.get_mut(slot) {
                *count += 1;
            }
            let mono = monograms(name).into_iter().find(|mono| !taken.contains_key(mono)).unwrap_or_else(|| "··".to_owned());
            taken.insert(mono.clone(), ());
            chips.insert(name.clone(), Chip { name: super::format::name(name), mono, class: format!("s{slot}") });
        }
        Self { chips }
    }

    /// The mark of a service; one that is not in the store gets what its name alone gives.
    pub(crate) fn chip(&self, name: &str) -> Chip {
        self.chips.get(name).cloned().unwrap_or_else(|| Chip {
            name: super::format::name(name),
            mono: monograms(name).into_iter().next().unwrap_or_else(|| "··".to_owned()),
            class: format!("s{}", slot_of(name)),
        })
    }
}

fn slot_of(name: &str) -> usize {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    usize::try_from((hash ^ (hash >> 32)) % SLOTS as u64).unwrap_or(0)
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

/// Slots of the palette.
const SLOTS: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    fn palette(names: &[&str]) -> Palette {
        Palette::new(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn twelve_services_have_twelve_colours_whatever_their_order() {
        let names = ["gateway", "users", "catalog", "cart", "orders", "payment", "shipping", "a", "b", "c", "d", "e"];
        let mut reversed = names;
        reversed.reverse();
        let (one, two) = (palette(&names), palette(&reversed));
        let mut classes: Vec<String> = names.iter().map(|name| one.chip(name).class).collect();
        assert!(names.iter().all(|name| one.chip(name) == two.chip(name)));
        classes.sort();
        classes.dedup();
        assert_eq!(classes.len(), 12);
    }

    #[test]
    fn monograms_are_unique_and_prefer_initials() {
        let palette = palette(&["api-gateway", "cart", "catalog", "checkout"]);
        let monos: Vec<String> = ["api-gateway", "cart", "catalog", "checkout"].iter().map(|name| palette.chip(name).mono).collect();
        assert_eq!(monos, ["AG", "CA", "CT", "CH"]);
    }

    #[test]
    fn names_without_letters_and_unknown_names_have_a_mark_too() {
        assert_eq!(palette(&["---"]).chip("---").mono, "··");
        assert_eq!(palette(&[]).chip("new").mono, "NE");
    }
}
