//! What a column of an SQL answer is good for.

use serde_json::Value;
use storage::{SqlAnswer, SqlMeaning, UnixNanos};

use super::SERVICES;
use crate::params::parse_time;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Times, as nanoseconds since 1970.
    Time,
    /// Numbers that can be compared by length.
    Amount,
    /// Words, codes and truths, by which amounts are told apart.
    Word,
    /// Ids, and what has no place in a chart.
    Other,
}

/// A column.
#[derive(Debug)]
pub(super) struct Column<'a> {
    pub(super) name: &'a str,
    pub(super) role: Role,
    /// Whether its type is a number.
    pub(super) is_number: bool,
    pub(super) values: Vec<Option<&'a Value>>,
    /// The values as numbers.
    pub(super) numbers: Vec<Option<f64>>,
    /// What its numbers are measured in, as far as its name says; empty for plain counts.
    pub(super) unit: &'static str,
}

/// The columns of an answer.
pub(super) fn columns(answer: &SqlAnswer) -> Vec<Column<'_>> {
    let column = |column: &'_ storage::SqlColumn| {
        let values = answer.rows.iter().map(|row| row.get(&column.name).filter(|value| !value.is_null())).collect::<Vec<_>>();
        let read = if column.sql_type == TIMESTAMP { time } else { number };
        let numbers = values.iter().map(|value| value.and_then(read)).collect::<Vec<_>>();
        let is_number = ["INT", "DOUBLE", "FLOAT", "DECIMAL", "REAL"].iter().any(|word| column.sql_type.contains(word));
        (column.sql_type.clone(), is_number, values, numbers)
    };
    let read = answer.columns.iter().map(|known| (known, column(known)));
    let made = read.map(|(known, (sql_type, is_number, values, numbers))| Column {
        name: &known.name,
        role: match known.meaning {
            SqlMeaning::Time => Role::Time,
            SqlMeaning::Duration => Role::Amount,
            SqlMeaning::Plain => role(&known.name, &sql_type, is_number, &values, &numbers),
        },
        is_number,
        unit: if known.meaning == SqlMeaning::Duration { "ns" } else { unit(&known.name, &numbers) },
        values,
        numbers,
    });
    made.collect()
}

fn role(name: &str, sql_type: &str, is_number: bool, values: &[Option<&Value>], numbers: &[Option<f64>]) -> Role {
    let named = |words: &[&str]| name.to_lowercase().split(['_', '.', '-', ' ']).any(|part| words.contains(&part));
    if named(&ID_WORDS) {
        return Role::Other;
    }
    if is_number {
        let mut known = numbers.iter().flatten().peekable();
        return if known.peek().is_some() && known.all(|number| (YEAR_2000..YEAR_2100).contains(number)) {
            Role::Time
        } else if named(&CODE_WORDS) {
            Role::Word
        } else {
            Role::Amount
        };
    }
    let mut texts = values.iter().flatten().map(|value| value.as_str().unwrap_or_default()).peekable();
    match sql_type {
        TIMESTAMP => Role::Time,
        "BOOLEAN" => Role::Word,
        _ if texts.peek().is_some() && texts.clone().all(is_id) => Role::Other,
        _ if SERVICES.contains(&name) || texts.all(|text| text.len() <= LONGEST_WORD) => Role::Word,
        _ => Role::Other,
    }
}

/// Columns are compared by length only where they are measured in the same: by the last word of their name that is a unit. Without one,
/// whole numbers are counts, and others are measured in something of their own.
fn unit(name: &str, numbers: &[Option<f64>]) -> &'static str {
    let name = name.to_lowercase();
    let of = |word: &str| UNITS.iter().find(|(known, _)| *known == word).map(|(_, unit)| *unit);
    let named = name.split(|c: char| !c.is_alphanumeric()).rev().find_map(of);
    named.unwrap_or(if numbers.iter().flatten().all(|number| number.fract() == 0.0) { "" } else { "?" })
}

/// Whether a text looks like an id: hex digits with or without dashes, as many as no word has.
fn is_id(text: &str) -> bool {
    text.len() >= 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

/// Whole numbers beyond 2^53 come as text.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::String(text) => text.parse().ok().filter(|number: &f64| number.is_finite()),
        value => value.as_f64(),
    }
}

/// As nanoseconds since 1970; a time that names no zone is in UTC.
#[expect(clippy::cast_precision_loss, reason = "a chart shows no nanoseconds of a date")]
fn time(value: &Value) -> Option<f64> {
    let text = value.as_str()?;
    let parsed = parse_time(text, UnixNanos::new(0)).or_else(|_| parse_time(&format!("{text}Z"), UnixNanos::new(0)));
    parsed.ok().map(|time| time.get() as f64)
}

/// The type of times that were made by SQL.
const TIMESTAMP: &str = "TIMESTAMP";

/// What ids are called.
const ID_WORDS: [&str; 4] = ["id", "uid", "uuid", "guid"];

/// What numbers are called that only tell things apart.
const CODE_WORDS: [&str; 6] = ["code", "port", "pid", "flags", "number", "version"];

/// Words that end names of columns, and the unit that they mean.
const UNITS: [(&str, &str); 20] = [
    ("ns", "ns"),
    ("nanos", "ns"),
    ("duration", "ns"),
    ("us", "µs"),
    ("micros", "µs"),
    ("ms", "ms"),
    ("millis", "ms"),
    ("s", "s"),
    ("sec", "s"),
    ("seconds", "s"),
    ("min", "min"),
    ("minutes", "min"),
    ("percent", "%"),
    ("pct", "%"),
    ("ratio", "ratio"),
    ("share", "ratio"),
    ("rate", "rate"),
    ("bytes", "B"),
    ("kb", "kB"),
    ("mb", "MB"),
];

/// In nanoseconds since 1970.
const YEAR_2000: f64 = UnixNanos::YEAR_2000.get() as f64;
const YEAR_2100: f64 = 4_102_444_800e9;

/// Longer texts are no words, in bytes.
const LONGEST_WORD: usize = 200;
