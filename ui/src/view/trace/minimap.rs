//! The whole trace at a glance: rows of spans as thin lines of their service's colour, failures on top, and what part is in view.
//!
//! A raster of fixed size, so that a million spans weigh as much as a thousand.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use storage::SERVICE_SLOTS;

use super::Scene;
use super::ticks::{Tick, ticks};
use crate::view::format;

/// A picture of [`COLUMNS`] by `height` units.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Minimap {
    /// Nanoseconds of the whole trace, for the script.
    pub(crate) whole: u64,
    /// Lanes of the picture.
    pub(crate) height: usize,
    /// Class and path data.
    pub(crate) paths: Vec<(String, String)>,
    /// Path data of failures.
    pub(crate) errors: String,
    /// Path data of matches.
    pub(crate) matches: String,
    /// In words.
    pub(crate) summary: String,
    /// Left edge and width in units of what is in view; empty when everything is.
    pub(crate) view: Option<(usize, usize)>,
    /// Left edge, address and words of the tenths, which zoom there.
    pub(crate) tenths: Vec<(usize, String, String)>,
    /// Width of a tenth.
    pub(crate) tenth: usize,
    /// What the window of time is, for the form.
    pub(crate) from: String,
    /// Why what was typed as the window was not understood.
    pub(crate) problem: String,
    pub(crate) to: String,
    /// Labels of the axis below.
    pub(crate) ticks: Vec<Tick>,
    /// Key, sign, words and address of the ways to zoom and pan.
    pub(crate) zooms: Vec<(&'static str, &'static str, &'static str, String)>,
}

/// Draws the trace. Spans share lanes in the order of rows, so a large trace keeps its shape.
pub(crate) fn minimap(scene: &Scene) -> Minimap {
    let (sheet, whole) = (&scene.sheet, scene.axis.whole);
    let order = scene.seen(sheet.tree().preorder());
    let lanes = order.len().clamp(1, LANES);
    let mut raster = vec![0_u16; lanes * COLUMNS];
    let column = |nanos: u64| scaled(nanos, whole, COLUMNS);
    let mut errors = vec![false; COLUMNS];
    for (row, place) in order.iter().enumerate() {
        let Some(span) = sheet.spans.get(*place) else { continue };
        let lane = row * lanes / order.len().max(1);
        let offset = scene.offset(*place);
        let from = column(offset).min(COLUMNS - 1);
        let to = column(offset.saturating_add(span.duration())).clamp(from + 1, COLUMNS);
        let number = scene.colours.slot(sheet, *place).unwrap_or(span.service as usize);
        let colour = u16::try_from(number + 1).unwrap_or(u16::MAX);
        if let Some(cells) = raster.get_mut(lane * COLUMNS + from..lane * COLUMNS + to) {
            cells.fill(colour);
        }
        if let Some(error) = errors.get_mut(from).filter(|_| span.is_error()) {
            *error = true;
        }
    }
    let mut matches = vec![false; COLUMNS];
    for place in scene.matches.iter().filter(|place| !scene.is_hidden(**place)) {
        if let Some(slot) = matches.get_mut(column(scene.offset(*place)).min(COLUMNS - 1)) {
            *slot = true;
        }
    }
    // Many failures would hide everything else.
    let is_crowded = errors.iter().filter(|is_set| **is_set).count() > COLUMNS / 10;
    let depth = if is_crowded { lanes.div_ceil(5) } else { lanes };
    let axis = &scene.axis;
    let view = (axis.from, axis.to) != (0, whole);
    Minimap {
        height: lanes,
        paths: paths(scene, &raster),
        errors: marks(&errors, |x| format!("M{x}.5 0v{depth}")),
        matches: marks(&matches, |x| format!("M{x}.5 {lanes}v-{}", lanes.min(3))),
        summary: summary(scene, order.len()),
        view: view.then(|| (column(axis.from), column(axis.to).saturating_sub(column(axis.from)).max(1))),
        tenths: tenths(scene),
        tenth: COLUMNS / 10,
        ticks: ticks(0, whole),
        whole,
        ..controls(scene)
    }
}

/// The form below the picture, without the picture.
pub(crate) fn controls(scene: &Scene) -> Minimap {
    let axis = &scene.axis;
    let misread = scene.wanted.misread.split_once(": ").map(|(_, reason)| crate::view::search::sentence(reason));
    Minimap {
        from: written(axis.from),
        to: written(axis.to),
        problem: misread.unwrap_or_default(),
        zooms: zooms(scene),
        ..Minimap::default()
    }
}

fn summary(scene: &Scene, shown: usize) -> String {
    let hidden = if scene.hidden() > 0 { format!(", {} hidden", format::count(scene.hidden() as u64)) } else { String::new() };
    format!("{} over {}{hidden}", format::counted(shown as u64, "span", "spans"), format::duration(scene.axis.whole))
}

/// Per class, one stroke per run of cells.
fn paths(scene: &Scene, raster: &[u16]) -> Vec<(String, String)> {
    let mut paths: BTreeMap<String, String> = BTreeMap::new();
    let classes: Vec<String> = if scene.colours.is_by_operation() {
        (0..SERVICE_SLOTS).map(|slot| format!("s{slot}")).collect()
    } else {
        scene.sheet.services.iter().map(|name| scene.palette.chip(name).class).collect()
    };
    for (lane, cells) in raster.chunks(COLUMNS).enumerate() {
        let mut x = 0;
        for run in cells.chunk_by(|a, b| a == b) {
            let colour = run.first().copied().unwrap_or(0);
            if let Some(class) = usize::from(colour).checked_sub(1).and_then(|colour| classes.get(colour)) {
                // Writing to a String cannot fail.
                let _ = write!(paths.entry(class.clone()).or_default(), "M{x} {lane}.5h{}", run.len());
            }
            x += run.len();
        }
    }
    paths.into_iter().collect()
}

/// A duration as the form takes it back: all digits, one unit.
fn written(nanos: u64) -> String {
    if nanos == 0 {
        return "0".to_owned();
    }
    // What is a whole number of them is written in hours or minutes, as on the axis.
    let long = [(3_600_000_000_000, "h"), (60_000_000_000, "m")].into_iter().find(|(unit, _)| nanos.is_multiple_of(*unit));
    if let Some((unit, name)) = long {
        return format!("{}{name}", nanos / unit);
    }
    let (unit, name) =
        [(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us")].into_iter().find(|(unit, _)| nanos >= *unit).unwrap_or((1, "ns"));
    let digits = format!("{}.{:09}", nanos / unit, nanos % unit * (1_000_000_000 / unit));
    format!("{}{name}", digits.trim_end_matches('0').trim_end_matches('.'))
}

fn marks(columns: &[bool], mark: impl Fn(usize) -> String) -> String {
    columns.iter().enumerate().filter(|(_, is_set)| **is_set).map(|(x, _)| mark(x)).collect()
}

fn window(scene: &Scene, (from, to): (u64, u64)) -> String {
    let is_all = (from, to) == (scene.axis.first, scene.axis.last);
    let edge = |nanos: u64| if is_all { String::new() } else { nanos.to_string() };
    scene.here().with("t0", &edge(from)).with("t1", &edge(to)).href()
}

fn tenths(scene: &Scene) -> Vec<(usize, String, String)> {
    let whole = scene.axis.whole;
    if whole < 20 {
        return Vec::new();
    }
    let edge = |n: u64| u64::try_from(u128::from(whole) * u128::from(n) / 10).unwrap_or(whole);
    let tenth = |n: u64| {
        let (from, to) = (edge(n), edge(n + 1));
        let words = format!("show {} to {}", format::duration(from), format::duration(to));
        (usize::try_from(n).unwrap_or(0) * COLUMNS / 10, window(scene, (from, to)), words)
    };
    (0..10).map(tenth).collect()
}

fn zooms(scene: &Scene) -> Vec<(&'static str, &'static str, &'static str, String)> {
    let axis = &scene.axis;
    let chosen = scene.chosen.and_then(|place| Some((scene.offset(place), scene.sheet.spans.get(place)?.duration())));
    let middle = axis.from + axis.length() / 2;
    let centre = chosen.map_or(middle, |(offset, duration)| offset.saturating_add(duration / 2));
    let centre = if axis.shows(centre, centre) { centre } else { middle };
    let [inner, wider, left, right] = axis.zoomed(centre);
    let mut zooms = vec![("w", "+", "Zoom in", window(scene, inner))];
    if axis.is_zoomed() {
        zooms.push(("s", "−", "Zoom out", window(scene, wider)));
        zooms.push(("a", "‹", "Earlier", window(scene, left)));
        zooms.push(("d", "›", "Later", window(scene, right)));
        zooms.push(("0", "All", "Whole trace", window(scene, (axis.first, axis.last))));
    }
    if let Some((offset, duration)) = chosen.filter(|(_, duration)| *duration > 1) {
        let fit = (offset, offset.saturating_add(duration));
        zooms.push(if axis.is_zoomed() && (axis.from, axis.to) == fit {
            ("F", "Fit", "Show all again", window(scene, (axis.first, axis.last)))
        } else {
            ("F", "Fit", "Zoom to the chosen span", window(scene, fit))
        });
    }
    zooms
}

/// A part of a whole as one of `units` cells.
fn scaled(part: u64, whole: u64, units: usize) -> usize {
    if whole == 0 {
        return 0;
    }
    let cell = u128::from(part) * units as u128 / u128::from(whole);
    usize::try_from(cell).unwrap_or(units).min(units)
}

/// Cells from left to right.
const COLUMNS: usize = 600;

/// Cells from top to bottom, at most.
const LANES: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_are_written_with_all_their_digits() {
        for (nanos, expected) in [
            (0, "0"),
            (812, "812ns"),
            (1_500, "1.5us"),
            (120_000_001, "120.000001ms"),
            (61_000_000_000, "61s"),
            (36_000_000_000_000, "10h"),
            (5_400_000_000_000, "90m"),
        ] {
            assert_eq!(written(nanos), expected);
        }
    }

    #[test]
    fn positions_stay_inside_for_the_longest_traces() {
        assert_eq!(scaled(u64::MAX, u64::MAX, 600), 600);
        assert_eq!(scaled(1, 0, 600), 0);
    }
}
