//! Layout of the blobs `roll.edge` and `roll.edge.cells`.
//!
//! `roll.edge`: version u8 (1), flags u8 (1: there was too much to sum up, and nothing follows). Then numbers and texts as in
//! `rollup/numbers.rs`: count of units; per unit first row after the end of the one before, rows, earliest and latest start after the
//! earliest, length and crc32c of its cells, count of traces that are not summed up, and 16 bytes for each. Nothing follows.
//!
//! `roll.edge.cells`: the cells of the units, one unit behind the other. Each: names; count of edges, per edge caller, called, way (0
//! call, 1 message, 2 relay); parties as kind (0 service, 1 database, 2 queue, 3 external, 4 user), for all but the user its name, for 1 to 3 its
//! system. Then count of cells, per cell: minutes after the cell before; what it is about (0 service with name, 1 edge with position, 2
//! calls by somebody unknown with name and end in parts of 15 s after its minute, 3 answers with address and name); for services rows,
//! errors and buckets, for calls errors, buckets, count of samples, per sample twice its duration (plus 1 when it failed), 16 bytes of
//! trace and 8 of span id; for answers rows. Behind them, for each cell with a duration: the sum of its durations, and how much the sum of
//! their squares is more than that of as many equal ones (`calls/powers.rs`). In older segments these are missing, which is not known then.
//! Nothing follows.
//!
//! What does not fit together is no roll-up.

use std::sync::Arc;

use super::powers::Powers;
use super::unit::{MAX_APART, MAX_CELLS, MAX_NAMES};
use super::{Cell, Name, Party, Sample, Subject, Sums, Unit, UnitHead, Way, slot_of};
use crate::rollup::{Buckets, MINUTE, Reader, put, put_buckets, put_texts};

const VERSION: u8 = 1;
const GIVEN_UP: u8 = 1;
/// Units of one segment.
pub(super) const MAX_UNITS: usize = 4_096;

/// The blob `roll.edge`; without units when there was too much to sum up.
pub(super) fn encode_heads(heads: Option<&[UnitHead]>) -> Vec<u8> {
    let Some(heads) = heads else { return vec![VERSION, GIVEN_UP] };
    let mut out = vec![VERSION, 0];
    put(&mut out, heads.len() as u128);
    let mut row = 0;
    for head in heads {
        let numbers: [u128; 7] = [
            (head.rows.start - row).into(),
            head.rows.len() as u128,
            head.first.into(),
            (head.last - head.first).into(),
            head.len.into(),
            head.crc.into(),
            head.apart.len() as u128,
        ];
        numbers.into_iter().for_each(|number| put(&mut out, number));
        head.apart.iter().for_each(|trace| out.extend_from_slice(&trace.to_be_bytes()));
        row = head.rows.end;
    }
    out
}

/// Reads the blob `roll.edge`; the outer `None` when it does not fit together, the inner when there was too much to sum up.
pub(super) fn decode_heads(blob: &[u8]) -> Option<Option<Vec<UnitHead>>> {
    let ([version, flags], rest) = blob.split_first_chunk::<2>()?;
    if *version != VERSION {
        return None;
    }
    if *flags == GIVEN_UP {
        return rest.is_empty().then_some(None);
    }
    let mut reader = Reader::new(rest);
    let count = reader.count(MAX_UNITS)?;
    let mut heads = Vec::with_capacity(count);
    let (mut row, mut offset) = (0_u32, 0_u64);
    for _ in 0..count {
        let start = row.checked_add(reader.number()?)?;
        row = start.checked_add(reader.number()?)?;
        let first: u64 = reader.number()?;
        let last = first.checked_add(reader.number()?)?;
        let (len, crc) = (reader.number()?, reader.number()?);
        let apart = reader.count(MAX_APART)?;
        let apart = (0..apart).map(|_| reader.take(16)?.try_into().ok().map(u128::from_be_bytes)).collect::<Option<Vec<_>>>()?;
        heads.push(UnitHead { rows: start..row, first, last, offset, len, crc, apart });
        offset = offset.checked_add(len.into())?;
    }
    (*flags == 0 && reader.is_empty()).then_some(Some(heads))
}

pub(super) fn encode(unit: &Unit) -> Vec<u8> {
    let mut out = Vec::new();
    put_texts(&mut out, &unit.names);
    put(&mut out, unit.edges.len() as u128);
    for (from, to, way) in &unit.edges {
        put_party(&mut out, *from);
        put_party(&mut out, *to);
        put(&mut out, number_of(*way).into());
    }
    put(&mut out, unit.cells.len() as u128);
    let mut minute = 0;
    for cell in &unit.cells {
        put(&mut out, (cell.minute - minute).into());
        minute = cell.minute;
        put_subject(&mut out, cell);
        let sums = &cell.sums;
        if matches!(cell.subject, Subject::Service(_) | Subject::Answers(..)) {
            put(&mut out, sums.rows.into());
        }
        if !matches!(cell.subject, Subject::Answers(..)) {
            put(&mut out, sums.errors.into());
            put_buckets(&mut out, sums.durations.iter());
        }
        if matches!(cell.subject, Subject::Edge(_) | Subject::Orphans(..)) {
            put(&mut out, sums.samples.len() as u128);
            for sample in &sums.samples {
                put(&mut out, u128::from(sample.duration) * 2 + u128::from(sample.error));
                out.extend_from_slice(&sample.trace.to_be_bytes());
                out.extend_from_slice(&sample.span.to_be_bytes());
            }
        }
    }
    put_powers(&mut out, &unit.cells);
    out
}

/// All or nothing.
fn put_powers(out: &mut Vec<u8>, cells: &[Cell]) {
    let known = cells.iter().map(|cell| &cell.sums).filter(|sums| sums.durations.count() > 0);
    let parts: Option<Vec<_>> = known.map(|sums| sums.powers.parts(sums.durations.count())).collect();
    for (sum, more) in parts.into_iter().flatten() {
        put(out, sum);
        put(out, more);
    }
}

fn read_powers(reader: &mut Reader<'_>, cells: &mut [Cell]) -> Option<()> {
    let is_known = !reader.is_empty();
    for sums in cells.iter_mut().map(|cell| &mut cell.sums).filter(|sums| sums.durations.count() > 0) {
        let parts = if is_known { Some((reader.number()?, reader.number()?)) } else { None };
        sums.powers = parts.map_or(Powers::UNKNOWN, |parts| Powers::from_parts(parts, sums.durations.count()));
    }
    Some(())
}

pub(super) fn decode(bytes: &[u8]) -> Option<Unit> {
    let mut reader = Reader::new(bytes);
    let names = reader.texts().filter(|names| names.len() <= MAX_NAMES)?;
    let count = reader.count(MAX_CELLS)?;
    let edges = (0..count).map(|_| edge(&mut reader, &names)).collect::<Option<Vec<_>>>()?;
    let count = reader.count(MAX_CELLS)?;
    let mut cells = Vec::with_capacity(count);
    let mut minute = 0_u32;
    for _ in 0..count {
        minute = minute.checked_add(reader.number()?)?;
        let subject = subject(&mut reader, minute, &names, edges.len())?;
        let mut sums = Sums::default();
        if matches!(subject, Subject::Service(_) | Subject::Answers(..)) {
            sums.rows = reader.number()?;
        }
        if !matches!(subject, Subject::Answers(..)) {
            sums.errors = reader.number()?;
            sums.durations = Buckets::from_parts(reader.buckets()?)?;
        }
        if matches!(subject, Subject::Edge(_) | Subject::Orphans(..)) {
            let samples = reader.count(MAX_SAMPLES)?;
            sums.samples = (0..samples).map(|_| sample(&mut reader)).collect::<Option<Vec<_>>>()?;
        }
        (sums.errors <= sums.durations.count()).then(|| cells.push(Cell { minute, subject, sums }))?;
    }
    read_powers(&mut reader, &mut cells)?;
    reader.is_empty().then(|| Unit::new(names, edges, cells))
}

/// Samples of one cell.
const MAX_SAMPLES: usize = 3;

fn put_party(out: &mut Vec<u8>, party: Party) {
    let (kind, name, system) = match party {
        Party::Service(name) => (0, Some(name), None),
        Party::Database(name, system) => (1, Some(name), Some(system)),
        Party::Queue(name, system) => (2, Some(name), Some(system)),
        Party::External(name, system) => (3, Some(name), Some(system)),
        // Calls by somebody unknown are no edges.
        Party::User | Party::Unknown => (4, None, None),
    };
    put(out, kind);
    [name, system].into_iter().flatten().for_each(|name| put(out, name.0.into()));
}

fn party(reader: &mut Reader<'_>, names: &[Arc<str>]) -> Option<Party> {
    Some(match reader.number::<u8>()? {
        0 => Party::Service(name(reader, names)?),
        1 => Party::Database(name(reader, names)?, name(reader, names)?),
        2 => Party::Queue(name(reader, names)?, name(reader, names)?),
        3 => Party::External(name(reader, names)?, name(reader, names)?),
        4 => Party::User,
        _ => return None,
    })
}

fn name(reader: &mut Reader<'_>, names: &[Arc<str>]) -> Option<Name> {
    reader.number().filter(|number: &u32| (*number as usize) < names.len()).map(Name)
}

fn edge(reader: &mut Reader<'_>, names: &[Arc<str>]) -> Option<(Party, Party, Way)> {
    let (from, to) = (party(reader, names)?, party(reader, names)?);
    let way = match reader.number::<u8>()? {
        0 => Way::Call,
        1 => Way::Message,
        2 => Way::Relay,
        _ => return None,
    };
    Some((from, to, way))
}

fn number_of(way: Way) -> u8 {
    match way {
        Way::Call => 0,
        Way::Message => 1,
        Way::Relay => 2,
    }
}

fn put_subject(out: &mut Vec<u8>, cell: &Cell) {
    let (kind, numbers): (u8, [Option<u64>; 2]) = match cell.subject {
        Subject::Service(name) => (0, [Some(name.0.into()), None]),
        Subject::Edge(edge) => (1, [Some(edge.into()), None]),
        Subject::Orphans(name, slot) => (2, [Some(name.0.into()), Some(slot - first_slot(cell.minute))]),
        Subject::Answers(address, name) => (3, [Some(address.0.into()), Some(name.0.into())]),
    };
    put(out, kind.into());
    numbers.into_iter().flatten().for_each(|number| put(out, number.into()));
}

fn subject(reader: &mut Reader<'_>, minute: u32, names: &[Arc<str>], edges: usize) -> Option<Subject> {
    Some(match reader.number::<u8>()? {
        0 => Subject::Service(name(reader, names)?),
        1 => Subject::Edge(reader.number().filter(|edge: &u32| (*edge as usize) < edges)?),
        2 => Subject::Orphans(name(reader, names)?, first_slot(minute).checked_add(reader.number()?)?),
        3 => Subject::Answers(name(reader, names)?, name(reader, names)?),
        _ => return None,
    })
}

fn first_slot(minute: u32) -> u64 {
    slot_of(u64::from(minute).saturating_mul(MINUTE))
}

fn sample(reader: &mut Reader<'_>) -> Option<Sample> {
    let number: u128 = reader.number()?;
    let trace = u128::from_be_bytes(reader.take(16)?.try_into().ok()?);
    let span = u64::from_be_bytes(reader.take(8)?.try_into().ok()?);
    Some(Sample { duration: u64::try_from(number >> 1).ok()?, error: number & 1 == 1, trace, span })
}
