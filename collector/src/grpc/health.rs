//! `grpc.health.v1`: whether requests are taken in at present.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use ::http::{Request, Response};
use futures::future::{BoxFuture, Ready, ready};
use tonic::body::Body;
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::{Code, Status};
use tonic_prost::ProstCodec;

use super::{Export, Logs, Traces};
use crate::ingest::Ingest;

/// Answers `Check`; `Watch` is UNIMPLEMENTED, which the protocol's clients take for "no health checks by stream".
#[derive(Clone)]
pub(super) struct Service {
    ingest: Arc<Ingest>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct HealthCheckRequest {
    #[prost(string, tag = "1")]
    service: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct HealthCheckResponse {
    #[prost(int32, tag = "1")]
    status: i32,
}

// === impl Service ===

impl Service {
    pub(super) fn new(ingest: &Arc<Ingest>) -> Self {
        Self { ingest: Arc::clone(ingest) }
    }

    fn check(&self, service: &str) -> Result<HealthCheckResponse, Status> {
        let known = ["", <Export<Traces> as NamedService>::NAME, <Export<Logs> as NamedService>::NAME];
        if !known.contains(&service) {
            return Err(Status::new(Code::NotFound, "no such service here"));
        }
        let status = if self.ingest.sink.write_refusal().is_none() { SERVING } else { NOT_SERVING };
        Ok(HealthCheckResponse { status })
    }
}

impl NamedService for Service {
    const NAME: &'static str = "grpc.health.v1.Health";
}

impl UnaryService<HealthCheckRequest> for Service {
    type Response = HealthCheckResponse;
    type Future = Ready<Result<tonic::Response<HealthCheckResponse>, Status>>;

    fn call(&mut self, request: tonic::Request<HealthCheckRequest>) -> Self::Future {
        ready(self.check(&request.get_ref().service).map(tonic::Response::new))
    }
}

impl tower::Service<Request<Body>> for Service {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move {
            if !request.uri().path().ends_with("/Check") {
                return Ok(Status::unimplemented("only Check is answered").into_http());
            }
            let codec = ProstCodec::<HealthCheckResponse, HealthCheckRequest>::default();
            let mut grpc = Grpc::new(codec).max_decoding_message_size(MAX_REQUEST_BYTES);
            Ok(grpc.unary(service, request).await)
        })
    }
}

const SERVING: i32 = 1;
const NOT_SERVING: i32 = 2;
const MAX_REQUEST_BYTES: usize = 4096;
