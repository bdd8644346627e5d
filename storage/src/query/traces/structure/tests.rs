use std::collections::BTreeMap;
use std::time::Duration;

use super::super::super::fixtures::{self, Dice};
use super::super::super::question::TraceOrder;
use super::super::search as search_traces;
use super::*;
use crate::model::{LogRecord, Span, SpanId, SpanKind, StatusCode, UnixNanos};
use crate::store::Signal;

fn control() -> Control {
    Control::new(Duration::from_secs(60))
}

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
enum Question {
    Set(Members),
    Not(Box<Self>),
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
    Count(Members, &'static str, u64),
    Number(&'static str, &'static str, u64),
}

#[derive(Clone, Debug)]
enum Members {
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

fn question(dice: &mut Dice, depth: u32) -> Question {
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

fn text(question: &Question) -> String {
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

/// Key and number of the deciding rows; `None` when the trace is not an answer.
fn standing(seen: &Seen<'_>, asked: &Question, range: TimeRange, order: TraceOrder) -> Option<(u64, usize)> {
    if seen.spans.is_empty() || !seen.holds(asked) {
        return None;
    }
    let decider = decider(asked).filter(|members| order != TraceOrder::Slowest || of_spans(members));
    let rows = decider.map_or_else(|| (0..seen.spans.len()).collect(), |members| seen.members(members));
    let key = |item: usize| if order == TraceOrder::Slowest { seen.spans[item].duration() } else { seen.time(item) };
    let is_in = |item: &&usize| range.contains(UnixNanos::new(seen.time(**item)));
    let best = rows.iter().filter(is_in).map(|item| key(*item)).max()?;
    let spans: Vec<usize> = (0..seen.spans.len()).collect();
    let counted = match order {
        TraceOrder::Newest | TraceOrder::Slowest => return Some((best, rows.len())),
        TraceOrder::MostSpans => spans.iter().filter(is_in).count(),
        TraceOrder::MostErrors => spans.iter().filter(is_in).filter(|item| seen.spans[**item].is_error()).count(),
    };
    (counted > 0).then_some((counted as u64, rows.len()))
}

fn expected(spans: &[Span], logs: &[LogRecord], asked: &Question, range: TimeRange, order: TraceOrder) -> Vec<(TraceId, usize)> {
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

/// Spans whose parents come before them, some of them missing; records of traces, of spans, and of neither.
fn random(dice: &mut Dice, traces: u64) -> (Vec<Span>, Vec<LogRecord>) {
    let (mut spans, mut logs) = (Vec::new(), Vec::new());
    let mut id = 0;
    for trace in 1..=traces {
        let first = id + 1;
        for place in 0..dice.roll(7) {
            id += 1;
            let parent = if place == 0 { dice.roll(2) * 999_999 } else { first + dice.roll(place) };
            let service = *dice.pick(&["api", "pay", "cart"]);
            let name = *dice.pick(&["GET /", "select", "send"]);
            let start = 1_000 + dice.roll(traces) * 10;
            let mut span = fixtures::span(trace, id, parent, service, name, start, dice.roll(1_000));
            span.kind = *dice.pick(&[SpanKind::Internal, SpanKind::Server]);
            if dice.roll(4) == 0 {
                span.status.code = StatusCode::Error;
            }
            if dice.roll(20) == 0 {
                span.attributes.push(fixtures::text("rare", "yes"));
            }
            spans.push(span);
            if dice.roll(12) == 0 {
                let again = spans.last().unwrap().clone();
                spans.push(again);
            }
        }
        for _ in 0..dice.roll(3) {
            let number = logs.len() as u64 + 1;
            let body = *dice.pick(&["all fine", "deadlock found"]);
            let mut record = fixtures::log(number, ["api", "pay"][dice.count(2)], body, 1_000 + dice.roll(traces) * 10);
            record.severity_number = *dice.pick(&[9, 17]);
            record.trace_id = Some(fixtures::trace_id(trace + traces * (dice.roll(12) / 11)));
            record.span_id = (dice.roll(4) > 0 && id >= first).then(|| fixtures::span_id(first + dice.roll(id + 1 - first)));
            logs.push(record);
        }
    }
    (spans, logs)
}

/// All in memory, all in segments, or mixed.
fn stored(folder: &std::path::Path, dice: &mut Dice, spans: &[Span], logs: &[LogRecord]) -> Snapshot {
    let part = |dice: &mut Dice, count: usize| count * dice.count(3) / 2;
    let (old, new) = spans.split_at(part(dice, spans.len()));
    let segments = old.chunks(old.len() / 3 + 1).map(|chunk| vec![fixtures::spans(chunk)]).collect();
    let traces = fixtures::snapshot(folder, Signal::Traces, new.chunks(dice.count(30) + 1).map(fixtures::spans).collect(), segments);
    let (old, new) = logs.split_at(part(dice, logs.len()));
    let segments = old.chunks(old.len() / 2 + 1).map(|chunk| vec![fixtures::logs(chunk)]).collect();
    let records = fixtures::snapshot(folder, Signal::Logs, new.chunks(7).map(fixtures::logs).collect(), segments);
    Snapshot { spans: traces.spans, logs: records.logs, ..Snapshot::default() }
}

fn walk(snapshot: &Snapshot, mut query: TraceSearch) -> Vec<(TraceId, usize)> {
    let mut found = Vec::new();
    loop {
        let page = search_traces(snapshot, &query, &control()).unwrap_or_else(|e| panic!("{}: {e}", query.query));
        let again = search_traces(snapshot, &query, &control()).unwrap();
        assert_eq!(format!("{page:?}"), format!("{again:?}"), "{}", query.query);
        assert!(page.stats.complete, "{:?}", page.stats);
        assert!(page.traces.len() <= query.limit);
        found.extend(page.traces.iter().map(|trace| (trace.trace_id, trace.matched)));
        query.cursor = page.next;
        if query.cursor.is_none() {
            return found;
        }
    }
}

#[test]
fn pages_join_to_what_looking_at_every_trace_finds() {
    let mut dice = Dice(41);
    for round in 0..16 {
        let folder = tempfile::tempdir().unwrap();
        let (spans, logs) = random(&mut dice, 20 + round * 16);
        let snapshot = stored(folder.path(), &mut dice, &spans, &logs);
        for _ in 0..12 {
            let asked = question(&mut dice, 2);
            let range = if dice.roll(2) == 0 {
                TimeRange::ALL
            } else {
                let from = 1_000 + dice.roll(300);
                TimeRange { from: UnixNanos::new(from), to: UnixNanos::new(from + dice.roll(2_000)) }
            };
            let order = *dice.pick(&[TraceOrder::Newest, TraceOrder::Slowest, TraceOrder::MostSpans, TraceOrder::MostErrors]);
            let limit = if dice.roll(2) == 0 { 1_000 } else { dice.count(9) + 1 };
            let query = TraceSearch { query: text(&asked), range, order, limit, cursor: None };
            assert_eq!(walk(&snapshot, query.clone()), expected(&spans, &logs, &asked, range, order), "{query:?}");
        }
    }
}

fn find(snapshot: &Snapshot, text: &str) -> Vec<TraceId> {
    let query = TraceSearch { query: text.to_owned(), range: TimeRange::ALL, order: TraceOrder::Newest, limit: 100, cursor: None };
    walk(snapshot, query).into_iter().map(|(id, _)| id).collect()
}

#[test]
fn logs_and_spans_are_asked_for_together() {
    let folder = tempfile::tempdir().unwrap();
    let mut spans = vec![
        fixtures::span(1, 1, 0, "api", "POST /pay", 100, 50),
        fixtures::span(1, 2, 1, "pay", "charge", 110, 20),
        fixtures::span(2, 3, 0, "api", "POST /pay", 200, 50),
        fixtures::span(2, 4, 3, "pay", "charge", 210, 20),
        fixtures::span(3, 5, 0, "api", "GET /", 300, 50),
    ];
    spans[0].attributes = vec![fixtures::text("http.route", "/pay")];
    spans[2].attributes = vec![fixtures::text("http.route", "/pay")];
    spans[3].status.code = StatusCode::Error;
    let record = |id, trace, span, body: &str, severity| LogRecord {
        trace_id: Some(fixtures::trace_id(trace)),
        span_id: Some(fixtures::span_id(span)),
        severity_number: severity,
        ..fixtures::log(id, "pay", body, 100 * trace + 15)
    };
    let logs = vec![
        record(1, 1, 2, "deadlock found", 17),
        record(2, 2, 4, "card declined", 17),
        record(3, 3, 5, "deadlock found", 9),
        record(4, 9, 9, "deadlock of a trace without spans", 17),
    ];
    let snapshot = stored(folder.path(), &mut Dice(1), &spans, &logs);
    let id = fixtures::trace_id;
    assert_eq!(find(&snapshot, "log:(severity>=error) NOT trace:(status:error)"), [id(1)]);
    assert_eq!(find(&snapshot, "(http.route:/pay) >> log:(deadlock)"), [id(1)]);
    assert_eq!(find(&snapshot, "(http.route:/pay) > log:(*)"), []);
    assert_eq!(find(&snapshot, "log:(deadlock) << (service:api)"), [id(3), id(1)]);
    assert_eq!(find(&snapshot, "service:pay has:log"), [id(2), id(1)]);
    assert_eq!(find(&snapshot, "root:(name:\"POST /pay\") trace:(status:error)"), [id(2)]);
    assert_eq!(find(&snapshot, "service:api status:error log:(*)"), [], "what stands beside holds for one span");
    assert_eq!(find(&snapshot, "trace:(service:api) trace:(status:error)"), [id(2)]);
    assert_eq!(find(&snapshot, "(service:api) !> (service:pay)"), []);
    assert_eq!(find(&snapshot, "count(service:pay)=0"), [id(3)]);
    assert_eq!(find(&snapshot, "trace.services:2.. -log:(declined)"), [id(1)]);
    assert_eq!(find(&snapshot, "trace:(name:charge) OR trace.spans<2"), [id(3), id(2), id(1)]);
}

#[test]
fn shared_ids_and_loops_make_the_same_tree_as_the_page_of_the_trace() {
    let folder = tempfile::tempdir().unwrap();
    let mut spans = vec![
        // A client and its server share an id: the server is the child, and has the children.
        fixtures::span(1, 7, 0, "api", "call", 100, 50),
        fixtures::span(1, 7, 0, "pay", "serve", 110, 20),
        fixtures::span(1, 8, 7, "pay", "select", 115, 5),
        // A loop is cut above its earliest span.
        fixtures::span(2, 1, 3, "a", "one", 100, 1),
        fixtures::span(2, 2, 1, "a", "two", 101, 1),
        fixtures::span(2, 3, 2, "a", "three", 102, 1),
        // A span that names itself.
        fixtures::span(3, 1, 1, "a", "self", 100, 1),
    ];
    spans[0].kind = SpanKind::Client;
    spans[1].kind = SpanKind::Server;
    let snapshot = stored(folder.path(), &mut Dice(3), &spans, &[]);
    let id = fixtures::trace_id;
    assert_eq!(find(&snapshot, "(name:call) > (name:serve)"), [id(1)]);
    assert_eq!(find(&snapshot, "(name:serve) > (name:select)"), [id(1)]);
    assert_eq!(find(&snapshot, "(name:call) > (name:select)"), []);
    assert_eq!(find(&snapshot, "(name:one) >> (name:three)"), [id(2)]);
    assert_eq!(find(&snapshot, "(name:three) >> (name:one)"), []);
    assert_eq!(find(&snapshot, "(name:self) >> (name:self)"), []);
}

#[test]
fn a_search_that_finds_little_says_where_to_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let count = MAX_JUDGED as u64 + 3_000;
    let mut spans: Vec<_> = (1..=count).map(|n| fixtures::span(n, n, 0, "api", "x", 1_000 + n, 1)).collect();
    spans.push(fixtures::span(5, count + 1, 5, "api", "y", 1_000, 1));
    let snapshot = fixtures::snapshot(folder.path(), Signal::Traces, Vec::new(), vec![vec![fixtures::spans(&spans)]]);
    let mut query =
        TraceSearch { query: "trace.spans>1".to_owned(), range: TimeRange::ALL, order: TraceOrder::Newest, limit: 5, cursor: None };
    let first = search_traces(&snapshot, &query, &control()).unwrap();
    assert!(first.traces.is_empty() && !first.stats.complete && first.next.is_some(), "{first:?}");
    query.cursor = first.next;
    let second = search_traces(&snapshot, &query, &control()).unwrap();
    assert_eq!(second.traces.iter().map(|trace| trace.trace_id).collect::<Vec<_>>(), [fixtures::trace_id(5)]);
    assert!(second.next.is_none() && second.stats.complete);
    // A condition that holds in few traces leads there at once.
    let query = TraceSearch { query: "trace:(name:x) trace:(name:y)".to_owned(), cursor: None, ..query };
    let found = search_traces(&snapshot, &query, &control()).unwrap();
    assert_eq!(found.traces.len(), 1);
    assert!(found.stats.complete && found.next.is_none());
}
