//! One of twelve slots per service, kept for good, so that a service looks the same after a restart and when others appear.

use std::collections::HashMap;

/// How many slots there are.
pub const SERVICE_SLOTS: usize = 12;

/// More services than this get no slot of their own.
const MAX_SERVICES: usize = 10_000;

/// Which slot each service has, in the order in which services were first seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceSlots {
    order: Vec<(String, u8)>,
    places: HashMap<String, usize>,
}

// === impl ServiceSlots ===

impl ServiceSlots {
    pub(super) fn new(entries: Vec<(String, u8)>) -> Self {
        let mut slots = Self::default();
        for (name, slot) in entries.into_iter().take(MAX_SERVICES) {
            slots.push(name, slot);
        }
        slots
    }

    /// The slot of a service, below [`SERVICE_SLOTS`].
    #[must_use]
    pub fn get(&self, service: &str) -> Option<u8> {
        self.places.get(service).and_then(|place| self.order.get(*place)).map(|(_, slot)| *slot)
    }

    /// Every service with its slot, the one that was seen first first.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u8)> {
        self.order.iter().map(|(name, slot)| (name.as_str(), *slot))
    }

    /// Whether one of `names` has no slot yet and can have one.
    pub(crate) fn lacks(&self, names: &[String]) -> bool {
        self.order.len() < MAX_SERVICES && names.iter().any(|name| !self.places.contains_key(name))
    }

    pub(super) fn entries(&self) -> Vec<(String, u8)> {
        self.order.clone()
    }

    /// With slots for those of `names` that have none: one that no neighbour has, of these one that few services have, of these the one
    /// that follows from the name.
    pub(super) fn with(&self, names: &[String], calls: &[(String, String)]) -> Self {
        let mut slots = self.clone();
        let mut fresh: Vec<&String> = names.iter().filter(|name| !self.places.contains_key(*name)).collect();
        fresh.sort();
        fresh.dedup();
        for name in fresh {
            if slots.order.len() == MAX_SERVICES {
                break;
            }
            let slot = slots.choose(name, calls);
            slots.push(name.clone(), slot);
        }
        slots
    }

    fn choose(&self, name: &str, calls: &[(String, String)]) -> u8 {
        let mut used = [0_usize; SERVICE_SLOTS];
        let mut beside = [0_usize; SERVICE_SLOTS];
        let count = |counts: &mut [usize; SERVICE_SLOTS], slot: u8| {
            if let Some(count) = counts.get_mut(usize::from(slot)) {
                *count += 1;
            }
        };
        self.order.iter().for_each(|(_, slot)| count(&mut used, *slot));
        for (a, b) in calls {
            let other = if a == name { b } else { a };
            if a != b
                && (a == name || b == name)
                && let Some(slot) = self.get(other)
            {
                count(&mut beside, slot);
            }
        }
        let first = usize::try_from(hash(name) % SERVICE_SLOTS as u64).unwrap_or(0);
        let order = (0..SERVICE_SLOTS).map(|step| (first + step) % SERVICE_SLOTS);
        let at = |counts: &[usize; SERVICE_SLOTS], slot: usize| counts.get(slot).copied().unwrap_or(0);
        let best = order.min_by_key(|slot| (at(&beside, *slot), at(&used, *slot))).unwrap_or(first);
        u8::try_from(best).unwrap_or(0)
    }

    fn push(&mut self, name: String, slot: u8) {
        if usize::from(slot) < SERVICE_SLOTS && !self.places.contains_key(&name) {
            self.places.insert(name.clone(), self.order.len());
            self.order.push((name, slot));
        }
    }
}

/// FNV-1a, folded.
fn hash(name: &str) -> u64 {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    hash ^ (hash >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn services_that_appear_later_change_no_slot() {
        let few = ServiceSlots::default().with(&names(&["cart", "orders"]), &[]);
        let many = few.with(&names(&["a", "b", "c", "cart", "zebra"]), &[]);
        for (name, slot) in few.iter() {
            assert_eq!(many.get(name), Some(slot));
        }
        assert_eq!(many.iter().count(), 6);
    }

    #[test]
    fn twelve_services_have_twelve_slots() {
        let twelve: Vec<String> = (0..12).map(|i| format!("service-{i}")).collect();
        let mut slots: Vec<u8> = ServiceSlots::default().with(&twelve, &[]).iter().map(|(_, slot)| slot).collect();
        slots.sort_unstable();
        assert_eq!(slots, (0..12).collect::<Vec<u8>>());
    }

    #[test]
    fn neighbours_differ_as_long_as_there_are_slots() {
        let many: Vec<String> = (0..40).map(|i| format!("leaf-{i:02}")).collect();
        let filled = ServiceSlots::default().with(&many, &[]);
        let calls: Vec<(String, String)> = (0..11).map(|i| ("hub".to_owned(), format!("leaf-{i:02}"))).collect();
        let slots = filled.with(&names(&["hub"]), &calls);
        let hub = slots.get("hub").unwrap();
        let taken: Vec<u8> = (0..11).filter_map(|i| slots.get(&format!("leaf-{i:02}"))).collect();
        assert!(!taken.contains(&hub), "{hub} is among {taken:?}");
    }

    #[test]
    fn slots_that_do_not_exist_are_not_read() {
        assert_eq!(ServiceSlots::new(vec![("a".to_owned(), 12), ("b".to_owned(), 11)]).iter().count(), 1);
    }
}
