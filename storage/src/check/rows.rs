//! Compares the indexes of a segment with its rows: one pass over the columns that they are made of.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type};

use crate::model::{TraceId, UnixNanos};
use crate::schema::{column, time_column};
use crate::segment::{Operations, Owner, Scalar, Segment, holds_rows, key_hash, value_hash};
use crate::store::Signal;
use crate::text::TextComparison;

/// What the rows of a segment add up to.
struct Counted<'a> {
    segment: &'a Segment,
    rows: u32,
    times: Option<(u64, u64)>,
    services: BTreeSet<String>,
    operations: BTreeMap<(String, String, i32), u64>,
    /// What compares the index of words with the bodies so far.
    text: Option<TextComparison>,
    /// Whether an index says where traces are; without one they are looked for row by row.
    knows_traces: bool,
    faults: Vec<String>,
}

/// What is wrong with the indexes; with `indexed` false only rows are counted. The error says what is wrong with the rows.
pub(super) fn check(segment: &Segment, indexed: bool) -> Result<Vec<String>, String> {
    let signal = segment.meta().signal;
    let mut columns = vec![time_column(signal), column::TRACE_ID, column::SERVICE_NAME, column::ATTR_STR];
    columns.extend(match signal {
        Signal::Traces => &[column::NAME, column::KIND][..],
        Signal::Logs => &[column::BODY],
    });
    let mut counted = Counted {
        segment,
        rows: 0,
        times: None,
        services: BTreeSet::new(),
        operations: BTreeMap::new(),
        text: None,
        knows_traces: segment.trace_runs().is_some(),
        faults: Vec::new(),
    };
    if indexed && signal == Signal::Logs {
        match segment.text_comparison() {
            Ok(text) => counted.text = text,
            Err(error) => counted.faults.push(error),
        }
    }
    for batch in segment.read(&columns, None).map_err(|error| error.detail)? {
        let batch = batch.map_err(|error| error.detail)?;
        counted.push(&batch, indexed).ok_or("it lacks a column of its table")?;
    }
    counted.against_meta()?;
    if indexed {
        counted.against_lists();
        counted.against_text();
    }
    counted.faults.truncate(MAX_FAULTS);
    Ok(counted.faults)
}

impl Counted<'_> {
    /// Adds rows in order. `None` when a column is missing.
    fn push(&mut self, batch: &RecordBatch, indexed: bool) -> Option<()> {
        let signal = self.segment.meta().signal;
        let services = batch.column_by_name(column::SERVICE_NAME)?.as_string_view_opt()?;
        for service in services.iter().flatten() {
            if !self.services.contains(service) {
                self.services.insert(service.to_owned());
            }
        }
        let times = batch.column_by_name(time_column(signal))?.as_primitive_opt::<Int64Type>()?.values();
        self.push_times(times);
        if indexed {
            self.compare_traces(batch)?;
            self.compare_attributes(batch)?;
        }
        match signal {
            Signal::Traces => {
                let names = batch.column_by_name(column::NAME)?.as_string_view_opt()?;
                let kinds = batch.column_by_name(column::KIND)?.as_primitive_opt::<Int32Type>()?;
                for ((service, name), kind) in services.iter().zip(names).zip(kinds) {
                    *self.operations.entry((service?.to_owned(), name?.to_owned(), kind?)).or_default() += 1;
                }
            }
            Signal::Logs => {
                let bodies = batch.column_by_name(column::BODY)?.as_string_view_opt()?;
                let compared = self.text.as_mut().map_or(Ok(()), |text| bodies.iter().try_for_each(|body| text.push(body)));
                if let Err(error) = compared {
                    self.text = None;
                    self.faults.push(error.to_string());
                }
            }
        }
        self.rows += u32::try_from(batch.num_rows()).ok()?;
        Some(())
    }

    fn push_times(&mut self, times: &[i64]) {
        let groups = self.segment.row_groups();
        let mut group = None;
        for (row, time) in (self.rows..).zip(times) {
            let time = time.cast_unsigned();
            self.times = Some(self.times.map_or((time, time), |(min, max)| (min.min(time), max.max(time))));
            let inside = |group: &&crate::segment::RowGroup| group.rows.contains(&row);
            group = group.filter(inside).or_else(|| groups.iter().find(inside));
            if group.is_none_or(|group| !(group.min_time..=group.max_time).contains(&UnixNanos::new(time))) {
                self.faults.push(format!("row {row} is not within the bounds of its row group"));
                return;
            }
        }
    }

    /// Whether every trace is found where its rows are.
    fn compare_traces(&mut self, batch: &RecordBatch) -> Option<()> {
        let traces = batch.column_by_name(column::TRACE_ID)?.as_fixed_size_binary_opt()?;
        if !self.knows_traces {
            return Some(());
        }
        let mut rows: BTreeMap<&[u8], Vec<u32>> = BTreeMap::new();
        for (row, trace) in (self.rows..).zip(traces) {
            if let Some(trace) = trace {
                rows.entry(trace).or_default().push(row);
            }
        }
        for (trace, rows) in rows {
            let Some(id) = TraceId::from_slice(trace) else { continue };
            match self.segment.trace_rows(id) {
                Ok(found) if rows.iter().all(|row| holds_rows(&found, *row)) => {}
                Ok(_) => self.faults.push(format!("trace {id} is not found by its id")),
                Err(error) => self.faults.push(error.detail),
            }
            if self.faults.len() > MAX_FAULTS {
                break;
            }
        }
        Some(())
    }

    /// Whether every text attribute is found where its rows are.
    fn compare_attributes(&mut self, batch: &RecordBatch) -> Option<()> {
        let map = batch.column_by_name(column::ATTR_STR)?.as_map_opt()?;
        let (keys, values) = (map.keys().as_string_view_opt()?, map.values().as_string_view_opt()?);
        let mut hashes: HashMap<u64, (u32, &str)> = HashMap::new();
        for (row, ends) in (self.rows..).zip(map.value_offsets().windows(2)) {
            let [start, end] = ends else { continue };
            for at in usize::try_from(*start).ok()?..usize::try_from(*end).ok()? {
                if values.is_valid(at)
                    && let Some(hash) = value_hash(key_hash(Owner::Record, keys.value(at)), Scalar::Text(values.value(at)))
                {
                    hashes.insert(hash, (row, keys.value(at)));
                }
            }
        }
        for (hash, (row, key)) in hashes {
            if self.segment.attribute_rows(hash).is_some_and(|rows| !holds_rows(&rows, row)) {
                self.faults.push(format!("a value of {key} is not found where it is"));
                break;
            }
        }
        Some(())
    }

    fn against_meta(&self) -> Result<(), String> {
        let meta = self.segment.meta();
        if u64::from(self.rows) != meta.rows {
            return Err(format!("it has {} rows, {} are recorded", self.rows, meta.rows));
        }
        let recorded = (meta.min_time.get(), meta.max_time.get());
        match self.times {
            Some(times) if times != recorded => Err("its earliest and latest times are not those that are recorded".to_owned()),
            _ => Ok(()),
        }
    }

    fn against_lists(&mut self) {
        if let Some(services) = self.segment.services()
            && !services.iter().eq(&self.services)
        {
            self.faults.push("its list of services is not that of its rows".to_owned());
        }
        if let Some(roll) = self.segment.roll()
            && roll.cells.iter().map(|cell| cell.count).sum::<u64>() != u64::from(self.rows)
        {
            self.faults.push("its roll-up does not count its rows".to_owned());
        }
        let Some(Operations { entries, complete: true }) = self.segment.operations() else { return };
        let listed = entries.iter().map(|entry| ((&entry.service, &entry.name, entry.kind), entry.count));
        let counted = self.operations.iter().map(|((service, name, kind), count)| ((service, name, *kind), *count));
        if !listed.eq(counted) {
            self.faults.push("its list of operations is not that of its rows".to_owned());
        }
    }

    fn against_text(&mut self) {
        if self.text.take().is_some_and(|text| !text.finish()) {
            self.faults.push("its text index does not hold the words of its bodies".to_owned());
        }
    }
}

/// A few tell as much as all.
const MAX_FAULTS: usize = 5;
