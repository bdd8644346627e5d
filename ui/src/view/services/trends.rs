//! How often what the rows of a table name happened over the window.

use std::collections::HashMap;

use crate::view::chart::{Columns, Spark};
use crate::view::format;

/// Counts of equal parts of a window, by the two words that tell one row from another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Trends {
    counts: HashMap<(String, String), Vec<u64>>,
    /// Width of a part in nanoseconds.
    step: u64,
}

impl Trends {
    /// Of parts that are so many nanoseconds wide.
    pub(crate) fn new(counts: HashMap<(String, String), Vec<u64>>, step: u64) -> Self {
        Self { counts, step }
    }

    /// A line for what happens all the time.
    pub(crate) fn line(&self, one: &str, other: &str) -> Spark {
        let counts = self.of(one, other);
        Spark::new(counts, self.told(counts))
    }

    /// Columns for what happens now and then.
    pub(crate) fn columns(&self, one: &str, other: &str) -> Columns {
        let counts = self.of(one, other);
        Columns::new(counts, self.told(counts))
    }

    fn of(&self, one: &str, other: &str) -> &[u64] {
        self.counts.get(&(one.to_owned(), other.to_owned())).map_or(&[], Vec::as_slice)
    }

    fn told(&self, counts: &[u64]) -> String {
        match counts.iter().max() {
            Some(most) => format!("over time, at most {} in {}", format::exact(*most), format::duration(self.step)),
            None => "over time: not known".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_not_drawn_as_nothing() {
        let counts = HashMap::from([(("pay".to_owned(), "server".to_owned()), vec![0, 3, 1])]);
        let trends = Trends::new(counts, 60_000_000_000);
        assert_eq!(trends.line("pay", "server").summary, format!("over time, at most 3 in {}", format::duration(60_000_000_000)));
        assert!(!trends.columns("pay", "server").path.is_empty());
        let unknown = trends.line("pay", "client");
        assert_eq!((unknown.line.as_str(), unknown.summary.as_str()), ("", "over time: not known"));
    }
}
