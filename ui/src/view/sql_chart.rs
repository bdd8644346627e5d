//! A chart of an SQL answer: its first column along the bottom, its numbers as bars or lines.

use serde_json::Value;
use storage::{SqlAnswer, UnixNanos};

use super::chart::Scale;
use super::format::{self, Clockface};

/// The chart: lines over numbers or times, or a group of bars for each word.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Chart {
    /// Name, class and, of a line, its path.
    pub(crate) series: Vec<[String; 3]>,
    /// Position in percent and text of the labels below lines.
    pub(crate) labels: Vec<(String, String)>,
    /// What lines are measured by.
    pub(crate) scale: Scale,
    pub(crate) bars: Vec<Bars>,
    /// How many rows have no bars.
    pub(crate) left_out: String,
    pub(crate) summary: String,
}

/// The bars of one row.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Bars {
    pub(crate) label: String,
    /// Class, percent of the greatest, and number.
    pub(crate) parts: Vec<[String; 3]>,
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
        [format::line(name, 60), format!("s{place}"), if is_line { line(values, max) } else { String::new() }]
    });
    let summary = format!("{} by {}", columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", "), first.name);
    let chart = Chart { series: series.collect(), summary, ..Chart::default() };
    Some(if is_line {
        Chart { labels: labels(&texts), scale: scale(max), ..chart }
    } else {
        let left_out = answer.rows.len().saturating_sub(MAX_BARS);
        let left_out =
            if left_out == 0 { String::new() } else { format!("{} below are not drawn", format::counted(left_out as u64, "row", "rows")) };
        Chart { bars: bars(&columns, &texts, max), left_out, ..chart }
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
        path.push_str(&format!("{letter}{:.2} {:.2}", format::ratio(place as u64, 1) / last * 600.0, 120.0 - value / max * 120.0));
        is_open = true;
    }
    path
}

/// Whatever the numbers mean, lines end at the upper edge.
fn scale(max: f64) -> Scale {
    Scale { top: 0, marks: vec![("0", short(max)), ("50", short(max / 2.0)), ("100", "0".to_owned())] }
}

fn bars(columns: &[(&str, Vec<Option<f64>>)], texts: &[String], max: f64) -> Vec<Bars> {
    let row = |(index, text): (usize, &String)| {
        let part = |(place, (_, values)): (usize, &(&str, Vec<Option<f64>>))| {
            let value = values.get(index).copied().flatten()?;
            Some([format!("s{place}"), format!("{:.2}", value / max * 100.0), short(value)])
        };
        Bars { label: text.clone(), parts: columns.iter().enumerate().filter_map(part).collect() }
    };
    texts.iter().enumerate().take(MAX_BARS).map(row).collect()
}

/// At most five of the texts.
fn labels(texts: &[String]) -> Vec<(String, String)> {
    let every = texts.len().div_ceil(5).max(1);
    let last = texts.len().saturating_sub(1).max(1) as u64;
    let place = |index: usize| format!("{:.2}", format::ratio(index as u64, last) * 100.0);
    texts.iter().enumerate().step_by(every).map(|(index, text)| (place(index), format::line(text, 24))).collect()
}

fn short(value: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative, and far below the limit of the type")]
    if value.fract() == 0.0 && value < 9e15 { format::count(value as u64) } else { format!("{value:.3}") }
}

/// More rows are not drawn.
const MAX_POINTS: usize = 500;

/// More rows have no bars.
const MAX_BARS: usize = 30;

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
        assert_eq!(bars.series, [["n", "s0", ""].map(str::to_owned)]);
        assert_eq!((bars.bars[1].label.as_str(), &bars.bars[1].parts), ("b", &vec![["s0", "50.00", "5"].map(str::to_owned)]));
        let many: Vec<(Value, f64)> = (0..33).map(|n| (Value::from(format!("w{n}")), 1.0)).collect();
        let cut = draw(&answer(("service", "TEXT"), &many)).unwrap();
        assert_eq!((cut.bars.len(), cut.left_out.replace('\u{a0}', " ").as_str()), (30, "3 rows below are not drawn"));
        let line =
            draw(&answer(("start_time", "BIGINT"), &[("1795176202123456789".into(), 1.0), ("1795176262123456789".into(), 2.0)])).unwrap();
        assert_eq!(line.series[0][2], "M0.00 60.00L600.00 0.00");
        assert_eq!(line.scale.marks.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>(), ["2", "1", "0"]);
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
