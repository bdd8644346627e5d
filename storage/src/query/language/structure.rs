//! What is asked of a trace as a whole: spans and log records beside, above and below each other, how many, how long.
//!
//! ```text
//! set      = "(" any ")" | "trace:(" any ")" | "root:(" any ")" | "log:(" any of a log record ")" | related
//! related  = set relation set
//! relation = [ "!" ] ( ">" | ">>" | "<" | "<<" | "~" )
//! compare  = ( "count(" set ")" | "trace." ( "duration" | "spans" | "errors" | "services" | "logs" ) ) operator number
//! ```
//!
//! Conditions that stand beside such a thing without `trace:(…)` hold together for one span.

use std::fmt::{self, Display as _};

use super::tree::{Node, Operator, Reach, reaches};

/// What must hold for a trace.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TraceNode {
    And(Vec<Self>),
    Or(Vec<Self>),
    Not(Box<Self>),
    /// There is at least one.
    Some(Set),
    Compare(Quantity, Operator, Vec<Reach<u64>>),
}

/// Some spans or log records of a trace.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Set {
    /// Spans for which this holds.
    Spans(Node),
    /// Log records for which this holds.
    Logs(Node),
    /// Those on the right that stand so, or do not stand so, to one on the left.
    Related { left: Box<Self>, relation: Relation, negated: bool, right: Box<Self> },
}

/// How two spans, or a span and a log record, stand to each other. A log record is a child of its span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relation {
    /// `>`: the right one is a child of the left one.
    Child,
    /// `>>`: the right one is below the left one.
    Descendant,
    /// `<`: the right one is the parent of the left one.
    Parent,
    /// `<<`: the right one is above the left one.
    Ancestor,
    /// `~`: both have the same parent.
    Sibling,
}

/// A number of a trace.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Quantity {
    Count(Set),
    /// Nanoseconds from the earliest start to the latest end.
    Duration,
    Spans,
    Errors,
    Services,
    Logs,
}

/// Names of numbers.
const QUANTITIES: [(&str, Quantity); 5] = [
    ("trace.duration", Quantity::Duration),
    ("trace.spans", Quantity::Spans),
    ("trace.errors", Quantity::Errors),
    ("trace.services", Quantity::Services),
    ("trace.logs", Quantity::Logs),
];

/// Whether a name means a number of a whole trace.
pub(crate) fn is_of_traces(name: &str) -> bool {
    QUANTITIES.iter().any(|(known, _)| *known == name)
}

/// Relations as they are written, longer ones first.
const RELATIONS: [(&str, Relation); 5] =
    [(">>", Relation::Descendant), ("<<", Relation::Ancestor), (">", Relation::Child), ("<", Relation::Parent), ("~", Relation::Sibling)];

/// A part of a query: of rows alone, or of whole traces.
#[derive(Clone, Debug)]
pub(super) enum Part {
    Rows(Node),
    Trace(TraceNode),
}

// === impl Part ===

impl Part {
    /// Every one of these. Conditions on rows hold together for one row.
    pub(super) fn and(parts: Vec<Self>) -> Self {
        let mut rows = Vec::new();
        let mut place = None;
        let mut traces = Vec::new();
        for part in parts {
            match part {
                Self::Rows(node) => {
                    place.get_or_insert(traces.len());
                    rows.push(node);
                }
                Self::Trace(node) => traces.push(node),
            }
        }
        if traces.is_empty() {
            return Self::Rows(joined(rows, Node::And));
        }
        if let Some(place) = place {
            traces.insert(place, TraceNode::Some(Set::Spans(joined(rows, Node::And))));
        }
        Self::Trace(joined(traces, TraceNode::And))
    }

    /// At least one of these.
    pub(super) fn or(parts: Vec<Self>) -> Self {
        if parts.iter().any(|part| matches!(part, Self::Trace(_))) {
            return Self::Trace(joined(parts.into_iter().map(Self::into_trace).collect(), TraceNode::Or));
        }
        let rows = parts.into_iter().filter_map(|part| if let Self::Rows(node) = part { Some(node) } else { None });
        Self::Rows(joined(rows.collect(), Node::Or))
    }

    pub(super) fn not(self) -> Self {
        match self {
            Self::Rows(node) => Self::Rows(Node::Not(Box::new(node))),
            Self::Trace(node) => Self::Trace(TraceNode::Not(Box::new(node))),
        }
    }

    /// The spans or records that it names; `None` when it says something of a trace.
    pub(super) fn into_set(self) -> Option<Set> {
        match self {
            Self::Rows(node) => Some(Set::Spans(node)),
            Self::Trace(TraceNode::Some(set)) => Some(set),
            Self::Trace(_) => None,
        }
    }

    fn into_trace(self) -> TraceNode {
        match self {
            Self::Rows(node) => TraceNode::Some(Set::Spans(node)),
            Self::Trace(node) => node,
        }
    }
}

/// The only one, or many.
pub(super) fn joined<T>(mut nodes: Vec<T>, many: fn(Vec<T>) -> T) -> T {
    match nodes.pop() {
        Some(only) if nodes.is_empty() => only,
        last => {
            nodes.extend(last);
            many(nodes)
        }
    }
}

// === impl TraceNode ===

impl TraceNode {
    /// The set that decides when a trace counts and where it stands: the first one of which every matching trace has an element. `None`
    /// when there is no such set; then all spans decide.
    pub(crate) fn decider(&self) -> Option<&Set> {
        match self {
            Self::And(nodes) => nodes.iter().find_map(Self::decider),
            Self::Some(set) => Some(set),
            Self::Compare(Quantity::Count(set), operator, values) if asks_for_some(*operator, values) => Some(set),
            Self::Or(_) | Self::Not(_) | Self::Compare(..) => None,
        }
    }
}

/// Whether zero fails.
fn asks_for_some(operator: Operator, values: &[Reach<u64>]) -> bool {
    let above = |value: &Reach<u64>| match (operator, value) {
        (Operator::Greater, _) => true,
        (Operator::Is | Operator::Equal | Operator::GreaterOrEqual, Reach::At(value)) => *value > 0,
        (_, Reach::Between(Some(from), _)) => *from > 0,
        _ => false,
    };
    // Of `!=` only zero itself fails for zero.
    if operator == Operator::NotEqual { values.contains(&Reach::At(0)) } else { values.iter().all(above) }
}

impl Set {
    /// The rows among which its elements are.
    pub(crate) fn rows(&self) -> &Self {
        match self {
            Self::Related { right, .. } => right.rows(),
            rows => rows,
        }
    }
}

impl Relation {
    fn as_str(self) -> &'static str {
        RELATIONS.iter().find(|(_, relation)| *relation == self).map_or("", |(text, _)| *text)
    }

    /// The relation at the start of a text, whether it is negated, and how it is written.
    pub(super) fn read(text: &str) -> Option<(Self, bool, &str)> {
        let negated = text.starts_with('!');
        let rest = text.strip_prefix('!').unwrap_or(text);
        let (written, relation) = RELATIONS.iter().find(|(written, _)| rest.starts_with(written))?;
        let after = rest.get(written.len()..).unwrap_or_default();
        // `>=` compares.
        if after.starts_with('=') {
            return None;
        }
        Some((*relation, negated, text.get(..text.len() - after.len()).unwrap_or_default()))
    }
}

impl Quantity {
    /// The number that a name means.
    pub(super) fn named(name: &str) -> Option<Self> {
        QUANTITIES.iter().find(|(known, _)| *known == name).map(|(_, quantity)| quantity.clone())
    }
}

// === Display ===

impl fmt::Display for TraceNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::And(nodes) => all(f, nodes, " "),
            Self::Or(nodes) => all(f, nodes, " OR "),
            Self::Not(node) => {
                f.write_str("NOT ")?;
                inner(f, node)
            }
            Self::Some(Set::Spans(node)) => write!(f, "trace:({node})"),
            Self::Some(set) => set.fmt(f),
            Self::Compare(quantity, operator, values) => {
                match quantity {
                    Quantity::Count(Set::Spans(node)) => write!(f, "count({node})")?,
                    Quantity::Count(set) => write!(f, "count({set})")?,
                    named => f.write_str(QUANTITIES.iter().find(|(_, known)| known == named).map_or("", |(name, _)| *name))?,
                }
                f.write_str(operator.as_str())?;
                let unit = if *quantity == Quantity::Duration { "ns" } else { "" };
                reaches(f, values, |f, value| write!(f, "{value}{unit}"))
            }
        }
    }
}

fn all(f: &mut fmt::Formatter<'_>, nodes: &[TraceNode], between: &str) -> fmt::Result {
    for (i, node) in nodes.iter().enumerate() {
        f.write_str(if i > 0 { between } else { "" })?;
        inner(f, node)?;
    }
    Ok(())
}

fn inner(f: &mut fmt::Formatter<'_>, node: &TraceNode) -> fmt::Result {
    match node {
        TraceNode::And(_) | TraceNode::Or(_) | TraceNode::Some(Set::Related { .. }) => write!(f, "({node})"),
        _ => node.fmt(f),
    }
}

impl fmt::Display for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spans(node) => write!(f, "({node})"),
            Self::Logs(node) => write!(f, "log:({node})"),
            Self::Related { left, relation, negated, right } => {
                let side = |f: &mut fmt::Formatter<'_>, set: &Self| match set {
                    Self::Related { .. } => write!(f, "({set})"),
                    _ => set.fmt(f),
                };
                side(f, left)?;
                write!(f, " {}{} ", if *negated { "!" } else { "" }, relation.as_str())?;
                side(f, right)
            }
        }
    }
}
