//! The query language: one text for traces and logs, with errors that point at the character.
//!
//! Owns the grammar, the names of fields and the tree. Knows nothing of columns or of how a tree is answered.
//!
//! ```text
//! query   = any
//! any     = all { "OR" all }
//! all     = one { [ "AND" ] one }
//! one     = ( "NOT" | "-" ) one | "(" any ")" | test | text | "case:" text { "," text } | "*"
//! text    = word, in which * stands for any letters | "quoted text" | "\or", a word that joins elsewhere
//! test    = field operator value { "," value }
//! operator= ":" | "=" | "!=" | "<" | "<=" | ">" | ">=" | "~" | "!~"
//! value   = bare word, where \ takes the next character as it is and * stands for any text after ":" | "quoted text"
//!         | [ value ] ".." [ value ], after ":", of durations, severities and numbers
//! ```
//!
//! `!=` and `!~` are the exact opposites of `=` and `~`: a record without the field passes them.

mod fields;
mod lexer;
mod parser;
mod structure;
mod tree;

pub use self::fields::nearest;
pub(crate) use self::fields::{Field, Presence, duration, ends, equivalents};
pub(super) use self::parser::PATTERN_TOO_LARGE;
pub(crate) use self::structure::{Quantity, Relation, Set, TraceNode, is_of_traces};
pub(crate) use self::tree::{Literal, Node, Operand, Operator, Reach, SeverityTest, Test, is_joint};

use self::structure::Part;
use super::question::ParseError;
use crate::store::Signal;

/// A text understood.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Query {
    /// Which table it asks.
    pub(crate) signal: Signal,
    /// What must hold.
    pub(crate) root: Node,
}

/// What a search for traces asks.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Asked {
    /// One span for which this holds.
    Rows(Query),
    /// Something of the trace as a whole.
    Trace(TraceNode),
}

impl Asked {
    /// Understands `text`; an empty text matches everything.
    pub(crate) fn parse(text: &str) -> Result<Self, ParseError> {
        Ok(match parser::parse(Signal::Traces, text)? {
            Part::Rows(root) => Self::Rows(Query { signal: Signal::Traces, root }),
            Part::Trace(root) => Self::Trace(root),
        })
    }
}

impl Query {
    /// Understands `text`; an empty text matches everything. What asks for whole traces is refused.
    pub(crate) fn parse(signal: Signal, text: &str) -> Result<Self, ParseError> {
        Self::of_rows(signal, parser::parse(signal, text)?, text)
    }

    /// As [`Query::parse`], of a text that was accepted before, perhaps by an earlier version: it means what it meant then.
    pub(crate) fn parse_kept(signal: Signal, text: &str) -> Result<Self, ParseError> {
        Self::of_rows(signal, parser::parse_kept(signal, text)?, text)
    }

    fn of_rows(signal: Signal, part: Part, text: &str) -> Result<Self, ParseError> {
        match part {
            Part::Rows(root) => Ok(Self { signal, root }),
            Part::Trace(_) => {
                let message = "this asks for whole traces, which only a search for traces can answer";
                Err(ParseError { offset: 0, length: text.len(), message: message.to_owned(), suggestions: Vec::new() })
            }
        }
    }

    /// Understands `text` for counting rows. Of what asks for whole traces, the rows of the set that decides are counted, whether or not
    /// the rest holds for their traces; a note says so where there is a rest.
    pub(crate) fn rows(signal: Signal, text: &str) -> Result<(Self, Option<String>), ParseError> {
        let node = match parser::parse(signal, text)? {
            Part::Rows(root) => return Ok((Self { signal, root }, None)),
            Part::Trace(node) => node,
        };
        Ok(match node.decider().map(Set::rows) {
            Some(Set::Spans(root)) => {
                let is_whole = matches!(node, TraceNode::Some(Set::Spans(_)));
                let note = format!("counted are the spans that match “{root}”, also those of traces that the whole query does not find");
                (Self { signal, root: root.clone() }, (!is_whole).then_some(note))
            }
            _ => {
                let note = "counted are all spans, also those of traces that the query does not find: it asks for whole traces".to_owned();
                (Self { signal, root: Node::All }, Some(note))
            }
        })
    }

    /// The fields that it compares, as it would write them itself, each once.
    pub(crate) fn fields(&self) -> Vec<String> {
        let mut open = vec![&self.root];
        let mut names = Vec::new();
        while let Some(node) = open.pop() {
            match node {
                Node::And(nodes) | Node::Or(nodes) => open.extend(nodes),
                Node::Not(node) => open.push(node),
                Node::Test(test) => names.push(test.field.to_string()),
                Node::All | Node::Text(_) | Node::Exact(_) => {}
            }
        }
        names.sort();
        names.dedup();
        names
    }
}

/// The field that a name outside of a query means, as one after `attr.` or `resource.` also with unusual characters, and in quotes after
/// any of the prefixes. The error says what is wrong with it.
pub(crate) fn field(signal: Signal, name: &str) -> Result<Field, String> {
    match name.split_once('.') {
        Some((_, key)) if key.starts_with('"') => Field::parse(signal, name).map_err(|error| error.message),
        Some(("attr", key)) if !key.is_empty() => Ok(Field::Attribute(key.to_owned())),
        Some(("resource", key)) if !key.is_empty() => Ok(Field::Resource(key.to_owned())),
        _ => fields::resolve(signal, name).map_err(|(message, _)| message),
    }
}

#[cfg(test)]
mod tests;
