//! Columns of texts or bytes in which no row has a value: of a span's twelve most are so in most requests.
//!
//! All of them are parts of one array, which costs nothing to make and takes no memory.

use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, BinaryViewArray, StringViewArray};

/// Rows without a value; more than most requests have.
static TEXTS: LazyLock<StringViewArray> = LazyLock::new(|| StringViewArray::new_null(ROWS));
/// See [`TEXTS`].
static BINARIES: LazyLock<BinaryViewArray> = LazyLock::new(|| BinaryViewArray::new_null(ROWS));
const ROWS: usize = 4_096;

/// So many rows without a text.
pub(super) fn texts(rows: usize) -> ArrayRef {
    if rows <= ROWS { Arc::new(TEXTS.slice(0, rows)) } else { Arc::new(StringViewArray::new_null(rows)) }
}

/// So many rows without bytes.
pub(super) fn binaries(rows: usize) -> ArrayRef {
    if rows <= ROWS { Arc::new(BINARIES.slice(0, rows)) } else { Arc::new(BinaryViewArray::new_null(rows)) }
}

#[cfg(test)]
mod tests {
    use arrow::array::Array as _;

    use super::*;

    #[test]
    fn every_row_is_there_and_none_has_a_value() {
        for rows in [0, 1, ROWS, ROWS + 1] {
            for array in [texts(rows), binaries(rows)] {
                assert_eq!((array.len(), array.null_count()), (rows, rows));
            }
        }
    }
}
