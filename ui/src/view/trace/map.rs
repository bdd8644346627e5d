//! Who called whom within one trace.

use std::collections::{BTreeMap, BTreeSet};

use storage::{Edge, EdgeKind, Node, NodeKind, ServiceMap, SpanKind, TimeRange};

use super::Scene;
use crate::view::format;
use crate::view::map::{Drawing, Made, Picture};

/// The drawing, and the same as a table.
#[derive(Clone, Debug, Default)]
pub(crate) struct TraceMap {
    pub(crate) drawing: Option<Drawing>,
    pub(crate) calls: Vec<Call>,
    pub(crate) summary: String,
}

/// Calls from one service to another.
#[derive(Clone, Debug, Default)]
pub(crate) struct Call {
    pub(crate) from: String,
    pub(crate) how: &'static str,
    pub(crate) to: String,
    pub(crate) count: String,
    pub(crate) total: String,
    pub(crate) longest: String,
    pub(crate) errors: String,
    /// The longest of them in the waterfall.
    pub(crate) href: String,
}

#[derive(Default)]
struct Sum {
    durations: Vec<u64>,
    errors: u64,
    longest: (u64, usize),
}

/// Draws the calls between services of the trace.
pub(crate) fn trace_map(scene: &Scene) -> TraceMap {
    let sheet = &scene.sheet;
    let mut sums: BTreeMap<(u32, u32, bool), Sum> = BTreeMap::new();
    for (place, span) in sheet.spans.iter().enumerate() {
        let Some(parent) = sheet.tree().parent(place).and_then(|parent| sheet.spans.get(parent)) else { continue };
        if parent.service == span.service {
            continue;
        }
        let is_message = span.kind == SpanKind::Consumer || parent.kind == SpanKind::Producer;
        let sum = sums.entry((parent.service, span.service, is_message)).or_insert_with(|| Sum { longest: (0, place), ..Sum::default() });
        sum.durations.push(span.duration());
        sum.errors += u64::from(span.is_error());
        if span.duration() > sum.longest.0 {
            sum.longest = (span.duration(), place);
        }
    }
    let map = service_map(scene, &mut sums);
    let calls = sums.iter().take(MAX_CALLS).map(|((from, to, is_message), sum)| call(scene, *from, *to, *is_message, sum)).collect();
    let services: BTreeSet<&String> = map.nodes.iter().map(|node| &node.name).collect();
    // The window is one second, so that rates are numbers of calls.
    let range = TimeRange { from: sheet.start(), to: sheet.start().plus(1_000_000_000) };
    TraceMap {
        drawing: (!map.edges.is_empty() && map.nodes.len() <= MAX_NODES).then(|| {
            let page = scene.links.windowed("/map");
            let groups = std::collections::HashMap::new();
            let made = Made::of(&map);
            let picture = Picture {
                map: &map,
                made: &made,
                before: None,
                range,
                focus: None,
                selected: None,
                page: &page,
                groups: &groups,
                is_trace: true,
            };
            let mut drawing = Drawing::new(&picture, &scene.links, &scene.palette);
            for shown in &mut drawing.boxes {
                shown.href = scene.timeline().with("find", &crate::view::link::term("service", &shown.name)).href();
            }
            drawing
        }),
        calls,
        summary: format!(
            "{}, {}{}",
            format::counted(services.len() as u64, "service", "services"),
            format::counted(map.edges.len() as u64, "dependency", "dependencies"),
            if asks_others(scene) { "; what sends no spans itself, such as a database, is on the service map" } else { "" }
        ),
    }
}

/// Whether a call of the trace ends in none of its services.
fn asks_others(scene: &Scene) -> bool {
    let sheet = &scene.sheet;
    let is_call = |kind| matches!(kind, SpanKind::Client | SpanKind::Producer);
    sheet.spans.iter().enumerate().any(|(place, span)| is_call(span.kind) && sheet.tree().children(place).is_empty())
}

fn service_map(scene: &Scene, sums: &mut BTreeMap<(u32, u32, bool), Sum>) -> ServiceMap {
    let sheet = &scene.sheet;
    let name = |service: u32| sheet.services.get(service as usize).cloned().unwrap_or_default();
    let mut nodes: BTreeMap<u32, (u64, u64, Vec<u64>)> = BTreeMap::new();
    let is_entry = |place: usize, service: u32| {
        sheet.tree().parent(place).and_then(|parent| sheet.spans.get(parent)).is_none_or(|parent| parent.service != service)
    };
    for (_, span) in sheet.spans.iter().enumerate().filter(|(place, span)| is_entry(*place, span.service)) {
        let node = nodes.entry(span.service).or_default();
        node.0 += 1;
        node.1 += u64::from(span.is_error());
        node.2.push(span.duration());
    }
    let node = |(service, (requests, errors, mut durations)): (u32, (u64, u64, Vec<u64>))| {
        let [p50, longest] = middle_and_longest(&mut durations);
        Node { name: name(service), kind: NodeKind::Service, system: String::new(), requests, errors, p50, p95: longest, p99: longest }
    };
    let edge = |((from, to, is_message), sum): (&(u32, u32, bool), &mut Sum)| {
        let [p50, longest] = middle_and_longest(&mut sum.durations);
        Edge {
            from: (name(*from), NodeKind::Service),
            to: (name(*to), NodeKind::Service),
            kind: if *is_message { EdgeKind::Message } else { EdgeKind::Call },
            calls: sum.durations.len() as u64,
            errors: sum.errors,
            p50,
            p95: longest,
            p99: longest,
            examples: sheet.spans.get(sum.longest.1).map(|span| (sheet.id, span.span_id)).into_iter().collect(),
        }
    };
    ServiceMap { nodes: nodes.into_iter().map(node).collect(), edges: sums.iter_mut().map(edge).collect(), ..ServiceMap::default() }
}

fn call(scene: &Scene, from: u32, to: u32, is_message: bool, sum: &Sum) -> Call {
    let name = |service: u32| scene.sheet.services.get(service as usize).map_or_else(String::new, |name| format::name(name));
    Call {
        from: name(from),
        how: if is_message { "sends to" } else { "calls" },
        to: name(to),
        count: format::count(sum.durations.len() as u64),
        total: format::duration(sum.durations.iter().fold(0_u64, |all, duration| all.saturating_add(*duration))),
        longest: format::duration(sum.longest.0),
        errors: if sum.errors > 0 { format::count(sum.errors) } else { String::new() },
        href: scene.to_span(sum.longest.1),
    }
}

/// One trace holds too few calls for percentiles: the longest stands for the upper ones.
fn middle_and_longest(durations: &mut [u64]) -> [u64; 2] {
    durations.sort_unstable();
    [durations.get(durations.len() / 2), durations.last()].map(|one| one.copied().unwrap_or(0))
}

/// More services than this are a table alone.
const MAX_NODES: usize = 60;
/// Rows of the table.
const MAX_CALLS: usize = 300;
