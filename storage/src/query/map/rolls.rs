//! Roll-ups of calls as they are used: read or made of rows, kept within bounds.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use ulid::Ulid;

use super::super::question::QueryError;
use super::super::scan::{Control, Numbers};
use super::shared::{self, Shared};
use super::{MAX_LINKS, sort};
use crate::calls::{self, Call, CallRoll, Calls, LinkBetween, RollWriter, Unit, View};
use crate::kept::Kept;
use crate::model::TraceId;
use crate::segment::{RowRanges, Segment, union_rows};

/// What was read of segments, or made of their rows.
#[derive(Debug)]
pub(crate) struct CallRolls {
    rolls: Mutex<Kept<Bundle, Option<Arc<Known>>>>,
    units: Mutex<Kept<(Source, usize), Arc<Unit>>>,
    shared: Mutex<Kept<(Ulid, Ulid), Shared>>,
    spans: Mutex<Kept<Source, Arc<Spans>>>,
}

/// A segment and the checksum of its index bundle, which may be made again.
type Bundle = (Ulid, u32);
/// That, and whether the roll-up was made of rows: other units may come of that.
type Source = (Bundle, bool);

/// Spans by trace and unit.
type Spans = HashMap<u128, Runs>;
/// The spans of one trace, unit by unit.
type Runs = Arc<[Run]>;

/// The roll-up of a segment.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) roll: CallRoll,
    /// The cells when they were made of rows.
    cells: Option<Vec<u8>>,
}

/// The spans of a trace in one unit, with texts of their own.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) unit: usize,
    pub(super) calls: Calls,
}

/// What could not be read, as a sentence for the answer.
pub(super) type Unread = String;

const MAX_ROLL_BYTES: usize = 48 << 20;
const MAX_UNIT_BYTES: usize = 48 << 20;
const MAX_SHARED_BYTES: usize = 16 << 20;
const MAX_SPAN_BYTES: usize = 32 << 20;

impl Default for CallRolls {
    fn default() -> Self {
        Self {
            rolls: Mutex::new(Kept::new(MAX_ROLL_BYTES)),
            units: Mutex::new(Kept::new(MAX_UNIT_BYTES)),
            shared: Mutex::new(Kept::new(MAX_SHARED_BYTES)),
            spans: Mutex::new(Kept::new(MAX_SPAN_BYTES)),
        }
    }
}

impl CallRolls {
    /// Keeps nothing of what there is.
    pub(crate) fn clear(&self) {
        self.rolls.lock().clear();
        self.units.lock().clear();
        self.shared.lock().clear();
        self.spans.lock().clear();
    }

    /// Bytes that are kept, and that may be.
    pub(crate) fn memory(&self) -> (usize, usize) {
        let (rolls, units) = (self.rolls.lock().memory(), self.units.lock().memory());
        let (shared, spans) = (self.shared.lock().memory(), self.spans.lock().memory());
        (rolls.0 + units.0 + shared.0 + spans.0, rolls.1 + units.1 + shared.1 + spans.1)
    }

    /// The roll-up of a segment; made of its rows when it has none that can be used. `None` when there is too much to sum up, or when
    /// rows cannot be read.
    pub(super) fn of(&self, segment: &Segment, control: &Control) -> Result<Option<Arc<Known>>, QueryError> {
        let key = bundle_of(segment);
        if let Some(known) = self.rolls.lock().get(&key) {
            return Ok(known);
        }
        match segment.call_roll() {
            Some(roll) => {
                let known = Arc::new(Known { roll, cells: None });
                self.rolls.lock().put(key, Some(known.clone()), known.bytes());
                Ok(Some(known))
            }
            None => self.make(segment, control),
        }
    }

    /// The cells of a unit. `None` when they are damaged; the roll-up is another one then, made of rows.
    pub(super) fn unit(&self, segment: &Segment, known: &Known, number: usize, control: &Control) -> Result<Option<Arc<Unit>>, QueryError> {
        let key = (known.source(segment), number);
        if let Some(unit) = self.units.lock().get(&key) {
            return Ok(Some(unit));
        }
        let Some(head) = known.roll.units.get(number) else { return Ok(None) };
        let unit = match &known.cells {
            None => segment.call_unit(head),
            Some(cells) => {
                let from = usize::try_from(head.offset).unwrap_or(usize::MAX);
                let bytes = cells.get(from..from.saturating_add(head.len as usize)).unwrap_or_default();
                head.decode(bytes).ok()
            }
        };
        let Some(unit) = unit.map(Arc::new) else {
            self.make(segment, control)?;
            return Ok(None);
        };
        self.units.lock().put(key, unit.clone(), unit.bytes());
        Ok(Some(unit))
    }

    /// Traces of which units of both segments, or several of the same segment, hold spans that can have to do with each other.
    pub(super) fn shared(
        &self,
        a: (&Segment, &Known),
        b: (&Segment, &Known),
        runs: &mut shared::Runs,
        notes: &mut Vec<Unread>,
        control: &Control,
    ) -> Result<Shared, QueryError> {
        let (a, b) = if a.0.meta().id <= b.0.meta().id { (a, b) } else { (b, a) };
        let key = (a.0.meta().id, b.0.meta().id);
        if let Some(known) = self.shared.lock().get(&key) {
            return Ok(known);
        }
        control.check()?;
        match shared::find(a, b, runs, control)? {
            Ok(found) => {
                let bytes = found.as_ref().map_or(0, |traces| traces.len() * size_of::<u128>());
                self.shared.lock().put(key, found.clone(), bytes);
                Ok(found)
            }
            Err(note) => {
                notes.push(note);
                Ok(Some(Arc::default()))
            }
        }
    }

    /// The spans of some traces in a segment, unit by unit, and how many there are: as many whether they were read now or before.
    pub(super) fn spans(
        &self,
        segment: &Segment,
        known: &Known,
        wanted: &[u128],
        notes: &mut Vec<Unread>,
        control: &Control,
    ) -> Result<(Vec<Runs>, u64), QueryError> {
        let source = known.source(segment);
        let mut kept = self.spans.lock().get(&source).unwrap_or_default();
        let missing: Vec<u128> = wanted.iter().filter(|trace| !kept.contains_key(trace)).copied().collect();
        if !missing.is_empty() {
            let noted = notes.len();
            let found = read(segment, known, &missing, notes, control)?;
            let all = Arc::make_mut(&mut kept);
            if all.len() > MAX_TRACES {
                all.retain(|trace, _| wanted.contains(trace));
            }
            all.extend(found);
            let spans = all.values().flat_map(|runs| runs.iter()).map(|run| run.calls.calls.len()).sum::<usize>();
            let bytes = spans * size_of::<Call>() + all.len() * TRACE_BYTES;
            // What could not be read is missing in the next answer too, which has to say so.
            if notes.len() == noted {
                self.spans.lock().put(source, kept.clone(), bytes);
            }
        }
        let found: Vec<Runs> = wanted.iter().filter_map(|trace| kept.get(trace).cloned()).collect();
        let spans = found.iter().flat_map(|runs| runs.iter()).map(|run| run.calls.calls.len() as u64).sum();
        Ok((found, spans))
    }

    /// Reads the roll-up of a segment with the cells of its units. False when what is kept leaves no room for more.
    pub(in super::super) fn read_ahead(&self, segment: &Segment, control: &Control) -> Result<bool, QueryError> {
        let is_filled = || [self.rolls.lock().memory(), self.units.lock().memory()].iter().any(|(bytes, most)| *bytes > most / 8 * 5);
        if is_filled() {
            return Ok(false);
        }
        let Some(known) = self.of(segment, control)? else { return Ok(true) };
        for number in 0..known.roll.units.len() {
            control.check()?;
            if is_filled() {
                return Ok(false);
            }
            if self.unit(segment, &known, number, control)?.is_none() {
                break;
            }
        }
        Ok(true)
    }

    fn make(&self, segment: &Segment, control: &Control) -> Result<Option<Arc<Known>>, QueryError> {
        let Ok(batches) = segment.read(&calls::COLUMNS, None) else { return Ok(None) };
        let mut writer = RollWriter::default();
        for batch in batches {
            control.check()?;
            if batch.ok().and_then(|batch| writer.push(&batch)).is_none() {
                return Ok(None);
            }
        }
        let (heads, cells) = writer.finish();
        let roll = CallRoll::decode(&heads).map_err(|error| QueryError::Internal(error.to_owned()))?;
        let known = roll.map(|roll| Arc::new(Known { roll, cells: Some(cells) }));
        let bytes = known.as_ref().map_or(0, |known| known.bytes());
        self.rolls.lock().put(bundle_of(segment), known.clone(), bytes);
        Ok(known)
    }
}

/// Traces of one segment whose spans are kept.
const MAX_TRACES: usize = 20_000;
/// Bytes of a trace beside its spans, about.
const TRACE_BYTES: usize = 512;

fn bundle_of(segment: &Segment) -> Bundle {
    (segment.meta().id, segment.meta().index_crc)
}

impl Known {
    fn source(&self, segment: &Segment) -> Source {
        (bundle_of(segment), self.cells.is_some())
    }

    fn bytes(&self) -> usize {
        self.roll.bytes() + self.cells.as_ref().map_or(0, Vec::len)
    }
}

/// Reads spans of traces; also of those without any, so that they are not looked for again.
fn read(segment: &Segment, known: &Known, wanted: &[u128], notes: &mut Vec<Unread>, control: &Control) -> Result<Spans, QueryError> {
    let mut rows = RowRanges::new();
    for (i, trace) in wanted.iter().enumerate() {
        if i % 1_024 == 0 {
            control.check()?;
        }
        let Some(id) = TraceId::from_slice(&trace.to_be_bytes()) else { continue };
        match segment.trace_rows(id) {
            Ok(more) => rows.extend(more),
            Err(error) => notes.push(format!("a part of the data could not be read: {error}")),
        }
    }
    let rows = union_rows(rows, Vec::new());
    let mut found: HashMap<u128, Vec<Run>> = wanted.iter().map(|trace| (*trace, Vec::new())).collect();
    let read = shared::each(segment, &calls::COLUMNS, &rows, control, |batch, first, numbers: &Numbers<'_>| {
        let view = View::of(batch).ok_or_else(|| QueryError::Internal("a column of calls is missing".to_owned()))?;
        for row in 0..batch.num_rows() {
            let Some(runs) = found.get_mut(&view.trace(row)) else { continue };
            let unit = known.roll.unit_of(numbers.of(first + row)).unwrap_or(usize::MAX);
            if runs.last().is_none_or(|run| run.unit != unit) {
                runs.push(Run { unit, calls: Calls::default() });
            }
            runs.last_mut().into_iter().for_each(|run| run.calls.add(&view, row, MAX_LINKS));
        }
        Ok(())
    })?;
    notes.extend(read.err());
    let sorted = |mut runs: Vec<Run>| {
        runs.iter_mut().for_each(|run| sort(&mut run.calls));
        runs.into()
    };
    Ok(found.into_iter().map(|(trace, runs)| (trace, sorted(runs))).collect())
}

/// Copies calls of a run behind others, with one number for each name.
pub(super) fn copy(run: &Run, into: &mut Calls) -> std::ops::Range<usize> {
    let from = into.calls.len();
    let numbers = into.names.take_in(run.calls.names.texts());
    let calls = run.calls.calls.iter().map(|call| call.renamed(|name| numbers.get(name.0 as usize).copied().unwrap_or(name)));
    into.calls.extend(calls);
    let links: &[LinkBetween] = &run.calls.links;
    into.links.extend_from_slice(links.get(..links.len().min(MAX_LINKS.saturating_sub(into.links.len()))).unwrap_or_default());
    from..into.calls.len()
}
