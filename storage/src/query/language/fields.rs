//! Names of fields, what they may be compared with, and the names that mean the same attribute.

use std::fmt;
use std::ops::Range;

use super::super::question::ParseError;
use super::lexer::complaint;
use super::tree::{self, Literal, Operand, Operator, SeverityTest};
use crate::model::{Severity, SpanKind, StatusCode};
use crate::store::Signal;

mod aliases;

pub(crate) use self::aliases::equivalents;

/// Something of a record that can be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Service,
    Name,
    Kind,
    Status,
    StatusMessage,
    Duration,
    Trace,
    Span,
    Parent,
    Root,
    Event,
    ExceptionType,
    ExceptionMessage,
    Peer,
    Severity,
    Body,
    Has,
    /// Of the span or the log record.
    Attribute(String),
    /// Of the resource.
    Resource(String),
    /// Of the record, else of the resource.
    Either(String),
}

/// What `has:` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    Event,
    Link,
    Exception,
    Parent,
    Peer,
    Trace,
}

/// Names with what they mean; of several names for one field the first is the one that is written.
const NAMES: [(&str, Field, bool, bool); 27] = [
    ("service", Field::Service, true, true),
    ("service.name", Field::Service, true, true),
    ("name", Field::Name, true, false),
    ("operation", Field::Name, true, false),
    ("kind", Field::Kind, true, false),
    ("status", Field::Status, true, false),
    ("status.message", Field::StatusMessage, true, false),
    ("status_message", Field::StatusMessage, true, false),
    ("duration", Field::Duration, true, false),
    ("trace", Field::Trace, true, true),
    ("trace_id", Field::Trace, true, true),
    ("span", Field::Span, true, true),
    ("span_id", Field::Span, true, true),
    ("parent", Field::Parent, true, false),
    ("parent_span_id", Field::Parent, true, false),
    ("root", Field::Root, true, false),
    ("event", Field::Event, true, true),
    ("event_name", Field::Event, false, true),
    ("exception.type", Field::ExceptionType, true, false),
    ("exception.message", Field::ExceptionMessage, true, false),
    ("peer", Field::Peer, true, false),
    ("severity", Field::Severity, false, true),
    ("level", Field::Severity, false, true),
    ("body", Field::Body, false, true),
    ("message", Field::Body, false, true),
    ("has", Field::Has, true, true),
    ("log.body", Field::Body, false, true),
];

type Refusal = (String, Vec<String>);

/// The field that a name means.
pub(super) fn resolve(signal: Signal, name: &str) -> Result<Field, Refusal> {
    if !is_plain(name) {
        return Err((
            format!("`{name}` is not a field name; an attribute key with unusual characters is written attr.\"{name}\""),
            Vec::new(),
        ));
    }
    for prefix in ["attr", "span", "log", "resource"] {
        if let Some(key) = name.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('.'))
            && !key.is_empty()
            && !(prefix == "log" && key == "body")
        {
            return attribute(signal, prefix, key);
        }
    }
    let known = |(_, _, traces, logs): &&(&str, Field, bool, bool)| if signal == Signal::Traces { *traces } else { *logs };
    if let Some((_, field, ..)) = NAMES.iter().filter(known).find(|(known, ..)| *known == name) {
        return Ok(field.clone());
    }
    if name.trim_matches('.').contains('.') {
        return Ok(Field::Either(name.to_owned()));
    }
    let what = if signal == Signal::Traces { "spans" } else { "log records" };
    if NAMES.iter().any(|(known, ..)| *known == name) {
        return Err((format!("{what} have no field `{name}`"), Vec::new()));
    }
    Err((
        format!("{what} have no field `{name}`; for an attribute write attr.{name}"),
        nearest(name, NAMES.iter().filter(known).map(|(n, ..)| *n)),
    ))
}

/// The attribute `key` in the scope that a prefix names.
pub(super) fn attribute(signal: Signal, prefix: &str, key: &str) -> Result<Field, Refusal> {
    match (prefix, signal) {
        ("resource", _) => Ok(Field::Resource(key.to_owned())),
        ("attr", _) | ("span", Signal::Traces) | ("log", Signal::Logs) => Ok(Field::Attribute(key.to_owned())),
        // On the other table, `span.x` is an ordinary dotted name.
        _ => Ok(Field::Either(format!("{prefix}.{key}"))),
    }
}

/// Checks values against the field's type.
pub(super) fn operand(
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
        Field::Duration => typed.each(duration).map(Operand::Nanos),
        Field::Kind => typed.each(kind).map(Operand::Kinds),
        Field::Status => typed.each(status).map(Operand::Statuses),
        Field::Severity => typed.each(|text| severity(text, ordered)).map(Operand::Severities),
        Field::Trace => {
            typed.each(|text| text.parse().map_err(|e: crate::model::ParseIdError| (e.to_string(), Vec::new()))).map(Operand::TraceIds)
        }
        Field::Span | Field::Parent => {
            typed.each(|text| text.parse().map_err(|e: crate::model::ParseIdError| (e.to_string(), Vec::new()))).map(Operand::SpanIds)
        }
        Field::Root => match typed.each(truth)?.as_slice() {
            [flag] => Ok(Operand::Flag(*flag)),
            _ => Err(complaint(all, "`root` is true or false")),
        },
        Field::Has => typed.each(|text| presence(signal, text)).map(Operand::Presences),
        _ => Ok(Operand::Text(typed.values.into_iter().map(|(literal, _)| as_text(literal, operator)).collect())),
    }
}

/// Only `:` knows wildcards.
fn as_text(literal: Literal, operator: Operator) -> Literal {
    match literal {
        Literal::Glob(pieces) if operator != Operator::Is => Literal::Bare(pieces.join("*")),
        other => other,
    }
}

struct Typed<'a> {
    field: &'a Field,
    operator: Operator,
    values: Vec<(Literal, Range<usize>)>,
}

impl Typed<'_> {
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

fn duration(text: &str) -> Result<u64, Refusal> {
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

fn presence(signal: Signal, text: &str) -> Result<Presence, Refusal> {
    if text == "log" || text == "logs" {
        return Err(("`has:log` is not supported; search the logs by trace:<id> instead".to_owned(), Vec::new()));
    }
    let all: &[Presence] = match signal {
        Signal::Traces => &[Presence::Event, Presence::Link, Presence::Exception, Presence::Parent, Presence::Peer],
        Signal::Logs => &[Presence::Trace, Presence::Event],
    };
    word("has", text, &all.iter().map(|presence| (presence.as_str(), *presence)).collect::<Vec<_>>())
}

fn word<T: Copy>(field: &str, text: &str, all: &[(&str, T)]) -> Result<T, Refusal> {
    let lower = text.to_ascii_lowercase();
    all.iter().find(|(known, _)| *known == lower).map(|(_, value)| *value).ok_or_else(|| {
        let words: Vec<_> = all.iter().map(|(known, _)| *known).collect();
        (format!("`{field}` is one of {}, not `{text}`", words.join(", ")), nearest(&lower, words.into_iter()))
    })
}

/// Up to three names that a typing mistake could have meant, best first.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Vec<String> {
    // A longer word is no typing mistake of a known name, and comparing it would take long.
    if name.len() > 32 {
        return Vec::new();
    }
    let mut scored: Vec<_> = known
        .map(|candidate| {
            let prefix = name.len() >= 2 && (candidate.starts_with(name) || name.starts_with(candidate));
            (if prefix { 1 } else { distance(name, candidate) }, candidate)
        })
        .filter(|(score, candidate)| *score <= 2 && *score < candidate.len())
        .collect();
    scored.sort_unstable();
    scored.into_iter().take(3).map(|(_, candidate)| candidate.to_owned()).collect()
}

/// Levenshtein distance by characters.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, y) in row.iter_mut().skip(1).zip(b.chars()) {
            let above = *cell;
            left = (diagonal + usize::from(x != y)).min(above + 1).min(left + 1);
            diagonal = above;
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

// === impl Field ===

impl Field {
    /// Whether a regular expression can be asked of it.
    pub(super) fn is_text(&self) -> bool {
        !matches!(
            self,
            Self::Kind | Self::Status | Self::Duration | Self::Trace | Self::Span | Self::Parent | Self::Root | Self::Severity | Self::Has
        )
    }

    /// Whether `<` and `>` can be asked of it.
    fn has_order(&self) -> bool {
        matches!(self, Self::Duration | Self::Severity | Self::Attribute(_) | Self::Resource(_) | Self::Either(_))
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (prefix, key) = match self {
            Self::Attribute(key) => ("attr.", key),
            Self::Resource(key) => ("resource.", key),
            // Only its own written form leads here, so it never needs quotes.
            Self::Either(key) if is_plain(key) => return f.write_str(key),
            Self::Either(key) => {
                let (scope, rest) = key.split_once('.').unwrap_or(("attr", key));
                write!(f, "{scope}.")?;
                return tree::quoted(f, rest);
            }
            known => {
                let name = NAMES.iter().find(|(_, field, ..)| field == known).map_or("", |(name, ..)| *name);
                return f.write_str(name);
            }
        };
        f.write_str(prefix)?;
        if is_plain(key) { f.write_str(key) } else { tree::quoted(f, key) }
    }
}

/// Whether the lexer reads the key as one word.
fn is_plain(key: &str) -> bool {
    !key.is_empty()
        && key.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '/' | '@' | '$' | '#' | '[' | ']' | '{' | '}' | '*'))
}

impl Presence {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Link => "link",
            Self::Exception => "exception",
            Self::Parent => "parent",
            Self::Peer => "peer",
            Self::Trace => "trace",
        }
    }
}
