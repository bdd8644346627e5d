//! The frame of a gRPC message: one flag byte, four bytes of length, the message.

use ::http::Response;
use ::http::header::{self, HeaderMap, HeaderValue};
use bytes::{BufMut as _, Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full};
use tonic::body::Body;

use crate::error::Refusal;

/// The message of a call.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) compressed: bool,
    pub(super) message: Bytes,
}

/// Refuses by the head alone, before the rest is received, or says how long the body will be.
pub(super) fn look(received: &[u8], limit: usize) -> Result<usize, Refusal> {
    let Some((flag, length)) = head(received) else { return Ok(0) };
    if flag > 1 {
        return Err(Refusal::Frame(format!("the flag of the message is {flag}, not 0 or 1")));
    }
    if length > limit {
        return Err(Refusal::TooLarge { limit });
    }
    Ok(HEAD_BYTES + length)
}

/// Opens a whole body, which must hold exactly one message.
pub(super) fn open(mut body: Bytes) -> Result<Frame, Refusal> {
    if body.is_empty() {
        return Err(Refusal::Cardinality("none"));
    }
    let Some((flag, length)) = head(&body) else { return Err(cut_short()) };
    if flag > 1 {
        return Err(Refusal::Frame(format!("the flag of the message is {flag}, not 0 or 1")));
    }
    let message = body.split_off(HEAD_BYTES);
    match message.len().cmp(&length) {
        std::cmp::Ordering::Less => Err(cut_short()),
        std::cmp::Ordering::Greater => Err(Refusal::Cardinality("several")),
        std::cmp::Ordering::Equal => Ok(Frame { compressed: flag == 1, message }),
    }
}

/// A successful reply with one message.
pub(super) fn reply(message: &[u8]) -> Response<Body> {
    let mut framed = BytesMut::with_capacity(HEAD_BYTES + message.len());
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    framed.extend_from_slice(message);
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let body = Full::new(framed.freeze()).with_trailers(std::future::ready(Some(Ok(trailers))));
    let mut reply = Response::new(Body::new(body));
    reply.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    reply
}

fn head(received: &[u8]) -> Option<(u8, usize)> {
    let (flag, rest) = received.split_first()?;
    let length = u32::from_be_bytes(*rest.first_chunk::<4>()?);
    Some((*flag, usize::try_from(length).unwrap_or(usize::MAX)))
}

fn cut_short() -> Refusal {
    Refusal::Frame("the message ends before its declared length".to_owned())
}

pub(super) const HEAD_BYTES: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_holds_exactly_one_message() {
        assert_eq!(open(Bytes::from_static(b"\0\0\0\0\x02ab")).unwrap(), Frame { compressed: false, message: Bytes::from_static(b"ab") });
        assert!(matches!(open(Bytes::new()), Err(Refusal::Cardinality(_))));
        assert!(matches!(open(Bytes::from_static(b"\0\0\0\0\x01ab")), Err(Refusal::Cardinality(_))));
        assert!(matches!(open(Bytes::from_static(b"\0\0\0")), Err(Refusal::Frame(_))));
        assert!(matches!(open(Bytes::from_static(b"\0\0\0\0\x03ab")), Err(Refusal::Frame(_))));
        assert!(matches!(open(Bytes::from_static(b"\x02\0\0\0\0")), Err(Refusal::Frame(_))));
    }

    #[test]
    fn the_head_alone_is_enough_to_refuse_what_is_too_large() {
        assert!(look(b"\0\0\0", 10).is_ok());
        assert_eq!(look(b"\0\0\0\0\x0a", 10).unwrap(), 15);
        assert!(matches!(look(b"\0\xff\xff\xff\xff", 10), Err(Refusal::TooLarge { .. })));
    }
}
