//! Reads the spans and log records of many traces at once and has them judged.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use arrow::array::{FixedSizeBinaryArray, Int32Array, Int64Array, RecordBatch};
use arrow::buffer::BooleanBuffer;

use super::super::super::answer::QueryStats;
use super::super::super::columns;
use super::super::super::predicate::Predicate;
use super::super::super::question::{QueryError, TraceSearch};
use super::super::super::scan::{Control, Holding, Scan, Wanted};
use super::judge::{Verdict, judge};
use super::plan::Plan;
use super::rows::{Item, Rows};
use crate::model::{StatusCode, TimeRange, TraceId};
use crate::schema::column;
use crate::snapshot::Snapshot;
use crate::store::Signal;

/// Reads and judges.
pub(super) struct Reader<'a> {
    snapshot: &'a Snapshot,
    plan: &'a Plan,
    control: &'a Control,
    of_spans: Read,
    of_logs: Read,
    stats: QueryStats,
    items: usize,
    truncated: usize,
    /// What is read and not judged yet.
    holding: RefCell<Holding>,
}

/// What is read of rows: columns, and attributes by their keys.
#[derive(Debug)]
struct Read {
    columns: Vec<&'static str>,
    keys: Vec<String>,
}

/// Traces that are read together.
const TRACES_AT_ONCE: usize = 256;
/// Spans and records that are held at once; when there are more, fewer traces are read together.
const MAX_ITEMS: usize = 1_000_000;
/// Spans and records that are read for one page, about.
const MAX_ITEMS_PER_PAGE: usize = 20_000_000;

/// A span or record and that it was seen.
const BYTES_PER_ITEM: usize = size_of::<Item>() + 2 * size_of::<(u64, i32, u64)>();

const SPAN_COLUMNS: [&str; 8] = [
    column::TRACE_ID,
    column::SPAN_ID,
    column::PARENT_SPAN_ID,
    column::START_TIME,
    column::END_TIME,
    column::DURATION,
    column::KIND,
    column::STATUS_CODE,
];

// === impl Reader ===

impl<'a> Reader<'a> {
    pub(super) fn new(snapshot: &'a Snapshot, plan: &'a Plan, control: &'a Control) -> Self {
        let of = |signal: Signal, own: &[&'static str]| {
            let (mut columns, mut keys) = (own.to_vec(), Vec::new());
            for leg in plan.legs.iter().filter(|leg| leg.signal == signal) {
                let needs = leg.predicate.needs();
                columns.extend(needs.columns);
                keys.extend(needs.keys.into_iter().map(str::to_owned));
            }
            Read { columns, keys }
        };
        let mut of_spans = of(Signal::Traces, &SPAN_COLUMNS);
        if plan.needs_services {
            of_spans.columns.push(column::SERVICE_NAME);
        }
        let of_logs = of(Signal::Logs, &[column::TRACE_ID, column::SPAN_ID, column::TIME]);
        let stats = QueryStats { complete: true, ..QueryStats::default() };
        Self { snapshot, plan, control, of_spans, of_logs, stats, items: 0, truncated: 0, holding: RefCell::new(control.holding()) }
    }

    /// Whether as much was read as one page may cost.
    pub(super) fn is_spent(&self) -> bool {
        self.items > MAX_ITEMS_PER_PAGE
    }

    /// What reading took.
    pub(super) fn finish(mut self) -> QueryStats {
        if self.truncated > 0 {
            self.stats.complete = false;
            self.stats.notes.push(format!(
                "{} traces have more than {MAX_ITEMS} spans and log records; only so many of each were looked at",
                self.truncated
            ));
        }
        self.stats
    }

    /// Hands the traces that match to `found`.
    pub(super) fn judge(
        &mut self,
        ids: &[TraceId],
        search: &TraceSearch,
        found: &mut dyn FnMut(TraceId, Verdict),
    ) -> Result<(), QueryError> {
        let mut open: Vec<&[TraceId]> = ids.chunks(TRACES_AT_ONCE).rev().collect();
        while let Some(chunk) = open.pop() {
            let Some(traces) = self.read(chunk)? else {
                let (left, right) = chunk.split_at(chunk.len() / 2);
                open.extend([right, left]);
                continue;
            };
            for id in chunk {
                let Some(rows) = traces.get(id) else { continue };
                self.items += rows.items();
                self.truncated += usize::from(rows.truncated);
                if let Some(verdict) = judge(self.plan, rows, search) {
                    found(*id, verdict);
                }
            }
        }
        Ok(())
    }

    /// `None` when there is too much to hold and fewer traces would do.
    fn read(&mut self, ids: &[TraceId]) -> Result<Option<HashMap<TraceId, Rows>>, QueryError> {
        let mut traces = HashMap::with_capacity(ids.len());
        let mut signals = vec![Signal::Traces];
        if self.plan.needs_logs {
            signals.push(Signal::Logs);
        }
        let room = Cell::new(MAX_ITEMS);
        let mut held = 0;
        for signal in signals {
            let of_traces = Predicate::traces(ids.to_vec());
            let read = if signal == Signal::Traces { &self.of_spans } else { &self.of_logs };
            let mut scan = Scan::new(self.snapshot, signal, TimeRange::ALL, &of_traces.hints, self.control)?;
            scan.run(
                Wanted { columns: &read.columns, keys: &read.keys, predicate: &of_traces },
                |_| room.get() == 0,
                |rows| {
                    let left = self.gather(signal, rows.batch, &rows.alive, &mut traces, room.get())?;
                    held += room.replace(left) - left;
                    self.holding.borrow_mut().set(held * BYTES_PER_ITEM);
                    Ok(())
                },
            )?;
            self.stats.add(scan.stats);
            if room.get() == 0 {
                if ids.len() > 1 {
                    return Ok(None);
                }
                traces.values_mut().for_each(|rows: &mut Rows| rows.truncated = true);
                // Records get as much room again.
                room.set(MAX_ITEMS);
            }
        }
        Ok(Some(traces))
    }

    /// Adds the alive rows to their traces while there is room; says how much is left.
    fn gather(
        &self,
        signal: Signal,
        batch: &RecordBatch,
        alive: &BooleanBuffer,
        traces: &mut HashMap<TraceId, Rows>,
        mut room: usize,
    ) -> Result<usize, QueryError> {
        let mut legs = Vec::new();
        for (number, leg) in self.plan.legs.iter().enumerate().filter(|(_, leg)| leg.signal == signal) {
            legs.push((number, leg.predicate.matches(batch, alive.clone())?));
        }
        let ids = columns::id(batch, column::TRACE_ID)?;
        let read = RowReader::new(signal, batch)?;
        let services =
            if signal == Signal::Traces && self.plan.needs_services { Some(columns::text(batch, column::SERVICE_NAME)?) } else { None };
        for row in alive.set_indices() {
            let Some(trace) = columns::trace_id(ids, row) else { continue };
            if room == 0 {
                break;
            }
            let mut item = read.item(row);
            for (number, rows) in &legs {
                item.legs |= u64::from(rows.value(row)) << number;
            }
            let rows = traces.entry(trace).or_default();
            if rows.add(item) {
                room -= 1;
            }
            if let Some(services) = services {
                rows.add_service(services.value(row));
            }
        }
        Ok(room)
    }
}

/// The columns of a batch that make items.
enum RowReader<'a> {
    Spans {
        ids: &'a FixedSizeBinaryArray,
        parents: &'a FixedSizeBinaryArray,
        starts: &'a Int64Array,
        ends: &'a Int64Array,
        durations: &'a Int64Array,
        kinds: &'a Int32Array,
        statuses: &'a Int32Array,
    },
    Records {
        ids: &'a FixedSizeBinaryArray,
        times: &'a Int64Array,
    },
}

impl<'a> RowReader<'a> {
    fn new(signal: Signal, batch: &'a RecordBatch) -> Result<Self, QueryError> {
        Ok(match signal {
            Signal::Traces => Self::Spans {
                ids: columns::id(batch, column::SPAN_ID)?,
                parents: columns::id(batch, column::PARENT_SPAN_ID)?,
                starts: columns::long(batch, column::START_TIME)?,
                ends: columns::long(batch, column::END_TIME)?,
                durations: columns::long(batch, column::DURATION)?,
                kinds: columns::int(batch, column::KIND)?,
                statuses: columns::int(batch, column::STATUS_CODE)?,
            },
            Signal::Logs => Self::Records { ids: columns::id(batch, column::SPAN_ID)?, times: columns::long(batch, column::TIME)? },
        })
    }

    fn item(&self, row: usize) -> Item {
        let number = |ids: &FixedSizeBinaryArray| columns::span_id(ids, row).map_or(0, |id| u64::from_be_bytes(*id.as_bytes()));
        match self {
            Self::Spans { ids, parents, starts, ends, durations, kinds, statuses } => Item {
                is_span: true,
                time: columns::nanos(starts, row),
                end: columns::nanos(ends, row),
                duration: columns::nanos(durations, row),
                is_error: statuses.value(row) == StatusCode::Error.number(),
                id: number(ids),
                parent: number(parents),
                kind: kinds.value(row),
                legs: 0,
            },
            Self::Records { ids, times } => {
                let (time, id) = (columns::nanos(times, row), number(ids));
                Item { is_span: false, time, end: time, duration: 0, is_error: false, id, parent: id, kind: 0, legs: 0 }
            }
        }
    }
}
