//! The page of a trace that is not there, and the ways on from it.

use storage::{TraceId, UnixNanos};

use super::Visit;
use crate::absent;
use crate::error::Failure;
use crate::params::Params;
use crate::view::trace::Wanted;

/// Why it is not there; leads to what is left of it.
pub(super) async fn why(visit: &Visit, id: TraceId, wanted: &Wanted) -> Failure {
    let seen = Params::parse(&wanted.list).get("seen").and_then(|seen| seen.parse().ok()).map(UnixNanos::new);
    let clock = visit.clock();
    let known = absent::why(visit.state.store(), id, seen, (clock.now(), &|time| clock.second(time))).await;
    let links = visit.links();
    let mut failure = known.failure;
    failure.ways.extend(known.receipt.map(|receipt| ("Its receipt", format!("{}#{receipt}", links.plain("/status/deletes").href()))));
    if let Some((first, last)) = known.logs {
        let (from, to) = (first.minus(MARGIN).get().to_string(), last.plus(MARGIN).get().to_string());
        let logs = links.plain("/logs").with("q", &format!("trace:{id}")).with("from", &from).with("to", &to);
        failure.ways.push(("Its log records", logs.href()));
    }
    failure
}

/// What is shown before and after the log records of a trace: one second.
const MARGIN: u64 = 1_000_000_000;
