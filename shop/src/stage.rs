//! Plays one request through the shop and records what each service would report.
//!
//! Owns the virtual clock, the tree of open spans and the skew of each host. What happens is told by `scene`.
//! Time passes only by [`Stage::work`] and [`Stage::pause`], so a recording costs microseconds and is repeatable.

use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};

use crate::cast::{Member, Service};
use crate::recording::{Recorded, Recording};
use crate::value::{Value, any, pair};
use crate::world::World;

pub(crate) use opentelemetry_proto::tonic::logs::v1::SeverityNumber as Severity;

/// One request while it is played.
#[derive(Debug)]
pub(crate) struct Stage<'w> {
    pub(crate) world: &'w mut World,
    now_nanos: u64,
    trace_id: [u8; 16],
    /// The span that the outermost open span hangs on, when it came over the wire.
    remote: Option<[u8; 8]>,
    open: Vec<Open>,
    recording: Recording,
}

/// What travels with a call: where its receiver continues.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context {
    trace_id: [u8; 16],
    span_id: [u8; 8],
    /// When it was sent.
    pub(crate) sent_nanos: u64,
}

#[derive(Debug)]
struct Open {
    member: Member,
    span_id: [u8; 8],
    span: Span,
}

// === impl Stage ===

impl<'w> Stage<'w> {
    /// A stage on which a request begins at `start_nanos`.
    pub(crate) fn new(world: &'w mut World, start_nanos: u64) -> Self {
        let trace_id = world.random.trace_id();
        Self { world, now_nanos: start_nanos, trace_id, remote: None, open: Vec::new(), recording: Recording::default() }
    }

    /// What was recorded.
    pub(crate) fn finish(self) -> Recording {
        self.recording
    }

    /// The true time.
    pub(crate) fn now_nanos(&self) -> u64 {
        self.now_nanos
    }

    /// Lets the service work for about `median_us` microseconds.
    pub(crate) fn work(&mut self, median_us: f64, sigma: f64) {
        self.now_nanos += self.world.random.duration(median_us, sigma);
    }

    /// Lets time pass.
    pub(crate) fn pause(&mut self, nanos: u64) {
        self.now_nanos += nanos;
    }

    /// Two things at once: time goes on when both are done.
    pub(crate) fn both<A, B>(&mut self, first: impl FnOnce(&mut Self) -> A, second: impl FnOnce(&mut Self) -> B) -> (A, B) {
        let start_nanos = self.now_nanos;
        let a = first(self);
        let first_end_nanos = std::mem::replace(&mut self.now_nanos, start_nanos);
        let b = second(self);
        self.now_nanos = self.now_nanos.max(first_end_nanos);
        (a, b)
    }

    /// Who is on stage. Before the first span, the gateway.
    pub(crate) fn member(&self) -> Member {
        self.open.last().map_or(Member { service: Service::Gateway, instance: 0 }, |open| open.member)
    }

    /// A span of whoever is on stage.
    pub(crate) fn span<R>(&mut self, kind: SpanKind, name: &str, play: impl FnOnce(&mut Self) -> R) -> R {
        self.span_of(self.member(), kind, name, play)
    }

    /// A span of `member`, who takes the stage while it lasts.
    pub(crate) fn span_of<R>(&mut self, member: Member, kind: SpanKind, name: &str, play: impl FnOnce(&mut Self) -> R) -> R {
        let span_id = self.world.random.span_id();
        let parent = self.open.last();
        let parent_id = parent.map(|open| open.span_id).or(self.remote);
        let from_afar = parent_id.is_some() && parent.is_none_or(|open| open.member != member);
        let span = Span {
            trace_id: self.trace_id.to_vec(),
            span_id: span_id.to_vec(),
            parent_span_id: parent_id.map(|id| id.to_vec()).unwrap_or_default(),
            flags: FLAG_SAMPLED | FLAG_KNOWS_REMOTE | if from_afar { FLAG_REMOTE } else { 0 },
            name: name.to_owned(),
            kind: kind.into(),
            start_time_unix_nano: skewed(self.now_nanos, member),
            ..Span::default()
        };
        self.open.push(Open { member, span_id, span });
        let result = play(self);
        self.close();
        result
    }

    /// Sets an attribute of the open span.
    pub(crate) fn set(&mut self, key: &str, value: impl Into<Value>) {
        if let Some(open) = self.open.last_mut() {
            open.span.attributes.push(pair(key, value));
        }
    }

    /// Sets an attribute of the open span, in place of what it was.
    pub(crate) fn replace(&mut self, key: &str, value: impl Into<Value>) {
        if let Some(open) = self.open.last_mut() {
            open.span.attributes.retain(|attribute| attribute.key != key);
        }
        self.set(key, value);
    }

    /// Adds an event to the open span.
    pub(crate) fn event(&mut self, name: &str, attributes: &[(&str, Value)]) {
        if let Some(open) = self.open.last_mut() {
            open.span.events.push(Event {
                time_unix_nano: skewed(self.now_nanos, open.member),
                name: name.to_owned(),
                attributes: attributes.iter().map(|(key, value)| pair(key, value.clone())).collect(),
                ..Event::default()
            });
        }
    }

    /// Links the open span to another.
    pub(crate) fn link(&mut self, to: Context) {
        if let Some(open) = self.open.last_mut() {
            open.span.links.push(Link {
                trace_id: to.trace_id.to_vec(),
                span_id: to.span_id.to_vec(),
                flags: FLAG_SAMPLED | FLAG_KNOWS_REMOTE | FLAG_REMOTE,
                ..Link::default()
            });
        }
    }

    /// Marks the open span as failed.
    pub(crate) fn fail(&mut self, message: &str) {
        if let Some(open) = self.open.last_mut() {
            open.span.status = Some(Status { code: StatusCode::Error.into(), message: message.to_owned() });
        }
    }

    /// Records an exception on the open span and marks it as failed.
    pub(crate) fn exception(&mut self, kind: &str, message: &str, stack: &str) {
        self.event(
            "exception",
            &[("exception.type", kind.into()), ("exception.message", message.into()), ("exception.stacktrace", stack.into())],
        );
        self.set("error.type", kind);
        self.fail(message);
    }

    /// A log record of whoever is on stage, inside the open span.
    pub(crate) fn log(&mut self, severity: Severity, body: impl Into<String>, attributes: &[(&str, Value)]) {
        let member = self.member();
        let span_id = self.open.last().map(|open| open.span_id);
        let time_nanos = skewed(self.now_nanos, member);
        let record = LogRecord {
            time_unix_nano: time_nanos,
            observed_time_unix_nano: time_nanos + 150_000,
            severity_number: severity.into(),
            severity_text: severity_text(severity).to_owned(),
            body: Some(any(body.into())),
            attributes: attributes.iter().map(|(key, value)| pair(key, value.clone())).collect(),
            flags: if span_id.is_some() { FLAG_SAMPLED } else { 0 },
            trace_id: span_id.map(|_| self.trace_id.to_vec()).unwrap_or_default(),
            span_id: span_id.map(|id| id.to_vec()).unwrap_or_default(),
            ..LogRecord::default()
        };
        self.recording.logs.push(Recorded { member, complete_nanos: self.now_nanos, record });
    }

    /// What a message sent from the open span carries.
    pub(crate) fn context(&self) -> Context {
        let span_id = self.open.last().map_or([0; 8], |open| open.span_id);
        Context { trace_id: self.trace_id, span_id, sent_nanos: self.now_nanos }
    }

    /// Plays what a message causes later, in the sender's trace. Time here goes on as if nothing happened.
    pub(crate) fn later(&mut self, context: Context, after_nanos: u64, play: impl FnOnce(&mut Self)) {
        self.aside(context.trace_id, Some(context.span_id), context.sent_nanos + after_nanos, play);
    }

    /// Plays what begins later in a trace of its own.
    pub(crate) fn elsewhere(&mut self, start_nanos: u64, play: impl FnOnce(&mut Self)) {
        let trace_id = self.world.random.trace_id();
        self.aside(trace_id, None, start_nanos, play);
    }

    fn aside(&mut self, trace_id: [u8; 16], remote: Option<[u8; 8]>, start_nanos: u64, play: impl FnOnce(&mut Self)) {
        let kept = (self.trace_id, self.remote, self.now_nanos, std::mem::take(&mut self.open));
        (self.trace_id, self.remote, self.now_nanos) = (trace_id, remote, start_nanos);
        play(self);
        (self.trace_id, self.remote, self.now_nanos, self.open) = kept;
    }

    fn close(&mut self) {
        if let Some(Open { member, mut span, .. }) = self.open.pop() {
            // A span that took no time is not wrong, but looks so.
            self.now_nanos += 1_000;
            span.end_time_unix_nano = skewed(self.now_nanos, member);
            self.recording.spans.push(Recorded { member, complete_nanos: self.now_nanos, record: span });
        }
    }
}

const FLAG_SAMPLED: u32 = 0x001;
const FLAG_KNOWS_REMOTE: u32 = 0x100;
const FLAG_REMOTE: u32 = 0x200;

fn skewed(nanos: u64, member: Member) -> u64 {
    nanos.saturating_add_signed(member.service.profile().skew_nanos)
}

fn severity_text(severity: Severity) -> &'static str {
    match severity {
        Severity::Trace => "TRACE",
        Severity::Debug => "DEBUG",
        Severity::Warn => "WARN",
        Severity::Error => "ERROR",
        Severity::Fatal => "FATAL",
        _ => "INFO",
    }
}
