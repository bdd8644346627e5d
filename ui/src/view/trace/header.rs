//! What a trace is, in one glance, and what stands out in it.

use std::collections::HashSet;

use super::minimap::extent;
use super::{LogMarks, Scene};
use crate::view::colour::Chip;
use crate::view::format::{self, Moment};

/// The head of the page.
#[derive(Clone, Debug, Default)]
pub(crate) struct Header {
    pub(crate) chip: Chip,
    pub(crate) operation: String,
    pub(crate) is_error: bool,
    pub(crate) duration: String,
    pub(crate) exact: String,
    pub(crate) start: Moment,
    pub(crate) id: String,
    pub(crate) short_id: String,
    /// `41 spans`, `3 errors`, …
    pub(crate) facts: Vec<String>,
    pub(crate) json: String,
    pub(crate) otlp: String,
    /// Other traces of the same root operation.
    pub(crate) similar: String,
}

/// Something worth a look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Name in the icon sprite.
    pub(crate) icon: &'static str,
    /// Class of the stylesheet.
    pub(crate) class: &'static str,
    pub(crate) text: String,
    /// Where to look; empty when nowhere in particular.
    pub(crate) href: String,
}

/// The head of the page.
pub(crate) fn header(scene: &Scene<'_>) -> Header {
    let (start, whole) = extent(scene);
    let spans = &scene.trace.spans;
    let root = scene.outline.order.first().and_then(|place| spans.get(*place));
    let errors = spans.iter().filter(|span| span.is_error()).count() as u64;
    let services = spans.iter().map(storage::Span::service_name).collect::<HashSet<_>>().len() as u64;
    let depth = scene.outline.depth.iter().max().map_or(0, |depth| depth + 1);
    let id = scene.trace.id.to_string();
    let mut facts = vec![format::counted(spans.len() as u64, "span", "spans")];
    if errors > 0 {
        facts.push(format::counted(errors, "error", "errors"));
    }
    facts.push(format::counted(services, "service", "services"));
    facts.push(format!("depth {depth}"));
    if !scene.logs.is_empty() {
        facts.push(format::counted(scene.logs.len() as u64, "log", "logs"));
    }
    let (service, name) = root.map_or(("", ""), |span| (span.service_name(), span.name.as_str()));
    let query = [("service", service), ("name", name)].map(|(field, value)| crate::view::link::term(field, value)).join(" ");
    Header {
        chip: scene.palette.chip(service),
        operation: format::name(name),
        is_error: errors > 0,
        duration: format::duration(whole),
        exact: format::exact_nanos(whole),
        start: scene.moment(start),
        short_id: id.chars().take(8).collect(),
        json: scene.links.plain(&format!("/api/v1/traces/{id}")).href(),
        otlp: scene.links.plain(&format!("/api/v1/traces/{id}")).with("format", "otlp").href(),
        similar: scene.links.traces(&query).href(),
        facts,
        id,
    }
}

/// What stands out, the failing span first.
pub(crate) fn findings(scene: &Scene<'_>) -> Vec<Finding> {
    scene
        .outline
        .findings
        .iter()
        .map(|(icon, class, text, place)| Finding {
            icon,
            class,
            text: format::line(text, 300),
            href: place.map(|place| scene.to_span(place)).unwrap_or_default(),
        })
        .collect()
}

/// Log records that name no span of the trace are not on any bar; says how many, when bars are all there is.
pub(crate) fn stray_logs(scene: &Scene<'_>) -> Option<String> {
    let tied: usize = scene.by_span.values().map(Vec::len).sum();
    let stray = scene.logs.len().saturating_sub(tied);
    (stray > 0 && scene.wanted.marks != LogMarks::Off).then(|| {
        format!(
            "{} of this trace name no span that was received; see the Logs tab",
            format::counted(stray as u64, "log record", "log records")
        )
    })
}
