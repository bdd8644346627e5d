//! Walks find what was encoded.

use proptest::prelude::*;

use super::super::super::hybrid;
use super::*;

fn walk(values: &[u32], width: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    hybrid::encode(values, width, &mut bytes);
    bytes
}

proptest! {
    #[test]
    fn a_walk_finds_what_was_encoded(
        runs in prop::collection::vec((0..300_u32, 1..40_usize), 1..40),
        steps in prop::collection::vec((0..6_u8, 0..60_usize), 0..20),
        part in prop::sample::select(vec![1, 2, 3, 120, 250, 299]),
    ) {
        let values: Vec<u32> = runs.into_iter().flat_map(|(value, times)| vec![value; times]).collect();
        let width = hybrid::width(values.iter().max().map_or(0, |most| *most as usize));
        let bytes = walk(&values, width);
        let (mut walk, mut at) = (Walk::new(&bytes, width).unwrap(), 0);
        for (what, count) in steps {
            let now = &values[at..(at + count).min(values.len())];
            match what {
                3 => {
                    let passes = |value: u32| value % part == 1;
                    let (mut found, asked) = (Vec::new(), Passing::new((0..300).map(passes).collect()));
                    walk.passing(now.len(), &asked, &mut |places| {
                        found.extend(places);
                        Some(())
                    })
                    .unwrap();
                    prop_assert_eq!(found, (0..now.len()).filter(|place| passes(now[*place])).collect::<Vec<_>>());
                }
                0 => walk.skip(now.len()).unwrap(),
                5 => {
                    let many = now.iter().filter(|value| **value == 7).count();
                    let behind = now.iter().rev().take_while(|value| **value != 7).count();
                    prop_assert_eq!(walk.count_and_behind(now.len(), 7).unwrap(), (many, behind));
                }
                4 => {
                    let wanted = now.first().copied().unwrap_or(0);
                    let many = now.iter().filter(|value| **value == wanted).count();
                    let over = now.iter().rposition(|value| *value == wanted).map_or(0, |last| last + 1);
                    prop_assert_eq!(walk.clone().past(many, wanted, over).unwrap(), over);
                    prop_assert_eq!(walk.clone().past(many, wanted, over.saturating_sub(1)).is_some(), many == 0);
                    walk.skip(now.len()).unwrap();
                }
                1 => {
                    let mut out = Vec::new();
                    walk.take(now.len(), &mut out).unwrap();
                    prop_assert_eq!(&out, now);
                }
                _ => prop_assert_eq!(walk.count(now.len(), 7).unwrap(), now.iter().filter(|value| **value == 7).count()),
            }
            at += now.len();
        }
    }

    #[test]
    fn rows_end_where_the_next_begins(
        rows in prop::collection::vec((1..12_usize, 1..30_usize), 1..30),
        steps in prop::collection::vec(0..40_usize, 0..20),
    ) {
        let lengths: Vec<usize> = rows.into_iter().flat_map(|(length, times)| vec![length; times]).collect();
        let levels: Vec<u32> = lengths.iter().flat_map(|length| (0..*length).map(|at| u32::from(at > 0))).collect();
        let bytes = walk(&levels, 1);
        let (mut walk, mut row, mut at) = (Walk::new(&bytes, 1).unwrap(), 0, 0);
        for step in steps {
            let now = &lengths[row..(row + step).min(lengths.len())];
            let over = walk.rows(now.len(), levels.len() - at).unwrap();
            prop_assert_eq!(over, now.iter().sum::<usize>());
            at += over;
            row += now.len();
        }
        prop_assert_eq!(walk.rows(lengths.len() - row + 1, levels.len() - at), None);
    }
}
