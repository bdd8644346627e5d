//! Visits the attributes in the columns of a batch.

use std::collections::HashMap;
use std::ops::Range;

use arrow::array::{Array, AsArray, BinaryViewArray, RecordBatch, StringViewArray};

use crate::attributes::{Attributes, Map};
use crate::encoded::{self, Any, MAX_DEPTH};
use crate::schema::column;
use crate::spread::{Spread, place_of_view};

use super::catalogue::{self, Seen};
use super::granules;
use super::hash::{Owner, Scalar, key_hash, value_hash};

/// The columns that hold attributes.
#[derive(Debug)]
pub(super) struct Columns<'a> {
    own: Attributes<'a>,
    pub(super) resources: &'a BinaryViewArray,
    pub(super) scopes: &'a BinaryViewArray,
    /// Of spans.
    events: Option<&'a BinaryViewArray>,
    links: Option<&'a BinaryViewArray>,
}

/// Keys of one batch by their views. Equal keys of a request or of a page of a segment have equal views, mostly.
#[derive(Debug, Default)]
pub(super) struct KnownKeys {
    keys: HashMap<(u8, u128), Key, Spread>,
    /// Texts of one granule by the views of key and value: their places in `texts`.
    places: HashMap<(u128, u128), usize, Spread>,
    /// An entry with each text, and how many there are.
    texts: Vec<(usize, u64)>,
    /// Places that were looked up lately, by a hash that costs next to nothing.
    recent: Vec<Recent>,
    /// Which use of `places` it is.
    turn: u32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Recent {
    key: u128,
    value: u128,
    place: usize,
    turn: u32,
}

/// A power of two.
const RECENT: usize = 1_024;

#[derive(Clone, Copy, Debug)]
struct Key {
    hash: u64,
    /// Its place in the catalogue, unless that is full.
    place: Option<usize>,
    /// The last granule that it was noted for.
    granule: u32,
}

// === impl KnownKeys ===

impl KnownKeys {
    /// Forgets the texts of the granule before.
    fn begin(&mut self) {
        self.places.clear();
        self.turn += 1;
        self.recent.resize(RECENT, Recent::default());
    }

    /// The place of a text that has these views; `next` when it is new.
    #[inline]
    fn place(&mut self, key: u128, value: u128, next: usize) -> usize {
        let turn = self.turn;
        let Some(recent) = self.recent.get_mut(place_of_view(key.rotate_left(17) ^ value, RECENT.ilog2())) else { return next };
        if (recent.turn, recent.key, recent.value) == (turn, key, value) {
            return recent.place;
        }
        let place = *self.places.entry((key, value)).or_insert(next);
        *recent = Recent { key, value, place, turn };
        place
    }
}

// === impl Columns ===

impl<'a> Columns<'a> {
    /// `None` when a column is missing or of another type.
    pub(super) fn of(batch: &'a RecordBatch) -> Option<Self> {
        Some(Self {
            own: Attributes::of(batch).ok()?,
            resources: batch.column_by_name(column::RESOURCE)?.as_binary_view_opt()?,
            scopes: batch.column_by_name(column::SCOPE)?.as_binary_view_opt()?,
            events: batch.column_by_name(column::EVENTS).and_then(|events| events.as_binary_view_opt()),
            links: batch.column_by_name(column::LINKS).and_then(|links| links.as_binary_view_opt()),
        })
    }
}

/// Notes the attributes of the records in `rows`, which lie in one granule.
pub(super) fn record(
    columns: &Columns<'_>,
    rows: Range<usize>,
    keys: &mut KnownKeys,
    catalogue: &mut catalogue::Builder,
    granules: &mut granules::Builder,
) {
    let mut visit = Visit { keys, catalogue, granules };
    let Attributes { texts, ints, doubles, bools, any } = &columns.own;
    visit.texts(texts, &rows);
    visit.map(1, ints, &rows, |values, at| Some(Scalar::Int(values.value(at))));
    visit.map(2, doubles, &rows, |values, at| Some(Scalar::Double(values.value(at))));
    visit.map(3, bools, &rows, |values, at| Some(Scalar::Bool(values.value(at))));
    for at in any.entries(&rows) {
        let key = visit.key(4, any.keys, at);
        if let Some(place) = key.place {
            visit.catalogue.other(place, 1);
        }
        if any.values.is_valid(at) {
            encoded(key.hash, any.values.value(at), 0, &mut |hash, _| visit.granules.insert(hash));
        }
    }
}

/// Notes the attributes of events and links of the spans in `rows`, which lie in one granule.
pub(super) fn nested(columns: &Columns<'_>, rows: Range<usize>, catalogue: &mut catalogue::Builder, granules: &mut granules::Builder) {
    for (owner, array) in [(Owner::Event, columns.events), (Owner::Link, columns.links)] {
        let Some(array) = array.filter(|array| array.null_count() < array.len()) else { continue };
        for row in rows.clone().filter(|row| array.is_valid(*row)) {
            let mut each = |key: &str, value: &[u8]| nested_value(owner, key, value, catalogue, granules);
            if owner == Owner::Event {
                encoded::event_attributes(array.value(row)).for_each(|(key, value)| each(key, value));
            } else {
                encoded::link_attributes(array.value(row)).for_each(|(key, value)| each(key, value));
            }
        }
    }
}

fn nested_value(owner: Owner, key: &str, value: &[u8], catalogue: &mut catalogue::Builder, granules: &mut granules::Builder) {
    let hash = key_hash(owner, key);
    granules.insert(hash);
    let place = catalogue.place(owner, key, hash);
    let mut listed = false;
    encoded(hash, value, 0, &mut |hash, scalar| {
        granules.insert(hash);
        if let (Some(scalar), Some(place)) = (scalar, place) {
            catalogue.value(place, Some(hash), scalar, 1);
            listed = true;
        }
    });
    if let (false, Some(place)) = (listed, place) {
        catalogue.other(place, 1);
    }
}

/// What is written down while attributes are visited.
struct Visit<'a> {
    keys: &'a mut KnownKeys,
    catalogue: &'a mut catalogue::Builder,
    granules: &'a mut granules::Builder,
}

impl Visit<'_> {
    fn map<'v, V: Array + 'static>(
        &mut self,
        map: u8,
        of: &Map<'v, V>,
        rows: &Range<usize>,
        value: impl Fn(&'v V, usize) -> Option<Scalar<'v>>,
    ) {
        for at in of.entries(rows) {
            let value = of.values.is_valid(at).then(|| value(of.values, at)).flatten();
            self.entry(map, of.keys, at, value, 1);
        }
    }

    /// As [`Self::map`], but equal texts are noted together: equal views of one array are equal texts.
    fn texts(&mut self, of: &Map<'_, StringViewArray>, rows: &Range<usize>) {
        let keys = &mut *self.keys;
        keys.begin();
        let mut texts = std::mem::take(&mut keys.texts);
        let entries = of.entries(rows);
        let names = of.keys.views().get(entries.clone()).unwrap_or_default();
        let values = of.values.views().get(entries.clone()).unwrap_or_default();
        for (at, (key, value)) in entries.zip(names.iter().zip(values)) {
            let value = if of.values.is_valid(at) { *value } else { u128::MAX };
            let place = keys.place(*key, value, texts.len());
            match texts.get_mut(place) {
                Some((_, count)) => *count += 1,
                None => texts.push((at, 1)),
            }
        }
        for (at, count) in texts.drain(..) {
            let value = of.values.is_valid(at).then(|| Scalar::Text(of.values.value(at)));
            self.entry(0, of.keys, at, value, count);
        }
        self.keys.texts = texts;
    }

    /// Notes an entry and `count - 1` equal ones.
    fn entry(&mut self, map: u8, keys: &StringViewArray, at: usize, value: Option<Scalar<'_>>, count: u64) {
        let key = self.key(map, keys, at);
        let Some(value) = value else {
            // Nothing that a search finds, but the list of values is not whole without it.
            key.place.into_iter().for_each(|place| self.catalogue.other(place, count));
            return;
        };
        let hash = value_hash(key.hash, value);
        let seen = key.place.map_or(Seen::First, |place| self.catalogue.value(place, hash, value, count));
        if let (Seen::First, Some(hash)) = (seen, hash) {
            self.granules.insert(hash);
        }
    }

    /// The key of an entry; its hash is noted once per granule.
    fn key(&mut self, map: u8, keys: &StringViewArray, at: usize) -> Key {
        let granule = self.catalogue.granule();
        let view = keys.views().get(at).copied().unwrap_or_default();
        let (catalogue, granules) = (&mut *self.catalogue, &mut *self.granules);
        let key = self.keys.keys.entry((map, view)).or_insert_with(|| {
            let text = keys.value(at);
            let hash = key_hash(Owner::Record, text);
            Key { hash, place: catalogue.place(Owner::Record, text, hash), granule: u32::MAX }
        });
        if key.granule != granule {
            key.granule = granule;
            granules.insert(key.hash);
        }
        *key
    }
}

/// Hashes of the scalars in an encoded `AnyValue`: itself, or the elements of arrays as deep as comparisons look.
pub(super) fn encoded(key_hash: u64, value: &[u8], depth: usize, each: &mut impl FnMut(u64, Option<Scalar<'_>>)) {
    let scalar = match encoded::any(value) {
        Any::Text(text) => Scalar::Text(text),
        Any::Int(int) => Scalar::Int(int),
        Any::Double(double) => Scalar::Double(double),
        Any::Bool(flag) => Scalar::Bool(flag),
        Any::Array(array) if depth < MAX_DEPTH => {
            return encoded::elements(array).for_each(|element| encoded(key_hash, element, depth + 1, each));
        }
        _ => return,
    };
    if let Some(hash) = value_hash(key_hash, scalar) {
        each(hash, (depth == 0).then_some(scalar));
    }
}
