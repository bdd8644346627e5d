//! How the process and the store are doing, as JSON.

use serde::Serialize;
use storage::{Signal, SignalStatus};

use super::process::Process;
use crate::state::AppState;

/// Everything the status page tells.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    version: &'static str,
    demo: bool,
    process: Process,
    store: StoreJson,
    counters: Vec<CounterJson>,
}

#[derive(Debug, Serialize)]
struct StoreJson {
    write_refusal: Option<String>,
    background_error: Option<String>,
    wal_bytes: u64,
    free_bytes: u64,
    traces: SignalJson,
    logs: SignalJson,
}

#[derive(Debug, Serialize)]
struct SignalJson {
    signal: &'static str,
    buffered_rows: u64,
    buffered_bytes: u64,
    segment_rows: u64,
    segment_bytes: u64,
    level0_segments: usize,
    level1_segments: usize,
    oldest: Option<String>,
    newest: Option<String>,
}

#[derive(Debug, Serialize)]
struct CounterJson {
    name: &'static str,
    labels: String,
    value: i64,
}

impl Report {
    pub(super) fn of(state: &AppState) -> Self {
        let status = state.store().status();
        let [traces, logs] = status.signals;
        let counters = state.registry().values().into_iter().map(|(name, labels, value)| CounterJson { name, labels, value });
        Self {
            version: state.config().version,
            demo: state.config().demo,
            process: Process::read(state.started()),
            store: StoreJson {
                write_refusal: status.write_refusal,
                background_error: status.background_error,
                wal_bytes: status.wal_bytes,
                free_bytes: status.free_bytes,
                traces: SignalJson::new(Signal::Traces, &traces),
                logs: SignalJson::new(Signal::Logs, &logs),
            },
            counters: counters.collect(),
        }
    }
}

impl SignalJson {
    fn new(signal: Signal, status: &SignalStatus) -> Self {
        Self {
            signal: signal.as_str(),
            buffered_rows: status.buffered_rows,
            buffered_bytes: status.buffered_bytes,
            segment_rows: status.segment_rows,
            segment_bytes: status.segment_bytes,
            level0_segments: status.level0_segments,
            level1_segments: status.level1_segments,
            oldest: status.time.map(|(oldest, _)| oldest.get().to_string()),
            newest: status.time.map(|(_, newest)| newest.get().to_string()),
        }
    }
}
