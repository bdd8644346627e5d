//! Failures by where they start: failed traces put together by their cause, each with what it reaches and what it weighs.

use std::borrow::Cow;

use storage::{TraceId, TraceSummary, UnixNanos};

use super::{Compared, Rank, Weight};
use crate::ask::normalised;
use crate::view::answer::is_answer;
use crate::view::link::term;
use crate::view::traces::why;

/// Failed traces whose failure starts in the same place.
pub(super) struct Failure<'a> {
    /// The service in which it starts.
    pub(super) origin: &'a str,
    /// Whether it starts within requests of that service to which it does not reach: those succeed.
    pub(super) is_within: bool,
    /// Whether it starts in another service than its requests, none of which failed with it.
    is_survived: bool,
    /// Traces of requests that succeeded although it failed in them too, beside those that it reaches.
    pub(super) survived: u64,
    /// Requests that it reaches, or in which it is survived.
    pub(super) reached: Vec<Reached<'a>>,
    /// What failed traces say, for failures that have no message of their own, each with the newest that says it.
    pub(super) says: Vec<Said<'a>>,
    /// Whether one of them says nothing.
    is_mute: bool,
    traces: u64,
    newest: UnixNanos,
}

/// What failed traces say alike.
pub(super) struct Said<'a> {
    /// The message where all have the same, else with `#` for its numbers and ids.
    pub(super) text: Cow<'a, str>,
    /// See `text`: always with those.
    pub(super) like: String,
    /// The newest trace that says it.
    pub(super) trace: TraceId,
}

/// A request that a failure reaches.
pub(super) struct Reached<'a> {
    /// Service and operation.
    pub(super) request: (&'a str, &'a str),
    /// In how many of the traces that were looked at.
    pub(super) traces: u64,
    /// The newest of them.
    pub(super) ids: Vec<TraceId>,
    /// Services between, that fail with it.
    pub(super) through: Vec<&'a str>,
}

// === impl Failure ===

impl<'a> Failure<'a> {
    fn new(origin: &'a str, (is_within, is_survived): (bool, bool), newest: UnixNanos) -> Self {
        let (reached, says) = (Vec::new(), Vec::new());
        Self { origin, is_within, is_survived, survived: 0, reached, says, is_mute: false, traces: 0, newest }
    }

    fn add(&mut self, trace: &'a TraceSummary) {
        self.traces += 1;
        self.newest = self.newest.max(trace.start);
        let request = (trace.root_service.as_str(), trace.root_name.as_str());
        let place = self.reached.iter().position(|reached| reached.request == request).unwrap_or_else(|| {
            self.reached.push(Reached { request, traces: 0, ids: Vec::new(), through: Vec::new() });
            self.reached.len() - 1
        });
        if let Some(reached) = self.reached.get_mut(place) {
            reached.traces += 1;
            reached.ids.push(trace.trace_id);
            for service in trace.failure.iter().flat_map(|failure| &failure.through).map(String::as_str) {
                if !reached.through.contains(&service) {
                    reached.through.push(service);
                }
            }
        }
        match why(trace) {
            Some(message) => self.hear(message, trace.trace_id),
            None => self.is_mute = true,
        }
    }

    fn hear(&mut self, message: &'a str, trace: TraceId) {
        let like = normalised(message);
        match self.says.iter_mut().find(|said| said.like == like) {
            Some(known) if known.text != message => known.text = Cow::Owned(like),
            Some(_) => {}
            None => self.says.push(Said { text: Cow::Borrowed(message), like, trace }),
        }
    }

    /// Asks for the traces of a request that this failure reaches.
    pub(super) fn reaching(&self, root: &str, operation: &str) -> String {
        let request = format!("{} {}", term("service", root), term("name", operation));
        let outcome = if self.has_failed_requests() { "status:error" } else { "-status:error" };
        format!("{} status:error root:({request} {outcome})", term("service", self.origin))
    }

    /// What it weighs over the whole window: the failed requests of the service in which it starts. Of a service that begins traces, and of what
    /// fails within requests, only the share that the traces looked at have is known.
    pub(super) fn weight(&self, compared: &Compared<'_>) -> Weight {
        let service = compared.now.iter().find(|service| service.name == self.origin);
        let (requests, errors) = service.map_or((0, 0), |service| (service.requests, service.errors));
        let is_root = self.is_root();
        if errors > 0 && !is_root {
            // Those that it fails with because of others start there.
            let fails =
                |trace: &&TraceSummary| trace.has_root && trace.root_failed == self.has_failed_requests() && has_failed(trace, self.origin);
            let share = (compared.failed.iter().filter(fails).count() as u64).max(self.traces);
            return Weight::new(Rank::Reaches, errors.saturating_mul(self.traces).div_ceil(share.max(1)), requests);
        }
        if self.is_answered() {
            return Weight::new(Rank::Answered, self.traces, requests);
        }
        if !is_root || self.is_within {
            return Weight::new(Rank::Within, self.traces, requests);
        }
        let of_root = compared.failed.iter().filter(|trace| trace.has_root && trace.root_failed && trace.root_service == self.origin);
        let failed = errors.saturating_mul(self.traces) / (of_root.count() as u64).max(1);
        Weight::new(Rank::Reaches, failed.max(self.traces), requests)
    }

    /// Whether it reaches a request by way of a service that is not the one in which it starts.
    fn goes_through(&self, service: &str, request: (&str, &str)) -> bool {
        let is_caller = |reached: &Reached<'_>| reached.request.0 == service || reached.through.contains(&service);
        self.origin != service && self.reached.iter().any(|reached| reached.request == request && is_caller(reached))
    }

    /// Whether the requests that it is found in fail.
    pub(super) fn has_failed_requests(&self) -> bool {
        !self.is_within && !self.is_survived
    }

    /// Whether it starts in the services that begin the traces.
    pub(super) fn is_root(&self) -> bool {
        self.reached.iter().all(|reached| reached.request.0 == self.origin)
    }

    /// Whether it reaches a service or passes through it.
    pub(super) fn meets(&self, service: &str) -> bool {
        self.reached.iter().any(|reached| reached.request.0 == service || reached.through.contains(&service))
    }

    /// Whether all that is known to fail are calls that were answered.
    pub(super) fn is_answered(&self) -> bool {
        !self.is_mute && !self.says.is_empty() && self.says.iter().all(|said| is_answer(&said.text))
    }
}

/// Failed traces by the service in which their failure starts; where that is not known, the failing one that is called last. Where that is
/// the service of the request itself, each of its operations is a cause of its own, and so is what fails within it while it succeeds. A trace of which spans may
/// still be on their way is taken for a failure that others show further down.
pub(super) fn failures<'a>(compared: &Compared<'a>) -> Vec<Failure<'a>> {
    let mut found: Vec<Failure<'a>> = Vec::new();
    let is_arriving = |trace: &&TraceSummary| compared.arriving.is_some_and(|arriving| trace.start.plus(trace.duration) > arriving);
    let (young, mut whole): (Vec<&TraceSummary>, Vec<&TraceSummary>) = compared.failed.iter().partition(is_arriving);
    // Where a failure reaches requests, those are what is told of it.
    whole.sort_by_key(|trace| !trace.root_failed);
    let is_young = |place: usize| place >= whole.len();
    // What a trace begins with is not known before its root is there.
    for (place, trace) in whole.iter().chain(&young).enumerate().filter(|(_, trace)| trace.has_root) {
        let (root, operation) = (trace.root_service.as_str(), trace.root_name.as_str());
        let failing = || trace.services.iter().filter(|service| service.error_count > 0).map(|service| service.name.as_str());
        let start = trace.failure.as_ref();
        let origin = start.map(|failure| failure.service.as_str()).or_else(|| failing().next_back()).unwrap_or(root);
        let (is_within, is_survived) = (origin == root && !trace.root_failed, origin != root && !trace.root_failed);
        if is_young(place)
            && let Some(known) = found.iter_mut().find(|known| known.goes_through(origin, (root, operation)))
        {
            known.traces += 1;
            continue;
        }
        if is_survived
            && let Some(known) = found.iter_mut().find(|known| known.origin == origin && known.has_failed_requests() && !known.is_root())
        {
            known.survived += 1;
            continue;
        }
        let same = |known: &Failure<'_>| {
            (known.origin, known.is_within, known.is_survived) == (origin, is_within, is_survived)
                && (origin != root || known.reached.iter().any(|reached| reached.request.1 == operation))
        };
        let place = match found.iter().position(same) {
            Some(place) => place,
            None => {
                found.push(Failure::new(origin, (is_within, is_survived), trace.start));
                found.len() - 1
            }
        };
        let Some(failure) = found.get_mut(place) else { continue };
        failure.add(trace);
    }
    // What was answered is told after what is out of order.
    found.sort_by_key(|failure| (failure.is_answered(), std::cmp::Reverse((failure.traces, failure.newest))));
    for failure in &mut found {
        failure.reached.sort_by_key(|reached| (std::cmp::Reverse(reached.traces), reached.request));
    }
    found
}

fn has_failed(trace: &TraceSummary, service: &str) -> bool {
    trace.services.iter().any(|known| known.name == service && known.error_count > 0)
}
