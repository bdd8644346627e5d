use proptest::prelude::*;

use super::tokenizer::case;
use super::*;
use crate::files::Place;
use crate::segment::fixture::{Dice, body};
use crate::segment::{Bundle, BundleWriter};

fn tokens(text: &str) -> Vec<String> {
    terms(text)
}

#[test]
fn words_are_kept_whole_and_taken_apart() {
    assert_eq!(tokens("Order created"), ["order", "created"]);
    assert_eq!(tokens("userId=42"), ["userid", "user", "id", "42"]);
    assert_eq!(tokens("HTTPServer"), ["httpserver", "http", "server"]);
    assert_eq!(tokens("payment_failedHard"), ["payment_failedhard", "payment", "failedhard", "failed", "hard"]);
    assert_eq!(tokens("__init__ _ !"), ["__init__", "init"]);
    assert_eq!(tokens("Grüße, ÄPFEL"), ["grüße", "äpfel"]);
}

#[test]
fn long_words_are_known_by_their_first_64_bytes_but_told_apart_by_all() {
    let long = "a".repeat(70);
    assert_eq!(tokens(&long), ["a".repeat(64)]);
    assert!(Needle::word(&long).matches(&long));
    assert!(!Needle::word(&long).matches(&format!("{long}b")));
    let umlauts = "ü".repeat(40);
    assert_eq!(tokens(&umlauts), ["ü".repeat(32)]);
}

#[test]
fn a_bare_word_matches_whole_tokens_only() {
    let needle = Needle::word("Order");
    assert!(needle.matches("the ORDER is in"));
    assert!(needle.matches("orderId"));
    assert!(needle.matches("last_order"));
    assert!(!needle.matches("reordered"));
    assert!(Needle::word("checkout-service").matches("from Checkout-Service: ok"));
    assert!(!Needle::word("checkout-service").matches("checkout-services"));
    assert!(Needle::word("a-a").matches("xa-a-a"));
    assert!(Needle::word("!!").matches("stop!!!"));
}

#[test]
fn a_part_of_a_text_without_spaces_is_found_and_known_by_its_pairs() {
    assert_eq!(tokens("注文が超時"), ["注文", "文が", "が超", "超時", "注文が超時"]);
    assert_eq!(tokens("오류가 났다"), ["오류", "류가", "오류가", "났다", "났다"]);
    assert_eq!(tokens("税 a超b"), ["税", "a超b"]);
    let body = "注文order42の支払い処理が超時しました。再試行";
    for (wanted, hints) in [
        ("超時", vec!["超時"]),
        ("払い処", vec!["い処", "払い"]),
        ("税", vec![]),
        ("order42の支", vec!["の支"]),
        ("ました。再試行", vec!["した", "まし", "試行", "再試"]),
    ] {
        let mut hints: Vec<String> = hints.into_iter().map(str::to_owned).collect();
        hints.sort();
        assert_eq!(Needle::word(wanted).hint_terms(), hints, "{wanted}");
        assert_eq!(Needle::phrase(wanted).hint_terms(), hints, "{wanted}");
        assert_eq!(Needle::word(wanted).matches(body), wanted != "税", "{wanted}");
    }
    assert!(!Needle::word("rder42の").matches(body), "a word of other letters is not cut");
    assert!(Needle::word("超error").matches("last_超error_x"), "it is a part between signs");
    assert!(!Needle::word("order42").matches(body), "as before");
    assert!(Needle::word("カード-超時").matches("新カード-超時間"));
    assert_eq!(Needle::word("order-超時 x").hint_terms(), ["超時"], "words at the ends may go on in another script");
}

#[test]
fn a_phrase_matches_anywhere_and_hints_at_its_inner_words_only() {
    let needle = Needle::phrase("ed for User 4");
    assert!(needle.matches("created FOR user 42"));
    assert_eq!(needle.hint_terms(), ["for", "user"]);
    assert_eq!(Needle::phrase("created").hint_terms(), Vec::<String>::new());
    assert_eq!(Needle::phrase(" created ").hint_terms(), ["created"]);
    assert!(Needle::phrase("").matches("anything"));
}

#[test]
fn the_last_word_of_a_phrase_is_the_beginning_of_one() {
    let prefix = |phrase: &str| Needle::phrase(phrase).hint_prefix();
    assert_eq!(prefix("ed for Us").as_deref(), Some("us"));
    assert_eq!(prefix("id=4").as_deref(), Some("4"));
    assert_eq!(prefix("for user "), None);
    assert_eq!(prefix("created"), None);
    assert_eq!(Needle::word("for-user").hint_prefix(), None);
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-cA-C_ .0-9]{0,24}",
        "[aAbİıſK\u{212a}ßΣσς_ -]{0,12}",
        "[aB_ 超時税カーﾊﾞ가각-]{0,12}",
        "\\PC{0,20}",
        any::<u64>().prop_map(|seed| body(&mut Dice(seed)).unwrap_or_default())
    ]
}

/// A part of a text, sometimes with other case.
fn part(text: &str, from: usize, len: usize, flip: bool) -> String {
    let part: String = text.chars().skip(from % (text.chars().count() + 1)).take(len).collect();
    if flip { part.to_uppercase() } else { part }
}

proptest! {
    #[test]
    fn the_hint_never_excludes_a_match(text in text(), other in text(), from: usize, len in 0usize..16, flip: bool, phrase: bool, same: bool) {
        let wanted = part(if same { &text } else { &other }, from, len, flip);
        let needle = if phrase { Needle::phrase(&wanted) } else { Needle::word(&wanted) };
        if needle.matches(&text) {
            let known = terms(&text);
            for hint in needle.hint_terms() {
                prop_assert!(known.contains(&hint), "{wanted:?} in {text:?}: {hint:?} not in {known:?}");
            }
            if let Some(begun) = needle.hint_prefix() {
                prop_assert!(known.iter().any(|term| term.starts_with(&begun)), "{wanted:?} in {text:?}: {begun:?} begins none of {known:?}");
            }
        }
    }

    #[test]
    fn a_part_of_a_text_is_found_as_a_phrase(text in text(), from: usize, len in 0usize..16) {
        let wanted = part(&text, from, len, false);
        prop_assert!(Needle::phrase(&wanted).matches(&text), "{wanted:?} in {text:?}");
    }

    #[test]
    fn every_token_is_found_as_a_word(text in text()) {
        for token in terms(&text).into_iter().filter(|token| token.len() < 50) {
            prop_assert!(Needle::word(&token).matches(&text), "{token:?} in {text:?}");
        }
    }
}

/// The same without what is known of ASCII.
fn slow_terms(text: &str) -> Vec<String> {
    let mut terms = Vec::new();
    let mut tokenizer = Tokenizer::default();
    let mut see = |token: &str| {
        terms.push(truncated(token).to_owned());
        true
    };
    for c in text.chars() {
        assert!(c.to_lowercase().all(|lower| tokenizer.push(lower, case(c), &mut see)));
    }
    assert!(tokenizer.flush(&mut see));
    terms
}

proptest! {
    #[test]
    fn ascii_has_the_same_tokens_as_any_text(text in prop_oneof!["[a-cA-C_ .0-9]{0,24}", "[ -~\n\t]{0,80}"]) {
        prop_assert_eq!(terms(&text), slow_terms(&text));
    }
}

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

/// The bundle of an index as an older version wrote it.
fn of_version(version: u32, bodies: &[Option<String>]) -> (tempfile::TempDir, Bundle) {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::real(folder.path());
    let written = |name: &str, write: &dyn Fn(&mut BundleWriter)| {
        let mut bundle = BundleWriter::create(place.join("tmp")).unwrap();
        write(&mut bundle);
        let synced = bundle.finish().unwrap();
        let len = synced.len;
        synced.rename(&place.join(name)).unwrap();
        Bundle::open(&place.join(name), len).unwrap()
    };
    let new = written("new", &|bundle| {
        let mut builder = IndexBuilder::of_version(version);
        bodies.iter().for_each(|body| builder.push(body.as_deref(), bundle).unwrap());
        builder.finish(bundle).unwrap();
    });
    // Version 4 had rows in place of parts and their number.
    let without_parts = |bytes: &[u8]| {
        let (rest, tail) = bytes.split_at(bytes.len() - 16);
        let pages = u32::from_le_bytes(tail[8..12].try_into().unwrap()) as usize;
        let directory = [&rest[rest.len() - 12 * pages..], &tail[..4], &tail[8..12]].concat();
        [&rest[..rest.len() - 12 * pages], &directory[..], &crc32c::crc32c(&directory).to_le_bytes()[..]].concat()
    };
    let old = written("old", &|bundle| {
        for blob in new.blobs() {
            let (name, bytes) = (blob.name.replace(&format!("/v{VERSION}/"), &format!("/v{version}/")), new.read_blob(blob).unwrap());
            let bytes = if version < PARTS_SINCE && name.ends_with("/ids") { without_parts(&bytes) } else { bytes };
            bundle.add(&*name, &bytes).unwrap();
        }
    });
    (folder, old)
}

#[test]
fn indexes_of_older_versions_are_read_and_not_asked_for_what_they_do_not_know() {
    let bodies: Vec<Option<String>> = (0..100).map(|row| Some(format!("order number{row} paid 注文{row}が超時 {}超時", row % 2))).collect();
    let terms = |text: &str| Needle::phrase(text).hint_terms();
    for version in OLDEST_VERSION..=VERSION {
        let (_folder, bundle) = of_version(version, &bodies);
        let index = Index::open(&bundle).unwrap().unwrap();
        let found = |term: &str| {
            let found = index.rows(&[term.to_owned()]).unwrap();
            found.into_iter().map(|rows| (rows.start, rows.end)).collect::<Vec<_>>()
        };
        for (term, rows) in [("number7", (0, 16)), ("number99", (96, 100)), ("paid", (0, 100))] {
            assert_eq!(found(term), [rows], "{term} of version {version}");
        }
        let is_of_now = version == VERSION;
        assert_eq!((index.is_of_now(), index.parts().is_ok()), (is_of_now, is_of_now));
        // Nothing is left out of what it is asked for.
        let wanted = [terms("が超時"), terms("x number7 超時"), terms("注文")].concat();
        let known = index.known(&wanted);
        assert_eq!(known.contains(&"超時".to_owned()), is_of_now);
        assert!(known.contains(&"number7".to_owned()));
        for term in &known {
            assert!(found(term).iter().any(|(from, to)| *from <= 7 && 7 < *to), "{term} of version {version}");
        }
        assert!(compare(index, &bodies), "version {version}");
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
