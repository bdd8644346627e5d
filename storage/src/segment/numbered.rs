//! A column of texts or bytes that repeat, as numbers: every value is there once, and each row says which it has.

use std::ops::Range;

use arrow::array::{Array, ArrayRef, UInt32Array};
use arrow::compute::{interleave, take};
use arrow::error::ArrowError;

use super::values::Values;
use super::words::Words;

/// Arrays of one column, numbered together.
#[derive(Debug)]
pub(super) struct Numbered {
    /// The values by their numbers, the first one null if any is.
    values: ArrayRef,
    /// Numbers by array and place.
    numbers: Vec<Vec<u32>>,
}

#[derive(Debug)]
struct Numbering {
    words: Words,
    /// What was numbered before `words` began anew.
    base: usize,
    /// Where the value of each number is.
    places: Vec<(usize, usize)>,
}

/// The number of no value, when there is one without.
const NULL: u32 = 0;
/// Values of which at least half must be repetitions.
const SAMPLE: usize = 8_192;
/// Values that are kept to find them again; beyond that it begins anew.
const WORD_BYTES: usize = 4 << 20;

// === impl Numbered ===

impl Numbered {
    /// `None` when the arrays hold something else, or hardly anything repeats.
    pub(super) fn of(arrays: &[&dyn Array]) -> Result<Option<Self>, ArrowError> {
        let values: Option<Vec<Values<'_>>> = arrays.iter().map(|array| Values::of(*array)).collect();
        let Some(values) = values.filter(|values| values.iter().all(Values::has_lengths)) else { return Ok(None) };
        let mut with_nulls = (0..).zip(&values).filter(|(_, values)| values.nulls() > 0);
        let null = with_nulls.find_map(|(array, values)| Some((array, (0..values.len()).find(|at| !values.is_valid(*at))?)));
        let places: Vec<(usize, usize)> = null.into_iter().collect();
        let mut numbering = Numbering { words: Words::new(false), base: places.len(), places };
        let mut numbers = Vec::with_capacity(arrays.len());
        let (mut looked_at, mut next_look) = (0, SAMPLE);
        for (array, values) in values.iter().enumerate() {
            let of = numbering.number(array, *values);
            looked_at += of.len();
            numbers.push(of);
            if looked_at >= next_look {
                if numbering.places.len() * 2 > looked_at {
                    return Ok(None);
                }
                next_look = looked_at * 2;
            }
        }
        if looked_at == 0 || numbering.places.len() * 2 > looked_at {
            return Ok(None);
        }
        let values = interleave(arrays, &numbering.places)?;
        Ok(Some(Self { values, numbers }))
    }

    /// The values at these places.
    pub(super) fn gather(&self, places: &[(usize, usize)]) -> Result<ArrayRef, ArrowError> {
        let number = |(array, row): &(usize, usize)| self.numbers.get(*array)?.get(*row).copied();
        let numbers: Option<Vec<u32>> = places.iter().map(number).collect();
        let numbers = numbers.ok_or_else(|| ArrowError::InvalidArgumentError("a row that is not there".to_owned()))?;
        take(&self.values, &UInt32Array::from(numbers), None)
    }

    /// The values of `count` places in runs of neighbours.
    pub(super) fn gather_runs(&self, runs: &[(usize, Range<usize>)], count: usize) -> Result<ArrayRef, ArrowError> {
        let mut numbers = Vec::with_capacity(count);
        for (array, run) in runs {
            numbers.extend_from_slice(self.numbers.get(*array).and_then(|numbers| numbers.get(run.clone())).unwrap_or_default());
        }
        take(&self.values, &UInt32Array::from(numbers), None)
    }
}

// === impl Numbering ===

impl Numbering {
    fn number(&mut self, array: usize, values: Values<'_>) -> Vec<u32> {
        if self.words.page().len() > WORD_BYTES {
            self.base = self.places.len();
            self.words = Words::new(false);
        }
        self.words.next_batch();
        let has_nulls = values.nulls() > 0;
        let number = |at| if has_nulls && !values.is_valid(at) { NULL } else { self.number_of(array, values, at) };
        (0..values.len()).map(number).collect()
    }

    #[inline]
    fn number_of(&mut self, array: usize, values: Values<'_>, at: usize) -> u32 {
        let known = self.words.len();
        let number = self.words.number(values.view(at), || values.value(at));
        if self.words.len() > known {
            self.places.push((array, at));
        }
        u32::try_from(self.base).unwrap_or(u32::MAX).saturating_add(number)
    }
}
