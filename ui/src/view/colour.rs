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
        Self::of(slots.iter())
    }

    fn of<'a>(services: impl Iterator<Item = (&'a str, u8)>) -> Self {
        let mut taken: HashSet<Mono> = HashSet::new();
        // None is free again once it was taken: each is looked at once.
        let mut rest = all();
        let mut chips = HashMap::new();
        for (name, slot) in services {
            let tried = if taken.len() < MANY { usize::MAX } else { 8 };
            let own = monograms(name).take(tried).find(|mono| !taken.contains(mono));
            let mono = own.or_else(|| rest.find(|mono| !taken.contains(mono))).unwrap_or(NONE);
            taken.insert(mono);
            chips.insert(name.to_owned(), Chip { name: super::format::name(name), mono: mono.iter().collect(), class: format!("s{slot}") });
        }
        Self { chips }
    }

    /// The mark of a service; one without slot gets what its name alone gives.
    pub(crate) fn chip(&self, name: &str) -> Chip {
        self.chips.get(name).cloned().unwrap_or_else(|| Chip {
            name: super::format::name(name),
            mono: monograms(name).next().unwrap_or(NONE).iter().collect(),
            class: format!("s{}", slot_of(name)),
        })
    }
}

/// The slot that a name alone gives.
pub(crate) fn slot_of(name: &str) -> usize {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    usize::try_from((hash ^ (hash >> 32)) % SERVICE_SLOTS as u64).unwrap_or(0)
}

/// Candidates, best first: initials of two words, the first letter with every later one, initials of later words, any two letters, and the first
/// letter with a letter or a digit.
fn monograms(name: &str) -> impl Iterator<Item = Mono> {
    let letters: Vec<char> = name.chars().filter(|c| c.is_alphanumeric()).take(40).flat_map(char::to_uppercase).collect();
    let words = name.split(|c: char| !c.is_alphanumeric()).filter_map(|word| word.chars().next());
    let initials: Vec<char> = words.take(8).flat_map(char::to_uppercase).collect();
    let first = letters.first().copied();
    let begun = letters.clone().into_iter().skip(1).filter_map(move |letter| Some([first?, letter]));
    let other = MARKS.chars().filter_map(move |letter| Some([first?, letter]));
    let short = letters.into_iter().take(20).collect();
    initials
        .get(..2)
        .and_then(|two| <Mono>::try_from(two).ok())
        .into_iter()
        .chain(begun)
        .chain(pairs(initials))
        .chain(pairs(short))
        .chain(other)
}

/// Each with each later one.
fn pairs(letters: Vec<char>) -> impl Iterator<Item = Mono> {
    (0..letters.len()).flat_map(move |at| {
        let later = letters.get(at..).unwrap_or_default().to_vec();
        let first = later.first().copied();
        later.into_iter().skip(1).filter_map(move |letter| Some([first?, letter]))
    })
}

/// All that there are, for names of which all are taken.
fn all() -> impl Iterator<Item = Mono> {
    MARKS.chars().flat_map(|first| MARKS.chars().map(move |second| [first, second]))
}

/// Two letters.
type Mono = [char; 2];

/// Of a service that is left without.
const NONE: Mono = ['·', '·'];

/// What letters are of where the name has none that are free.
const MARKS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// Once as many services have letters as there are pairs of these, only the best ones are tried.
const MANY: usize = 36 * 36;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_for_monograms_begin_with_initials() {
        assert_eq!(monograms("api-gateway").next(), Some(['A', 'G']));
        assert_eq!(monograms("cart").take(2).collect::<Vec<_>>(), [['C', 'A'], ['C', 'R']]);
        assert_eq!(monograms("a").next(), Some(['A', 'A']));
    }

    #[test]
    fn services_whose_names_begin_alike_are_told_apart() {
        let names: Vec<String> = (0..MANY + 9).map(|at| format!("svc-{at:04}-cart")).collect();
        let palette = Palette::of(names.iter().map(|name| (name.as_str(), 0)));
        let letters: HashSet<String> = names.iter().take(MANY).map(|name| palette.chip(name).mono).collect();
        assert_eq!(letters.len(), MANY);
        assert_eq!(palette.chip("svc-0001-cart").mono, "SV");
        assert_eq!(palette.chip(names.last().unwrap()).mono, "··");
    }

    #[test]
    fn names_without_letters_and_unknown_names_have_a_mark_too() {
        let palette = Palette::default();
        assert_eq!(palette.chip("---").mono, "··");
        assert_eq!(palette.chip("new").mono, "NE");
    }
}
