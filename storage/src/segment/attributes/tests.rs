#![expect(clippy::cast_possible_truncation, reason = "numbers here are small")]

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::AsArray;
use proptest::prelude::*;

use super::catalogue::{Kind, Listed};
use super::*;
use crate::files::Place;
use crate::schema::column;
use crate::segment::fixture::{self, Dice, Shape};
use crate::segment::tests::{Folders, read};
use crate::store::Signal;

/// Writes pairs of (granule, hash) into a bundle and opens it.
fn bundle(folder: &std::path::Path, granules: &[Vec<u64>], rows: u32) -> Bundle {
    let folder = Place::real(folder);
    let path = folder.join("granules.idx");
    let mut bundle = BundleWriter::create(folder.join("granules.tmp")).unwrap();
    let mut builder = granules::Builder::default();
    for (number, hashes) in granules.iter().enumerate() {
        hashes.iter().for_each(|hash| builder.insert(*hash));
        builder.advance(GRANULE_ROWS.min(rows - number as u32 * GRANULE_ROWS));
        if (number as u32 + 1) * GRANULE_ROWS <= rows {
            builder.next_granule(&mut bundle).unwrap();
        }
    }
    builder.finish(&mut bundle).unwrap();
    let synced = bundle.finish().unwrap();
    let len = synced.len;
    synced.rename(&path).unwrap();
    Bundle::open(&path, len).unwrap()
}

fn index(bundle: &Bundle) -> AttributeIndex {
    let (index, damage) = AttributeIndex::open(bundle);
    assert!(damage.is_none());
    index
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn a_hash_is_found_in_every_granule_that_has_it(seed: u64, granules in 1usize..70, different in 1u64..3_000, last in 1..GRANULE_ROWS) {
        let folder = tempfile::tempdir().unwrap();
        let mut dice = Dice(seed);
        let hash = |number: u64| Dice(number).roll();
        let mut expected: BTreeMap<u64, BTreeSet<u32>> = BTreeMap::new();
        let content: Vec<Vec<u64>> = (0..granules as u32).map(|granule| {
            (0..dice.below(900)).map(|_| {
                // Some hashes are everywhere, most in one place.
                let number = if dice.below(3) == 0 { dice.below(5) } else { dice.below(different * 40) };
                expected.entry(number).or_default().insert(granule);
                hash(number)
            }).collect()
        }).collect();
        let rows = (granules as u32 - 1) * GRANULE_ROWS + last;
        let index = index(&bundle(folder.path(), &content, rows));
        for (number, granules) in &expected {
            let found = index.rows(hash(*number)).unwrap().unwrap();
            for granule in granules {
                prop_assert!(found.iter().any(|range| range.contains(&(granule * GRANULE_ROWS))));
            }
            prop_assert!(found.iter().all(|range| range.end <= rows));
        }
        let foreign = (0..2_000).map(|number| index.rows(hash(number + (1 << 40))).unwrap().unwrap());
        let mistaken: usize = foreign.map(|rows| rows.len()).sum();
        // Three chunks at most, one in 128 each at worst, and some luck.
        prop_assert!(mistaken < 120, "{mistaken} of 2000 foreign hashes are found");
    }
}

#[test]
fn numbers_that_compare_equal_have_equal_hashes() {
    let key = key_hash(Owner::Record, "k");
    let hash = |value| value_hash(key, value);
    assert_eq!(hash(Scalar::Int(3)), hash(Scalar::Double(3.0)));
    assert_eq!(hash(Scalar::Double(0.0)), hash(Scalar::Double(-0.0)));
    assert_eq!(hash(Scalar::Int(i64::MIN)), hash(Scalar::Double(-9_223_372_036_854_775_808.0)));
    assert_ne!(hash(Scalar::Int(i64::MAX)), hash(Scalar::Double(9_223_372_036_854_775_808.0)));
    assert_ne!(hash(Scalar::Int(1)), hash(Scalar::Text("1")));
    assert_ne!(hash(Scalar::Bool(true)), hash(Scalar::Int(1)));
    assert_eq!(hash(Scalar::Double(f64::NAN)), None);
    assert_ne!(key_hash(Owner::Record, "k"), key_hash(Owner::Resource, "k"));
    assert_ne!(hash(Scalar::Text("a")), hash(Scalar::Text("a\0")));
}

#[test]
fn the_catalogue_counts_what_the_rows_hold() {
    let folders = Folders::new();
    let segment = folders.write(Signal::Logs, 0, fixture::batches(Signal::Logs, 11, 5_000, Shape::default()));
    let catalogue = segment.attributes().unwrap().catalogue().unwrap();
    assert!(catalogue.is_complete(Owner::Record));
    let rows = read(&segment, &[column::ATTR_STR, column::ATTR_INT], None);
    let texts = rows.column_by_name(column::ATTR_STR).unwrap().as_map().clone();
    let mut expected: BTreeMap<(String, String), u64> = BTreeMap::new();
    for (key, value) in texts.keys().as_string_view().iter().zip(texts.values().as_string_view()) {
        *expected.entry((key.unwrap().to_owned(), value.unwrap().to_owned())).or_default() += 1;
    }
    let mut keys: BTreeMap<&str, u64> = BTreeMap::new();
    for ((key, _), count) in &expected {
        *keys.entry(key).or_default() += count;
    }
    for (key, count) in keys {
        let entry = catalogue.entry(Owner::Record, key).unwrap();
        let values = entry.types.iter().find(|values| values.kind == Kind::Text).unwrap();
        assert_eq!(values.count, count);
        let different = expected.keys().filter(|(of, _)| of == key).count() as u64;
        assert_eq!(values.distinct, different);
        assert_eq!((values.complete, values.top.len()), (different <= 64, 64.min(different as usize)));
        for (value, count) in &values.top {
            let Listed::Text(value) = value else { panic!("{value:?}") };
            assert_eq!(expected.get(&(key.to_owned(), value.clone())), Some(count));
        }
        let ints = entry.types.iter().find(|values| values.kind == Kind::Int).unwrap();
        let map = rows.column_by_name(column::ATTR_INT).unwrap().as_map();
        let numbers = map.values().as_primitive::<arrow::datatypes::Int64Type>();
        let of_key = map.keys().as_string_view().iter().zip(numbers.values()).filter(|(of, _)| *of == Some(key)).map(|(_, n)| *n);
        let of_key: Vec<i64> = of_key.collect();
        let bounds = (Listed::Int(*of_key.iter().min().unwrap()), Listed::Int(*of_key.iter().max().unwrap()));
        assert_eq!(ints.bounds.as_ref(), Some(&bounds));
        assert!(!ints.complete && ints.distinct.abs_diff(of_key.len() as u64) < of_key.len() as u64 / 4, "{}", ints.distinct);
    }
    assert!(catalogue.entry(Owner::Record, "nowhere").is_none());
}

#[test]
fn a_catalogue_with_too_many_keys_says_so_and_the_filters_still_know_them() {
    let mut catalogue = catalogue::Builder::default();
    for number in 0..5_000 {
        let key = format!("key.{number}");
        let place = catalogue.place(Owner::Record, &key, key_hash(Owner::Record, &key));
        assert_eq!(place.is_some(), number < 4_096);
    }
    let catalogue = catalogue.finish();
    assert_eq!(catalogue.entries.len(), 4_096);
    assert!(!catalogue.is_complete(Owner::Record) && catalogue.is_complete(Owner::Resource));
}
