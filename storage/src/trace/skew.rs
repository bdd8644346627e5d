//! Clocks that disagree: an estimate for display. Stored times are never changed.

use std::collections::HashMap;
use std::sync::Arc;

use crate::model::{Resource, Span, SpanKind};

use super::Tree;

/// What tells one clock from another, the most exact first.
const CLOCK_KEYS: [&str; 6] = ["host.id", "k8s.node.uid", "k8s.pod.uid", "container.id", "host.name", "service.instance.id"];

/// By how much spans should be moved for display.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skew {
    /// Per span, nanoseconds to add to its times.
    pub offsets: Vec<i64>,
    /// Where the clock changes and the times contradict each other.
    pub jumps: Vec<Jump>,
}

/// A call whose two sides contradict each other in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Jump {
    /// The client span.
    pub client: usize,
    /// The server span.
    pub server: usize,
    /// Nanoseconds by which the server's clock is behind the client's; negative when it is ahead.
    pub delta: i64,
    /// Whether `delta` is small enough to be believed.
    pub applied: bool,
}

/// Estimates skew at calls from client to server spans on different hosts. Estimates above `max` nanoseconds are only reported.
#[must_use]
pub fn skew(spans: &[Span], tree: &Tree, max: u64) -> Skew {
    let clocks = clocks(spans);
    let mut skew = Skew { offsets: vec![0; spans.len()], jumps: Vec::new() };
    for place in tree.preorder() {
        let Some(parent) = tree.parent(*place) else { continue };
        let (Some(span), Some(above)) = (spans.get(*place), spans.get(parent)) else { continue };
        let inherited = skew.offsets.get(parent).copied().unwrap_or(0);
        let same_clock = clocks.get(*place) == clocks.get(parent);
        let offset = if same_clock {
            inherited
        } else if above.kind == SpanKind::Client && span.kind == SpanKind::Server {
            let delta = estimate(above, inherited, span);
            let applied = delta.unsigned_abs() <= max;
            if delta != 0 {
                skew.jumps.push(Jump { client: parent, server: *place, delta, applied });
            }
            if applied { delta } else { 0 }
        } else {
            0
        };
        if let Some(slot) = skew.offsets.get_mut(*place) {
            *slot = offset;
        }
    }
    skew
}

/// How far the server span must move to lie inside the client span, which is moved by `moved` already.
fn estimate(client: &Span, moved: i64, server: &Span) -> i64 {
    let client_start = i128::from(client.start.get()) + i128::from(moved);
    let server_start = i128::from(server.start.get());
    let (client_duration, server_duration) = (i128::from(client.duration()), i128::from(server.duration()));
    let delta = if server_duration > client_duration {
        (client_start - server_start).max(0)
    } else if server_start >= client_start && server_start + server_duration <= client_start + client_duration {
        0
    } else {
        client_start + (client_duration - server_duration) / 2 - server_start
    };
    i64::try_from(delta).unwrap_or(if delta > 0 { i64::MAX } else { i64::MIN })
}

/// Per span, a number for the clock it was timed by.
fn clocks(spans: &[Span]) -> Vec<usize> {
    let mut by_resource: HashMap<*const Resource, usize> = HashMap::new();
    let mut by_key: HashMap<String, usize> = HashMap::new();
    let clock = |span: &Span| {
        *by_resource.entry(Arc::as_ptr(&span.resource)).or_insert_with(|| {
            let next = by_key.len();
            *by_key.entry(clock_key(&span.resource)).or_insert(next)
        })
    };
    spans.iter().map(clock).collect()
}

fn clock_key(resource: &Resource) -> String {
    let named = CLOCK_KEYS.into_iter().find_map(|key| resource.attribute(key).map(|value| format!("{key}={value}")));
    named.unwrap_or_else(|| format!("{:?}", resource.attributes))
}
