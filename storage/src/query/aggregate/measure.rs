//! What can be computed of a group of rows.

use std::fmt;
use std::str::FromStr;

use super::super::question::QueryError;
use super::amount::Amount;
use crate::rollup::{Sketch, bounds_of};

/// Something to compute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Rows.
    Count,
    /// Rows per second of the window or of the part.
    Rate,
    /// Which share of rows are errors: spans with status ERROR, records of severity ERROR or above.
    ErrorShare,
    /// Mean duration.
    Avg,
    /// Shortest duration.
    Min,
    /// Longest duration.
    Max,
    /// Sum of durations.
    Sum,
    /// The duration that this many of 1,000 spans do not exceed, within 1 %.
    Quantile(u16),
    /// How many spans have which duration.
    Histogram,
    /// Of the numbers under an attribute, named as the query language does.
    Of(Statistic, String),
}

/// What can be computed of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistic {
    /// Rows that have one.
    Count,
    /// Mean.
    Avg,
    /// Smallest.
    Min,
    /// Largest.
    Max,
    /// Sum.
    Sum,
    /// What this many of 1,000 do not exceed, within 1 %.
    Quantile(u16),
}

/// What was computed.
#[derive(Clone, Debug, PartialEq)]
pub enum Measured {
    /// Of how many rows.
    Count(u64),
    /// A rate, a share, or something of numbers.
    Number(f64),
    /// A duration.
    Nanos(u64),
    /// Durations by size.
    Bars(Vec<Bar>),
    /// There is no row to compute it of.
    Nothing,
}

/// Spans whose durations lie in a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bar {
    /// Shortest duration in it, in nanoseconds.
    pub from: u64,
    /// First duration after it.
    pub to: u64,
    /// Spans.
    pub count: u64,
}

/// Buckets of a sketch that make one bar: bars begin at powers of two and at the quarters between them.
const BUCKETS_PER_BAR: u16 = 16;
/// Everything below is one bar.
const FIRST_BAR_ENDS: u16 = 128;

impl Measure {
    pub(super) fn is_of_durations(&self) -> bool {
        !matches!(self, Self::Count | Self::Rate | Self::ErrorShare | Self::Of(..))
    }

    #[expect(clippy::cast_precision_loss, reason = "shares and rates are not that exact")]
    /// `amount` is of the attribute that it is about, when it is about one.
    pub(super) fn of(&self, rows: u64, errors: u64, durations: &Sketch, seconds: f64, amount: &Amount) -> Measured {
        match self {
            Self::Count => Measured::Count(rows),
            Self::Rate => Measured::Number(if seconds > 0.0 { rows as f64 / seconds } else { 0.0 }),
            Self::Of(statistic, _) => statistic.of(amount),
            _ if rows == 0 => Measured::Nothing,
            Self::ErrorShare => Measured::Number(errors as f64 / rows as f64),
            Self::Avg => nanos((durations.sum() + u128::from(rows / 2)) / u128::from(rows)),
            Self::Min => Measured::Nanos(durations.min()),
            Self::Max => Measured::Nanos(durations.max()),
            Self::Sum => nanos(durations.sum()),
            Self::Quantile(of_1000) => Measured::Nanos(durations.quantile(f64::from(*of_1000) / 1_000.0)),
            Self::Histogram => Measured::Bars(bars(durations)),
        }
    }
}

impl Statistic {
    fn of(self, amount: &Amount) -> Measured {
        match self {
            Self::Count => Measured::Count(amount.count()),
            _ if amount.count() == 0 => Measured::Nothing,
            Self::Avg => Measured::Number(amount.mean()),
            Self::Min => Measured::Number(amount.min()),
            Self::Max => Measured::Number(amount.max()),
            Self::Sum => Measured::Number(amount.sum()),
            Self::Quantile(of_1000) => Measured::Number(amount.quantile(f64::from(of_1000) / 1_000.0)),
        }
    }
}

fn nanos(sum: u128) -> Measured {
    Measured::Nanos(u64::try_from(sum).unwrap_or(u64::MAX))
}

fn bars(durations: &Sketch) -> Vec<Bar> {
    let mut bars: Vec<Bar> = Vec::new();
    for (bucket, count) in durations.buckets() {
        let (first, next) = match bucket.checked_sub(FIRST_BAR_ENDS) {
            None => (0, FIRST_BAR_ENDS),
            Some(above) => {
                let first = FIRST_BAR_ENDS + above / BUCKETS_PER_BAR * BUCKETS_PER_BAR;
                (first, first + BUCKETS_PER_BAR)
            }
        };
        let (last, width) = bounds_of(next - 1);
        let bar = Bar { from: bounds_of(first).0, to: last.saturating_add(width), count };
        match bars.last_mut() {
            Some(same) if same.from == bar.from => same.count += count,
            _ => bars.push(bar),
        }
    }
    bars
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count => f.write_str("count"),
            Self::Rate => f.write_str("rate"),
            Self::ErrorShare => f.write_str("error_share"),
            Self::Avg => f.write_str("avg"),
            Self::Min => f.write_str("min"),
            Self::Max => f.write_str("max"),
            Self::Sum => f.write_str("sum"),
            Self::Histogram => f.write_str("histogram"),
            Self::Quantile(of_1000) => quantile(f, *of_1000),
            Self::Of(statistic, field) => write!(f, "{statistic}({field})"),
        }
    }
}

impl fmt::Display for Statistic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count => f.write_str("count"),
            Self::Avg => f.write_str("avg"),
            Self::Min => f.write_str("min"),
            Self::Max => f.write_str("max"),
            Self::Sum => f.write_str("sum"),
            Self::Quantile(of_1000) => quantile(f, *of_1000),
        }
    }
}

fn quantile(f: &mut fmt::Formatter<'_>, of_1000: u16) -> fmt::Result {
    if of_1000.is_multiple_of(10) { write!(f, "p{:02}", of_1000 / 10) } else { write!(f, "p{of_1000:03}") }
}

impl FromStr for Measure {
    type Err = QueryError;

    /// Reads a name: `p50` and `p95` are percentiles, `p999` is the 99.9th; `avg(attr.size)` is about an attribute.
    fn from_str(name: &str) -> Result<Self, QueryError> {
        let unknown = || {
            let known = "count, rate, error_share, avg, min, max, sum, histogram, or a quantile such as p50, p95 or p999, \
                         and of an attribute with numbers such as avg(attr.size)";
            QueryError::Invalid(format!("there is no measure `{}`; there are {known}", name.chars().take(40).collect::<String>()))
        };
        if let Some((outer, inner)) = name.strip_suffix(')').and_then(|name| name.split_once('(')) {
            return about(outer.parse()?, inner.trim()).ok_or_else(|| {
                let known = "count, avg, min, max, sum and quantiles such as p95";
                QueryError::Invalid(format!("`{outer}` cannot be computed of an attribute; there are {known}"))
            });
        }
        Ok(match name {
            "count" => Self::Count,
            "rate" => Self::Rate,
            "error_share" => Self::ErrorShare,
            "avg" => Self::Avg,
            "min" => Self::Min,
            "max" => Self::Max,
            "sum" => Self::Sum,
            "histogram" => Self::Histogram,
            _ => {
                let digits = name.strip_prefix('p').filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
                let number: u16 = digits.and_then(|digits| digits.parse().ok()).ok_or_else(unknown)?;
                match digits.map_or(0, str::len) {
                    2 => Self::Quantile(number * 10),
                    3 => Self::Quantile(number),
                    _ => return Err(unknown()),
                }
            }
        })
    }
}

/// A measure of an attribute. That of the duration has names of its own.
fn about(measure: Measure, field: &str) -> Option<Measure> {
    let statistic = match measure {
        Measure::Rate | Measure::ErrorShare | Measure::Of(..) => return None,
        measure if field == "duration" => return Some(measure),
        Measure::Count => Statistic::Count,
        Measure::Avg => Statistic::Avg,
        Measure::Min => Statistic::Min,
        Measure::Max => Statistic::Max,
        Measure::Sum => Statistic::Sum,
        Measure::Quantile(of_1000) => Statistic::Quantile(of_1000),
        Measure::Histogram => return None,
    };
    Some(Measure::Of(statistic, field.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for name in ["count", "rate", "error_share", "avg", "min", "max", "sum", "histogram", "p05", "p50", "p95", "p999", "p001"] {
            assert_eq!(name.parse::<Measure>().unwrap().to_string(), name);
        }
        for name in ["count(attr.a)", "avg(event.x)", "p999(resource.\"a (b)\")", "max(a.b)"] {
            assert_eq!(name.parse::<Measure>().unwrap().to_string(), name);
        }
        assert_eq!("p95(duration)".parse::<Measure>().unwrap(), Measure::Quantile(950));
        assert_eq!("p990".parse::<Measure>().unwrap(), Measure::Quantile(990));
        for name in [
            "",
            "p",
            "p5",
            "p1000",
            "p-1",
            "p+1",
            "P50",
            "median",
            "p9é",
            "rate(attr.a)",
            "histogram(attr.a)",
            "avg(",
            "avg()x",
            "avg(sum(a.b))(",
            "x(a.b)",
        ] {
            assert!(matches!(name.parse::<Measure>(), Err(QueryError::Invalid(_))), "{name}");
        }
    }

    #[test]
    fn bars_hold_every_duration_once_and_do_not_overlap() {
        let mut durations = Sketch::default();
        let values = [0, 1, 127, 128, 129, 1_000, 1_500, 1_000_000, 1_010_000, u64::MAX];
        values.iter().for_each(|value| durations.add(*value));
        let bars = bars(&durations);
        assert_eq!(bars.iter().map(|bar| bar.count).sum::<u64>(), 10);
        assert!(bars.windows(2).all(|pair| pair[0].to <= pair[1].from), "{bars:?}");
        for bar in &bars {
            let inside = values.iter().filter(|value| bar.from <= **value && (**value < bar.to || bar.to == u64::MAX)).count();
            assert_eq!(inside as u64, bar.count, "{bar:?}");
        }
        assert_eq!(bars.first().map(|bar| (bar.from, bar.to, bar.count)), Some((0, 128, 3)));
    }
}
