//! Which of the numbers that pages have for values pass, and where such numbers are.

use std::ops::Range;

use super::walk::bits;

/// Which numbers pass.
#[derive(Debug, Default)]
pub(super) struct Passing {
    passes: Vec<bool>,
    /// Those that do, when they are few: they are looked for in several numbers at once.
    few: Option<Vec<u32>>,
}

/// More numbers are looked up one by one.
const FEW_NUMBERS: usize = 3;

// === impl Passing ===

impl Passing {
    /// As these say of all numbers from 0 on.
    pub(super) fn new(passes: Vec<bool>) -> Self {
        let passing = (0..).zip(&passes).filter_map(|(number, passes)| passes.then_some(number));
        let few = passing.take(FEW_NUMBERS + 1).collect::<Vec<u32>>();
        Self { passes, few: Some(few).filter(|few| few.len() <= FEW_NUMBERS) }
    }

    pub(super) fn few(&self) -> Option<&[u32]> {
        self.few.as_deref()
    }

    pub(super) fn are_none(&self) -> bool {
        self.few().is_some_and(<[u32]>::is_empty)
    }

    pub(super) fn are_all(&self) -> bool {
        !self.passes.contains(&false)
    }

    /// Whether a number passes; `None` of one that is none of them.
    #[inline]
    pub(super) fn passes(&self, number: usize) -> Option<bool> {
        self.passes.get(number).copied()
    }
}

/// Hands over the places of those packed numbers, at least one and at most 32 bits wide, that are one of a few: what several numbers have in
/// common with one of these shows at once.
#[inline]
pub(super) fn few_packed(
    packed: &[u8],
    width: u32,
    places: Range<usize>,
    few: &[u32],
    mut each: impl FnMut(usize) -> Option<()>,
) -> Option<()> {
    let at_once = (57 / width) as usize;
    let ones = (0..at_once).fold(0, |ones, _| ones << width | 1_u64);
    let (highest, mask) = (ones << (width - 1), (1_u64 << width) - 1);
    // Numbers that do not fit are none of those here.
    let few: Vec<u64> = few.iter().map(|number| u64::from(*number)).filter(|number| *number <= mask).collect();
    let mut at = places.start;
    while at < places.end {
        let word = bits(packed, at * width as usize, 57);
        let has = |number: &u64| {
            let differs = word ^ (ones * number);
            differs.wrapping_sub(ones) & !differs & highest != 0
        };
        let end = places.end.min(at + at_once);
        if few.iter().any(has) {
            (at..end).zip(0..).try_for_each(|(at, ahead)| {
                let number = word >> (ahead * width) & mask;
                if few.contains(&number) { each(at) } else { Some(()) }
            })?;
        }
        at = end;
    }
    Some(())
}
