//! Free text on spans: looked for in their texts and in those of their attributes.
//!
//! Most of these columns have few different texts, each of which is looked into once: equal views of one array are equal texts.

use arrow::array::{Array, RecordBatch, StringViewArray};
use arrow::buffer::BooleanBuffer;

use super::super::columns;
use super::super::question::QueryError;
use super::exceptions;
use super::finder::Finder;
use super::leaf::{SPAN_TEXTS, keep};
use super::needs::Needs;
use crate::attributes::{TEXTS, Texts};
use crate::schema::column;
use crate::spread::place_of_view;

/// A text that spans must have, whichever of their texts it is in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SpanText<'a>(pub(super) &'a Finder);

/// What a finder says of the texts of one array.
struct Known<'a> {
    array: &'a StringViewArray,
    finder: &'a Finder,
    /// Views that came lately.
    recent: Vec<(u128, bool)>,
}

const RECENT_BITS: u32 = 9;

pub(super) fn needs(into: &mut Needs<'_>) {
    into.columns.extend(SPAN_TEXTS);
    into.columns.extend(exceptions::FURTHER);
    into.column(TEXTS);
}

/// Those of the `alive` rows that have a text with a match.
pub(super) fn found(batch: &RecordBatch, alive: &BooleanBuffer, finder: &Finder) -> Result<BooleanBuffer, QueryError> {
    let mut found = BooleanBuffer::new_unset(alive.len());
    for name in SPAN_TEXTS {
        found = &found | &in_column(columns::text(batch, name)?, &(alive & &!&found), finder);
    }
    found = &found | &exceptions::any_says(batch, &(alive & &!&found), finder)?;
    let texts = Texts::of(batch)?;
    for column in texts.columns() {
        found = &found | &in_column(column, &(alive & &!&found), finder);
    }
    let mut known = Known::new(texts.rest(), finder);
    Ok(&found | &keep(&(alive & &!&found), |row| texts.rest_of(row).any(|at| known.matches(at))))
}

// === impl SpanText ===

impl SpanText<'_> {
    /// Whether a text has it.
    pub(crate) fn is_in(self, text: &str) -> bool {
        self.0.matches(text)
    }

    /// Whether spans with these event names may have it in further exceptions, whose texts are in no column.
    pub(crate) fn may_be_beside(names: &str) -> bool {
        exceptions::are_several(names)
    }

    /// Those of the rows of a batch with some of the columns that texts lie in that may have it: all that have it in these, and all with
    /// several exceptions.
    pub(crate) fn may_be_of(self, batch: &RecordBatch) -> Result<BooleanBuffer, QueryError> {
        let Self(finder) = self;
        let all = BooleanBuffer::new_set(batch.num_rows());
        let mut found = BooleanBuffer::new_unset(batch.num_rows());
        for (field, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
            if let Some(array) = array.as_any().downcast_ref() {
                found = &found | &in_column(array, &(&all & &!&found), finder);
            }
            if field.name() == column::ATTR_STR {
                let texts = Texts::of(batch)?;
                let mut known = Known::new(texts.rest(), finder);
                found = &found | &keep(&(&all & &!&found), |row| texts.rest_of(row).any(|at| known.matches(at)));
            }
            if field.name() == column::EVENT_NAMES {
                let names = columns::text(batch, column::EVENT_NAMES)?;
                found = &found | &keep(&(&all & &!&found), |row| exceptions::are_several(columns::text_or_empty(names, row)));
            }
        }
        Ok(found)
    }
}

fn in_column(array: &StringViewArray, open: &BooleanBuffer, finder: &Finder) -> BooleanBuffer {
    if array.null_count() == array.len() || open.count_set_bits() == 0 {
        return BooleanBuffer::new_unset(open.len());
    }
    let mut known = Known::new(array, finder);
    keep(open, |row| array.is_valid(row) && known.matches(row))
}

// === impl Known ===

impl<'a> Known<'a> {
    fn new(array: &'a StringViewArray, finder: &'a Finder) -> Self {
        // The view of an empty text is 0.
        Self { array, finder, recent: vec![(0, finder.matches("")); 1 << RECENT_BITS] }
    }

    fn matches(&mut self, at: usize) -> bool {
        let view = self.array.views().get(at).copied().unwrap_or_default();
        let Some((known, says)) = self.recent.get_mut(place_of_view(view, RECENT_BITS)) else { return false };
        if *known != view {
            (*known, *says) = (view, self.finder.matches(self.array.value(at)));
        }
        *says
    }
}
