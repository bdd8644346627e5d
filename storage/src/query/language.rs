//! The query language: one text for traces and logs, with errors that point at the character.
//!
//! Owns the grammar, the names of fields and the tree. Knows nothing of columns or of how a tree is answered.
//!
//! ```text
//! query   = any
//! any     = all { "OR" all }
//! all     = one { [ "AND" ] one }
//! one     = ( "NOT" | "-" ) one | "(" any ")" | test | text | "*"
//! test    = field operator value { "," value }
//! operator= ":" | "=" | "!=" | "<" | "<=" | ">" | ">=" | "~" | "!~"
//! value   = bare word, where \ takes the next character as it is and * stands for any text after ":" | "quoted text"
//! ```
//!
//! `!=` and `!~` are the exact opposites of `=` and `~`: a record without the field passes them.

mod fields;
mod lexer;
mod parser;
mod tree;

pub(crate) use self::fields::{Field, Presence, equivalents};
pub(crate) use self::tree::{Literal, Node, Operand, Operator, SeverityTest, Test};

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

impl Query {
    /// Understands `text`; an empty text matches everything.
    pub(crate) fn parse(signal: Signal, text: &str) -> Result<Self, ParseError> {
        Ok(Self { signal, root: parser::parse(signal, text)? })
    }
}

#[cfg(test)]
mod tests;
