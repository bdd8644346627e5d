//! An open record as the API gives it.

use storage::LogRecord;

use crate::view::format;
use crate::view::link::Links;

/// A record as the API gives it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Raw {
    /// Indented.
    pub(crate) text: String,
    /// Whether that is its beginning alone.
    pub(crate) is_cut: bool,
    /// Where all of it is.
    pub(crate) href: String,
}

impl Raw {
    pub(super) fn new(record: &LogRecord, links: &Links) -> Self {
        let whole = format::text(&crate::api::indented_record(record));
        let text: String = whole.chars().take(MAX_RAW).collect();
        let href = links.plain(&format!("/api/v1/logs/{}", record.record_id)).href();
        Self { is_cut: text.len() < whole.len(), text, href }
    }
}

/// Characters of a record that are shown.
const MAX_RAW: usize = 16_384;
