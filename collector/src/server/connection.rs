//! One connection: which protocol it speaks, and its life until it closes or is drained.
//!
//! Both ports look at the first byte pair. HTTP/2 and HTTP/1.1 are both served on the HTTP port; on the gRPC port HTTP/1.1 gets
//! an answer that names the mistake, since exporters set to the wrong port are the most common one.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use ::http::{Request, Response};
use bytes::Bytes;
use http_body::Body as HttpBody;
use hyper::body::Incoming;
use hyper::rt::{Read, Write};
use hyper::server::conn::{http1, http2};
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tower::Service as _;

use super::accept::Protocol;
use super::socket::{Phase, Socket};
use crate::config::Config;
use crate::error::Refusal;
use crate::grpc;
use crate::ingest::Ingest;
use crate::metrics::Transport;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What the first bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Speech {
    Http1,
    Http2,
    Tls,
}

/// Serves one connection until it closes, times out or is drained.
pub(super) async fn serve(stream: TcpStream, protocol: Protocol, ingest: &Ingest, stop: CancellationToken) -> Result<(), BoxError> {
    stream.set_nodelay(true)?;
    let config = &ingest.config;
    let listened = tokio::select! {
        () = stop.cancelled() => return Ok(()),
        listened = timeout(config.idle_timeout, listen_to(&stream, config.header_timeout)) => listened,
    };
    let Ok(Some(speech)) = listened.map(Result::transpose).map(|speech| speech.and_then(Result::ok)) else { return Ok(()) };
    match (speech, protocol) {
        (Speech::Tls, protocol) => {
            let transport = if matches!(protocol, Protocol::Grpc(_)) { Transport::Grpc } else { Transport::Http };
            let refusal = Refusal::Speech(
                "TLS on a port that speaks plain text; use http:// in the exporter's endpoint, or insecure: true".to_owned(),
            );
            ingest.note_refusal(transport, &refusal, "");
            Ok(())
        }
        (Speech::Http2, Protocol::Grpc(routes)) => {
            let (socket, way) = (Socket::new(stream, None, config), config.way_to_http());
            serve_http2(socket, config, service_fn(move |request| answer_grpc(routes.clone(), request, way.clone())), stop).await
        }
        (Speech::Http1, Protocol::Grpc(_)) => {
            let phase = Arc::new(Phase::default());
            let socket = Socket::new(stream, Some(Arc::clone(&phase)), config);
            let way = config.way_to_http();
            let refusal = Refusal::Speech(format!("HTTP/1.1 on the port of OTLP/gRPC; {way}"));
            ingest.note_refusal(Transport::Grpc, &refusal, "");
            let answer = service_fn(async |_: Request<Incoming>| Ok::<_, Infallible>(grpc::not_grpc(&way)));
            serve_http1(socket, answer, stop).await
        }
        (Speech::Http2, Protocol::Http(service)) => {
            let socket = Socket::new(stream, None, config);
            serve_http2(socket, config, service_fn(move |request| service.clone().call(request)), stop).await
        }
        (Speech::Http1, Protocol::Http(service)) => {
            let phase = Arc::new(Phase::default());
            let socket = Socket::new(stream, Some(Arc::clone(&phase)), config);
            let answer = service_fn(|request: Request<Incoming>| {
                let (service, busy) = (service.clone(), Phase::busy(&phase));
                async move {
                    let answer = service.call(request).await;
                    drop(busy);
                    answer
                }
            });
            let served = serve_http1(socket, answer, stop).await;
            if phase.is_late() {
                ingest.note_refusal(Transport::Http, &Refusal::HeadTimeout, "");
            }
            served
        }
    }
}

/// Looks at the first two bytes without taking them. `PRI` opens HTTP/2, and no method begins with `PR`. A `P` that nothing follows for long
/// is the beginning of a head of HTTP/1.1, which has its own clock.
async fn listen_to(stream: &TcpStream, header_timeout: Duration) -> io::Result<Option<Speech>> {
    let mut first = [0; 2];
    let mut seen = stream.peek(&mut first).await?;
    let waited = timeout(header_timeout, async {
        while seen == 1 && first.starts_with(b"P") {
            tokio::time::sleep(PEEK_PAUSE).await;
            seen = stream.peek(&mut first).await?;
        }
        io::Result::Ok(())
    });
    if waited.await.is_err() {
        return Ok(Some(Speech::Http1));
    }
    Ok(match first.get(..seen) {
        None | Some([]) => None,
        Some(b"PR") => Some(Speech::Http2),
        Some([0x16, ..]) => Some(Speech::Tls),
        Some(_) => Some(Speech::Http1),
    })
}

/// What is not gRPC at all is told so before it is routed.
async fn answer_grpc(
    mut routes: Routes,
    request: Request<Incoming>,
    way_to_http: String,
) -> Result<Response<tonic::body::Body>, Infallible> {
    if !grpc::is_grpc(request.headers()) {
        return Ok(grpc::not_grpc(&way_to_http));
    }
    routes.call(request.map(tonic::body::Body::new)).await.map(|answer| answer.map(tonic::body::Body::new))
}

async fn serve_http1<I, S, B>(socket: I, service: S, stop: CancellationToken) -> Result<(), BoxError>
where
    I: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    TokioIo<I>: Read + Write,
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Send,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let mut builder = http1::Builder::new();
    // The socket keeps the time of heads and of idleness; hyper would count both as one.
    builder.timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(MAX_HEAD_BYTES).half_close(true);
    let connection = builder.serve_connection(TokioIo::new(socket), service);
    tokio::pin!(connection);
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    served.map_err(Into::into)
}

async fn serve_http2<I, S, B>(socket: I, config: &Config, service: S, stop: CancellationToken) -> Result<(), BoxError>
where
    I: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    TokioIo<I>: Read + Write,
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Send,
    S::Future: Send + 'static,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let (connection_window, stream_window) = config.windows();
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .initial_stream_window_size(stream_window)
        .initial_connection_window_size(connection_window)
        .max_header_list_size(MAX_HEADER_LIST_BYTES)
        .keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT);
    let connection = builder.serve_connection(TokioIo::new(socket), service);
    tokio::pin!(connection);
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    served.map_err(Into::into)
}

const PEEK_PAUSE: Duration = Duration::from_millis(20);
/// Heads beyond this are answered with 431.
const MAX_HEAD_BYTES: usize = 256 * 1024;
const MAX_HEADER_LIST_BYTES: u32 = 64 * 1024;
const MAX_STREAMS: u32 = 256;
/// A dead peer is found within a minute and a half.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(60);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);
