//! What a trace is, in one glance, what stands out in it, and how far the picture can be trusted.

use storage::SpanKind;
use storage::trace::{Brief, FindingKind};

use super::fold::SIMILAR;
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
    /// What is at the other end, and where; both empty when it has but one.
    pub(crate) other: (&'static str, String),
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

/// What stands out, the failing span first.
pub(crate) fn findings(scene: &Scene) -> Vec<Finding> {
    let told = scene.findings.iter().filter_map(|finding| {
        let (icon, class) = match finding.kind {
            FindingKind::ErrorStart { survived: true, .. } => ("error", "warn"),
            FindingKind::ErrorStart { .. } if finding.span.is_some_and(|place| is_only_answered(scene, place)) => ("error", "warn"),
            FindingKind::ErrorStart { .. } | FindingKind::FailsAfter { .. } => ("error", "bad"),
            FindingKind::Slower { .. } => ("clock", "warn"),
            FindingKind::RepeatedCalls { matters: false, .. } => ("repeat", "plain"),
            FindingKind::RepeatedCalls { .. } | FindingKind::Retries { .. } => ("repeat", "warn"),
            FindingKind::CriticalShare { .. } => ("path", "plain"),
            FindingKind::IdleGap { .. } | FindingKind::GoesOn { .. } | FindingKind::HandOver { .. } | FindingKind::Queued { .. } => {
                ("gap", "plain")
            }
            FindingKind::ClockSkew { .. } | FindingKind::MissingParents { .. } | FindingKind::StillArriving { .. } => return None,
        };
        let at = || finding.span.map(|place| scene.to_span(place)).unwrap_or_default();
        let span = finding.span.and_then(|place| scene.sheet.spans.get(place));
        let href = match (&finding.kind, span) {
            // The loop as one row, with its totals.
            (FindingKind::RepeatedCalls { below_one, .. }, Some(span)) if *below_one > SIMILAR => {
                let id = span.span_id;
                let address =
                    scene.timeline().with("group", "").with("only", "").with("span", "").with("tab", "").with("near", &format!("g{id}"));
                let services = finding.span.map(|place| scene.wanted.services.showing(scene.sheet.service(place))).unwrap_or_default();
                format!("{}#sg{id}", services.write(address).href())
            }
            _ => at(),
        };
        let other = match &finding.kind {
            FindingKind::Queued { trace, producer, .. } => {
                let id = producer.to_string();
                ("its producer", format!("{}#s{id}", scene.links.trace(trace).with("span", &id).href()))
            }
            _ => ("", String::new()),
        };
        Some(Finding { icon, class, text: format::message(&sentence(scene, finding), 300), href, other })
    });
    let mut told: Vec<Finding> = told.take(MAX_FINDINGS).collect();
    if let Some(more) = more_errors(scene) {
        let starts = scene.findings.iter().take_while(|finding| matches!(finding.kind, FindingKind::ErrorStart { .. })).count();
        told.insert(starts.min(told.len()), more);
    }
    told
}

/// The errors that start elsewhere than where the findings say.
fn more_errors(scene: &Scene) -> Option<Finding> {
    let sheet = &scene.sheet;
    let is_start = |(place, span): &(usize, &Brief)| span.is_error() && sheet.errors_below(*place) == 0;
    let starts = sheet.spans.iter().enumerate().filter(is_start).count();
    let told = scene.findings.iter().map(|finding| if let FindingKind::ErrorStart { count, .. } = &finding.kind { *count } else { 0 });
    let more = starts.saturating_sub(told.sum()) as u64;
    (more > 0).then(|| Finding {
        icon: "error",
        class: "bad",
        text: format!("And {} that start elsewhere.", format::counted(more, "more error", "more errors")),
        href: scene.timeline().with("find", "status:error").with("only", "").with("span", "").with("tab", "").href(),
        ..Finding::default()
    })
}

/// Whether a failed call was answered, and nobody above failed for it.
fn is_only_answered(scene: &Scene, place: usize) -> bool {
    let sheet = &scene.sheet;
    let is_error = |place: usize| sheet.spans.get(place).is_some_and(Brief::is_error);
    !scene.answer(place).is_empty() && !sheet.tree().parent(place).is_some_and(is_error)
}

/// The spans at which an error starts: their attributes say more than is told of them.
pub(crate) fn failures_told(findings: &[storage::trace::Finding]) -> impl Iterator<Item = usize> {
    let is_start = |finding: &&storage::trace::Finding| matches!(finding.kind, FindingKind::ErrorStart { .. });
    findings.iter().filter(is_start).filter_map(|finding| finding.span)
}

/// Whom a call asks, where it is known: the service that answers, else what its attributes say.
fn asked(scene: &Scene, place: usize) -> Option<&str> {
    let sheet = &scene.sheet;
    sheet.spans.get(place).filter(|span| span.kind == SpanKind::Client)?;
    let own = sheet.service(place);
    let answers = sheet.tree().children(place).iter().map(|child| sheet.service(*child)).find(|service| *service != own);
    let said = |key: &&str| scene.details.get(&place)?.attribute(key)?.as_str();
    answers.or_else(|| ASKED.iter().find_map(said)).filter(|asked| !asked.is_empty())
}

/// Attributes that name whom a call asks.
const ASKED: [&str; 5] = ["peer.service", "service.peer.name", "server.address", "net.peer.name", "db.system.name"];

/// The finding in words; of a failure also what its span and its service's log records say of it.
fn sentence(scene: &Scene, finding: &storage::trace::Finding) -> String {
    let is_one_call = matches!(finding.kind, FindingKind::ErrorStart { .. } | FindingKind::Retries { .. });
    let asked = finding.span.filter(|_| is_one_call).and_then(|place| asked(scene, place));
    let mut told = match asked.filter(|asked| !finding.name.contains(asked)) {
        Some(asked) => storage::trace::Finding { name: format!("{} → {asked}", finding.name), ..finding.clone() }.sentence(),
        None => finding.sentence(),
    };
    let (FindingKind::ErrorStart { message, .. }, Some(place)) = (&finding.kind, finding.span) else { return told };
    if message.is_none()
        && let Some(kind) = scene.details.get(&place).and_then(|span| span.attribute("error.type")).and_then(storage::Value::as_str)
    {
        told = format!("{}: {kind}", told.trim_end_matches('.'));
    }
    match logged(scene, place) {
        Some(body) => format!("{} – \u{201c}{body}\u{201d}", told.trim_end_matches('.')),
        None => told,
    }
}

/// What was logged of a failure: the worst record of its span, else of the nearest span above it in the same service.
fn logged(scene: &Scene, place: usize) -> Option<String> {
    let sheet = &scene.sheet;
    let mut at = Some(place);
    for _ in 0..MAX_STEPS {
        let span = at.filter(|at| sheet.service(*at) == sheet.service(place))?;
        let failures = scene.records(span).filter(|record| record.severity_number >= ERROR);
        if let Some(record) = failures.max_by_key(|record| (record.severity_number, std::cmp::Reverse(record.time))) {
            return Some(format::line(&crate::view::logs::body(&record.body, &record.event_name), 120));
        }
        at = sheet.tree().parent(span);
    }
    None
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

/// Spans in which a failure's log records are looked for.
const MAX_STEPS: usize = 4;

/// The least severity number of an error.
const ERROR: i32 = 17;

/// More would no longer be a glance.
const MAX_FINDINGS: usize = 5;
