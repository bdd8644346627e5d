//! One connection from its first byte to its end.
//!
//! Pages and APIs speak HTTP/1.1 alone: browsers speak HTTP/2 over TLS only. What begins HTTP/2 in plain text is an exporter of OTLP/gRPC that
//! was given this port; it is answered in its own protocol, so that its log says where telemetry is taken.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use axum::Router;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::Watcher;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::doors::Place;
use super::heads::Told;
use super::stray;
use crate::state::AppState;

/// Serves a connection until it closes, is idle for too long or the server stops.
pub(super) async fn serve(stream: TcpStream, place: Place, app: Router, state: AppState, watcher: Watcher) {
    let broken = || state.metrics().broken.add(1);
    let heard = tokio::select! {
        () = state.stopping().cancelled() => return,
        heard = timeout(place.patience(), begins_http2(&stream)) => heard,
    };
    // Nothing was said, or the connection is gone.
    let Ok(Ok(is_http2)) = heard else { return broken() };
    let served = if is_http2 {
        timeout(place.patience(), refuse(stream, &state, watcher)).await.unwrap_or(Ok(()))
    } else {
        watcher.watch(place.builder().serve_connection(TokioIo::new(Told::new(stream)), TowerToHyperService::new(app))).await
    };
    if let Err(error) = served {
        broken();
        tracing::debug!(%error, "a connection to the pages ended early");
    }
}

/// Looks at the first bytes without taking them.
async fn begins_http2(stream: &TcpStream) -> io::Result<bool> {
    let mut first = [0; HTTP2.len()];
    loop {
        let seen = stream.peek(&mut first).await?;
        let seen = first.get(..seen).unwrap_or_default();
        if seen.is_empty() || seen.len() == HTTP2.len() || !HTTP2.starts_with(seen) {
            return Ok(seen == HTTP2);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Tells whoever speaks HTTP/2 where to go.
async fn refuse(stream: TcpStream, state: &AppState, watcher: Watcher) -> hyper::Result<()> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.timer(TokioTimer::new()).max_concurrent_streams(MAX_STREAMS).max_header_list_size(MAX_HEADER_LIST_BYTES);
    let state = state.clone();
    let answer = service_fn(move |request: Request<Incoming>| std::future::ready(Ok::<_, Infallible>(stray::answer(&state, &request))));
    watcher.watch(builder.serve_connection(TokioIo::new(stream), answer)).await
}

/// How HTTP/2 begins; no method does so.
const HTTP2: &[u8] = b"PRI";

/// Until the rest of a beginning is looked for.
const PAUSE: Duration = Duration::from_millis(20);

/// Requests at once that are told where to go.
const MAX_STREAMS: u32 = 16;

const MAX_HEADER_LIST_BYTES: u32 = 16 << 10;
