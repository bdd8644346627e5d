//! The values of a column as whoever gives them numbers looks at them.

use arrow::array::{Array, AsArray as _, BinaryViewArray, FixedSizeBinaryArray, Int32Array, Int64Array, StringViewArray};
use arrow::datatypes::DataType;

/// Values of a batch.
#[derive(Clone, Copy, Debug)]
pub(super) enum Values<'a> {
    Texts(&'a StringViewArray),
    Bytes(&'a BinaryViewArray),
    Fixed(&'a FixedSizeBinaryArray),
    Ints(&'a Int32Array),
    Longs(&'a Int64Array),
}

/// One value as a page has it, but for the length of bytes.
pub(super) enum Plain<'a> {
    Bytes(&'a [u8]),
    Int([u8; 4]),
    Long([u8; 8]),
}

impl<'a> Values<'a> {
    /// How many places there are.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Texts(array) => array.len(),
            Self::Bytes(array) => array.len(),
            Self::Fixed(array) => array.len(),
            Self::Ints(array) => array.len(),
            Self::Longs(array) => array.len(),
        }
    }

    /// How many places have no value.
    pub(super) fn nulls(&self) -> usize {
        match self {
            Self::Texts(array) => array.null_count(),
            Self::Bytes(array) => array.null_count(),
            Self::Fixed(array) => array.null_count(),
            Self::Ints(array) => array.null_count(),
            Self::Longs(array) => array.null_count(),
        }
    }

    /// `None` for arrays of other types.
    pub(super) fn of(array: &'a dyn Array) -> Option<Self> {
        match array.data_type() {
            DataType::Utf8View => array.as_string_view_opt().map(Self::Texts),
            DataType::BinaryView => array.as_binary_view_opt().map(Self::Bytes),
            DataType::FixedSizeBinary(1..=16) => array.as_fixed_size_binary_opt().map(Self::Fixed),
            DataType::Int32 => array.as_primitive_opt().map(Self::Ints),
            DataType::Int64 => array.as_primitive_opt().map(Self::Longs),
            _ => None,
        }
    }

    /// Whether values are of different lengths.
    pub(super) fn has_lengths(&self) -> bool {
        matches!(self, Self::Texts(_) | Self::Bytes(_))
    }

    /// What tells a value from others of its batch: the view of a text; of an id the id, of a number what would be its view.
    #[inline]
    pub(super) fn view(&self, at: usize) -> u128 {
        match self {
            Self::Texts(array) => array.views().get(at).copied().unwrap_or_default(),
            Self::Bytes(array) => array.views().get(at).copied().unwrap_or_default(),
            Self::Fixed(array) => beginning(array.value(at)),
            Self::Ints(array) => u128::from(array.value(at).cast_unsigned()) << 32 | 4,
            Self::Longs(array) => u128::from(array.value(at).cast_unsigned()) << 32 | 8,
        }
    }

    /// The value at a place.
    #[inline]
    pub(super) fn value(&self, at: usize) -> Plain<'a> {
        match self {
            Self::Texts(array) => Plain::Bytes(array.value(at).as_bytes()),
            Self::Bytes(array) => Plain::Bytes(array.value(at)),
            Self::Fixed(array) => Plain::Bytes(array.value(at)),
            Self::Ints(array) => Plain::Int(array.value(at).to_le_bytes()),
            Self::Longs(array) => Plain::Long(array.value(at).to_le_bytes()),
        }
    }

    /// Whether there is a value at a place.
    #[inline]
    pub(super) fn is_valid(&self, at: usize) -> bool {
        match self {
            Self::Texts(array) => array.is_valid(at),
            Self::Bytes(array) => array.is_valid(at),
            Self::Fixed(array) => array.is_valid(at),
            Self::Ints(array) => array.is_valid(at),
            Self::Longs(array) => array.is_valid(at),
        }
    }
}

/// The first 16 bytes, or fewer.
#[inline]
fn beginning(bytes: &[u8]) -> u128 {
    bytes.first_chunk().map_or_else(|| bytes.iter().fold(0, |sum, byte| sum << 8 | u128::from(*byte)), |first| u128::from_le_bytes(*first))
}

impl AsRef<[u8]> for Plain<'_> {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Int(bytes) => bytes,
            Self::Long(bytes) => bytes,
        }
    }
}
