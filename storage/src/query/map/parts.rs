//! Parts of a window: one count of calls also says when they were made.

use super::super::question::QueryError;
use crate::model::{TimeRange, UnixNanos};
use crate::rollup::MINUTE;

/// Equal parts of whole minutes. The default is none, where everything is one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Parts {
    /// The minute in which the first one begins.
    from: u64,
    minutes: u64,
    count: u16,
}

/// The number of a part, from zero; also where everything is one.
pub(super) type Part = u16;

const MAX_PARTS: usize = 60;

impl Parts {
    /// So many parts, from the minute in which a window begins.
    pub(crate) fn new(range: TimeRange, minutes: u64, count: usize) -> Result<Self, QueryError> {
        let parts = u16::try_from(count).ok().filter(|_| minutes > 0 && (1..=MAX_PARTS).contains(&count));
        let invalid =
            || QueryError::Invalid(format!("calls are counted in 1 to {MAX_PARTS} parts of at least a minute, not {count} of {minutes}"));
        Ok(Self { from: range.from.get() / MINUTE, minutes, count: parts.ok_or_else(invalid)? })
    }

    pub(super) fn count(self) -> usize {
        self.count.into()
    }

    /// The part in which a time lies; what is beyond the last one counts for it.
    pub(super) fn of(self, at: u64) -> Part {
        let place = (at / MINUTE).saturating_sub(self.from) / self.minutes.max(1);
        u16::try_from(place).unwrap_or(u16::MAX).min(self.count.saturating_sub(1))
    }

    /// When a part begins and ends.
    pub(super) fn range(self, part: usize) -> TimeRange {
        let at = |part: usize| UnixNanos::new(self.minutes.saturating_mul(part as u64).saturating_add(self.from).saturating_mul(MINUTE));
        TimeRange { from: at(part), to: at(part + 1) }
    }
}
