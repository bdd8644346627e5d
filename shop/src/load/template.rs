//! Requests encoded once, and the places in them that change with every replay.
//!
//! A trace id is replaced by itself xor a random number of the replay, a span id likewise, a time by itself plus a shift:
//! so parents, links and order stay true, and no two replays share an id. Requests of one set share a replay, so that a trace may lie
//! in several. Late spans, at the end of a request, belong to the replay of an earlier set.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;

use crate::load::{Signal, lines};
use crate::random::Random;

mod mark;

use self::mark::{Patch, Role};

/// One request.
#[derive(Debug)]
pub(super) struct Template {
    body: Vec<u8>,
    items: u64,
    slots: u64,
    own: Section,
    /// Spans of an earlier set, at the end of the body.
    late: Option<Section>,
}

/// Records that share a replay.
#[derive(Debug)]
struct Section {
    /// Where it begins in the body.
    start: usize,
    patches: Vec<Patch>,
    /// The last time in its set.
    end_nanos: u64,
    traces: Traces,
}

/// Records of each trace; `None` for log records outside a trace.
pub(super) type Traces = BTreeMap<Option<[u8; 16]>, u64>;

/// What makes one replay of a set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Replay {
    pub(super) nonce: Nonce,
    /// When the last of the set happened.
    pub(super) end_nanos: u64,
}

/// What makes the ids of one replay its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Nonce {
    trace: [u8; 16],
    span: [u8; 8],
}

// === impl Template ===

impl Template {
    /// Spans.
    pub(super) fn of_traces(request: &ExportTraceServiceRequest) -> Self {
        Self::encoded(Signal::Traces, request.encode_to_vec(), traces_of(request))
    }

    /// Log records.
    pub(super) fn of_logs(request: &ExportLogsServiceRequest) -> Self {
        let logs = request.resource_logs.iter().flat_map(|group| &group.scope_logs).flat_map(|scope| &scope.log_records);
        let traces = tally(logs.map(|log| log.trace_id.as_slice()));
        Self::encoded(Signal::Logs, request.encode_to_vec(), traces)
    }

    /// Log records whose bodies are new in each replay.
    pub(super) fn of_noisy_logs(request: &ExportLogsServiceRequest) -> Self {
        let mut template = Self::of_logs(request);
        template.own.patches.extend(mark::noise(&template.body));
        template
    }

    fn encoded(signal: Signal, body: Vec<u8>, traces: Traces) -> Self {
        let mut patches = mark::patches(signal, &body, 0);
        let time = |patch: &Patch| body.get(patch.offset..)?.first_chunk().copied().map(u64::from_le_bytes);
        let end_nanos = patches.iter().filter(|patch| patch.role == Role::Time).filter_map(time).max().unwrap_or(EPOCH_NANOS);
        let times_and_ids = patches.len();
        patches.extend(mark::slots(&body));
        let slots = (patches.len() - times_and_ids) as u64;
        Self { body, items: traces.values().sum(), slots, own: Section { start: 0, patches, end_nanos, traces }, late: None }
    }

    /// Takes along spans of an earlier set, whose last time is `end_nanos`.
    pub(super) fn take_along(&mut self, late: &ExportTraceServiceRequest, end_nanos: u64) {
        // Messages written one after the other are one message.
        let (start, bytes, traces) = (self.body.len(), late.encode_to_vec(), traces_of(late));
        self.items += traces.values().sum::<u64>();
        self.late = Some(Section { start, patches: mark::patches(Signal::Traces, &bytes, start), end_nanos, traces });
        self.body.extend(bytes);
    }

    /// The last of its times, or of its set's.
    pub(super) fn end_nanos(&self) -> u64 {
        self.own.end_nanos
    }

    /// From now on it counts as ending with its set.
    pub(super) fn ends_with_set(&mut self, end_nanos: u64) {
        self.own.end_nanos = end_nanos;
    }

    /// As they were encoded, before any replay: its own records, and late ones of an earlier set. Each is a request by itself.
    pub(super) fn bodies(&self) -> (&[u8], &[u8]) {
        let start = self.late.as_ref().map_or(self.body.len(), |late| late.start);
        self.body.split_at_checked(start).unwrap_or((&self.body, &[]))
    }

    /// Bytes.
    pub(super) fn len(&self) -> usize {
        self.body.len()
    }

    /// How many words each replay puts in.
    pub(super) fn slots(&self) -> u64 {
        self.slots
    }

    /// How many records it has, late ones included.
    pub(super) fn items(&self) -> u64 {
        self.items
    }

    /// The ids of its own traces in a replay of its set.
    pub(super) fn traces(&self, nonce: Nonce) -> impl Iterator<Item = (Option<[u8; 16]>, u64)> {
        self.own.traces(nonce)
    }

    /// The ids of the traces of its late spans in a replay of their set.
    pub(super) fn late_traces(&self, nonce: Nonce) -> impl Iterator<Item = (Option<[u8; 16]>, u64)> {
        self.late.iter().flat_map(move |late| late.traces(nonce))
    }

    /// The request with ids and words of its own. Nothing in a set is later than the end of its replay: what is sent has happened.
    pub(super) fn stamp(&self, own: Replay, late: Replay, words: impl Iterator<Item = [u8; 12]>) -> Vec<u8> {
        let mut body = self.body.clone();
        self.own.stamp(&mut body, own, words);
        if let Some(section) = &self.late {
            section.stamp(&mut body, late, std::iter::empty());
        }
        body
    }
}

// === impl Section ===

impl Section {
    fn traces(&self, nonce: Nonce) -> impl Iterator<Item = (Option<[u8; 16]>, u64)> {
        self.traces.iter().map(move |(id, records)| (id.map(|id| nonce.trace(id)), *records))
    }

    fn stamp(&self, body: &mut [u8], replay: Replay, mut words: impl Iterator<Item = [u8; 12]>) {
        let Replay { nonce, end_nanos } = replay;
        let shift_nanos = end_nanos.wrapping_sub(self.end_nanos);
        let mut noise = Random::new(u64::from_le_bytes(nonce.span));
        for patch in &self.patches {
            let Some(rest) = body.get_mut(patch.offset..) else { continue };
            match patch.role {
                Role::Trace => xor(rest, &nonce.trace),
                Role::Span => xor(rest, &nonce.span),
                Role::Word => {
                    if let (Some(slot), Some(word)) = (rest.first_chunk_mut(), words.next()) {
                        *slot = word;
                    }
                }
                Role::Noise => rest.first_chunk_mut().into_iter().for_each(|bytes| lines::fill(&mut noise, bytes)),
                Role::Time => {
                    if let Some(time) = rest.first_chunk_mut::<8>() {
                        *time = u64::from_le_bytes(*time).wrapping_add(shift_nanos).to_le_bytes();
                    }
                }
            }
        }
    }
}

fn xor(bytes: &mut [u8], with: &[u8]) {
    for (byte, with) in bytes.iter_mut().zip(with) {
        *byte ^= with;
    }
}

fn traces_of(request: &ExportTraceServiceRequest) -> Traces {
    let spans = request.resource_spans.iter().flat_map(|group| &group.scope_spans).flat_map(|scope| &scope.spans);
    tally(spans.map(|span| span.trace_id.as_slice()))
}

fn tally<'a>(ids: impl Iterator<Item = &'a [u8]>) -> Traces {
    let mut traces = BTreeMap::new();
    for id in ids {
        *traces.entry(id.try_into().ok()).or_default() += 1;
    }
    traces
}

// === impl Nonce ===

impl Nonce {
    pub(super) fn new(random: &mut Random) -> Self {
        Self { trace: random.trace_id(), span: random.span_id() }
    }

    /// The trace id that a template's id becomes.
    fn trace(&self, mut id: [u8; 16]) -> [u8; 16] {
        xor(&mut id, &self.trace);
        id
    }
}

/// Where the templates' own time begins. Any time would do.
pub(super) const EPOCH_NANOS: u64 = 1_700_000_000_000_000_000;

#[cfg(test)]
mod tests;
