//! How the process and the store are doing, as JSON.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;
use storage::{Account, FORMAT_VERSION, Ledger, Signal, SignalStatus};

use super::process::Process;
use crate::state::AppState;

/// Everything the status page tells.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    version: &'static str,
    build: BuildJson,
    data_dir: Option<String>,
    config_file: Option<String>,
    listens: ListensJson,
    demo: bool,
    process: Process,
    store: StoreJson,
    ledger: Vec<LedgerJson>,
    counters: Vec<CounterJson>,
}

#[derive(Debug, Serialize)]
struct BuildJson {
    profile: &'static str,
    target: String,
    /// Version of the form of data folders.
    format: u32,
}

/// Where it is reached; a receiver that is off listens nowhere.
#[derive(Debug, Serialize)]
struct ListensJson {
    pages: String,
    otlp_grpc: Option<String>,
    otlp_http: Option<String>,
}

/// What one client sent of one signal; without a client, all of them together.
#[derive(Debug, Serialize)]
struct LedgerJson {
    signal: &'static str,
    client: Option<String>,
    requests: u64,
    refused_requests: BTreeMap<&'static str, u64>,
    received_items: u64,
    stored_items: u64,
    deduplicated_items: u64,
    rejected_items: BTreeMap<&'static str, u64>,
    warned_requests: BTreeMap<&'static str, u64>,
    imbalance: i64,
}

#[derive(Debug, Serialize)]
struct StoreJson {
    write_refusal: Option<String>,
    background_error: Option<String>,
    damage: Vec<String>,
    wal_bytes: u64,
    free_bytes: u64,
    disk_bytes: u64,
    max_disk_bytes: Option<u64>,
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
    level2_segments: usize,
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
        let config = state.config();
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        Self {
            version: config.version,
            build: BuildJson { profile: config.about.profile, target: config.about.target.clone(), format: FORMAT_VERSION },
            data_dir: path(&config.about.data_dir),
            config_file: path(&config.about.config_file),
            listens: ListensJson {
                pages: format!("http://{}{}", config.listen, config.base_path),
                otlp_grpc: config.otlp_grpc.map(|address| format!("http://{address}")),
                otlp_http: config.otlp_http.map(|address| format!("http://{address}")),
            },
            demo: config.demo,
            process: Process::read(state.started()),
            store: StoreJson {
                write_refusal: status.write_refusal,
                background_error: status.background_error,
                damage: status.damage,
                wal_bytes: status.wal_bytes,
                free_bytes: status.free_bytes,
                disk_bytes: status.disk_bytes,
                max_disk_bytes: status.max_disk_bytes,
                traces: SignalJson::new(Signal::Traces, &traces),
                logs: SignalJson::new(Signal::Logs, &logs),
            },
            ledger: ledger(state.registry().ledger()),
            counters: counters.collect(),
        }
    }
}

/// Both signals' totals, then every client.
fn ledger(ledger: &Ledger) -> Vec<LedgerJson> {
    let totals = [Signal::Traces, Signal::Logs].into_iter().map(|signal| LedgerJson::new(signal, None, ledger.total(signal)));
    totals.chain(ledger.accounts().into_iter().map(|(signal, client, account)| LedgerJson::new(signal, Some(client), account))).collect()
}

impl LedgerJson {
    fn new(signal: Signal, client: Option<String>, account: Account) -> Self {
        Self {
            signal: signal.as_str(),
            client,
            requests: account.requests,
            imbalance: account.imbalance(),
            refused_requests: account.refused,
            received_items: account.received,
            stored_items: account.stored,
            deduplicated_items: account.deduplicated,
            rejected_items: account.rejected,
            warned_requests: account.warned,
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
            level2_segments: status.level2_segments,
            oldest: status.time.map(|(oldest, _)| oldest.get().to_string()),
            newest: status.time.map(|(_, newest)| newest.get().to_string()),
        }
    }
}
