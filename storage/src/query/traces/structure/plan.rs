//! What a question about whole traces needs: each condition on rows once, and the tree over them.

use super::super::super::language::{Node, Operator, Quantity, Query, Reach, Relation, Set, TraceNode};
use super::super::super::predicate::Predicate;
use super::super::super::question::TraceOrder;
use crate::store::Signal;

/// A question made ready.
#[derive(Debug)]
pub(super) struct Plan {
    /// Conditions on rows, at most 64.
    pub(super) legs: Vec<Leg>,
    /// What must hold.
    pub(super) root: Check,
    /// What decides when a trace counts; `None` for all its spans.
    pub(super) decider: Option<SetPlan>,
    /// Conditions of which every matching trace has a row.
    needs: Vec<usize>,
    /// Whether records are read.
    pub(super) needs_logs: bool,
    /// Whether services are counted.
    pub(super) needs_services: bool,
}

/// A condition on the rows of one table.
#[derive(Debug)]
pub(super) struct Leg {
    pub(super) signal: Signal,
    node: Node,
    pub(super) predicate: Predicate,
}

impl Leg {
    pub(super) fn node(&self) -> &Node {
        &self.node
    }
}

/// What must hold for a trace.
#[derive(Debug)]
pub(super) enum Check {
    And(Vec<Self>),
    Or(Vec<Self>),
    Not(Box<Self>),
    Some(SetPlan),
    /// The number lies in one of these ranges, ends included.
    Within(Number, Vec<(u64, u64)>),
}

#[derive(Debug)]
pub(super) enum Number {
    Count(SetPlan),
    Duration,
    Spans,
    Errors,
    Services,
    Logs,
}

/// Rows of a trace.
#[derive(Clone, Debug)]
pub(super) enum SetPlan {
    /// Those of the leg of this number.
    Leg(usize),
    Related {
        left: Box<Self>,
        relation: Relation,
        negated: bool,
        right: Box<Self>,
    },
}

impl Plan {
    pub(super) fn new(node: &TraceNode, order: TraceOrder) -> Self {
        let mut plan = Self {
            legs: Vec::new(),
            root: Check::And(Vec::new()),
            decider: None,
            needs: Vec::new(),
            needs_logs: false,
            needs_services: false,
        };
        plan.root = plan.check(node);
        let mut needs = Vec::new();
        plan.root.needs(&mut needs);
        plan.needs = needs;
        // Records have no duration: then the longest span decides.
        let decider = node.decider().filter(|set| order != TraceOrder::Slowest || matches!(set.rows(), Set::Spans(_)));
        plan.decider = decider.map(|set| plan.set(set));
        plan
    }

    /// The rows that name candidates.
    pub(super) fn source(&self) -> Predicate {
        self.source_leg().map_or_else(Predicate::all, |leg| Predicate::new(&Query { signal: leg.signal, root: leg.node.clone() }))
    }

    pub(super) fn source_signal(&self) -> Signal {
        self.source_leg().map_or(Signal::Traces, |leg| leg.signal)
    }

    /// Conditions that must hold somewhere in a trace, besides the one that names candidates.
    pub(super) fn other_needs(&self) -> impl Iterator<Item = &Leg> {
        let source = self.decider.as_ref().map(SetPlan::rows);
        self.needs.iter().filter(move |leg| Some(**leg) != source).filter_map(|leg| self.legs.get(*leg)).filter(|leg| leg.node != Node::All)
    }

    /// The condition whose rows name candidates; `None` when all spans do.
    pub(super) fn source_leg(&self) -> Option<&Leg> {
        self.legs.get(self.decider.as_ref()?.rows())
    }

    fn check(&mut self, node: &TraceNode) -> Check {
        match node {
            TraceNode::And(nodes) => Check::And(nodes.iter().map(|node| self.check(node)).collect()),
            TraceNode::Or(nodes) => Check::Or(nodes.iter().map(|node| self.check(node)).collect()),
            TraceNode::Not(node) => Check::Not(Box::new(self.check(node))),
            TraceNode::Some(set) => Check::Some(self.set(set)),
            TraceNode::Compare(quantity, operator, values) => {
                let number = self.number(quantity);
                let within = Check::Within(number, values.iter().map(|value| ends(*operator, *value)).collect());
                if *operator == Operator::NotEqual { Check::Not(Box::new(within)) } else { within }
            }
        }
    }

    fn number(&mut self, quantity: &Quantity) -> Number {
        match quantity {
            Quantity::Count(set) => Number::Count(self.set(set)),
            Quantity::Duration => Number::Duration,
            Quantity::Spans => Number::Spans,
            Quantity::Errors => Number::Errors,
            Quantity::Services => {
                self.needs_services = true;
                Number::Services
            }
            Quantity::Logs => {
                self.needs_logs = true;
                Number::Logs
            }
        }
    }

    fn set(&mut self, set: &Set) -> SetPlan {
        match set {
            Set::Spans(node) => SetPlan::Leg(self.leg(Signal::Traces, node)),
            Set::Logs(node) => SetPlan::Leg(self.leg(Signal::Logs, node)),
            Set::Related { left, relation, negated, right } => SetPlan::Related {
                left: Box::new(self.set(left)),
                relation: *relation,
                negated: *negated,
                right: Box::new(self.set(right)),
            },
        }
    }

    fn leg(&mut self, signal: Signal, node: &Node) -> usize {
        self.needs_logs |= signal == Signal::Logs;
        if let Some(known) = self.legs.iter().position(|leg| leg.signal == signal && leg.node == *node) {
            return known;
        }
        let predicate = Predicate::new(&Query { signal, root: node.clone() });
        self.legs.push(Leg { signal, node: node.clone(), predicate });
        self.legs.len() - 1
    }
}

impl Check {
    /// Legs of which every trace that passes has a row.
    fn needs(&self, into: &mut Vec<usize>) {
        match self {
            Self::And(parts) => parts.iter().for_each(|part| part.needs(into)),
            Self::Some(set) => set.needs(into),
            Self::Within(Number::Count(set), ranges) if ranges.iter().all(|(from, _)| *from > 0) => set.needs(into),
            Self::Or(_) | Self::Not(_) | Self::Within(..) => {}
        }
    }
}

impl SetPlan {
    /// The leg among whose rows its elements are.
    fn rows(&self) -> usize {
        match self {
            Self::Leg(leg) => *leg,
            Self::Related { right, .. } => right.rows(),
        }
    }

    fn needs(&self, into: &mut Vec<usize>) {
        match self {
            Self::Leg(leg) => into.push(*leg),
            Self::Related { left, negated, right, .. } => {
                if !negated {
                    left.needs(into);
                }
                right.needs(into);
            }
        }
    }
}

/// The numbers that pass, ends included; of `!=` those that do not. An empty range has its ends swapped.
fn ends(operator: Operator, value: Reach<u64>) -> (u64, u64) {
    const NOTHING: (u64, u64) = (1, 0);
    let value = match value {
        Reach::At(value) => value,
        Reach::Between(from, to) => return (from.unwrap_or(0), to.unwrap_or(u64::MAX)),
    };
    match operator {
        Operator::Less => value.checked_sub(1).map_or(NOTHING, |last| (0, last)),
        Operator::LessOrEqual => (0, value),
        Operator::Greater => value.checked_add(1).map_or(NOTHING, |first| (first, u64::MAX)),
        Operator::GreaterOrEqual => (value, u64::MAX),
        _ => (value, value),
    }
}
