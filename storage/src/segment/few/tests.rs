//! What is read straight from pages is what the crate reads.

use arrow::array::AsArray as _;
use arrow::datatypes::{Float64Type, Int32Type, Int64Type};
use proptest::prelude::*;

use super::super::fixture::{self, Dice, Shape, batches};
use super::super::read::BATCH_ROWS;
use super::super::tests::Folders;
use super::super::times;
use super::*;
use crate::attributes::{Found, Layout, Type, Values};
use crate::schema;
use crate::store::Signal;

fn layout(dice: &mut Dice) -> Layout {
    let all = [Type::Text, Type::Int, Type::Double, Type::Bool];
    let mut of = |key: u64| (format!("some.attribute.key.{key}"), all[usize::try_from(dice.below(4)).unwrap()]);
    Layout::new((0..5).map(&mut of))
}

fn rows(dice: &mut Dice, all: u32) -> RowRanges {
    let ranges = (0..1 + dice.below(12)).map(|_| {
        let start = u32::try_from(dice.below(u64::from(all))).unwrap();
        let length = 1 + u32::try_from(dice.below(20)).unwrap();
        start..(start + length).min(all)
    });
    super::super::merged_rows(ranges.collect())
}

/// Compares both ways of reading some rows, all columns and some.
fn compare(segment: &Segment, dice: &mut Dice) {
    let footer = segment.footer().unwrap();
    let stored = footer.schema.clone();
    let mut every: Vec<&str> = stored.fields().iter().map(|field| field.name().as_str()).collect();
    let all = u32::try_from(segment.meta.rows).unwrap();
    for _ in 0..6 {
        let rows = rows(dice, all);
        let plan = segment.plan_stored(footer, &every).unwrap();
        let slow = segment.read_by_crate(&plan, Some(&rows), BATCH_ROWS).unwrap().collect::<Result<Vec<_>, _>>().unwrap();
        let few = plan.makers.make(segment.few_rows(footer, &plan.schema, &plan.leaves, &rows).unwrap()).unwrap();
        let slow = arrow::compute::concat_batches(few.schema_ref(), &slow).unwrap();
        few.columns().iter().zip(slow.columns()).zip(few.schema().fields()).for_each(|((few, slow), field)| {
            assert_eq!(few, slow, "{} of {rows:?}", field.name());
        });
        every.retain(|_| dice.below(8) > 0);
        every.extend(every.is_empty().then_some(schema::time_column(segment.meta.signal)));
    }
}

/// The bytes of a value as they are stored; `None` for types that are not compared.
fn stored(array: &ArrayRef, row: usize) -> Option<Vec<u8>> {
    Some(match array.data_type() {
        DataType::Utf8View => array.as_string_view().value(row).as_bytes().to_vec(),
        DataType::BinaryView => array.as_binary_view().value(row).to_vec(),
        DataType::Int32 => array.as_primitive::<Int32Type>().value(row).to_le_bytes().to_vec(),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row).to_le_bytes().to_vec(),
        DataType::Float64 => array.as_primitive::<Float64Type>().value(row).to_le_bytes().to_vec(),
        DataType::Boolean => vec![u8::from(array.as_boolean().value(row))],
        DataType::FixedSizeBinary(_) => array.as_fixed_size_binary().value(row).to_vec(),
        _ => return None,
    })
}

/// The values of a column of some rows, and for each the row it is of, if it is there; of a map, of its keys or its values.
fn values(segment: &Segment, name: &str, rows: &RowRanges, are_keys: bool) -> Vec<(u32, Option<Vec<u8>>)> {
    let plan = segment.plan_stored(segment.footer().unwrap(), &[name]).unwrap();
    let slow = segment.read_by_crate(&plan, Some(rows), BATCH_ROWS).unwrap().collect::<Result<Vec<_>, _>>().unwrap();
    let slow: Vec<ArrayRef> = slow.iter().map(|batch| batch.column(0).clone()).collect();
    let slow = arrow::compute::concat(&slow.iter().map(|array| &**array).collect::<Vec<_>>()).unwrap();
    let of = |array: &ArrayRef, place: usize| array.is_valid(place).then(|| stored(array, place).unwrap());
    let mut found = Vec::new();
    for (place, row) in rows.iter().cloned().flatten().enumerate() {
        match slow.as_map_opt() {
            None => found.push((row, of(&slow, place))),
            Some(map) => {
                let [from, to] = [place, place + 1].map(|at| usize::try_from(map.value_offsets()[at]).unwrap());
                let entries = if are_keys { map.keys() } else { map.values() };
                found.extend((from..to).map(|entry| (row, of(entries, entry))));
            }
        }
    }
    found
}

/// Compares the rows whose value passes with those that the crate reads.
fn compare_passing(segment: &Segment, dice: &mut Dice) {
    let footer = segment.footer().unwrap();
    let schema = footer.schema.clone();
    let all = u32::try_from(segment.meta.rows).unwrap();
    let positions: Vec<usize> = (0..schema.fields().len()).collect();
    for (field, first) in schema.fields().iter().zip(leaves(&schema, &positions)) {
        if times::is_told(segment.meta.signal, field.name()) {
            let found = segment.rows_passing(field.name(), &segment.every_row(), |_| true);
            assert_eq!(found, None, "{} is asked by reading it", field.name());
            continue;
        }
        let leaves = if matches!(field.data_type(), DataType::Map(..)) { first..first + 2 } else { first..first + 1 };
        for leaf in leaves {
            let rows = if dice.below(2) == 0 { segment.every_row() } else { rows(dice, all) };
            let (part, of) = (dice.below(3), 1 + dice.below(3));
            let pass = |value: &[u8]| value.iter().map(|byte| u64::from(*byte)).sum::<u64>() % of == part % of;
            let found = segment.leaf_passing(footer, leaf, &rows, &pass).unwrap();
            let values = values(segment, field.name(), &rows, leaf == first);
            let mut expected: Vec<u32> =
                values.into_iter().filter(|(_, value)| value.as_deref().is_some_and(pass)).map(|(row, _)| row).collect();
            expected.dedup();
            assert_eq!(found.into_iter().flatten().collect::<Vec<_>>(), expected, "{} {leaf} of {rows:?}", field.name());
        }
    }
}

/// Compares the rows with an attribute that passes with those that a look at each finds.
fn compare_passing_under(segment: &Segment, dice: &mut Dice) {
    let all = u32::try_from(segment.meta.rows).unwrap();
    for number in 0..8 {
        let key = format!("some.attribute.key.{number}");
        let rows = if dice.below(2) == 0 { segment.every_row() } else { rows(dice, all) };
        let part = dice.below(3);
        let pass = |value: Found<'_>| format!("{value:?}").len() as u64 % 3 == part;
        let found: Vec<u32> = segment.rows_passing_under(&key, &rows, pass).unwrap().into_iter().flatten().collect();
        let mut numbers = rows.iter().cloned().flatten();
        for batch in segment.read_keys(&[schema::time_column(segment.meta.signal)], ([key.as_str()], false), Some(&rows)).unwrap() {
            let batch = batch.unwrap();
            let values = Values::of(&batch, &key).unwrap();
            for row in 0..batch.num_rows() {
                assert_eq!(found.binary_search(&numbers.next().unwrap()).is_ok(), values.any(row, pass).0, "{key}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn rows_whose_value_passes_are_those_that_a_look_at_each_finds(seed in any::<u64>(), count in 1..9_000_usize, logs in any::<bool>()) {
        let (folders, mut dice) = (Folders::new(), Dice(seed));
        let signal = if logs { Signal::Logs } else { Signal::Traces };
        let batches = batches(signal, seed, count, Shape::default());
        for meta in fixture::write_in(layout(&mut dice), (&folders.tmp, &folders.seg), signal, batches) {
            let segment = Segment::open(&folders.seg, meta).unwrap();
            compare_passing(&segment, &mut dice);
            compare_passing_under(&segment, &mut dice);
        }
    }

    #[test]
    fn few_rows_are_those_that_the_crate_reads(seed in any::<u64>(), count in 1..9_000_usize, logs in any::<bool>(), kept in any::<bool>()) {
        let (folders, mut dice) = (Folders::new(), Dice(seed));
        let signal = if logs { Signal::Logs } else { Signal::Traces };
        let batches = batches(signal, seed, count, Shape::default());
        let metas = fixture::write_in(layout(&mut dice), (&folders.tmp, &folders.seg), signal, batches);
        for meta in metas {
            let segment = Segment::open(&folders.seg, meta).unwrap();
            if kept {
                segment.keep_dictionaries(&Arc::default());
            }
            compare(&segment, &mut dice);
        }
    }
}

#[test]
fn dictionaries_are_kept_of_what_was_read_and_give_the_same_rows() {
    let (folders, mut dice) = (Folders::new(), Dice(7));
    let segment = folders.write(Signal::Logs, 0, batches(Signal::Logs, 7, 5_000, Shape::default()));
    let kept: Arc<Dictionaries> = Arc::default();
    segment.keep_dictionaries(&kept);
    compare(&segment, &mut dice);
    let (bytes, most) = kept.memory();
    assert!(bytes > 0 && bytes < most);
    compare(&segment, &mut dice);
    kept.clear();
    assert_eq!(kept.memory().0, 0);
}

/// Other bytes at a few places.
fn damage(bytes: &[u8], dice: &mut Dice) -> Bytes {
    let mut bytes = bytes.to_vec();
    for _ in 0..1 + dice.below(3) {
        let at = usize::try_from(dice.below(bytes.len() as u64)).unwrap();
        bytes[at] ^= 1 << dice.below(8);
    }
    bytes.into()
}

/// What a sink for a column takes, texts as bytes.
fn type_of(chunk: &ColumnChunkMetaData) -> DataType {
    use parquet::basic::Type::*;
    match chunk.column_type() {
        BOOLEAN => DataType::Boolean,
        INT32 => DataType::Int32,
        INT64 => DataType::Int64,
        DOUBLE => DataType::Float64,
        FIXED_LEN_BYTE_ARRAY => DataType::FixedSizeBinary(chunk.column_descr().type_length()),
        _ => DataType::BinaryView,
    }
}

/// Rows that are found in a page: of a damaged one none, or as many as were asked for.
fn found(
    chunk: &Chunk<'_>,
    rows: &[Range<usize>],
    page: Option<(header::Header, Bytes)>,
    dictionary: Option<&Dictionary>,
) -> Option<usize> {
    let (mut sink, mut ends) = (Sink::new(&type_of(chunk.chunk), 0)?, Ends::new());
    let (header, body) = page?;
    Page::new(&header, chunk.chunk.column_descr(), &body)?.gather(rows, dictionary, &mut sink, &mut ends)?;
    Some(if is_of_map(chunk.chunk) { ends.len() } else { sink.finish().len() })
}

fn compare_damaged(chunk: &Chunk<'_>, dice: &mut Dice) {
    let dictionary = chunk.dictionary().unwrap();
    for (number, rows) in chunk.wanted().unwrap() {
        let place = &chunk.pages[number];
        let whole = chunk.read(place.offset, place.compressed_page_size.into()).unwrap();
        let (header, body) = chunk.open(&whole).unwrap();
        let wanted = rows.iter().map(ExactSizeIterator::len).sum::<usize>();
        assert_eq!(found(chunk, &rows, Some((header, body.clone())), dictionary.as_deref()), Some(wanted));
        for _ in 0..40 {
            let found = match dice.below(3) {
                0 => found(chunk, &rows, chunk.open(&damage(&whole, dice)), dictionary.as_deref()),
                1 => found(chunk, &rows, Some((header, damage(&body, dice))), dictionary.as_deref()),
                _ => {
                    let page = dictionary.as_deref().map(Dictionary::page).filter(|page| !page.is_empty());
                    let damaged = page.map(|page| damage(page, dice));
                    let count = usize::try_from(dice.below(50)).unwrap();
                    let other = damaged.and_then(|page| Dictionary::new(chunk.chunk.column_descr(), page, count));
                    found(chunk, &rows, Some((header, body.clone())), other.as_ref())
                }
            };
            assert!(found.is_none_or(|found| found == wanted), "{}", chunk.chunk.column_path());
        }
    }
}

#[test]
fn of_a_damaged_page_as_many_rows_are_found_as_were_asked_for_or_none() {
    let (folders, mut dice) = (Folders::new(), Dice(11));
    for signal in [Signal::Traces, Signal::Logs] {
        let segment = folders.write(signal, 0, batches(signal, 5, 1_500, Shape::default()));
        let footer = segment.footer().unwrap();
        let index = footer.parquet.metadata().offset_index().unwrap();
        for _ in 0..4 {
            let rows = rows(&mut dice, 1_500);
            for part in parts(footer, &rows) {
                for (leaf, chunk) in part.group.columns().iter().enumerate() {
                    let pages = index[part.number][leaf].page_locations();
                    compare_damaged(&Chunk { segment: &segment, part: &part, leaf, chunk, pages }, &mut dice);
                }
            }
        }
    }
}

#[test]
fn rows_of_several_row_groups_are_read_from_each() {
    // Smaller row groups are joined where segments are stacked.
    const ROWS: usize = 33_000;
    let (folders, mut dice) = (Folders::new(), Dice(3));
    let mut shape = Shape { stray: false, ..Shape::default() };
    let mut write = |seed| {
        let segment = folders.write(Signal::Logs, 1, batches(Signal::Logs, seed, ROWS, shape));
        shape.first_record += i64::try_from(ROWS).unwrap();
        shape.from += i64::try_from(shape.width).unwrap();
        Arc::new(segment)
    };
    let inputs = [write(1), write(2)];
    let meta = super::super::stack(&inputs, &folders.tmp, &folders.seg, &false.into()).unwrap().unwrap();
    let segment = Segment::open(&folders.seg, meta).unwrap();
    assert!(segment.row_groups().len() > 1);
    compare(&segment, &mut dice);
    compare_passing(&segment, &mut dice);
}
