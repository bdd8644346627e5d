//! Where a failure starts, and whether the request failed by itself besides.

use super::waits::{IDLE_PERCENT, SHORT};
use super::{Brief, Doubt, Finding, FindingKind, MOST_OF_A_KIND, Sheet, percent};
use crate::model::StatusCode;

/// Failed spans that no failed span below explains, alike ones together; last those that a span above took for well done.
pub(super) fn error_starts(sheet: &Sheet) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    for place in starts(sheet) {
        let said = sheet.message(place);
        let is_like = |finding: &Finding| finding.service == sheet.service(place) && finding.name == sheet.name(place);
        let like = found.iter_mut().filter(|finding| is_like(finding)).find_map(|finding| match &mut finding.kind {
            FindingKind::ErrorStart { message, count } if message.as_deref() == said => Some(count),
            _ => None,
        });
        if let Some(count) = like {
            *count += 1;
        } else if found.len() < MOST_OF_A_KIND {
            found.push(FindingKind::ErrorStart { message: said.map(str::to_owned), count: 1 }.at(sheet, place));
        }
    }
    found
}

fn starts(sheet: &Sheet) -> Vec<usize> {
    let judged = judges(sheet);
    let status = |place: usize| sheet.spans.get(place).map(|span| &span.status);
    let judge = |place: usize| judged.get(place).copied().flatten();
    let failed = || (0..sheet.spans.len()).filter(|place| status(*place) == Some(&StatusCode::Error));
    let mut is_explained = vec![false; sheet.spans.len()];
    for place in failed().filter_map(judge) {
        if let Some(explained) = is_explained.get_mut(place) {
            *explained = true;
        }
    }
    let mut starts: Vec<usize> = failed().filter(|place| is_explained.get(*place) == Some(&false)).collect();
    starts.sort_by_key(|place| judge(*place).is_some_and(|above| status(above) == Some(&StatusCode::Ok)));
    starts
}

/// For each span the nearest one above that says how it ended.
fn judges(sheet: &Sheet) -> Vec<Option<usize>> {
    let mut judges: Vec<Option<usize>> = vec![None; sheet.spans.len()];
    // Parents come before their children.
    for place in sheet.tree().preorder() {
        let Some(parent) = sheet.tree().parent(*place) else { continue };
        let says = sheet.spans.get(parent).is_some_and(|span| matches!(span.status, StatusCode::Error | StatusCode::Ok));
        let judge = if says { Some(parent) } else { judges.get(parent).copied().flatten() };
        if let Some(known) = judges.get_mut(*place) {
            *known = judge;
        }
    }
    judges
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
    let is_long = after >= SHORT && percent(after, root.duration()) >= IDLE_PERCENT && !doubt.reaches(after, doubt.below(sheet, place));
    (is_long && !told.iter().any(is_told)).then(|| FindingKind::FailsAfter { message: said.to_owned(), after }.at(sheet, place))
}

fn are_alike(one: &str, other: &str) -> bool {
    one.contains(other) || other.contains(one)
}
