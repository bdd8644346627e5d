//! The links of a span: what they lead to, and who leads here.

use storage::{Link, Span, SpanId, TraceId, TraceSummary, UnixNanos};

use super::super::{LinkedSpan, Scene};
use super::events::{MAX_ATTRIBUTES, left_out};
use crate::view::attributes::{self, Asked, Row as Attribute};
use crate::view::colour::Chip;
use crate::view::format::{self, Moment};
use crate::view::outcome::Outcome;

/// A link of a span.
#[derive(Clone, Debug, Default)]
pub(crate) struct LinkView {
    pub(crate) trace: String,
    pub(crate) span: String,
    /// Empty when the ids are not valid.
    pub(crate) href: String,
    /// Whether it leads to this very trace.
    pub(crate) is_here: bool,
    /// What it leads to, as far as that is known.
    pub(crate) target: Option<Target>,
    /// Whether that is the span itself, and not only its trace.
    pub(crate) is_span: bool,
    /// Whether it leads to something that is not stored.
    pub(crate) is_missing: bool,
    /// Whether the trace that it leads to is stored, but not the span.
    pub(crate) is_span_missing: bool,
    pub(crate) attributes: Vec<Attribute>,
    /// How many attributes are left out; empty for none.
    pub(crate) left_out: String,
}

// === impl LinkView ===

impl LinkView {
    /// About how many elements it has on a page.
    pub(super) fn elements(&self) -> usize {
        12 + self.attributes.iter().map(Attribute::elements).sum::<usize>()
    }
}

/// What a link leads to: a span, or another trace whose span is not known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Target {
    pub(crate) chip: Chip,
    pub(crate) operation: String,
    pub(crate) duration: String,
    pub(crate) start: Moment,
}

/// A link, and what it leads to as far as that is known.
pub(super) fn link_view(scene: &Scene, link: &Link) -> LinkView {
    let (trace, span) = (TraceId::from_slice(&link.trace_id), SpanId::from_slice(&link.span_id));
    let is_here = trace == Some(scene.sheet.id);
    let known = trace.filter(|_| !is_here).and_then(|trace| scene.targets.as_ref()?.get(&trace));
    let there = trace.zip(span).filter(|_| !is_here).and_then(|target| scene.target_spans.get(&target));
    let (target, is_missing) = match (span.filter(|_| is_here), there) {
        (Some(span), _) => (span_here(scene, span), scene.sheet.place_of(span).is_none()),
        (None, Some(Some(there))) => (Some(span_there(scene, there)), false),
        _ => (known.and_then(Option::as_ref).map(|trace| summed_up(scene, trace)), matches!(known, Some(None))),
    };
    LinkView {
        trace: format::hex(&link.trace_id),
        span: format::hex(&link.span_id),
        is_here,
        is_span: is_here || matches!(there, Some(Some(_))),
        is_span_missing: matches!(there, Some(None)),
        href: trace.map(|trace| to_trace(scene, trace, span)).unwrap_or_default(),
        attributes: attributes::rows(link.attributes.get(..MAX_ATTRIBUTES).unwrap_or(&link.attributes), Asked::Nowhere, &scene.links),
        left_out: left_out(&link.attributes),
        target,
        is_missing,
    }
}

/// The address of a span of another trace, with the way back to the chosen one.
fn to_trace(scene: &Scene, trace: TraceId, span: Option<SpanId>) -> String {
    let span = span.map(|span| span.to_string()).unwrap_or_default();
    let via = if trace == scene.sheet.id { String::new() } else { scene.via() };
    let fragment = if span.is_empty() { String::new() } else { format!("#s{span}") };
    scene.links.trace(&trace).with("span", &span).with("via", &via).href() + &fragment
}

fn span_here(scene: &Scene, span: SpanId) -> Option<Target> {
    let sheet = &scene.sheet;
    let (place, brief) = sheet.place_of(span).and_then(|place| Some((place, sheet.spans.get(place)?)))?;
    Some(target(scene, (sheet.service(place), sheet.name(place)), (brief.start, brief.duration())))
}

fn span_there(scene: &Scene, there: &LinkedSpan) -> Target {
    target(scene, (&there.service, &there.name), (there.start, there.duration))
}

fn summed_up(scene: &Scene, trace: &TraceSummary) -> Target {
    target(scene, (&trace.root_service, &trace.root_name), (trace.start, trace.duration))
}

fn target(scene: &Scene, (service, name): (&str, &str), (start, duration): (UnixNanos, u64)) -> Target {
    Target {
        chip: scene.palette.chip(service),
        operation: format::name(name),
        duration: format::duration(duration),
        start: scene.moment(start),
    }
}

/// So many traces that link to a span are listed.
pub(crate) const MAX_LINKED: usize = 20;

/// All traces with a link to the chosen span, where there may be more than are listed.
pub(super) fn all_linked(scene: &Scene, span: &Span) -> String {
    // The trace itself may have been among them.
    if scene.linked.len() + 1 < MAX_LINKED {
        return String::new();
    }
    scene.links.traces(&format!("link.trace:{} link.span:{}", scene.sheet.id, span.span_id)).with("from", "0").href()
}

/// Traces with a link to the chosen span.
pub(super) fn linked(scene: &Scene) -> Vec<(String, Outcome, Chip, String, Moment)> {
    let row = |trace: &TraceSummary| {
        let Target { chip, operation, start, .. } = summed_up(scene, trace);
        (to_trace(scene, trace.trace_id, None), Outcome::of_summary(trace), chip, operation, start)
    };
    scene.linked.iter().map(row).collect()
}
