//! The way of a request from its bytes to its answer, the same for every transport.
//!
//! Once the bytes are here the work runs in a task of its own: a sender that hangs up neither tears a store in two nor loses
//! the count of what was stored, and a panic costs one request.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::Body;
use http_body_util::BodyExt as _;
use storage::{Booking, Ledger, Registry, Settlement, Signal};
use tokio::time::{Instant, timeout_at};
use tokio_util::task::TaskTracker;

use crate::admission::{Budget, Lease};
use crate::coding::{self, Coding};
use crate::config::Config;
use crate::error::{MAX_MESSAGE_BYTES, Refusal, bounded};
use crate::metrics::{Encoding, Metrics, Outcome, Route, Transport};
use crate::refusals::Refusals;
use crate::sink::Sink;
use crate::warnings::Limiter;
use crate::{items, json};

/// What all transports share.
pub(crate) struct Ingest {
    pub(crate) config: Config,
    pub(crate) sink: Arc<dyn Sink>,
    pub(crate) metrics: Metrics,
    pub(crate) budget: Budget,
    pub(crate) refusals: Refusals,
    ledger: Ledger,
    pub(crate) tasks: TaskTracker,
    limiter: Limiter,
}

/// A request whose bytes have arrived.
pub(crate) struct Parcel {
    pub(crate) encoding: Encoding,
    pub(crate) coding: Coding,
    pub(crate) body: Bytes,
    pub(crate) lease: Lease,
    pub(crate) began: std::time::Instant,
}

/// What a sender is told of a request that was taken in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) rejected: u64,
    pub(crate) message: Option<String>,
}

// === impl Ingest ===

impl Ingest {
    pub(crate) fn new(config: Config, sink: Arc<dyn Sink>, metrics: Metrics, refusals: Refusals, registry: &Registry) -> Self {
        let budget = Budget::new(config.in_flight_bytes, config.admission_wait, metrics.in_flight.clone());
        let budget = budget.shown_in(registry.memory_used("requests"), registry.memory_used("decoders"));
        let (ledger, limiter) = (registry.ledger().clone(), Limiter::new(registry));
        Self { config, sink, metrics, budget, refusals, ledger, tasks: TaskTracker::new(), limiter }
    }

    /// Begins to book a request of a client that calls itself `agent`.
    pub(crate) fn book(&self, signal: Signal, agent: &str) -> Booking {
        self.ledger.open(signal, &client_of(agent))
    }

    /// Expands, brings to protobuf, stores and counts.
    pub(crate) async fn take(self: &Arc<Self>, route: Route, parcel: Parcel, mut booking: Booking) -> Result<Taken, Refusal> {
        let ingest = Arc::clone(self);
        let task = self.tasks.spawn(async move {
            let began = parcel.began;
            ingest.metrics.received(route, parcel.body.len());
            let (settlement, result) = match ingest.process(route.signal, parcel, &mut booking).await {
                Ok((taken, settlement)) => (settlement, Ok(taken)),
                Err(refusal) => (Settlement::Refused(refusal.reason()), Err(refusal)),
            };
            booking.settle(settlement);
            ingest.count(route, began, &result);
            result
        });
        task.await.unwrap_or_else(|_| {
            self.metrics.panicked();
            self.metrics.request(route, Outcome::Invalid);
            Err(Refusal::Internal)
        })
    }

    /// Counts a request that was refused before its bytes were here.
    pub(crate) fn refuse_early(&self, route: Route, booking: Booking, refusal: &Refusal) {
        booking.settle(Settlement::Refused(refusal.reason()));
        self.count_refused(route, refusal);
    }

    fn count_refused(&self, route: Route, refusal: &Refusal) {
        self.metrics.request(route, if refusal.retry_after().is_some() { Outcome::Refused } else { Outcome::Invalid });
    }

    /// Counts a refusal by reason and keeps it for people to see.
    pub(crate) fn note_refusal(&self, transport: Transport, refusal: &Refusal, user_agent: &str) {
        self.metrics.refused(refusal.reason());
        let is_news = self.refusals.note(transport, refusal, user_agent);
        if is_news && refusal.retry_after().is_none() {
            // Many senders show nothing of the answer: whoever looks after this program must be told.
            let (reason, sender, said) = (refusal.reason(), client_of(user_agent), refusal.message());
            tracing::warn!(transport = transport.as_str(), reason, sender, "refused a request: {said}; others alike are counted only");
        }
        tracing::debug!(transport = transport.as_str(), reason = refusal.reason(), "refused a request");
    }

    fn count(&self, route: Route, began: std::time::Instant, result: &Result<Taken, Refusal>) {
        match result {
            Ok(taken) => {
                let outcome = if taken.rejected == 0 { Outcome::Accepted } else { Outcome::Partial };
                self.metrics.request(route, outcome);
                self.metrics.acknowledged(route.transport, began.elapsed());
            }
            Err(refusal) => self.count_refused(route, refusal),
        }
    }

    /// Counts the data points of a metrics request, which are all rejected.
    pub(crate) async fn reject_metrics(&self, mut parcel: Parcel) -> Result<Taken, Refusal> {
        self.metrics.refused("signal_not_stored");
        let limit = self.config.max_message_bytes;
        let body = coding::expand(parcel.coding, parcel.body, limit, &mut parcel.lease).await?;
        let rejected = match parcel.encoding {
            Encoding::Protobuf => items::count_data_points(&body),
            Encoding::Json => {
                let _held = parcel.lease.decoder(body.len());
                items::count_data_points(&transcode(json::Request::Metrics, body).await?.payload)
            }
        };
        let rejected = rejected.ok_or_else(|| Refusal::Malformed("the body is not an ExportMetricsServiceRequest".to_owned()))?;
        let message = (rejected > 0).then(|| "metrics are not stored here; traces and logs are".to_owned());
        Ok(Taken { rejected, message })
    }

    async fn process(&self, signal: Signal, mut parcel: Parcel, booking: &mut Booking) -> Result<(Taken, Settlement), Refusal> {
        let limit = self.config.max_message_bytes;
        let body = coding::expand(parcel.coding, parcel.body, limit, &mut parcel.lease).await?;
        // What JSON is made into is shorter than it; both are held until it is stored.
        let _held = parcel.lease.decoder(if parcel.encoding == Encoding::Json { body.len() } else { 0 });
        let (payload, mut notes) = match parcel.encoding {
            Encoding::Protobuf => (body, json::Notes::default()),
            Encoding::Json => {
                let made = transcode(signal.into(), body.clone()).await?;
                if made.payload.is_empty() && items::names_other(signal, &body) {
                    return Err(misdirected(signal));
                }
                (made.payload, made.notes)
            }
        };
        booking.received(items::count(signal, &payload).unwrap_or(0).saturating_add(notes.rejected));
        let is_of_other = items::is_of_other(signal, &payload);
        let looks_like_json = parcel.encoding == Encoding::Protobuf && payload.first() == Some(&b'{');
        let appended = if payload.is_empty() {
            storage::Appended::default()
        } else {
            self.sink.append(signal, payload).await.map_err(|error| match Refusal::from(error) {
                Refusal::Malformed(_) if is_of_other => misdirected(signal),
                Refusal::Malformed(message) if looks_like_json => {
                    Refusal::Malformed(format!("{message}; the body starts with '{{', did you mean content-type application/json?"))
                }
                refusal => refusal,
            })?
        };
        let rejected = appended.rejected.saturating_add(notes.rejected);
        self.metrics.items(signal, &appended, rejected);
        let settlement = settlement(&appended, notes.rejected);
        for (flaw, values) in &appended.flaws {
            notes.warnings.add(*flaw, *values);
        }
        booking.warn(notes.warnings.kinds());
        Ok((Taken { rejected, message: self.message(booking.client(), appended.message, &notes) }, settlement))
    }

    /// Rejections are explained every time; mere warnings once in a while.
    fn message(&self, client: &str, stored: Option<String>, notes: &json::Notes) -> Option<String> {
        self.limiter.count(&notes.warnings);
        let parts: Vec<String> =
            [notes.first_rejection.clone(), stored, self.limiter.due(client, &notes.warnings)].into_iter().flatten().collect();
        (!parts.is_empty()).then(|| bounded(parts.join("; "), MAX_MESSAGE_BYTES))
    }
}

/// A request that holds what another path takes.
fn misdirected(signal: Signal) -> Refusal {
    Refusal::Malformed(match signal {
        Signal::Traces => "the body holds log records, not spans; send log records to /v1/logs, or over gRPC to the LogsService".to_owned(),
        Signal::Logs => "the body holds spans, not log records; send spans to /v1/traces, or over gRPC to the TraceService".to_owned(),
    })
}

/// How a request that was answered with success is booked.
fn settlement(appended: &storage::Appended, rejected_as_json: u64) -> Settlement {
    let rejected = appended.rejected_by.iter().copied().chain([(JSON_VALUE, rejected_as_json)]).collect();
    if appended.repeated {
        return Settlement::Repeated { stored_before: appended.accepted, rejected };
    }
    Settlement::Taken { stored: appended.accepted, rejected }
}

/// What a client is called in the ledger: its user agent, as far as it is plain and short.
fn client_of(agent: &str) -> String {
    let plain = |c: &char| c.is_ascii_alphanumeric() || " ._-+/():;,@".contains(*c);
    let name: String = agent.chars().filter(plain).take(MAX_CLIENT_CHARS).collect();
    let name = name.trim();
    if name.is_empty() { UNNAMED.to_owned() } else { name.to_owned() }
}

/// Large texts are read beside the runtime, so that they do not hold up other senders.
async fn transcode(request: json::Request, text: Bytes) -> Result<json::Transcoded, Refusal> {
    let made = if text.len() <= INLINE_JSON_BYTES {
        json::transcode(request, &text)
    } else {
        let work = tokio::task::spawn_blocking(move || json::transcode(request, &text));
        work.await.map_err(|_| Refusal::Internal)?
    };
    made.map_err(|error| Refusal::Malformed(error.to_string()))
}

/// Reads a body whole, at most `limit` bytes, at a pace that a living sender keeps. `look` sees the first bytes early and
/// says how many there will be. Room for all of them is held from the start, so that large requests queue instead of starving
/// each other; a sender that is slow loses what it has not used, so that promises alone cannot keep others out.
pub(crate) async fn collect<B>(
    mut body: B,
    limit: usize,
    config: &Config,
    lease: &mut Lease,
    look: impl Fn(&[u8]) -> Result<usize, Refusal>,
) -> Result<Bytes, Refusal>
where
    B: Body<Data = Bytes> + Unpin,
{
    let began = Instant::now();
    let mut reserved = true;
    let mut whole = BytesMut::new();
    let mut first: Option<Bytes> = None;
    loop {
        let received = first.as_ref().map_or(whole.len(), Bytes::len);
        let allowance = config.body_timeout + Duration::from_secs((received / BYTES_PER_SECOND) as u64);
        let deadline = (began + allowance).min(Instant::now() + config.body_timeout);
        let brisk = began + BRISK_START + Duration::from_secs((received / BRISK_BYTES_PER_SECOND) as u64);
        let mut arrived = timeout_at(if reserved { brisk.min(deadline) } else { deadline }, body.frame()).await;
        if arrived.is_err() && reserved {
            reserved = false;
            lease.shrink_to(received);
            arrived = timeout_at(deadline, body.frame()).await;
        }
        let frame = arrived.map_err(|_| Refusal::BodyTimeout)?;
        let Some(frame) = frame else { break };
        let frame = frame.map_err(|_| Refusal::Malformed("the body broke off before its end".to_owned()))?;
        let Ok(data) = frame.into_data() else { continue };
        if received + data.len() > limit {
            return Err(Refusal::TooLarge { limit: config.max_message_bytes });
        }
        lease.grow_to(received + data.len()).await?;
        match first.take() {
            // Most bodies come in one piece, which is kept as it is.
            None if whole.is_empty() => first = Some(data),
            Some(start) => {
                // At once what is to come, as far as that is not a mere promise.
                let left = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX).min(PROMISED_BYTES);
                whole.reserve(start.len() + data.len() + left);
                whole.extend_from_slice(&start);
                whole.extend_from_slice(&data);
            }
            None => whole.extend_from_slice(&data),
        }
        let announced = look(first.as_deref().unwrap_or(&whole))?;
        if reserved {
            lease.grow_to(announced).await?;
        }
    }
    Ok(first.unwrap_or_else(|| whole.freeze()))
}

/// Why an item was rejected before the store saw it: JSON can say numbers that protobuf cannot.
const JSON_VALUE: &str = "json_value";
const MAX_CLIENT_CHARS: usize = 64;
const UNNAMED: &str = "unnamed";
/// Set aside for what a sender says is to come.
const PROMISED_BYTES: usize = 1 << 20;
/// Small enough to be read without leaving the runtime.
const INLINE_JSON_BYTES: usize = 256 * 1024;
/// The slowest pace, after the first half minute, at which a body is waited for.
const BYTES_PER_SECOND: usize = 64 * 1024;
/// A sender slower than this is admitted by what it has sent, not by what it says it will.
const BRISK_BYTES_PER_SECOND: usize = 1 << 20;
const BRISK_START: Duration = Duration::from_millis(500);
