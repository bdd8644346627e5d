//! Every text once, by number.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::StringViewArray;

use crate::spread::{Spread, place_of_text, place_of_view};

/// Gives texts numbers.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    numbers: HashMap<Arc<str>, u32, Spread>,
    texts: Vec<Arc<str>>,
    /// Numbers of texts that were asked for lately, by a hash that costs next to nothing.
    recent: Vec<u32>,
}

/// Numbers of texts of one array by their views: equal views of one array are equal texts, so that most texts are not looked at.
#[derive(Debug)]
pub(crate) struct KnownViews(Vec<(u128, u32)>);

/// Texts that are found again without hashing them; a power of two.
const RECENT: usize = 256;

impl Texts {
    /// All texts in the order of their numbers.
    pub(crate) fn into_texts(self) -> Vec<Arc<str>> {
        self.texts
    }

    pub(crate) fn texts(&self) -> &[Arc<str>] {
        &self.texts
    }

    /// The text of a number.
    pub(crate) fn text(&self, number: u32) -> &str {
        self.texts.get(number as usize).map_or("", |text| text)
    }

    pub(crate) fn len(&self) -> usize {
        self.texts.len()
    }

    /// The number of a text.
    pub(crate) fn number(&mut self, text: &str) -> u32 {
        self.recent.resize(RECENT, 0);
        let Some(recent) = self.recent.get_mut(place_of_text(text.as_bytes(), RECENT.ilog2())) else { return 0 };
        if self.texts.get(*recent as usize).is_some_and(|known| **known == *text) {
            return *recent;
        }
        let number = self.numbers.get(text).copied().unwrap_or_else(|| {
            let number = u32::try_from(self.texts.len()).unwrap_or(u32::MAX);
            let text: Arc<str> = text.into();
            self.texts.push(text.clone());
            self.numbers.insert(text, number);
            number
        });
        *recent = number;
        number
    }
}

// === impl KnownViews ===

impl KnownViews {
    /// The number that the text of a row has among `texts`. All rows are of one array.
    #[inline]
    pub(crate) fn number(&mut self, texts: &mut Texts, array: &StringViewArray, row: usize) -> u32 {
        let view = array.views().get(row).copied().unwrap_or_default();
        let Some(known) = self.0.get_mut(place_of_view(view, RECENT.ilog2())) else { return 0 };
        if known.0 != view {
            *known = (view, texts.number(array.value(row)));
        }
        known.1
    }
}

impl Default for KnownViews {
    fn default() -> Self {
        // No text is so long.
        Self(vec![(u128::MAX, 0); RECENT])
    }
}
