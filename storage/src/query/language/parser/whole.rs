//! The part of the grammar that asks for traces as a whole; see `language/structure.rs`.

use std::ops::Range;

use super::super::super::question::ParseError;
use super::super::fields::{self, Field};
use super::super::lexer::complaint;
use super::super::structure::{Part, Quantity, Relation, Set, TraceNode};
use super::super::tree::{Literal, Node, Operand, Operator, Reach, Test};
use super::Parser;
use crate::store::Signal;

/// Conditions on traces in one query.
const MAX_SETS: usize = 32;
/// Words before a parenthesis that say whose conditions follow.
const SCOPES: [&str; 3] = ["trace", "root", "log"];

impl Parser<'_> {
    /// `(…)`, `trace:(…)`, `root:(…)` or `log:(…)`, when one comes next.
    pub(super) fn group(&mut self, at: usize) -> Result<Option<Part>, ParseError> {
        if self.lexer.eat("(") {
            return self.enclosed(at).map(Some);
        }
        let opens = |scope: &&&str| self.lexer.rest().strip_prefix(**scope).is_some_and(|rest| rest.starts_with(":("));
        let Some(scope) = SCOPES.iter().find(opens) else { return Ok(None) };
        if self.signal == Signal::Logs {
            return Err(complaint(at..at + scope.len() + 2, format!("`{scope}:(…)` can only be asked of traces, not of log records")));
        }
        self.lexer.eat(scope);
        self.lexer.eat(":(");
        let around = self.signal;
        self.signal = if *scope == "log" { Signal::Logs } else { Signal::Traces };
        let inside = self.enclosed(at + scope.len() + 1);
        self.signal = around;
        let Part::Rows(node) = inside? else {
            let message = format!("inside of `{scope}:(…)` stand conditions on one span, not on a trace");
            return Err(complaint(at..self.lexer.at(), message));
        };
        self.set(at)?;
        Ok(Some(Part::Trace(TraceNode::Some(match *scope {
            "log" => Set::Logs(node),
            "root" => Set::Spans(of_root(node)),
            _ => Set::Spans(node),
        }))))
    }

    /// What follows a group by relations.
    pub(super) fn related(&mut self, first: Part, start: usize) -> Result<Part, ParseError> {
        let mut left = first;
        loop {
            let before = self.lexer.clone();
            self.lexer.skip_space();
            let at = self.lexer.at();
            let Some((relation, negated, written)) = Relation::read(self.lexer.rest()) else {
                self.lexer = before;
                return Ok(left);
            };
            let written = written.to_owned();
            if self.signal == Signal::Logs {
                return Err(complaint(at..at + written.len(), format!("`{written}` can only be asked of traces, not of log records")));
            }
            self.lexer.eat(&written);
            let left_set = self.side(left, &written, start..at)?;
            self.lexer.skip_space();
            let right_at = self.lexer.at();
            let Some(right) = self.group(right_at)? else {
                let message = format!("what follows `{written}` is put in parentheses, such as (name:x) or log:(word)");
                return Err(complaint(right_at..right_at + self.lexer.peek().map_or(0, char::len_utf8), message));
            };
            let right = self.side(right, &written, right_at..self.lexer.at())?;
            left = Part::Trace(TraceNode::Some(Set::Related { left: Box::new(left_set), relation, negated, right: Box::new(right) }));
        }
    }

    fn side(&mut self, part: Part, written: &str, place: Range<usize>) -> Result<Set, ParseError> {
        self.set(place.start)?;
        let message = || format!("both sides of `{written}` are conditions on one span or log record, not on a trace");
        part.into_set().ok_or_else(|| complaint(place, message()))
    }

    /// `count(…)>=2`, `trace.duration>1s` and `has:log`, when one comes next.
    pub(super) fn comparison(&mut self, at: usize) -> Result<Option<Part>, ParseError> {
        if self.signal == Signal::Logs {
            let counts = self.lexer.rest().starts_with("count(");
            let refuse = || complaint(at..at + "count".len(), "`count(…)` can only be asked of traces, not of log records");
            return if counts { Err(refuse()) } else { Ok(None) };
        }
        let before = self.lexer.clone();
        let word = self.lexer.word();
        let quantity = if word == "count" && self.lexer.eat("(") {
            let inside = self.enclosed(at + word.len())?;
            self.set(at)?;
            let message = "inside of `count(…)` stand conditions on one span or log record, not on a trace";
            let set = inside.into_set().ok_or_else(|| complaint(at..self.lexer.at(), message))?;
            Some(Quantity::Count(set))
        } else {
            Quantity::named(word)
        };
        if let Some(quantity) = quantity {
            let end = self.lexer.at();
            let missing = || complaint(end..end, "a comparison is missing, such as >=2; in quotes it would be a word to search for");
            let operator = self.lexer.operator().ok_or_else(missing)?;
            self.lexer.skip_space();
            self.one_operator(at..end, operator)?;
            let values = self.numbers(&quantity, operator)?;
            return Ok(Some(Part::Trace(TraceNode::Compare(quantity, operator, values))));
        }
        if word == "has" && self.lexer.operator() == Some(Operator::Is) {
            self.lexer.skip_space();
            if matches!(self.lexer.value(), Ok(Literal::Bare(value)) if value == "log" || value == "logs") && self.lexer.peek() != Some(',')
            {
                return Ok(Some(Part::Trace(TraceNode::Some(Set::Logs(Node::All)))));
            }
        }
        self.lexer = before;
        Ok(None)
    }

    fn numbers(&mut self, quantity: &Quantity, operator: Operator) -> Result<Vec<Reach<u64>>, ParseError> {
        self.lexer.skip_space();
        let start = self.lexer.at();
        if matches!(operator, Operator::Match | Operator::NotMatch) {
            return Err(complaint(start..start, "a number has no regular expression; use :, =, != or <"));
        }
        let values = self.values(None, operator)?;
        if *quantity == Quantity::Duration {
            let all = start..self.lexer.at();
            return match fields::operand(self.signal, &Field::Duration, operator, values, all.clone())? {
                Operand::Nanos(values) => Ok(values),
                _ => Err(complaint(all, "a duration is missing")),
            };
        }
        if values.len() > 1 && !matches!(operator, Operator::Is | Operator::Equal | Operator::NotEqual) {
            return Err(complaint(start..self.lexer.at(), format!("`{}` takes one value, not a list", operator.as_str())));
        }
        values.into_iter().map(|(literal, place)| number(&literal, operator, place)).collect()
    }

    fn set(&mut self, at: usize) -> Result<(), ParseError> {
        self.sets += 1;
        if self.sets > MAX_SETS {
            return Err(complaint(at..self.lexer.at(), format!("a query has at most {MAX_SETS} conditions on whole traces")));
        }
        Ok(())
    }
}

fn number(literal: &Literal, operator: Operator, place: Range<usize>) -> Result<Reach<u64>, ParseError> {
    let refuse = || complaint(place.clone(), "a whole number is expected here");
    let (Literal::Bare(text) | Literal::Quoted(text)) = literal else { return Err(refuse()) };
    let read = |text: &str| text.parse::<u64>().map_err(|_| refuse());
    match fields::ends(text) {
        Some((from, to)) if operator == Operator::Is => Ok(Reach::Between(from.map(read).transpose()?, to.map(read).transpose()?)),
        _ => read(text).map(Reach::At),
    }
}

/// The same of a span without parent.
fn of_root(node: Node) -> Node {
    let root = Node::Test(Test { field: Field::Root, operator: Operator::Is, operand: Operand::Flag(true) });
    match node {
        Node::All => root,
        Node::And(mut nodes) => {
            nodes.insert(0, root);
            Node::And(nodes)
        }
        other => Node::And(vec![root, other]),
    }
}
