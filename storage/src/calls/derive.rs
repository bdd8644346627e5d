//! The rules that find calls among the spans of a trace.
//!
//! - A server span is called by its nearest ancestor that crosses a process (client, producer, server or consumer), else by a parent of
//!   another service. A call inside one service counts when a client span made it.
//! - A server span without a parent is called by the user; one whose parent was never received, by an unknown caller.
//! - A client span that nobody answered calls what it names: a database, a queue or another system.
//! - A producer sends to its topic, a topic to everyone who consumes from it; consumers without a topic of their own take that of the
//!   producer they descend from or link to, in whatever trace. What a service sends this way and another takes is a relay between the
//!   two besides, where the consumer descends from the sender.
//! - A call counts once per client span and called service, failed when either side failed; its duration is the server's. It belongs to
//!   the moment at which its client span starts, or, without one, the span that shows it.
//! - Spans that start more than [`REACH`] apart do not see each other. Where it is asked for, a server span that has no caller so near is
//!   called by one from farther away, as it would be by one that is near.

use std::collections::BTreeMap;

use super::{Call, Kind, LinkBetween, Name, PeerKind, REACH};

mod seen;

use self::seen::seen_within;

/// Who calls or is called. What spans name carries its system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Party {
    Service(Name),
    Database(Name, Name),
    Queue(Name, Name),
    External(Name, Name),
    User,
    /// The caller of a span whose parent was never received.
    Unknown,
}

/// How two parties talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Way {
    /// The caller waits.
    Call,
    /// Through a queue.
    Message,
    /// From sender to consumer, past a queue that is a party itself.
    Relay,
}

/// One call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Instance {
    pub(crate) at: u64,
    pub(crate) duration: u64,
    pub(crate) error: bool,
    pub(crate) trace: u128,
    pub(crate) span: u64,
}

/// Something that the spans of a trace show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fact {
    /// A span of a service.
    Seen(Name, u64),
    /// A service was asked for something.
    Request(Name, Instance),
    /// One party called another.
    Call(Party, Party, Way, Instance),
    /// A service was called by a span that is not there; it may be on its way.
    Orphan(Name, Instance),
    /// A service answered a call to an address, at that time.
    Answer(Name, Name, u64),
}

/// Links of consumers and the spans they may lead to, both sorted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Linked<'a> {
    pub(crate) all: &'a [Call],
    pub(crate) links: &'a [LinkBetween],
}

/// Nested client spans that one answer is an answer to.
const MAX_NESTED: usize = 64;

/// Adds what a trace shows. Its spans are sorted by [`Call::key`], each once. True when that depends on where a link leads.
pub(crate) fn derive(spans: &[Call], linked: Linked<'_>, facts: &mut Vec<Fact>) -> bool {
    Trace::new(spans, linked, facts).derive()
}

/// As [`derive()`], but calls by somebody unknown are joined with a caller that is there, however far away, where they are asked for.
pub(crate) fn derive_far(spans: &[Call], linked: Linked<'_>, is_asked: impl Fn(&Call) -> bool, facts: &mut Vec<Fact>) -> bool {
    let mut trace = Trace::new(spans, linked, facts);
    trace.look_far(is_asked);
    trace.derive()
}

/// One trace with what its spans hang on.
struct Trace<'a> {
    spans: &'a [Call],
    parents: Vec<Option<usize>>,
    /// Nearest ancestor that crosses a process.
    crossings: Vec<Option<usize>>,
    /// Client and producer spans that somebody answered.
    answered: Vec<bool>,
    /// Calls by client span and called service.
    joined: BTreeMap<(usize, Name), Instance>,
    linked: Linked<'a>,
    facts: &'a mut Vec<Fact>,
    follows_links: bool,
}

impl<'a> Trace<'a> {
    fn new(spans: &'a [Call], linked: Linked<'a>, facts: &'a mut Vec<Fact>) -> Self {
        let (parents, crossings) = seen_within(spans, REACH);
        let answered = vec![false; spans.len()];
        Self { spans, parents, crossings, answered, joined: BTreeMap::new(), linked, facts, follows_links: false }
    }

    /// Lets calls by somebody unknown see spans at any time; what others see stays as it is.
    fn look_far(&mut self, is_asked: impl Fn(&Call) -> bool) {
        let is_unknown = |i: usize, span: &Call| span.parent != 0 && self.parent(i).is_none() && self.caller(i, span).is_none();
        let server = |(i, span): &(usize, &Call)| span.kind == Kind::Server && is_asked(span) && is_unknown(*i, span);
        let unknown: Vec<usize> = self.spans.iter().enumerate().filter(server).map(|(i, _)| i).collect();
        if unknown.is_empty() {
            return;
        }
        let (parents, crossings) = seen_within(self.spans, u64::MAX);
        for i in unknown {
            for (known, far) in [(&mut self.parents, &parents), (&mut self.crossings, &crossings)] {
                if let Some(known) = known.get_mut(i) {
                    *known = far.get(i).copied().flatten();
                }
            }
        }
    }

    fn derive(mut self) -> bool {
        for (i, span) in self.spans.iter().enumerate() {
            self.facts.push(Fact::Seen(span.service, span.start));
            match span.kind {
                Kind::Server => self.server(i, span),
                Kind::Consumer => self.consumer(i, span),
                Kind::Producer => self.producer(i, span),
                Kind::Other => self.inner(i, span),
                Kind::Client => {}
            }
        }
        for (i, span) in self.spans.iter().enumerate() {
            if span.kind == Kind::Client {
                self.unanswered(i, span);
            }
        }
        for ((client, service), instance) in std::mem::take(&mut self.joined) {
            let Some(client) = self.spans.get(client) else { continue };
            self.call(Party::Service(client.service), Party::Service(service), Way::Call, instance);
            if let Some((address, PeerKind::External, _)) = client.peer {
                self.facts.push(Fact::Answer(address, service, instance.at));
            }
        }
        self.follows_links
    }

    fn call(&mut self, from: Party, to: Party, way: Way, call: Instance) {
        self.facts.push(Fact::Call(from, to, way, call));
    }

    fn server(&mut self, i: usize, span: &Call) {
        let request = Instance::of(span);
        self.facts.push(Fact::Request(span.service, request));
        if let Some(caller) = self.caller(i, span) {
            self.called_by(caller, span);
            return;
        }
        match (span.parent, self.parent(i)) {
            (0, _) => self.call(Party::User, Party::Service(span.service), Way::Call, request),
            (_, None) => self.facts.push(Fact::Orphan(span.service, request)),
            // Its parent is known and of the same service: an inner call.
            (_, Some(_)) => {}
        }
    }

    /// Spans that do not say what they are, in a service that their parent is not in.
    fn inner(&mut self, i: usize, span: &Call) {
        let Some(parent) = self.parent(i).and_then(|parent| self.spans.get(parent).map(|call| (parent, call))) else { return };
        if parent.1.service == span.service {
            return;
        }
        if let Some(caller) = self.caller(i, span).filter(|caller| self.service(*caller) != Some(span.service)).or(Some(parent.0)) {
            self.called_by(caller, span);
        }
    }

    fn called_by(&mut self, caller: usize, span: &Call) {
        let Some(from) = self.spans.get(caller) else { return };
        let client = matches!(from.kind, Kind::Client | Kind::Producer);
        if from.service == span.service && !client {
            return;
        }
        self.answer(caller, span);
        if client {
            let first = Instance { at: from.start, ..Instance::of(span) };
            let joined = self.joined.entry((caller, span.service)).or_insert(first);
            joined.duration = joined.duration.max(span.duration);
            joined.error |= from.error || span.error;
        } else {
            self.call(Party::Service(from.service), Party::Service(span.service), Way::Call, Instance::of(span));
        }
    }

    fn consumer(&mut self, i: usize, span: &Call) {
        let ancestor = self.caller(i, span).and_then(|at| self.spans.get(at).map(|call| (at, *call)));
        if ancestor.is_some_and(|(_, call)| call.kind == Kind::Consumer && call.service == span.service) {
            // Receiving and processing are one delivery.
            return;
        }
        let delivery = Instance::of(span);
        self.facts.push(Fact::Request(span.service, delivery));
        let by_parent = ancestor.filter(|(_, call)| call.kind == Kind::Producer);
        if let Some((at, _)) = by_parent {
            self.answer(at, span);
        }
        let own = queue(span);
        let producer = by_parent.map(|(_, call)| call).or_else(|| if own.is_none() { self.linked_producer(span) } else { None });
        let to = Party::Service(span.service);
        match (own.or_else(|| producer.as_ref().and_then(queue)), producer, ancestor) {
            (Some((name, system)), ..) => {
                self.call(Party::Queue(name, system), to, Way::Message, delivery);
                if let Some((_, sender)) = ancestor.filter(|(_, sender)| sender.service != span.service) {
                    self.call(Party::Service(sender.service), to, Way::Relay, delivery);
                }
            }
            (None, Some(producer), _) => {
                let delivery = Instance { error: span.error || producer.error, ..delivery };
                self.call(Party::Service(producer.service), to, Way::Message, delivery);
            }
            (None, None, Some((at, _))) => self.called_by(at, span),
            (None, None, None) => {}
        }
    }

    fn producer(&mut self, i: usize, span: &Call) {
        let nested = self.caller(i, span).and_then(|at| self.spans.get(at));
        if nested.is_some_and(|call| call.kind == Kind::Producer && call.service == span.service && call.peer == span.peer) {
            return;
        }
        if let Some((name, system)) = queue(span) {
            self.call(Party::Service(span.service), Party::Queue(name, system), Way::Message, Instance::of(span));
        }
    }

    fn unanswered(&mut self, i: usize, span: &Call) {
        let Some((name, kind, system)) = span.peer else { return };
        let outer = self.crossing(i).and_then(|at| self.spans.get(at));
        let nested = outer.is_some_and(|call| call.kind == Kind::Client && call.service == span.service && call.peer.is_some());
        if nested || self.answered.get(i).copied().unwrap_or_default() {
            return;
        }
        let to = match kind {
            PeerKind::Database => Party::Database(name, system),
            PeerKind::Queue => Party::Queue(name, system),
            PeerKind::External => Party::External(name, system),
        };
        self.call(Party::Service(span.service), to, Way::Call, Instance::of(span));
    }

    /// Marks a client span that `by` answers, and the client spans of the same service around it.
    fn answer(&mut self, mut at: usize, by: &Call) {
        let is_near = self.spans.get(at).is_some_and(|answered| answered.start.abs_diff(by.start) <= REACH);
        for _ in 0..MAX_NESTED {
            let Some(answered) = self.answered.get_mut(at) else { return };
            *answered = true;
            let Some(next) = self.crossing(at) else { return };
            let (Some(outer), Some(inner)) = (self.spans.get(next), self.spans.get(at)) else { return };
            if outer.kind != Kind::Client || outer.service != inner.service || (is_near && outer.start.abs_diff(by.start) > REACH) {
                return;
            }
            at = next;
        }
    }

    fn caller(&self, i: usize, span: &Call) -> Option<usize> {
        // Older tracers give both halves of a call the same id.
        if span.kind == Kind::Server
            && let Some(twin) = self.twin(span)
        {
            return Some(twin);
        }
        let foreign = |parent: &usize| self.service(*parent) != Some(span.service);
        self.crossing(i).or_else(|| self.parent(i).filter(foreign))
    }

    /// The client span with the id of a span, near it. Other spans of that id may lie between, which some units do not have.
    fn twin(&self, span: &Call) -> Option<usize> {
        let near = (span.trace, span.span, Kind::Client, span.start.saturating_sub(REACH));
        let first = self.spans.partition_point(|call| call.key() < near);
        let is_twin = |twin: &&Call| twin.span == span.span && twin.kind == Kind::Client && twin.start.abs_diff(span.start) <= REACH;
        self.spans.get(first).filter(is_twin).map(|_| first)
    }

    fn parent(&self, i: usize) -> Option<usize> {
        self.parents.get(i).copied().flatten()
    }

    fn crossing(&self, i: usize) -> Option<usize> {
        self.crossings.get(i).copied().flatten()
    }

    fn service(&self, i: usize) -> Option<Name> {
        self.spans.get(i).map(|span| span.service)
    }

    fn linked_producer(&mut self, span: &Call) -> Option<Call> {
        let first = self.linked.links.partition_point(|(from, _)| *from < (span.trace, span.span));
        let mut own = self.linked.links.get(first..)?.iter().take_while(|(from, _)| *from == (span.trace, span.span)).peekable();
        self.follows_links |= own.peek().is_some();
        own.find_map(|(_, to)| find(self.linked.all, *to, span.start))
    }
}

/// The producer span with these ids.
fn find(all: &[Call], (trace, span): (u128, u64), near_to: u64) -> Option<Call> {
    let first = all.partition_point(|call| (call.trace, call.span) < (trace, span));
    let mut same = all.get(first..)?.iter().take_while(|call| (call.trace, call.span) == (trace, span));
    same.find(|call| call.kind == Kind::Producer && call.start.abs_diff(near_to) <= REACH).copied()
}

/// Name and system of the topic that a span names.
pub(crate) fn queue(span: &Call) -> Option<(Name, Name)> {
    span.peer.filter(|(_, kind, _)| *kind == PeerKind::Queue).map(|(name, _, system)| (name, system))
}

impl Instance {
    /// A call that one span shows.
    fn of(span: &Call) -> Self {
        Self { at: span.start, duration: span.duration, error: span.error, trace: span.trace, span: span.span }
    }
}

impl Party {
    /// The same with other numbers for its names.
    pub(crate) fn renamed(self, number: impl Fn(Name) -> Name) -> Self {
        match self {
            Self::Service(name) => Self::Service(number(name)),
            Self::Database(name, system) => Self::Database(number(name), number(system)),
            Self::Queue(name, system) => Self::Queue(number(name), number(system)),
            Self::External(name, system) => Self::External(number(name), number(system)),
            Self::User | Self::Unknown => self,
        }
    }

    /// What stands for all of its kind when spans only name it.
    pub(crate) fn folded(self, other: Name) -> Self {
        match self {
            Self::Database(..) => Self::Database(other, other),
            Self::Queue(..) => Self::Queue(other, other),
            Self::External(..) => Self::External(other, other),
            Self::Service(_) | Self::User | Self::Unknown => self,
        }
    }
}
