//! Rows for tests: random within small sets of ids, services and times, so that they repeat, tie and overlap.

#![expect(clippy::cast_possible_truncation, reason = "numbers here are small")]

use std::sync::Arc;

use arrow::array::{
    ArrayBuilder, ArrayRef, BinaryViewBuilder, BooleanBuilder, FixedSizeBinaryBuilder, Float64Builder, Int32Builder, Int64Builder,
    MapBuilder, MapFieldNames, RecordBatch, StringViewBuilder,
};
use arrow::compute::concat_batches;
use arrow::datatypes::DataType;

use super::{Output, SegmentMeta};
use crate::attributes::Layout;
use crate::files::Place;
use crate::schema::{self, BUCKET_NANOS, column};
use crate::store::Signal;

/// Numbers that look random and repeat with the seed.
#[derive(Clone, Debug)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.roll() % bound
    }
}

/// Writes rows as one or more segments of level 1 in a layout, which merges choose by themselves.
pub(crate) fn write_in(layout: Layout, folder: (&Place, &Place), signal: Signal, batches: Vec<RecordBatch>) -> Vec<SegmentMeta> {
    super::sorting::sort_into(Output::new(folder.0, folder.1, signal, 1).with_layout(layout), signal, batches).unwrap()
}

/// How rows spread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) traces: u64,
    pub(crate) from: i64,
    pub(crate) width: u64,
    pub(crate) first_record: i64,
    /// Whether a few times lie beyond 2^63.
    pub(crate) stray: bool,
}

impl Default for Shape {
    fn default() -> Self {
        Self { traces: 40, from: 1_700_000_000_000_000_000, width: 3 * BUCKET_NANOS.unsigned_abs(), first_record: 0, stray: true }
    }
}

const WORDS: [&str; 12] =
    ["order", "created", "userId", "HTTPServer", "timeout", "payment_failed", "Grüße", "İstanbul", "42", "cart", "snake_case_id", "retry"];

/// A trace id of the small set, some of them padded 64-bit ids.
pub(crate) fn trace_id(number: u64) -> [u8; 16] {
    let mut dice = Dice(number);
    let high = if number.is_multiple_of(3) { 0 } else { dice.roll() };
    ((u128::from(high) << 64) | u128::from(dice.roll() | 1)).to_be_bytes()
}

/// Some words, sometimes none.
pub(crate) fn body(dice: &mut Dice) -> Option<String> {
    if dice.below(10) == 0 {
        return None;
    }
    let separators = [" ", "-", ": ", "\n", "=", ", "];
    let mut text = String::new();
    for _ in 0..dice.below(8) {
        text.push_str(WORDS[dice.below(12) as usize]);
        text.push_str(separators[dice.below(6) as usize]);
    }
    Some(text)
}

/// Batches of random rows, `rows` in all.
pub(crate) fn batches(signal: Signal, seed: u64, rows: usize, shape: Shape) -> Vec<RecordBatch> {
    let mut dice = Dice(seed);
    let mut out = Vec::new();
    let mut left = rows;
    let mut shape = shape;
    while left > 0 {
        let now = left.min(1 + dice.below(700) as usize);
        out.push(batch(signal, dice.roll(), now, shape));
        shape.first_record += now as i64;
        left -= now;
    }
    out
}

/// All rows of several batches in one.
pub(crate) fn joined(signal: Signal, batches: &[RecordBatch]) -> RecordBatch {
    concat_batches(&schema::of(signal), batches).unwrap()
}

/// One batch of random rows.
pub(crate) fn batch(signal: Signal, seed: u64, rows: usize, shape: Shape) -> RecordBatch {
    let table = schema::of(signal);
    let columns = table.fields().iter().map(|field| {
        // Each column has its own dice, so that rows do not depend on the order of columns.
        let mut dice = Dice(seed ^ field.name().bytes().fold(7, |h: u64, b| h.wrapping_mul(31).wrapping_add(u64::from(b))));
        values(signal, field.name(), field.data_type(), field.is_nullable(), rows, shape, &mut dice)
    });
    RecordBatch::try_new(table.clone(), columns.collect()).unwrap()
}

fn values(signal: Signal, name: &str, data_type: &DataType, nullable: bool, rows: usize, shape: Shape, dice: &mut Dice) -> ArrayRef {
    let null = |dice: &mut Dice| nullable && dice.below(3) == 0;
    match data_type {
        DataType::FixedSizeBinary(width) => {
            let mut builder = FixedSizeBinaryBuilder::new(*width);
            for _ in 0..rows {
                let id = trace_id(dice.below(if *width == 16 { shape.traces } else { 3 }));
                if null(dice) { builder.append_null() } else { builder.append_value(&id[16 - *width as usize..]).unwrap() }
            }
            Arc::new(builder.finish())
        }
        DataType::Int64 => {
            let mut builder = Int64Builder::new();
            for row in 0..rows {
                builder.append_value(match name {
                    column::RECORD_ID => shape.first_record + row as i64,
                    // A grid of times, so that equal ones occur; rarely one beyond 2^63.
                    column::START_TIME | column::TIME if shape.stray && dice.below(500) == 0 => -5,
                    column::START_TIME | column::TIME => shape.from + (dice.below(50) * (shape.width / 50)) as i64,
                    // Some are unset.
                    column::END_TIME | column::TIME_UNIX_NANO | column::OBSERVED_TIME if dice.below(4) == 0 => 0,
                    column::END_TIME | column::DURATION | column::TIME_UNIX_NANO | column::OBSERVED_TIME => dice.below(1 << 40) as i64,
                    _ => dice.below(3) as i64,
                });
            }
            Arc::new(builder.finish())
        }
        DataType::Int32 => {
            let mut builder = Int32Builder::new();
            (0..rows).for_each(|_| if null(dice) { builder.append_null() } else { builder.append_value(dice.below(3) as i32) });
            Arc::new(builder.finish())
        }
        DataType::Utf8View => {
            let mut builder = StringViewBuilder::new();
            for _ in 0..rows {
                match (name, null(dice)) {
                    (column::BODY, _) => builder.append_option(body(dice)),
                    (_, true) => builder.append_null(),
                    (_, false) => builder.append_value(text(signal, name, dice)),
                }
            }
            Arc::new(builder.finish())
        }
        DataType::BinaryView => {
            let mut builder = BinaryViewBuilder::new();
            for _ in 0..rows {
                let len = [0, 5, 40][dice.below(3) as usize];
                if null(dice) { builder.append_null() } else { builder.append_value(vec![dice.below(4) as u8; len]) }
            }
            Arc::new(builder.finish())
        }
        DataType::Map(entries, _) => map(entries.data_type(), rows, dice),
        other => panic!("no values for {other}"),
    }
}

fn text(signal: Signal, name: &str, dice: &mut Dice) -> String {
    match name {
        column::SERVICE_NAME => format!("{}-service-with-a-name-{}", signal.as_str(), dice.below(5)),
        column::NAME => format!("op {}", dice.below(9)),
        _ => "x".repeat(dice.below(30) as usize),
    }
}

fn map(entries: &DataType, rows: usize, dice: &mut Dice) -> ArrayRef {
    let DataType::Struct(fields) = entries else { panic!("map of {entries}") };
    match fields[1].data_type() {
        DataType::Utf8View => map_of(StringViewBuilder::new(), rows, dice, |b, dice| b.append_value(format!("value {}", dice.below(99)))),
        DataType::Int64 => map_of(Int64Builder::new(), rows, dice, |b, dice| b.append_value(dice.roll() as i64)),
        DataType::Float64 => map_of(Float64Builder::new(), rows, dice, |b, dice| b.append_value(dice.below(100) as f64 / 7.0)),
        DataType::Boolean => map_of(BooleanBuilder::new(), rows, dice, |b, dice| b.append_value(dice.below(2) == 0)),
        DataType::BinaryView => map_of(BinaryViewBuilder::new(), rows, dice, |b, dice| {
            // An array within an array, 100 deep, as an encoded `AnyValue`.
            let depth = [1, 100][dice.below(2) as usize];
            let mut value = Vec::new();
            for _ in 0..depth {
                let len = value.len() as u8;
                value.splice(0..0, [0x2a, len]);
            }
            if dice.below(4) == 0 { b.append_null() } else { b.append_value(value) }
        }),
        other => panic!("no map of {other}"),
    }
}

fn map_of<B: ArrayBuilder>(values: B, rows: usize, dice: &mut Dice, append: impl Fn(&mut B, &mut Dice)) -> ArrayRef {
    let names = MapFieldNames { entry: "entries".to_owned(), key: "key".to_owned(), value: "value".to_owned() };
    let mut builder = MapBuilder::new(Some(names), StringViewBuilder::new(), values);
    for _ in 0..rows {
        for key in 0..dice.below(4) {
            builder.keys().append_value(format!("some.attribute.key.{key}"));
            append(builder.values(), dice);
        }
        builder.append(true).unwrap();
    }
    Arc::new(builder.finish())
}
