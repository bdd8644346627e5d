//! Values of conditions: from what is written to the type of the field.

use std::ops::Range;

use super::super::super::question::ParseError;
use super::super::lexer::complaint;
use super::super::tree::{Literal, Operand, Operator, Reach, SeverityTest};
use super::{Field, Presence, Refusal, nearest, resolve};
use crate::model::{ParseIdError, Severity, SpanKind, StatusCode};
use crate::store::Signal;

/// Checks values against the field's type.
pub(in super::super) fn operand(
    signal: Signal,
    field: &Field,
    operator: Operator,
    values: Vec<(Literal, Range<usize>)>,
    all: Range<usize>,
) -> Result<Operand, ParseError> {
    let ordered = matches!(operator, Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual);
    if ordered && values.len() > 1 {
        return Err(complaint(all, format!("`{}` takes one value, not a list", operator.as_str())));
    }
    if ordered && !field.has_order() {
        return Err(complaint(all, format!("`{field}` has no order; use :, =, != or ~")));
    }
    if operator == Operator::Is
        && let [(Literal::Glob(pieces), _)] = values.as_slice()
        && pieces.iter().all(String::is_empty)
        && *field != Field::Has
    {
        return Ok(Operand::Anything);
    }
    let typed = Typed { field, operator, values };
    match field {
        Field::Duration => {
            typed.rising(|text| duration(text).ok())?;
            typed.reach(duration).map(Operand::Nanos)
        }
        Field::Kind => typed.each(kind).map(Operand::Kinds),
        Field::Status => typed.each(status).map(Operand::Statuses),
        Field::Severity => typed.reach(|text| severity(text, ordered || text.contains(".."))).map(Operand::Severities),
        Field::Trace | Field::LinkTrace => typed.each(|text| text.parse().map_err(|error| no_id(&error))).map(Operand::TraceIds),
        Field::Span | Field::Parent | Field::LinkSpan => {
            typed.each(|text| text.parse().map_err(|error| no_id(&error))).map(Operand::SpanIds)
        }
        Field::Root => match typed.each(truth)?.as_slice() {
            [flag] => Ok(Operand::Flag(*flag)),
            _ => Err(complaint(all, "`root` is true or false")),
        },
        Field::Has => typed.each(|text| presence(signal, text)).map(Operand::Presences),
        field => {
            if operator == Operator::Is && field.is_attribute() {
                typed.rising(|text| text.parse::<f64>().ok())?;
            }
            Ok(Operand::Text(typed.values.into_iter().map(|(literal, _)| as_text(literal, operator)).collect()))
        }
    }
}

/// Only `:` knows wildcards.
fn as_text(literal: Literal, operator: Operator) -> Literal {
    match literal {
        Literal::Glob(pieces) if operator != Operator::Is => Literal::Bare(pieces.join("*")),
        other => other,
    }
}

fn no_id(error: &ParseIdError) -> Refusal {
    (error.to_string(), Vec::new())
}

/// The ends of `from..to`, one of which may be missing.
pub(crate) fn ends(text: &str) -> Option<(Option<&str>, Option<&str>)> {
    let (from, to) = text.split_once("..")?;
    let end = |text: &'_ str| !text.is_empty();
    match (Some(from).filter(|from| end(from)), Some(to).filter(|to| end(to))) {
        (None, None) => None,
        ends => Some(ends),
    }
}

struct Typed<'a> {
    field: &'a Field,
    operator: Operator,
    values: Vec<(Literal, Range<usize>)>,
}

impl Typed<'_> {
    /// Values and, after `:`, ranges of them.
    fn reach<T>(&self, read: impl Fn(&str) -> Result<T, Refusal>) -> Result<Vec<Reach<T>>, ParseError> {
        self.each(|text| match ends(text) {
            Some((from, to)) if self.operator == Operator::Is => {
                Ok(Reach::Between(from.map(&read).transpose()?, to.map(&read).transpose()?))
            }
            _ => read(text).map(Reach::At),
        })
    }

    /// Refuses ranges that end before they begin.
    fn rising<T: PartialOrd>(&self, read: impl Fn(&str) -> Option<T>) -> Result<(), ParseError> {
        for (literal, range) in &self.values {
            if let Literal::Bare(text) = literal
                && let Some((Some(from), Some(to))) = ends(text)
                && let (Some(first), Some(last)) = (read(from), read(to))
                && first > last
            {
                return Err(complaint(range.clone(), format!("this range ends before it begins; write {to}..{from}")));
            }
        }
        Ok(())
    }

    fn each<T>(&self, read: impl Fn(&str) -> Result<T, Refusal>) -> Result<Vec<T>, ParseError> {
        let mut typed = Vec::with_capacity(self.values.len());
        for (literal, range) in &self.values {
            let text = match literal {
                Literal::Bare(text) | Literal::Quoted(text) => text,
                Literal::Glob(_) => {
                    let message = format!(
                        "`{}` takes no part of a value with `{}`; `{}:*` asks whether there is one",
                        self.field,
                        self.operator.as_str(),
                        self.field
                    );
                    return Err(complaint(range.clone(), message));
                }
            };
            typed.push(read(text).map_err(|(message, suggestions)| ParseError {
                offset: range.start,
                length: range.len(),
                message,
                suggestions,
            })?);
        }
        Ok(typed)
    }
}

/// Nanoseconds of a duration as searches write it.
pub(crate) fn duration(text: &str) -> Result<u64, Refusal> {
    const UNITS: [(&str, u64); 8] = [
        ("ns", 1),
        ("us", 1_000),
        ("µs", 1_000),
        ("ms", 1_000_000),
        ("s", 1_000_000_000),
        ("m", 60_000_000_000),
        ("h", 3_600_000_000_000),
        ("d", 86_400_000_000_000),
    ];
    let refuse = || (format!("`{text}` is not a duration; write it like 1.5s, 100ms or 2us"), Vec::new());
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(refuse)?;
    let (number, unit) = text.split_at(digits);
    let (_, scale) = UNITS.into_iter().find(|(name, _)| *name == unit).ok_or_else(refuse)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return Err(refuse());
    }
    let whole = if whole.is_empty() { 0 } else { whole.parse::<u64>().map_err(|_| refuse())? };
    // Digits that stand for less than a nanosecond are dropped.
    let mut rest = 0;
    let mut place = scale;
    for digit in fraction.bytes() {
        place /= 10;
        rest += place * u64::from(digit - b'0');
    }
    whole.checked_mul(scale).and_then(|nanos| nanos.checked_add(rest)).ok_or_else(refuse)
}

fn kind(text: &str) -> Result<SpanKind, Refusal> {
    let all = [SpanKind::Unspecified, SpanKind::Internal, SpanKind::Server, SpanKind::Client, SpanKind::Producer, SpanKind::Consumer];
    word("kind", text, all.map(|kind| (kind.as_str(), kind)).as_slice())
}

fn status(text: &str) -> Result<StatusCode, Refusal> {
    let all = [StatusCode::Unset, StatusCode::Ok, StatusCode::Error];
    word("status", text, all.map(|code| (code.as_str(), code)).as_slice())
}

fn severity(text: &str, ordered: bool) -> Result<SeverityTest, Refusal> {
    if let Ok(number) = text.parse() {
        return Ok(SeverityTest::Number(number));
    }
    let all = [Severity::Trace, Severity::Debug, Severity::Info, Severity::Warn, Severity::Error, Severity::Fatal];
    let mut words = all.map(|severity| (severity.as_str(), SeverityTest::Range(severity))).to_vec();
    if !ordered {
        words.push(("unknown", SeverityTest::Unknown));
    }
    word("severity", text, &words)
}

fn truth(text: &str) -> Result<bool, Refusal> {
    word("root", text, &[("true", true), ("false", false)])
}

/// A word, or the name of a field.
fn presence(signal: Signal, text: &str) -> Result<Presence, Refusal> {
    if text == "log" || text == "logs" {
        return Err(("`has:log` is not supported; search the logs by trace:<id> instead".to_owned(), Vec::new()));
    }
    let all: &[Presence] = match signal {
        Signal::Traces => &[Presence::Event, Presence::Link, Presence::Exception, Presence::Parent, Presence::Peer],
        Signal::Logs => &[Presence::Trace, Presence::Event],
    };
    if let Some(known) = all.iter().find(|known| known.word() == text.to_ascii_lowercase()) {
        return Ok(known.clone());
    }
    match Field::parse(signal, text) {
        Ok(Field::Has) | Err(_) => {
            let log = (signal == Signal::Traces).then_some("log");
            let words: Vec<_> = all.iter().map(Presence::word).chain(log).collect();
            let example = resolve(signal, &format!("attr.{text}")).map_or_else(|_| "attr.key".to_owned(), |field| field.to_string());
            let message = format!("`has` is one of {} or a field such as {example}, not `{text}`", words.join(", "));
            Err((message, nearest(text, words.into_iter())))
        }
        Ok(field) => Ok(Presence::Of(field)),
    }
}

fn word<T: Copy>(field: &str, text: &str, all: &[(&str, T)]) -> Result<T, Refusal> {
    let lower = text.to_ascii_lowercase();
    all.iter().find(|(known, _)| *known == lower).map(|(_, value)| *value).ok_or_else(|| {
        let words: Vec<_> = all.iter().map(|(known, _)| *known).collect();
        (format!("`{field}` is one of {}, not `{text}`", words.join(", ")), nearest(&lower, words.into_iter()))
    })
}
