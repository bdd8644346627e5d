use super::*;

/// Keys with their number of texts, and of integers.
fn known(keys: &[(&str, u64, u64)]) -> BTreeMap<String, Tally> {
    keys.iter().map(|(key, texts, ints)| ((*key).to_owned(), Tally { counts: [*texts, *ints, 0, 0, 0], bytes: texts * 10 })).collect()
}

fn keys(layout: &Layout) -> Vec<(&str, Type)> {
    layout.columns().iter().map(|column| (column.key.as_str(), column.of)).collect()
}

#[test]
fn frequent_keys_of_one_type_get_columns() {
    let known = known(&[("frequent", 100, 0), ("number", 0, 900), ("rare", 99, 0), ("mixed", 500, 6), ("nearly", 500, 5)]);
    assert_eq!(keys(&pick(1_000, &known, &Layout::default())), [("frequent", Type::Text), ("nearly", Type::Text), ("number", Type::Int)]);
}

#[test]
fn long_texts_get_no_column() {
    let mut known = known(&[("short", 500, 0), ("long", 500, 0)]);
    known.get_mut("short").unwrap().bytes = 500 * 64;
    known.get_mut("long").unwrap().bytes = 500 * 64 + 1;
    assert_eq!(keys(&pick(1_000, &known, &Layout::default())), [("short", Type::Text)]);
    // One that has a column keeps it for longer.
    let before = Layout::new([("long".to_owned(), Type::Text)]);
    assert_eq!(keys(&pick(1_000, &known, &before)).len(), 2);
}

#[test]
fn a_key_keeps_its_column_below_what_it_takes_to_get_one() {
    let before = Layout::new([("a".to_owned(), Type::Text), ("b".to_owned(), Type::Int)]);
    let known = known(&[("a", 50, 5), ("b", 90, 0), ("c", 99, 0)]);
    // `b` has another type now.
    assert_eq!(keys(&pick(1_000, &known, &before)), [("a", Type::Text)]);
}

#[test]
fn keys_that_are_about_as_frequent_do_not_take_turns() {
    let names: Vec<String> = (0..=MAX_PROMOTED).map(|number| format!("key.{number:02}")).collect();
    let with = |last: u64| {
        known(&names.iter().map(|name| (name.as_str(), if *name == names[MAX_PROMOTED] { last } else { 400 }, 0)).collect::<Vec<_>>())
    };
    let first = pick(1_000, &with(300), &Layout::default());
    assert_eq!(first.columns().len(), MAX_PROMOTED);
    assert!(first.find(&names[MAX_PROMOTED]).is_none());
    // More frequent than the others, but not by half.
    assert_eq!(pick(1_000, &with(599), &first), first);
    let displaced = pick(1_000, &with(601), &first);
    assert!(displaced.find(&names[MAX_PROMOTED]).is_some());
    assert_eq!(pick(1_000, &with(400), &displaced), displaced, "nor does it give way at once");
}
