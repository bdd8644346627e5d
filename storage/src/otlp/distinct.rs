//! Finds views that repeat, so that what they stand for is looked at once.

use crate::spread::place_of_view;

/// The different views, some of them more than once, and for each view its place among them.
pub(super) fn distinct(views: &[u128]) -> (Vec<u128>, Vec<u32>) {
    let mut recent = [u32::MAX; RECENT];
    let (mut distinct, mut places) = (Vec::new(), Vec::with_capacity(views.len()));
    for view in views {
        let slot = recent.get_mut(place_of_view(*view, RECENT.ilog2()));
        let known = slot.as_ref().map_or(u32::MAX, |place| **place);
        if distinct.get(usize::try_from(known).unwrap_or(usize::MAX)) == Some(view) {
            places.push(known);
            continue;
        }
        let place = u32::try_from(distinct.len()).unwrap_or(u32::MAX);
        slot.into_iter().for_each(|slot| *slot = place);
        distinct.push(*view);
        places.push(place);
    }
    (distinct, places)
}

/// Views that are remembered; a power of two.
const RECENT: usize = 1024;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn each_view_is_at_its_place(picks in prop::collection::vec((any::<u128>(), 0..4_usize), 0..200)) {
            let views: Vec<u128> = picks.iter().map(|(view, shift)| view >> (shift * 42)).chain(picks.iter().map(|(view, _)| *view)).collect();
            let (distinct, places) = distinct(&views);
            let found: Vec<u128> = places.iter().map(|place| distinct[usize::try_from(*place).unwrap()]).collect();
            prop_assert_eq!(found, views);
        }
    }

    #[test]
    fn what_repeats_is_there_once() {
        let views: Vec<u128> = (0..20_u128).cycle().take(1_000).map(|view| view << 64 | 7).collect();
        assert_eq!(distinct(&views).0.len(), 20);
    }
}
