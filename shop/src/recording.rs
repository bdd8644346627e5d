//! What happened in one request, as the services would report it.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::trace::v1::Span;

use crate::cast::{Member, Service};

/// Spans and log records, in the order in which they ended.
#[derive(Debug, Default)]
pub(crate) struct Recording {
    pub(crate) spans: Vec<Recorded<Span>>,
    pub(crate) logs: Vec<Recorded<LogRecord>>,
}

/// A record, who reports it, and the true time at which it is complete.
#[derive(Debug)]
pub(crate) struct Recorded<T> {
    pub(crate) member: Member,
    pub(crate) complete_nanos: u64,
    pub(crate) record: T,
}

// === impl Recording ===

impl Recording {
    /// Takes in all of `other`.
    pub(crate) fn append(&mut self, mut other: Self) {
        self.spans.append(&mut other.spans);
        self.logs.append(&mut other.logs);
    }

    /// Spans and log records together.
    pub(crate) fn len(&self) -> usize {
        self.spans.len() + self.logs.len()
    }

    /// What each service has to report.
    pub(crate) fn by_service(self) -> BTreeMap<Service, Self> {
        let mut parts: BTreeMap<Service, Self> = BTreeMap::new();
        for span in self.spans {
            parts.entry(span.member.service).or_default().spans.push(span);
        }
        for log in self.logs {
            parts.entry(log.member.service).or_default().logs.push(log);
        }
        parts
    }

    /// Takes out at most `limit` spans and as many log records that are complete at `now_nanos`.
    pub(crate) fn take_complete(&mut self, now_nanos: u64, limit: usize) -> Self {
        Self { spans: take(&mut self.spans, now_nanos, limit), logs: take(&mut self.logs, now_nanos, limit) }
    }
}

fn take<T>(records: &mut Vec<Recorded<T>>, now_nanos: u64, limit: usize) -> Vec<Recorded<T>> {
    let mut taken = Vec::new();
    let mut kept = Vec::with_capacity(records.len());
    for record in records.drain(..) {
        if taken.len() < limit && record.complete_nanos <= now_nanos {
            taken.push(record);
        } else {
            kept.push(record);
        }
    }
    *records = kept;
    taken
}
