//! A trace as a [`Sheet`], built once per version and kept, and its spans read whole where they are shown.
//!
//! Owns what a version is, where the rows of a trace lie, and how much is kept. A page of a million spans holds some hundred bytes of each,
//! and reads the attributes of the two hundred that are in view.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use arrow::array::{Array as _, BooleanBufferBuilder, RecordBatch};
use arrow::buffer::BooleanBuffer;
use parking_lot::Mutex;

use super::columns;
use super::language::Query;
use super::predicate::Predicate;
use super::question::QueryError;
use super::scan::{Control, from_rows};
use crate::model::{Span, TraceId};
use crate::rows;
use crate::schema::{self, column};
use crate::segment::{RowRanges, Segment, SegmentError};
use crate::snapshot::Snapshot;
use crate::store::Signal;
use crate::trace::Sheet;

mod gathering;

use self::gathering::collect;

/// A trace at one moment.
#[derive(Clone, Debug)]
pub struct OpenTrace {
    held: Arc<Held>,
    /// Keeps alive what the rows are read from.
    snapshot: Arc<Snapshot>,
}

/// What is kept of a trace.
#[derive(Debug)]
struct Held {
    sheet: Arc<Sheet>,
    version: Vec<Part>,
    /// Per span: number of the part, and of the row in it.
    origins: Vec<(u32, u32)>,
    /// The last searches and the spans they found.
    found: Mutex<Vec<(String, Arc<Vec<usize>>)>>,
}

/// Rows of a trace that lie together. A trace whose parts are the same has not changed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Part {
    /// Rows of a batch in memory: its position, and the rows.
    Memory(usize, RowRanges),
    /// Rows of a segment: its id, and the rows.
    Segment(ulid::Ulid, RowRanges),
    /// A segment that cannot be read: its id, and why.
    Lost(ulid::Ulid, String),
}

/// The sheets that were asked for last.
#[derive(Debug, Default)]
pub(crate) struct Sheets {
    kept: Mutex<Vec<Arc<Held>>>,
}

/// Bytes of kept sheets; the one asked for last is kept whatever its size.
const MAX_KEPT_BYTES: usize = 192 << 20;
/// Kept sheets.
const MAX_KEPT: usize = 32;
/// Searches kept per sheet.
const MAX_FOUND: usize = 4;
/// Spans that are read together while searching.
const AT_ONCE: usize = 8_192;

// === impl OpenTrace ===

impl OpenTrace {
    /// The trace in columns.
    #[must_use]
    pub fn sheet(&self) -> &Arc<Sheet> {
        &self.held.sheet
    }

    /// A number that changes when spans arrive, and otherwise stays for as long as the process runs.
    #[must_use]
    pub fn version(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.held.version.hash(&mut hasher);
        hasher.finish()
    }
}

/// The trace as it is now; `None` when there is none.
pub(crate) fn open(snapshot: Arc<Snapshot>, id: TraceId, sheets: &Sheets, control: &Control) -> Result<Option<OpenTrace>, QueryError> {
    let version = parts(&snapshot, id, control)?;
    if let Some(held) = sheets.get(id, &version) {
        return Ok(Some(OpenTrace { held, snapshot }));
    }
    let held = collect(&snapshot, id, version, control)?;
    Ok(held.map(|held| {
        let held = Arc::new(held);
        sheets.keep(&held);
        OpenTrace { held, snapshot }
    }))
}

/// The spans at `places`, whole.
pub(crate) fn spans(open: &OpenTrace, places: &[usize], control: &Control) -> Result<HashMap<usize, Span>, QueryError> {
    let mut by_part: BTreeMap<u32, Vec<(u32, usize)>> = BTreeMap::new();
    for place in places {
        if let Some((part, row)) = open.held.origins.get(*place) {
            by_part.entry(*part).or_default().push((*row, *place));
        }
    }
    let mut spans = HashMap::with_capacity(places.len());
    for (part, mut wanted) in by_part {
        control.check()?;
        wanted.sort_unstable();
        wanted.dedup();
        let rows: Vec<u32> = wanted.iter().map(|(row, _)| *row).collect();
        let mut wanted = wanted.into_iter();
        for batch in open.read(part, &from_rows(rows))? {
            let read = rows::spans(&batch, 0..batch.num_rows())?;
            spans.extend(read.into_iter().zip(wanted.by_ref()).map(|(span, (_, place))| (place, span)));
        }
    }
    Ok(spans)
}

/// Places of the spans that a query describes, in the order of rows; a text without a field is looked for anywhere in a span. The same query
/// is answered from what was found before.
pub(crate) fn find(open: &OpenTrace, text: &str, control: &Control) -> Result<Arc<Vec<usize>>, QueryError> {
    let mut kept = open.held.found.lock();
    if let Some((_, known)) = kept.iter().find(|(known, _)| known == text) {
        return Ok(known.clone());
    }
    drop(kept);
    let query = Query::parse(Signal::Traces, text).map_err(QueryError::Parse)?;
    let predicate = Predicate::anywhere(&query);
    let mut by_part: BTreeMap<u32, Vec<(u32, usize)>> = BTreeMap::new();
    for (place, (part, row)) in open.held.origins.iter().enumerate() {
        by_part.entry(*part).or_default().push((*row, place));
    }
    let mut found = Vec::new();
    for (part, mut rows) in by_part {
        // Rows that lie together are read together.
        rows.sort_unstable();
        for rows in rows.chunks(AT_ONCE) {
            control.check()?;
            open.test(part, rows, &predicate, &mut found)?;
        }
    }
    let sheet = open.sheet();
    found.sort_unstable_by_key(|place| sheet.rank(*place));
    let found = Arc::new(found);
    kept = open.held.found.lock();
    kept.insert(0, (text.to_owned(), found.clone()));
    kept.truncate(MAX_FOUND);
    Ok(found)
}

impl OpenTrace {
    /// Whole rows of one part, in file order.
    fn read(&self, part: u32, rows: &RowRanges) -> Result<Vec<RecordBatch>, QueryError> {
        match self.held.version.get(part as usize) {
            Some(Part::Memory(batch, _)) => {
                let batch = self.snapshot.spans.buffered.get(*batch);
                Ok(batch.map_or_else(Vec::new, |batch| rows.iter().map(|range| batch.slice(range.start as usize, range.len())).collect()))
            }
            Some(Part::Segment(id, _)) => {
                let schema = schema::of(Signal::Traces);
                let every: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
                self.of_segment(*id, &every, rows)
            }
            Some(Part::Lost(..)) | None => Ok(Vec::new()),
        }
    }

    fn of_segment(&self, id: ulid::Ulid, columns: &[&str], rows: &RowRanges) -> Result<Vec<RecordBatch>, QueryError> {
        let segment = segment(&self.snapshot, id);
        let batches = segment.map_or_else(|| Ok(Vec::new()), |segment| segment.read(columns, Some(rows))?.collect());
        batches.map_err(|error: SegmentError| QueryError::Internal(error.to_string()))
    }

    /// Adds the places of those rows of a part that match; `rows` are row and place, in file order.
    fn test(&self, part: u32, rows: &[(u32, usize)], predicate: &Predicate, found: &mut Vec<usize>) -> Result<(), QueryError> {
        match self.held.version.get(part as usize) {
            Some(Part::Memory(batch, _)) => {
                let Some(batch) = self.snapshot.spans.buffered.get(*batch) else { return Ok(()) };
                let mut alive = BooleanBufferBuilder::new(batch.num_rows());
                alive.append_n(batch.num_rows(), false);
                rows.iter().filter(|(row, _)| (*row as usize) < batch.num_rows()).for_each(|(row, _)| alive.set_bit(*row as usize, true));
                let hits = predicate.matches(batch, alive.finish())?;
                let is_hit = |row: u32| (row as usize) < hits.len() && hits.value(row as usize);
                found.extend(rows.iter().filter(|(row, _)| is_hit(*row)).map(|(_, place)| *place));
            }
            Some(Part::Segment(id, _)) => {
                // A column that every batch has, so that batches have rows whatever is asked.
                let mut columns = predicate.columns();
                columns.insert(column::KIND);
                let columns: Vec<&str> = columns.into_iter().collect();
                let mut places = rows.iter().map(|(_, place)| *place);
                for batch in self.of_segment(*id, &columns, &from_rows(rows.iter().map(|(row, _)| *row).collect()))? {
                    let hits = predicate.matches(&batch, BooleanBuffer::new_set(batch.num_rows()))?;
                    found.extend(
                        places.by_ref().take(batch.num_rows()).enumerate().filter(|(row, _)| hits.value(*row)).map(|(_, place)| place),
                    );
                }
            }
            Some(Part::Lost(..)) | None => {}
        }
        Ok(())
    }
}

// === impl Sheets ===

impl Sheets {
    /// Keeps nothing of what there is.
    pub(crate) fn clear(&self) {
        self.kept.lock().clear();
    }

    /// Bytes that are kept, and that may be.
    pub(crate) fn memory(&self) -> (usize, usize) {
        (self.kept.lock().iter().map(|held| held.sheet.size()).sum(), MAX_KEPT_BYTES)
    }

    fn get(&self, id: TraceId, version: &[Part]) -> Option<Arc<Held>> {
        let mut kept = self.kept.lock();
        let at = kept.iter().position(|held| held.sheet.id == id)?;
        let held = kept.remove(at);
        // What is kept of an older version is of no use.
        (held.version == version).then(|| {
            kept.insert(0, held.clone());
            held
        })
    }

    fn keep(&self, held: &Arc<Held>) {
        let mut kept = self.kept.lock();
        kept.retain(|known| known.sheet.id != held.sheet.id);
        kept.insert(0, held.clone());
        kept.truncate(MAX_KEPT);
        let mut bytes = 0;
        let mut place = 0;
        kept.retain(|held| {
            bytes += held.sheet.size();
            place += 1;
            place == 1 || bytes <= MAX_KEPT_BYTES
        });
    }
}

/// Where the rows of a trace lie, those that arrived last at the end.
fn parts(snapshot: &Snapshot, id: TraceId, control: &Control) -> Result<Vec<Part>, QueryError> {
    let mut parts = Vec::new();
    for segment in snapshot.spans.by_arrival().into_iter().filter(|segment| segment.may_hold(id)) {
        control.check()?;
        match segment.trace_rows(id) {
            Ok(rows) if rows.is_empty() => {}
            Ok(rows) => parts.push(Part::Segment(segment.meta().id, rows)),
            Err(error) => parts.push(Part::Lost(segment.meta().id, lost(&error))),
        }
    }
    let wanted = id.as_bytes().as_slice();
    for (place, batch) in snapshot.spans.buffered.iter().enumerate() {
        control.check()?;
        let ids = columns::id(batch, column::TRACE_ID)?;
        let rows: Vec<u32> = (0..ids.len()).filter(|row| ids.value(*row) == wanted).filter_map(|row| u32::try_from(row).ok()).collect();
        if !rows.is_empty() {
            parts.push(Part::Memory(place, from_rows(rows)));
        }
    }
    Ok(parts)
}

fn segment(snapshot: &Snapshot, id: ulid::Ulid) -> Option<&Segment> {
    snapshot.spans.segments.iter().find(|segment| segment.meta().id == id).map(AsRef::as_ref)
}

fn lost(error: &SegmentError) -> String {
    tracing::warn!(%error, "a segment could not be read for a trace");
    format!("a part of the data could not be read: {error}")
}

#[cfg(test)]
mod tests;
