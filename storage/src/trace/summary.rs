//! What a list shows of a trace.

use std::cmp::Reverse;
use std::collections::HashMap;

use crate::model::{Span, UnixNanos};
use crate::query::{ServiceInTrace, TraceSummary};

use super::Trace;

/// Spans of a service in the mini-timeline.
const SPANS_PER_SERVICE: usize = 16;

/// Summarises a trace of which `matched` spans match the query.
#[must_use]
pub fn summary(trace: &Trace, matched: usize) -> TraceSummary {
    let spans = &trace.spans;
    let root = spans.iter().find(|span| span.parent_span_id.is_none());
    let shown = root.or(spans.first());
    let start = spans.iter().map(|span| span.start).min().unwrap_or_default();
    let end = spans.iter().map(|span| span.end.max(span.start)).max().unwrap_or_default();
    TraceSummary {
        trace_id: trace.id,
        root_service: shown.map_or_else(String::new, |span| span.service_name().to_owned()),
        root_name: shown.map_or_else(String::new, |span| span.name.clone()),
        has_root: root.is_some(),
        start,
        duration: end.since(start),
        span_count: spans.len(),
        error_count: spans.iter().filter(|span| span.is_error()).count(),
        matched,
        services: services(spans, start),
        first_error: spans.iter().find(|span| span.is_error()).and_then(error_message).map(str::to_owned),
    }
}

fn services(spans: &[Span], start: UnixNanos) -> Vec<ServiceInTrace> {
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut services: Vec<ServiceInTrace> = Vec::new();
    for span in spans {
        let place = *places.entry(span.service_name()).or_insert_with(|| {
            let name = span.service_name().to_owned();
            services.push(ServiceInTrace { name, span_count: 0, error_count: 0, spans: Vec::new() });
            services.len() - 1
        });
        let Some(service) = services.get_mut(place) else { continue };
        service.span_count += 1;
        service.error_count += usize::from(span.is_error());
        service.spans.push((span.start.since(start), span.duration()));
    }
    for service in &mut services {
        service.spans.sort_by_key(|(offset, duration)| (Reverse(*duration), *offset));
        service.spans.truncate(SPANS_PER_SERVICE);
    }
    services
}

/// What a failed span says of its failure: its status message, else the message of its first exception.
pub(super) fn error_message(span: &Span) -> Option<&str> {
    let status = Some(span.status.message.as_str()).filter(|message| !message.is_empty());
    status.or_else(|| {
        let exception = span.events.iter().find(|event| event.name == "exception")?;
        let message = exception.attributes.iter().find(|pair| pair.key == "exception.message")?;
        message.value.as_str().filter(|message| !message.is_empty())
    })
}
