//! A chart of an SQL answer: amounts over time as lines, or by words as bars.
//!
//! Owns what a column is good for, by its type, its name and its values. An id or a time is no amount, however much it looks like a number.

use serde_json::Value;
use storage::{SqlAnswer, TimeRange, UnixNanos};

use self::column::{Column, Role, columns};
use super::chart::{Scale, ticks};
use super::colour::Palette;
use super::format::{self, Clockface};

mod column;

/// The chart: lines over numbers or times, or a group of bars for each word.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Chart {
    /// Name and class.
    pub(crate) series: Vec<[String; 2]>,
    /// Lines, those that are measured in the same together.
    pub(crate) panels: Vec<Panel>,
    /// Position in percent and text of the labels below lines.
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) bars: Vec<Bars>,
    /// How many rows have no bars.
    pub(crate) left_out: String,
    pub(crate) summary: String,
}

/// Lines with one scale.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Panel {
    unit: &'static str,
    pub(crate) scale: Scale,
    /// Class and path.
    pub(crate) lines: Vec<[String; 2]>,
}

/// The bars of one row.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Bars {
    pub(crate) label: String,
    /// Class, percent of the greatest that is measured in the same, and number.
    pub(crate) parts: Vec<[String; 3]>,
}

/// Draws an answer, or says why there is nothing to draw; says nothing where there is nothing to compare.
pub(crate) fn chart(answer: &SqlAnswer, palette: &Palette, clock: &Clockface) -> Result<Chart, String> {
    let columns = columns(answer);
    let of = |role: Role| columns.iter().filter(|column| column.role == role).collect::<Vec<_>>();
    let (times, words, mut amounts) = (of(Role::Time), of(Role::Word), of(Role::Amount));
    if answer.rows.len() < 2 || !columns.iter().any(|column| column.is_number) {
        return Err(String::new());
    }
    if amounts.is_empty() {
        return Err("No chart: no column holds amounts; ids, codes and times are none.".to_owned());
    }
    let numbers = || amounts.iter().flat_map(|column| column.numbers.iter().flatten());
    if numbers().any(|number| *number < 0.0) || !numbers().any(|number| *number > 0.0) {
        return Err("No chart: amounts must not be below zero, and not all of them zero.".to_owned());
    }
    if let Some(time) = times.first() {
        if columns.iter().any(|column| column.role == Role::Other) {
            return Err(
                "No chart: each row is a span or a record of its own; GROUP BY a time, and perhaps a word, makes lines of them.".to_owned()
            );
        }
        return over(time, &words, &amounts, palette, |from, to| ticks(TimeRange { from: nanos(from), to: nanos(to).plus(1) }, clock));
    }
    if words.is_empty() {
        if amounts.len() < 2 {
            return Err("No chart: there is no time and no word to draw amounts by.".to_owned());
        }
        let along = amounts.remove(0);
        return over(along, &[], &amounts, palette, even);
    }
    by_word(&words, &amounts, answer.rows.len())
}

/// Amounts along a column of numbers or times: a line for each column, or for each word when there is one amount.
fn over(
    along: &Column<'_>,
    words: &[&Column<'_>],
    amounts: &[&Column<'_>],
    palette: &Palette,
    labels: impl Fn(f64, f64) -> Vec<(String, String)>,
) -> Result<Chart, String> {
    let mut lines = if words.is_empty() { by_column(along, amounts) } else { by_words(along, words, amounts) };
    // A colour means a service; whatever else is told apart has one that no service has.
    let are_services = matches!(words, [only] if SERVICES.contains(&only.name));
    for (place, line) in lines.iter_mut().enumerate() {
        line.class = if are_services { palette.chip(&line.name).class } else { neutral(place) };
        line.name = shown(&line.name);
    }
    let alike = |line: &Line| line.points.windows(2).any(|pair| matches!(pair, [a, b] if a.0 >= b.0));
    if lines.iter().any(alike) {
        let names: Vec<&str> = std::iter::once(&along).chain(words).map(|column| column.name).collect();
        return Err(format!("No chart: several rows have the same {}; GROUP BY makes one of them.", names.join(" and ")));
    }
    let places = || lines.iter().flat_map(|line| line.points.iter().map(|(place, _)| *place));
    let (from, to) = places().fold((f64::INFINITY, f64::NEG_INFINITY), |(from, to), place| (from.min(place), to.max(place)));
    if from >= to {
        return Err(format!("No chart: there are no two values of {}.", along.name));
    }
    let most = if are_services { MAX_SERVICES } else { MAX_SERIES };
    let left_out = lines.len().saturating_sub(most);
    lines.truncate(most);
    let series = lines.iter().map(|line| [line.name.clone(), line.class.clone()]);
    Ok(Chart {
        series: series.collect(),
        panels: panels(&lines, (from, to)),
        labels: labels(from, to),
        left_out: if left_out == 0 {
            String::new()
        } else {
            format!("{} with less are not drawn", format::counted(left_out as u64, "line", "lines"))
        },
        summary: summary(amounts, along.name),
        ..Chart::default()
    })
}

/// Where it stands along the bottom, and how high.
type Point = (f64, f64);

/// One line.
struct Line {
    name: String,
    points: Vec<Point>,
    unit: &'static str,
    class: String,
}

fn by_column(along: &Column<'_>, amounts: &[&Column<'_>]) -> Vec<Line> {
    let line = |column: &&Column<'_>| {
        let points = along.numbers.iter().zip(&column.numbers).filter_map(|(place, number)| Some(((*place)?, (*number)?)));
        Line { name: column.name.to_owned(), points: sorted(points.collect()), unit: column.unit, class: String::new() }
    };
    amounts.iter().take(MAX_SERIES).map(line).collect()
}

/// A line for each word, those with most first.
fn by_words(along: &Column<'_>, words: &[&Column<'_>], amounts: &[&Column<'_>]) -> Vec<Line> {
    let Some(amount) = amounts.first() else { return Vec::new() };
    // Names that are cut or go on in another line may read the same.
    let mut lines: std::collections::BTreeMap<String, Vec<Point>> = std::collections::BTreeMap::new();
    for (row, (place, number)) in along.numbers.iter().zip(&amount.numbers).enumerate() {
        if let (Some(place), Some(number)) = (place, number) {
            lines.entry(label(words, row)).or_default().push((*place, *number));
        }
    }
    let line = |(name, points)| Line { name, points: sorted(points), unit: amount.unit, class: String::new() };
    let mut lines: Vec<Line> = lines.into_iter().map(line).collect();
    let total = |line: &Line| line.points.iter().map(|(_, number)| *number).sum::<f64>();
    lines.sort_by(|a, b| total(b).total_cmp(&total(a)));
    lines
}

/// Lines by what they are measured in.
fn panels(lines: &[Line], ends: Point) -> Vec<Panel> {
    let greatest = |unit| {
        let alike = lines.iter().filter(|line| line.unit == unit);
        alike.flat_map(|line| line.points.iter().map(|(_, number)| *number)).fold(0.0, f64::max)
    };
    let mut panels: Vec<Panel> = Vec::new();
    for line in lines {
        let top = round_up(greatest(line.unit));
        let drawn = [line.class.clone(), path(&line.points, ends, top)];
        match panels.iter_mut().find(|panel| panel.unit == line.unit) {
            Some(panel) => panel.lines.push(drawn),
            None => panels.push(Panel { unit: line.unit, scale: scale(top, line.unit), lines: vec![drawn] }),
        }
    }
    panels
}

fn sorted(mut points: Vec<Point>) -> Vec<Point> {
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    points
}

/// Bars for each word or combination of words.
fn by_word(words: &[&Column<'_>], amounts: &[&Column<'_>], rows: usize) -> Result<Chart, String> {
    let texts: Vec<String> = (0..rows).map(|row| label(words, row)).collect();
    let mut different: Vec<&String> = texts.iter().collect();
    different.sort_unstable();
    different.dedup();
    let names = words.iter().map(|column| column.name).collect::<Vec<_>>().join(" and ");
    if different.len() < rows {
        return Err(format!("No chart: several rows have the same {names}; GROUP BY makes one of them."));
    }
    let amounts: Vec<&Column<'_>> = amounts.iter().copied().take(MAX_SERIES).collect();
    let left_out = rows.saturating_sub(MAX_BARS);
    let series = amounts.iter().enumerate().map(|(place, column)| [format::line(column.name, 60), neutral(place)]);
    Ok(Chart {
        series: series.collect(),
        bars: bars(&amounts, &texts),
        left_out: if left_out == 0 {
            String::new()
        } else {
            format!("{} below are not drawn", format::counted(left_out as u64, "row", "rows"))
        },
        summary: summary(&amounts, &names),
        ..Chart::default()
    })
}

/// A colour that no service has.
fn neutral(place: usize) -> String {
    format!("plain{place}")
}

fn summary(amounts: &[&Column<'_>], by: &str) -> String {
    format!("{} by {by}", amounts.iter().map(|column| column.name).collect::<Vec<_>>().join(", "))
}

fn label(words: &[&Column<'_>], row: usize) -> String {
    let texts = words.iter().map(|column| match column.values.get(row) {
        None | Some(None | Some(Value::Null)) => "null".to_owned(),
        Some(Some(Value::String(text))) => text.clone(),
        Some(Some(other)) => other.to_string(),
    });
    texts.collect::<Vec<_>>().join(" · ")
}

/// A text beside its line or bar.
fn shown(text: &str) -> String {
    if text.trim().is_empty() { "(empty)".to_owned() } else { format::begun(text, 60) }
}

fn path(points: &[Point], (from, to): Point, top: f64) -> String {
    let mut path = String::new();
    for (index, (place, number)) in points.iter().enumerate() {
        let letter = if index == 0 { 'M' } else { 'L' };
        path.push_str(&format!("{letter}{:.2} {:.2}", (place - from) / (to - from) * 600.0, 120.0 - number / top * 120.0));
    }
    path
}

/// Five numbers at even distances.
fn even(from: f64, to: f64) -> Vec<(String, String)> {
    let quarter = |part: f64| (format!("{:.2}", part * 25.0), short(from + (to - from) * part / 4.0, ""));
    [0.0, 1.0, 2.0, 3.0, 4.0].map(quarter).to_vec()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time that was read from a whole number of nanoseconds")]
fn nanos(number: f64) -> UnixNanos {
    UnixNanos::new(number.max(0.0) as u64)
}

/// Ends with the nearest round number, of which the half is round as well.
fn scale(top: f64, unit: &str) -> Scale {
    let marks = [("0", short(top, unit)), ("50", short(top / 2.0, unit)), ("100", "0".to_owned())];
    Scale::of(marks.map(|(at, said)| (at.to_owned(), said)).to_vec())
}

/// The smallest of 1, 2, 4, 6, 8 and their multiples by powers of ten that is not below `value`.
fn round_up(value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let unit = 10_f64.powf(value.log10().floor());
    // Ten of the unit where none of its multiples is enough, which is by rounding only.
    let round = [1.0, 2.0, 4.0, 6.0, 8.0].into_iter().map(|digit| digit * unit).find(|round| *round >= value);
    round.unwrap_or(10.0 * unit)
}

fn bars(amounts: &[&Column<'_>], texts: &[String]) -> Vec<Bars> {
    let greatest = |unit| {
        let alike = amounts.iter().filter(|column| column.unit == unit);
        alike.flat_map(|column| column.numbers.iter().flatten()).fold(0.0_f64, |max, number| max.max(*number))
    };
    let row = |(index, text): (usize, &String)| {
        let part = |(place, column): (usize, &&Column<'_>)| {
            let value = column.numbers.get(index).copied().flatten()?;
            let percent = value / greatest(column.unit).max(f64::MIN_POSITIVE) * 100.0;
            Some([neutral(place), format!("{percent:.2}"), short(value, column.unit)])
        };
        Bars { label: shown(text), parts: amounts.iter().enumerate().filter_map(part).collect() }
    };
    texts.iter().enumerate().take(MAX_BARS).map(row).collect()
}

/// Four digits at most, and the unit.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative, and far below the limit of the type")]
fn short(value: f64, unit: &str) -> String {
    let nanos = match unit {
        "ns" => Some(1.0),
        "µs" => Some(1e3),
        "ms" => Some(1e6),
        "s" => Some(1e9),
        _ => None,
    };
    if let Some(nanos) = nanos.filter(|nanos| value * nanos < 9e18) {
        return format::round_duration((value * nanos).round() as u64);
    }
    let sign = if ["%", "B", "kB", "MB"].contains(&unit) { format!("\u{202f}{unit}") } else { String::new() };
    if (value.fract() == 0.0 || value >= 1_000.0) && value < 9e15 {
        return format!("{}{sign}", format::count(value.round() as u64));
    }
    let digits = if value >= 100.0 {
        1
    } else if value >= 1.0 {
        2
    } else {
        4
    };
    let written = format!("{value:.digits$}");
    format!("{}{sign}", written.trim_end_matches('0').trim_end_matches('.'))
}

/// Columns that hold names of services, which are words however long they are.
const SERVICES: [&str; 2] = ["service_name", "service"];

/// More rows have no bars.
const MAX_BARS: usize = 30;

/// More lines, or bars of one row, are not drawn.
const MAX_SERIES: usize = 4;

/// More lines of services are not drawn: these have colours of their own.
const MAX_SERVICES: usize = 8;

#[cfg(test)]
mod tests;
