//! What a trace is, in one glance, and how far the picture can be trusted.

use storage::trace::FindingKind;

use super::oddities::oddities;
use super::{LogMarks, MAX_LOGS, Scene};
use crate::view::colour::Chip;
use crate::view::format::{self, Moment};
use crate::view::outcome::Outcome;

/// The head of the page.
#[derive(Clone, Debug, Default)]
pub(crate) struct Header {
    pub(crate) chip: Chip,
    pub(crate) operation: String,
    pub(crate) outcome: Outcome,
    /// Of the trace, from its first start to its last end, by the times that are shown: the same as on every axis below, and as sent the
    /// same as in lists.
    pub(crate) duration: String,
    pub(crate) exact: String,
    /// The same as sent where corrected times are shown; empty where it is the same.
    pub(crate) as_sent: String,
    /// Of its root span, when that is something else.
    pub(crate) root: String,
    pub(crate) start: Moment,
    pub(crate) id: String,
    pub(crate) short_id: String,
    /// `41 spans`, `3 errors`, …
    pub(crate) facts: Vec<String>,
    /// Other traces of the same root operation.
    pub(crate) similar: String,
    /// This trace beside a typical one of the same operation.
    pub(crate) compare: String,
    /// This trace beside one that is chosen then.
    pub(crate) beside: String,
    pub(crate) logs: String,
}

/// What a reader should know before believing the picture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) text: String,
    /// What it means, and what usually causes it.
    pub(crate) why: &'static str,
    /// Word and address of what can be done about it; empty for nothing.
    pub(crate) action: &'static str,
    pub(crate) href: String,
    /// Whether that stands beside the heading, in sight while the note itself is folded.
    pub(crate) is_ahead: bool,
}

/// The head of the page.
pub(crate) fn header(scene: &Scene) -> Header {
    let sheet = &scene.sheet;
    let root = sheet.main_root().or_else(|| sheet.tree().preorder().first().copied());
    let errors = sheet.spans.iter().filter(|span| span.is_error()).count() as u64;
    let depth = (0..sheet.spans.len()).map(|place| sheet.tree().depth(place)).max().map_or(0, |depth| depth + 1);
    let id = sheet.id.to_string();
    let mut facts = vec![format::counted(sheet.spans.len() as u64, "span", "spans")];
    let outcome = Outcome::of_sheet(sheet);
    if errors > 0 {
        let inside = if outcome.has_error_inside() { " inside" } else { "" };
        facts.push(format!("{}{inside}", format::counted(errors, "error", "errors")));
    }
    facts.push(format::counted(sheet.services.len() as u64, "service", "services"));
    facts.push(format!("depth\u{a0}{}", format::exact(depth as u64)));
    let (service, name) = root.map_or(("", ""), |root| (sheet.service(root), sheet.name(root)));
    let query = [("service", service), ("name", name)].map(|(field, value)| crate::view::link::term(field, value)).join(" ");
    let whole = scene.axis.whole;
    let duration = format::duration(whole);
    let as_sent = format::duration(sheet.sent_duration());
    let received = root.and_then(|root| sheet.spans.get(root)).filter(|root| root.parent_span_id.is_none());
    Header {
        chip: scene.palette.chip(service),
        operation: format::name(name),
        outcome,
        as_sent: if as_sent == duration { String::new() } else { as_sent },
        root: received.map(|root| format::duration(root.duration())).filter(|root| *root != duration).unwrap_or_default(),
        exact: format::exact_nanos(whole),
        duration,
        start: scene.moment(sheet.start()),
        short_id: id.chars().take(8).collect(),
        similar: scene.links.traces(&query).href(),
        beside: scene.links.plain("/compare").with("b", &id).href(),
        compare: scene.links.plain("/compare").with("a", "typical").with("b", &id).href(),
        logs: logs(scene, &id),
        facts,
        id,
    }
}

/// The log records of the trace, in a window that holds it and them with a margin; empty without any.
fn logs(scene: &Scene, id: &str) -> String {
    let times = || scene.logs.iter().map(|record| record.time);
    let (Some(first), Some(last)) = (times().min(), times().max()) else { return String::new() };
    let (start, length) = (scene.sheet.start(), scene.sheet.duration());
    let margin = (length / 10).max(LOGS_MARGIN);
    let from = first.min(start).minus(margin).get().to_string();
    let to = last.max(start.plus(length)).plus(margin).get().to_string();
    scene.links.plain("/logs").with("q", &format!("trace:{id}")).with("from", &from).with("to", &to).href()
}

/// How far the picture can be trusted, in plain words.
pub(crate) fn notes(scene: &Scene) -> Vec<Note> {
    let mut notes: Vec<Note> = scene.findings.iter().filter_map(|finding| doubt(scene, finding)).collect();
    if let Some(span) = scene.wanted.span.filter(|_| scene.chosen.is_none()) {
        notes.insert(0, Note { text: format!("Span {span} is not among the spans that were received of this trace."), ..Note::default() });
    }
    notes.extend(scene.sheet.notes.iter().map(|note| Note { text: crate::view::search::sentence(note), ..Note::default() }));
    notes.extend(oddities(scene));
    notes.extend(stray_logs(scene));
    notes.extend(many_logs(scene));
    if scene.wanted.is_adjusted {
        notes.push(Note {
            text: "Times are moved to fit callers; bars that were moved have a dashed outline.".to_owned(),
            why: "Nothing that is stored was changed.",
            action: "Show times as sent",
            href: scene.here().with("skew", "").href(),
            is_ahead: true,
        });
    }
    notes
}

fn doubt(scene: &Scene, finding: &storage::trace::Finding) -> Option<Note> {
    let text = format::line(&finding.sentence(), 300);
    let at = || finding.span.map(|place| scene.to_span(place)).unwrap_or_default();
    Some(match finding.kind {
        FindingKind::ClockSkew { behind, .. } if !scene.wanted.is_adjusted => return skew(scene, finding.span, behind, text),
        FindingKind::MissingParents { .. } => Note {
            text,
            why: "Such spans are shown as roots. A parent is missing when its service did not send it, sampled it out, or has not sent it yet.",
            action: "Show the first",
            href: at(),
            ..Note::default()
        },
        FindingKind::StillArriving { .. } => Note {
            text,
            why: "Services send spans in batches, a few seconds after they end.",
            action: "Look again",
            href: scene.here().href(),
            is_ahead: true,
        },
        _ => return None,
    })
}

/// Clocks that disagree are a note where the picture is another by it; elsewhere the mark at the span is enough.
fn skew(scene: &Scene, server: Option<usize>, behind: i64, text: String) -> Option<Note> {
    let sheet = &scene.sheet;
    let (as_sent, corrected) = (sheet.duration(), sheet.corrected_duration());
    if behind.unsigned_abs().saturating_mul(SEEN) < as_sent {
        return None;
    }
    let is_applied = sheet.skew().jumps.iter().any(|jump| Some(jump.server) == server && jump.applied);
    if !is_applied {
        let why =
            "They are too far apart to be corrected; durations of spans are right, but bars of this service lie where its clock put them.";
        return Some(Note { text, why, ..Note::default() });
    }
    let [sent, shorter] = [as_sent, corrected].map(format::duration);
    Some(Note {
        text: if sent == shorter { text } else { format!("{text} With corrected times the trace lasts {shorter} instead of {sent}.") },
        why: "Times are shown as they were sent; durations of spans are right, but bars of this service may lie too early or too late.",
        action: "Show corrected times",
        href: scene.here().with("skew", "adjust").href(),
        is_ahead: true,
    })
}

/// Log records that name no span of the trace are not on any bar; says how many, when bars are all there is.
fn stray_logs(scene: &Scene) -> Option<Note> {
    let tied: usize = scene.by_span.values().map(Vec::len).sum();
    let stray = scene.logs.len().saturating_sub(tied);
    (stray > 0 && scene.wanted.marks != LogMarks::Off).then(|| Note {
        text: format!("{} of this trace name no span that was received.", format::counted(stray as u64, "log record", "log records")),
        action: "Show logs",
        href: scene.here().with("view", "logs").with("at", "").href(),
        ..Note::default()
    })
}

/// Of a trace with very many log records, bars and rows tell of the first ones.
fn many_logs(scene: &Scene) -> Option<Note> {
    (scene.logs.len() >= MAX_LOGS && scene.wanted.marks != LogMarks::Off).then(|| Note {
        text: format!("Only the first {} log records of this trace are on its bars.", format::exact(MAX_LOGS as u64)),
        action: "Search all",
        href: logs(scene, &scene.sheet.id.to_string()),
        ..Note::default()
    })
}

/// A shift of one in so many parts of the trace is seen.
pub(super) const SEEN: u64 = 50;

/// What is shown at least before and after the log records of a trace: one second.
const LOGS_MARGIN: u64 = 1_000_000_000;
