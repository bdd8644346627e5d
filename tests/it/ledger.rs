//! The ledger balances: received = stored + de-duplicated + rejected by reason, per signal and client, under a mix of good, bad, broken
//! and repeated requests, and the store holds what the ledger says it stored.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};
use serde_json::Value;

use crate::http::{encode, get, get_json, send};
use crate::otlp;
use crate::server::Server;

const PROTOBUF: &str = "application/x-protobuf";
const SENDERS: u8 = 6;
const ROUNDS: u8 = 12;

async fn export(to: SocketAddr, path: &str, content_type: &str, agent: &str, body: Bytes) -> StatusCode {
    let headers = [("content-type", content_type), ("user-agent", agent)];
    send(to, Method::POST, path, &headers, body).await.unwrap().status
}

/// Asserts that every account balances, and returns the account of `client`, or the total without one.
async fn account(server: &Server, signal: &str, client: Option<&str>) -> Value {
    let status = get_json(server.ui, "/api/v1/status").await;
    let accounts = status["ledger"].as_array().unwrap();
    for account in accounts {
        let n = |name: &str| account[name].as_u64().unwrap();
        let rejected: u64 = account["rejected_items"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
        assert_eq!(n("received_items"), n("stored_items") + n("deduplicated_items") + rejected, "{account}");
        assert_eq!(account["imbalance"], 0, "{account}");
    }
    let mine = |account: &&Value| account["signal"] == signal && account["client"].as_str() == client;
    accounts.iter().find(mine).cloned().unwrap_or(Value::Null)
}

async fn stored(server: &Server, table: &str) -> u64 {
    let answer = get_json(server.ui, &format!("/api/v1/sql?query={}", encode(&format!("SELECT count(*) AS n FROM {table}")))).await;
    answer["rows"][0]["n"].as_u64().unwrap()
}

/// 3 good spans, 2 with bad ids.
fn mixed_spans(sender: u8, round: u8) -> Bytes {
    let mut spans: Vec<_> = (1..=5).map(|n| otlp::span([sender + 1; 16], [sender, round, n, 0, 0, 0, 0, 1], "mixed")).collect();
    spans[1].span_id.pop();
    spans[3].trace_id = vec![0; 16];
    otlp::traces("mixed", spans)
}

async fn one_sender(to: SocketAddr, sender: u8) {
    let agent = format!("sender/{}", sender % 2);
    for round in 0..ROUNDS {
        let spans = mixed_spans(sender, round);
        let logs = otlp::logs("mixed", vec![otlp::log(&format!("{sender} {round} a")), otlp::log("b")]);
        assert_eq!(export(to, "/v1/traces", PROTOBUF, &agent, spans.clone()).await, StatusCode::OK);
        assert_eq!(export(to, "/v1/traces", PROTOBUF, &agent, spans).await, StatusCode::OK);
        assert_eq!(export(to, "/v1/logs", PROTOBUF, &agent, logs).await, StatusCode::OK);
        // An item count that can be read, an id that cannot: field 1 of the span as a number.
        let broken = Bytes::from_static(b"\x0a\x06\x12\x04\x12\x02\x08\x01");
        assert_eq!(export(to, "/v1/traces", PROTOBUF, &agent, broken).await, StatusCode::BAD_REQUEST);
        assert_eq!(export(to, "/v1/logs", PROTOBUF, &agent, Bytes::from_static(b"\x0a\xff")).await, StatusCode::BAD_REQUEST);
        assert_eq!(export(to, "/v1/logs", "text/plain", &agent, Bytes::from_static(b"x")).await, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn received_is_stored_and_rejected_and_known_before_for_every_client() {
    let data = tempfile::tempdir().unwrap();
    let mut server = Server::start(data.path(), &["--buffer-bytes", "1MiB"]);
    let senders: Vec<_> = (0..SENDERS).map(|sender| tokio::spawn(one_sender(server.http, sender))).collect();
    for sender in senders {
        sender.await.unwrap();
    }
    let requests = u64::from(SENDERS) * u64::from(ROUNDS);

    let spans = account(&server, "traces", None).await;
    assert_eq!((spans["requests"].as_u64(), spans["received_items"].as_u64()), (Some(requests * 3), Some(requests * 11)), "{spans}");
    assert_eq!(spans["stored_items"].as_u64(), Some(requests * 3), "{spans}");
    assert_eq!(spans["deduplicated_items"].as_u64(), Some(requests * 3), "{spans}");
    let rejected = &spans["rejected_items"];
    let of = |reason: &str| rejected[reason].as_u64();
    assert_eq!([of("span_id"), of("trace_id"), of("malformed")], [Some(requests * 2), Some(requests * 2), Some(requests)], "{spans}");
    let logs = account(&server, "logs", None).await;
    assert_eq!((logs["received_items"].as_u64(), logs["stored_items"].as_u64()), (Some(requests * 2), Some(requests * 2)), "{logs}");
    assert_eq!((&logs["refused_requests"]["malformed"], &logs["refused_requests"]["media_type"]), (&requests.into(), &requests.into()));
    let half = account(&server, "traces", Some("sender/1")).await;
    assert_eq!(half["received_items"].as_u64(), Some(requests * 11 / 2), "{half}");
    assert_eq!((stored(&server, "spans").await, stored(&server, "logs").await), (requests * 3, requests * 2));

    let metrics = get(server.ui, "/metrics").await.text();
    assert!(metrics.contains("throughline_ledger_imbalance_items{signal=\"traces\"} 0\n"), "{metrics}");
    let line = format!("throughline_ledger_stored_items_total{{signal=\"traces\",client=\"sender/0\"}} {}\n", requests * 3 / 2);
    assert!(metrics.contains(&line), "{metrics}");

    // A restart sets the books to zero; what was stored stays known, so that a request that is sent again is still told apart.
    let again = otlp::traces("again", vec![otlp::span([99; 16], [9; 8], "again")]);
    assert_eq!(export(server.http, "/v1/traces", PROTOBUF, "late", again.clone()).await, StatusCode::OK);
    server.kill();
    let server = Server::start(data.path(), &[]);
    assert_eq!(account(&server, "traces", None).await["received_items"], 0);
    assert_eq!(export(server.http, "/v1/traces", PROTOBUF, "late", again).await, StatusCode::OK);
    let late = account(&server, "traces", Some("late")).await;
    assert_eq!((&late["stored_items"], &late["deduplicated_items"]), (&0.into(), &1.into()), "{late}");
    assert_eq!(stored(&server, "spans").await, requests * 3 + 1);
}

/// What one client sent is refused in part for the same reasons when another one sends it again. After a kill the log still says why; after a
/// stop nothing does.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_of_a_request_is_refused_again_and_not_known_before() {
    let data = tempfile::tempdir().unwrap();
    // Made once: spans begin now.
    let body = mixed_spans(1, 1);
    let send = async |server: &Server, agent| export(server.http, "/v1/traces", PROTOBUF, agent, body.clone()).await;
    let books = async |server: &Server, agent| {
        let account = account(server, "traces", Some(agent)).await;
        let mut rejected: Vec<String> =
            account["rejected_items"].as_object().unwrap().iter().map(|(reason, n)| format!("{reason} {n}")).collect();
        rejected.sort();
        let n = |name: &str| account[name].as_u64().unwrap();
        ([n("received_items"), n("stored_items"), n("deduplicated_items")], rejected.join(", "))
    };
    let mut server = Server::start(data.path(), &[]);
    assert_eq!(send(&server, "first").await, StatusCode::OK);
    assert_eq!(send(&server, "second").await, StatusCode::OK);
    let reasons = "span_id 1, trace_id 1".to_owned();
    assert_eq!(books(&server, "first").await, ([5, 3, 0], reasons.clone()));
    assert_eq!(books(&server, "second").await, ([5, 0, 3], reasons.clone()));
    server.kill();
    let mut server = Server::start(data.path(), &[]);
    assert_eq!(send(&server, "first").await, StatusCode::OK);
    assert_eq!(books(&server, "first").await, ([5, 0, 3], reasons));
    assert!(server.terminate(Duration::from_secs(30)).is_some_and(|status| status.success()));
    let server = Server::start(data.path(), &[]);
    assert_eq!(send(&server, "second").await, StatusCode::OK);
    assert_eq!(books(&server, "second").await, ([5, 0, 3], "refused_before 2".to_owned()));
    assert_eq!(stored(&server, "spans").await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_without_end_share_one_account() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    for n in 0..80 {
        let body = otlp::logs("many", vec![otlp::log(&n.to_string())]);
        assert_eq!(export(server.http, "/v1/logs", PROTOBUF, &format!("agent \"{n}\""), body).await, StatusCode::OK);
    }
    assert_eq!(account(&server, "logs", Some("other")).await["stored_items"], 16);
    assert_eq!(account(&server, "logs", Some("agent 0")).await["stored_items"], 1);
    assert_eq!(account(&server, "logs", None).await["stored_items"], 80);
}
