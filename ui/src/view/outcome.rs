//! How a trace ended: by the request that it is about, not by what went wrong inside it.
//!
//! One rule for every page. An error inside a request that succeeds, such as a call whose second attempt went well, is no failure of it.

use storage::TraceSummary;
use storage::trace::{Brief, Sheet};

/// What is said of a trace wherever it is named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// No span has status ERROR.
    #[default]
    Well,
    /// Some span has status ERROR, and the root has not, or was not received.
    ErrorInside,
    /// The root has status ERROR.
    Failed,
}

impl Outcome {
    /// Of a trace in a list.
    pub(crate) fn of_summary(trace: &TraceSummary) -> Self {
        Self::new(trace.root_failed, trace.error_count > 0)
    }

    /// Of a trace that was read whole: by the span that it is called by, as in a list.
    pub(crate) fn of_sheet(sheet: &Sheet) -> Self {
        let root = sheet.main_root().and_then(|root| sheet.spans.get(root));
        let has_failed = root.is_some_and(|root| root.parent_span_id.is_none() && root.is_error());
        Self::new(has_failed, sheet.spans.iter().any(Brief::is_error))
    }

    fn new(has_failed: bool, has_error: bool) -> Self {
        match (has_failed, has_error) {
            (true, _) => Self::Failed,
            (false, true) => Self::ErrorInside,
            (false, false) => Self::Well,
        }
    }

    pub(crate) fn is_failed(self) -> bool {
        self == Self::Failed
    }

    pub(crate) fn has_error_inside(self) -> bool {
        self == Self::ErrorInside
    }
}

#[cfg(test)]
mod tests {
    use storage::StatusCode;
    use storage::trace::Trace;

    use super::*;
    use crate::view::trace::sample;

    #[test]
    fn a_request_fails_by_its_first_span_alone() {
        let checkout = sample::checkout();
        let with = |failed: &[usize], orphan: bool| {
            let mut spans = checkout.spans.clone();
            for (place, span) in spans.iter_mut().enumerate() {
                span.status.code = if failed.contains(&place) { StatusCode::Error } else { StatusCode::Unset };
            }
            if orphan {
                spans.remove(0);
            }
            Outcome::of_sheet(&Sheet::of(&Trace::assemble(checkout.id, spans, true, Vec::new())))
        };
        assert_eq!(with(&[], false), Outcome::Well);
        assert_eq!(with(&[3], false), Outcome::ErrorInside);
        assert_eq!(with(&[0], false), Outcome::Failed);
        assert_eq!(with(&[1], true), Outcome::ErrorInside, "the root was not received");
    }
}
