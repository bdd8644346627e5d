//! Counts of durations by size: within 1 %, and what was added can be taken off again with nothing left of it.
//!
//! A value below 128 has a bucket of its own. Above, each power of two is divided into 64 equal buckets, so that the middle of a bucket
//! is at most 1 in 128 away from every value in it. Buckets are found with integers alone.

use super::numbers::{Reader, put_pairs};

/// Counts by bucket.
#[derive(Clone, Debug, Default)]
pub(crate) struct Buckets {
    form: Form,
    count: u64,
}

#[derive(Clone, Debug)]
enum Form {
    /// Few different buckets, sorted, with their counts; none is zero.
    Few(Vec<(u16, u64)>),
    /// The counts of this bucket and those that follow.
    Many(u16, Vec<u64>),
    /// As they are written (`rollup/numbers.rs`), without how many there are: a tenth of the memory, for those that are only read.
    Packed(Box<[u8]>),
}

/// Takes buckets off what is written.
#[derive(Clone, Debug)]
struct Unpacking<'a> {
    reader: Reader<'a>,
    bucket: u16,
}

/// Different buckets that are kept as a list.
const FEW: usize = 96;
/// Values below have their own bucket.
const EXACT: u64 = 128;
/// Buckets of one power of two, as a power of two.
const SUB_BITS: u32 = 6;
const SUBS: u64 = 1 << SUB_BITS;
/// One more than the last bucket.
pub(crate) const BUCKETS: u16 = 128 + 57 * 64;

impl PartialEq for Buckets {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Buckets {}

impl Buckets {
    /// `n` more values in a bucket.
    pub(crate) fn add(&mut self, bucket: u16, n: u64) {
        self.unpack();
        self.count += n;
        match &mut self.form {
            Form::Few(few) => match few.binary_search_by_key(&bucket, |(bucket, _)| *bucket) {
                Ok(at) => few.get_mut(at).into_iter().for_each(|(_, count)| *count += n),
                Err(at) => few.insert(at, (bucket, n)),
            },
            Form::Many(first, many) => spread(first, many, bucket, n),
            Form::Packed(_) => {}
        }
        if let Form::Few(few) = &mut self.form
            && few.len() > FEW
        {
            self.form = spread_out(std::mem::take(few));
        }
    }

    /// `n` values less. False, and nothing happens, when there are not so many.
    pub(crate) fn remove(&mut self, bucket: u16, n: u64) -> bool {
        self.unpack();
        let place = match &mut self.form {
            Form::Few(few) => few.binary_search_by_key(&bucket, |(bucket, _)| *bucket).ok().and_then(|at| few.get_mut(at)).map(|(_, n)| n),
            Form::Many(first, many) => bucket.checked_sub(*first).and_then(|at| many.get_mut(usize::from(at))),
            Form::Packed(_) => None,
        };
        let Some(known) = place.filter(|known| **known >= n) else { return false };
        *known -= n;
        self.count -= n;
        if let Form::Few(few) = &mut self.form {
            few.retain(|(_, n)| *n > 0);
        }
        true
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        if self.count == 0 {
            *self = other.clone();
            return;
        }
        other.iter().for_each(|(bucket, n)| self.add(bucket, n));
    }

    /// How many values.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Buckets that are not empty, in order, with their counts.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u16, u64)> + Clone + '_ {
        let few: &[(u16, u64)] = if let Form::Few(few) = &self.form { few } else { &[] };
        let (first, many): (u16, &[u64]) = if let Form::Many(first, many) = &self.form { (*first, many) } else { (0, &[]) };
        let packed: &[u8] = if let Form::Packed(packed) = &self.form { packed } else { &[] };
        let many = (first..).zip(many).filter(|(_, n)| **n > 0).map(|(bucket, n)| (bucket, *n));
        few.iter().copied().chain(many).chain(Unpacking { reader: Reader::new(packed), bucket: 0 })
    }

    /// The middle of the bucket that the share `q` of all values does not exceed; zero when there are none.
    pub(crate) fn quantile(&self, q: f64) -> u64 {
        self.at(rank(q, self.count)).map_or(0, middle_of)
    }

    /// The bucket of the value with a rank, counted from zero.
    pub(super) fn at(&self, rank: u64) -> Option<u16> {
        let mut seen = 0;
        let mut iter = self.iter();
        iter.find(|(_, n)| {
            seen += n;
            seen > rank
        })
        .map(|(bucket, _)| bucket)
    }

    /// From its parts; `None` when they are none.
    pub(crate) fn from_parts(buckets: Vec<(u16, u64)>) -> Option<Self> {
        let sorted = buckets.windows(2).all(|pair| matches!(pair, [a, b] if a.0 < b.0));
        let fits = buckets.last().is_none_or(|(last, _)| *last < BUCKETS);
        let count = buckets.iter().try_fold(0_u64, |sum, (_, n)| sum.checked_add(*n).filter(|_| *n > 0))?;
        if !(sorted && fits) {
            return None;
        }
        let form = if buckets.len() <= FEW { Form::Few(buckets) } else { spread_out(buckets) };
        Some(Self { form, count })
    }

    /// As they are written, to be read only; `None` when they are none.
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let (mut rest, mut bucket, mut count) = (*reader, 0_u16, 0_u64);
        let different: usize = rest.count(usize::from(BUCKETS))?;
        *reader = rest;
        for at in 0..different {
            let further: u16 = rest.number().filter(|further| at == 0 || *further > 0)?;
            bucket = bucket.checked_add(further).filter(|bucket| *bucket < BUCKETS)?;
            count = rest.number().filter(|n| *n > 0).and_then(|n| count.checked_add(n))?;
        }
        let packed = reader.take(reader.left() - rest.left())?;
        Some(Self { form: Form::Packed(packed.into()), count })
    }

    /// The same in as little memory as there is.
    pub(super) fn pack(&mut self) {
        if matches!(self.form, Form::Packed(_)) {
            return;
        }
        let mut packed = Vec::new();
        put_pairs(&mut packed, self.iter());
        self.form = Form::Packed(packed.into());
    }

    /// Bytes of memory beside itself.
    pub(crate) fn heap_bytes(&self) -> usize {
        match &self.form {
            Form::Few(few) => few.capacity() * size_of::<(u16, u64)>(),
            Form::Many(_, many) => many.capacity() * size_of::<u64>(),
            Form::Packed(packed) => packed.len(),
        }
    }

    fn unpack(&mut self) {
        if matches!(self.form, Form::Packed(_)) {
            let buckets: Vec<(u16, u64)> = self.iter().collect();
            self.form = if buckets.len() <= FEW { Form::Few(buckets) } else { spread_out(buckets) };
        }
    }
}

impl Default for Form {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Iterator for Unpacking<'_> {
    type Item = (u16, u64);

    fn next(&mut self) -> Option<(u16, u64)> {
        if self.reader.is_empty() {
            return None;
        }
        self.bucket = self.bucket.checked_add(self.reader.number()?)?;
        Some((self.bucket, self.reader.number()?))
    }
}

fn spread_out(buckets: Vec<(u16, u64)>) -> Form {
    let (mut first, mut many) = (0, Vec::new());
    buckets.into_iter().for_each(|(bucket, n)| spread(&mut first, &mut many, bucket, n));
    Form::Many(first, many)
}

/// Adds to the counts of `first` and the buckets that follow.
fn spread(first: &mut u16, many: &mut Vec<u64>, bucket: u16, n: u64) {
    if many.is_empty() {
        *first = bucket;
    }
    if bucket < *first {
        let missing = usize::from(*first - bucket);
        many.splice(0..0, std::iter::repeat_n(0, missing));
        *first = bucket;
    }
    let place = usize::from(bucket - *first);
    if place >= many.len() {
        many.resize(place + 1, 0);
    }
    if let Some(count) = many.get_mut(place) {
        *count += n;
    }
}

/// Nearest rank, counted from zero.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rank may be off by 2^-52 of the count"
)]
pub(crate) fn rank(q: f64, count: u64) -> u64 {
    ((q * count as f64).ceil() as u64).clamp(1, count.max(1)) - 1
}

/// The bucket of a value.
pub(crate) fn bucket_of(value: u64) -> u16 {
    if value < EXACT {
        return u16::try_from(value).unwrap_or_default();
    }
    let exponent = value.ilog2();
    let sub = (value >> (exponent - SUB_BITS)) & (SUBS - 1);
    let bucket = EXACT + u64::from(exponent - SUB_BITS - 1) * SUBS + sub;
    u16::try_from(bucket).unwrap_or(BUCKETS - 1)
}

/// The smallest value of a bucket, and how many values it holds.
pub(crate) fn bounds_of(bucket: u16) -> (u64, u64) {
    let bucket = u64::from(bucket);
    let Some(above) = bucket.checked_sub(EXACT) else { return (bucket, 1) };
    let shift = u32::try_from(above / SUBS).unwrap_or_default() + 1;
    let lower = (SUBS + above % SUBS).checked_shl(shift).unwrap_or(u64::MAX);
    (lower, 1_u64.checked_shl(shift).unwrap_or(1))
}

pub(super) fn middle_of(bucket: u16) -> u64 {
    let (lower, width) = bounds_of(bucket);
    lower.saturating_add(width / 2)
}

#[cfg(test)]
mod tests;
