//! All requests of a load, of which some are encoded and replayed in turn.
//!
//! Owns which request replays what, and with which ids, times and words. Requests come in sets: the spans of a trace may lie in all
//! requests of its set, and its late span in a set that is sent a good minute later. That a trace is split or has a late span is in the
//! templates; set `n` takes along late spans of set `n - lag`, also where templates begin again. Those of the first sets belong to traces
//! from before the load, of which nothing else is sent.

use std::time::Duration;

use crate::load::maker::{Maker, Set};
use crate::load::needle;
use crate::load::template::{Nonce, Replay, Template};
use crate::load::{Config, Signal, Workload, tail};
use crate::random::Random;

/// The templates of a load.
#[derive(Debug)]
pub(super) struct Pool {
    seed: u64,
    /// Whole sets, replayed in turn.
    full: Vec<Template>,
    /// The last set, when it is smaller than the others.
    rest: Vec<Template>,
    /// Slots before each of `full`, and in all of them.
    slots: Vec<u64>,
    full_requests: u64,
    per_set: u64,
    /// From a set to the next.
    step_nanos: u64,
    /// So many sets after its trace a late span comes.
    lag: u64,
}

// === impl Pool ===

impl Pool {
    /// Templates for `items` records.
    pub(super) fn new(config: &Config, signal: Signal, items: u64, seed: u64) -> Self {
        let per_request = config.items_per_request.max(1);
        let has_splits = signal == Signal::Traces && config.workload != Workload::Shop;
        let per_set = if has_splits { REQUESTS_PER_SET } else { 1 };
        let late = if has_splits { (per_request * per_set + SPANS_PER_LATE / 2) / SPANS_PER_LATE } else { 0 };
        let set_items = u64::try_from(per_request * per_set).unwrap_or(u64::MAX);
        let full_sets = items / set_items;
        let mut maker = Maker::new(signal, config.workload, seed);
        let (mut sets, mut bytes) = (Vec::new(), 0);
        while u64::try_from(sets.len()).is_ok_and(|built| built < full_sets.min(MAX_SETS)) && bytes < MAX_POOL_BYTES {
            // Its first request has room for late spans of another set.
            let set = maker.set(&sizes(per_request * per_set, per_request, late), late);
            bytes += set.requests.iter().map(Template::len).sum::<usize>();
            sets.push(set);
        }
        let rest = usize::try_from(items % set_items).unwrap_or(0);
        let room = if sets.is_empty() { 0 } else { late.min(rest).min(per_request) };
        let rest = (rest > 0).then(|| maker.set(&sizes(rest, per_request, room), 0)).map_or_else(Vec::new, |set| set.requests);
        let per_set = per_set as u64;
        let step_nanos = step_nanos(config, per_set, full_sets + u64::from(!rest.is_empty()));
        let lag = if step_nanos == 0 { 1 } else { LATE_NANOS.div_ceil(step_nanos) };
        let slots = vec![0];
        let mut pool = Self { seed, full: Vec::new(), rest, slots, full_requests: full_sets * per_set, per_set, step_nanos, lag };
        pool.hand_on(sets, full_sets, room);
        pool
    }

    /// Gives the late spans of each set to the one that sends them, `room` of them to the last.
    fn hand_on(&mut self, mut sets: Vec<Set>, full_sets: u64, room: usize) {
        let built = sets.len().max(1) as u64;
        let of = |set: u64| usize::try_from((set % built + built - self.lag % built) % built).unwrap_or(0);
        let late: Vec<_> = sets.iter_mut().map(|set| (std::mem::take(&mut set.late), set.end_nanos)).collect();
        let last = (full_sets, self.rest.first_mut(), room);
        let all = (0..).zip(&mut sets).map(|(number, set)| (number, set.requests.first_mut(), usize::MAX));
        for (number, request, room) in all.chain([last]) {
            let (Some(request), Some((spans, end_nanos))) = (request, late.get(of(number))) else { continue };
            let spans: Vec<_> = spans.iter().take(room).cloned().collect();
            if !spans.is_empty() {
                request.take_along(&tail::request(spans), *end_nanos);
            }
        }
        self.full = sets.into_iter().flat_map(|set| set.requests).collect();
        for template in &self.full {
            self.slots.push(self.slots.last().map_or(0, |before| before + template.slots()));
        }
    }

    /// How many requests there are in all.
    pub(super) fn requests(&self) -> u64 {
        self.full_requests + self.rest.len() as u64
    }

    /// How many records there are in all.
    pub(super) fn items(&self) -> u64 {
        let rest: u64 = self.rest.iter().map(Template::items).sum();
        self.full.first().map_or(0, |template| template.items() * self.full_requests) + rest
    }

    /// What request `number` replays; `None` after the last.
    pub(super) fn template(&self, number: u64) -> Option<&Template> {
        match number.checked_sub(self.full_requests) {
            None => self.full.get(usize::try_from(number.checked_rem(self.full.len() as u64)?).ok()?),
            Some(number) => self.rest.get(usize::try_from(number).ok()?),
        }
    }

    /// Request `number` as it is sent, when the first set happens at `first_nanos`.
    pub(super) fn body(&self, number: u64, first_nanos: u64) -> Option<Vec<u8>> {
        let set = self.set_of(number);
        let end_nanos = first_nanos.saturating_add(self.step_nanos.saturating_mul(set));
        let own = Replay { nonce: self.nonce(set), end_nanos };
        let end_nanos = end_nanos.saturating_sub(self.step_nanos.saturating_mul(self.lag));
        let late = Replay { nonce: self.nonce(set.wrapping_sub(self.lag)), end_nanos };
        Some(self.template(number)?.stamp(own, late, self.words(number)))
    }

    /// The words of request `number`, one for each slot: mostly one that comes once, and needles at their rates.
    pub(super) fn words(&self, number: u64) -> impl Iterator<Item = [u8; 12]> {
        let once = self.slots_before(self.requests()) / 3;
        (self.slots_before(number)..self.slots_before(number + 1)).map(move |ordinal| needle::word(ordinal, once))
    }

    fn slots_before(&self, number: u64) -> u64 {
        let (replays, built) = (number.min(self.full_requests), self.full.len() as u64);
        let turns = replays.checked_div(built).unwrap_or(0) * self.slots.last().copied().unwrap_or(0);
        let place = replays.checked_rem(built).and_then(|place| usize::try_from(place).ok()).unwrap_or(0);
        let rest = usize::try_from(number - replays).unwrap_or(usize::MAX);
        turns + self.slots.get(place).copied().unwrap_or(0) + self.rest.iter().take(rest).map(Template::slots).sum::<u64>()
    }

    /// The traces of the set of request `number` that have records in this request, and how many.
    pub(super) fn own_traces(&self, number: u64) -> impl Iterator<Item = (Option<[u8; 16]>, u64)> {
        let nonce = self.nonce(self.set_of(number));
        self.template(number).into_iter().flat_map(move |template| template.traces(nonce))
    }

    /// The traces of an earlier set that have late spans in request `number`, and how many.
    pub(super) fn late_traces(&self, number: u64) -> impl Iterator<Item = (Option<[u8; 16]>, u64)> {
        let nonce = self.nonce(self.set_of(number).wrapping_sub(self.lag));
        self.template(number).into_iter().flat_map(move |template| template.late_traces(nonce))
    }

    /// What makes the ids of a set its own.
    fn nonce(&self, set: u64) -> Nonce {
        Nonce::new(&mut Random::new(self.seed ^ set.wrapping_add(1).wrapping_mul(0xd134_2543_de82_ef95)))
    }

    /// How many sets there are in all, and how many sets later a late span comes.
    pub(super) fn sets(&self) -> (u64, u64) {
        (self.requests().div_ceil(self.per_set), self.lag)
    }

    /// The set whose templates set `number` replays: sets with the same answer have the same.
    pub(super) fn replayed(&self, number: u64) -> u64 {
        let built = self.full.len() as u64 / self.per_set;
        if number < self.full_requests / self.per_set { number.checked_rem(built).unwrap_or(0) } else { number }
    }

    /// The set of a request.
    pub(super) fn set_of(&self, number: u64) -> u64 {
        number / self.per_set
    }

    /// Numbers of the requests in a set; none after the last.
    pub(super) fn requests_of(&self, set: u64) -> std::ops::Range<u64> {
        let first = set * self.per_set;
        first..self.requests().min(first + self.per_set)
    }
}

/// Sizes of requests for `items` records, with so much `room` left in the first.
fn sizes(items: usize, per_request: usize, room: usize) -> Vec<usize> {
    let mut sizes: Vec<usize> = (0..items).step_by(per_request).map(|sent| per_request.min(items - sent)).collect();
    sizes.iter_mut().take(1).for_each(|first| *first = first.saturating_sub(room));
    sizes
}

/// The requests walk through the window from its beginning to now, or, one after the other, happen when they are due.
fn step_nanos(config: &Config, per_set: u64, sets: u64) -> u64 {
    let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    config.pace().map_or_else(|| nanos(config.window) / sets.max(1), |pace| nanos(pace).saturating_mul(per_set))
}

/// Requests that the spans of one trace are spread over.
const REQUESTS_PER_SET: usize = 3;
/// One in so many spans comes late: one trace in a hundred has one.
const SPANS_PER_LATE: usize = 3_000;
/// How much later than its trace a late span comes, or up to one set more.
const LATE_NANOS: u64 = 120_000_000_000;

/// Few in tests, so that they are replayed there too.
const MAX_SETS: u64 = if cfg!(test) { 8 } else { 256 };
const MAX_POOL_BYTES: usize = 64 << 20;

#[cfg(test)]
mod tests;
