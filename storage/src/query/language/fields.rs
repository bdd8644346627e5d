//! Names of fields, what they may be compared with, and the names that mean the same attribute.

use std::fmt;

use super::super::question::ParseError;
use super::lexer::Lexer;
use super::tree;
use crate::store::Signal;

mod aliases;
mod near;
mod values;

pub(crate) use self::aliases::equivalents;
pub use self::near::nearest;
pub(super) use self::values::operand;
pub(crate) use self::values::{duration, ends};

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
    TraceState,
    /// Spans: the name of one of its events. Logs: the event name.
    Event,
    ExceptionType,
    ExceptionMessage,
    Peer,
    LinkTrace,
    LinkSpan,
    Severity,
    SeverityText,
    Body,
    Has,
    ScopeName,
    ScopeVersion,
    /// Of the span or the log record.
    Attribute(String),
    /// Of the resource.
    Resource(String),
    /// Of the instrumentation scope.
    Scope(String),
    /// Of one of the events of a span.
    EventAttribute(String),
    /// Of one of the links of a span.
    LinkAttribute(String),
    /// Of the record, else of the resource.
    Either(String),
}

/// What `has:` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    Event,
    Link,
    Exception,
    Parent,
    Peer,
    Trace,
    /// A field that has a value.
    Of(Field),
}

/// Names with what they mean, and whether spans and log records have it; of several names for one field the first is the one that is written.
const NAMES: [(&str, Field, bool, bool); 39] = [
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
    ("trace_state", Field::TraceState, true, false),
    ("event", Field::Event, true, true),
    ("event.name", Field::Event, true, true),
    ("event_name", Field::Event, true, true),
    ("exception.type", Field::ExceptionType, true, false),
    ("exception.message", Field::ExceptionMessage, true, false),
    ("peer", Field::Peer, true, false),
    ("link.trace", Field::LinkTrace, true, false),
    ("link.trace_id", Field::LinkTrace, true, false),
    ("link.span", Field::LinkSpan, true, false),
    ("link.span_id", Field::LinkSpan, true, false),
    ("scope.name", Field::ScopeName, true, true),
    ("scope.version", Field::ScopeVersion, true, true),
    ("severity", Field::Severity, false, true),
    ("level", Field::Severity, false, true),
    ("severity.text", Field::SeverityText, false, true),
    ("severity_text", Field::SeverityText, false, true),
    ("body", Field::Body, false, true),
    ("message", Field::Body, false, true),
    ("log.body", Field::Body, false, true),
    ("log.severity", Field::Severity, false, true),
    ("log.event", Field::Event, false, true),
    ("has", Field::Has, true, true),
];

/// Words before the dot that say where an attribute is looked for.
pub(super) const PREFIXES: [&str; 7] = ["attr", "span", "log", "resource", "scope", "event", "link"];

pub(super) type Refusal = (String, Vec<String>);

/// The field that a name means.
pub(super) fn resolve(signal: Signal, name: &str) -> Result<Field, Refusal> {
    if !is_plain(name) {
        return Err((
            format!("`{name}` is not a field name; an attribute key with unusual characters is written attr.\"{name}\""),
            Vec::new(),
        ));
    }
    let known = |(_, _, traces, logs): &&(&str, Field, bool, bool)| if signal == Signal::Traces { *traces } else { *logs };
    if let Some((_, field, ..)) = NAMES.iter().filter(known).find(|(known, ..)| *known == name) {
        return Ok(field.clone());
    }
    if let Some((prefix, key)) = name.split_once('.')
        && PREFIXES.contains(&prefix)
        && !key.is_empty()
    {
        return Ok(attribute(signal, prefix, key));
    }
    if name.trim_matches('.').contains('.') {
        return Ok(Field::Either(name.to_owned()));
    }
    let what = if signal == Signal::Traces { "spans" } else { "log records" };
    if NAMES.iter().any(|(known, ..)| *known == name) {
        let others =
            if signal == Signal::Traces { "log records do: search the logs, or write log:(…)" } else { "spans do: search the traces" };
        return Err((format!("{what} have no field `{name}`, {others}"), Vec::new()));
    }
    let instead = match (signal, name) {
        (Signal::Traces, "error" | "failed" | "is_error") => "failed ones are status:error; ",
        (Signal::Logs, "error" | "failed" | "is_error") => "those of errors are severity>=error; ",
        (Signal::Traces, "minDuration" | "min_duration") => "those that take a second or more are duration>=1s; ",
        (Signal::Traces, "maxDuration" | "max_duration") => "those that take a second or less are duration<=1s; ",
        _ => "",
    };
    Err((
        format!("{what} have no field `{name}`; {instead}for an attribute write attr.{name}"),
        nearest(name, NAMES.iter().filter(known).map(|(n, ..)| *n)),
    ))
}

/// The attribute `key` in the scope that a prefix names.
pub(super) fn attribute(signal: Signal, prefix: &str, key: &str) -> Field {
    match (prefix, signal) {
        ("resource", _) => Field::Resource(key.to_owned()),
        ("scope", _) => Field::Scope(key.to_owned()),
        ("event", Signal::Traces) => Field::EventAttribute(key.to_owned()),
        ("link", Signal::Traces) => Field::LinkAttribute(key.to_owned()),
        ("attr", _) | ("span", Signal::Traces) | ("log", Signal::Logs) => Field::Attribute(key.to_owned()),
        // On the other table, `span.x` is an ordinary dotted name.
        _ => Field::Either(format!("{prefix}.{key}")),
    }
}

// === impl Field ===

impl Field {
    /// Reads a name alone, as it stands before an operator.
    pub(crate) fn parse(signal: Signal, name: &str) -> Result<Self, ParseError> {
        let mut lexer = Lexer::new(name);
        let word = lexer.word();
        let refuse = |(message, suggestions)| ParseError { offset: 0, length: name.len(), message, suggestions };
        if let Some(prefix) = word.strip_suffix('.').filter(|prefix| PREFIXES.contains(prefix))
            && lexer.peek() == Some('"')
        {
            let key = lexer.quoted()?;
            if lexer.rest().is_empty() && !key.is_empty() {
                return Ok(attribute(signal, prefix, &key));
            }
        }
        resolve(signal, name).map_err(refuse)
    }

    /// Whether a regular expression can be asked of it.
    pub(super) fn is_text(&self) -> bool {
        !matches!(
            self,
            Self::Kind
                | Self::Status
                | Self::Duration
                | Self::Trace
                | Self::Span
                | Self::Parent
                | Self::Root
                | Self::LinkTrace
                | Self::LinkSpan
                | Self::Severity
                | Self::Has
        )
    }

    /// Whether `<` and `>` can be asked of it.
    fn has_order(&self) -> bool {
        matches!(self, Self::Duration | Self::Severity) || self.is_attribute()
    }

    /// Whether its values may have any type.
    pub(crate) fn is_attribute(&self) -> bool {
        self.scoped().is_some() || matches!(self, Self::Either(_))
    }

    /// Prefix and key of an attribute in one scope.
    fn scoped(&self) -> Option<(&'static str, &str)> {
        Some(match self {
            Self::Attribute(key) => ("attr", key),
            Self::Resource(key) => ("resource", key),
            Self::Scope(key) => ("scope", key),
            Self::EventAttribute(key) => ("event", key),
            Self::LinkAttribute(key) => ("link", key),
            _ => return None,
        })
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (prefix, key) = match self {
            // Only its own written form leads here, so it never needs quotes.
            Self::Either(key) if is_plain(key) && !is_dotted_name(key) => return f.write_str(key),
            Self::Either(key) => key.split_once('.').unwrap_or(("attr", key)),
            other => match other.scoped() {
                Some(scoped) => scoped,
                None => {
                    let name = NAMES.iter().find(|(_, field, ..)| field == other).map_or("", |(name, ..)| *name);
                    return f.write_str(name);
                }
            },
        };
        write!(f, "{prefix}.")?;
        // `event.name` is the name of an event; `event."name"` an attribute of that key.
        let is_taken = NAMES.iter().any(|(name, ..)| name.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('.')) == Some(key));
        if is_plain(key) && !is_taken { f.write_str(key) } else { tree::quoted(f, key) }
    }
}

/// Whether a key reads as a field of its own, such as `event.name`, unless a part of it is quoted.
fn is_dotted_name(key: &str) -> bool {
    key.contains('.') && NAMES.iter().any(|(name, ..)| *name == key)
}

/// Whether the lexer reads the key as one word.
fn is_plain(key: &str) -> bool {
    !key.is_empty()
        && key.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '/' | '@' | '$' | '#' | '[' | ']' | '{' | '}' | '*'))
}

impl Presence {
    fn word(&self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Link => "link",
            Self::Exception => "exception",
            Self::Parent => "parent",
            Self::Peer => "peer",
            Self::Trace => "trace",
            Self::Of(_) => "",
        }
    }
}

impl fmt::Display for Presence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Of(field) => field.fmt(f),
            known => f.write_str(known.word()),
        }
    }
}
