//! Reads a query text piece by piece. What a piece may hold depends on its place, so the parser says what it expects.

use std::ops::Range;

use super::super::question::ParseError;
use super::tree::{Literal, Operator};

/// A place in a text.
#[derive(Clone, Debug)]
pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// Byte offset of the next character.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// A part of the text.
    pub(super) fn slice(&self, range: Range<usize>) -> &'a str {
        self.text.get(range).unwrap_or_default()
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Steps over `token` when it comes next.
    pub(super) fn eat(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    pub(super) fn skip_space(&mut self) {
        self.take_while(char::is_whitespace);
    }

    /// The next word when it is a keyword, without stepping over it.
    pub(super) fn keyword(&self, word: &str) -> bool {
        self.rest()
            .strip_prefix(word)
            .is_some_and(|rest| rest.chars().next().is_none_or(|c| c.is_whitespace() || matches!(c, '(' | ')' | '"')))
    }

    /// A field name or a word of free text: ends at space, parenthesis, quote or operator.
    pub(super) fn word(&mut self) -> &'a str {
        let start = self.at;
        while let Some(c) = self.peek() {
            let operator =
                matches!(c, ':' | '=' | '<' | '>' | '~') || (c == '!' && (self.rest().starts_with("!=") || self.rest().starts_with("!~")));
            if c.is_whitespace() || operator || matches!(c, '(' | ')' | '"') {
                break;
            }
            self.at += c.len_utf8();
        }
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// An operator, also behind spaces. Stays in place when there is none.
    pub(super) fn operator(&mut self) -> Option<Operator> {
        const OPERATORS: [Operator; 9] = [
            Operator::NotEqual,
            Operator::NotMatch,
            Operator::LessOrEqual,
            Operator::GreaterOrEqual,
            Operator::Is,
            Operator::Equal,
            Operator::Less,
            Operator::Greater,
            Operator::Match,
        ];
        let before = self.at;
        self.skip_space();
        let found = OPERATORS.into_iter().find(|operator| self.eat(operator.as_str()));
        if found.is_none() {
            self.at = before;
        }
        found
    }

    /// A quoted text; the next character is the quote.
    pub(super) fn quoted(&mut self) -> Result<String, ParseError> {
        let start = self.at;
        self.at += 1;
        let mut text = String::new();
        while let Some(c) = self.peek() {
            let at = self.at;
            self.at += c.len_utf8();
            match c {
                '"' => return Ok(text),
                '\\' => {
                    let escaped = self.peek().ok_or_else(|| unclosed(start))?;
                    self.at += escaped.len_utf8();
                    text.push(match escaped {
                        'n' => '\n',
                        'r' => '\r',
                        't' => '\t',
                        '"' | '\\' => escaped,
                        _ => return Err(complaint(at..self.at, "only \\\", \\\\, \\n, \\r and \\t may follow a backslash in quotes")),
                    });
                }
                c => text.push(c),
            }
        }
        Err(unclosed(start))
    }

    /// A value: quoted, or a bare word in which `*` stands for any text.
    pub(super) fn value(&mut self) -> Result<Literal, ParseError> {
        if self.peek() == Some('"') {
            return self.quoted().map(Literal::Quoted);
        }
        let mut pieces = vec![String::new()];
        while let Some(c) = self.peek() {
            if c.is_whitespace() || matches!(c, '(' | ')' | ',' | '"') {
                break;
            }
            let at = self.at;
            self.at += c.len_utf8();
            let literal = match c {
                '*' => {
                    // Neighbouring stars are one.
                    if pieces.len() == 1 || pieces.last().is_some_and(|piece| !piece.is_empty()) {
                        pieces.push(String::new());
                    }
                    continue;
                }
                '\\' => {
                    let escaped =
                        self.peek().ok_or_else(|| complaint(at..self.at, "a backslash must be followed by the character it keeps"))?;
                    self.at += escaped.len_utf8();
                    escaped
                }
                c => c,
            };
            if let Some(piece) = pieces.last_mut() {
                piece.push(literal);
            }
        }
        Ok(match pieces.pop() {
            Some(only) if pieces.is_empty() => Literal::Bare(only),
            last => {
                pieces.extend(last);
                Literal::Glob(pieces)
            }
        })
    }

    /// The name of a field as a value: a bare word whose end may be in quotes, as in `attr."a b"`.
    pub(super) fn field_name(&mut self) -> Result<Literal, ParseError> {
        let start = self.at;
        let value = self.value()?;
        if matches!(&value, Literal::Bare(text) if text.ends_with('.')) && self.peek() == Some('"') {
            self.quoted()?;
            return Ok(Literal::Bare(self.slice(start..self.at).to_owned()));
        }
        Ok(value)
    }

    /// A regular expression: in quotes, where only `\"` is special, or a bare word.
    pub(super) fn pattern(&mut self) -> Result<String, ParseError> {
        if self.peek() != Some('"') {
            let start = self.at;
            self.take_while(|c| !c.is_whitespace() && !matches!(c, '(' | ')' | ',' | '"'));
            return Ok(self.text.get(start..self.at).unwrap_or_default().to_owned());
        }
        let start = self.at;
        self.at += 1;
        let mut pattern = String::new();
        while let Some(c) = self.peek() {
            self.at += c.len_utf8();
            match c {
                '"' => return Ok(pattern),
                '\\' => {
                    let escaped = self.peek().ok_or_else(|| unclosed(start))?;
                    self.at += escaped.len_utf8();
                    if escaped != '"' {
                        pattern.push('\\');
                    }
                    pattern.push(escaped);
                }
                c => pattern.push(c),
            }
        }
        Err(unclosed(start))
    }

    fn take_while(&mut self, accept: impl Fn(char) -> bool) {
        let rest = self.rest();
        self.at += rest.find(|c| !accept(c)).unwrap_or(rest.len());
    }
}

/// An error over `range` without suggestions.
pub(super) fn complaint(range: Range<usize>, message: impl Into<String>) -> ParseError {
    ParseError { offset: range.start, length: range.len(), message: message.into(), suggestions: Vec::new() }
}

fn unclosed(start: usize) -> ParseError {
    complaint(start..start + 1, "this quote is never closed")
}
