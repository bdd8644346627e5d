//! Flame graphs: where the time goes, with equal calls merged and the heaviest left, or in the order of time.
//!
//! Widths of the merged graph are own times added up, so that children always fit below their parents. Cells that are too narrow to see
//! are drawn together, and say how many they are.

use std::collections::{BTreeMap, HashMap};

use storage::trace::Sheet;

use super::{FlameKind, Scene, Tick};
use crate::view::format;

/// One flame graph.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flame {
    pub(crate) cells: Vec<Cell>,
    pub(crate) height: usize,
    /// Word, address and whether it is the present one.
    pub(crate) kinds: Vec<(&'static str, String, bool)>,
    /// The graph of the whole trace; empty when this is it.
    pub(crate) whole: String,
    pub(crate) summary: String,
    /// What could not be drawn; empty for nothing.
    pub(crate) left_out: String,
    /// The heaviest calls as a table.
    pub(crate) calls: Vec<Call>,
    /// Labels of the axis; empty for the merged graph.
    pub(crate) ticks: Vec<Tick>,
}

/// One rectangle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) x: String,
    pub(crate) y: usize,
    pub(crate) width: String,
    pub(crate) class: String,
    /// Empty when there is no room.
    pub(crate) label: String,
    pub(crate) title: String,
    pub(crate) href: String,
    pub(crate) is_error: bool,
    /// Stands for many that are too narrow.
    pub(crate) is_rest: bool,
}

/// One operation of a service, all its spans together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) chip: crate::view::colour::Chip,
    /// Class that colours its cells and its bar.
    pub(crate) colour: String,
    pub(crate) name: String,
    pub(crate) count: String,
    pub(crate) self_time: String,
    pub(crate) part: String,
    pub(crate) percent: String,
    pub(crate) total: String,
    pub(crate) errors: String,
    pub(crate) href: String,
}

/// A place in the picture before it is cut to what fits.
#[derive(Clone, Debug)]
struct Block {
    depth: usize,
    from: u64,
    to: u64,
    place: usize,
    count: u64,
    errors: u64,
}

/// Draws what is asked for.
pub(crate) fn flame(scene: &Scene) -> Flame {
    let sheet = &scene.sheet;
    let kind = scene.wanted.flame;
    let (blocks, whole) = match kind {
        FlameKind::Merged => merged(sheet, scene.root),
        FlameKind::Time => in_time(scene),
    };
    let depth = blocks.iter().map(|block| block.depth + 1).max().unwrap_or(0);
    let (cells, left_out) = drawn(scene, &blocks, whole);
    let here = |word: &str| scene.here().with("flame", word).href();
    Flame {
        height: depth.min(MAX_DEPTH) * ROW,
        kinds: vec![("Merged", here(""), kind == FlameKind::Merged), ("In time", here("time"), kind == FlameKind::Time)],
        whole: if scene.root.is_some() { scene.here().with("root", "").with("t0", "").with("t1", "").href() } else { String::new() },
        summary: match kind {
            FlameKind::Merged => format!("{} of work, equal calls merged", format::duration(whole)),
            FlameKind::Time => format!("{} in order of time", format::duration(whole)),
        },
        left_out: if depth > MAX_DEPTH {
            format!("{} deeper levels are not drawn; choose a span further down", depth - MAX_DEPTH)
        } else if left_out > 0 {
            format!("{} too narrow to draw; choose a wider one to see what is in it", format::counted(left_out, "call is", "calls are"))
        } else {
            String::new()
        },
        calls: calls(scene),
        ticks: if kind == FlameKind::Time { scene.axis.ticks() } else { Vec::new() },
        cells,
    }
}

/// Spans below the root that is shown, each before its children.
fn below(sheet: &Sheet, root: Option<usize>) -> &[usize] {
    let order = sheet.tree().preorder();
    let range = root.map_or(0..order.len(), |root| sheet.rank(root)..sheet.rank(root) + sheet.tree().subtree_size(root));
    order.get(range).unwrap_or_default()
}

/// Equal calls below equal calls.
struct Node {
    parent: Option<usize>,
    depth: usize,
    /// The first of its spans.
    place: usize,
    /// Own times of all its spans and of all below.
    value: u64,
    count: u64,
    errors: u64,
    children: Vec<usize>,
}

/// Calls with the same way down from the root as one, their own times added up, the heaviest left.
fn merged(sheet: &Sheet, root: Option<usize>) -> (Vec<Block>, u64) {
    let nodes = nodes(sheet, root);
    let value = |at: usize| nodes.get(at).map_or(0, |node| node.value);
    let place_from = |list: &[usize], mut x: u64, open: &mut Vec<(usize, u64)>| {
        let mut list = list.to_vec();
        list.sort_by_key(|at| (std::cmp::Reverse(value(*at)), *at));
        for at in list {
            open.push((at, x));
            x = x.saturating_add(value(at));
        }
        x
    };
    let tops: Vec<usize> = nodes.iter().enumerate().filter(|(_, node)| node.parent.is_none()).map(|(at, _)| at).collect();
    let mut open = Vec::new();
    let whole = place_from(&tops, 0, &mut open);
    let mut blocks = Vec::with_capacity(nodes.len());
    while let Some((at, from)) = open.pop() {
        let Some(node) = nodes.get(at) else { continue };
        let to = from.saturating_add(node.value);
        blocks.push(Block { depth: node.depth, from, to, place: node.place, count: node.count, errors: node.errors });
        place_from(&node.children, from, &mut open);
    }
    (blocks, whole)
}

/// Every node after the one above it.
fn nodes(sheet: &Sheet, root: Option<usize>) -> Vec<Node> {
    let mut nodes: Vec<Node> = Vec::new();
    let mut known: HashMap<(Option<usize>, u32, u32), usize> = HashMap::new();
    let mut node_of: HashMap<usize, usize> = HashMap::new();
    for place in below(sheet, root) {
        let Some(span) = sheet.spans.get(*place) else { continue };
        let above = if root == Some(*place) { None } else { sheet.tree().parent(*place) };
        let parent = above.and_then(|above| node_of.get(&above).copied());
        let at = *known.entry((parent, span.service, span.name)).or_insert_with(|| {
            let depth = parent.and_then(|parent| nodes.get(parent)).map_or(0, |node| node.depth + 1);
            nodes.push(Node { parent, depth, place: *place, value: 0, count: 0, errors: 0, children: Vec::new() });
            nodes.len() - 1
        });
        node_of.insert(*place, at);
        if let Some(node) = nodes.get_mut(at) {
            node.value = node.value.saturating_add(sheet.self_time(*place));
            node.count += 1;
            node.errors += u64::from(span.is_error());
        }
    }
    for at in (0..nodes.len()).rev() {
        let Some((parent, value)) = nodes.get(at).and_then(|node| Some((node.parent?, node.value))) else { continue };
        if let Some(parent) = nodes.get_mut(parent) {
            parent.value = parent.value.saturating_add(value);
            parent.children.push(at);
        }
    }
    nodes
}

/// Every span where it lies in time, as far as that is shown.
fn in_time(scene: &Scene) -> (Vec<Block>, u64) {
    let (sheet, axis) = (&scene.sheet, &scene.axis);
    let top = scene.root.map_or(0, |root| sheet.tree().depth(root));
    let block = |place: &usize| {
        let span = sheet.spans.get(*place)?;
        let from = scene.offset(*place);
        let to = from.saturating_add(span.duration());
        axis.shows(from, to).then(|| Block {
            depth: sheet.tree().depth(*place).saturating_sub(top),
            from: from.max(axis.from) - axis.from,
            to: to.clamp(axis.from, axis.to) - axis.from,
            place: *place,
            count: 1,
            errors: u64::from(span.is_error()),
        })
    };
    (below(sheet, scene.root).iter().filter_map(block).collect(), axis.length())
}

/// The widest blocks as cells; the others as hatched stretches. Also how many calls are not drawn on their own.
fn drawn(scene: &Scene, blocks: &[Block], whole: u64) -> (Vec<Cell>, u64) {
    let mut wide: Vec<&Block> = blocks.iter().filter(|block| block.depth < MAX_DEPTH).collect();
    wide.sort_by_key(|block| (std::cmp::Reverse(block.to - block.from), block.depth, block.from));
    let is_wide = |block: &&Block| u128::from(block.to - block.from) * COLUMNS >= u128::from(whole);
    let kept = wide.iter().take_while(|block| is_wide(block)).count().min(MAX_CELLS);
    let narrow = wide.split_off(kept);
    wide.sort_by_key(|block| (block.depth, block.from));
    let mut cells: Vec<Cell> = wide.into_iter().filter_map(|block| cell(scene, block, whole)).collect();
    let mut stretches: BTreeMap<usize, Vec<(u64, u64, u64)>> = BTreeMap::new();
    let mut left_out = 0;
    for block in narrow {
        left_out += block.count;
        stretches.entry(block.depth).or_default().push((block.from, block.to, block.count));
    }
    for (depth, mut list) in stretches {
        list.sort_unstable();
        cells.extend(rest(depth, &list, whole));
    }
    (cells, left_out)
}

fn cell(scene: &Scene, block: &Block, whole: u64) -> Option<Cell> {
    let sheet = &scene.sheet;
    let span = sheet.spans.get(block.place)?;
    let length = block.to - block.from;
    let name = format::name(sheet.name(block.place));
    let many = if block.count > 1 { format!(" ×{}", format::exact(block.count)) } else { String::new() };
    let failed = if block.errors > 0 { format!(", {} failed", format::exact(block.errors)) } else { String::new() };
    let merged = scene.wanted.flame == FlameKind::Merged;
    let id = span.span_id.to_string();
    // The merged graph goes deeper, the one in time shows the span.
    let href = if merged { scene.here().with("root", &id).with("t0", "").with("t1", "").href() } else { scene.to_span(block.place) };
    Some(Cell {
        x: format::position(block.from, whole),
        y: block.depth * ROW,
        width: format::position(length, whole),
        class: scene.colour(block.place),
        // About seven pixels a letter on a thousand pixels. A name that is longer is cut by its cell: its accessible name has to hold what is written.
        label: if u128::from(length) * 100 >= u128::from(whole) * 3 { format!("{name}{many}") } else { String::new() },
        title: format!(
            "{}, {name}{many}: {} ({}){failed}",
            format::name(sheet.service(block.place)),
            format::duration(length),
            format::percent(length, whole)
        ),
        href,
        is_error: block.errors > 0,
        is_rest: false,
    })
}

/// Stretches of narrow blocks of one level, those that touch drawn as one.
fn rest(depth: usize, list: &[(u64, u64, u64)], whole: u64) -> Vec<Cell> {
    let gap = whole / 200;
    let mut runs: Vec<(u64, u64, u64)> = Vec::new();
    for (from, to, count) in list {
        match runs.last_mut() {
            Some((_, end, sum)) if *from <= end.saturating_add(gap) => {
                *end = (*end).max(*to);
                *sum += count;
            }
            _ => runs.push((*from, *to, *count)),
        }
    }
    let cell = |(from, to, count): (u64, u64, u64)| Cell {
        x: format::position(from, whole),
        y: depth * ROW,
        width: match format::position(to - from, whole) {
            width if width == "0" => "0.05".to_owned(),
            width => width,
        },
        title: format!("{} too narrow to draw", format::counted(count, "call", "calls")),
        is_rest: true,
        ..Cell::default()
    };
    runs.into_iter().take(MAX_RUNS).map(cell).collect()
}

/// Operations by own time.
fn calls(scene: &Scene) -> Vec<Call> {
    #[derive(Default)]
    struct Sum {
        count: u64,
        own: u64,
        total: u64,
        errors: u64,
        slowest: (u64, usize),
    }
    let sheet = &scene.sheet;
    let mut sums: HashMap<(u32, u32), Sum> = HashMap::new();
    for place in below(sheet, scene.root) {
        let Some(span) = sheet.spans.get(*place) else { continue };
        let sum = sums.entry((span.service, span.name)).or_insert_with(|| Sum { slowest: (0, *place), ..Sum::default() });
        sum.count += 1;
        sum.own = sum.own.saturating_add(sheet.self_time(*place));
        sum.total = sum.total.saturating_add(span.duration());
        sum.errors += u64::from(span.is_error());
        if span.duration() > sum.slowest.0 {
            sum.slowest = (span.duration(), *place);
        }
    }
    let all = sums.values().fold(0_u64, |all, sum| all.saturating_add(sum.own));
    let mut sums: Vec<Sum> = sums.into_values().collect();
    sums.sort_by_key(|sum| (std::cmp::Reverse(sum.own), sum.slowest.1));
    let call = |sum: Sum| Call {
        chip: scene.palette.chip(sheet.service(sum.slowest.1)),
        colour: scene.colour(sum.slowest.1),
        name: format::name(sheet.name(sum.slowest.1)),
        count: format::count(sum.count),
        self_time: format::duration(sum.own),
        part: format::percent(sum.own, all),
        percent: format::position(sum.own, all),
        total: format::duration(sum.total),
        errors: if sum.errors > 0 { format::count(sum.errors) } else { String::new() },
        href: scene.to_span(sum.slowest.1),
    };
    sums.into_iter().take(MAX_CALLS).map(call).collect()
}

/// Pixels of one level.
const ROW: usize = 20;
/// Levels that are drawn.
const MAX_DEPTH: usize = 48;
/// Narrower cells than a part of so many are drawn together.
const COLUMNS: u128 = 500;
/// Cells that are drawn on their own.
const MAX_CELLS: usize = 400;
/// Stretches of narrow cells per level.
const MAX_RUNS: usize = 24;
/// Rows of the table.
const MAX_CALLS: usize = 40;
