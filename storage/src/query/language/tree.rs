//! The tree of a query, and its canonical text: parsing what `Display` writes gives an equal tree.

use std::fmt::{self, Display as _, Write as _};

use regex::Regex;

use crate::model::{Severity, SpanId, SpanKind, StatusCode, TraceId};

use super::fields::{Field, Presence};

/// What must hold for a record.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Node {
    /// Always.
    All,
    /// Every one of at least two.
    And(Vec<Self>),
    /// At least one of at least two.
    Or(Vec<Self>),
    /// The opposite.
    Not(Box<Self>),
    /// The text occurs somewhere in the record, whatever its case: a bare word as a word, a quoted one as it is.
    Text(Literal),
    /// The same in this very case.
    Exact(Literal),
    /// A field compares.
    Test(Test),
}

/// A comparison of one field.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Test {
    pub(crate) field: Field,
    pub(crate) operator: Operator,
    pub(crate) operand: Operand,
}

/// How a field is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    /// `:`, equal to one of the values, `*` stands for any text.
    Is,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    /// A regular expression finds something.
    Match,
    NotMatch,
}

/// What a field is compared with, of the field's type. Lists have at least one element, exactly one for orderings.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Operand {
    /// `field:*`.
    Anything,
    Text(Vec<Literal>),
    Pattern(Pattern),
    /// Durations in nanoseconds.
    Nanos(Vec<Reach<u64>>),
    Kinds(Vec<SpanKind>),
    Statuses(Vec<StatusCode>),
    Severities(Vec<Reach<SeverityTest>>),
    TraceIds(Vec<TraceId>),
    SpanIds(Vec<SpanId>),
    Flag(bool),
    Presences(Vec<Presence>),
}

/// A value as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Literal {
    /// Without quotes: may stand for a number or a truth value as well.
    Bare(String),
    /// In quotes: text only.
    Quoted(String),
    /// Pieces of text with any text between them; at least two, empty ones only at the ends.
    Glob(Vec<String>),
}

/// One value, or all from one to another, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach<T> {
    At(T),
    Between(Option<T>, Option<T>),
}

/// A severity as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SeverityTest {
    /// A word: the whole range of numbers.
    Range(Severity),
    /// A number.
    Number(i32),
    /// Numbers that lie in no range.
    Unknown,
}

/// A regular expression, bounded in size when compiled.
#[derive(Clone, Debug)]
pub(crate) struct Pattern(pub(crate) Regex);

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

// === Display ===

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("*"),
            Self::And(nodes) => joined(f, nodes, " "),
            Self::Or(nodes) => joined(f, nodes, " OR "),
            Self::Not(node) => {
                f.write_str("NOT ")?;
                inner(f, node)
            }
            // As the lexer read it: a word of free text knows no escapes, but for words that join elsewhere.
            Self::Text(Literal::Bare(word)) if is_joint(word) => write!(f, "\\{word}"),
            Self::Text(Literal::Bare(word)) => f.write_str(word),
            Self::Text(Literal::Glob(pieces)) => f.write_str(&pieces.join("*")),
            Self::Text(literal) => literal.fmt(f),
            Self::Exact(literal) => write!(f, "case:{literal}"),
            Self::Test(test) => test.fmt(f),
        }
    }
}

fn joined(f: &mut fmt::Formatter<'_>, nodes: &[Node], between: &str) -> fmt::Result {
    for (i, node) in nodes.iter().enumerate() {
        if i > 0 {
            f.write_str(between)?;
        }
        inner(f, node)?;
    }
    Ok(())
}

fn inner(f: &mut fmt::Formatter<'_>, node: &Node) -> fmt::Result {
    match node {
        Node::And(_) | Node::Or(_) => write!(f, "({node})"),
        _ => node.fmt(f),
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.field, self.operator.as_str(), self.operand)
    }
}

impl Operator {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Is => ":",
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Match => "~",
            Self::NotMatch => "!~",
        }
    }
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anything => f.write_str("*"),
            Self::Text(values) => list(f, values, |f, value| value.fmt(f)),
            Self::Pattern(pattern) => pattern.fmt(f),
            Self::Nanos(values) => reaches(f, values, |f, value| write!(f, "{value}ns")),
            Self::Kinds(values) => list(f, values, |f, value| f.write_str(value.as_str())),
            Self::Statuses(values) => list(f, values, |f, value| f.write_str(value.as_str())),
            Self::Severities(values) => reaches(f, values, |f, value| match value {
                SeverityTest::Range(severity) => f.write_str(severity.as_str()),
                SeverityTest::Number(number) => write!(f, "{number}"),
                SeverityTest::Unknown => f.write_str("unknown"),
            }),
            Self::TraceIds(values) => list(f, values, |f, value| value.fmt(f)),
            Self::SpanIds(values) => list(f, values, |f, value| value.fmt(f)),
            Self::Flag(value) => value.fmt(f),
            Self::Presences(values) => list(f, values, |f, value| value.fmt(f)),
        }
    }
}

/// Values and ranges with commas between.
pub(super) fn reaches<T>(
    f: &mut fmt::Formatter<'_>,
    values: &[Reach<T>],
    write: impl Fn(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    list(f, values, |f, reach| match reach {
        Reach::At(value) => write(f, value),
        Reach::Between(from, to) => {
            from.iter().try_for_each(|from| write(f, from))?;
            f.write_str("..")?;
            to.iter().try_for_each(|to| write(f, to))
        }
    })
}

fn list<T>(f: &mut fmt::Formatter<'_>, values: &[T], write: impl Fn(&mut fmt::Formatter<'_>, &T) -> fmt::Result) -> fmt::Result {
    for (i, value) in values.iter().enumerate() {
        if i > 0 {
            f.write_char(',')?;
        }
        write(f, value)?;
    }
    Ok(())
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Quoted(text) => quoted(f, text),
            Self::Bare(text) if is_keyword(text) => write!(f, "\\{text}"),
            Self::Bare(text) => bare(f, text, true),
            Self::Glob(pieces) => {
                for (i, piece) in pieces.iter().enumerate() {
                    if i > 0 {
                        f.write_char('*')?;
                    }
                    bare(f, piece, i == 0)?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        let mut escaped = false;
        for c in self.0.as_str().chars() {
            if c == '"' && !escaped {
                f.write_char('\\')?;
            }
            escaped = c == '\\' && !escaped;
            f.write_char(c)?;
        }
        f.write_char('"')
    }
}

/// Words that join or negate.
pub(super) fn is_keyword(word: &str) -> bool {
    matches!(word, "AND" | "OR" | "NOT")
}

/// Words of free text that join or negate in other languages.
pub(crate) fn is_joint(word: &str) -> bool {
    matches!(word, "||" | "&&" | "|") || (!is_keyword(word) && ["and", "or", "not"].iter().any(|joint| word.eq_ignore_ascii_case(joint)))
}

fn bare(f: &mut fmt::Formatter<'_>, text: &str, first: bool) -> fmt::Result {
    for (i, c) in text.chars().enumerate() {
        let leading = first && i == 0 && matches!(c, ':' | '=' | '<' | '>' | '~' | '!');
        if leading || c.is_whitespace() || matches!(c, '(' | ')' | ',' | '"' | '\\' | '*') {
            f.write_char('\\')?;
        }
        f.write_char(c)?;
    }
    Ok(())
}

/// In quotes, so that the lexer reads the same text again.
pub(super) fn quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            c => f.write_char(c)?,
        }
    }
    f.write_char('"')
}
