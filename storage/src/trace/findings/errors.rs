//! Where a failure starts, and whether the request failed by itself besides.

use super::waits::{IDLE_PERCENT, SHORT};
use super::{Brief, Doubt, Finding, FindingKind, MOST_OF_A_KIND, Sheet, percent};
use crate::trace::failing::{Reach, Start};

/// Failed spans that no failed span below explains, alike ones together: first those that fail their request.
pub(super) fn error_starts(sheet: &Sheet) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    let failing = sheet.failing();
    let starts = &failing.starts;
    // What another one came long after, which fails the request, was survived.
    let is_certain = starts.first().is_some_and(|start| start.reach == Reach::Root && !start.is_early);
    for Start { place, reach, is_early } in starts.iter().copied() {
        let said = sheet.message(place);
        let survived = reach != Reach::Root || is_certain && is_early;
        let long = (survived && reach == Reach::Root).then(|| failing.before(place, &sheet.spans)).flatten();
        let is_like = |finding: &Finding| finding.service == sheet.service(place) && finding.name == sheet.name(place);
        let like = found.iter_mut().filter(|finding| is_like(finding)).find_map(|finding| match &mut finding.kind {
            FindingKind::ErrorStart { message, count, survived: known, before } if message.as_deref() == said && (!*known || survived) => {
                Some((count, before))
            }
            _ => None,
        });
        if let Some((count, before)) = like {
            *count += 1;
            *before = before.zip(long).map(|(before, long)| before.min(long));
        } else if found.len() < MOST_OF_A_KIND {
            found.push(FindingKind::ErrorStart { message: said.map(str::to_owned), count: 1, survived, before: long }.at(sheet, place));
        }
    }
    found
}

/// That the main root failed long after all that failed below it, and says something else of it: then what failed below was perhaps
/// survived. Nothing where clocks decide on it.
pub(super) fn fails_after(sheet: &Sheet, doubt: &Doubt, told: &[Finding]) -> Option<Finding> {
    let place = sheet.main_root()?;
    let root = sheet.spans.get(place).filter(|root| root.is_error())?;
    let said = sheet.message(place).filter(|said| said.contains(char::is_alphabetic))?;
    let is_told = |finding: &Finding| match &finding.kind {
        FindingKind::ErrorStart { message, .. } => {
            finding.span == Some(place) || message.as_deref().is_some_and(|other| are_alike(other, said))
        }
        _ => false,
    };
    let below = sheet.spans.iter().enumerate().filter(|(other, span)| *other != place && span.is_error());
    let last = below.map(|(_, span): (usize, &Brief)| span.end.max(span.start)).max()?;
    let after = root.end.since(last);
    let is_long = is_long_after(after, root.duration()) && !doubt.reaches(after, doubt.below(sheet, place));
    (is_long && !told.iter().any(is_told)).then(|| FindingKind::FailsAfter { message: said.to_owned(), after }.at(sheet, place))
}

/// Whether a root that took `duration` and failed so many nanoseconds after all that failed below it did not fail with that.
pub(crate) fn is_long_after(after: u64, duration: u64) -> bool {
    after >= SHORT && percent(after, duration) >= IDLE_PERCENT
}

/// Whether one message tells another again.
pub(crate) fn are_alike(one: &str, other: &str) -> bool {
    one.contains(other) || other.contains(one)
}
