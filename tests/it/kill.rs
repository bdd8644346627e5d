//! `kill -9` at random moments under load: everything acknowledged is there afterwards, once.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use http::StatusCode;
use tokio::sync::Mutex;

use crate::http::{encode, get_json, post};
use crate::otlp;
use crate::server::Server;

const ROUNDS: u32 = 20;
const SENDERS: u32 = 6;

/// What became of a request: how many spans and logs it held, and whether it was acknowledged.
#[derive(Clone, Copy, Debug)]
struct Sent {
    items: u64,
    acknowledged: bool,
}

/// Trace id or service of logs, as text, to what was sent under it.
type Ledger = Arc<Mutex<HashMap<String, Sent>>>;

/// A number that looks random and is the same in every run.
fn scatter(seed: u64) -> u64 {
    let mut x = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Sends requests, one after the other, until told to stop or the connection breaks for good.
async fn send(server: (std::net::SocketAddr, u32, u32), stop: Arc<AtomicBool>, ledger: Ledger, sequence: Arc<AtomicU32>) {
    let (address, round, sender) = server;
    while !stop.load(Ordering::Relaxed) {
        let number = sequence.fetch_add(1, Ordering::Relaxed);
        let seed = scatter(u64::from(round) << 40 | u64::from(sender) << 32 | u64::from(number));
        let items = 1 + seed % 40;
        let (path, key, body) = if seed.is_multiple_of(3) {
            let key = format!("log-{round}-{sender}-{number}");
            let records = (0..items).map(|n| otlp::log(&format!("{key} record {n}"))).collect();
            ("/v1/logs", key.clone(), otlp::logs(&key, records))
        } else {
            let mut trace_id = [0; 16];
            trace_id[..8].copy_from_slice(&scatter(seed).to_be_bytes());
            trace_id[8..].copy_from_slice(&seed.to_be_bytes());
            let spans = (1..=items).map(|n| otlp::span(trace_id, n.to_be_bytes(), "work")).collect();
            let key = trace_id.iter().map(|byte| format!("{byte:02x}")).collect();
            ("/v1/traces", key, otlp::traces("killed", spans))
        };
        ledger.lock().await.insert(key.clone(), Sent { items, acknowledged: false });
        let answer = post(address, path, "application/x-protobuf", body).await;
        if answer.is_ok_and(|answer| answer.status == StatusCode::OK && answer.body.is_empty()) {
            ledger.lock().await.insert(key, Sent { items, acknowledged: true });
        }
    }
}

/// Reads what is stored: key to (rows, distinct rows).
async fn stored(server: &Server, sql: &str) -> HashMap<String, (u64, u64)> {
    let answer = get_json(server.ui, &format!("/api/v1/sql?query={}&max_rows=100000", encode(sql))).await;
    assert_eq!(answer["truncated"], false, "the answer is cut");
    let number = |value: &serde_json::Value| value.as_u64().or_else(|| value.as_str().and_then(|text| text.parse().ok())).unwrap();
    let rows = answer["rows"].as_array().unwrap();
    rows.iter().map(|row| (row["key"].as_str().unwrap().to_owned(), (number(&row["n"]), number(&row["d"])))).collect()
}

async fn compare(server: &Server, ledger: &Ledger, round: u32) {
    let mut found =
        stored(server, "SELECT trace_id AS key, count(*) AS n, count(DISTINCT span_id) AS d FROM spans GROUP BY trace_id").await;
    found.extend(
        stored(server, "SELECT service_name AS key, count(*) AS n, count(DISTINCT body) AS d FROM logs GROUP BY service_name").await,
    );
    let ledger = ledger.lock().await;
    for (key, sent) in ledger.iter() {
        match (found.remove(key), sent.acknowledged) {
            (Some((rows, distinct)), _) => {
                assert_eq!((rows, distinct), (sent.items, sent.items), "round {round}: {key} is not there whole and once ({sent:?})");
            }
            (None, true) => panic!("round {round}: {key} was acknowledged and is lost"),
            (None, false) => {}
        }
    }
    assert!(found.is_empty(), "round {round}: stored but never sent: {found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_random_moments_nothing_acknowledged_is_lost_and_nothing_is_doubled() {
    let data = tempfile::tempdir().unwrap();
    let ledger = Ledger::default();
    // A small buffer and short intervals, so that flushes and merges are killed too.
    let busy = ["--buffer-bytes", "262144", "--flush-interval", "300ms"];
    for round in 0..ROUNDS {
        let mut server = Server::start(data.path(), &busy);
        let stop = Arc::new(AtomicBool::new(false));
        let sequence = Arc::new(AtomicU32::new(0));
        let senders: Vec<_> = (0..SENDERS)
            .map(|sender| tokio::spawn(send((server.http, round, sender), stop.clone(), ledger.clone(), sequence.clone())))
            .collect();
        tokio::time::sleep(Duration::from_millis(50 + scatter(u64::from(round)) % 1200)).await;
        server.kill();
        stop.store(true, Ordering::Relaxed);
        for sender in senders {
            sender.await.unwrap();
        }
        let server = Server::start(data.path(), &busy);
        compare(&server, &ledger, round).await;
    }
    let acknowledged = ledger.lock().await.values().filter(|sent| sent.acknowledged).count();
    assert!(acknowledged > 200, "only {acknowledged} requests were acknowledged; the test proves nothing");
}
