//! The most frequent of very many keys, within bounds: first their hashes are counted, then only the rows of those that were chosen.
//!
//! Owns the counting of hashes and the choice. A hash that two keys share only chooses both. Beyond [`MAX_HASHES`] different ones as much is
//! taken off all counts as lets half of them go: no count is too high, and none too low by more than [`Frequent::lost`]. What is let go depends
//! on which rows are counted together, so workers share the rows in the same way every time (`scan/shares.rs`).

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hasher as _};

use crate::spread::Spread;

/// Counts hashes.
#[derive(Debug, Default)]
pub(super) struct Frequent {
    counts: HashMap<u64, Count, Spread>,
    lost: i64,
}

#[derive(Clone, Copy, Debug)]
struct Count {
    rows: i64,
    /// The last row that was counted.
    mark: u64,
}

/// Keys that are worth counting.
#[derive(Debug)]
pub(super) struct Chosen {
    hashes: HashSet<u64, Spread>,
    /// Rows that a key may have and not be among them; zero when the choice is sure.
    pub(super) unsure_of: u64,
}

/// Different hashes that one worker counts: some eight megabytes.
const MAX_HASHES: usize = if cfg!(test) { 512 } else { 1 << 18 };

/// The same for equal keys in every worker and at every time, so that equal counts are chosen from alike.
pub(super) fn hash_of(key: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(key);
    hasher.finish()
}

impl Frequent {
    /// `rows` more of a key. Rows with the same mark, one after the other, count once.
    pub(super) fn add(&mut self, key: &[u8], rows: i64, mark: u64) {
        let count = self.counts.entry(hash_of(key)).or_insert(Count { rows: 0, mark: 0 });
        if count.mark != mark {
            *count = Count { rows: count.rows + rows, mark };
        }
        if self.counts.len() > MAX_HASHES {
            self.shrink();
        }
    }

    /// Bytes that are held, about.
    pub(super) fn bytes(&self) -> usize {
        self.counts.capacity() * (size_of::<(u64, Count)>() + 1)
    }

    pub(super) fn join(mut self, other: Self) -> Self {
        for (hash, count) in other.counts {
            self.counts.entry(hash).or_insert(Count { rows: 0, mark: 0 }).rows += count.rows;
        }
        self.lost += other.lost;
        self
    }

    /// At least the `wanted` most frequent ones, and at most `max`.
    pub(super) fn choose(&self, wanted: usize, max: usize) -> Chosen {
        let mut counts: Vec<(i64, u64)> = self.counts.iter().map(|(hash, count)| (count.rows, *hash)).collect();
        counts.sort_unstable_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        // What was taken off may have been more of one than of another.
        let least = counts.get(wanted.saturating_sub(1)).map_or(i64::MIN, |(rows, _)| rows - self.lost);
        let close = counts.iter().take_while(|(rows, _)| *rows >= least).count();
        let left_out = counts.get(max).filter(|_| close > max).map_or(0, |(rows, _)| *rows);
        let unsure_of = if self.lost > 0 || close > max { left_out.max(0) + self.lost } else { 0 };
        let hashes = counts.into_iter().take(close.min(max)).map(|(_, hash)| hash).collect();
        Chosen { hashes, unsure_of: u64::try_from(unsure_of).unwrap_or_default() }
    }

    fn shrink(&mut self) {
        let mut rows: Vec<i64> = self.counts.values().map(|count| count.rows).collect();
        let half = rows.len() / 2;
        let less = (*rows.select_nth_unstable(half).1).max(1);
        self.counts.retain(|_, count| {
            count.rows -= less;
            count.rows > 0
        });
        self.lost += less;
    }
}

impl Chosen {
    pub(super) fn has(&self, key: &[u8]) -> bool {
        self.hashes.contains(&hash_of(key))
    }

    /// Says what may be missing, if anything.
    pub(super) fn note(&self, of: &str) -> Option<String> {
        let rows = self.unsure_of;
        let few = if rows == 1 { "one row".to_owned() } else { format!("up to {rows} rows") };
        (rows > 0).then(|| {
            format!("there are too many different {of} to tell which are the most frequent: those shown are counted in full, but others with {few} may belong among them; narrow the query")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keys `0..keys`, of which `n` has `n % 7 + 1` rows, and a hundred with 1,000 more, over two workers.
    fn counted(keys: u64) -> Frequent {
        let mut workers = [Frequent::default(), Frequent::default()];
        let mut mark = 0;
        for round in 0..1_007_u64 {
            for key in 0..keys {
                let rows = key % 7 + 1 + if key % (keys / 100) == 0 { 1_000 } else { 0 };
                if round < rows {
                    mark += 1;
                    workers[usize::try_from((key + round) % 2).unwrap()].add(&key.to_le_bytes(), 1, mark);
                }
            }
        }
        let [one, other] = workers;
        one.join(other)
    }

    #[test]
    fn those_with_the_most_rows_are_chosen_whatever_there_is_beside_them() {
        for keys in [200, 500, 50_000] {
            let chosen = counted(keys).choose(100, 300);
            let has = |key: u64| chosen.has(&key.to_le_bytes());
            assert!((0..keys).step_by(usize::try_from(keys / 100).unwrap()).all(has), "{keys}");
            assert!(chosen.unsure_of < 1_000, "{} of {keys}", chosen.unsure_of);
        }
        assert_eq!(counted(200).choose(100, 300).unsure_of, 0);
    }

    #[test]
    fn equal_ones_are_all_chosen_or_it_is_said_that_some_are_not() {
        let mut frequent = Frequent::default();
        (0..300_u64).for_each(|key| frequent.add(&key.to_le_bytes(), 2, key + 1));
        assert_eq!(frequent.choose(10, 400).unsure_of, 0);
        let chosen = frequent.choose(10, 100);
        assert_eq!((chosen.unsure_of, chosen.hashes.len()), (2, 100));
        assert!(chosen.note("values").unwrap().contains("up to 2 rows"));
        frequent.add(&7_u64.to_le_bytes(), 1, 9_000);
        frequent.add(&7_u64.to_le_bytes(), 1, 9_000);
        assert_eq!(frequent.counts[&hash_of(&7_u64.to_le_bytes())].rows, 3, "the same row counts once");
    }
}
