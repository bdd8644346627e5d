//! A chart of an SQL answer: its first column along the bottom, its numbers as bars or lines.

use serde_json::Value;
use storage::{SqlAnswer, UnixNanos};

use super::format::{self, Clockface};

/// The chart.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Chart {
    pub(crate) series: Vec<Series>,
    /// Position in percent and text.
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) max: String,
    pub(crate) summary: String,
}

/// One column of numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Series {
    pub(crate) name: String,
    /// Class of its colour.
    pub(crate) class: String,
    /// Path of a line; empty for bars.
    pub(crate) line: String,
    /// Left, top, width, height and title of each bar.
    pub(crate) bars: Vec<[String; 5]>,
}

/// Draws an answer with at least two rows, a first column and a column of numbers; else there is nothing to draw.
pub(crate) fn chart(answer: &SqlAnswer, clock: &Clockface) -> Option<Chart> {
    let (first, rest) = answer.columns.split_first()?;
    let rows = answer.rows.get(..answer.rows.len().min(MAX_POINTS))?;
    if rows.len() < 2 {
        return None;
    }
    let of = |name: &str| rows.iter().map(|row| row.get(name).and_then(number)).collect::<Vec<Option<f64>>>();
    let numeric = rest.iter().filter(|column| is_number(&column.sql_type)).take(MAX_SERIES);
    let columns: Vec<(&str, Vec<Option<f64>>)> = numeric.map(|column| (column.name.as_str(), of(&column.name))).collect();
    let values = || columns.iter().flat_map(|(_, values)| values.iter().flatten().copied());
    let max = values().fold(0.0_f64, f64::max);
    if columns.is_empty() || max <= 0.0 || values().any(|value| value < 0.0) {
        return None;
    }
    let texts: Vec<String> = rows.iter().map(|row| label(&first.name, row.get(&first.name), clock)).collect();
    let is_line = is_number(&first.sql_type) || first.sql_type == "TIMESTAMP";
    let series = columns.iter().enumerate().map(|(place, (name, values))| {
        let class = format!("s{place}");
        let name = format::line(name, 60);
        if is_line {
            Series { name, class, line: line(values, max), bars: Vec::new() }
        } else {
            Series { bars: bars(values, max, (place, columns.len()), &texts), name, class, line: String::new() }
        }
    });
    Some(Chart {
        series: series.collect(),
        labels: labels(&texts, is_line),
        max: short(max),
        summary: format!("{} by {}", columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", "), first.name),
    })
}

fn is_number(sql_type: &str) -> bool {
    ["INT", "DOUBLE", "FLOAT", "DECIMAL", "REAL"].iter().any(|word| sql_type.contains(word))
}

/// Whole numbers beyond 2^53 come as text.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::String(text) => text.parse().ok(),
        value => value.as_f64(),
    }
}

/// Columns of nanoseconds are read as times when they are called so.
fn label(name: &str, value: Option<&Value>, clock: &Clockface) -> String {
    let text = match value {
        None | Some(Value::Null) => return "null".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let nanos = text.parse::<u64>().ok().filter(|nanos| name.contains("time") && *nanos > YEAR_2000);
    nanos.map_or_else(|| format::line(&text, 40), |nanos| clock.second(UnixNanos::new(nanos)))
}

fn line(values: &[Option<f64>], max: f64) -> String {
    let last = format::ratio(values.len().saturating_sub(1).max(1) as u64, 1);
    let mut path = String::new();
    let mut is_open = false;
    for (place, value) in values.iter().enumerate() {
        let Some(value) = value else {
            is_open = false;
            continue;
        };
        let letter = if is_open { 'L' } else { 'M' };
        path.push_str(&format!("{letter}{:.2} {:.2}", format::ratio(place as u64, 1) / last * 600.0, 118.0 - value / max * 112.0));
        is_open = true;
    }
    path
}

fn bars(values: &[Option<f64>], max: f64, (place, of): (usize, usize), texts: &[String]) -> Vec<[String; 5]> {
    let slot = 600.0 / format::ratio(values.len().max(1) as u64, 1);
    let width = slot * 0.8 / format::ratio(of.max(1) as u64, 1);
    let bar = |(index, (value, text)): (usize, (&Option<f64>, &String))| {
        let value = (*value)?;
        let left = slot * (format::ratio(index as u64, 1) + 0.1) + width * format::ratio(place as u64, 1);
        let height = value / max * 112.0;
        let number = |value: f64| format!("{value:.2}");
        Some([number(left), number(120.0 - height), number(width), number(height), format!("{text}: {}", short(value))])
    };
    values.iter().zip(texts).enumerate().filter_map(bar).collect()
}

/// At most eight of the texts.
fn labels(texts: &[String], is_line: bool) -> Vec<(String, String)> {
    let every = texts.len().div_ceil(if is_line { 5 } else { 8 }).max(1);
    let whole = if is_line { texts.len().saturating_sub(1).max(1) } else { texts.len() } as u64;
    let place = |index: usize| {
        let centre =
            if is_line { format::ratio(index as u64, whole) } else { (format::ratio(index as u64, 1) + 0.5) / format::ratio(whole, 1) };
        format!("{:.2}", centre * 100.0)
    };
    texts.iter().enumerate().step_by(every).map(|(index, text)| (place(index), format::line(text, 18))).collect()
}

fn short(value: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative, and far below the limit of the type")]
    if value.fract() == 0.0 && value < 9e15 { format::count(value as u64) } else { format!("{value:.3}") }
}

/// More rows are not drawn.
const MAX_POINTS: usize = 500;

/// More columns are not drawn.
const MAX_SERIES: usize = 4;

/// In nanoseconds since 1970.
const YEAR_2000: u64 = 946_684_800_000_000_000;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use storage::SqlColumn;

    use super::*;

    fn answer(first: (&str, &str), rows: &[(Value, f64)]) -> SqlAnswer {
        let column = |name: &str, sql_type: &str| SqlColumn { name: name.to_owned(), sql_type: sql_type.to_owned() };
        let row = |(label, value): &(Value, f64)| {
            [(first.0.to_owned(), label.clone()), ("n".to_owned(), Value::from(*value))].into_iter().collect()
        };
        SqlAnswer {
            columns: vec![column(first.0, first.1), column("n", "DOUBLE")],
            rows: rows.iter().map(row).collect(),
            truncated: false,
            notes: Vec::new(),
            elapsed: Duration::ZERO,
        }
    }

    fn draw(answer: &SqlAnswer) -> Option<Chart> {
        chart(answer, &Clockface::new(UnixNanos::new(1_795_176_300_000_000_000), None))
    }

    #[test]
    fn words_become_bars_and_numbers_a_line() {
        let bars = draw(&answer(("service", "TEXT"), &[("a".into(), 10.0), ("b".into(), 5.0)])).unwrap();
        assert_eq!(bars.series[0].line, "");
        assert_eq!(bars.series[0].bars[1], ["330.00", "64.00", "240.00", "56.00", "b: 5"].map(str::to_owned));
        let line =
            draw(&answer(("start_time", "BIGINT"), &[("1795176202123456789".into(), 1.0), ("1795176262123456789".into(), 2.0)])).unwrap();
        assert_eq!(line.series[0].line, "M0.00 62.00L600.00 6.00");
        assert!(line.labels[0].1.contains(':'), "{:?}", line.labels);
    }

    #[test]
    fn what_is_no_series_of_numbers_is_not_drawn() {
        assert_eq!(draw(&answer(("service", "TEXT"), &[("a".into(), 10.0)])), None);
        assert_eq!(draw(&answer(("service", "TEXT"), &[("a".into(), -1.0), ("b".into(), 5.0)])), None);
        let mut words = answer(("service", "TEXT"), &[("a".into(), 1.0), ("b".into(), 5.0)]);
        words.columns[1].sql_type = "TEXT".to_owned();
        assert_eq!(draw(&words), None);
    }
}
