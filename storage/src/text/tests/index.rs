//! The index of words and ids against the texts it was made of, of this version and of older ones.

use super::*;
use crate::files::Place;
use crate::segment::{Bundle, BundleWriter};

fn compare(index: Index, texts: &[Option<String>]) -> bool {
    let mut comparison = TextComparison::new(index);
    texts.iter().for_each(|text| comparison.push(text.as_deref()).unwrap());
    comparison.finish()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn an_index_leaves_out_no_row_and_equals_one_of_the_same_bodies(
        texts in prop::collection::vec(prop::option::of(text()), 1..120), unit_rows in 1u32..90, segments in 0usize..5, other in text(),
    ) {
        let (_folder, index) = indexed_as(&texts, unit_rows, segments);
        for (row, text) in (0..).zip(&texts) {
            for term in terms(text.as_deref().unwrap_or_default()) {
                let found = index.rows(std::slice::from_ref(&term)).unwrap();
                prop_assert!(found.iter().any(|range| range.contains(&row)), "{term:?} {row} {found:?}");
                for (end, _) in term.char_indices().skip(1).chain([(term.len(), ' ')]) {
                    let found = index.prefix_rows(&term[..end]).unwrap().unwrap();
                    prop_assert!(found.iter().any(|range| range.contains(&row)), "{term:?} {row} {found:?}");
                }
            }
        }
        let mut changed = texts.clone();
        let last = changed.last_mut().unwrap();
        let is_same = terms(last.as_deref().unwrap_or_default()).iter().collect::<std::collections::BTreeSet<_>>()
            == terms(&other).iter().collect::<std::collections::BTreeSet<_>>();
        *last = Some(other);
        let (_again, changed_index) = indexed_as(&changed, unit_rows, segments);
        prop_assert!(compare(index, &texts));
        // What the others of its block have makes no difference.
        if is_same || unit_rows == 1 {
            prop_assert_eq!(compare(changed_index, &texts), is_same);
        }
    }
}

/// Rows of the units of so many segments, one behind the other.
fn parts_of(rows: usize, unit_rows: u32, segments: usize) -> Vec<usize> {
    let of = |rows: usize, most: usize| (0..rows.div_ceil(most)).map(move |part| most.min(rows - part * most));
    of(rows, rows.div_ceil(segments.max(1))).flat_map(|rows| of(rows, unit_rows as usize)).collect()
}

/// The rows of blocks of 16 in which a row is wanted, part by part.
fn blocks_of(parts: &[usize], is_wanted: impl Fn(usize) -> bool) -> Vec<u32> {
    let blocks: Vec<(usize, usize)> =
        parts.iter().enumerate().flat_map(|(part, rows)| (0..*rows).map(move |row| (part, row / 16))).collect();
    let wanted: std::collections::BTreeSet<_> = (0..blocks.len()).filter(|row| is_wanted(*row)).map(|row| blocks[row]).collect();
    (0..blocks.len()).filter(|row| wanted.contains(&blocks[*row])).map(|row| u32::try_from(row).unwrap()).collect()
}

/// A body of a few words and ids.
fn mixture() -> impl Strategy<Value = String> {
    prop::collection::vec(
        "[a-c]{1,2}|[a-c]{11,12}|[a-c0-2]{1,3}|[a-c]{1,3}_[a-c]{1,3}|[äßж]{1,12}|[a-c]?[超時税]{1,5}[a-c]?|[a-c]{1,3}[A-C][a-c0-2]{1,3}",
        0..8,
    )
    .prop_map(|words| words.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn lookups_are_those_of_a_scan(
        texts in prop::collection::vec(mixture(), 1..200), unit_rows in 1u32..120, segments in 0usize..5, at: prop::sample::Index, picks in prop::collection::vec(any::<prop::sample::Index>(), 1..4),
    ) {
        let known: Vec<Vec<String>> = texts.iter().map(|text| terms(text)).collect();
        let (_folder, index) = indexed_as(&texts.iter().cloned().map(Some).collect::<Vec<_>>(), unit_rows, segments);
        let parts = parts_of(texts.len(), unit_rows, segments);
        let of = &known[at.index(known.len())];
        prop_assume!(!of.is_empty());
        // Terms of one body, and one that is in none.
        let mut wanted: Vec<String> = picks.iter().map(|pick| of[pick.index(of.len())].clone()).collect();
        for absent in [None, Some("zzz".to_owned()), Some("z0z".to_owned())] {
            wanted.extend(absent);
            let found: Vec<u32> = index.rows(&wanted).unwrap().into_iter().flatten().collect();
            let has_all = |row: &usize| wanted.iter().all(|term| known[*row].contains(term));
            let scanned: Vec<usize> = (0..texts.len()).filter(has_all).collect();
            let checked: Vec<usize> = found.iter().map(|row| *row as usize).filter(has_all).collect();
            prop_assert_eq!(&checked, &scanned, "{:?}", wanted);
            // Words are known exactly, block by block.
            for word in wanted.iter().filter(|term| term.chars().all(char::is_alphabetic) && term.chars().count() < 12) {
                let exact = blocks_of(&parts, |row| known[row].contains(word));
                prop_assert!(found.iter().all(|row| exact.binary_search(row).is_ok()), "{word}");
                prop_assert_eq!(index.rows(std::slice::from_ref(word)).unwrap().into_iter().flatten().collect::<Vec<_>>(), exact);
            }
        }
        let term = &wanted[0];
        for (end, _) in term.char_indices().skip(1).chain([(term.len(), ' ')]) {
            let has = |row: &usize| known[*row].iter().any(|found| found.starts_with(&term[..end]));
            let found = index.prefix_rows(&term[..end]).unwrap().unwrap();
            let checked: Vec<usize> = found.into_iter().flatten().map(|row| row as usize).filter(has).collect();
            prop_assert_eq!(checked, (0..texts.len()).filter(has).collect::<Vec<_>>(), "{}", &term[..end]);
        }
    }
}

#[test]
fn a_unit_that_lacks_a_part_is_damaged_and_older_indexes_do_not_count() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::real(folder.path());
    let whole = {
        let mut bundle = BundleWriter::create(place.join("tmp")).unwrap();
        let mut builder = IndexBuilder::default();
        ["order 42 paid", "order 43 paid"].iter().for_each(|body| builder.push(Some(body), &mut bundle).unwrap());
        builder.finish(&mut bundle).unwrap();
        let synced = bundle.finish().unwrap();
        let len = synced.len;
        synced.rename(&place.join("whole")).unwrap();
        Bundle::open(&place.join("whole"), len).unwrap()
    };
    // Copies some of its blobs under other names.
    let copied = |name: &dyn Fn(&str) -> Option<String>| {
        let mut bundle = BundleWriter::create(place.join("tmp")).unwrap();
        for blob in whole.blobs() {
            name(&blob.name).into_iter().for_each(|name| bundle.add(name, &whole.read_blob(blob).unwrap()).unwrap());
        }
        let synced = bundle.finish().unwrap();
        let len = synced.len;
        synced.rename(&place.join("copy")).unwrap();
        Bundle::open(&place.join("copy"), len).unwrap()
    };
    let (order, id) = (["order".to_owned()], ["43".to_owned()]);
    let same = Index::open(&copied(&|name| Some(name.to_owned()))).unwrap().unwrap();
    for term in [&order, &id] {
        assert_eq!(same.rows(term).unwrap().into_iter().flatten().collect::<Vec<_>>(), [0, 1]);
    }
    let wordless = Index::open(&copied(&|name| name.ends_with("/ids").then(|| name.to_owned()))).unwrap().unwrap();
    assert!(wordless.rows(&order).is_err());
    assert!(Index::open(&copied(&|name| (!name.ends_with("/ids")).then(|| name.to_owned()))).is_err());
    // Whole indexes of tantivy, and files of keys alone.
    for old in ["ft/v1/0/meta.json", "ft/v2/0"] {
        let bundle = copied(&|name| name.ends_with("/ids").then(|| old.to_owned()));
        assert!(Index::has(old) && !Index::is_in(&bundle) && Index::open(&bundle).unwrap().is_none());
    }
}

/// An index, and the folder of its bundle.
type Indexed = (tempfile::TempDir, Index);

fn indexed(bodies: &[Option<String>], unit_rows: u32) -> Indexed {
    bundled(|bundle| {
        let mut builder = IndexBuilder::with_unit_rows(unit_rows);
        bodies.iter().for_each(|body| builder.push(body.as_deref(), bundle).unwrap());
        builder.finish(bundle).unwrap();
    })
}

/// The same, joined of those of so many segments when these are not 0.
fn indexed_as(bodies: &[Option<String>], unit_rows: u32, segments: usize) -> Indexed {
    if segments == 0 {
        return indexed(bodies, unit_rows);
    }
    let parts: Vec<Indexed> = bodies.chunks(bodies.len().div_ceil(segments)).map(|bodies| indexed(bodies, unit_rows)).collect();
    let (folders, indexes): (Vec<_>, Vec<Index>) = parts.into_iter().unzip();
    let joined = stacked(&indexes);
    drop(folders);
    joined
}

fn stacked(indexes: &[Index]) -> Indexed {
    bundled(|bundle| {
        let mut stack = Stack::default();
        let parts = indexes.iter().flat_map(|index| index.parts().unwrap());
        parts.for_each(|part| stack.push(part, bundle).unwrap());
        stack.finish(bundle).unwrap();
    })
}

fn bundled(write: impl FnOnce(&mut BundleWriter)) -> Indexed {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::real(folder.path());
    let path = place.join("x.idx");
    let mut bundle = BundleWriter::create(place.join("tmp")).unwrap();
    write(&mut bundle);
    let synced = bundle.finish().unwrap();
    let len = synced.len;
    synced.rename(&path).unwrap();
    let index = Index::open(&Bundle::open(&path, len).unwrap()).unwrap().unwrap();
    (folder, index)
}

#[test]
fn index_rows_are_row_numbers_across_units() {
    let mut dice = Dice(4);
    let bodies: Vec<Option<String>> = (0..3_000).map(|n| body(&mut dice).map(|text| format!("{text} row{n}"))).collect();
    for unit_rows in [700, 100_000] {
        let (_folder, index) = indexed(&bodies, unit_rows);
        for n in (0..3_000).filter(|n| bodies[*n as usize].is_some()).step_by(97) {
            let found = index.rows(&[format!("row{n}")]).unwrap();
            assert!(found.iter().any(|range| range.contains(&n)), "{n}: {found:?}");
            assert!(found.iter().map(ExactSizeIterator::len).sum::<usize>() <= 6 * 16, "{n}: {found:?}");
        }
        for wanted in [vec!["order"], vec!["timeout", "cart"], vec!["payment", "failed", "retry"], vec!["absent", "order"], vec!["grüße"]]
        {
            let wanted: Vec<String> = wanted.into_iter().map(str::to_owned).collect();
            let found = index.rows(&wanted).unwrap();
            for (row, body) in (0..).zip(&bodies) {
                let known = terms(body.as_deref().unwrap_or_default());
                if wanted.iter().all(|term| known.contains(term)) {
                    assert!(found.iter().any(|range| range.contains(&row)), "{wanted:?} {row}");
                }
            }
        }
    }
}
