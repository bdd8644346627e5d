//! Clocks that disagree: an estimate for display. Stored times are never changed.

use crate::model::{Resource, SpanKind};

use super::critical::is_handed_over;
use super::{Brief, Tree};

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
    /// The client span, or the producer.
    pub client: usize,
    /// The server span, or the consumer.
    pub server: usize,
    /// Nanoseconds by which the server's clock is behind the client's; negative when it is ahead.
    pub delta: i64,
    /// By how much `delta` may be wrong in either direction: the server may lie anywhere inside the client. `None` when nothing bounds it: the
    /// server lasts longer than the client, or a message was taken before it was sent.
    pub uncertainty: Option<u64>,
    /// Whether `delta` is small enough to be believed.
    pub applied: bool,
}

/// Estimates skew at calls from client to server spans on different hosts, and where messages are taken before they are sent. Estimates above
/// `max` nanoseconds are only reported.
#[must_use]
pub fn skew(spans: &[Brief], tree: &Tree, max: u64) -> Skew {
    let mut skew = Skew { offsets: vec![0; spans.len()], jumps: Vec::new() };
    for place in tree.preorder() {
        let Some(parent) = tree.parent(*place) else { continue };
        let (Some(span), Some(above)) = (spans.get(*place), spans.get(parent)) else { continue };
        let inherited = skew.offsets.get(parent).copied().unwrap_or(0);
        let same_clock = span.clock == above.clock;
        let offset = if same_clock {
            inherited
        } else if let Some((delta, uncertainty)) = contradiction(above, inherited, span) {
            let applied = delta.unsigned_abs() <= max;
            if delta != 0 {
                skew.jumps.push(Jump { client: parent, server: *place, delta, uncertainty, applied });
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

/// How far a span must move so that it does not contradict the one above it, and by how much that may be wrong; `None` where nothing tells.
fn contradiction(above: &Brief, moved: i64, span: &Brief) -> Option<(i64, Option<u64>)> {
    if above.kind == SpanKind::Client && span.kind == SpanKind::Server {
        let uncertainty = above.duration().checked_sub(span.duration()).map(|slack| slack / 2);
        return Some((estimate(above, moved, span), uncertainty));
    }
    is_handed_over(above, span).then(|| (taken_early(above, moved, span), None))
}

/// How far the server span must move to lie inside the client span, which is moved by `moved` already.
fn estimate(client: &Brief, moved: i64, server: &Brief) -> i64 {
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

/// How far a consumer must move at least, so that it does not begin before its message was begun to be sent.
fn taken_early(producer: &Brief, moved: i64, consumer: &Brief) -> i64 {
    let early = i128::from(producer.start.get()) + i128::from(moved) - i128::from(consumer.start.get());
    i64::try_from(early.max(0)).unwrap_or(i64::MAX)
}

/// What tells the clock of a resource from others.
pub(super) fn clock_key(resource: &Resource) -> String {
    let named = CLOCK_KEYS.into_iter().find_map(|key| resource.attribute(key).map(|value| format!("{key}={value}")));
    named.unwrap_or_else(|| format!("{:?}", resource.attributes))
}
