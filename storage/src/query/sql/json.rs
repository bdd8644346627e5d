//! Rows of an answer as JSON.

use std::collections::HashSet;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{
    DataType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use serde_json::{Map, Value};

use super::super::answer::SqlColumn;
use crate::model::Hex;

/// Integers beyond this lose digits in programs that read JSON numbers as doubles.
const MAX_SAFE_INTEGER: u64 = 1 << 53;

/// Gives every column a name of its own.
#[derive(Debug, Default)]
pub(super) struct Names {
    taken: HashSet<String>,
}

impl Names {
    pub(super) fn unique(&mut self, name: &str) -> String {
        let mut unique = name.to_owned();
        let mut n = 2;
        while !self.taken.insert(unique.clone()) {
            unique = format!("{name}_{n}");
            n += 1;
        }
        unique
    }
}

/// Appends the rows of a batch.
pub(super) fn append(rows: &mut Vec<Map<String, Value>>, columns: &[SqlColumn], batch: &RecordBatch) {
    for row in 0..batch.num_rows() {
        let values = columns.iter().zip(batch.columns()).map(|(column, array)| (column.name.clone(), value(array.as_ref(), row)));
        rows.push(values.collect());
    }
}

/// Bytes as lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    Hex(bytes).to_string()
}

fn value(array: &dyn Array, row: usize) -> Value {
    if array.is_null(row) {
        return Value::Null;
    }
    match array.data_type() {
        DataType::Null => Value::Null,
        DataType::Boolean => array.as_boolean().value(row).into(),
        DataType::Int8 => array.as_primitive::<Int8Type>().value(row).into(),
        DataType::Int16 => array.as_primitive::<Int16Type>().value(row).into(),
        DataType::Int32 => array.as_primitive::<Int32Type>().value(row).into(),
        DataType::Int64 => signed(array.as_primitive::<Int64Type>().value(row)),
        DataType::UInt8 => array.as_primitive::<UInt8Type>().value(row).into(),
        DataType::UInt16 => array.as_primitive::<UInt16Type>().value(row).into(),
        DataType::UInt32 => array.as_primitive::<UInt32Type>().value(row).into(),
        DataType::UInt64 => unsigned(array.as_primitive::<UInt64Type>().value(row)),
        DataType::Float32 => double(f64::from(array.as_primitive::<Float32Type>().value(row))),
        DataType::Float64 => double(array.as_primitive::<Float64Type>().value(row)),
        DataType::Utf8 => array.as_string::<i32>().value(row).into(),
        DataType::LargeUtf8 => array.as_string::<i64>().value(row).into(),
        DataType::Utf8View => array.as_string_view().value(row).into(),
        DataType::Binary => hex(array.as_binary::<i32>().value(row)).into(),
        DataType::LargeBinary => hex(array.as_binary::<i64>().value(row)).into(),
        DataType::BinaryView => hex(array.as_binary_view().value(row)).into(),
        DataType::FixedSizeBinary(_) => hex(array.as_fixed_size_binary().value(row)).into(),
        DataType::List(_) => list(array.as_list::<i32>().value(row).as_ref()),
        DataType::LargeList(_) => list(array.as_list::<i64>().value(row).as_ref()),
        DataType::FixedSizeList(..) => list(array.as_fixed_size_list().value(row).as_ref()),
        DataType::Map(..) => map(array, row),
        DataType::Struct(fields) => {
            let columns = array.as_struct().columns();
            fields.iter().zip(columns).map(|(field, column)| (field.name().clone(), value(column.as_ref(), row))).collect()
        }
        _ => other(array, row),
    }
}

fn list(elements: &dyn Array) -> Value {
    (0..elements.len()).map(|i| value(elements, i)).collect()
}

/// Keys as text; of equal keys the first stays, others get a number.
fn map(array: &dyn Array, row: usize) -> Value {
    let entries = array.as_map().value(row);
    let [keys, values] = entries.columns() else { return Value::Null };
    let mut names = Names::default();
    let mut object = Map::new();
    for i in 0..keys.len() {
        let key = match value(keys.as_ref(), i) {
            Value::String(text) => text,
            other => other.to_string(),
        };
        object.insert(names.unique(&key), value(values.as_ref(), i));
    }
    Value::Object(object)
}

fn signed(number: i64) -> Value {
    if number.unsigned_abs() > MAX_SAFE_INTEGER { number.to_string().into() } else { number.into() }
}

fn unsigned(number: u64) -> Value {
    if number > MAX_SAFE_INTEGER { number.to_string().into() } else { number.into() }
}

fn double(number: f64) -> Value {
    // JSON has no words for infinities and not-a-number.
    serde_json::Number::from_f64(number).map_or_else(|| number.to_string().into(), Value::Number)
}

/// Dates, times, decimals and whatever else: as arrow writes them.
fn other(array: &dyn Array, row: usize) -> Value {
    let options = FormatOptions::default();
    ArrayFormatter::try_new(array, &options).map_or(Value::Null, |formatter| formatter.value(row).to_string().into())
}
