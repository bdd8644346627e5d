//! What a mistaken condition was perhaps meant to be. Each suggestion takes the place of what the error points at.

use std::ops::Range;

use super::super::super::question::ParseError;
use super::super::fields::{self, Field, Refusal};
use super::super::lexer::complaint;
use super::super::tree::Operator;
use super::Parser;
use crate::store::Signal;

impl Parser<'_> {
    /// Refuses a second sign behind an operator: `status == error`, `duration:>1s`.
    pub(super) fn one_operator(&mut self, field: Range<usize>, operator: Operator) -> Result<(), ParseError> {
        if matches!(operator, Operator::Match | Operator::NotMatch) {
            return Ok(());
        }
        let Some(second) = ["!=", ">=", "<=", "=", ">", "<"].into_iter().find(|sign| self.lexer.eat(sign)) else { return Ok(()) };
        let meant = match (operator, second) {
            (Operator::Is | Operator::Equal, "=") => Some(":"),
            (Operator::Is | Operator::Equal, other) => Some(other),
            (Operator::Greater, "=") => Some(">="),
            (Operator::Less, "=") => Some("<="),
            (Operator::NotEqual, "=") | (Operator::Less, ">") => Some("!="),
            _ => None,
        };
        self.lexer.skip_space();
        let value = self.lexer.at();
        self.values(None, operator)?;
        let value = self.lexer.slice(value..self.lexer.at());
        let written = |meant: &str| format!("{}{meant}{value}", self.lexer.slice(field.clone()));
        Err(ParseError {
            offset: field.start,
            length: self.lexer.at() - field.start,
            message: format!(
                "one operator stands between a field and its value, not `{}` and `{second}`; a value that begins with `{second}` is put in quotes",
                operator.as_str()
            ),
            suggestions: meant.map(written).into_iter().collect(),
        })
    }

    /// Refuses `"5".."6"` and `5.."6"`, which would be one end and a text to look for.
    pub(super) fn ends_with_its_quotes(&self, field: &Field, value: Range<usize>) -> Result<(), ParseError> {
        let (written, rest) = (self.lexer.slice(value.clone()), self.lexer.rest());
        let is_range = if written.starts_with('"') { rest.starts_with("..") } else { written.ends_with("..") && rest.starts_with('"') };
        if is_range {
            let message = format!("the ends of a range have no quotes; of texts write {field}>=\"…\" {field}<=\"…\"");
            return Err(complaint(value.start..value.end + rest.find([' ', ')']).unwrap_or(rest.len()), message));
        }
        Ok(())
    }

    /// A field that these records do not have: what others have instead, with the value that follows.
    pub(super) fn no_field(&mut self, (message, suggestions): Refusal, field: Range<usize>, operator: Operator) -> ParseError {
        let error = ParseError { offset: field.start, length: field.len(), message, suggestions };
        let name = self.lexer.slice(field.clone()).to_owned();
        self.lexer.skip_space();
        let start = self.lexer.at();
        if matches!(operator, Operator::Match | Operator::NotMatch) || self.values(None, operator).is_err() {
            return error;
        }
        let value = self.lexer.slice(start..self.lexer.at());
        let is_error = value.eq_ignore_ascii_case("error");
        let mut meant = Vec::new();
        match (self.signal, name.as_str()) {
            (Signal::Traces, "level" | "severity") if is_error => meant.push("status:error".to_owned()),
            (Signal::Logs, "status") if is_error => meant.push("severity:error".to_owned()),
            _ => {}
        }
        // Inside of a condition on a trace, no other one can stand.
        if self.signal == Signal::Traces && self.depth <= 1 && Field::parse(Signal::Logs, &name).is_ok() {
            meant.push(format!("log:({name}{}{value})", operator.as_str()));
        }
        if meant.is_empty() {
            return error;
        }
        ParseError { length: self.lexer.at() - field.start, suggestions: meant, ..error }
    }

    /// Refuses a list behind `IN`, as SQL has it, when what stands before it is the name of a field and not a word to be found.
    pub(super) fn no_list(&self, word: &str, at: usize) -> Result<(), ParseError> {
        let Some((is_negated, values, rest)) = list_behind_in(self.lexer.rest(), !self.is_kept) else { return Ok(()) };
        if fields::resolve(self.signal, word).is_err() {
            return Ok(());
        }
        let length = self.lexer.at() + self.lexer.rest().len() - rest.len() - at;
        let message = "a list of values follows the field after `:`, with commas between".to_owned();
        Err(ParseError { offset: at, length, message, suggestions: vec![format!("{}{word}:{values}", if is_negated { "-" } else { "" })] })
    }

    /// Refuses `LIKE` and `contains` behind the name of a field, with a text.
    pub(super) fn no_like(&self, word: &str, at: usize) -> Result<(), ParseError> {
        let Some((text, length)) = text_behind_like(self.lexer.rest()).filter(|_| !self.is_kept) else { return Ok(()) };
        if fields::resolve(self.signal, word).is_err() {
            return Ok(());
        }
        let length = self.lexer.at() + length - at;
        let message = "what a text holds is asked for by a regular expression after `~`".to_owned();
        Err(ParseError { offset: at, length, message, suggestions: vec![format!("{word}~\"{}\"", regex::escape(&text))] })
    }

    /// Refuses `attributes["a.b"]`, as SQL and others name an attribute.
    pub(super) fn no_brackets(&self, at: usize) -> Result<(), ParseError> {
        let text = self.lexer.slice(at..at + self.lexer.rest().len());
        let Some((prefix, key, length)) = key_in_brackets(text).filter(|_| !self.is_kept) else { return Ok(()) };
        let is_plain = key.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-'));
        let meant = if is_plain { format!("{prefix}.{key}") } else { format!("{prefix}.\"{key}\"") };
        let message = "the key of an attribute follows a dot, without brackets".to_owned();
        Err(ParseError { offset: at, length, message, suggestions: vec![meant] })
    }

    /// A status that is none of a span: numbers such as 500 and 5xx are those of HTTP, an attribute.
    pub(super) fn no_status(
        &self,
        error: ParseError,
        field: &Field,
        operator: Operator,
        condition: Range<usize>,
        value: usize,
    ) -> ParseError {
        let text = self.lexer.slice(value..condition.end);
        let is_code =
            |text: &str| text.len() == 3 && matches!(text.as_bytes(), [b'1'..=b'5', rest @ ..] if rest.iter().all(u8::is_ascii_digit));
        let class = text.to_ascii_lowercase().strip_suffix("xx").filter(|class| is_code(&format!("{class}00"))).map(str::to_owned);
        let value = match class {
            Some(class) if operator == Operator::Is => format!("{class}00..{class}99"),
            None if text.split(',').all(is_code) => text.to_owned(),
            _ => return error,
        };
        if *field != Field::Status {
            return error;
        }
        ParseError {
            offset: condition.start,
            length: condition.len(),
            message: "`status` is that of the span: unset, ok or error; the status of HTTP is an attribute".to_owned(),
            suggestions: vec![format!("http.response.status_code{}{value}", operator.as_str())],
        }
    }
}

/// What `IN (1, 'a')` or `NOT IN (…)` lists, as values are written here, whether it is negated, and what follows.
fn list_behind_in(text: &str, may_be_in_brackets: bool) -> Option<(bool, String, &str)> {
    let behind = |text: &'_ str, word: &str| {
        let text = text.trim_start();
        let is_it = text.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word));
        is_it.then(|| text.len() - word.len())
    };
    let after = |left: usize| text.get(text.len() - left..);
    let not = behind(text, "NOT").and_then(after).filter(|rest| rest.starts_with(char::is_whitespace));
    let list = behind(not.unwrap_or(text), "IN").and_then(after)?;
    let list = list.trim_start();
    let (list, rest) = match list.strip_prefix('[').filter(|_| may_be_in_brackets) {
        Some(list) => list.split_once(']')?,
        None => list.strip_prefix('(')?.split_once(')')?,
    };
    let values = list.split(',').map(|value| listed(value.trim())).collect::<Option<Vec<_>>>()?;
    Some((not.is_some(), values.join(","), rest))
}

/// The text of `LIKE "%a%"`, `contains 'a'` and the like without its signs, and where it ends. Signs within the text are left alone.
fn text_behind_like(rest: &str) -> Option<(String, usize)> {
    let text = rest.trim_start();
    let word = ["ilike", "like", "contains"]
        .into_iter()
        .find(|word| text.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word)))?;
    let quoted = text.get(word.len()..)?.trim_start();
    let quote = quoted.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let (inner, after) = quoted.get(1..)?.split_once(quote)?;
    let inner = inner.trim_matches('%');
    (!inner.is_empty() && !inner.contains(['%', '"', '\\'])).then(|| (inner.to_owned(), rest.len() - after.len()))
}

/// Prefix, key and length of `attributes["a.b"]`.
fn key_in_brackets(text: &str) -> Option<(&'static str, &str, usize)> {
    let (name, rest) = text.split_once('[')?;
    let prefix = match name {
        "attributes" | "attribute" | "attr" | "tags" | "span_attributes" | "log_attributes" => "attr",
        "resource" | "resources" | "resource_attributes" => "resource",
        _ => return None,
    };
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let (key, after) = rest.get(1..)?.split_once(quote)?;
    let after = after.strip_prefix(']')?;
    (!key.is_empty() && !key.contains(['"', '\\'])).then(|| (prefix, key, text.len() - after.len()))
}

/// A value of such a list; `None` when it is something else.
fn listed(value: &str) -> Option<String> {
    if let Some(text) = value.strip_prefix('\'').and_then(|value| value.strip_suffix('\'')) {
        return (!text.contains(['"', '\\'])).then(|| format!("\"{text}\""));
    }
    let inner = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
    let is_plain = !inner.is_empty() && (inner.len() < value.len() || !inner.contains(char::is_whitespace));
    (is_plain && !inner.contains([':', '=', '<', '>', '~', '(', '"', '\''])).then(|| value.to_owned())
}
