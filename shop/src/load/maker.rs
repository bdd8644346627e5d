//! Makes the requests of a workload, one set after the other, each later than the one before.

use opentelemetry_proto::tonic::trace::v1::Span;

use crate::envelope;
use crate::load::template::{EPOCH_NANOS, Template};
use crate::load::{Signal, Workload, lines, tail};
use crate::random::Random;
use crate::recording::Recording;
use crate::scene;
use crate::world::World;

/// What follows from the seed, so far.
#[derive(Debug)]
pub(super) struct Maker {
    signal: Signal,
    workload: Workload,
    world: World,
    random: Random,
    now_nanos: u64,
}

/// Requests whose ids and times change together.
#[derive(Debug)]
pub(super) struct Set {
    pub(super) requests: Vec<Template>,
    /// Spans of its traces that a later set takes along, each with the number of its service.
    pub(super) late: Vec<(usize, Span)>,
    /// The last time in the set.
    pub(super) end_nanos: u64,
}

// === impl Maker ===

impl Maker {
    pub(super) fn new(signal: Signal, workload: Workload, seed: u64) -> Self {
        Self { signal, workload, world: World::new(seed), random: Random::new(seed), now_nanos: EPOCH_NANOS }
    }

    /// Requests of these sizes; `late` spans are made besides.
    pub(super) fn set(&mut self, sizes: &[usize], late: usize) -> Set {
        let (random, now) = (&mut self.random, &mut self.now_nanos);
        let (mut requests, late): (Vec<Template>, _) = match (self.workload, self.signal) {
            (Workload::Shop, _) => (sizes.iter().map(|items| shop(self.signal, *items, &mut self.world, now)).collect(), Vec::new()),
            (Workload::Tail | Workload::Raw, Signal::Traces) => {
                let (requests, late) = tail::set(random, now, sizes, late);
                (requests.into_iter().map(|spans| Template::of_traces(&tail::request(spans))).collect(), late)
            }
            (Workload::Tail, Signal::Logs) => {
                (sizes.iter().map(|items| Template::of_logs(&lines::app(random, now, *items))).collect(), Vec::new())
            }
            (Workload::Raw, Signal::Logs) => {
                (sizes.iter().map(|items| Template::of_noisy_logs(&lines::raw(random, now, *items))).collect(), Vec::new())
            }
        };
        let end_nanos = requests.iter().map(Template::end_nanos).max().unwrap_or(EPOCH_NANOS);
        requests.iter_mut().for_each(|request| request.ends_with_set(end_nanos));
        Set { requests, late, end_nanos }
    }
}

/// A request of exactly `items` records: whole traces of the shop, filled up with health checks.
fn shop(signal: Signal, items: usize, world: &mut World, now_nanos: &mut u64) -> Template {
    let count = |recording: &Recording| match signal {
        Signal::Traces => recording.spans.len(),
        Signal::Logs => recording.logs.len(),
    };
    let mut recording = Recording::default();
    while count(&recording) < items {
        let room = items - count(&recording);
        let next = scene::play(world, *now_nanos);
        *now_nanos += world.random.until_next(TRACES_PER_SECOND);
        match signal {
            Signal::Traces if next.spans.len() > room => recording.append(scene::health_check(world, *now_nanos)),
            _ => recording.append(next),
        }
    }
    recording.logs.truncate(items);
    match signal {
        Signal::Traces => Template::of_traces(&envelope::traces(recording.spans)),
        Signal::Logs => Template::of_logs(&envelope::logs(recording.logs)),
    }
}

/// As in the demo, so that a request holds the same mix.
const TRACES_PER_SECOND: f64 = 4.0;
