//! Joins small batches, so that requests of one span do not become thousands of batches.
//!
//! Joined rows are copied out of the requests they came in, so that a few rows do not keep large requests in memory.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryViewBuilder, MapArray, RecordBatch, StructArray};
use arrow::compute::concat_batches;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;

use crate::schema::column;

use super::Entry;

/// Joins the newest entries when enough small ones came together. Each row is copied at most three times.
pub(super) fn coalesce(entries: &mut Vec<Entry>) {
    for below in [FAN_IN, FAN_IN * FAN_IN, FULL_ROWS] {
        let small = entries.iter().rev().take_while(|entry| entry.batch.num_rows() < below).count();
        let from = entries.len() - small;
        let tail = entries.get(from..).unwrap_or_default();
        let rows: usize = tail.iter().map(|entry| entry.batch.num_rows()).sum();
        if small < 2 || (small < FAN_IN && rows < FULL_ROWS) {
            continue;
        }
        match join(tail) {
            Ok(batch) => replace(entries, from, batch),
            // The rows stay as they are; only the number of batches is larger than it should be.
            Err(error) => tracing::debug!(%error, "batches in memory could not be joined"),
        }
    }
}

fn replace(entries: &mut Vec<Entry>, from: usize, batch: RecordBatch) {
    let bytes = batch.get_array_memory_size();
    let mut rest = entries.drain(from..);
    if let Some(Entry { mut room, .. }) = rest.next() {
        drop(rest);
        room.resize(bytes);
        entries.push(Entry { batch, room });
    }
}

fn join(entries: &[Entry]) -> Result<RecordBatch, ArrowError> {
    let Some(first) = entries.first() else { return Err(ArrowError::InvalidArgumentError("nothing to join".to_owned())) };
    let schema = first.batch.schema();
    let joined = concat_batches(&schema, entries.iter().map(|entry| &entry.batch))?;
    let columns = schema.fields().iter().zip(joined.columns()).map(|(field, column)| match field.name().as_str() {
        column::RESOURCE | column::SCOPE => Ok(share(column)),
        _ => compact(column),
    });
    RecordBatch::try_new(schema.clone(), columns.collect::<Result<_, _>>()?)
}

/// Copies what views point at, so that nothing else is kept alive.
fn compact(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    Ok(match array.data_type() {
        DataType::Utf8View => Arc::new(array.as_string_view().gc()),
        DataType::BinaryView => Arc::new(array.as_binary_view().gc()),
        DataType::Map(field, ordered) => {
            let map = array.as_map();
            let entries = compact_struct(map.entries())?;
            Arc::new(MapArray::try_new(field.clone(), map.offsets().clone(), entries, map.nulls().cloned(), *ordered)?)
        }
        _ => array.clone(),
    })
}

fn compact_struct(array: &StructArray) -> Result<StructArray, ArrowError> {
    let columns = array.columns().iter().map(compact).collect::<Result<_, _>>()?;
    StructArray::try_new(array.fields().clone(), columns, array.nulls().cloned())
}

/// As [`compact`], but keeps equal values once: many rows have the same resource.
fn share(array: &ArrayRef) -> ArrayRef {
    let mut builder = BinaryViewBuilder::with_capacity(array.len()).with_deduplicate_strings();
    builder.extend(array.as_binary_view().iter());
    Arc::new(builder.finish())
}

/// So many small batches make one larger one.
const FAN_IN: usize = 16;

/// A batch with so many rows is left as it is: what most senders put into one request, so that under load no row is copied.
const FULL_ROWS: usize = 512;

#[cfg(test)]
mod tests {
    use arrow::array::{BinaryViewArray, Int64Array, MapBuilder, MapFieldNames, StringViewBuilder};
    use arrow::datatypes::{Field, Schema};

    use crate::buffer::Room;
    use crate::schema::map_of;

    use super::*;

    fn batch(from: i64, rows: i64) -> RecordBatch {
        let names = MapFieldNames { entry: "entries".into(), key: "key".into(), value: "value".into() };
        let mut map = MapBuilder::new(Some(names), StringViewBuilder::new(), StringViewBuilder::new());
        for row in from..from + rows {
            map.keys().append_value("a key longer than twelve bytes");
            map.values().append_value(format!("the value of the row with number {row}"));
            map.append(true).unwrap();
        }
        let schema = Schema::new(vec![
            Field::new("n", DataType::Int64, false),
            Field::new(column::RESOURCE, DataType::BinaryView, false),
            Field::new("map", map_of(DataType::Utf8View), false),
        ]);
        let resource = vec![b"a resource that is longer than twelve bytes".as_slice(); usize::try_from(rows).unwrap()];
        let columns: [ArrayRef; 3] =
            [Arc::new(Int64Array::from_iter_values(from..from + rows)), Arc::new(BinaryViewArray::from(resource)), Arc::new(map.finish())];
        RecordBatch::try_new(Arc::new(schema), columns.into()).unwrap()
    }

    #[test]
    fn single_rows_become_few_batches_in_the_same_order() {
        let room = Room::new(usize::MAX);
        let mut entries = Vec::new();
        let mut most = 0;
        for number in 0..5000 {
            entries.push(Entry { batch: batch(number, 1), room: room.force(9000) });
            coalesce(&mut entries);
            most = most.max(entries.len());
        }
        assert!(most <= 3 * FAN_IN + 5000 / FULL_ROWS, "{most}");
        let all = concat_batches(&entries[0].batch.schema(), entries.iter().map(|e| &e.batch)).unwrap();
        assert_eq!(all, batch(0, 5000));
        assert_eq!(room.used(), entries.iter().map(|e| e.room.bytes()).sum::<usize>());
        assert!(room.used() < 5000 * 500, "{} bytes", room.used());
    }

    #[test]
    fn alternating_sizes_are_joined_and_full_batches_are_left_alone() {
        let room = Room::new(usize::MAX);
        let mut entries = Vec::new();
        for number in 0..100 {
            entries.push(Entry { batch: batch(0, if number % 2 == 0 { 1 } else { 40 }), room: room.force(1) });
            coalesce(&mut entries);
        }
        assert!(entries.len() < 25, "{}", entries.len());
        let full = batch(0, 5000);
        entries.push(Entry { batch: full.clone(), room: room.force(1) });
        coalesce(&mut entries);
        assert!(Arc::ptr_eq(full.column(0), entries.last().unwrap().batch.column(0)));
    }
}
