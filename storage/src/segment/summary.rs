//! What is known of a segment without reading its rows: services, operations, row groups.
//!
//! Blobs `summary` and `operations` of the bundle, in JSON. Both lists are bounded; a list that overflowed is absent or says so.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type};
use serde::{Deserialize, Serialize};

use crate::model::UnixNanos;
use crate::schema::{column, time_column};
use crate::spread::Spread;
use crate::store::Signal;

use super::RowGroup;
use super::encoding::ROW_GROUP_ROWS;

/// Span names and kinds of the services in a segment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Operations {
    /// Sorted by service, name, kind.
    pub(crate) entries: Vec<OperationCount>,
    /// False when there were more than 10,000; those beyond are not listed.
    pub(crate) complete: bool,
}

/// How many spans a segment has of one operation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct OperationCount {
    /// Service name.
    pub(crate) service: String,
    /// Span name.
    pub(crate) name: String,
    /// Span kind number.
    pub(crate) kind: i32,
    /// Spans.
    pub(crate) count: u64,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Summary {
    /// `None` when there are more than 10,000.
    pub(super) services: Option<Vec<String>>,
    /// First row, end row, earliest and latest time of each row group.
    row_groups: Vec<(u32, u32, u64, u64)>,
}

#[derive(Debug)]
pub(super) struct SummaryBuilder {
    signal: Signal,
    services: BTreeSet<String>,
    operations: HashMap<String, HashMap<String, BTreeMap<i32, u64>>>,
    operation_count: usize,
    complete: bool,
    rows: u32,
    row_groups: Vec<(u32, u32, u64, u64)>,
    /// Whether the next row is the first of a row group.
    cut: bool,
    /// Whether row groups end when they are full.
    by_rows: bool,
}

const MAX_SERVICES: usize = 10_000;
const MAX_OPERATIONS: usize = 10_000;

// === impl SummaryBuilder ===

impl SummaryBuilder {
    pub(super) fn new(signal: Signal) -> Self {
        Self {
            signal,
            services: BTreeSet::new(),
            operations: HashMap::new(),
            operation_count: 0,
            complete: true,
            rows: 0,
            row_groups: Vec::new(),
            cut: true,
            by_rows: true,
        }
    }

    /// Begins a row group with the next row, also when the last one has room.
    pub(super) fn end_row_group(&mut self) {
        self.cut = true;
    }

    /// Ends row groups only where it is told to.
    pub(super) fn without_row_limit(self) -> Self {
        Self { by_rows: false, ..self }
    }

    /// Adds the next rows. `None` when a column is missing.
    pub(super) fn push(&mut self, batch: &RecordBatch) -> Option<()> {
        self.push_times(batch.column_by_name(time_column(self.signal))?.as_primitive_opt::<Int64Type>()?.values());
        let services = batch.column_by_name(column::SERVICE_NAME)?.as_string_view_opt()?;
        if self.signal == Signal::Logs {
            let mut last = None;
            for (row, view) in services.views().iter().enumerate() {
                if last.replace(*view) != Some(*view) {
                    self.push_service(services.value(row));
                }
            }
            return Some(());
        }
        let names = batch.column_by_name(column::NAME)?.as_string_view_opt()?;
        let kinds = batch.column_by_name(column::KIND)?.as_primitive_opt::<Int32Type>()?;
        // Equal views of one batch are equal texts, so most rows are counted without looking at their texts.
        let mut seen: HashMap<(u128, u128, i32), (usize, u64), Spread> = HashMap::default();
        for (row, ((service, name), kind)) in services.views().iter().zip(names.views().iter()).zip(kinds.values()).enumerate() {
            seen.entry((*service, *name, *kind)).or_insert((row, 0)).1 += 1;
        }
        let mut seen: Vec<(i32, (usize, u64))> = seen.into_iter().map(|((_, _, kind), place)| (kind, place)).collect();
        seen.sort_unstable_by_key(|(_, (row, _))| *row);
        for (kind, (row, count)) in seen {
            self.push_service(services.value(row));
            self.push_operation(services.value(row), names.value(row), kind, count);
        }
        Some(())
    }

    /// Earliest and latest time of all rows.
    pub(super) fn bounds(&self) -> (UnixNanos, UnixNanos) {
        let min = self.row_groups.iter().map(|group| group.2).min().unwrap_or_default();
        let max = self.row_groups.iter().map(|group| group.3).max().unwrap_or_default();
        (UnixNanos::new(min), UnixNanos::new(max))
    }

    /// The blobs `summary` and, for spans, `operations`.
    pub(super) fn finish(self) -> serde_json::Result<(Vec<u8>, Option<Vec<u8>>)> {
        let complete_services = self.services.len() <= MAX_SERVICES;
        let summary = Summary { services: complete_services.then(|| self.services.into_iter().collect()), row_groups: self.row_groups };
        let mut entries = Vec::with_capacity(self.operation_count);
        for (service, names) in self.operations {
            for (name, kinds) in names {
                for (kind, count) in kinds {
                    entries.push(OperationCount { service: service.clone(), name: name.clone(), kind, count });
                }
            }
        }
        entries.sort_unstable();
        let operations = Operations { entries, complete: self.complete };
        let operations = if self.signal == Signal::Traces { Some(serde_json::to_vec(&operations)?) } else { None };
        Ok((serde_json::to_vec(&summary)?, operations))
    }

    fn push_times(&mut self, mut times: &[i64]) {
        while !times.is_empty() {
            let begun = self.row_groups.last().map_or(0, |(first, ..)| (self.rows - first) as usize);
            let room = if self.by_rows { ROW_GROUP_ROWS.saturating_sub(begun) } else { usize::MAX };
            if self.cut || room == 0 {
                self.row_groups.push((self.rows, self.rows, u64::MAX, 0));
                self.cut = false;
                continue;
            }
            let (now, later) = times.split_at(times.len().min(room));
            self.rows = self.rows.saturating_add(u32::try_from(now.len()).unwrap_or(u32::MAX));
            if let Some((_, end, min, max)) = self.row_groups.last_mut() {
                *end = self.rows;
                for time in now {
                    *min = (*min).min(time.cast_unsigned());
                    *max = (*max).max(time.cast_unsigned());
                }
            }
            times = later;
        }
    }

    fn push_service(&mut self, service: &str) {
        if self.services.len() <= MAX_SERVICES && !self.services.contains(service) {
            self.services.insert(service.to_owned());
        }
    }

    fn push_operation(&mut self, service: &str, name: &str, kind: i32, rows: u64) {
        if let Some(kinds) = self.operations.get_mut(service).and_then(|names| names.get_mut(name))
            && let Some(count) = kinds.get_mut(&kind)
        {
            *count += rows;
            return;
        }
        if self.operation_count >= MAX_OPERATIONS {
            self.complete = false;
            return;
        }
        self.operation_count += 1;
        self.operations.entry(service.to_owned()).or_default().entry(name.to_owned()).or_default().insert(kind, rows);
    }
}

// === impl Summary ===

impl Summary {
    pub(super) fn row_groups(&self) -> Vec<RowGroup> {
        let group = |(first, end, min, max): &(u32, u32, u64, u64)| RowGroup {
            rows: *first..*end,
            min_time: UnixNanos::new(*min),
            max_time: UnixNanos::new(*max),
        };
        self.row_groups.iter().map(group).collect()
    }
}
