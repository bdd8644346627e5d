//! Joins files of ids to one of a unit whose parts they are, without the tokens that they were made of.
//!
//! Lowest bits of keys were left out page by page, so pages of one file may overlap in these bits, and a key of one file may be below what
//! it was by as much. So keys that are equal but for as many bits as can be left out go together: from all files at once, and to one page,
//! of which as many bits are left out as of any page that they come from.

use std::io::{self, Write};

use super::file::FileWriter;
use super::page::{self, MAX_SHIFT};
use super::{Ids, Source};

/// Pairs of one file, as far as they were read and not yet written.
struct Cursor<'a> {
    ids: &'a Ids,
    source: Source<'a>,
    /// The number of its first block among those of the unit.
    first_block: u32,
    /// The page that is read next.
    page: usize,
    pairs: Vec<u64>,
    /// How many of them were moved on.
    given: usize,
    /// The most bits that were left out of pages the others come from.
    lost: u32,
}

/// Pairs that wait for a page to be full.
struct Pages<'a, W> {
    file: FileWriter<'a, W>,
    blocks: u32,
    pairs: Vec<u64>,
    lost: u32,
}

/// Writes the ids of units that become the parts of one, in order.
pub(in super::super) fn join(units: &[(&Ids, Source<'_>)], out: &mut impl Write) -> io::Result<()> {
    let mut cursors = Vec::with_capacity(units.len());
    let mut blocks = 0;
    for (ids, source) in units {
        cursors.push(Cursor { ids, source: *source, first_block: blocks, page: 0, pairs: Vec::new(), given: 0, lost: 0 });
        blocks += ids.blocks();
    }
    let mut pages = Pages { file: FileWriter::new(out), blocks, pairs: Vec::new(), lost: 0 };
    let mut next = Vec::new();
    loop {
        // Of keys below this everything is there.
        let end = cursors.iter().filter_map(Cursor::end).min();
        let mut lost = 0;
        for cursor in &mut cursors {
            lost = lost.max(cursor.give(end, &mut next));
        }
        next.sort_unstable();
        next.dedup();
        pages.add(&mut next, lost)?;
        let Some(end) = end else { break };
        cursors.iter_mut().filter(|cursor| cursor.end() == Some(end)).try_for_each(Cursor::read)?;
    }
    let parts: Vec<u32> = units.iter().flat_map(|(ids, _)| ids.parts()).copied().collect();
    pages.finish(&parts)
}

/// What keys have in common that go together.
fn common(key: u64) -> u64 {
    key >> MAX_SHIFT
}

// === impl Cursor ===

impl Cursor<'_> {
    /// Where the next page begins; `None` when all were read.
    fn end(&self) -> Option<u64> {
        self.ids.directory.get(self.page).map(|(first, _)| common(*first))
    }

    fn read(&mut self) -> io::Result<()> {
        let (begin, bytes) = self.ids.read(&self.source, self.page..self.page + 1)?;
        let page = self.ids.page(&self.source, self.page, begin, &bytes)?;
        self.pairs.drain(..self.given);
        self.given = 0;
        self.lost = if self.pairs.is_empty() { page.shift() } else { self.lost.max(page.shift()) };
        let read = page.pairs(self.ids.blocks(), self.first_block, &mut self.pairs);
        self.page += 1;
        read.filter(|()| self.lost <= MAX_SHIFT).ok_or_else(|| self.source.damaged("has a page that makes no sense"))
    }

    /// Hands on pairs of keys below `end`, or all; the most bits that were left out of them.
    fn give(&mut self, end: Option<u64>, to: &mut Vec<u64>) -> u32 {
        let left = self.pairs.get(self.given..).unwrap_or_default();
        let below = end.map_or(left.len(), |end| left.partition_point(|pair| common(page::key_of(*pair)) < end));
        to.extend(left.iter().take(below));
        self.given += below;
        if below == 0 { 0 } else { self.lost }
    }
}

// === impl Pages ===

impl<W: Write> Pages<'_, W> {
    /// Adds the next pairs, sorted, with all of the keys that go together.
    fn add(&mut self, next: &mut Vec<u64>, lost: u32) -> io::Result<()> {
        self.lost = if self.pairs.is_empty() { lost } else { self.lost.max(lost) };
        let added = next.len();
        self.pairs.append(next);
        let mut rest = self.pairs.as_slice();
        loop {
            let (length, is_full) = page::length(rest, self.blocks, MAX_SHIFT);
            if !is_full {
                break;
            }
            let (now, later) = rest.split_at(length);
            self.file.page(now, self.blocks, self.lost)?;
            rest = later;
        }
        if rest.len() <= added {
            self.lost = lost;
        }
        let written = self.pairs.len() - rest.len();
        self.pairs.drain(..written);
        Ok(())
    }

    fn finish(mut self, parts: &[u32]) -> io::Result<()> {
        self.file.page(&self.pairs, self.blocks, self.lost)?;
        self.file.finish(parts)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::blocks::{self, Blocks};
    use super::super::IdsBuilder;
    use super::*;

    /// The file of a unit whose rows have these tokens.
    fn unit(rows: &[Vec<String>]) -> Vec<u8> {
        let mut builder = IdsBuilder::default();
        for (row, tokens) in (0..).zip(rows) {
            tokens.iter().for_each(|token| builder.push(token, row / 16));
        }
        builder.finish(u32::try_from(rows.len()).unwrap()).unwrap()
    }

    fn joined(files: &[Vec<u8>]) -> io::Result<Vec<u8>> {
        let sources: Vec<Source<'_>> = files.iter().map(|file| Source::Bytes(file)).collect();
        let ids = sources.iter().map(Ids::open).collect::<io::Result<Vec<_>>>()?;
        let mut file = Vec::new();
        join(&ids.iter().zip(sources).collect::<Vec<_>>(), &mut file)?;
        Ok(file)
    }

    fn found(file: &[u8], token: &str) -> Vec<u32> {
        let source = Source::Bytes(file);
        let ids = Ids::open(&source).unwrap();
        let mut found = Blocks::new(ids.blocks());
        ids.collect(&source, token, &mut found).unwrap();
        found.iter().collect()
    }

    /// Tokens of one beginning and of many, so that pages leave out different numbers of bits.
    fn token() -> impl Strategy<Value = String> {
        prop_oneof!["[0-9a-f]{12}", "user[0-9]{1,4}", "[0-9]{1,2}", "zz[a-c]_[0-9]"]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn what_is_joined_answers_as_its_parts_do(
            sizes in prop::collection::vec(1usize..400, 1..6), seeds in prop::collection::vec(prop::collection::vec(token(), 1..60), 6), dense in 1usize..9,
        ) {
            let rows = |unit: usize, row: usize| -> Vec<String> {
                let some = &seeds[unit];
                let mut tokens: Vec<String> = (0..dense).map(|n| some[(row * 7 + n * n) % some.len()].clone()).collect();
                // Enough of one beginning for many pages.
                tokens.push(format!("order{}x{}", unit, row * 31 % 997));
                tokens.extend((0..8).map(|n| format!("{:08x}", (row * 8 + n) * 2_654_435_761 + unit)));
                tokens
            };
            let units: Vec<Vec<Vec<String>>> = sizes.iter().enumerate().map(|(unit, size)| (0..*size).map(|row| rows(unit, row)).collect()).collect();
            let files: Vec<Vec<u8>> = units.iter().map(|rows| unit(rows)).collect();
            let file = joined(&files).unwrap();
            prop_assert_eq!(&file, &joined(&files).unwrap());
            let ids = Ids::open(&Source::Bytes(&file)).unwrap();
            prop_assert_eq!(ids.parts(), sizes.iter().map(|size| u32::try_from(*size).unwrap()).collect::<Vec<_>>());
            let absent = ["user99999".to_owned(), "0f0f0f0f0f0f".to_owned()];
            let some = units.iter().flat_map(|rows| rows.iter().step_by(17).flatten()).chain(&absent);
            for token in some {
                let mut expected = Vec::new();
                let mut first = 0;
                for (file, size) in files.iter().zip(&sizes) {
                    expected.extend(found(file, token).into_iter().map(|block| first + block));
                    first += blocks::count(u32::try_from(*size).unwrap());
                }
                let found = found(&file, token);
                // None is left out; more bits may be, so that other keys are alike.
                prop_assert!(expected.iter().all(|block| found.contains(block)), "{} {:?} {:?}", token, expected, found);
            }
            for prefix in ["user", "us", "order", "0", "zz", "zza_"] {
                let source = Source::Bytes(&file);
                let mut found = Blocks::new(ids.blocks());
                ids.collect_beginning(&source, prefix, &mut found).unwrap().unwrap();
                let mut first = 0;
                for rows in &units {
                    for (row, tokens) in (0..).zip(rows) {
                        if tokens.iter().any(|token| token.starts_with(prefix)) {
                            prop_assert!(found.iter().any(|block| block == first + row / 16), "{} {}", prefix, row);
                        }
                    }
                    first += blocks::count(u32::try_from(rows.len()).unwrap());
                }
            }
        }
    }

    #[test]
    fn pages_of_a_joined_file_are_as_large_as_others_and_hardly_name_more() {
        let token = |unit: u64, row: u64| format!("{:016x}", (unit * 100_000 + row).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let files: Vec<Vec<u8>> = (0..8).map(|of| unit(&(0..20_000).map(|row| vec![token(of, row)]).collect::<Vec<_>>())).collect();
        let file = joined(&files).unwrap();
        let ids = Ids::open(&Source::Bytes(&file)).unwrap();
        assert!(ids.directory.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[1].1 - pair[0].1 < 5_000));
        assert!(file.len() < files.iter().map(Vec::len).sum::<usize>() * 21 / 20);
        let wrong: usize = (0..1_000).map(|row| found(&file, &token(9, row)).len()).sum();
        assert!(wrong < 40, "{wrong} blocks of 1,000 tokens that are not there");
        assert!((0..20_000).step_by(97).all(|row| (0..8).all(|of| found(&file, &token(of, row)).len() < 5)));
    }

    #[test]
    fn damaged_files_are_not_joined() {
        let rows: Vec<Vec<String>> = (0..4_000).map(|row| vec![format!("{:08x}", row * 2_654_435_761_u64)]).collect();
        let whole = unit(&rows);
        assert!(whole.len() > 8_192);
        for at in [100, 5_000, whole.len() - 1] {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            assert!(joined(&[whole.clone(), damaged]).is_err(), "{at}");
        }
        assert!(joined(&[whole]).is_ok());
    }
}
