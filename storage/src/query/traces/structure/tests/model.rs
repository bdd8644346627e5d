//! Questions about whole traces, and their answers by looking at every trace as a person would.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::model::{LogRecord, Span, SpanId, TimeRange, TraceId, UnixNanos};
use crate::query::fixtures::Dice;
use crate::query::question::TraceOrder;

type SpanCondition = (&'static str, fn(&Span) -> bool);
type LogCondition = (&'static str, fn(&LogRecord) -> bool);

const SPANS: [SpanCondition; 8] = [
    ("service:api", |s| s.service_name() == "api"),
    ("service:pay status:error", |s| s.service_name() == "pay" && s.is_error()),
    ("status:error", |s| s.is_error()),
    ("-status:error", |s| !s.is_error()),
    ("name:select OR name:send", |s| s.name == "select" || s.name == "send"),
    ("duration>=500ns", |s| s.duration() >= 500),
    ("root:true", |s| s.parent_span_id.is_none()),
    ("attr.rare:yes", |s| s.attribute("rare").is_some()),
];
const LOGS: [LogCondition; 4] = [
    ("severity>=error", |r| r.severity_number >= 17),
    ("deadlock", |r| r.body.as_str().unwrap().contains("deadlock")),
    ("*", |_| true),
    ("service:pay", |r| r.service_name() == "pay"),
];

/// A question in a form that can be answered without the engine.
#[derive(Clone, Debug)]
pub(super) enum Question {
    Set(Members),
    Not(Box<Self>),
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
    Count(Members, &'static str, u64),
    Number(&'static str, &'static str, u64),
}

#[derive(Clone, Debug)]
pub(super) enum Members {
    Spans(usize),
    Logs(usize),
    Related(Box<Self>, &'static str, Box<Self>),
}

const COMPARISONS: [&str; 6] = [">=", ">", "<=", "<", "!=", ":"];

fn members(dice: &mut Dice, depth: u32) -> Members {
    match dice.roll(if depth == 0 { 4 } else { 8 }) {
        0 => Members::Logs(dice.count(LOGS.len() as u64)),
        1..4 => Members::Spans(dice.count(SPANS.len() as u64)),
        _ => {
            let relation = *dice.pick(&[">", ">>", "<", "<<", "~", "!>", "!>>", "!<", "!<<", "!~"]);
            Members::Related(Box::new(members(dice, depth - 1)), relation, Box::new(members(dice, depth - 1)))
        }
    }
}

pub(super) fn question(dice: &mut Dice, depth: u32) -> Question {
    match dice.roll(if depth == 0 { 4 } else { 8 }) {
        0 => Question::Count(members(dice, 1), COMPARISONS[dice.count(6)], dice.roll(4)),
        1 => {
            let (name, most) = *dice.pick(&[("duration", 2_000), ("spans", 8), ("errors", 4), ("services", 4), ("logs", 4)]);
            Question::Number(name, COMPARISONS[dice.count(6)], dice.roll(most))
        }
        2 | 3 => Question::Set(members(dice, 2)),
        4 => Question::Not(Box::new(question(dice, depth - 1))),
        5 => Question::Or(Box::new(question(dice, depth - 1)), Box::new(question(dice, depth - 1))),
        _ => Question::And(Box::new(question(dice, depth - 1)), Box::new(question(dice, depth - 1))),
    }
}

fn side(members: &Members) -> String {
    match members {
        Members::Spans(i) => format!("({})", SPANS[*i].0),
        Members::Logs(i) => format!("log:({})", LOGS[*i].0),
        Members::Related(left, relation, right) => format!("({} {relation} {})", side(left), side(right)),
    }
}

pub(super) fn text(question: &Question) -> String {
    match question {
        Question::Set(Members::Spans(i)) => format!("trace:({})", SPANS[*i].0),
        Question::Set(members) => side(members),
        Question::Not(inner) => format!("NOT ({})", text(inner)),
        Question::And(a, b) => format!("({}) ({})", text(a), text(b)),
        Question::Or(a, b) => format!("(({}) OR {})", text(a), text(b)),
        Question::Count(members, comparison, n) => format!("count{}{comparison}{n}", format_args!("({})", side(members))),
        Question::Number(name, comparison, n) => {
            format!("trace.{name} {comparison} {n}{}", if *name == "duration" { "ns" } else { "" })
        }
    }
}

/// A trace as a person would look at it.
struct Seen<'a> {
    spans: Vec<&'a Span>,
    logs: Vec<&'a LogRecord>,
}

impl Seen<'_> {
    fn len(&self) -> usize {
        self.spans.len() + self.logs.len()
    }

    /// The id of what an item hangs on. Spans first, then records.
    fn above(&self, item: usize) -> Option<SpanId> {
        match self.spans.get(item) {
            Some(span) => span.parent_span_id,
            None => self.logs[item - self.spans.len()].span_id,
        }
    }

    fn parent(&self, item: usize) -> Option<usize> {
        self.above(item).and_then(|id| self.spans.iter().position(|span| span.span_id == id))
    }

    fn is_above(&self, upper: usize, lower: usize) -> bool {
        let mut at = lower;
        while let Some(parent) = self.parent(at) {
            if parent == upper {
                return true;
            }
            at = parent;
        }
        false
    }

    fn time(&self, item: usize) -> u64 {
        match self.spans.get(item) {
            Some(span) => span.start.get(),
            None => self.logs[item - self.spans.len()].time.get(),
        }
    }

    fn members(&self, members: &Members) -> Vec<usize> {
        match members {
            Members::Spans(i) => (0..self.spans.len()).filter(|item| SPANS[*i].1(self.spans[*item])).collect(),
            Members::Logs(i) => (self.spans.len()..self.len()).filter(|item| LOGS[*i].1(self.logs[*item - self.spans.len()])).collect(),
            Members::Related(left, relation, right) => {
                let left = self.members(left);
                let stands = |a: usize, b: usize| match relation.trim_start_matches('!') {
                    ">" => self.parent(b) == Some(a),
                    ">>" => self.is_above(a, b),
                    "<" => self.parent(a) == Some(b),
                    "<<" => self.is_above(b, a),
                    _ => a != b && self.above(a).is_some() && self.above(a) == self.above(b),
                };
                let negated = relation.starts_with('!');
                self.members(right).into_iter().filter(|b| left.iter().any(|a| stands(*a, *b)) != negated).collect()
            }
        }
    }

    fn holds(&self, question: &Question) -> bool {
        match question {
            Question::Set(members) => !self.members(members).is_empty(),
            Question::Not(inner) => !self.holds(inner),
            Question::And(a, b) => self.holds(a) && self.holds(b),
            Question::Or(a, b) => self.holds(a) || self.holds(b),
            Question::Count(members, comparison, n) => compare(self.members(members).len() as u64, comparison, *n),
            Question::Number(name, comparison, n) => {
                let services: std::collections::BTreeSet<_> = self.spans.iter().map(|span| span.service_name()).collect();
                let start = self.spans.iter().map(|span| span.start.get()).min().unwrap();
                let number = match *name {
                    "duration" => self.spans.iter().map(|span| span.end.get()).max().unwrap() - start,
                    "spans" => self.spans.len() as u64,
                    "errors" => self.spans.iter().filter(|span| span.is_error()).count() as u64,
                    "services" => services.len() as u64,
                    _ => self.logs.len() as u64,
                };
                compare(number, comparison, *n)
            }
        }
    }
}

fn compare(number: u64, comparison: &str, n: u64) -> bool {
    match comparison {
        ">=" => number >= n,
        ">" => number > n,
        "<=" => number <= n,
        "<" => number < n,
        "!=" => number != n,
        _ => number == n,
    }
}

fn decider(question: &Question) -> Option<&Members> {
    match question {
        Question::Set(members) => Some(members),
        Question::And(a, b) => decider(a).or_else(|| decider(b)),
        Question::Count(members, comparison, n) if ["<=", "<"].iter().all(|less| less != comparison) && !compare(0, comparison, *n) => {
            Some(members)
        }
        _ => None,
    }
}

fn of_spans(members: &Members) -> bool {
    match members {
        Members::Spans(_) => true,
        Members::Logs(_) => false,
        Members::Related(_, _, right) => of_spans(right),
    }
}

/// Key and number of the deciding rows in range; `None` when the trace is not an answer.
fn standing(seen: &Seen<'_>, asked: &Question, range: TimeRange, order: TraceOrder) -> Option<(u64, usize)> {
    if seen.spans.is_empty() || !seen.holds(asked) {
        return None;
    }
    let decider = decider(asked).filter(|members| order != TraceOrder::Slowest || of_spans(members));
    let rows = decider.map_or_else(|| (0..seen.spans.len()).collect(), |members| seen.members(members));
    let key = |item: usize| match order {
        TraceOrder::Slowest => seen.spans[item].duration(),
        TraceOrder::Oldest => u64::MAX - seen.time(item),
        _ => seen.time(item),
    };
    let is_in = |item: &&usize| range.contains(UnixNanos::new(seen.time(**item)));
    let best = rows.iter().filter(is_in).map(|item| key(*item)).max()?;
    let deciding = rows.iter().filter(is_in).count();
    let counted: Vec<u64> = (0..seen.spans.len())
        .filter(|item| order != TraceOrder::MostErrors || seen.spans[*item].is_error())
        .filter(|item| is_in(&item))
        .map(|item| seen.time(item))
        .collect();
    if !matches!(order, TraceOrder::MostSpans | TraceOrder::MostErrors) {
        return Some((best, deciding));
    }
    let newest = counted.iter().max()?;
    Some(((counted.len() as u64) << 40 | newest >> 24, deciding))
}

pub(super) fn expected(spans: &[Span], logs: &[LogRecord], asked: &Question, range: TimeRange, order: TraceOrder) -> Vec<(TraceId, usize)> {
    let mut traces: BTreeMap<TraceId, Seen<'_>> = BTreeMap::new();
    for span in spans {
        let seen = traces.entry(span.trace_id).or_insert_with(|| Seen { spans: Vec::new(), logs: Vec::new() });
        if !seen.spans.iter().any(|other| other.span_id == span.span_id && other.start == span.start) {
            seen.spans.push(span);
        }
    }
    for record in logs {
        if let Some(seen) = record.trace_id.and_then(|id| traces.get_mut(&id)) {
            seen.logs.push(record);
        }
    }
    let mut found: Vec<_> =
        traces.iter().filter_map(|(id, seen)| standing(seen, asked, range, order).map(|(key, rows)| (Reverse(key), *id, rows))).collect();
    found.sort_unstable();
    found.into_iter().map(|(_, id, rows)| (id, rows)).collect()
}
