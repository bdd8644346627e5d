//! OTLP/gRPC: one call, whose message was encoded before.

use bytes::{Buf, BufMut, Bytes};
use http::uri::PathAndQuery;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::answer::Answer;
use crate::load::Signal;

/// Sends one request and waits for its answer.
pub(super) async fn send(channel: Channel, signal: Signal, body: Bytes) -> Answer {
    let mut client = tonic::client::Grpc::new(channel);
    if let Err(error) = client.ready().await {
        return Answer::Later { after: None, reason: format!("cannot connect: {error}") };
    }
    let path = PathAndQuery::from_static(match signal {
        Signal::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        Signal::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    });
    match client.unary(tonic::Request::new(body), path, Raw).await {
        Ok(response) => Answer::read(signal, &response.into_inner()),
        Err(status)
            if matches!(
                status.code(),
                Code::InvalidArgument | Code::Unimplemented | Code::PermissionDenied | Code::Unauthenticated | Code::NotFound
            ) =>
        {
            Answer::Refused(format!("gRPC {:?}: {}", status.code(), status.message()))
        }
        Err(status) => Answer::Later { after: None, reason: format!("gRPC {:?}: {}", status.code(), status.message()) },
    }
}

/// Passes messages through as they are: they were encoded before the clock started.
#[derive(Clone, Copy, Debug)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}
