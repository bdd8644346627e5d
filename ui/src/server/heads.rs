//! Words for requests whose address or headers are too long.
//!
//! The HTTP library refuses such a request by itself, before anything here sees it, and says a status alone. On the way out that answer is
//! replaced by one that says what to do. Nothing else answers with these two.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::error::Failure;

/// A connection whose bare refusals get words.
#[derive(Debug)]
pub(super) struct Told<S> {
    stream: S,
    /// Whether nothing was sent since something last came: what is sent next begins an answer, and is no part of a body.
    begins: bool,
    /// What is to be sent instead, and how much of it was.
    instead: Option<(Vec<u8>, usize)>,
}

impl<S> Told<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, begins: true, instead: None }
    }
}

impl<S: AsyncWrite + Unpin> Told<S> {
    /// Whether another answer is to be sent than one that begins so.
    fn is_instead(&mut self, bytes: &[u8]) -> bool {
        if std::mem::take(&mut self.begins) {
            self.instead = words_for(bytes).map(|answer| (answer, 0));
        }
        self.instead.is_some()
    }

    /// Sends another answer in place of `bytes` bytes.
    fn send_instead(&mut self, context: &mut Context<'_>, bytes: usize) -> Poll<io::Result<usize>> {
        while let Some((answer, sent)) = &mut self.instead {
            let rest = answer.get(*sent..).unwrap_or_default();
            if rest.is_empty() {
                self.instead = None;
                break;
            }
            match ready!(Pin::new(&mut self.stream).poll_write(context, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                more => *sent += more,
            }
        }
        Poll::Ready(Ok(bytes))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Told<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        self.begins |= buffer.filled().len() > before;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Told<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_instead(bytes) {
            return self.send_instead(context, bytes.len());
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        if self.is_instead(pieces.first().map(|first| &**first).unwrap_or_default()) {
            return self.send_instead(context, pieces.iter().map(|piece| piece.len()).sum());
        }
        Pin::new(&mut self.stream).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// What is said in place of a refusal that begins so; `None` for every other answer.
fn words_for(answer: &[u8]) -> Option<Vec<u8>> {
    let status = [StatusCode::URI_TOO_LONG, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE]
        .into_iter()
        .find(|status| answer.starts_with(format!("HTTP/1.1 {} ", status.as_str()).as_bytes()))?;
    let body = Failure::new(status, "too_long", WORDS).to_json().to_string();
    let reason = status.canonical_reason().unwrap_or_default();
    let head = format!(
        "HTTP/1.1 {} {reason}\r\ncontent-type: application/json\r\nx-content-type-options: nosniff\r\ncache-control: no-store\r\n\
         connection: close\r\ncontent-length: {}\r\n\r\n",
        status.as_str(),
        body.len()
    );
    Some((head + &body).into_bytes())
}

/// Which of the two it is depends on how the request came in.
const WORDS: &str = "the address of the request, or its headers, are too long: an address has at most 65,534 bytes, in which a space or a quote takes \
                     three; send a long SQL statement as the body of POST /api/v1/sql, up to 1 MiB, and make the address of any other question shorter";

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn a_bare_refusal_gets_words_through_a_narrow_pipe_and_other_answers_are_left_alone() {
        for (answer, is_told) in [
            ("HTTP/1.1 414 URI Too Long\r\ncontent-length: 0\r\n\r\n", true),
            ("HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\n\r\n", true),
            ("HTTP/1.1 200 OK\r\ncontent-length: 16\r\n\r\nHTTP/1.1 414 is one", false),
        ] {
            let (near, mut far) = tokio::io::duplex(16);
            let sending = tokio::spawn(async move {
                let mut told = Told::new(near);
                // A body may be sent by itself, and say what it wants.
                let (head, body) = answer.split_at(answer.find("\r\n\r\n").unwrap() + 4);
                told.write_all(head.as_bytes()).await.unwrap();
                told.write_all(body.as_bytes()).await.unwrap();
                told.shutdown().await.unwrap();
            });
            let mut came = String::new();
            far.read_to_string(&mut came).await.unwrap();
            sending.await.unwrap();
            assert_eq!(came != answer, is_told, "{came}");
            if is_told {
                let (head, body) = came.split_once("\r\n\r\n").unwrap();
                assert!(head.starts_with(&answer[..12]) && head.contains(&format!("content-length: {}", body.len())), "{head}");
                assert!(body.contains("POST /api/v1/sql"), "{body}");
            }
        }
    }
}
