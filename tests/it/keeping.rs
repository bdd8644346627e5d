//! Keeping and letting go, seen from outside: the byte budget on the disk, deletes over `kill -9`, a small memory limit, questions whose
//! clients leave.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::http::{encode, get, get_json, post, send};
use crate::otlp;
use crate::server::{Server, alone, command};

const PROTOBUF: &str = "application/x-protobuf";

/// Bytes that the files under a folder take on the disk.
fn disk_usage(folder: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    // A file may go while it is looked at.
    let files = entries.filter_map(Result::ok).filter_map(|entry| entry.metadata().ok().map(|meta| (entry.path(), meta)));
    files.map(|(path, meta)| if meta.is_dir() { disk_usage(&path) } else { (meta.blocks() * 512).max(meta.len()) }).sum()
}

async fn metric(server: &Server, line: &str) -> i64 {
    let text = get(server.ui, "/metrics").await.text();
    let lines = text.lines().filter(|known| known.starts_with(line));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<i64>().ok()).sum()
}

async fn count(server: &Server, table: &str) -> u64 {
    let sql = encode(&format!("SELECT count(*) AS n FROM {table}"));
    get_json(server.ui, &format!("/api/v1/sql?query={sql}")).await["rows"][0]["n"].as_u64().unwrap()
}

/// A running `throughline load`; ends with the test.
struct Load(Child);

impl Load {
    fn start(server: &Server, what: &[&str]) -> Self {
        let mut load = command();
        load.args(["load", "--connections", "2", "--json", "--endpoint", &format!("http://{}", server.http)]).args(what);
        Self(load.stdout(Stdio::null()).stderr(Stdio::inherit()).spawn().unwrap())
    }

    fn is_over(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_data_folder_never_takes_more_than_its_budget() {
    const BUDGET: u64 = 15 << 20;
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &["--buffer-bytes", "1MiB", "--max-disk-bytes", "15MiB"]);
    let mut loads = [Load::start(&server, &["--spans", "2000000"]), Load::start(&server, &["--logs", "2000000"])];
    let begun = Instant::now();
    let mut most = 0;
    while begun.elapsed() < Duration::from_secs(60) && !loads.iter_mut().any(Load::is_over) {
        for _ in 0..50 {
            most = most.max(disk_usage(data.path()));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        if metric(&server, "throughline_rows_let_go_total{signal=\"traces\",why=\"budget\"}").await > 50_000 {
            break;
        }
    }
    drop(loads);
    assert!(most <= BUDGET, "{most} bytes were taken");
    assert!(
        metric(&server, "throughline_rows_let_go_total{signal=\"traces\",why=\"budget\"}").await > 0,
        "nothing had to go; {most} bytes"
    );
    assert!(count(&server, "spans").await > 0);
    let status = get_json(server.ui, "/api/v1/status").await;
    assert_eq!(status["store"]["max_disk_bytes"], BUDGET);
    assert!(status["store"]["disk_bytes"].as_u64().unwrap() <= BUDGET, "{status}");
}

async fn delete(server: &Server, what: &Value, headers: &[(&str, &str)]) -> crate::http::Answer {
    let headers: Vec<_> = headers.iter().copied().chain([("content-type", "application/json")]).collect();
    send(server.ui, Method::POST, "/api/v1/deletes", &headers, what.to_string().into()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_is_gone_at_once_and_stays_gone_when_killed() {
    let data = tempfile::tempdir().unwrap();
    let mut server = Server::start(data.path(), &[]);
    for n in 1..=9 {
        let spans = (1..=3).map(|span| otlp::span([n; 16], [span; 8], "to keep or not")).collect();
        post(server.http, "/v1/traces", PROTOBUF, otlp::traces("shop", spans)).await.unwrap();
        let records = vec![otlp::log(&format!("card number {n}")), otlp::log("fine")];
        post(server.http, "/v1/logs", PROTOBUF, otlp::logs("shop", records)).await.unwrap();
    }
    let one = json!({ "trace_ids": ["04".repeat(16)] });
    for (name, value) in [("sec-fetch-site", "cross-site"), ("origin", "http://evil.test")] {
        assert_eq!(delete(&server, &one, &[(name, value)]).await.status, StatusCode::FORBIDDEN);
    }
    let text = send(server.ui, Method::POST, "/api/v1/deletes", &[("content-type", "text/plain")], one.to_string().into()).await.unwrap();
    assert_eq!(text.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(count(&server, "spans").await, 27);

    let by_trace = delete(&server, &one, &[]).await;
    assert_eq!(by_trace.status, StatusCode::ACCEPTED, "{}", by_trace.text());
    assert_eq!(by_trace.json()["deleted_spans"], 3);
    let by_query = json!({ "signal": "logs", "query": "\"card number\"", "from": "now-1h", "to": "now+1h" });
    let by_query = delete(&server, &by_query, &[]).await.json();
    assert_eq!(by_query["deleted_logs"], 9, "{by_query}");
    // Not a moment later.
    server.kill();
    let server = Server::start(data.path(), &[]);
    let gone = get(server.ui, &format!("/api/v1/traces/{}", "04".repeat(16))).await;
    assert_eq!((gone.status, gone.json()["error"]["code"].as_str()), (StatusCode::GONE, Some("deleted_trace")));
    assert_eq!((count(&server, "spans").await, count(&server, "logs").await), (24, 9));
    let found = get_json(server.ui, "/api/v1/logs?q=card").await;
    assert_eq!(found["logs"].as_array().unwrap().len(), 0, "{found}");
    let begun = Instant::now();
    for id in [&by_trace.json()["id"], &by_query["id"]] {
        let path = format!("/api/v1/deletes/{}", id.as_str().unwrap());
        while get_json(server.ui, &path).await["state"] != "done" {
            assert!(begun.elapsed() < Duration::from_secs(30), "{}", get(server.ui, &path).await.text());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    assert_eq!((count(&server, "spans").await, count(&server, "logs").await), (24, 9));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_whose_client_left_ends() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    for n in 1..=20 {
        let spans = (1..=100).map(|span| otlp::span([n; 16], [n, span, 1, 1, 1, 1, 1, 1], "x")).collect();
        post(server.http, "/v1/traces", PROTOBUF, otlp::traces("a", spans)).await.unwrap();
    }
    let sql = encode("SELECT count(*) FROM spans a, spans b, spans c, spans d WHERE a.duration + b.duration + c.duration > d.duration");
    let mut client = std::net::TcpStream::connect(server.ui).unwrap();
    write!(client, "GET /api/v1/sql?query={sql} HTTP/1.1\r\nhost: {}\r\n\r\n", server.ui).unwrap();
    let wait = async |running: i64| {
        let begun = Instant::now();
        while metric(&server, "throughline_queries_running ").await != running {
            assert!(begun.elapsed() < Duration::from_secs(10), "there are never {running} questions");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    wait(1).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    wait(1).await;
    drop(client);
    wait(0).await;
}

/// A control group with a memory limit; removed when dropped.
struct Group(PathBuf);

impl Group {
    /// `None` where groups cannot be made.
    fn with_memory(bytes: u64) -> Option<Self> {
        let name = format!("throughline-test-{}", std::process::id());
        for (mount, file) in [("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")] {
            let group = Path::new(mount).join(&name);
            if fs::create_dir(&group).is_ok() {
                let group = Self(group);
                if fs::write(group.0.join(file), bytes.to_string()).is_ok() {
                    return Some(group);
                }
            }
        }
        None
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let begun = Instant::now();
        while fs::remove_dir(&self.0).is_err() && begun.elapsed() < Duration::from_secs(5) {
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_gibibyte_of_memory_is_enough_for_senders_and_questions_together() {
    let Some(group) = Group::with_memory(512 << 20) else {
        let _ = std::io::stderr().write_all(b"skipped: no control group with a memory limit can be made here\n");
        return;
    };
    let data = tempfile::tempdir().unwrap();
    let join = format!("echo $$ > {}/cgroup.procs && exec \"$0\" \"$@\"", group.0.display());
    let mut shell = alone(Command::new("sh"));
    shell.arg("-c").arg(join).arg(env!("CARGO_BIN_EXE_throughline"));
    let server = Server::start_as(shell, data.path(), &[]).unwrap();
    assert_eq!(metric(&server, "throughline_memory_limit_bytes ").await, 512 << 20);
    let senders: [&[&str]; 3] = [&["--spans", "5000000"], &["--logs", "5000000"], &["--spans", "5000000", "--spans-per-request", "20000"]];
    let mut loads = senders.map(|what| Load::start(&server, what));
    let begun = Instant::now();
    let questions = ["/api/v1/traces?limit=100", "/api/v1/map", "/api/v1/services", "/api/v1/logs?q=a&limit=1000"];
    let mut answered = 0;
    while begun.elapsed() < Duration::from_secs(20) {
        for question in questions.iter().map(|path| (*path).to_owned()).chain([heavy_sql()]) {
            let answer = send(server.ui, Method::GET, &question, &[], Bytes::new()).await.expect("it was killed");
            assert!([200, 422, 503, 504].contains(&answer.status.as_u16()), "{question}: {}", answer.text());
            answered += usize::from(answer.status == StatusCode::OK);
        }
        assert!(!loads.iter_mut().any(Load::is_over), "a sender gave up");
    }
    drop(loads);
    assert!(answered > 4, "hardly anything was answered");
    assert!(metric(&server, "throughline_stored_items_total").await > 10_000);
    let killed = fs::read_to_string(group.0.join("memory.oom_control")).or_else(|_| fs::read_to_string(group.0.join("memory.events")));
    assert!(killed.unwrap().lines().any(|line| line == "oom_kill 0"), "something in the group was killed");
    drop(server);
}

fn heavy_sql() -> String {
    let sql = "SELECT trace_id, count(*) AS n, max(duration) AS d FROM spans GROUP BY trace_id ORDER BY d DESC LIMIT 5";
    format!("/api/v1/sql?query={}", encode(sql))
}
