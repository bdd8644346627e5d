//! A column of ids whose rows are wanted in another order.
//!
//! Arrow copies values of one length by a call for each run of rows, which for ids costs several times as much as the copy.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray as _, FixedSizeBinaryArray, NullBufferBuilder};
use arrow::buffer::Buffer;
use arrow::error::ArrowError;

/// Arrays of trace ids or of span ids.
#[derive(Debug)]
pub(super) struct Ids<'a> {
    arrays: Vec<&'a FixedSizeBinaryArray>,
    width: i32,
}

const TRACE: i32 = 16;
const SPAN: i32 = 8;

// === impl Ids ===

impl<'a> Ids<'a> {
    /// `None` when the arrays hold something else.
    pub(super) fn of(arrays: &[&'a dyn Array]) -> Option<Self> {
        let arrays: Vec<_> = arrays.iter().map(|array| array.as_fixed_size_binary_opt()).collect::<Option<_>>()?;
        let width = arrays.first()?.value_length();
        let is_known = matches!(width, TRACE | SPAN) && arrays.iter().all(|array| array.value_length() == width);
        is_known.then_some(Self { arrays, width })
    }

    /// The ids at these places, as (array, row).
    pub(super) fn gather(&self, places: &[(usize, usize)]) -> Result<ArrayRef, ArrowError> {
        let bytes = if self.width == TRACE { self.bytes::<16>(places) } else { self.bytes::<8>(places) };
        let bytes = bytes.ok_or_else(|| ArrowError::InvalidArgumentError("a row that is not there".to_owned()))?;
        let mut nulls = NullBufferBuilder::new(places.len());
        if self.arrays.iter().any(|array| array.null_count() > 0) {
            let is_there = |(array, row): &(usize, usize)| self.arrays.get(*array).is_some_and(|array| array.is_valid(*row));
            places.iter().for_each(|place| nulls.append(is_there(place)));
        }
        Ok(Arc::new(FixedSizeBinaryArray::try_new(self.width, Buffer::from_vec(bytes), nulls.finish())?))
    }

    /// `None` when a place is not there.
    fn bytes<const N: usize>(&self, places: &[(usize, usize)]) -> Option<Vec<u8>> {
        let ids: Vec<&[[u8; N]]> = self.arrays.iter().map(|array| array.value_data().as_chunks().0).collect();
        let mut bytes = Vec::with_capacity(places.len() * N);
        for (array, row) in places {
            bytes.extend_from_slice(ids.get(*array)?.get(*row)?);
        }
        Some(bytes)
    }
}
