//! Puts a trace together as a [`Sheet`](crate::trace::Sheet), from the few columns that it takes of its spans.
//!
//! Owns which columns these are, and where the row of each span is found again.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array as _, RecordBatch, StringViewArray};
use parking_lot::Mutex;

use super::super::columns;
use super::super::question::QueryError;
use super::super::scan::Control;
use super::{Held, Part, lost, segment};
use crate::model::{TraceId, UnixNanos};
use crate::rows;
use crate::schema::column;
use crate::segment::{RowRanges, SegmentError};
use crate::snapshot::Snapshot;
use crate::trace::{Brief, Collector};

/// The columns a sheet is made from.
const COLUMNS: [&str; 13] = [
    column::TRACE_ID,
    column::SPAN_ID,
    column::PARENT_SPAN_ID,
    column::START_TIME,
    column::END_TIME,
    column::NAME,
    column::KIND,
    column::STATUS_CODE,
    column::STATUS_MESSAGE,
    column::SERVICE_NAME,
    column::RESOURCE,
    column::EXCEPTION_MESSAGE,
    column::EVENT_NAMES,
];

/// A trace that is being put together.
struct Gathering {
    id: TraceId,
    collector: Collector,
    origins: Vec<(u32, u32)>,
}

/// Puts a trace together from its parts; `None` when there is none.
pub(super) fn collect(snapshot: &Snapshot, id: TraceId, version: Vec<Part>, control: &Control) -> Result<Option<Held>, QueryError> {
    let mut notes = snapshot.spans.unreadable.clone();
    let mut gathering = Gathering { id, collector: Collector::default(), origins: Vec::new() };
    for (number, part) in version.iter().enumerate() {
        control.check()?;
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        match part {
            Part::Memory(place, ranges) => {
                let rows = ranges.iter().cloned().flatten().map(|row| (row as usize, row));
                snapshot.spans.buffered.get(*place).map_or(Ok(()), |batch| gathering.take(batch, number, rows))?;
            }
            Part::Segment(segment_id, ranges) => match narrow(snapshot, *segment_id, ranges) {
                Ok(batches) => {
                    let mut rows = ranges.iter().cloned().flatten();
                    for batch in batches {
                        gathering.take(&batch, number, (0..batch.num_rows()).zip(rows.by_ref()))?;
                    }
                }
                Err(error) => notes.push(lost(&error)),
            },
            Part::Lost(_, why) => notes.push(why.clone()),
        }
    }
    match (gathering.origins.is_empty(), notes.first()) {
        (true, None) => Ok(None),
        // It may be in the part that could not be read.
        (true, Some(note)) => Err(QueryError::Internal(note.clone())),
        (false, _) => Ok(Some(gathering.finish(version, notes))),
    }
}

fn narrow(snapshot: &Snapshot, id: ulid::Ulid, rows: &RowRanges) -> Result<Vec<RecordBatch>, SegmentError> {
    segment(snapshot, id).map_or_else(|| Ok(Vec::new()), |segment| segment.read(&COLUMNS, Some(rows))?.collect())
}

impl Gathering {
    /// Adds rows of a batch: their places in it, and the numbers under which they are found again.
    fn take(&mut self, batch: &RecordBatch, part: u32, rows: impl Iterator<Item = (usize, u32)>) -> Result<(), QueryError> {
        let (traces, ids) = (columns::id(batch, column::TRACE_ID)?, columns::id(batch, column::SPAN_ID)?);
        let parents = columns::id(batch, column::PARENT_SPAN_ID)?;
        let (starts, ends) = (columns::long(batch, column::START_TIME)?, columns::long(batch, column::END_TIME)?);
        let (names, services) = (columns::text(batch, column::NAME)?, columns::text(batch, column::SERVICE_NAME)?);
        let (kinds, codes) = (columns::int(batch, column::KIND)?, columns::int(batch, column::STATUS_CODE)?);
        let (said, thrown) = (columns::text(batch, column::STATUS_MESSAGE)?, columns::text(batch, column::EXCEPTION_MESSAGE)?);
        let events = columns::text(batch, column::EVENT_NAMES)?;
        let resources = columns::binary(batch, column::RESOURCE)?;
        let mut clocks: HashMap<&[u8], u32> = HashMap::new();
        // Rows beside each other mostly share their resource and service.
        let mut clock_of: Option<(&[u8], u32)> = None;
        let mut service_of: Option<(&str, u32)> = None;
        for (row, number) in rows {
            // The index of a segment may name rows of another trace.
            let Some(span_id) = columns::span_id(ids, row).filter(|_| traces.value(row) == self.id.as_bytes()) else { continue };
            let resource = resources.value(row);
            let clock = match clock_of {
                Some((known, clock)) if std::ptr::eq(known, resource) => clock,
                _ => *clocks.entry(resource).or_insert_with(|| self.collector.clock(&rows::resource(resource))),
            };
            clock_of = Some((resource, clock));
            let service = services.value(row);
            let service = match service_of {
                Some((known, number)) if known == service => number,
                _ => self.collector.service(service),
            };
            service_of = Some((services.value(row), service));
            let brief = Brief {
                span_id,
                parent_span_id: columns::span_id(parents, row),
                kind: kinds.value(row).into(),
                status: codes.value(row).into(),
                start: UnixNanos::new(columns::nanos(starts, row)),
                end: UnixNanos::new(columns::nanos(ends, row)),
                service,
                name: self.collector.name(columns::text_or_empty(names, row)),
                clock,
                events: lines(events, row),
            };
            let texts = [said, thrown];
            let message = || texts.iter().map(|text| columns::text_or_empty(text, row)).find(|text| !text.is_empty()).map(str::to_owned);
            self.collector.add(brief, message);
            self.origins.push((part, number));
        }
        Ok(())
    }

    fn finish(self, version: Vec<Part>, notes: Vec<String>) -> Held {
        let (sheet, rows) = self.collector.finish(self.id, notes.is_empty(), notes);
        let origins = rows.into_iter().map(|row| self.origins.get(row as usize).copied().unwrap_or_default()).collect();
        Held { sheet: Arc::new(sheet), version, origins, found: Mutex::default() }
    }
}

/// How many lines a text has, of which none is null: each event's name is one.
fn lines(texts: &StringViewArray, row: usize) -> u32 {
    if texts.is_null(row) { 0 } else { u32::try_from(texts.value(row).lines().count().max(1)).unwrap_or(u32::MAX) }
}
