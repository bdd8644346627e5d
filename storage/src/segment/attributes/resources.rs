//! The different resources of a segment, and in which granules each occurs.
//!
//! Blob `attr.resources`, little-endian: version u32, count u32; per resource: rows u64, length u32 of its envelope, length u32 of its
//! granules, the envelope as in the column `resource`, one bit per granule from the lowest bit of the first byte. Absent when there are
//! more than 4,096 resources or 4 MiB of them.

use std::collections::HashMap;
use std::io;
use std::ops::Range;

use arrow::array::BinaryViewArray;

use crate::encoded;
use crate::spread::Spread;

use super::super::bundle::damaged;
use super::super::{RowRanges, rows};
use super::hash::{Owner, key_hash};
use super::{GRANULE_ROWS, catalogue, granules, walk};

/// Collects envelopes, of resources or of scopes.
#[derive(Debug, Default)]
pub(super) struct Builder {
    known: HashMap<Vec<u8>, usize, Spread>,
    envelopes: Vec<Envelope>,
    bytes: usize,
    overflowed: bool,
}

#[derive(Debug, Default)]
struct Envelope {
    rows: u64,
    granules: Vec<u8>,
    hashes: Vec<u64>,
}

/// The resources of an open segment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Resources {
    resources: Vec<Resource>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Resource {
    envelope: Vec<u8>,
    rows: u64,
    granules: Vec<u8>,
}

const VERSION: u32 = 1;
const MAX_ENVELOPES: usize = 4_096;
const MAX_BYTES: usize = 4 << 20;

// === impl Builder ===

impl Builder {
    /// Notes the envelopes of rows that lie in one granule.
    pub(super) fn push(
        &mut self,
        owner: Owner,
        envelopes: &BinaryViewArray,
        rows: Range<usize>,
        granule: u32,
        granules: &mut granules::Builder,
    ) {
        let mut views: HashMap<u128, (usize, u64), Spread> = HashMap::default();
        let first = rows.start;
        for (at, view) in envelopes.views().get(rows).unwrap_or_default().iter().enumerate() {
            views.entry(*view).or_insert((first + at, 0)).1 += 1;
        }
        // In the order of rows, so that the same rows make the same bytes.
        let mut first_rows: Vec<(usize, u64)> = views.into_values().collect();
        first_rows.sort_unstable();
        for (at, rows) in first_rows {
            let envelope = envelopes.value(at);
            match self.place(owner, envelope).and_then(|place| self.envelopes.get_mut(place)) {
                Some(known) => known.note(rows, granule, granules),
                // Beyond the bound the filters still know it.
                None => hashes(owner, envelope).into_iter().for_each(|hash| granules.insert(hash)),
            }
        }
    }

    fn place(&mut self, owner: Owner, envelope: &[u8]) -> Option<usize> {
        if let Some(place) = self.known.get(envelope) {
            return Some(*place);
        }
        if self.envelopes.len() >= MAX_ENVELOPES || self.bytes + envelope.len() > MAX_BYTES {
            self.overflowed = true;
            return None;
        }
        self.bytes += envelope.len();
        self.envelopes.push(Envelope { hashes: hashes(owner, envelope), ..Envelope::default() });
        self.known.insert(envelope.to_owned(), self.envelopes.len() - 1);
        Some(self.envelopes.len() - 1)
    }

    /// Adds the resources of a segment whose `rows` rows begin at `first_row`; `None` when it does not know them.
    pub(super) fn inherit(&mut self, other: Option<&Resources>, first_row: u32, rows: u32) {
        let Some(other) = other else {
            self.overflowed = true;
            return;
        };
        for resource in &other.resources {
            let place = self.place(Owner::Resource, &resource.envelope);
            let Some(known) = place.and_then(|place| self.envelopes.get_mut(place)) else { continue };
            known.rows += resource.rows;
            for range in resource.granules(rows) {
                // Granules here begin at other rows.
                let (first, last) = (first_row.saturating_add(range.start), first_row.saturating_add(range.end - 1));
                (first / GRANULE_ROWS..=last / GRANULE_ROWS).for_each(|granule| {
                    known.set(granule);
                });
            }
        }
    }

    /// Counts the attributes of all envelopes.
    pub(super) fn describe(&self, owner: Owner, catalogue: &mut catalogue::Builder) {
        if self.overflowed {
            catalogue.leave_out(owner);
        }
        let mut known: Vec<(&Vec<u8>, &usize)> = self.known.iter().collect();
        known.sort_unstable_by_key(|(_, place)| **place);
        for (envelope, place) in known {
            let rows = self.envelopes.get(*place).map_or(0, |known| known.rows);
            attributes(owner, envelope, &mut |key, value| {
                let key_hash = key_hash(owner, key);
                let Some(place) = catalogue.place(owner, key, key_hash) else { return };
                let mut listed = false;
                walk::encoded(key_hash, value, 0, &mut |hash, scalar| {
                    if let Some(scalar) = scalar {
                        catalogue.value(place, Some(hash), scalar, rows);
                        listed = true;
                    }
                });
                if !listed {
                    catalogue.other(place, rows);
                }
            });
        }
    }

    /// The blob; `None` when there are too many.
    pub(super) fn finish(self) -> Option<Vec<u8>> {
        if self.overflowed {
            return None;
        }
        let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes();
        let mut blob = VERSION.to_le_bytes().to_vec();
        blob.extend_from_slice(&number(self.known.len()));
        let mut known: Vec<(Vec<u8>, usize)> = self.known.into_iter().collect();
        known.sort_unstable_by_key(|(_, place)| *place);
        for ((envelope, _), state) in known.iter().zip(&self.envelopes) {
            blob.extend_from_slice(&state.rows.to_le_bytes());
            blob.extend_from_slice(&number(envelope.len()));
            blob.extend_from_slice(&number(state.granules.len()));
            blob.extend_from_slice(envelope);
            blob.extend_from_slice(&state.granules);
        }
        Some(blob)
    }
}

impl Envelope {
    fn note(&mut self, rows: u64, granule: u32, filter: &mut granules::Builder) {
        self.rows += rows;
        if self.set(granule) {
            self.hashes.iter().for_each(|hash| filter.insert(*hash));
        }
    }

    /// True when the granule was not set.
    fn set(&mut self, granule: u32) -> bool {
        let (byte, bit) = ((granule / 8) as usize, 1 << (granule % 8));
        if self.granules.len() <= byte {
            self.granules.resize(byte + 1, 0);
        }
        self.granules.get_mut(byte).is_some_and(|bits| {
            let new = *bits & bit == 0;
            *bits |= bit;
            new
        })
    }
}

fn hashes(owner: Owner, envelope: &[u8]) -> Vec<u64> {
    let mut hashes = Vec::new();
    attributes(owner, envelope, &mut |key, value| {
        let key_hash = key_hash(owner, key);
        hashes.push(key_hash);
        walk::encoded(key_hash, value, 0, &mut |hash, _| hashes.push(hash));
    });
    hashes
}

fn attributes(owner: Owner, envelope: &[u8], each: &mut dyn FnMut(&str, &[u8])) {
    if owner == Owner::Scope {
        encoded::scope_attributes(envelope).for_each(|(key, value)| each(key, value));
    } else {
        encoded::resource_attributes(envelope).for_each(|(key, value)| each(key, value));
    }
}

// === impl Resources ===

impl Resources {
    pub(super) fn read(blob: &[u8]) -> io::Result<Self> {
        let mut rest = blob;
        let early = || damaged("attr.resources ends early");
        if number(&mut rest).ok_or_else(early)? != VERSION as usize {
            return Err(damaged("attr.resources is of another version"));
        }
        let count = number(&mut rest).ok_or_else(early)?;
        let mut resources = Vec::with_capacity(count.min(MAX_ENVELOPES));
        for _ in 0..count {
            resources.push(Resource::read(&mut rest).ok_or_else(early)?);
        }
        Ok(Self { resources })
    }

    /// Rows of the granules with a resource whose envelope passes.
    pub(crate) fn rows(&self, rows: u32, mut pass: impl FnMut(&[u8]) -> bool) -> RowRanges {
        rows::merged(
            self.resources.iter().filter(|resource| pass(&resource.envelope)).flat_map(|resource| resource.granules(rows)).collect(),
        )
    }
}

impl Resource {
    /// Rows of its granules in a segment of so many rows.
    fn granules(&self, rows: u32) -> impl Iterator<Item = Range<u32>> + '_ {
        let set = |(byte, bits): (u32, &u8)| (0..8).filter(|bit| bits >> bit & 1 == 1).map(|bit| byte * 8 + bit).collect::<Vec<_>>();
        (0u32..).zip(&self.granules).flat_map(set).map(move |granule| {
            let start = granule.saturating_mul(GRANULE_ROWS).min(rows);
            start..start.saturating_add(GRANULE_ROWS).min(rows)
        })
    }

    fn read(rest: &mut &[u8]) -> Option<Self> {
        let (rows, after) = rest.split_first_chunk()?;
        let rows = u64::from_le_bytes(*rows);
        *rest = after;
        let (envelope, granules) = (number(rest)?, number(rest)?);
        let (envelope, after) = rest.split_at_checked(envelope)?;
        let (granules, after) = after.split_at_checked(granules)?;
        *rest = after;
        Some(Self { envelope: envelope.to_owned(), rows, granules: granules.to_owned() })
    }
}

fn number(rest: &mut &[u8]) -> Option<usize> {
    let (number, after) = rest.split_first_chunk()?;
    *rest = after;
    usize::try_from(u32::from_le_bytes(*number)).ok()
}
