//! Compares one value with what a query asks for. Numbers compare as numbers across integer and double, exactly.

use std::cmp::Ordering;

use regex::Regex;

use super::super::language::{Literal, Operand, Operator, ends};
use super::super::wire::{self, Any, MAX_DEPTH};
use crate::attributes::Found;
use crate::model::ShownDouble;
use crate::rows::any_value;

/// What a value must be.
#[derive(Clone, Debug)]
pub(super) enum ValueTest {
    /// Anything.
    Exists,
    /// One of these.
    AnyOf(Vec<Wanted>),
    Order(Operator, Bound),
    Pattern(Regex),
}

/// One wanted value: the text, and the number or truth value that an unquoted text also stands for.
#[derive(Clone, Debug)]
pub(super) enum Wanted {
    Exact {
        text: String,
        number: Option<Number>,
        truth: Option<bool>,
    },
    Glob(Vec<String>),
    /// Numbers from the one to the other, both included.
    Between(Option<Number>, Option<Number>),
}

/// An end of an ordering.
#[derive(Clone, Debug)]
pub(super) enum Bound {
    Number(Number),
    Text(String),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    Int(i64),
    Double(f64),
}

impl ValueTest {
    pub(super) fn new(operator: Operator, operand: &Operand) -> Self {
        match operand {
            Operand::Pattern(pattern) => Self::Pattern(pattern.0.clone()),
            Operand::Text(literals) => match operator {
                Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual => {
                    Self::Order(operator, literals.first().map_or_else(|| Bound::Text(String::new()), Bound::new))
                }
                _ => Self::AnyOf(literals.iter().map(|literal| Wanted::new(operator, literal)).collect()),
            },
            _ => Self::Exists,
        }
    }

    /// Whether a text passes.
    pub(super) fn text(&self, text: &str) -> bool {
        match self {
            Self::Exists => true,
            Self::AnyOf(wanted) => wanted.iter().any(|wanted| match wanted {
                Wanted::Exact { text: wanted, .. } => wanted == text,
                Wanted::Glob(pieces) => glob(pieces, text),
                Wanted::Between(..) => false,
            }),
            Self::Order(operator, Bound::Text(bound)) => holds(*operator, Some(text.cmp(bound))),
            Self::Order(_, Bound::Number(_)) => false,
            Self::Pattern(regex) => regex.is_match(text),
        }
    }

    /// Whether an attribute value passes.
    pub(super) fn found(&self, found: Found<'_>) -> bool {
        match found {
            Found::Text(text) => self.text(text),
            Found::Int(value) => self.number(Number::Int(value)),
            Found::Double(value) => self.number(Number::Double(value)),
            Found::Bool(value) => self.truth(value),
            Found::Encoded(value) => self.encoded(value, 0),
        }
    }

    /// Whether an encoded `AnyValue`, or any element of an array, passes. Arrays and maps also pass by the JSON and bytes by the base64
    /// that they are shown as. What has no value passes nothing: it is as good as missing.
    pub(super) fn encoded(&self, value: &[u8], depth: usize) -> bool {
        match wire::any(value) {
            Any::Empty => false,
            _ if matches!(self, Self::Exists) => true,
            Any::Text(text) => self.text(text),
            Any::Int(value) => self.number(Number::Int(value)),
            Any::Double(value) => self.number(Number::Double(value)),
            Any::Bool(value) => self.truth(value),
            Any::Array(array) if depth < MAX_DEPTH => {
                wire::elements(array).any(|element| self.encoded(element, depth + 1)) || self.reads(value, |text| text.starts_with('['))
            }
            Any::Array(_) => false,
            Any::Map(_) => self.reads(value, |text| text.starts_with('{')),
            Any::Bytes(bytes) => self.reads(value, |text| text.len() == bytes.len().div_ceil(3) * 4),
        }
    }

    /// Whether a value is shown as one of the wanted texts, of which only those are compared that `may_be`.
    fn reads(&self, value: &[u8], may_be: impl Fn(&str) -> bool) -> bool {
        let Self::AnyOf(wanted) = self else { return false };
        let mut shown = None;
        wanted.iter().any(|wanted| match wanted {
            Wanted::Exact { text, .. } if may_be(text) => shown.get_or_insert_with(|| any_value(value).to_string()) == text,
            _ => false,
        })
    }

    fn number(&self, value: Number) -> bool {
        match self {
            Self::Exists => true,
            Self::AnyOf(wanted) => wanted.iter().any(|wanted| match wanted {
                Wanted::Exact { text, number, .. } => match number {
                    Some(number) => value.compare(*number) == Some(Ordering::Equal),
                    None => value.is_word(text),
                },
                Wanted::Glob(pieces) => glob(pieces, &value.to_string()),
                Wanted::Between(from, to) => value.lies_between(*from, *to),
            }),
            Self::Order(operator, Bound::Number(bound)) => holds(*operator, value.compare(*bound)),
            Self::Order(_, Bound::Text(_)) => false,
            Self::Pattern(regex) => regex.is_match(&value.to_string()),
        }
    }

    fn truth(&self, value: bool) -> bool {
        match self {
            Self::Exists => true,
            Self::AnyOf(wanted) => wanted.iter().any(|wanted| match wanted {
                Wanted::Exact { truth, .. } => *truth == Some(value),
                Wanted::Glob(pieces) => glob(pieces, if value { "true" } else { "false" }),
                Wanted::Between(..) => false,
            }),
            Self::Order(..) => false,
            Self::Pattern(regex) => regex.is_match(if value { "true" } else { "false" }),
        }
    }
}

impl Wanted {
    /// Whether something is shown as this text whose hash is not that of the text: an array, a map, bytes, nothing.
    pub(super) fn may_be_composite(&self) -> bool {
        let Self::Exact { text, .. } = self else { return true };
        let is_base64 = text.len() % 4 == 0 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte));
        text.starts_with(['[', '{']) || is_base64
    }

    /// Whether a number that is not finite is shown as this text.
    pub(super) fn may_be_endless(&self) -> bool {
        matches!(self, Self::Exact { text, .. } if ENDLESS.contains(&text.as_str()))
    }

    fn new(operator: Operator, literal: &Literal) -> Self {
        match literal {
            Literal::Quoted(text) => Self::Exact { text: text.clone(), number: None, truth: None },
            Literal::Bare(text) => match numbers(text).filter(|_| operator == Operator::Is) {
                Some((from, to)) => Self::Between(from, to),
                None => Self::Exact { text: text.clone(), number: Number::parse(text), truth: text.parse().ok() },
            },
            Literal::Glob(pieces) => Self::Glob(pieces.clone()),
        }
    }
}

/// The ends of `1..2`, `1..` and `..2`; of anything else `None`.
fn numbers(text: &str) -> Option<(Option<Number>, Option<Number>)> {
    let (from, to) = ends(text)?;
    let read = |end: Option<&str>| end.map_or(Some(None), |end| Number::parse(end).map(Some));
    Some((read(from)?, read(to)?))
}

impl Bound {
    fn new(literal: &Literal) -> Self {
        match literal {
            Literal::Bare(text) => Number::parse(text).map_or_else(|| Self::Text(text.clone()), Self::Number),
            Literal::Quoted(text) => Self::Text(text.clone()),
            Literal::Glob(pieces) => Self::Text(pieces.join("*")),
        }
    }
}

impl Number {
    fn parse(text: &str) -> Option<Self> {
        if let Ok(int) = text.parse() {
            return Some(Self::Int(int));
        }
        // The standard parser also takes words such as `inf` and `nan`, which are text to people.
        if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.')) || !text.contains(|c: char| c.is_ascii_digit()) {
            return None;
        }
        text.parse().ok().map(Self::Double)
    }

    /// Whether it is no finite number and shown as this text.
    fn is_word(self, text: &str) -> bool {
        matches!(self, Self::Double(double) if !double.is_finite() && ShownDouble(double).to_string() == text)
    }

    fn lies_between(self, from: Option<Self>, to: Option<Self>) -> bool {
        let above = from.is_none_or(|from| self.compare(from).is_some_and(Ordering::is_ge));
        above && to.is_none_or(|to| self.compare(to).is_some_and(Ordering::is_le))
    }

    fn compare(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => Some(a.cmp(&b)),
            (Self::Double(a), Self::Double(b)) => a.partial_cmp(&b),
            (Self::Int(a), Self::Double(b)) => compare_mixed(a, b),
            (Self::Double(a), Self::Int(b)) => compare_mixed(b, a).map(Ordering::reverse),
        }
    }
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Int(value) => value.fmt(f),
            Self::Double(value) => ShownDouble(*value).fmt(f),
        }
    }
}

/// How numbers that are not finite are shown.
const ENDLESS: [&str; 3] = ["NaN", "Infinity", "-Infinity"];

/// Compares without rounding the integer.
fn compare_mixed(int: i64, double: f64) -> Option<Ordering> {
    const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;
    if double.is_nan() {
        return None;
    }
    if double >= TWO_TO_63 {
        return Some(Ordering::Less);
    }
    if double < -TWO_TO_63 {
        return Some(Ordering::Greater);
    }
    #[expect(clippy::cast_possible_truncation, reason = "the bounds above keep it within an i64, and the fraction is compared below")]
    let whole = double.trunc() as i64;
    Some(int.cmp(&whole).then_with(|| 0.0_f64.partial_cmp(&double.fract()).unwrap_or(Ordering::Equal)))
}

fn holds(operator: Operator, ordering: Option<Ordering>) -> bool {
    ordering.is_some_and(|ordering| match operator {
        Operator::Less => ordering.is_lt(),
        Operator::LessOrEqual => ordering.is_le(),
        Operator::Greater => ordering.is_gt(),
        Operator::GreaterOrEqual => ordering.is_ge(),
        _ => false,
    })
}

/// Whether the pieces occur in this order, the first at the start and the last at the end.
pub(super) fn glob(pieces: &[String], text: &str) -> bool {
    let [first, middle @ .., last] = pieces else { return pieces.iter().any(|only| only == text) };
    let Some(mut rest) = text.strip_prefix(first.as_str()) else { return false };
    for piece in middle {
        let Some((_, after)) = rest.split_once(piece.as_str()) else { return false };
        rest = after;
    }
    rest.ends_with(last.as_str())
}
