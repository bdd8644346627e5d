//! OTLP requests in protobuf, decoded straight into Arrow columns.
//!
//! Owns the wire format, what of a request is refused, and what is computed from it. The columns point into the request's own bytes, so
//! a batch keeps its request in memory. Decoding the same bytes with the same [`Context`] gives the same batch: the log relies on it.

mod absent;
mod attributes;
mod columns;
mod distinct;
mod envelope;
mod flaw;
mod logs;
mod maps;
mod nested;
mod notes;
mod peer;
mod same;
mod shape;
mod spans;
mod view;
pub(crate) mod wire;

use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use bytes::Bytes;

use crate::model::UnixNanos;
use crate::store::Signal;

use self::columns::{Blocks, Source};
use self::envelope::{Envelope, Envelopes};
pub use self::flaw::Flaw;
use self::notes::Notes;
pub(crate) use self::shape::MAX_NESTING;
use self::shape::Walker;
use self::wire::{Blob, Cursor, WireError};

/// A day in nanoseconds: how far ahead of the server's clock a time may lie.
const DAY: u64 = 86_400_000_000_000;

/// Records of one request beyond which the rest is refused: keeps 64 MiB of empty records from becoming gigabytes of columns.
const MAX_RECORDS: usize = 1 << 20;

/// Field numbers from a request to its records: resource, scope, record.
const RECORDS: [u32; 3] = [1, 2, 2];

/// Records that room is made for before they are read.
const MAX_ROOM: usize = 1 << 14;

/// Bytes of one request; views and map offsets have 32 bits.
const MAX_PAYLOAD: usize = 512 << 20;

/// What decoding depends on besides the bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context {
    /// When the request was received.
    pub(crate) now: UnixNanos,
    /// Spans that started longer ago are refused.
    pub(crate) retention: Option<Duration>,
    /// The first record's `record_id`; the others follow. Logs only.
    pub(crate) first_record_id: u64,
}

/// A decoded request.
#[derive(Clone, Debug)]
pub(crate) struct Decoded {
    /// The rows, in the order sent. May have none.
    pub(crate) batch: RecordBatch,
    /// Records refused for good.
    pub(crate) rejected: u64,
    /// How many of them for which reason.
    pub(crate) rejected_by: Vec<(&'static str, u64)>,
    /// Why records were refused. At most 1 KiB.
    pub(crate) message: Option<String>,
    /// What the sender should mend in what was not refused, and how often it was found.
    pub(crate) flaws: Vec<(Flaw, u64)>,
}

/// The bytes are not the message they claim to be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Malformed(String);

/// What readers of records share.
struct Shared<'a, 'c> {
    source: Source<'a>,
    walker: Walker,
    notes: Notes,
    context: &'c Context,
}

/// What became of one record.
enum Row<'a> {
    Stored,
    Refused { name: Blob<'a>, reason: &'static str, rule: &'static str },
}

/// The rows of one signal. Both signals nest their records alike: envelopes 1 → 2 → 2, with fields 1 and 3 beside them.
trait Rows<'a> {
    const ENVELOPES: [&'static str; 3];
    const PATH: [&'static str; 3];
    const NOUN: &'static str;
    fn take(&mut self, blob: Blob<'a>, envelope: &Envelope, shared: &mut Shared<'a, '_>) -> Result<Row<'a>, WireError>;
    fn len(&self) -> usize;
    fn finish(self, blocks: &mut Blocks) -> Result<RecordBatch, ArrowError>;
}

/// Decodes one `ExportTraceServiceRequest` or `ExportLogsServiceRequest`.
///
/// # Errors
/// When the bytes are not such a message; then nothing of it may be stored.
pub(crate) fn decode(signal: Signal, payload: &Bytes, context: &Context) -> Result<Decoded, Malformed> {
    let room = records(Blob::whole(payload), &RECORDS).min(MAX_ROOM);
    match signal {
        Signal::Traces => decode_into(spans::SpanRows::with_room(room), payload, context),
        Signal::Logs => decode_into(logs::LogRows::with_room(room), payload, context),
    }
}

/// How many records there are, as far as the envelopes can be read: to make room for them. As deep as there are levels.
fn records(blob: Blob<'_>, levels: &[u32]) -> usize {
    let Some((level, inner)) = levels.split_first() else { return 1 };
    let mut cursor = Cursor::new("", blob);
    let mut count = 0;
    while let Ok(Some(field)) = cursor.next() {
        if field.number == *level {
            count += field.blob().map_or(0, |blob| records(blob, inner));
        }
    }
    count
}

fn decode_into<'a, R: Rows<'a>>(mut rows: R, payload: &'a Bytes, context: &Context) -> Result<Decoded, Malformed> {
    if payload.len() > MAX_PAYLOAD {
        return Err(Malformed(format!("the request has {} bytes; send at most {MAX_PAYLOAD} at once", payload.len())));
    }
    let mut shared = Shared { source: Source::new(payload), walker: Walker::default(), notes: Notes::default(), context };
    walk(&mut rows, &mut shared).map_err(|error| {
        let [request, ..] = R::ENVELOPES;
        Malformed(format!("the body is not an {request}: {error}"))
    })?;
    let Shared { source, walker, mut notes, .. } = shared;
    let mut blocks = source.finish(payload);
    let batch = rows.finish(&mut blocks).map_err(|error| Malformed(format!("the request cannot be stored: {error}")))?;
    notes.repaired_texts = blocks.repaired;
    notes.same = same::spans(&batch);
    notes.oddities = walker.oddities;
    let (message, flaws) = (notes.message(R::NOUN), notes.flaws());
    Ok(Decoded { batch, rejected: notes.rejected, rejected_by: notes.rejected_by, message, flaws })
}

fn walk<'a, R: Rows<'a>>(rows: &mut R, shared: &mut Shared<'a, '_>) -> Result<(), WireError> {
    let [request_name, resource_name, scope_name] = R::ENVELOPES;
    let mut envelopes = Envelopes::default();
    let mut envelope = Envelope::default();
    let mut place = [0_usize; 3];
    let mut request = Cursor::new(request_name, Blob::whole(shared.source.payload));
    while let Some(field) = request.next()? {
        if field.number != 1 {
            continue;
        }
        let blob = field.blob()?;
        (envelope.resource, envelope.service) = envelopes.resource(resource_name, blob, &mut shared.source, &mut shared.walker)?;
        let mut resource = Cursor::new(resource_name, blob);
        place[1] = 0;
        while let Some(field) = resource.next()? {
            shared.notes.legacy += u64::from(field.number == 1000);
            if field.number != 2 {
                continue;
            }
            let blob = field.blob()?;
            envelope.scope = envelopes.scope(scope_name, blob, &mut shared.source, &mut shared.walker)?;
            let mut scope = Cursor::new(scope_name, blob);
            place[2] = 0;
            while let Some(field) = scope.next()? {
                if field.number == 2 {
                    take_one(rows, field.blob()?, &envelope, place, shared)?;
                    place[2] += 1;
                }
            }
            place[1] += 1;
        }
        place[0] += 1;
    }
    if shared.source.fits() {
        Ok(())
    } else {
        Err(WireError { offset: 0, message: request_name, field: 0, reason: "it grows beyond 4 GiB" })
    }
}

fn take_one<'a, R: Rows<'a>>(
    rows: &mut R,
    blob: Blob<'a>,
    envelope: &Envelope,
    place: [usize; 3],
    shared: &mut Shared<'a, '_>,
) -> Result<(), WireError> {
    if rows.len() >= MAX_RECORDS {
        shared.notes.refuse(R::PATH, place, b"", ("too_many", "a request may hold at most 1048576 records; send several requests"));
        return Ok(());
    }
    match rows.take(blob, envelope, shared)? {
        Row::Stored => shared.notes.stored += 1,
        Row::Refused { name, reason, rule } => shared.notes.refuse(R::PATH, place, name.bytes, (reason, rule)),
    }
    Ok(())
}

impl Context {
    /// The earliest start that is kept.
    fn oldest(&self) -> Option<UnixNanos> {
        self.retention.map(|age| self.now.minus(u64::try_from(age.as_nanos()).unwrap_or(u64::MAX)))
    }
}

#[cfg(test)]
mod tests;
