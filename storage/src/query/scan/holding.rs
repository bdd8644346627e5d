//! What running questions hold in memory, as far as it is counted: shown to people who ask where memory goes, and no bound.
//!
//! Counted are the rows at hand, by the memory of their columns, and what is gathered of rows, by how much there is of it. What decoding a page
//! takes besides is known to the libraries alone.

use std::collections::{HashMap, HashSet};

use crate::metrics::Gauge;

/// Bytes that are shown as held until this is dropped.
#[derive(Debug, Default)]
pub(crate) struct Holding {
    shown: Option<Gauge>,
    bytes: i64,
}

/// What is gathered of rows, and what it holds.
#[derive(Debug)]
pub(crate) struct Kept<T> {
    pub(crate) all: T,
    pub(crate) holding: Holding,
}

// === impl Holding ===

impl Holding {
    pub(super) fn shown_by(gauge: Option<&Gauge>) -> Self {
        Self { shown: gauge.cloned(), bytes: 0 }
    }

    /// Shows that it is so many bytes now.
    pub(crate) fn set(&mut self, bytes: usize) {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        if let Some(gauge) = self.shown.as_ref().filter(|_| bytes != self.bytes) {
            gauge.add(bytes - self.bytes);
            self.bytes = bytes;
        }
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        self.set(0);
    }
}

/// Bytes of a table with so much room.
pub(crate) fn of_map<K, V, S>(map: &HashMap<K, V, S>) -> usize {
    map.capacity() * (size_of::<(K, V)>() + 1)
}

/// Likewise.
pub(crate) fn of_set<K>(set: &HashSet<K>) -> usize {
    set.capacity() * (size_of::<K>() + 1)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::metrics::Registry;
    use crate::model::{Span, TimeRange};
    use crate::query::fixtures;
    use crate::query::predicate::Predicate;
    use crate::query::scan::{Control, Scan, Wanted};
    use crate::schema::column;
    use crate::store::Signal;

    #[test]
    fn rows_at_hand_are_shown_while_they_are_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let spans: Vec<Span> = (1..=100).map(|i| fixtures::span(i, i, 0, "api", "x", 1_000 + i, i)).collect();
        let snapshot = fixtures::snapshot(folder.path(), Signal::Traces, Vec::new(), vec![vec![fixtures::spans(&spans)]]);
        let (gauge, control) = (Registry::default().question_memory("traces"), Control::new(Duration::from_secs(60)));
        control.show_memory(gauge.clone());
        let predicate = Predicate::all();
        let mut scan = Scan::new(&snapshot, Signal::Traces, TimeRange::ALL, &predicate.hints, &control).unwrap();
        let mut rows = 0;
        let wanted = Wanted { columns: &[column::TRACE_ID], keys: &[], predicate: &predicate };
        scan.run(
            wanted,
            |_| false,
            |read| {
                rows += read.batch.num_rows();
                assert!(gauge.get() >= 16 * i64::try_from(read.batch.num_rows()).unwrap());
                Ok(())
            },
        )
        .unwrap();
        assert_eq!((rows, gauge.get()), (100, 0));
    }

    #[test]
    fn what_is_held_is_shown_until_it_is_let_go() {
        let gauge = Registry::default().memory_used("x");
        let mut first = Holding::shown_by(Some(&gauge));
        let mut second = Holding::shown_by(Some(&gauge));
        first.set(10);
        second.set(5);
        first.set(7);
        assert_eq!(gauge.get(), 12);
        drop(first);
        assert_eq!(gauge.get(), 5);
        drop(second);
        assert_eq!(gauge.get(), 0);
        Holding::shown_by(None).set(5);
    }
}
