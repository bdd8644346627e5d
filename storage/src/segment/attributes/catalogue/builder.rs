//! Counts keys and values while rows are written, and adds up what segments counted that are put one behind the other.

use std::collections::HashMap;

use super::super::hash::{Owner, Scalar, key_hash, value_hash};
use super::{Catalogue, Entry, Kind, Listed, VERSION, Values};
use crate::spread::Spread;

/// Whether a value must be noted for the current granule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Seen {
    /// Possibly the first time.
    First,
    /// Certainly again.
    Again,
}

/// Counts values as rows are written.
#[derive(Debug, Default)]
pub(in super::super) struct Builder {
    granule: u32,
    places: HashMap<u64, usize, Spread>,
    keys: Vec<KeyState>,
    incomplete: Vec<Owner>,
}

#[derive(Debug)]
struct KeyState {
    owner: Owner,
    key: String,
    types: [Option<Box<Counts>>; 4],
    other: u64,
}

#[derive(Debug, Default)]
struct Counts {
    count: u64,
    bytes: u64,
    bounds: Option<(Listed, Listed)>,
    candidates: HashMap<u64, Candidate, Spread>,
    /// Largest run of zeros by group of hashes, once there are more values than candidates.
    sketch: Option<Box<[u8; SKETCH]>>,
    /// Whether a value is not among the candidates.
    overflowed: bool,
}

#[derive(Debug)]
struct Candidate {
    value: Listed,
    count: u64,
    granule: u32,
}

const MAX_KEYS: usize = 4_096;
const MAX_CANDIDATES: usize = 128;
const MAX_LISTED: usize = 64;
const MAX_VALUE_BYTES: usize = 128;
const MAX_BYTES: usize = 1 << 20;
const SKETCH: usize = 256;
/// The character of 0; those of all others up to 57 are letters and signs.
const SKETCH_ZERO: u8 = b'0';

// === impl Builder ===

impl Builder {
    pub(in super::super) fn granule(&self) -> u32 {
        self.granule
    }

    pub(in super::super) fn next_granule(&mut self) {
        self.granule += 1;
    }

    /// The place of a key, which `hash` is the hash of; `None` when there is none left.
    pub(in super::super) fn place(&mut self, owner: Owner, key: &str, hash: u64) -> Option<usize> {
        let known = self.places.get(&hash).and_then(|place| Some((*place, self.keys.get(*place)?)));
        match known {
            Some((place, state)) if state.owner == owner && state.key == key => return Some(place),
            None if self.keys.len() < MAX_KEYS => {}
            // Full, or two keys of one hash.
            _ => {
                if !self.incomplete.contains(&owner) {
                    self.incomplete.push(owner);
                }
                return None;
            }
        }
        self.keys.push(KeyState { owner, key: key.to_owned(), types: [const { None }; 4], other: 0 });
        self.places.insert(hash, self.keys.len() - 1);
        Some(self.keys.len() - 1)
    }

    /// Counts `rows` rows with a value whose hash is `hash`.
    pub(in super::super) fn value(&mut self, place: usize, hash: Option<u64>, value: Scalar<'_>, rows: u64) -> Seen {
        let granule = self.granule;
        let Some(counts) = self.keys.get_mut(place).and_then(|key| key.types.get_mut(kind_of(value) as usize)) else { return Seen::First };
        counts.get_or_insert_default().add(hash, value, rows, granule)
    }

    /// Counts values that are not listed.
    pub(in super::super) fn other(&mut self, place: usize, rows: u64) {
        if let Some(key) = self.keys.get_mut(place) {
            key.other += rows;
        }
    }

    /// Adds what another segment counted.
    pub(in super::super) fn inherit(&mut self, other: &Catalogue) {
        other.incomplete.iter().for_each(|owner| self.leave_out(*owner));
        for entry in &other.entries {
            let hash = key_hash(entry.owner, &entry.key);
            let Some(key) = self.place(entry.owner, &entry.key, hash).and_then(|place| self.keys.get_mut(place)) else { continue };
            for values in &entry.types {
                match key.types.get_mut(values.kind as usize) {
                    Some(counts) => counts.get_or_insert_default().inherit(values, hash),
                    None => key.other += values.count,
                }
            }
        }
    }

    /// Says that keys of an owner are missing.
    pub(in super::super) fn leave_out(&mut self, owner: Owner) {
        if !self.incomplete.contains(&owner) {
            self.incomplete.push(owner);
        }
    }

    pub(in super::super) fn finish(self) -> Catalogue {
        let mut bytes = 0;
        let mut entries: Vec<Entry> = self.keys.into_iter().map(|key| key.finish(&mut bytes)).collect();
        entries.sort_unstable_by(|a, b| (a.owner, &a.key).cmp(&(b.owner, &b.key)));
        Catalogue { entries, incomplete: self.incomplete, version: VERSION }
    }
}

// === impl KeyState ===

impl KeyState {
    fn finish(self, bytes: &mut usize) -> Entry {
        let kinds = [Kind::Text, Kind::Int, Kind::Double, Kind::Bool];
        let mut types: Vec<Values> =
            kinds.into_iter().zip(self.types).filter_map(|(kind, counts)| Some(counts?.finish(kind, bytes))).collect();
        if self.other > 0 {
            let (top, sketch) = (Vec::new(), String::new());
            types.push(Values { kind: Kind::Other, count: self.other, bytes: 0, distinct: 0, bounds: None, top, complete: false, sketch });
        }
        Entry { owner: self.owner, key: self.key, types }
    }
}

// === impl Counts ===

impl Counts {
    fn add(&mut self, hash: Option<u64>, value: Scalar<'_>, rows: u64, granule: u32) -> Seen {
        self.count += rows;
        if let Scalar::Text(text) = value {
            self.bytes += text.len() as u64 * rows;
        }
        // No number: equal to nothing, found by its text.
        let Some(hash) = hash else {
            self.overflowed = true;
            return Seen::First;
        };
        if let Some(candidate) = self.candidates.get_mut(&hash).filter(|candidate| candidate.value.is(value)) {
            candidate.count += rows;
            return if std::mem::replace(&mut candidate.granule, granule) == granule { Seen::Again } else { Seen::First };
        }
        self.widen(value);
        let fits = !matches!(value, Scalar::Text(text) if text.len() > MAX_VALUE_BYTES);
        if self.candidates.len() < MAX_CANDIDATES && !self.overflowed && fits && !self.candidates.contains_key(&hash) {
            self.candidates.insert(hash, Candidate { value: Listed::of(value), count: rows, granule });
        } else {
            self.overflow(hash);
        }
        Seen::First
    }

    fn inherit(&mut self, other: &Values, key_hash: u64) {
        self.count += other.count;
        self.bytes += other.bytes;
        for bound in other.bounds.iter().flat_map(|(min, max)| [min, max]) {
            self.widen(bound.scalar());
        }
        for (value, rows) in &other.top {
            let Some(hash) = value_hash(key_hash, value.scalar()) else { continue };
            let has_room = self.candidates.len() < MAX_CANDIDATES;
            match self.candidates.get_mut(&hash) {
                Some(candidate) if candidate.value == *value => candidate.count += rows,
                None if has_room => {
                    self.candidates.insert(hash, Candidate { value: value.clone(), count: *rows, granule: 0 });
                }
                _ => self.overflow(hash),
            }
        }
        if !other.complete {
            self.overflowed = true;
            let sketch = self.sketch.get_or_insert_with(|| Box::new([0; SKETCH]));
            for (cell, zeros) in sketch.iter_mut().zip(other.sketch.bytes()) {
                *cell = zeros.saturating_sub(SKETCH_ZERO).max(*cell);
            }
        }
        if let Some(sketch) = &mut self.sketch {
            self.candidates.keys().for_each(|hash| note(sketch, *hash));
        }
    }

    fn overflow(&mut self, hash: u64) {
        self.overflowed = true;
        let candidates = &self.candidates;
        let sketch = self.sketch.get_or_insert_with(|| {
            let mut sketch = Box::new([0; SKETCH]);
            candidates.keys().for_each(|hash| note(&mut sketch, *hash));
            sketch
        });
        note(sketch, hash);
    }

    fn widen(&mut self, value: Scalar<'_>) {
        let (below, above) = match (&self.bounds, value) {
            (None, Scalar::Int(_) | Scalar::Double(_)) => (true, true),
            (Some((Listed::Int(min), Listed::Int(max))), Scalar::Int(value)) => (value < *min, value > *max),
            (Some((Listed::Double(min), Listed::Double(max))), Scalar::Double(value)) => {
                (value < f64::from_bits(*min), value > f64::from_bits(*max))
            }
            _ => return,
        };
        let listed = || Listed::of(value);
        let bounds = self.bounds.get_or_insert_with(|| (listed(), listed()));
        if below {
            bounds.0 = listed();
        }
        if above {
            bounds.1 = listed();
        }
    }

    fn finish(self, kind: Kind, bytes: &mut usize) -> Values {
        let mut complete = !self.overflowed && self.candidates.len() <= MAX_LISTED;
        let distinct = self.sketch.as_ref().map_or(self.candidates.len() as u64, |sketch| estimate(sketch));
        let mut top: Vec<(Listed, u64)> = self.candidates.into_values().map(|candidate| (candidate.value, candidate.count)).collect();
        top.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        top.truncate(MAX_LISTED);
        let wanted = top.len();
        top.retain(|(value, _)| {
            *bytes += if let Listed::Text(text) = value { text.len() } else { 8 };
            *bytes <= MAX_BYTES
        });
        complete &= top.len() == wanted;
        let sketch =
            self.sketch.iter().flat_map(|sketch| sketch.iter()).map(|zeros| char::from(zeros.saturating_add(SKETCH_ZERO))).collect();
        Values { kind, count: self.count, bytes: self.bytes, distinct, bounds: self.bounds, top, complete, sketch }
    }
}

fn note(sketch: &mut [u8; SKETCH], hash: u64) {
    let zeros = u8::try_from((hash | 0xff).leading_zeros() + 1).unwrap_or(u8::MAX);
    if let Some(cell) = sketch.get_mut((hash & 0xff) as usize) {
        *cell = zeros.max(*cell);
    }
}

/// `HyperLogLog`: about 6.5 % off.
fn estimate(sketch: &[u8; SKETCH]) -> u64 {
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    let cells = SKETCH as f64;
    let sum: f64 = sketch.iter().map(|zeros| 0.5_f64.powi(i32::from(*zeros))).sum();
    let raw = 0.7213 / (1.0 + 1.079 / cells) * cells * cells / sum;
    let free = u32::try_from(sketch.iter().filter(|zeros| **zeros == 0).count()).unwrap_or_default();
    let estimate = if raw <= 2.5 * cells && free > 0 { cells * (cells / f64::from(free)).ln() } else { raw };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive, and far below 2^64")]
    let estimate = estimate.round() as u64;
    estimate
}

fn kind_of(value: Scalar<'_>) -> Kind {
    match value {
        Scalar::Text(_) => Kind::Text,
        Scalar::Int(_) => Kind::Int,
        Scalar::Double(_) => Kind::Double,
        Scalar::Bool(_) => Kind::Bool,
    }
}
