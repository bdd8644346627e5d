//! A page of data: which of its values rows have.

use std::ops::Range;

use parquet::basic::{Encoding, Type};
use parquet::schema::types::ColumnDescriptor;

use super::asked::Passing;
use super::dictionary::Dictionary;
use super::header::{self, Header};
use super::sink::Sink;
use super::sums::{some_sums, sums};
use super::walk::{Walk, bits};

/// A page, decompressed.
pub(super) struct Page<'a> {
    pub(super) column: &'a ColumnDescriptor,
    pub(super) encoding: Encoding,
    /// Values, those that are null included.
    pub(super) count: usize,
    pub(super) repetition: &'a [u8],
    pub(super) definition: &'a [u8],
    pub(super) values: &'a [u8],
}

/// What values are asked.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    /// Which values of the dictionary pass, by their numbers.
    pub(super) known: &'a Passing,
    pub(super) pass: &'a dyn Fn(&[u8]) -> bool,
}

/// Levels of some rows, and the places of their values among those of the page.
pub(super) struct Levels {
    /// Empty where every row has one value.
    pub(super) repetition: Vec<u32>,
    /// Empty where no value is missing.
    pub(super) definition: Vec<u32>,
    pub(super) values: Vec<Range<usize>>,
}

/// The entries of a map's rows: where each row's end.
pub(super) type Ends = Vec<i32>;

/// What takes rows that pass, and the number of an entry in its row; 0 where there are no entries.
pub(super) type EachPassing<'a> = &'a mut dyn FnMut(Range<usize>, u32) -> Option<()>;

/// What takes a value.
type Each<'a> = &'a mut dyn FnMut(&[u8]) -> Option<()>;

/// A page of more values, of which there are none, is left to the crate: levels of single rows may be as many as its header says.
pub(super) const MAX_VALUES: usize = 1 << 22;

/// The numbers that the format has for encodings and for the one of levels.
const PLAIN: u64 = 0;
const PLAIN_DICTIONARY: u64 = 2;
const RLE: u64 = 3;
const DELTA_BINARY_PACKED: u64 = 5;
const DELTA_LENGTH_BYTE_ARRAY: u64 = 6;
const RLE_DICTIONARY: u64 = 8;

// === impl Page ===

impl<'a> Page<'a> {
    /// `None` for pages that this program does not write.
    pub(super) fn new(header: &Header, column: &'a ColumnDescriptor, bytes: &'a [u8]) -> Option<Self> {
        let encoding = match header.encoding {
            PLAIN => Encoding::PLAIN,
            PLAIN_DICTIONARY | RLE_DICTIONARY => Encoding::RLE_DICTIONARY,
            DELTA_BINARY_PACKED => Encoding::DELTA_BINARY_PACKED,
            DELTA_LENGTH_BYTE_ARRAY => Encoding::DELTA_LENGTH_BYTE_ARRAY,
            _ => return None,
        };
        let is_data = header.kind == header::DATA && (header.definition, header.repetition) == (RLE, RLE);
        if !is_data || header.values > MAX_VALUES {
            return None;
        }
        let (repetition, rest) = levels(bytes, column.max_rep_level())?;
        let (definition, values) = levels(rest, column.max_def_level())?;
        Some(Self { column, encoding, count: header.values, repetition, definition, values })
    }

    /// Hands the values of some rows, by their numbers in the page, to `sink`; of a map, their ends to `ends`.
    pub(super) fn gather(&self, rows: &[Range<usize>], dictionary: Option<&Dictionary>, sink: &mut Sink, ends: &mut Ends) -> Option<()> {
        let levels = self.levels(rows)?;
        let most = u32::try_from(self.column.max_def_level()).ok()?;
        let is_map = self.column.max_rep_level() > 0;
        // Of a map, level 0 is a row without entries.
        let mut definition = levels.definition.iter().copied().filter(|level| !is_map || *level > 0);
        self.values(&levels.values, dictionary, &mut |value| {
            while most > 0 && definition.next()? < most {
                sink.null();
            }
            sink.value(value)
        })?;
        for level in definition {
            if level >= most {
                return None;
            }
            sink.null();
        }
        for (repetition, definition) in levels.repetition.iter().zip(&levels.definition) {
            let end = ends.last().copied().unwrap_or(0);
            if *repetition == 0 {
                ends.push(end);
            }
            let end = ends.last_mut()?;
            *end = end.checked_add(i32::from(*definition > 0))?;
        }
        Some(())
    }

    /// Hands over those of some rows, by their numbers in the page, that have a value that passes.
    pub(super) fn passing(&self, rows: &[Range<usize>], asked: Asked<'_>, found: EachPassing<'_>) -> Option<()> {
        if rows.last().is_some_and(|last| last.end > self.count) {
            return None;
        }
        if self.column.max_rep_level() > 0 {
            return self.entries_passing(rows, asked, found);
        }
        let most = u32::try_from(self.column.max_def_level()).ok()?;
        let is_coded = self.encoding == Encoding::RLE_DICTIONARY;
        let mut definition = Walk::new(self.definition, u32::BITS - most.leading_zeros())?;
        if is_coded && (most == 0 || definition.count(self.count, most)? == self.count) {
            return self.coded_passing(rows, asked.known, found);
        }
        let levels = self.levels(rows)?;
        let mut there = rows.iter().cloned().flatten().collect::<Vec<_>>();
        if most > 0 {
            let mut levels = levels.definition.iter();
            there.retain(|_| levels.next() == Some(&most));
        }
        let mut there = there.into_iter();
        if is_coded {
            let mut codes = Vec::with_capacity(there.len());
            self.codes(&levels.values, &mut codes)?;
            return codes
                .into_iter()
                .zip(there)
                .try_for_each(|(code, row)| if asked.known.passes(code as usize)? { found(row..row + 1, 0) } else { Some(()) });
        }
        self.values(&levels.values, None, &mut |value| {
            let row = there.next()?;
            if (asked.pass)(value) { found(row..row + 1, 0) } else { Some(()) }
        })
    }

    /// The same where every row has a value by its number.
    fn coded_passing(&self, rows: &[Range<usize>], known: &Passing, found: EachPassing<'_>) -> Option<()> {
        let (width, codes) = self.values.split_first()?;
        let (mut codes, mut row) = (Walk::new(codes, u32::from(*width))?, 0);
        for rows in rows {
            codes.skip(rows.start.checked_sub(row)?)?;
            codes.passing(rows.len(), known, &mut |places| found(rows.start + places.start..rows.start + places.end, 0))?;
            row = rows.end;
        }
        Some(())
    }

    pub(super) fn levels(&self, rows: &[Range<usize>]) -> Option<Levels> {
        let mut found = Levels { repetition: Vec::new(), definition: Vec::new(), values: Vec::with_capacity(rows.len()) };
        let (mut repetition, mut row, mut at) = (Walk::new(self.repetition, 1)?, 0, 0);
        let most = u32::try_from(self.column.max_def_level()).ok()?;
        let mut definition = Walk::new(self.definition, u32::BITS - most.leading_zeros())?;
        let mut before = 0;
        for rows in rows {
            let (skipped, mut wanted) = (rows.start.checked_sub(row)?, rows.len());
            let mut over = skipped;
            if self.column.max_rep_level() > 0 {
                over = repetition.rows(skipped, self.count - at)?;
                wanted = repetition.clone().rows(wanted, self.count - at - over)?;
                repetition.take(wanted, &mut found.repetition)?;
            }
            at += over;
            if most == 0 {
                found.values.push(at..at + wanted);
            } else {
                before += definition.count(over, most)?;
                let known = found.definition.len();
                definition.take(wanted, &mut found.definition)?;
                let there = found.definition.iter().skip(known).filter(|level| **level == most).count();
                found.values.push(before..before + there);
                before += there;
            }
            at += wanted;
            row = rows.end;
        }
        (at <= self.count).then_some(found)
    }

    pub(super) fn values(&self, wanted: &[Range<usize>], dictionary: Option<&Dictionary>, each: Each<'_>) -> Option<()> {
        let end = wanted.iter().rfind(|range| !range.is_empty()).map_or(0, |range| range.end);
        if end == 0 {
            return Some(());
        }
        match (self.encoding, self.column.physical_type()) {
            (Encoding::RLE_DICTIONARY, _) => self.coded(wanted, dictionary?, each),
            (Encoding::PLAIN, Type::BYTE_ARRAY) => texts(self.values, wanted, end, each),
            (Encoding::PLAIN, Type::BOOLEAN) => {
                let mut places = wanted.iter().cloned().flatten();
                (end <= self.values.len() * 8).then_some(())?;
                places.try_for_each(|at| each(&[u8::try_from(bits(self.values, at, 1)).ok()?]))
            }
            (Encoding::PLAIN, _) => {
                let width = width_of(self.column)?;
                let mut places = wanted.iter().cloned().flatten();
                places.try_for_each(|at| each(self.values.get(at * width..(at + 1) * width)?))
            }
            (Encoding::DELTA_BINARY_PACKED, Type::INT64) => some_sums(self.values, wanted, |number| each(&number.to_le_bytes())),
            (Encoding::DELTA_LENGTH_BYTE_ARRAY, Type::BYTE_ARRAY) => behind_lengths(self.values, wanted, each),
            _ => None,
        }
    }

    fn coded(&self, wanted: &[Range<usize>], dictionary: &Dictionary, each: Each<'_>) -> Option<()> {
        let mut codes = Vec::new();
        self.codes(wanted, &mut codes)?;
        codes.into_iter().try_for_each(|code| each(dictionary.value(code)?))
    }

    /// The numbers of some values.
    fn codes(&self, wanted: &[Range<usize>], codes: &mut Vec<u32>) -> Option<()> {
        let (width, packed) = self.values.split_first()?;
        let (mut walk, mut at) = (Walk::new(packed, u32::from(*width))?, 0);
        for range in wanted.iter().filter(|range| !range.is_empty()) {
            walk.skip(range.start.checked_sub(at)?)?;
            walk.take(range.len(), codes)?;
            at = range.end;
        }
        Some(())
    }
}

/// The levels at the start of a page, and what is behind them.
fn levels(bytes: &[u8], most: i16) -> Option<(&[u8], &[u8])> {
    if most == 0 {
        return Some((&[], bytes));
    }
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_le_bytes(*length) as usize)
}

/// Bytes of a value of a type whose values are all of one length.
pub(super) fn width_of(column: &ColumnDescriptor) -> Option<usize> {
    match column.physical_type() {
        Type::INT32 => Some(4),
        Type::INT64 | Type::DOUBLE => Some(8),
        Type::FIXED_LEN_BYTE_ARRAY => usize::try_from(column.type_length()).ok(),
        _ => None,
    }
}

/// Values behind their lengths.
fn texts(mut rest: &[u8], wanted: &[Range<usize>], end: usize, each: Each<'_>) -> Option<()> {
    let mut place = Place::new(wanted);
    for _ in 0..end {
        let (length, behind) = rest.split_first_chunk::<4>()?;
        let (value, behind) = behind.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        rest = behind;
        if place.is_wanted() {
            each(value)?;
        }
    }
    Some(())
}

/// Values behind the lengths of all.
fn behind_lengths(bytes: &[u8], wanted: &[Range<usize>], each: Each<'_>) -> Option<()> {
    let (mut place, mut found, mut start) = (Place::new(wanted), Vec::new(), 0_usize);
    let values = sums(bytes, usize::MAX, |length| {
        let end = start.checked_add(usize::try_from(length).ok()?)?;
        if place.is_wanted() {
            found.push(start..end);
        }
        start = end;
        Some(())
    })?;
    place.is_at(wanted.iter().rfind(|range| !range.is_empty()).map_or(0, |range| range.end))?;
    found.into_iter().try_for_each(|range| each(values.get(range)?))
}

/// Goes over values in order, of which some are wanted.
struct Place<'a> {
    at: usize,
    wanted: &'a [Range<usize>],
}

impl<'a> Place<'a> {
    fn new(wanted: &'a [Range<usize>]) -> Self {
        Self { at: 0, wanted }
    }

    /// Whether the next value is.
    #[inline]
    fn is_wanted(&mut self) -> bool {
        let at = self.at;
        self.at += 1;
        while let Some((first, rest)) = self.wanted.split_first() {
            if at < first.end {
                return at >= first.start;
            }
            self.wanted = rest;
        }
        false
    }

    /// Fails when there were fewer values.
    fn is_at(&self, end: usize) -> Option<()> {
        (self.at >= end).then_some(())
    }
}
