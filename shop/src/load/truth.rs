//! What a load sends, by the load's own account: what answers are compared with.
//!
//! Everything follows from the settings and the seed, so it is known without asking the receiver. The requests are decoded again from
//! what is sent, independently of how they were made.

use std::collections::{BTreeMap, BTreeSet};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use prost::Message as _;

use super::needle::Needle;
use super::pool::Pool;
use super::{Config, Signal};

/// What was sent.
#[derive(Debug)]
pub struct Truth {
    /// Spans.
    pub spans: u64,
    /// Log records.
    pub logs: u64,
    /// Some trace ids, from all over the load, with how many spans each has.
    pub traces: Vec<(String, u64)>,
    /// The same of some traces that have a late span.
    pub late_traces: Vec<(String, u64)>,
    /// What slots were filled with, in root spans and in log bodies.
    pub needles: Vec<Needle>,
    /// Spans of each set of requests that is replayed.
    sets: BTreeMap<u64, Facts>,
    /// How often there were traces of that set with late spans from that set; none of both is possible.
    replays: BTreeMap<(Option<u64>, Option<u64>), u64>,
}

/// Spans of a set of requests.
#[derive(Debug, Default)]
struct Facts {
    own: Vec<SpanFact>,
    /// Of traces of an earlier set.
    late: Vec<SpanFact>,
}

/// What is known of a span in every replay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpanFact {
    /// Which trace of its set.
    trace: Vec<u8>,
    /// Name of its service.
    pub service: String,
    /// Its name.
    pub name: String,
    /// Nanoseconds.
    pub duration: u64,
    /// Whether it failed.
    pub failed: bool,
    /// Its text attributes.
    pub texts: BTreeMap<String, String>,
}

// === impl Truth ===

impl Truth {
    /// Of the load that these settings, with their seed, send.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let seed = config.seed.unwrap_or_default();
        let (spans, logs) = (Pool::new(config, Signal::Traces, config.spans, seed), Pool::new(config, Signal::Logs, config.logs, seed));
        let mut needles = Needle::all();
        for word in (0..spans.requests()).flat_map(|number| spans.words(number)) {
            needles.iter_mut().filter(|needle| needle.is_in(&word)).for_each(|needle| needle.spans += 1);
        }
        for word in (0..logs.requests()).flat_map(|number| logs.words(number)) {
            needles.iter_mut().filter(|needle| needle.is_in(&word)).for_each(|needle| needle.logs += 1);
        }
        let (traces, late_traces) = sample(&spans);
        let mut truth =
            Self { spans: spans.items(), logs: logs.items(), traces, late_traces, needles, sets: facts(&spans), replays: BTreeMap::new() };
        let (sets, lag) = spans.sets();
        let replayed = |set: u64| (set < sets).then(|| spans.replayed(set));
        for set in 0..sets {
            *truth.replays.entry((replayed(set), replayed(set.saturating_add(lag)))).or_default() += 1;
        }
        // Late spans of traces from before the load.
        for set in 0..lag.min(sets) {
            *truth.replays.entry((None, replayed(set))).or_default() += 1;
        }
        truth
    }

    /// Names of all services that sent spans.
    #[must_use]
    pub fn services(&self) -> BTreeSet<&str> {
        self.facts().map(|fact| fact.service.as_str()).collect()
    }

    /// Every span of every request that is replayed, once.
    pub fn facts(&self) -> impl Iterator<Item = &SpanFact> {
        self.sets.values().flat_map(|facts| facts.own.iter().chain(&facts.late))
    }

    /// How many traces have a span of which this holds.
    #[must_use]
    pub fn traces_with(&self, holds: impl Fn(&SpanFact) -> bool) -> u64 {
        self.sum(holds, |found| found.iter().map(|fact| &fact.trace).collect::<BTreeSet<_>>().len())
    }

    /// How many spans there are of which this holds.
    #[must_use]
    pub fn spans_with(&self, holds: impl Fn(&SpanFact) -> bool) -> u64 {
        self.sum(holds, |found| found.len())
    }

    /// Over all replays, the number of what was found in each.
    fn sum(&self, holds: impl Fn(&SpanFact) -> bool, number: impl Fn(&[&SpanFact]) -> usize) -> u64 {
        let of = |set: &Option<u64>| set.and_then(|set| self.sets.get(&set));
        let found = |((own, late), times): (&(Option<u64>, Option<u64>), &u64)| {
            let (own, late) = (of(own).map(|facts| &facts.own), of(late).map(|facts| &facts.late));
            let facts: Vec<&SpanFact> = own.into_iter().chain(late).flatten().filter(|fact| holds(fact)).collect();
            number(&facts) as u64 * times
        };
        self.replays.iter().map(found).sum()
    }
}

/// Ids of traces, each with the number of its spans.
type Sizes = Vec<(String, u64)>;

/// Some traces by chance, and some with late spans.
fn sample(spans: &Pool) -> (Sizes, Sizes) {
    let (sets, lag) = spans.sets();
    let step = usize::try_from(spans.requests() / SAMPLE).unwrap_or(usize::MAX).max(1);
    let (mut some, mut late) = (BTreeMap::new(), BTreeMap::new());
    for number in (0..spans.requests()).step_by(step) {
        let set = spans.set_of(number);
        let mut traces = BTreeMap::new();
        for (id, records) in spans.requests_of(set).flat_map(|number| spans.own_traces(number)) {
            *traces.entry(id).or_insert(0) += records;
        }
        let later = set.saturating_add(lag);
        for (id, records) in spans.requests_of(later.min(sets)).flat_map(|number| spans.late_traces(number)) {
            let all = traces.entry(id).and_modify(|all| *all += records).or_insert(records);
            late.insert(id, *all);
        }
        let place = usize::try_from(number).unwrap_or(0) % traces.len().max(1);
        some.extend(traces.into_iter().nth(place));
    }
    let in_hex = |traces: BTreeMap<Option<[u8; 16]>, u64>| {
        traces.into_iter().filter_map(|(id, spans)| Some((format!("{:032x}", u128::from_be_bytes(id?)), spans))).collect()
    };
    (in_hex(some), in_hex(late))
}

/// Of each set that is replayed.
fn facts(pool: &Pool) -> BTreeMap<u64, Facts> {
    let mut sets = BTreeMap::new();
    for number in 0..pool.requests() {
        let set = pool.set_of(number);
        if pool.replayed(set) == set
            && let Some(template) = pool.template(number)
        {
            let facts: &mut Facts = sets.entry(set).or_default();
            let (own, late) = template.bodies();
            facts.own.extend(of_spans(own));
            facts.late.extend(of_spans(late));
        }
    }
    sets
}

fn of_spans(body: &[u8]) -> Vec<SpanFact> {
    let request = ExportTraceServiceRequest::decode(body).unwrap_or_default();
    let mut facts = Vec::new();
    for group in request.resource_spans {
        let service = group.resource.as_ref().and_then(|resource| text(&resource.attributes, "service.name")).unwrap_or_default();
        for span in group.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            facts.push(SpanFact {
                trace: span.trace_id,
                service: service.clone(),
                name: span.name,
                duration: span.end_time_unix_nano.saturating_sub(span.start_time_unix_nano),
                failed: span.status.is_some_and(|status| status.code == 2),
                texts: span.attributes.iter().filter_map(|kv| Some((kv.key.clone(), text(std::slice::from_ref(kv), &kv.key)?))).collect(),
            });
        }
    }
    facts
}

fn text(attributes: &[KeyValue], key: &str) -> Option<String> {
    attributes.iter().find(|kv| kv.key == key).and_then(|kv| match kv.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        _ => None,
    })
}

/// Trace ids of a sample.
const SAMPLE: u64 = 1_000;

#[cfg(test)]
mod tests;
