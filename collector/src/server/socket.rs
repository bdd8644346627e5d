//! A TCP stream that keeps time.
//!
//! Between requests of HTTP/1.1 a connection may rest for long; once a head has begun it must come to its end soon. Answers
//! must be taken, and a connection that closes with bytes still coming is read for a moment, so that the sender gets to see
//! its answer instead of a reset.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

use crate::config::Config;
use crate::error::Refusal;
use crate::rpc;

/// How many requests of a connection are being answered, how many were, and whether it ended within a head. Shared with the service.
#[derive(Debug, Default)]
pub(super) struct Phase {
    busy: AtomicU32,
    begun: AtomicU32,
    late: AtomicBool,
}

/// Marks a request as being answered until it is dropped.
#[derive(Debug)]
pub(super) struct Busy(Arc<Phase>);

/// The stream and its clocks.
#[derive(Debug)]
pub(super) struct Socket {
    stream: TcpStream,
    /// `None` for HTTP/2, which finds dead peers by its own pings.
    phase: Option<Arc<Phase>>,
    timer: Pin<Box<Sleep>>,
    waiting: Waiting,
    seen: u32,
    header_timeout: Duration,
    idle_timeout: Duration,
    /// What is written in place of an answer without a body.
    outbox: Bytes,
    stalled: Option<Pin<Box<Sleep>>>,
    lingering: Option<Pin<Box<Sleep>>>,
    /// Bytes that are still read after the answer, so that the sender sees it.
    scraps: usize,
    /// A head that came too slowly was told so.
    late: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waiting {
    /// No timer runs.
    Not,
    ForHead,
    ForEndOfHead,
}

// === impl Phase ===

impl Phase {
    pub(super) fn busy(this: &Arc<Self>) -> Busy {
        this.begun.fetch_add(1, Ordering::Relaxed);
        this.busy.fetch_add(1, Ordering::Relaxed);
        Busy(Arc::clone(this))
    }

    /// Whether a head did not come to its end in time.
    pub(super) fn is_late(&self) -> bool {
        self.late.load(Ordering::Relaxed)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

// === impl Socket ===

impl Socket {
    pub(super) fn new(stream: TcpStream, phase: Option<Arc<Phase>>, config: &Config) -> Self {
        Self {
            stream,
            phase,
            timer: Box::pin(sleep(Duration::ZERO)),
            waiting: Waiting::Not,
            seen: 0,
            header_timeout: config.header_timeout,
            idle_timeout: config.idle_timeout,
            outbox: Bytes::new(),
            stalled: None,
            lingering: None,
            scraps: LINGER_BYTES,
            late: false,
        }
    }

    fn is_busy(&mut self) -> bool {
        let Some(phase) = &self.phase else { return true };
        let begun = phase.begun.load(Ordering::Relaxed);
        if begun != self.seen {
            self.seen = begun;
            self.waiting = Waiting::Not;
        }
        phase.busy.load(Ordering::Relaxed) > 0
    }

    fn wait(&mut self, waiting: Waiting) {
        if self.waiting != waiting {
            self.waiting = waiting;
            let patience = if waiting == Waiting::ForEndOfHead { self.header_timeout } else { self.idle_timeout };
            self.timer.as_mut().reset(Instant::now() + patience);
        }
    }

    /// Sends what is in the outbox.
    fn poll_outbox(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.outbox.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.outbox))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.outbox.advance(written);
        }
        Poll::Ready(Ok(()))
    }

    /// A peer that takes nothing for long is given up.
    fn stall<T>(&mut self, cx: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.stalled = None;
            return polled;
        }
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(WRITE_TIMEOUT)));
        ready!(stalled.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let busy = self.is_busy();
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        if busy {
            return polled;
        }
        if polled.is_ready() {
            if buf.filled().len() > before {
                self.wait(Waiting::ForEndOfHead);
            }
            return polled;
        }
        if self.waiting == Waiting::Not {
            self.wait(Waiting::ForHead);
        }
        if !self.late {
            ready!(self.timer.as_mut().poll(cx));
        }
        // A rest that was long enough ends like the sender had hung up.
        if self.waiting == Waiting::ForHead {
            return Poll::Ready(Ok(()));
        }
        if !self.late && self.outbox.is_empty() && self.stalled.is_none() {
            self.outbox = slow_head();
        }
        self.late = true;
        if let Some(phase) = &self.phase {
            phase.late.store(true, Ordering::Relaxed);
        }
        let told = self.poll_outbox(cx);
        ready!(self.stall(cx, told))?;
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let polled = self.poll_outbox(cx);
        match self.stall(cx, polled) {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Pending => return Poll::Pending,
        }
        if self.phase.is_some()
            && let Some(explained) = explain(buf)
        {
            self.outbox = explained;
            return Poll::Ready(Ok(buf.len()));
        }
        let polled = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.stall(cx, polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = self.poll_outbox(cx);
        let polled = self.stall(cx, polled);
        ready!(polled)?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingering.is_none() {
            ready!(self.as_mut().poll_flush(cx))?;
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
            self.lingering = Some(Box::pin(sleep(LINGER)));
        }
        let mut scrap = [0; 16 * 1024];
        for _ in 0..LINGER_READS {
            let mut buf = ReadBuf::new(&mut scrap);
            match Pin::new(&mut self.stream).poll_read(cx, &mut buf) {
                Poll::Ready(Ok(())) if !buf.filled().is_empty() && self.scraps > 0 => {
                    self.scraps = self.scraps.saturating_sub(buf.filled().len());
                }
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => {
                    if let Some(lingering) = &mut self.lingering {
                        ready!(lingering.as_mut().poll(cx));
                    }
                    return Poll::Ready(Ok(()));
                }
            }
        }
        if self.lingering.as_ref().is_none_or(|lingering| lingering.is_elapsed() || lingering.deadline() <= Instant::now()) {
            return Poll::Ready(Ok(()));
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// hyper answers broken heads by itself and without a body; OTLP wants a status in every error.
fn explain(answer: &[u8]) -> Option<Bytes> {
    let head = answer.strip_prefix(b"HTTP/1.1 4")?;
    let is_bare = answer.ends_with(b"\r\n\r\n") && find(answer, b"content-length: 0\r\n") && !find(answer, b"content-type:");
    if !is_bare {
        return None;
    }
    let (line, code, message) = match head.get(..2)? {
        b"31" => ("431 Request Header Fields Too Large", tonic::Code::InvalidArgument, "the request's headers are too large; send fewer"),
        b"14" => ("414 URI Too Long", tonic::Code::InvalidArgument, "the request's path is too long; send to /v1/traces or /v1/logs"),
        b"00" => ("400 Bad Request", tonic::Code::InvalidArgument, "the request's head is not valid HTTP/1.1"),
        _ => return None,
    };
    Some(last_answer(line, code, message))
}

/// What a head gets that did not come to its end in time.
fn slow_head() -> Bytes {
    let refusal = Refusal::HeadTimeout;
    last_answer("408 Request Timeout", refusal.code(), &refusal.message())
}

/// An answer after which the connection closes.
fn last_answer(line: &str, code: tonic::Code, message: &str) -> Bytes {
    let body = rpc::status_json(code as i32, message, &[]);
    let mut whole =
        format!("HTTP/1.1 {line}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len())
            .into_bytes();
    whole.extend_from_slice(&body);
    whole.into()
}

fn find(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long, how much, and in how many pieces at a time, a closing connection is still read: enough for a batch somewhat too
/// large to be sent whole, since many senders read no answer before, and no more.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 16 << 20;
const LINGER_READS: usize = 64;
