//! The rules of the service map, trace by trace.
//!
//! - A server span is called by its nearest ancestor that crosses a process (client, producer, server or consumer), else by a parent of
//!   another service. A call inside one service counts when a client span made it.
//! - A server span without a parent is called by the user; one whose parent was never received, by an unknown caller.
//! - A client span that nobody answered calls what it names: a database, a queue or another system.
//! - A producer sends to its topic, a topic to everyone who consumes from it; consumers without a topic of their own take that of the
//!   producer they descend from or link to, in whatever trace.
//! - A call counts once per client span and called service, failed when either side failed; its duration is the server's. It belongs to
//!   the moment at which its client span starts, or, without one, the span that shows it.
//! - An unanswered call to an address where only one service ever answered, or to the name of a service, is a call to that service: its
//!   server's half is late, lost or elsewhere.

use std::collections::BTreeMap;

use super::super::answer::EdgeKind;
use super::super::question::QueryError;
use super::super::scan::Control;
use super::tally::{Derived, Instance, Party, Tally, Window};
use super::{Call, Kind, LinkBetween, Name, Names, PeerKind};

/// Nodes and edges of a window, sorted, of calls sorted by [`Call::key`].
pub(super) fn derive(
    mut calls: Vec<Call>,
    mut links: Vec<LinkBetween>,
    names: Names,
    window: Window,
    control: &Control,
) -> Result<Derived, QueryError> {
    calls.dedup_by_key(|call| call.key());
    links.sort_unstable();
    links.dedup();
    let mut tally = Tally::new(names, window);
    for (i, trace) in calls.chunk_by(|a, b| a.trace == b.trace).enumerate() {
        if i % 1_024 == 0 {
            control.check()?;
        }
        Trace::new(trace, &calls, &links).tally(&mut tally);
    }
    Ok(tally.finish())
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
    all: &'a [Call],
    links: &'a [LinkBetween],
}

impl<'a> Trace<'a> {
    fn new(spans: &'a [Call], all: &'a [Call], links: &'a [LinkBetween]) -> Self {
        let parents: Vec<_> = spans.iter().enumerate().map(|(i, span)| parent_of(spans, i, span)).collect();
        let crossings = crossings(spans, &parents);
        Self { spans, parents, crossings, answered: vec![false; spans.len()], joined: BTreeMap::new(), all, links }
    }

    fn tally(mut self, tally: &mut Tally) {
        for (i, span) in self.spans.iter().enumerate() {
            tally.service(span.service, span.start);
            match span.kind {
                Kind::Server => self.server(i, span, tally),
                Kind::Consumer => self.consumer(i, span, tally),
                Kind::Producer => self.producer(i, span, tally),
                Kind::Other => self.inner(i, span, tally),
                Kind::Client => {}
            }
        }
        for (i, span) in self.spans.iter().enumerate() {
            if span.kind == Kind::Client {
                self.unanswered(i, span, tally);
            }
        }
        for ((client, service), instance) in &self.joined {
            if let Some(client) = self.spans.get(*client) {
                tally.call(Party::Service(client.service), Party::Service(*service), EdgeKind::Call, *instance);
                if let Some((address, PeerKind::External, _)) = client.peer {
                    tally.answered_at(address, *service);
                }
            }
        }
    }

    fn server(&mut self, i: usize, span: &Call, tally: &mut Tally) {
        tally.request(span.service, Instance::of(span));
        if let Some(caller) = self.caller(i, span) {
            self.called_by(caller, span, tally);
            return;
        }
        let user = match (span.parent, self.parent(i)) {
            (0, _) => Party::User,
            // It may still run, or be on its way.
            (_, None) if tally.is_open(span.start.saturating_add(span.duration)) => return,
            (_, None) => Party::Unknown,
            // Its parent is known and of the same service: an inner call.
            (_, Some(_)) => return,
        };
        tally.call(user, Party::Service(span.service), EdgeKind::Call, Instance::of(span));
    }

    /// Spans that do not say what they are, in a service that their parent is not in.
    fn inner(&mut self, i: usize, span: &Call, tally: &mut Tally) {
        let Some(parent) = self.parent(i).and_then(|parent| self.spans.get(parent).map(|call| (parent, call))) else { return };
        if parent.1.service == span.service {
            return;
        }
        if let Some(caller) = self.caller(i, span).filter(|caller| self.service(*caller) != Some(span.service)).or(Some(parent.0)) {
            self.called_by(caller, span, tally);
        }
    }

    fn called_by(&mut self, caller: usize, span: &Call, tally: &mut Tally) {
        let Some(from) = self.spans.get(caller) else { return };
        let client = matches!(from.kind, Kind::Client | Kind::Producer);
        if from.service == span.service && !client {
            return;
        }
        self.answer(caller);
        if client {
            let first = Instance { at: from.start, ..Instance::of(span) };
            let joined = self.joined.entry((caller, span.service)).or_insert(first);
            joined.duration = joined.duration.max(span.duration);
            joined.error |= from.error || span.error;
        } else {
            let (from, to) = (Party::Service(from.service), Party::Service(span.service));
            tally.call(from, to, EdgeKind::Call, Instance::of(span));
        }
    }

    fn consumer(&mut self, i: usize, span: &Call, tally: &mut Tally) {
        let ancestor = self.caller(i, span).and_then(|at| self.spans.get(at).map(|call| (at, *call)));
        if ancestor.is_some_and(|(_, call)| call.kind == Kind::Consumer && call.service == span.service) {
            // Receiving and processing are one delivery.
            return;
        }
        tally.request(span.service, Instance::of(span));
        let by_parent = ancestor.filter(|(_, call)| call.kind == Kind::Producer);
        if let Some((at, _)) = by_parent {
            self.answer(at);
        }
        let producer = by_parent.map(|(_, call)| call).or_else(|| self.linked_producer(span));
        let topic = queue(span).or_else(|| producer.as_ref().and_then(queue));
        let delivery = Instance::of(span);
        let to = Party::Service(span.service);
        match (topic, producer, ancestor) {
            (Some((name, system)), ..) => tally.call(Party::Queue(name, system), to, EdgeKind::Message, delivery),
            (None, Some(producer), _) => {
                let delivery = Instance { error: span.error || producer.error, ..delivery };
                tally.call(Party::Service(producer.service), to, EdgeKind::Message, delivery);
            }
            (None, None, Some((at, _))) => self.called_by(at, span, tally),
            (None, None, None) => {}
        }
    }

    fn producer(&mut self, i: usize, span: &Call, tally: &mut Tally) {
        let nested = self.caller(i, span).and_then(|at| self.spans.get(at));
        if nested.is_some_and(|call| call.kind == Kind::Producer && call.service == span.service && call.peer == span.peer) {
            return;
        }
        if let Some((name, system)) = queue(span) {
            let from = Party::Service(span.service);
            tally.call(from, Party::Queue(name, system), EdgeKind::Message, Instance::of(span));
        }
    }

    fn unanswered(&self, i: usize, span: &Call, tally: &mut Tally) {
        let Some((name, kind, system)) = span.peer else { return };
        let outer = self.crossings.get(i).copied().flatten().and_then(|at| self.spans.get(at));
        let nested = outer.is_some_and(|call| call.kind == Kind::Client && call.service == span.service && call.peer.is_some());
        if nested || self.answered.get(i).copied().unwrap_or_default() {
            return;
        }
        let to = match kind {
            PeerKind::Database => Party::Database(name, system),
            PeerKind::Queue => Party::Queue(name, system),
            PeerKind::External => Party::External(name, system),
        };
        tally.call(Party::Service(span.service), to, EdgeKind::Call, Instance::of(span));
    }

    /// Marks a client span, and the client spans of the same service around it.
    fn answer(&mut self, mut at: usize) {
        while let Some(answered) = self.answered.get_mut(at) {
            if *answered {
                return;
            }
            *answered = true;
            let Some(next) = self.crossings.get(at).copied().flatten() else { return };
            let same = self.spans.get(next).zip(self.spans.get(at)).is_some_and(|(a, b)| a.kind == Kind::Client && a.service == b.service);
            if !same {
                return;
            }
            at = next;
        }
    }

    fn caller(&self, i: usize, span: &Call) -> Option<usize> {
        // Older tracers give both halves of a call the same id.
        let twin = self.spans.get(i + 1).filter(|twin| span.kind == Kind::Server && twin.span == span.span && twin.kind == Kind::Client);
        if twin.is_some() {
            return Some(i + 1);
        }
        let foreign = |parent: &usize| self.service(*parent) != Some(span.service);
        self.crossings.get(i).copied().flatten().or_else(|| self.parent(i).filter(foreign))
    }

    fn parent(&self, i: usize) -> Option<usize> {
        self.parents.get(i).copied().flatten()
    }

    fn service(&self, i: usize) -> Option<Name> {
        self.spans.get(i).map(|span| span.service)
    }

    fn linked_producer(&self, span: &Call) -> Option<Call> {
        let first = self.links.partition_point(|(from, _)| *from < (span.trace, span.span));
        let own = self.links.get(first..)?.iter().take_while(|(from, _)| *from == (span.trace, span.span));
        own.filter_map(|(_, to)| find(self.all, *to)).find(|call| call.kind == Kind::Producer).copied()
    }
}

fn queue(span: &Call) -> Option<(Name, Name)> {
    span.peer.filter(|(_, kind, _)| *kind == PeerKind::Queue).map(|(name, _, system)| (name, system))
}

fn find(all: &[Call], (trace, span): (u128, u64)) -> Option<&Call> {
    let first = all.partition_point(|call| (call.trace, call.span) < (trace, span));
    all.get(first..)?.iter().take_while(|call| (call.trace, call.span) == (trace, span)).max_by_key(|call| call.kind == Kind::Producer)
}

fn parent_of(spans: &[Call], i: usize, span: &Call) -> Option<usize> {
    if span.parent == 0 || span.parent == span.span {
        return None;
    }
    let at = spans.partition_point(|call| call.span < span.parent);
    spans.get(at).filter(|call| call.span == span.parent && at != i).map(|_| at)
}

/// For each span its nearest ancestor that crosses a process, in one pass over the tree, also when parents go in circles.
fn crossings(spans: &[Call], parents: &[Option<usize>]) -> Vec<Option<usize>> {
    let mut known: Vec<Option<Option<usize>>> = vec![None; spans.len()];
    let mut path = Vec::new();
    let mut on_path = vec![false; spans.len()];
    for start in 0..spans.len() {
        let mut at = start;
        let found = loop {
            if let Some(found) = known.get(at).copied().flatten() {
                break found;
            }
            if on_path.get(at).copied().unwrap_or(true) {
                break None;
            }
            path.push(at);
            if let Some(mark) = on_path.get_mut(at) {
                *mark = true;
            }
            let Some(parent) = parents.get(at).copied().flatten() else { break None };
            if spans.get(parent).is_some_and(|span| span.kind != Kind::Other) {
                break Some(parent);
            }
            at = parent;
        };
        for passed in path.drain(..) {
            if let Some(place) = known.get_mut(passed) {
                *place = Some(found);
            }
            if let Some(mark) = on_path.get_mut(passed) {
                *mark = false;
            }
        }
    }
    known.into_iter().map(Option::flatten).collect()
}
