//! The service map.

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use storage::{Edge, Node, NodeKind, ServiceMap, TimeRange};

use super::shape::{Range, Stats};
use super::{to_json, written};
use crate::error::Failure;
use crate::params::Params;
use crate::state::AppState;

/// Who calls whom.
#[derive(Debug, Serialize)]
pub(super) struct MapJson {
    range: Range,
    nodes: Vec<NodeJson>,
    edges: Vec<EdgeJson>,
    stats: Stats,
}

#[derive(Debug, Serialize)]
struct NodeJson {
    name: String,
    kind: &'static str,
    system: String,
    requests: u64,
    errors: u64,
    p50: String,
    p95: String,
    p99: String,
}

#[derive(Debug, Serialize)]
struct EdgeJson {
    from: EndJson,
    to: EndJson,
    kind: &'static str,
    calls: u64,
    errors: u64,
    p50: String,
    p95: String,
    p99: String,
    examples: Vec<ExampleJson>,
}

#[derive(Debug, Serialize)]
struct EndJson {
    name: String,
    kind: &'static str,
}

#[derive(Debug, Serialize)]
struct ExampleJson {
    trace_id: String,
    span_id: String,
}

/// `GET /api/v1/map`
pub(super) async fn between_services(State(state): State<AppState>, params: Params) -> Result<Response, Failure> {
    params.refuse_unknown(&["from", "to"])?;
    let range = params.window(state.now(), "now-1h")?.in_minutes().range;
    let map = state.store().service_map(range).await?;
    written(move || to_json(&MapJson::new(map, range))).await
}

impl MapJson {
    fn new(map: ServiceMap, asked: TimeRange) -> Self {
        Self {
            range: map.range.unwrap_or(asked).into(),
            nodes: map.nodes.into_iter().map(NodeJson::from).collect(),
            edges: map.edges.into_iter().map(EdgeJson::from).collect(),
            stats: map.stats.into(),
        }
    }
}

impl From<Node> for NodeJson {
    fn from(node: Node) -> Self {
        Self {
            name: node.name,
            kind: node.kind.as_str(),
            system: node.system,
            requests: node.requests,
            errors: node.errors,
            p50: node.p50.to_string(),
            p95: node.p95.to_string(),
            p99: node.p99.to_string(),
        }
    }
}

impl From<Edge> for EdgeJson {
    fn from(edge: Edge) -> Self {
        let end = |(name, kind): (String, NodeKind)| EndJson { name, kind: kind.as_str() };
        let examples = edge.examples.into_iter();
        Self {
            from: end(edge.from),
            to: end(edge.to),
            kind: edge.kind.as_str(),
            calls: edge.calls,
            errors: edge.errors,
            p50: edge.p50.to_string(),
            p95: edge.p95.to_string(),
            p99: edge.p99.to_string(),
            examples: examples.map(|(trace, span)| ExampleJson { trace_id: trace.to_string(), span_id: span.to_string() }).collect(),
        }
    }
}
