//! All spans as a flat table, sorted by what the reader likes: the waterfall for those who cannot see bars.

use super::{Only, Scene, SpanOrder};
use crate::view::colour::Chip;
use crate::view::format;

/// One page of the table.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    /// Word, class, address, and whether it is the present order.
    pub(crate) columns: Vec<(&'static str, &'static str, String, bool)>,
    pub(crate) rows: Vec<Row>,
    pub(crate) position: String,
    /// That only spans of the window of time are listed, and the address of all; empty when all are.
    pub(crate) zoomed: Option<(String, String)>,
    pub(crate) before: String,
    pub(crate) after: String,
}

/// One span.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) chip: Chip,
    pub(crate) name: String,
    pub(crate) kind: &'static str,
    pub(crate) is_error: bool,
    /// The code of a failed call that was answered; empty for what failed otherwise.
    pub(crate) answer: String,
    pub(crate) is_critical: bool,
    pub(crate) start: String,
    pub(crate) duration: String,
    pub(crate) exact: String,
    pub(crate) self_time: String,
    pub(crate) below: String,
    /// The waterfall with the span chosen.
    pub(crate) href: String,
}

/// Places of all rows, sorted. A search or filter, hidden services and the window of time leave out what does not pass.
fn places(scene: &Scene) -> Vec<usize> {
    let sheet = &scene.sheet;
    let mut places: Vec<usize> = match scene.wanted.only {
        Only::Matches => scene.matches.to_vec(),
        Only::Errors => {
            (0..sheet.spans.len()).filter(|place| sheet.spans.get(*place).is_some_and(storage::trace::Brief::is_error)).collect()
        }
        Only::Critical => (0..sheet.spans.len()).filter(|place| sheet.is_critical(*place)).collect(),
        Only::All if !scene.wanted.find.trim().is_empty() => scene.matches.to_vec(),
        Only::All => (0..sheet.spans.len()).collect(),
    };
    let duration = |place: &usize| sheet.spans.get(*place).map_or(0, storage::trace::Brief::duration);
    let axis = &scene.axis;
    places.retain(|place| {
        let from = scene.offset(*place);
        !scene.is_hidden(*place) && (!axis.is_zoomed() || axis.shows(from, from.saturating_add(duration(place))))
    });
    match scene.wanted.sort {
        SpanOrder::Longest => places.sort_by_key(|place| (std::cmp::Reverse(duration(place)), *place)),
        SpanOrder::SelfTime => places.sort_by_key(|place| (std::cmp::Reverse(sheet.self_time(*place)), *place)),
        SpanOrder::Start => places.sort_by_key(|place| (scene.offset(*place), *place)),
        SpanOrder::Name => places.sort_by(|a, b| (sheet.name(*a), *a).cmp(&(sheet.name(*b), *b))),
        SpanOrder::Service => places.sort_by(|a, b| (sheet.service(*a), *a).cmp(&(sheet.service(*b), *b))),
    }
    places
}

/// The failed spans of the page that is asked for, which may have been answered.
pub(crate) fn failed(scene: &Scene) -> Vec<usize> {
    let places = places(scene);
    let (at, until) = page(scene, places.len());
    let is_failed = |place: &usize| scene.sheet.spans.get(*place).is_some_and(storage::trace::Brief::is_error);
    places.get(at..until).unwrap_or_default().iter().copied().filter(is_failed).collect()
}

/// Where the page that is asked for begins and ends among so many spans.
fn page(scene: &Scene, all: usize) -> (usize, usize) {
    let at = scene.wanted.at.unwrap_or(0).min(all.saturating_sub(1));
    (at, (at + PAGE).min(all))
}

/// The page that is asked for.
pub(crate) fn table(scene: &Scene) -> Table {
    let (places, axis) = (places(scene), &scene.axis);
    let (at, until) = page(scene, places.len());
    let page = |at: usize| scene.here().with("at", &at.to_string()).href();
    let column = |label, class, order: SpanOrder| {
        let href = scene.here().with("at", "").with("sort", order.as_str()).href();
        (label, class, href, scene.wanted.sort == order)
    };
    Table {
        columns: vec![
            column("Service", "", SpanOrder::Service),
            column("Span", "", SpanOrder::Name),
            column("Starts at", "num", SpanOrder::Start),
            column("Duration", "num", SpanOrder::Longest),
            column("Own time", "num", SpanOrder::SelfTime),
        ],
        rows: places.get(at..until).unwrap_or_default().iter().filter_map(|place| row(scene, *place)).collect(),
        position: format!(
            "spans {}–{} of {}",
            format::exact(if places.is_empty() { 0 } else { at as u64 + 1 }),
            format::exact(until as u64),
            format::exact(places.len() as u64)
        ),
        zoomed: axis.is_zoomed().then(|| {
            let all = scene.here().with("at", "").with("t0", "").with("t1", "").href();
            (format!("that run between {} and {}", format::duration(axis.from), format::duration(axis.to)), all)
        }),
        before: if at > 0 { page(at.saturating_sub(PAGE)) } else { String::new() },
        after: if until < places.len() { page(until) } else { String::new() },
    }
}

fn row(scene: &Scene, place: usize) -> Option<Row> {
    let (sheet, span) = (&scene.sheet, scene.sheet.spans.get(place)?);
    let below = sheet.tree().subtree_size(place).saturating_sub(1);
    Some(Row {
        id: span.span_id.to_string(),
        chip: scene.palette.chip(sheet.service(place)),
        name: format::name(sheet.name(place)),
        kind: span.kind.as_str(),
        is_error: span.is_error(),
        answer: scene.answer(place),
        is_critical: sheet.is_critical(place),
        start: format::duration(scene.offset(place)),
        duration: format::duration(span.duration()),
        exact: format::exact_nanos(span.duration()),
        self_time: format::duration(sheet.self_time(place)),
        below: if below > 0 { format::count(below as u64) } else { String::new() },
        href: scene.to_span(place),
    })
}

/// Rows of a page.
const PAGE: usize = 100;
