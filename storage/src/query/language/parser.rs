//! From text to tree, with a bound on everything that a text can make large.

use std::ops::Range;

use regex::RegexBuilder;

use super::super::question::ParseError;
use super::fields::{self, Field};
use super::lexer::{Lexer, complaint};
use super::structure::{Part, joined};
use super::tree::{Literal, Node, Operand, Operator, Pattern, Test, is_joint, is_keyword};
use crate::store::Signal;

mod braces;
mod joints;
mod meant;
mod whole;

/// Understands a whole text.
pub(super) fn parse(signal: Signal, text: &str) -> Result<Part, ParseError> {
    understood(signal, text, false)
}

/// As [`parse`], of a text that an earlier version may have understood: what is refused since is taken as it was then.
pub(super) fn parse_kept(signal: Signal, text: &str) -> Result<Part, ParseError> {
    understood(signal, text, true)
}

fn understood(signal: Signal, text: &str, is_kept: bool) -> Result<Part, ParseError> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(complaint(MAX_TEXT_BYTES..text.len(), format!("a query has at most {MAX_TEXT_BYTES} bytes")));
    }
    let mut parser =
        Parser { signal, lexer: Lexer::new(text), depth: 0, terms: 0, patterns: 0, sets: 0, follows_condition: false, is_kept };
    parser.lexer.skip_space();
    if parser.lexer.rest().is_empty() {
        return Ok(Part::Rows(Node::All));
    }
    braces::refuse(signal, text, parser.whole())
}

/// Bytes of text.
const MAX_TEXT_BYTES: usize = 64 * 1024;
/// Parentheses and negations inside each other.
const MAX_DEPTH: usize = 64;
/// Values and texts.
const MAX_TERMS: usize = 256;
/// Regular expressions.
const MAX_PATTERNS: usize = 20;
/// Bytes of one compiled regular expression.
const MAX_PATTERN_BYTES: usize = 1 << 20;

/// What is said of a pattern that exceeds its bound.
pub(in crate::query) const PATTERN_TOO_LARGE: &str = "the regular expression grows too large; make it simpler";

struct Parser<'a> {
    signal: Signal,
    lexer: Lexer<'a>,
    depth: usize,
    terms: usize,
    patterns: usize,
    /// Conditions on traces.
    sets: usize,
    /// Whether what was read last is a condition or a group, and no text.
    follows_condition: bool,
    /// Whether the text was accepted before.
    is_kept: bool,
}

impl Parser<'_> {
    fn whole(&mut self) -> Result<Part, ParseError> {
        let root = self.any()?;
        match self.lexer.peek() {
            None => Ok(root),
            Some(c) => Err(complaint(self.lexer.at()..self.lexer.at() + c.len_utf8(), "this parenthesis was never opened")),
        }
    }

    fn any(&mut self) -> Result<Part, ParseError> {
        let mut parts = vec![self.all()?];
        while self.lexer.keyword("OR") {
            self.lexer.eat("OR");
            parts.push(self.all()?);
        }
        Ok(Part::or(parts))
    }

    fn all(&mut self) -> Result<Part, ParseError> {
        let mut parts = vec![self.one()?];
        loop {
            self.lexer.skip_space();
            if self.lexer.keyword("AND") {
                self.lexer.eat("AND");
                parts.push(self.one()?);
            } else if self.lexer.keyword("OR") || matches!(self.lexer.peek(), None | Some(')')) {
                return Ok(Part::and(parts));
            } else {
                parts.push(self.one()?);
            }
        }
    }

    fn one(&mut self) -> Result<Part, ParseError> {
        self.lexer.skip_space();
        let at = self.lexer.at();
        if self.depth >= MAX_DEPTH {
            let next = self.lexer.peek().map_or(0, char::len_utf8);
            return Err(complaint(at..at + next, format!("parentheses and negations may be at most {MAX_DEPTH} deep")));
        }
        self.depth += 1;
        let part = self.one_within(at);
        self.depth -= 1;
        part
    }

    fn one_within(&mut self, at: usize) -> Result<Part, ParseError> {
        if self.lexer.keyword("NOT") {
            self.lexer.eat("NOT");
            return self.one().map(Part::not);
        }
        if self.lexer.eat("-") {
            return self.one().map(Part::not);
        }
        self.no_sign_of_exclusion(at)?;
        if let Some(group) = self.group(at)? {
            let related = self.related(group, at);
            self.follows_condition = true;
            return related;
        }
        if let Some(comparison) = self.comparison(at)? {
            self.follows_condition = true;
            return Ok(comparison);
        }
        let text = if self.lexer.peek() == Some('"') { self.quoted_text(at)? } else { self.word(at)? };
        self.follows_condition = matches!(text, Node::Test(_));
        Ok(Part::Rows(text))
    }

    /// What stands between a parenthesis that was just opened and the one that closes it.
    fn enclosed(&mut self, at: usize) -> Result<Part, ParseError> {
        self.follows_condition = false;
        let part = self.any()?;
        self.lexer.skip_space();
        if !self.lexer.eat(")") {
            return Err(complaint(at..at + 1, "this parenthesis is never closed"));
        }
        Ok(part)
    }

    fn quoted_text(&mut self, at: usize) -> Result<Node, ParseError> {
        let text = self.lexer.quoted()?;
        let end = self.lexer.at();
        if self.lexer.operator().is_some() {
            return Err(complaint(at..end, format!("a field name has no quotes around it; for an attribute write attr.\"{text}\"")));
        }
        self.count(at, end)?;
        Ok(if text.is_empty() { Node::All } else { Node::Text(Literal::Quoted(text)) })
    }

    fn word(&mut self, at: usize) -> Result<Node, ParseError> {
        self.no_brackets(at)?;
        let word = self.lexer.word();
        let mut end = self.lexer.at();
        // Keys of attributes may hold any character when they are quoted.
        let is_prefix = word.strip_suffix('.').is_some_and(|prefix| fields::PREFIXES.contains(&prefix));
        let quoted_key = if is_prefix && self.lexer.peek() == Some('"') {
            let key = self.lexer.quoted()?;
            end = self.lexer.at();
            Some(key)
        } else {
            None
        };
        let Some(operator) = self.lexer.operator() else {
            return self.free_text(word, quoted_key.is_some(), at, end);
        };
        if operator == Operator::Equal && self.lexer.peek() == Some('~') {
            return Err(complaint(
                self.lexer.at() - 1..self.lexer.at() + 1,
                "there is no operator `=~`; a regular expression follows `~`, as in body~\"took [0-9]+ ms\"",
            ));
        }
        if word.is_empty() {
            let relation = matches!(operator, Operator::Less | Operator::Greater | Operator::Match | Operator::NotMatch);
            let hint = if relation { "; what stands on both sides of a relation is put in parentheses" } else { "" };
            return Err(complaint(at..self.lexer.at(), format!("a field name is missing before `{}`{hint}", operator.as_str())));
        }
        if word == "case" && operator == Operator::Is {
            return self.exact_text();
        }
        let field = match &quoted_key {
            Some(key) => Ok(fields::attribute(self.signal, word.trim_end_matches('.'), key)),
            None => fields::resolve(self.signal, word),
        };
        let field = match field {
            Ok(field) => field,
            Err(refusal) => return Err(self.no_field(refusal, at..end, operator)),
        };
        self.lexer.skip_space();
        self.one_operator(at..end, operator)?;
        let start = self.lexer.at();
        let operand = self.operand(&field, operator);
        let operand = operand.map_err(|error| self.no_status(error, &field, operator, at..self.lexer.at(), start))?;
        Ok(Node::Test(Test { field, operator, operand }))
    }

    fn free_text(&mut self, word: &str, has_key: bool, at: usize, end: usize) -> Result<Node, ParseError> {
        if has_key {
            return Err(complaint(end..end, "an operator and a value are missing after the attribute"));
        }
        if word.is_empty() || is_keyword(word) {
            let found = self.lexer.rest().chars().next();
            return Err(match (word, found) {
                ("", None) => complaint(at..at, "a condition is missing at the end"),
                ("", Some(c)) => complaint(at..at + c.len_utf8(), format!("a condition is expected here, not `{c}`")),
                (word, _) => {
                    complaint(at..end, format!("a condition is expected here, not {word}; put it in quotes to search for the word"))
                }
            });
        }
        self.no_list(word, at)?;
        self.no_like(word, at)?;
        self.no_joint(word, at)?;
        self.count(at, end)?;
        // A backslash keeps such a word from joining.
        let word = word.strip_prefix('\\').filter(|rest| is_joint(rest)).unwrap_or(word);
        Ok(match words_with_gaps(word) {
            Literal::Glob(pieces) if pieces.iter().all(String::is_empty) => Node::All,
            text => Node::Text(text),
        })
    }

    /// What follows `case:`: texts in this very case.
    fn exact_text(&mut self) -> Result<Node, ParseError> {
        self.lexer.skip_space();
        let values = self.values(None, Operator::Is)?;
        let exact = |literal| match literal {
            Literal::Quoted(text) if text.is_empty() => Node::All,
            Literal::Glob(pieces) if pieces.iter().all(String::is_empty) => Node::All,
            literal => Node::Exact(literal),
        };
        Ok(joined(values.into_iter().map(|(literal, _)| exact(literal)).collect(), Node::Or))
    }

    fn operand(&mut self, field: &Field, operator: Operator) -> Result<Operand, ParseError> {
        if matches!(operator, Operator::Match | Operator::NotMatch) {
            return self.pattern(field);
        }
        let start = self.lexer.at();
        let values = self.values(Some(field), operator)?;
        fields::operand(self.signal, field, operator, values, start..self.lexer.at())
    }

    /// One value or several with commas between.
    fn values(&mut self, field: Option<&Field>, operator: Operator) -> Result<Vec<(Literal, Range<usize>)>, ParseError> {
        let mut values = Vec::new();
        loop {
            let at = self.lexer.at();
            let value = if field == Some(&Field::Has) { self.lexer.field_name()? } else { self.lexer.value()? };
            let end = self.lexer.at();
            if let Some(field) = field {
                self.ends_with_its_quotes(field, at..end)?;
            }
            match &value {
                Literal::Bare(text) if text.is_empty() => {
                    return Err(complaint(at..at, format!("a value is missing after `{}`", operator.as_str())));
                }
                Literal::Bare(text) if is_keyword(text) && end - at == text.len() => {
                    return Err(complaint(at..end, format!("a value is expected here; put {text} in quotes if you mean the word")));
                }
                _ => {}
            }
            self.count(at, end)?;
            values.push((value, at..end));
            if !self.lexer.eat(",") {
                return Ok(values);
            }
        }
    }

    fn pattern(&mut self, field: &Field) -> Result<Operand, ParseError> {
        let at = self.lexer.at();
        let text = self.lexer.pattern()?;
        let range = at..self.lexer.at();
        self.count(range.start, range.end)?;
        self.patterns += 1;
        if self.patterns > MAX_PATTERNS {
            return Err(complaint(range, format!("a query has at most {MAX_PATTERNS} regular expressions")));
        }
        if text.is_empty() {
            return Err(complaint(range, "a regular expression is missing"));
        }
        if !field.is_text() {
            return Err(complaint(range, format!("`{field}` is not text, so it takes no regular expression; use : or =")));
        }
        let compiled = RegexBuilder::new(&text).size_limit(MAX_PATTERN_BYTES).dfa_size_limit(MAX_PATTERN_BYTES).nest_limit(50).build();
        match compiled {
            Ok(regex) => Ok(Operand::Pattern(Pattern(regex))),
            Err(error) => Err(complaint(range, explain(&error))),
        }
    }

    fn count(&mut self, at: usize, end: usize) -> Result<(), ParseError> {
        self.terms += 1;
        if self.terms > MAX_TERMS {
            return Err(complaint(at..end, format!("a query has at most {MAX_TERMS} values and texts")));
        }
        Ok(())
    }
}

/// A word of free text, in which `*` stands for any letters.
fn words_with_gaps(word: &str) -> Literal {
    let mut pieces: Vec<String> = word.split('*').map(str::to_owned).collect();
    // Neighbouring stars are one.
    let last = pieces.len() - 1;
    let mut place = 0;
    pieces.retain(|piece| {
        place += 1;
        !piece.is_empty() || place == 1 || place == last + 1
    });
    if pieces.len() == 1 { Literal::Bare(word.to_owned()) } else { Literal::Glob(pieces) }
}

/// One line out of the several that the regex crate draws.
fn explain(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(_) => PATTERN_TOO_LARGE.to_owned(),
        other => {
            let text = other.to_string();
            let reason = text.lines().rev().find_map(|line| line.trim().strip_prefix("error: ")).unwrap_or("it cannot be compiled");
            format!("the regular expression is not valid: {reason}")
        }
    }
}
