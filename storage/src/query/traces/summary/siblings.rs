//! Equal calls of one parent, counted while spans pass: a loop over single calls is seen in a list without assembling the trace.

use std::collections::HashMap;
use std::hash::BuildHasher as _;

use super::super::super::answer::RepeatedCalls;
use crate::spread::Spread;

/// Fewer are no loop that a list should tell of, and may be attempts at one thing.
const MANY: usize = 11;

/// Different calls that are told apart in one trace; what comes later is not counted.
pub(super) const MAX_CALLS: usize = 100_000;

/// How often each parent made each call.
#[derive(Debug, Default)]
pub(super) struct Siblings {
    /// By parent, and by the hash of service, name and kind.
    counts: HashMap<(u64, u64), usize, Spread>,
    most: Option<RepeatedCalls>,
}

impl Siblings {
    pub(super) fn add(&mut self, parent: u64, (service, name, kind): (&str, &str, i32)) {
        let key = (parent, self.counts.hasher().hash_one((service, name, kind)));
        if self.counts.len() >= MAX_CALLS && !self.counts.contains_key(&key) {
            return;
        }
        let count = self.counts.entry(key).or_default();
        *count += 1;
        // Of equal numbers the first by name, whichever came first.
        let is_most = self
            .most
            .as_ref()
            .map_or(*count >= MANY, |most| (*count, most.service.as_str(), most.name.as_str()) >= (most.count, service, name));
        if !is_most {
            return;
        }
        match &mut self.most {
            Some(most) if most.service == service && most.name == name => most.count = *count,
            _ => self.most = Some(RepeatedCalls { service: service.to_owned(), name: name.to_owned(), count: *count }),
        }
    }

    /// The call that one parent made most often, when that is often.
    pub(super) fn most(self) -> Option<RepeatedCalls> {
        self.most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_calls_of_one_parent_are_counted_and_told_when_they_are_many() {
        let told = |calls: &[(u64, &str, usize)]| {
            let mut siblings = Siblings::default();
            for (parent, name, times) in calls {
                (0..*times).for_each(|_| siblings.add(*parent, ("db", name, 3)));
            }
            siblings.most().map(|most| (most.name, most.count))
        };
        assert_eq!(told(&[(1, "SELECT", 10), (2, "SELECT", 10), (1, "UPDATE", 10)]), None);
        assert_eq!(told(&[(1, "SELECT", 12), (1, "UPDATE", 30), (2, "SELECT", 20)]), Some(("UPDATE".to_owned(), 30)));
        for calls in [[(1, "SELECT", 12), (2, "UPDATE", 12)], [(2, "UPDATE", 12), (1, "SELECT", 12)]] {
            assert_eq!(told(&calls), Some(("SELECT".to_owned(), 12)), "whichever is read first");
        }
    }
}
