//! What a load sends, by the load's own account: what answers are compared with.
//!
//! Everything follows from the settings and the seed, so it is known without asking the receiver. The requests are decoded again from
//! what is sent, independently of how they were made.

use std::collections::{BTreeMap, BTreeSet};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use prost::Message as _;

use super::template::{Pool, Template};
use super::{Config, Signal, nonce};

/// What was sent.
#[derive(Debug)]
pub struct Truth {
    /// Spans.
    pub spans: u64,
    /// Log records.
    pub logs: u64,
    /// Some trace ids, from all over the load, with how many spans each has.
    pub traces: Vec<(String, u64)>,
    /// Words that slots were filled with, and how often, in root spans and in log bodies: the frequent, the rare, the unique one, and one
    /// that was never sent.
    pub needles: [(&'static str, u64, u64); 4],
    /// Spans of each request that is replayed, and how often it is.
    templates: Vec<(Vec<SpanFact>, u64)>,
}

/// What is known of a span in every replay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpanFact {
    /// Which trace of its request.
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
        let pool = |signal, items| Pool::new(signal, config.workload, items, config.items_per_request.max(1), seed);
        let (spans, logs) = (pool(Signal::Traces, config.spans), pool(Signal::Logs, config.logs));
        let mut needles = super::template::NEEDLES.map(|needle| (needle, 0, 0));
        for number in 0..spans.requests() {
            spans.words(number).filter_map(which).for_each(|needle| count(&mut needles, needle, |(_, spans, _)| *spans += 1));
        }
        for number in 0..logs.requests() {
            logs.words(number).filter_map(which).for_each(|needle| count(&mut needles, needle, |(_, _, logs)| *logs += 1));
        }
        let step = (spans.requests() / SAMPLE).max(1);
        let traces = (0..spans.requests()).step_by(usize::try_from(step).unwrap_or(1)).filter_map(|number| {
            let template = spans.template(number)?;
            let traces: Vec<_> = template.traces().filter_map(|(id, count)| Some(((*id)?, *count))).collect();
            let (id, count) = traces.get(usize::try_from(number).ok()? % traces.len().max(1))?;
            Some((format!("{:032x}", u128::from_be_bytes(nonce(seed, number).trace(*id))), *count))
        });
        Self { spans: spans.items(), logs: logs.items(), traces: traces.collect(), needles, templates: facts(&spans) }
    }

    /// Names of all services that sent spans.
    #[must_use]
    pub fn services(&self) -> BTreeSet<&str> {
        self.facts().map(|fact| fact.service.as_str()).collect()
    }

    /// Every span of every request that is replayed, once.
    pub fn facts(&self) -> impl Iterator<Item = &SpanFact> {
        self.templates.iter().flat_map(|(facts, _)| facts)
    }

    /// How many traces have a span of which this holds.
    #[must_use]
    pub fn traces_with(&self, holds: impl Fn(&SpanFact) -> bool) -> u64 {
        let of = |facts: &[SpanFact]| facts.iter().filter(|fact| holds(fact)).map(|fact| &fact.trace).collect::<BTreeSet<_>>().len() as u64;
        self.templates.iter().map(|(facts, replays)| of(facts) * replays).sum()
    }

    /// How many spans there are of which this holds.
    #[must_use]
    pub fn spans_with(&self, holds: impl Fn(&SpanFact) -> bool) -> u64 {
        self.templates.iter().map(|(facts, replays)| facts.iter().filter(|fact| holds(fact)).count() as u64 * replays).sum()
    }
}

/// A word that is looked for, with its numbers in root spans and in log bodies.
type Needle = (&'static str, u64, u64);

/// Which of the needles a word is.
fn which(word: [u8; 12]) -> Option<usize> {
    super::template::NEEDLES.iter().position(|needle| needle.as_bytes() == word)
}

fn count(needles: &mut [Needle; 4], which: usize, add: impl Fn(&mut Needle)) {
    if let Some(needle) = needles.get_mut(which) {
        add(needle);
    }
}

/// Templates by their place in memory, each with its replays.
fn facts(pool: &Pool) -> Vec<(Vec<SpanFact>, u64)> {
    let mut replays: BTreeMap<usize, (&Template, u64)> = BTreeMap::new();
    for number in 0..pool.requests() {
        if let Some(template) = pool.template(number) {
            replays.entry(std::ptr::from_ref(template).addr()).or_insert((template, 0)).1 += 1;
        }
    }
    replays.into_values().map(|(template, count)| (of_template(template), count)).collect()
}

fn of_template(template: &Template) -> Vec<SpanFact> {
    let request = ExportTraceServiceRequest::decode(template.body()).unwrap_or_default();
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
mod tests {
    use super::*;
    use crate::load::Workload;

    #[test]
    fn the_account_follows_from_the_seed_and_adds_up() {
        let config =
            Config { workload: Workload::Tail, spans: 30_500, logs: 250_000, items_per_request: 500, seed: Some(9), ..Config::default() };
        let (truth, again) = (Truth::of(&config), Truth::of(&config));
        assert_eq!((truth.spans, truth.logs), (30_500, 250_000));
        assert_eq!((&truth.traces, truth.needles), (&again.traces, again.needles));
        assert_eq!(truth.spans_with(|_| true), 30_500);
        assert_eq!(truth.services().len(), 60);
        let logs = truth.needles.map(|(_, _, logs)| logs);
        assert_eq!(logs, [250, 2, 1, 0], "one in a thousand, one in a hundred thousand, one, none");
        assert_eq!(truth.needles[2].1, 1);
        assert!(truth.traces.len() > 50 && truth.traces.iter().all(|(_, spans)| *spans > 0));
        let slow = |fact: &SpanFact| fact.service == "service-07" && fact.duration > 4_000_000;
        assert!(truth.traces_with(slow) > 0 && truth.traces_with(slow) <= truth.spans_with(slow));
    }
}
