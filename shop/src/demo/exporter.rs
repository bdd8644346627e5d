//! One service's exporter: collects, sends in batches, tries again.

use std::time::Duration;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tonic::{Code, Status};

use crate::cast::Service;
use crate::clock;
use crate::envelope;
use crate::recording::Recording;

/// Sends what one service reports.
#[derive(Debug)]
pub(super) struct Exporter {
    service: Service,
    traces: TraceServiceClient<Channel>,
    logs: LogsServiceClient<Channel>,
    pending: Recording,
    stop: CancellationToken,
}

#[derive(Clone, Debug)]
enum Batch {
    Traces(ExportTraceServiceRequest),
    Logs(ExportLogsServiceRequest),
}

// === impl Exporter ===

impl Exporter {
    pub(super) fn new(service: Service, channel: Channel, stop: CancellationToken) -> Self {
        let traces = TraceServiceClient::new(channel.clone());
        Self { service, traces, logs: LogsServiceClient::new(channel), pending: Recording::default(), stop }
    }

    /// Sends what comes out of `records`, every second and whenever a batch is full, until the queue is closed or the demo stops.
    pub(super) async fn run(mut self, mut records: mpsc::Receiver<Recording>) {
        // Exporters that started together would otherwise send together for ever.
        let phase = Duration::from_millis(110 * (1 + u64::from(self.service.profile().port % 9)));
        let mut tick = interval_at(Instant::now() + phase, INTERVAL);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let stop = self.stop.clone();
        loop {
            tokio::select! {
                received = records.recv() => match received {
                    Some(part) => {
                        let full = part.len() >= BATCH;
                        self.pending.append(part);
                        if full || self.pending.len() >= MAX_PENDING {
                            self.flush(clock::unix_nanos()).await;
                        }
                    }
                    None => break,
                },
                () = stop.cancelled() => break,
                _ = tick.tick() => self.flush(clock::unix_nanos()).await,
            }
        }
        self.flush(clock::unix_nanos()).await;
    }

    async fn flush(&mut self, now_nanos: u64) {
        loop {
            let Recording { spans, logs } = self.pending.take_complete(now_nanos, BATCH);
            if spans.is_empty() && logs.is_empty() {
                return;
            }
            if !spans.is_empty() {
                self.deliver(Batch::Traces(envelope::traces(spans))).await;
            }
            if !logs.is_empty() {
                self.deliver(Batch::Logs(envelope::logs(logs))).await;
            }
        }
    }

    async fn deliver(&mut self, batch: Batch) {
        let mut pause = Duration::from_millis(250);
        for attempt in 1..=ATTEMPTS {
            let Err(status) = self.send(batch.clone()).await else { return };
            if attempt == ATTEMPTS || !may_retry(status.code()) || self.stop.is_cancelled() {
                tracing::warn!(service = self.service.profile().name, %status, attempt, "the demo shop could not deliver a batch and drops it");
                return;
            }
            tokio::select! {
                () = self.stop.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
            }
            pause = (pause * 2).min(Duration::from_secs(5));
        }
    }

    async fn send(&mut self, batch: Batch) -> Result<(), Status> {
        let refused = match batch {
            Batch::Traces(request) => {
                let partial = self.traces.export(request).await?.into_inner().partial_success;
                partial.map(|partial| (partial.rejected_spans, partial.error_message))
            }
            Batch::Logs(request) => {
                let partial = self.logs.export(request).await?.into_inner().partial_success;
                partial.map(|partial| (partial.rejected_log_records, partial.error_message))
            }
        };
        if let Some((rejected, reason)) = refused.filter(|(rejected, _)| *rejected > 0) {
            tracing::warn!(service = self.service.profile().name, rejected, reason, "the receiver refused records of the demo shop");
        }
        Ok(())
    }
}

/// A transport that is not up yet reports `Unknown`, so all is tried again that is not plainly the sender's fault.
fn may_retry(code: Code) -> bool {
    !matches!(code, Code::InvalidArgument | Code::Unimplemented | Code::PermissionDenied | Code::Unauthenticated | Code::NotFound)
}

const INTERVAL: Duration = Duration::from_secs(1);
/// As many spans or log records as SDKs send at once.
const BATCH: usize = 512;
const MAX_PENDING: usize = 16 * BATCH;
const ATTEMPTS: u32 = 8;
