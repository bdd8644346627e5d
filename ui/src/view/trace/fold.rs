//! Which rows the waterfall has: what is folded, for size or by the reader, and which window of the rows is in view.
//!
//! Similar siblings (same service, name and kind below one parent) become one row when there are many, so that a loop over single calls
//! is seen as one, and so do very many whose names differ in numbers alone. Nothing here recurses or reads a span whole.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use storage::trace::{Brief, Sheet};

use super::wanted::Depth;
use super::{Only, Scene};

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// The span, or the first of a group.
    pub(crate) place: usize,
    /// Levels above, groups counted.
    pub(crate) level: usize,
    pub(crate) is_open: bool,
    /// All spans of a group, in order of start; empty for a single span.
    pub(crate) group: Vec<usize>,
    /// The row that it stands below, from 0.
    pub(crate) above: Option<usize>,
}

/// The rows of a waterfall and the window of them that is in view.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    /// Rows in view.
    pub(crate) lines: Vec<Line>,
    /// Number of the first of them, from 0.
    pub(crate) first: usize,
    /// Rows in all.
    pub(crate) total: usize,
    /// The first row of the window of time, when none of those in view is of it.
    pub(crate) inside: Option<usize>,
    /// The row that the reader comes from.
    pub(crate) near: Option<usize>,
}

impl Plan {
    /// The spans whose attributes are shown.
    pub(crate) fn places(&self) -> Vec<usize> {
        self.lines.iter().map(|line| line.place).collect()
    }
}

/// Decides on rows and window.
pub(crate) fn plan(scene: &Scene) -> Plan {
    let lines = lines(scene);
    let total = lines.len();
    let near = near(scene, &lines);
    let first = if total > WHOLE { first_row(scene, &lines, near) } else { 0 };
    let count = if total > WHOLE { WINDOW } else { WHOLE };
    let inside = first_inside(scene, &lines)
        .filter(|row| *row >= first + count || !lines.iter().skip(first).take(count).any(|line| is_inside(scene, line)));
    Plan { lines: lines.into_iter().skip(first).take(count).collect(), first, total, inside, near }
}

/// The row that the reader comes from, or what it is folded into now.
fn near(scene: &Scene, lines: &[Line]) -> Option<usize> {
    let near = scene.wanted.near?;
    let place = scene.sheet.place_of(near.span)?;
    let above = scene.sheet.ancestors(place).into_iter().zip(1_usize..);
    let depths: HashMap<usize, usize> = above.chain([(place, usize::MAX)]).collect();
    let depth = |place: &usize| depths.get(place).copied().unwrap_or(0);
    // The deepest of the rows that hold it; of a group that is open and its first span, the one that was meant.
    let fit = |line: &Line| match line.group.iter().map(depth).max() {
        None => (depth(&line.place), !near.is_group),
        Some(depth) => (depth, near.is_group),
    };
    let (row, (depth, _)) = lines.iter().map(fit).enumerate().max_by_key(|(row, fit)| (*fit, std::cmp::Reverse(*row)))?;
    (depth > 0).then_some(row)
}

/// The first row of the window of time, when that is narrowed.
fn first_inside(scene: &Scene, lines: &[Line]) -> Option<usize> {
    if scene.axis.is_zoomed() { lines.iter().position(|line| is_inside(scene, line)) } else { None }
}

/// Whether a row has a span that is of the window of time. What only holds what is inside of it begins before and ends after it.
fn is_inside(scene: &Scene, line: &Line) -> bool {
    let axis = &scene.axis;
    let is_of = |place: usize| {
        let from = scene.offset(place);
        let to = from.saturating_add(scene.sheet.spans.get(place).map_or(0, Brief::duration));
        axis.shows(from, to) && (from >= axis.from || to <= axis.to || scene.below(place) == 0)
    };
    if line.group.is_empty() { is_of(line.place) } else { line.group.iter().any(|place| is_of(*place)) }
}

/// The first row of the window: as asked, else so that the row of the reader or the chosen span is in it.
fn first_row(scene: &Scene, lines: &[Line], near: Option<usize>) -> usize {
    let last = lines.len().saturating_sub(1);
    if let Some(at) = scene.wanted.at {
        return at.min(last);
    }
    let chosen = || scene.chosen.and_then(|chosen| lines.iter().position(|line| line.place == chosen && line.group.is_empty()));
    near.or_else(chosen).map_or(0, |row| row.saturating_sub(WINDOW / 2).min(lines.len().saturating_sub(WINDOW)))
}

/// A row that is still to be made.
struct Item {
    /// One span, or similar ones.
    spans: Spans,
    level: usize,
    above: Option<usize>,
}

enum Spans {
    One(usize),
    Similar(Vec<usize>),
}

fn lines(scene: &Scene) -> Vec<Line> {
    let tree = scene.sheet.tree();
    let folding = Folding::new(scene);
    let roots: Vec<usize> = scene.root.map_or_else(|| tree.roots().to_vec(), |root| vec![root]);
    let items =
        |spans: Vec<Spans>, level: usize, above: Option<usize>| spans.into_iter().rev().map(move |spans| Item { spans, level, above });
    let mut waiting: Vec<Item> = items(folding.rows(&roots), 0, None).collect();
    let mut lines = Vec::new();
    while let Some(Item { spans, level, above }) = waiting.pop() {
        let (place, group, is_open, below) = match spans {
            Spans::One(place) => {
                let is_open = folding.is_open(place, level);
                (place, Vec::new(), is_open, if is_open { folding.rows(tree.children(place)) } else { Vec::new() })
            }
            Spans::Similar(group) => {
                let Some(place) = group.first().copied() else { continue };
                let is_open = folding.is_group_open(&group);
                let below = if is_open { group.iter().copied().map(Spans::One).collect() } else { Vec::new() };
                (place, group, is_open, below)
            }
        };
        waiting.extend(items(below, level + 1, Some(lines.len())));
        lines.push(Line { place, level, is_open, group, above });
    }
    lines
}

/// What the address and the size of the trace say about folding.
struct Folding<'a> {
    scene: &'a Scene,
    open: HashSet<usize>,
    closed: HashSet<usize>,
    groups: HashSet<usize>,
    /// The chosen span and all above it: seen, whatever is folded.
    leading: HashSet<usize>,
    /// With a filter: per span, whether it or a span below it passes.
    kept: Option<Vec<bool>>,
    is_large: bool,
}

impl<'a> Folding<'a> {
    fn new(scene: &'a Scene) -> Self {
        let (sheet, wanted) = (&scene.sheet, &scene.wanted);
        let places = |ids: &[storage::SpanId]| -> HashSet<usize> { ids.iter().filter_map(|id| sheet.place_of(*id)).collect() };
        let mut leading: HashSet<usize> = scene.chosen.map(|place| sheet.ancestors(place)).unwrap_or_default().into_iter().collect();
        leading.extend(scene.chosen);
        Self {
            open: places(&wanted.open),
            closed: places(&wanted.closed),
            groups: places(&wanted.groups),
            leading,
            kept: kept(scene),
            is_large: sheet.spans.len() > LARGE,
            scene,
        }
    }

    /// Rows for siblings: those that are shown and kept, many similar ones as one.
    fn rows(&self, siblings: &[usize]) -> Vec<Spans> {
        let lifted = |veil: &super::hiding::Veil| Cow::Owned(veil.lifted(self.scene.sheet.tree(), siblings));
        let siblings = self.scene.veil.as_ref().map_or(Cow::Borrowed(siblings), lifted);
        let is_kept = |place: &&usize| self.kept.as_ref().is_none_or(|kept| kept.get(**place).copied().unwrap_or(false));
        let rows: Vec<Spans> = siblings.iter().filter(is_kept).copied().map(Spans::One).collect();
        if self.kept.is_some() || self.scene.wanted.is_ungrouped {
            return rows;
        }
        let sheet = &self.scene.sheet;
        gathered(gathered(rows, SIMILAR, |place| key(sheet, place)), ALIKE, |place| key_alike(sheet, place))
    }

    fn is_open(&self, place: usize, level: usize) -> bool {
        if self.scene.below(place) == 0 {
            return false;
        }
        let is_above_chosen = self.leading.contains(&place) && self.scene.chosen != Some(place);
        if self.kept.is_some() || is_above_chosen || self.open.contains(&place) {
            return true;
        }
        if self.closed.contains(&place) {
            return false;
        }
        match self.scene.wanted.depth {
            Depth::All => true,
            Depth::Levels(levels) => level < levels,
            Depth::Rule => {
                let sheet = &self.scene.sheet;
                !self.is_large || level < OPEN_LEVELS || sheet.errors_below(place) > 0 || sheet.is_critical(place)
            }
        }
    }

    fn is_group_open(&self, group: &[usize]) -> bool {
        group.first().is_some_and(|first| self.groups.contains(first))
            || (!self.leading.is_empty() && group.iter().any(|place| self.leading.contains(place)))
    }
}

/// With a filter: the places that pass it and all above them.
fn kept(scene: &Scene) -> Option<Vec<bool>> {
    let sheet = &scene.sheet;
    let mut kept = vec![false; sheet.spans.len()];
    let mut keep = |place: usize| {
        let mut at = Some(place).filter(|place| !scene.is_hidden(*place));
        while let Some(slot) = at.and_then(|at| kept.get_mut(at)).filter(|slot| !**slot) {
            *slot = true;
            at = at.and_then(|at| sheet.tree().parent(at));
        }
    };
    match scene.wanted.only {
        Only::All => return None,
        Only::Errors => (0..sheet.spans.len()).filter(|place| sheet.spans.get(*place).is_some_and(Brief::is_error)).for_each(&mut keep),
        Only::Critical => sheet.path().iter().map(|section| section.span).for_each(&mut keep),
        Only::Matches => scene.matches.iter().copied().for_each(&mut keep),
    }
    scene.chosen.into_iter().for_each(keep);
    Some(kept)
}

/// Service, name and kind.
type Key = (u32, u32, i32);

fn key(sheet: &Sheet, place: usize) -> Option<Key> {
    sheet.spans.get(place).map(|span| (span.service, span.name, span.kind.number()))
}

/// The same but for numbers in the name.
fn key_alike(sheet: &Sheet, place: usize) -> Option<Key> {
    key(sheet, place).map(|(service, name, kind)| (service, sheet.alike(name), kind))
}

/// Of the rows of single spans those with one key as one, when there are more than `most`; where the first of them is.
fn gathered(rows: Vec<Spans>, most: usize, key: impl Fn(usize) -> Option<Key>) -> Vec<Spans> {
    if rows.len() <= most {
        return rows;
    }
    let mut groups: HashMap<Key, Vec<usize>> = HashMap::new();
    for row in &rows {
        if let Spans::One(place) = row
            && let Some(key) = key(*place)
        {
            groups.entry(key).or_default().push(*place);
        }
    }
    groups.retain(|_, group| group.len() > most);
    let gathered = |row: Spans| {
        let Spans::One(place) = row else { return Some(row) };
        let Some(group) = key(place).and_then(|key| groups.get_mut(&key)) else { return Some(row) };
        // The group was put where its first span is.
        if group.is_empty() { None } else { Some(Spans::Similar(std::mem::take(group))) }
    };
    rows.into_iter().filter_map(gathered).collect()
}

/// Up to this many rows a page holds all of them.
const WHOLE: usize = 120;

/// Rows of a window.
pub(super) const WINDOW: usize = 80;

/// Traces with more spans are folded below [`OPEN_LEVELS`], except where it matters.
const LARGE: usize = 1_000;

/// Levels of a large trace that are open.
const OPEN_LEVELS: usize = 3;

/// More similar siblings than this are one row.
pub(super) const SIMILAR: usize = 10;

/// Names that differ in numbers may be steps that a reader tells apart; nobody does so with more than these.
const ALIKE: usize = 300;
