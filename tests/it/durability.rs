//! Nothing acknowledged is lost, nothing is there twice: by the ledger of `throughline load`, under `kill -9`, on a full disk, and with
//! files that are not what they were.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use http::StatusCode;

use crate::http::{encode, get, get_json, post};
use crate::otlp;
use crate::server::{Server, command};

const ROUNDS: u64 = 8;

/// Small, so that flushes and merges are met by what happens.
const BUSY: [&str; 4] = ["--buffer-bytes", "1MiB", "--flush-interval", "500ms"];

/// `throughline load`, killed when dropped.
struct Load(Child);

impl Load {
    fn start(server: &Server, ledger: &Path, what: &[&str]) -> Self {
        let child = command()
            .args(["load", "--spans-per-request", "100", "--connections", "2", "--give-up-after", "1s", "--json"])
            .args(["--endpoint", &format!("http://{}", server.http), "--ledger"])
            .arg(ledger)
            .args(what)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self(child.unwrap())
    }

    fn wait(mut self) {
        self.0.wait().unwrap();
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Every trace that the ledger names: of which signal, and how many records were acknowledged.
pub(crate) fn acknowledged(ledger: &Path) -> HashMap<(String, String), u64> {
    let text = fs::read_to_string(ledger).unwrap_or_default();
    // The sender may have been killed within its last line.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let mut traces = HashMap::new();
    for line in whole.lines() {
        let mut words = line.split(' ');
        let signal = words.next().unwrap().to_owned();
        for (id, count) in words.skip(2).filter_map(|word| word.split_once('=')).filter(|(id, _)| *id != "-") {
            assert_eq!(traces.insert((signal.clone(), id.to_owned()), count.parse().unwrap()), None, "{id} was sent twice");
        }
    }
    traces
}

/// Asserts that everything in the ledger is stored, once; returns how many traces that were.
async fn compare_ledger(server: &Server, ledger: &Path) -> usize {
    compare(server, &acknowledged(ledger)).await
}

/// Asserts that all of these traces are stored, no record twice; returns how many they are.
pub(crate) async fn compare(server: &Server, expected: &HashMap<(String, String), u64>) -> usize {
    let mut found = HashMap::new();
    for (signal, table, key) in [("traces", "spans", "span_id"), ("logs", "logs", "record_id")] {
        for digit in "0123456789abcdef".chars() {
            let sql = format!(
                "SELECT trace_id, count(*) AS n, count(DISTINCT {key}) AS d FROM {table} WHERE trace_id LIKE '{digit}%' GROUP BY trace_id"
            );
            let answer = get_json(server.ui, &format!("/api/v1/sql?max_rows=100000&query={}", encode(&sql))).await;
            assert_eq!(answer["truncated"], false, "{answer}");
            for row in answer["rows"].as_array().unwrap() {
                assert_eq!(row["n"], row["d"], "some of {row} are there twice");
                found.insert((signal.to_owned(), row["trace_id"].as_str().unwrap().to_owned()), row["n"].as_u64().unwrap());
            }
        }
    }
    for (trace, count) in expected {
        assert_eq!(found.get(trace), Some(count), "{trace:?} was acknowledged");
    }
    expected.len()
}

fn check(folder: &Path) -> (bool, String) {
    let output = command().arg("check").arg(folder).output().unwrap();
    (output.status.success(), format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_of_the_ledger_outlives_being_killed_while_flushing_merging_and_starting() {
    let folder = tempfile::tempdir().unwrap();
    let (data, ledger) = (folder.path().join("data"), folder.path().join("ledger"));
    for round in 0..ROUNDS {
        let mut server = Server::start(&data, &BUSY);
        let loads = [Load::start(&server, &ledger, &["--spans", "2000000"]), Load::start(&server, &ledger, &["--logs", "2000000"])];
        tokio::time::sleep(Duration::from_millis(200 + round * 7919 % 1300)).await;
        server.kill();
        drop(loads);
    }
    let mut server = Server::start(&data, &BUSY);
    let traces = compare_ledger(&server, &ledger).await;
    assert!(traces > 500, "only {traces} traces were acknowledged; the test proves nothing");
    server.kill();
    let (whole, said) = check(&data);
    assert!(whole, "{said}");
}

/// A small file system of its own; unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None` where mounting is not allowed.
    fn mount(at: PathBuf, size: &str) -> Option<Self> {
        fs::create_dir(&at).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(&at).output();
        mounted.is_ok_and(|output| output.status.success()).then_some(Self(at))
    }

    fn grow(&self, size: &str) {
        let grown = Command::new("mount").args(["-o", &format!("remount,size={size}")]).arg(&self.0).status().unwrap();
        assert!(grown.success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_requests_serves_reads_survives_being_killed_and_heals() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("ledger");
    let Some(disk) = SmallDisk::mount(folder.path().join("disk"), "48m") else {
        let _ = std::io::Write::write_all(&mut std::io::stderr(), b"skipped: a small file system cannot be mounted here\n");
        return;
    };
    let data = disk.0.join("data");
    let settings = ["--buffer-bytes", "4MiB", "--flush-interval", "500ms", "--min-free-bytes", "1MiB"];
    let mut server = Server::start(&data, &settings);
    Load::start(&server, &ledger, &["--spans", "20000", "--logs", "5000"]).wait();
    let fill = disk.0.join("fill");
    let filled = std::io::copy(&mut std::io::repeat(7), &mut fs::File::create(&fill).unwrap());
    assert!(filled.is_err(), "the disk is not full");
    // Free space is looked up once a second.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    for round in ["while it ran", "after it was killed and started on the full disk"] {
        let answer = post(server.http, "/v1/traces", "application/x-protobuf", one_span()).await.unwrap();
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{round}");
        assert!(!answer.header("retry-after").is_empty(), "{round}");
        assert_eq!(get(server.ui, "/readyz").await.status, StatusCode::SERVICE_UNAVAILABLE, "{round}");
        assert!(compare_ledger(&server, &ledger).await > 0, "{round}");
        server.kill();
        server = Server::start(&data, &settings);
    }
    disk.grow("200m");
    let begun = Instant::now();
    while post(server.http, "/v1/traces", "application/x-protobuf", one_span()).await.unwrap().status != StatusCode::OK {
        assert!(begun.elapsed() < Duration::from_secs(10), "requests are still refused");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Load::start(&server, &ledger, &["--spans", "5000"]).wait();
    compare_ledger(&server, &ledger).await;
    let begun = Instant::now();
    while get(server.ui, "/readyz").await.text().contains("No space left") {
        assert!(begun.elapsed() < Duration::from_secs(15), "the disk that was full is still told of");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_without_room_for_what_is_kept_free_is_not_ready_until_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(folder.path().join("disk"), "900k") else {
        let _ = std::io::Write::write_all(&mut std::io::stderr(), b"skipped: a small file system cannot be mounted here\n");
        return;
    };
    let server = Server::start(&disk.0.join("data"), &["--min-free-bytes", "16KiB", "--buffer-bytes", "1MiB"]);
    let answer = post(server.http, "/v1/traces", "application/x-protobuf", one_span()).await.unwrap();
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{}", answer.text());
    let ready = get(server.ui, "/readyz").await;
    assert!(ready.status == StatusCode::SERVICE_UNAVAILABLE && ready.text().contains("2 MiB are kept free"), "{}", ready.text());
    disk.grow("40m");
    // By itself: what is not ready is sent nothing.
    let begun = Instant::now();
    while get(server.ui, "/readyz").await.status != StatusCode::OK {
        assert!(begun.elapsed() < Duration::from_secs(10), "it does not become ready");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let answer = post(server.http, "/v1/traces", "application/x-protobuf", one_span()).await.unwrap();
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
}

fn one_span() -> bytes::Bytes {
    otlp::traces("late", vec![otlp::span([3; 16], [1; 8], "late")])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_segment_of_logs_is_told_and_leaves_answers_about_spans_whole() {
    let data = tempfile::tempdir().unwrap();
    let mut server = Server::start(data.path(), &[]);
    post(server.http, "/v1/traces", "application/x-protobuf", one_span()).await.unwrap();
    post(server.http, "/v1/logs", "application/x-protobuf", otlp::logs("lost", vec![otlp::log("gone")])).await.unwrap();
    server.terminate(Duration::from_secs(20)).expect("it did not stop");
    for entry in fs::read_dir(data.path().join("seg/logs")).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    let (whole, said) = check(data.path());
    assert!(!whole && said.contains("1 rows of logs"), "{said}");
    let server = Server::start(data.path(), &[]);
    let ready = get(server.ui, "/readyz").await;
    assert!(ready.text().contains("1 rows of logs are missing"), "{}", ready.text());
    let sql = |table: &str| format!("/api/v1/sql?query={}", encode(&format!("SELECT count(*) AS n FROM {table}")));
    assert_eq!(get_json(server.ui, &sql("spans")).await["rows"][0]["n"], 1);
    assert!(get(server.ui, &sql("logs")).await.text().contains("are missing from answers"));
}
