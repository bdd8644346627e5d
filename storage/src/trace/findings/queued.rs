//! How long a message waited that its consumer names by a link: producer and consumer are in different traces, or not one below the other.
//!
//! Owns which links count, and the wait. Knows no store: whoever asks brings the linked traces.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use super::super::critical::is_handed_over;
use super::{Brief, Doubt, Finding, FindingKind, IDLE_PERCENT, Sheet, percent};
use crate::model::{Link, Span, SpanId, SpanKind, TraceId};

/// Consumers whose links are looked at.
const MOST_TAKERS: usize = 8;

/// A producer that a link names, how long its message waited, and the consumer.
type Wait<'a> = (u64, Reverse<usize>, &'a Sheet, usize);

/// The places of consumers that do not stand below a producer, the earliest ones: only their links say whose messages they took.
#[must_use]
pub fn takers(sheet: &Sheet) -> Vec<usize> {
    let is_below_producer = |place: usize, span: &Brief| {
        let above = sheet.tree().parent(place).and_then(|above| sheet.spans.get(above));
        above.is_some_and(|above| is_handed_over(above, span))
    };
    let consumers = sheet.spans.iter().enumerate().filter(|(_, span)| span.kind == SpanKind::Consumer);
    consumers.filter(|(place, span)| !is_below_producer(*place, span)).map(|(place, _)| place).take(MOST_TAKERS).collect()
}

/// The longest that one of these messages waited between its producer's end and its consumer's begin, when that is much beside the trace. `spans`
/// has [`takers`] whole, by place; `others` are the traces that they link to. Nothing where a clock of either trace may have made it.
#[must_use]
pub fn queued(sheet: &Sheet, spans: &HashMap<usize, Span>, others: &[&Sheet]) -> Option<Finding> {
    let sheets: Vec<(&Sheet, Doubt)> = std::iter::once(&sheet).chain(others).map(|sheet| (*sheet, Doubt::of(sheet))).collect();
    let (_, own) = sheets.first()?;
    let wait = |place: usize, link: &Link| -> Option<Wait<'_>> {
        let consumer = sheet.spans.get(place)?;
        let (trace, id) = (TraceId::from_slice(&link.trace_id)?, SpanId::from_slice(&link.span_id)?);
        let (other, doubt) = sheets.iter().find(|(other, _)| other.id == trace)?;
        let above = other.place_of(id)?;
        let producer = other.spans.get(above).filter(|producer| is_handed_over(producer, consumer))?;
        let nanos = consumer.start.since(producer.end.max(producer.start));
        let is_certain = !own.reaches(nanos, own.at(place).max(doubt.at(above)));
        (nanos > 0 && is_certain).then_some((nanos, Reverse(place), *other, above))
    };
    let (mut linked, mut known, mut waits) = (HashSet::new(), HashSet::new(), Vec::new());
    for place in takers(sheet) {
        for link in spans.get(&place).into_iter().flat_map(|span| &span.links) {
            let message = (&link.trace_id, &link.span_id);
            linked.insert(message);
            if let Some(wait) = wait(place, link) {
                known.insert(message);
                waits.push(wait);
            }
        }
    }
    let (nanos, Reverse(place), other, above) = waits.into_iter().max_by_key(|(nanos, place, ..)| (*nanos, *place))?;
    let producer = other.spans.get(above)?.span_id;
    let from = (other.service(above).to_owned(), other.name(above).to_owned());
    let is_much = percent(nanos, sheet.duration()) >= IDLE_PERCENT;
    let kind = FindingKind::Queued { from, trace: other.id, producer, nanos, known: known.len(), linked: linked.len(), before: 0 };
    is_much.then(|| kind.at(sheet, place))
}

/// Puts what was said of a queue behind failures and the work of the trace, and before what its path consists of.
pub fn insert(findings: &mut Vec<Finding>, queued: Finding) {
    let is_behind = |finding: &Finding| {
        use FindingKind as K;
        let kind = &finding.kind;
        matches!(
            kind,
            K::CriticalShare { .. } | K::IdleGap { .. } | K::ClockSkew { .. } | K::MissingParents { .. } | K::StillArriving { .. }
        )
    };
    let place = findings.iter().position(is_behind).unwrap_or(findings.len());
    findings.insert(place, queued);
}
