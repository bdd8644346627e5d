//! What stands out in a trace: each finding as one sentence that leads to where it is.
//!
//! Owns what is added to a sentence of the store: whom a call asks, and what was logged of it.

use storage::SpanKind;
use storage::trace::{Brief, FindingKind};

use super::Scene;
use super::fold::SIMILAR;
use crate::view::format;
use crate::view::link::term;

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
            FindingKind::Queued { before, .. } if *before > 0 => {
                let all = takers(scene, finding).map(|query| scene.links.traces(&query).with("from", "0").href());
                ("every time", all.unwrap_or_default())
            }
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
    // Who failed by itself although others failed below is not among these.
    let is_counted = |finding: &&storage::trace::Finding| finding.span.is_some_and(|place| sheet.errors_below(place) == 0);
    let told = scene.findings.iter().filter(is_counted);
    let told = told.map(|finding| if let FindingKind::ErrorStart { count, .. } = &finding.kind { *count } else { 0 });
    let more = starts.saturating_sub(told.sum()) as u64;
    (more > 0).then(|| Finding {
        icon: "error",
        class: "bad",
        text: format!("And {} elsewhere.", format::counted(more, "more error that starts", "more errors that start")),
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

/// The finding in words; of a failure also what its span and its service's log records say of it, and of what makes up the path what it warned of.
fn sentence(scene: &Scene, finding: &storage::trace::Finding) -> String {
    let is_one_call = matches!(finding.kind, FindingKind::ErrorStart { .. } | FindingKind::Retries { .. });
    let asked = finding.span.filter(|_| is_one_call).and_then(|place| asked(scene, place));
    let mut told = match asked.filter(|asked| !finding.name.contains(asked)) {
        Some(asked) => storage::trace::Finding { name: format!("{} → {asked}", finding.name), ..finding.clone() }.sentence(),
        None => finding.sentence(),
    };
    let Some(place) = finding.span else { return told };
    let logged = match &finding.kind {
        FindingKind::ErrorStart { .. } => logged(scene, place),
        FindingKind::CriticalShare { .. } => worst(scene, place, WARN),
        _ => None,
    };
    if let FindingKind::ErrorStart { message: None, survived, .. } = &finding.kind {
        told = unsaid(scene, place, *survived, told.trim_end_matches('.'));
    }
    match logged {
        Some(body) => format!("{} – \u{201c}{body}\u{201d}", told.trim_end_matches('.')),
        None => told,
    }
}

/// A failure that has no message, by the best that its attributes say, and by what a span above says that failed with it.
fn unsaid(scene: &Scene, place: usize, survived: bool, told: &str) -> String {
    let kind = scene.details.get(&place).and_then(|span| span.attribute("error.type")).and_then(storage::Value::as_str);
    let answer = scene.answer(place);
    let kind = kind.map(str::to_owned).or_else(|| (!answer.is_empty()).then(|| format!("answered {answer}")));
    let has_kind = kind.is_some();
    let told = kind.map_or_else(|| told.to_owned(), |kind| format!("{told}: {kind}"));
    let sheet = &scene.sheet;
    let above = (!survived).then(|| sheet.said_above(place)).flatten().and_then(|above| Some((above, sheet.message(above)?)));
    match above {
        Some((above, said)) => format!("{told}; {}, {} says: {said}", sheet.service(above), sheet.name(above)),
        None if has_kind => told,
        None => format!("{told}."),
    }
}

/// What was logged of a failure: the worst record of its span, else of the nearest span above it in the same service.
fn logged(scene: &Scene, place: usize) -> Option<String> {
    let sheet = &scene.sheet;
    let mut at = Some(place);
    for _ in 0..MAX_STEPS {
        let span = at.filter(|at| sheet.service(*at) == sheet.service(place))?;
        if let Some(body) = worst(scene, span, ERROR) {
            return Some(body);
        }
        at = sheet.tree().parent(span);
    }
    None
}

/// The worst record of a span, of at least so high a severity; of equal ones the first.
fn worst(scene: &Scene, place: usize, least: i32) -> Option<String> {
    let bad = scene.records(place).filter(|record| record.severity_number >= least);
    let record = bad.max_by_key(|record| (record.severity_number, std::cmp::Reverse(record.time)))?;
    Some(format::line(&crate::view::logs::body(&record.body, &record.event_name), 120))
}

/// Asks for the spans of one name that took up the message of a wait: by its id where the consumer says it, else those that failed, since
/// a producer may have sent several. `None` where neither tells.
pub(crate) fn takers(scene: &Scene, finding: &storage::trace::Finding) -> Option<String> {
    let FindingKind::Queued { trace, producer, .. } = &finding.kind else { return None };
    let consumer = scene.details.get(&finding.span?)?;
    let said = |key: &str| match consumer.attribute(key)? {
        storage::Value::String(text) => Some(term(&format!("attr.{key}"), text)),
        storage::Value::Int(number) => Some(format!("attr.{key}:{number}")),
        _ => None,
    };
    let is_known = IDS.iter().any(|key| said(key).is_some());
    let (service, name) = (term("service", &finding.service), term("name", &finding.name));
    let mut query = format!("link.trace:{trace} link.span:{producer} kind:consumer {service} {name}");
    for condition in IDS.iter().chain(&SHARES).filter_map(|key| said(key)) {
        query.push_str(&format!(" {condition}"));
    }
    if !is_known {
        query.push_str(" status:error");
    }
    Some(query)
}

/// What tells a message from others.
const IDS: [&str; 3] = ["messaging.message.id", "messaging.kafka.offset", "messaging.kafka.message.offset"];

/// Who else takes the same messages, or others.
const SHARES: [&str; 2] = ["messaging.destination.partition.id", "messaging.consumer.group.name"];

/// Spans in which a failure's log records are looked for.
const MAX_STEPS: usize = 4;

/// The least severity numbers of a warning and of an error.
const WARN: i32 = 13;
const ERROR: i32 = 17;

/// More would no longer be a glance.
const MAX_FINDINGS: usize = 5;
