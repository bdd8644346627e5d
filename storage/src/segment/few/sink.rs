//! Where values of a column go: an Arrow array that grows.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryViewBuilder, BooleanBuilder, FixedSizeBinaryBuilder, Float64Builder, Int32Builder, Int64Builder, StringViewBuilder,
};
use arrow::datatypes::DataType;

/// Values of one type. They come as pages have them, texts and bytes without their lengths, truth as one byte.
pub(super) enum Sink {
    Texts(StringViewBuilder),
    Bytes(BinaryViewBuilder),
    Fixed(FixedSizeBinaryBuilder),
    Ints(Int32Builder),
    Longs(Int64Builder),
    Doubles(Float64Builder),
    Bools(BooleanBuilder),
}

impl Sink {
    /// `None` for types that no column has.
    pub(super) fn new(of: &DataType, rows: usize) -> Option<Self> {
        Some(match of {
            DataType::Utf8View => Self::Texts(StringViewBuilder::with_capacity(rows)),
            DataType::BinaryView => Self::Bytes(BinaryViewBuilder::with_capacity(rows)),
            DataType::FixedSizeBinary(width) if *width >= 0 => Self::Fixed(FixedSizeBinaryBuilder::with_capacity(rows, *width)),
            DataType::Int32 => Self::Ints(Int32Builder::with_capacity(rows)),
            DataType::Int64 => Self::Longs(Int64Builder::with_capacity(rows)),
            DataType::Float64 => Self::Doubles(Float64Builder::with_capacity(rows)),
            DataType::Boolean => Self::Bools(BooleanBuilder::with_capacity(rows)),
            _ => return None,
        })
    }

    /// Adds a value; `None` when it is none of this type.
    pub(super) fn value(&mut self, bytes: &[u8]) -> Option<()> {
        match self {
            Self::Texts(texts) => texts.append_value(std::str::from_utf8(bytes).ok()?),
            Self::Bytes(values) => values.append_value(bytes),
            Self::Fixed(values) => values.append_value(bytes).ok()?,
            Self::Ints(values) => values.append_value(i32::from_le_bytes(bytes.try_into().ok()?)),
            Self::Longs(values) => values.append_value(i64::from_le_bytes(bytes.try_into().ok()?)),
            Self::Doubles(values) => values.append_value(f64::from_le_bytes(bytes.try_into().ok()?)),
            Self::Bools(values) => values.append_value(<[u8; 1]>::try_from(bytes).ok()? != [0]),
        }
        Some(())
    }

    pub(super) fn null(&mut self) {
        match self {
            Self::Texts(values) => values.append_null(),
            Self::Bytes(values) => values.append_null(),
            Self::Fixed(values) => values.append_null(),
            Self::Ints(values) => values.append_null(),
            Self::Longs(values) => values.append_null(),
            Self::Doubles(values) => values.append_null(),
            Self::Bools(values) => values.append_null(),
        }
    }

    pub(super) fn finish(self) -> ArrayRef {
        match self {
            Self::Texts(mut values) => Arc::new(values.finish()),
            Self::Bytes(mut values) => Arc::new(values.finish()),
            Self::Fixed(mut values) => Arc::new(values.finish()),
            Self::Ints(mut values) => Arc::new(values.finish()),
            Self::Longs(mut values) => Arc::new(values.finish()),
            Self::Doubles(mut values) => Arc::new(values.finish()),
            Self::Bools(mut values) => Arc::new(values.finish()),
        }
    }
}
