//! Requests encoded once, and the places in them that change with every replay.
//!
//! A trace id is replaced by itself xor a random number of the request, a span id likewise, a time by itself plus a shift:
//! so parents, links and order stay true, and no two requests share an id.

use std::collections::BTreeMap;

use prost::Message;

use crate::envelope;
use crate::load::{Signal, Workload, tail};
use crate::random::Random;
use crate::recording::Recording;
use crate::scene;
use crate::world::World;

mod mark;

use self::mark::{Patch, Role};

/// The templates of a load.
#[derive(Debug)]
pub(super) struct Pool {
    full: Vec<Template>,
    /// The last request, when it is smaller than the others.
    tail: Option<Template>,
    full_requests: u64,
    per_request: u64,
    items: u64,
}

/// One request.
#[derive(Debug)]
pub(super) struct Template {
    body: Vec<u8>,
    patches: Vec<Patch>,
    /// The last of its times.
    end_nanos: u64,
    items: u64,
    /// Records of each trace; `None` for log records outside a trace.
    traces: BTreeMap<Option<[u8; 16]>, u64>,
}

/// What makes the ids of one replay its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Nonce {
    trace: [u8; 16],
    span: [u8; 8],
}

// === impl Pool ===

impl Pool {
    /// Templates for `items` records in requests of `per_request`.
    pub(super) fn new(signal: Signal, workload: Workload, items: u64, per_request: usize, seed: u64) -> Self {
        let per_request_items = u64::try_from(per_request).unwrap_or(u64::MAX);
        let full_requests = items / per_request_items;
        let (mut world, mut random) = (World::new(seed), Random::new(seed));
        let mut now_nanos = EPOCH_NANOS;
        let mut make = |items| match workload {
            Workload::Shop => Template::new(signal, items, &mut world, &mut now_nanos),
            Workload::Tail => Template::of_tail(signal, items, &mut random, &mut now_nanos),
        };
        let mut full = Vec::new();
        let mut bytes = 0;
        while u64::try_from(full.len()).is_ok_and(|built| built < full_requests.min(MAX_TEMPLATES)) && bytes < MAX_POOL_BYTES {
            let template = make(per_request);
            bytes += template.body.len();
            full.push(template);
        }
        let rest = usize::try_from(items % per_request_items).unwrap_or(0);
        let tail = (rest > 0).then(|| make(rest));
        Self { full, tail, full_requests, per_request: per_request_items, items }
    }

    /// How many requests there are in all.
    pub(super) fn requests(&self) -> u64 {
        self.full_requests + u64::from(self.tail.is_some())
    }

    /// How many records there are in all.
    pub(super) fn items(&self) -> u64 {
        self.full.first().map_or(0, |template| template.items * self.full_requests) + self.tail.as_ref().map_or(0, Template::items)
    }

    /// The words of request `number`, one for each slot: mostly one that comes once, and needles at their rates.
    pub(super) fn words(&self, number: u64) -> impl Iterator<Item = [u8; 12]> {
        let slots = self.template(number).map_or(0, Template::slots);
        let (first, unique) = (number * self.per_request, self.items / 3 / self.per_request * self.per_request);
        (first..first + slots).map(move |ordinal| word(ordinal, unique))
    }

    /// What request `number` replays; `None` after the last.
    pub(super) fn template(&self, number: u64) -> Option<&Template> {
        if number < self.full_requests {
            let built = u64::try_from(self.full.len()).ok()?;
            return self.full.get(usize::try_from(number.checked_rem(built)?).ok()?);
        }
        self.tail.as_ref().filter(|_| number == self.full_requests)
    }
}

// === impl Template ===

impl Template {
    /// A request of exactly `items` records: whole traces of the shop, filled up with health checks.
    fn new(signal: Signal, items: usize, world: &mut World, now_nanos: &mut u64) -> Self {
        let mut recording = Recording::default();
        while count(signal, &recording) < items {
            let room = items - count(signal, &recording);
            let next = scene::play(world, *now_nanos);
            *now_nanos += world.random.until_next(TRACES_PER_SECOND);
            match signal {
                Signal::Traces if next.spans.len() > room => recording.append(scene::health_check(world, *now_nanos)),
                _ => recording.append(next),
            }
        }
        recording.logs.truncate(items);
        let (body, traces) = match signal {
            Signal::Traces => {
                let traces = tally(recording.spans.iter().map(|span| span.record.trace_id.as_slice()));
                (envelope::traces(recording.spans).encode_to_vec(), traces)
            }
            Signal::Logs => {
                let traces = tally(recording.logs.iter().map(|log| log.record.trace_id.as_slice()));
                (envelope::logs(recording.logs).encode_to_vec(), traces)
            }
        };
        Self::encoded(signal, body, items, traces)
    }

    /// A request of exactly `items` records of the workload "tail".
    fn of_tail(signal: Signal, items: usize, random: &mut Random, now_nanos: &mut u64) -> Self {
        let (body, traces) = match signal {
            Signal::Traces => {
                let request = tail::traces(random, now_nanos, items);
                let spans = request.resource_spans.iter().flat_map(|group| &group.scope_spans).flat_map(|scope| &scope.spans);
                let traces = tally(spans.map(|span| span.trace_id.as_slice()));
                (request.encode_to_vec(), traces)
            }
            Signal::Logs => {
                let request = tail::logs(random, now_nanos, items);
                let logs = request.resource_logs.iter().flat_map(|group| &group.scope_logs).flat_map(|scope| &scope.log_records);
                let traces = tally(logs.map(|log| log.trace_id.as_slice()));
                (request.encode_to_vec(), traces)
            }
        };
        let mut template = Self::encoded(signal, body, items, traces);
        template.patches.extend(mark::slots(&template.body));
        template
    }

    fn encoded(signal: Signal, body: Vec<u8>, items: usize, traces: BTreeMap<Option<[u8; 16]>, u64>) -> Self {
        let patches = mark::patches(signal, &body);
        let time = |patch: &Patch| body.get(patch.offset..)?.first_chunk().copied().map(u64::from_le_bytes);
        let end_nanos = patches.iter().filter(|patch| patch.role == Role::Time).filter_map(time).max().unwrap_or(EPOCH_NANOS);
        Self { body, patches, end_nanos, items: u64::try_from(items).unwrap_or(u64::MAX), traces }
    }

    /// As it was encoded, before any replay.
    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }

    /// How many words each replay puts in.
    fn slots(&self) -> u64 {
        self.patches.iter().filter(|patch| patch.role == Role::Word).count() as u64
    }

    pub(super) fn items(&self) -> u64 {
        self.items
    }

    /// The trace ids in this template, before a nonce, and how many records each has.
    pub(super) fn traces(&self) -> impl Iterator<Item = (&Option<[u8; 16]>, &u64)> {
        self.traces.iter()
    }

    /// The request with ids and words of its own. Nothing in it is later than `end_nanos`: what is sent has happened.
    pub(super) fn stamp(&self, nonce: Nonce, end_nanos: u64, mut words: impl Iterator<Item = [u8; 12]>) -> Vec<u8> {
        let mut body = self.body.clone();
        let shift_nanos = end_nanos.wrapping_sub(self.end_nanos);
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
                Role::Time => {
                    if let Some(time) = rest.first_chunk_mut::<8>() {
                        *time = u64::from_le_bytes(*time).wrapping_add(shift_nanos).to_le_bytes();
                    }
                }
            }
        }
        body
    }
}

fn xor(bytes: &mut [u8], with: &[u8]) {
    for (byte, with) in bytes.iter_mut().zip(with) {
        *byte ^= with;
    }
}

fn count(signal: Signal, recording: &Recording) -> usize {
    match signal {
        Signal::Traces => recording.spans.len(),
        Signal::Logs => recording.logs.len(),
    }
}

fn tally<'a>(ids: impl Iterator<Item = &'a [u8]>) -> BTreeMap<Option<[u8; 16]>, u64> {
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
    pub(super) fn trace(&self, mut id: [u8; 16]) -> [u8; 16] {
        xor(&mut id, &self.trace);
        id
    }
}

/// The word of a slot: a needle at its rate, else one that no other slot has.
fn word(ordinal: u64, unique: u64) -> [u8; 12] {
    let [frequent, rare, once, _] = NEEDLES;
    let text = if ordinal == unique {
        once
    } else if ordinal % 100_000 == 99_950 {
        rare
    } else if ordinal % 1_000 == 977 {
        frequent
    } else {
        let mut random = Random::new(ordinal);
        return std::array::from_fn(|_| random.pick(b"bcdfghjkmnpqrstvwxz"));
    };
    text.as_bytes().try_into().unwrap_or(*tail::SLOT)
}

/// Words to be found: one slot in a thousand, one in a hundred thousand, one, none.
pub(super) const NEEDLES: [&str; 4] = ["needlecommon", "needlescarce", "needleunique", "needleabsent"];

/// Where the templates' own time begins. Any time would do.
const EPOCH_NANOS: u64 = 1_700_000_000_000_000_000;
/// As in the demo, so that a request holds the same mix.
const TRACES_PER_SECOND: f64 = 4.0;
const MAX_TEMPLATES: u64 = 256;
const MAX_POOL_BYTES: usize = 64 << 20;

#[cfg(test)]
mod tests;
