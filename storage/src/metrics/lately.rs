//! How often something happened within the last hour.

use std::collections::VecDeque;

use crate::model::UnixNanos;

/// Counts what happened by minutes, and forgets what is older than an hour.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lately {
    /// Minutes since 1970 and how often it happened in them, the newest last.
    minutes: VecDeque<(u64, u64)>,
}

// === impl Lately ===

impl Lately {
    /// It happened.
    pub fn note(&mut self, now: UnixNanos) {
        let minute = now.get() / MINUTE_NANOS;
        match self.minutes.back_mut() {
            // A clock that goes back does not begin minutes again.
            Some((last, count)) if minute <= *last && minute + MINUTES > *last => *count = count.saturating_add(1),
            _ => self.minutes.push_back((minute, 1)),
        }
        self.minutes.retain(|(then, _)| is_lately(*then, minute));
    }

    /// How often it happened in the hour before `now`, by whole minutes.
    #[must_use]
    pub fn count(&self, now: UnixNanos) -> u64 {
        let minute = now.get() / MINUTE_NANOS;
        self.minutes.iter().filter(|(then, _)| is_lately(*then, minute)).fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }
}

fn is_lately(then: u64, minute: u64) -> bool {
    then.abs_diff(minute) < MINUTES
}

const MINUTE_NANOS: u64 = 60_000_000_000;
/// Minutes in an hour.
const MINUTES: u64 = 60;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u64) -> UnixNanos {
        UnixNanos::new(second * 1_000_000_000)
    }

    #[test]
    fn what_is_older_than_an_hour_is_forgotten_and_so_is_what_is_far_ahead() {
        let mut lately = Lately::default();
        for second in [600, 601, 660, 655, 4_100] {
            lately.note(at(second));
        }
        assert_eq!([601, 4_199, 4_200, 4_260, 7_679, 7_680].map(|second| lately.count(at(second))), [5, 5, 3, 1, 1, 0]);
        lately.note(at(9_000_000));
        lately.note(at(4_100));
        assert_eq!((lately.count(at(4_100)), lately.count(at(9_000_000))), (1, 0));
    }

    #[test]
    fn it_holds_no_more_than_an_hour() {
        let mut lately = Lately::default();
        (0..100_000).for_each(|second| lately.note(at(second)));
        assert!(lately.minutes.len() <= 60, "{}", lately.minutes.len());
        assert_eq!(lately.count(at(99_999)), 60 * 59 + 40);
    }
}
