//! The service map.

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use storage::{Edge, Node, NodeKind, ServiceMap, SpanId, TimeRange, TraceId};

use super::shape::{Range, Stats};
use super::{to_json, written};
use crate::error::Failure;
use crate::otlp_json::Text;
use crate::params::Params;
use crate::state::AppState;

/// Who calls whom. Large ones have thousands of texts and ids, which are written from where they are.
#[derive(Debug, Serialize)]
struct MapJson<'a> {
    range: Range,
    nodes: Vec<NodeJson<'a>>,
    edges: Vec<EdgeJson<'a>>,
    stats: Stats,
}

#[derive(Debug, Serialize)]
struct NodeJson<'a> {
    name: &'a str,
    kind: &'static str,
    system: &'a str,
    requests: u64,
    errors: u64,
    p50: Text<u64>,
    p95: Text<u64>,
    p99: Text<u64>,
}

#[derive(Debug, Serialize)]
struct EdgeJson<'a> {
    from: EndJson<'a>,
    to: EndJson<'a>,
    kind: &'static str,
    calls: u64,
    errors: u64,
    p50: Text<u64>,
    p95: Text<u64>,
    p99: Text<u64>,
    examples: Vec<ExampleJson>,
}

#[derive(Debug, Serialize)]
struct EndJson<'a> {
    name: &'a str,
    kind: &'static str,
}

#[derive(Debug, Serialize)]
struct ExampleJson {
    trace_id: Text<TraceId>,
    span_id: Text<SpanId>,
}

/// `GET /api/v1/map`
pub(super) async fn between_services(State(state): State<AppState>, params: Params) -> Result<Response, Failure> {
    params.refuse_unknown(&["from", "to"])?;
    let range = params.window(state.now(), "now-1h")?.in_minutes().range;
    let map = state.store().service_map(range).await?;
    written(move || to_json(&MapJson::new(&map, range))).await
}

impl<'a> MapJson<'a> {
    fn new(map: &'a ServiceMap, asked: TimeRange) -> Self {
        Self {
            range: map.range.unwrap_or(asked).into(),
            nodes: map.nodes.iter().map(NodeJson::from).collect(),
            edges: map.edges.iter().map(EdgeJson::from).collect(),
            stats: map.stats.clone().into(),
        }
    }
}

impl<'a> From<&'a Node> for NodeJson<'a> {
    fn from(node: &'a Node) -> Self {
        Self {
            name: &node.name,
            kind: node.kind.as_str(),
            system: &node.system,
            requests: node.requests,
            errors: node.errors,
            p50: Text(node.p50),
            p95: Text(node.p95),
            p99: Text(node.p99),
        }
    }
}

impl<'a> From<&'a Edge> for EdgeJson<'a> {
    fn from(edge: &'a Edge) -> Self {
        let end = |(name, kind): &'a (String, NodeKind)| EndJson { name, kind: kind.as_str() };
        Self {
            from: end(&edge.from),
            to: end(&edge.to),
            kind: edge.kind.as_str(),
            calls: edge.calls,
            errors: edge.errors,
            p50: Text(edge.p50),
            p95: Text(edge.p95),
            p99: Text(edge.p99),
            examples: edge
                .examples
                .iter()
                .map(|(trace_id, span_id)| ExampleJson { trace_id: Text(*trace_id), span_id: Text(*span_id) })
                .collect(),
        }
    }
}
