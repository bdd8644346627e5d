//! What senders sent that cannot be quite right: times, loops of parents, ids that are used twice.

use storage::UnixNanos;
use storage::trace::Brief;

use super::header::SEEN;
use super::{Note, Scene};
use crate::view::format;

/// A note for each.
pub(super) fn oddities(scene: &Scene) -> Vec<Note> {
    let sheet = &scene.sheet;
    let count = |is: &dyn Fn(usize, &Brief) -> bool| sheet.spans.iter().enumerate().filter(|(place, span)| is(*place, span)).count() as u64;
    let backwards = count(&|_, span| span.end < span.start);
    let cut = count(&|place, _| sheet.tree().is_cut(place));
    let mut notes = Vec::new();
    if backwards > 0 {
        notes.push(Note {
            text: format!(
                "{} before starting, as sent; shown without duration.",
                if backwards == 1 { "1 span ends".to_owned() } else { format!("{} spans end", format::exact(backwards)) }
            ),
            why: "The clock of its host was set back meanwhile, or the sender mixed up its times.",
            ..Note::default()
        });
    }
    notes.extend(before_parents(scene));
    notes.extend(elsewhere_in_time(scene));
    notes.extend(ids_used_twice(scene));
    if cut > 0 {
        notes.push(Note {
            text: "Some spans name each other as parents; the loop was cut at its earliest span.".to_owned(),
            why: "Senders that reuse span ids do this.",
            ..Note::default()
        });
    }
    notes
}

/// Spans that start before the one that they name as their parent, though one service or one clock timed both. Clocks that disagree
/// between services are told of elsewhere.
fn before_parents(scene: &Scene) -> Option<Note> {
    let sheet = &scene.sheet;
    let least = (sheet.duration() / SEEN).clamp(A_TICK, A_SECOND);
    let early = |place: usize| {
        let (span, above) = (sheet.spans.get(place)?, sheet.spans.get(sheet.tree().parent(place)?)?);
        let by = above.start.since(span.start);
        let is_one = span.service == above.service || span.clock == above.clock;
        (is_one && by >= least).then_some((by, std::cmp::Reverse(place)))
    };
    let found: Vec<_> = (0..sheet.spans.len()).filter_map(early).collect();
    let (by, std::cmp::Reverse(place)) = found.iter().copied().max()?;
    let told = match found.len() as u64 {
        1 => "1 span starts before its parent, by".to_owned(),
        many => format!("{} spans start before their parents, up to", format::exact(many)),
    };
    let [service, name] = [sheet.service(place), sheet.name(place)].map(format::name);
    Some(Note {
        text: format!("{told} {}: {service}, {name}.", format::duration(by)),
        why: "Times or parents were mixed up, or a clock was set meanwhile. A trace lasts from its first start on, whichever span that is of.",
        action: "Show it",
        href: scene.to_span(place),
        ..Note::default()
    })
}

/// Spans whose times cannot be right by the clock of this server.
fn elsewhere_in_time(scene: &Scene) -> Vec<Note> {
    let (spans, now) = (&scene.sheet.spans, scene.clock.now());
    let begin = |is: &dyn Fn(&Brief) -> bool| {
        let count = spans.iter().filter(|span| is(span)).count() as u64;
        (count > 0).then(|| format::counted(count, "span begins", "spans begin"))
    };
    let ahead = spans.iter().map(|span| span.start.since(now)).max().unwrap_or(0);
    let mut notes = Vec::new();
    if let Some(told) = begin(&|span| span.start.since(now) > SOON) {
        notes.push(Note {
            text: format!("{told} in the future, up to {} from now by the clock of this server.", format::duration(ahead)),
            why: "The clock of their host is ahead. Lists and charts up to now do not have them before that time has come.",
            ..Note::default()
        });
    }
    if let Some(told) = begin(&|span| span.start < UnixNanos::YEAR_2000) {
        notes.push(Note {
            text: format!("{told} before the year 2000, as sent."),
            why: "Their sender had no clock yet, or sent times in another unit than nanoseconds. Only a window of all time has them.",
            ..Note::default()
        });
    }
    notes
}

/// Spans that cannot be told apart by their ids.
fn ids_used_twice(scene: &Scene) -> Option<Note> {
    let (replaced, reused) = (scene.sheet.replaced as u64, scene.sheet.tree().reused() as u64);
    let told = |count: u64, one: &'static str, many: &'static str| (count > 0).then(|| format::counted(count, one, many));
    let parts = [
        told(reused, "span has the id of another one of this trace", "spans have the ids of others of this trace"),
        told(
            replaced,
            "span was received again with other content; the last one is shown",
            "spans were received again with other content; the last ones are shown",
        ),
    ];
    let text = parts.into_iter().flatten().collect::<Vec<_>>().join(", and ");
    (!text.is_empty()).then(|| Note {
        text: format!("{text}."),
        why: "Span ids should be random. What is below such a span may belong to the other one.",
        ..Note::default()
    })
}

/// Starts this close may be the work of rounding: one millisecond. What is a second off is told of however long the trace is.
const A_TICK: u64 = 1_000_000;
const A_SECOND: u64 = 1_000_000_000;

/// Clocks this much ahead are not worth a word: one minute.
const SOON: u64 = 60_000_000_000;
