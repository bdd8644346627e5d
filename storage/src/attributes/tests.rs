use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, BinaryViewBuilder, BooleanBuilder, Float64Builder, Int64Builder, MapBuilder, MapFieldNames, StringViewBuilder,
};
use arrow::compute::concat_batches;
use proptest::prelude::*;

use super::*;
use crate::schema;
use crate::segment::fixture::{Dice, Shape, batch};
use crate::store::Signal;

/// Short keys are part of their views, long ones are not; some begin alike.
const KEYS: [&str; 7] = ["k", "ab", "http.route", "exactly.12ch", "a.long.attribute.one", "a.long.attribute.two", "a.longer.attribute"];

fn map<B: arrow::array::ArrayBuilder>(values: B, dice: &mut Dice, rows: usize, each: impl Fn(&mut B, &mut Dice)) -> ArrayRef {
    let names = MapFieldNames { entry: "entries".to_owned(), key: "key".to_owned(), value: "value".to_owned() };
    let mut builder = MapBuilder::new(Some(names), StringViewBuilder::new(), values);
    for _ in 0..rows {
        // More than 256 attributes, now and then: the place of some does not fit into a byte.
        let entries = if dice.below(40) == 0 { 300 } else { dice.below(5) };
        for _ in 0..entries {
            builder.keys().append_value(KEYS[usize::try_from(dice.below(7)).unwrap()]);
            each(builder.values(), dice);
        }
        builder.append(true).unwrap();
    }
    Arc::new(builder.finish())
}

/// Rows in which a key may be in several maps, several times, and without a value.
pub(crate) fn rows(signal: Signal, seed: u64, count: usize) -> RecordBatch {
    let mut dice = Dice(seed);
    let own = batch(signal, seed, count, Shape::default());
    let mut columns = own.columns().to_vec();
    for name in ATTRIBUTES {
        let dice = &mut dice;
        let map = match name {
            column::ATTR_STR => map(StringViewBuilder::new(), dice, count, |values, dice| match dice.below(9) {
                0 => values.append_null(),
                number => values.append_value(format!("value, longer than a view {number}")),
            }),
            column::ATTR_INT => map(Int64Builder::new(), dice, count, |values, dice| values.append_value(dice.roll().cast_signed())),
            column::ATTR_DBL => map(Float64Builder::new(), dice, count, |values, dice| values.append_value(f64::from_bits(dice.roll()))),
            column::ATTR_BOOL => map(BooleanBuilder::new(), dice, count, |values, dice| values.append_value(dice.below(2) == 0)),
            _ => {
                map(BinaryViewBuilder::new(), dice, count, |values, dice| values.append_value([0x18, u8::try_from(dice.below(9)).unwrap()]))
            }
        };
        columns[own.schema().index_of(name).unwrap()] = map;
    }
    RecordBatch::try_new(own.schema(), columns).unwrap()
}

/// Any columns for the keys above, and for one that no row has.
pub(crate) fn layouts() -> impl Strategy<Value = Layout> {
    let of = || prop::sample::select(Type::ALL.to_vec());
    let one = (0..KEYS.len() + 1, of()).prop_map(|(key, of)| (KEYS.get(key).unwrap_or(&"nowhere").to_string(), of));
    prop::collection::vec(one, 0..6).prop_map(Layout::new)
}

/// Bits instead of floats: no number equals itself.
fn comparable(found: Found<'_>) -> String {
    if let Found::Double(double) = found { format!("{:x}", double.to_bits()) } else { format!("{found:?}") }
}

fn under(batch: &RecordBatch, row: usize, key: &str) -> Vec<String> {
    let mut all = Vec::new();
    Values::of(batch, key).unwrap().any(row, |found| {
        all.push(comparable(found));
        false
    });
    all.sort_unstable();
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn promoted_rows_come_back_as_they_were(traces: bool, seed: u64, count in 1usize..200, layout in layouts(), cut in 0usize..100) {
        let signal = if traces { Signal::Traces } else { Signal::Logs };
        let rows = rows(signal, seed, count);
        let mut promoter = Promoter::new(&schema::of(signal), layout.clone());
        // Slices of maps do not begin at their first entry.
        let cut = cut.min(count);
        let parts = [rows.slice(0, cut), rows.slice(cut, count - cut)];
        let stored = parts.iter().map(|part| promoter.promote(part).unwrap()).collect::<Vec<_>>();
        let stored = concat_batches(promoter.schema(), &stored).unwrap();
        prop_assert_eq!(stored.schema(), layout.schema(&schema::of(signal)));

        let restorer = Restorer::new(layout.clone(), schema::of(signal));
        match restorer.needs() {
            None => prop_assert!(layout.is_plain()),
            Some(needs) => {
                let positions: Vec<usize> = needs.iter().map(|name| stored.schema().index_of(name).unwrap()).collect();
                let read = stored.project(&positions).unwrap();
                prop_assert_eq!(&restorer.restore(&read).unwrap(), &rows);
            }
        }
        for (row, key) in (0..count).flat_map(|row| KEYS.map(|key| (row, key))) {
            prop_assert_eq!(under(&stored, row, key), under(&rows, row, key), "{} of row {}", key, row);
        }
        for promoted in promoter.layout().columns() {
            let left = ATTRIBUTES.iter().any(|map| stored.column_by_name(map).unwrap().as_map().keys().as_string_view().iter().any(|key| key == Some(&promoted.key)));
            prop_assert_eq!(promoted.whole, !left, "{}", &promoted.key);
        }
    }

    #[test]
    fn one_map_alone_comes_back(seed: u64, count in 1usize..100, layout in layouts(), which in 0usize..5) {
        let rows = rows(Signal::Traces, seed, count);
        let mut promoter = Promoter::new(&schema::of(Signal::Traces), layout.clone());
        let stored = promoter.promote(&rows).unwrap();
        let at = rows.schema().index_of(ATTRIBUTES[which]).unwrap();
        let wanted = rows.project(&[at]).unwrap();
        let restorer = Restorer::new(layout, wanted.schema());
        let Some(needs) = restorer.needs() else { return Ok(()) };
        let positions: Vec<usize> = needs.iter().map(|name| stored.schema().index_of(name).unwrap()).collect();
        prop_assert_eq!(restorer.restore(&stored.project(&positions).unwrap()).unwrap(), wanted);
    }

    #[test]
    fn a_layout_reads_as_it_was_written(layout in layouts()) {
        match layout.written() {
            None => prop_assert!(layout.is_plain()),
            Some(text) => prop_assert_eq!(Layout::read(&text), Some(layout)),
        }
    }
}

#[test]
fn a_list_of_columns_that_makes_no_sense_is_refused() {
    let column = |key: &str| format!(r#"{{"key":"{key}","type":"text","whole":true}}"#);
    assert!(Layout::read(&format!("[{},{}]", column("a"), column("b"))).is_some());
    assert_eq!(Layout::read(&format!("[{},{}]", column("b"), column("a"))), None);
    assert_eq!(Layout::read(&format!("[{},{}]", column("a"), column("a"))), None);
    let many = (10..=10 + MAX_PROMOTED).map(|number| column(&number.to_string())).collect::<Vec<_>>().join(",");
    assert_eq!(Layout::read(&format!("[{many}]")), None);
    assert_eq!(Layout::read(r#"[{"key":"a","type":"list","whole":true}]"#), None);
    assert_eq!(Layout::read(""), None);
}
