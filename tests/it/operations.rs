//! Running it: readiness, metrics, a graceful stop, and start-up refusals that say what to do.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Output;
use std::time::Duration;

use http::StatusCode;

use crate::http::{encode, get, get_json, post};
use crate::otlp;
use crate::server::{Server, alone, command};

fn run(arguments: &[&str]) -> Output {
    command().args(arguments).output().unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_server_says_that_it_is_alive_and_ready_and_counts_what_it_does() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    assert_eq!(get(server.ui, "/healthz").await.status, StatusCode::OK);
    assert_eq!(get(server.ui, "/readyz").await.status, StatusCode::OK);
    let body = otlp::traces("counted", vec![otlp::span([7; 16], [1; 8], "a"), otlp::span([7; 16], [2; 8], "b")]);
    assert_eq!(post(server.http, "/v1/traces", "application/x-protobuf", body).await.unwrap().status, StatusCode::OK);
    get_json(server.ui, &format!("/api/v1/traces/{}", "07".repeat(16))).await;
    let metrics = get(server.ui, "/metrics").await.text();
    let stored = metrics.lines().find(|line| line.starts_with("throughline_stored_items_total{signal=\"traces\"}")).unwrap();
    assert!(stored.ends_with(" 2"), "{stored}");
    for name in
        ["throughline_wal_sync_seconds_count", "throughline_buffer_rows", "throughline_query_seconds_count", "throughline_ack_seconds"]
    {
        assert!(metrics.contains(name), "{name} is missing in\n{metrics}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_graceful_stop_keeps_everything_and_the_next_start_finds_it() {
    let data = tempfile::tempdir().unwrap();
    let mut server = Server::start(data.path(), &[]);
    let body = otlp::traces("kept", vec![otlp::span([9; 16], [1; 8], "a")]);
    assert_eq!(post(server.http, "/v1/traces", "application/x-protobuf", body).await.unwrap().status, StatusCode::OK);
    let body = otlp::logs("kept", vec![otlp::log("the stop was graceful")]);
    assert_eq!(post(server.http, "/v1/logs", "application/x-protobuf", body).await.unwrap().status, StatusCode::OK);
    let status = server.terminate(Duration::from_secs(20)).expect("it did not stop");
    assert!(status.success(), "{status}");

    let checked = run(&["check", data.path().to_str().unwrap()]);
    assert!(checked.status.success(), "{}", said(&checked));

    let server = Server::start(data.path(), &[]);
    let trace = get_json(server.ui, &format!("/api/v1/traces/{}", "09".repeat(16))).await;
    assert_eq!(trace["spans"].as_array().map(Vec::len), Some(1), "{trace}");
    let logs = get_json(server.ui, &format!("/api/v1/logs?q={}", encode("graceful"))).await;
    assert_eq!(logs["logs"].as_array().map(Vec::len), Some(1), "{logs}");
}

/// Until a start is asked something, nothing but itself can have read what is stored.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_start_sums_are_read_before_anybody_asks_for_them() {
    let data = tempfile::tempdir().unwrap();
    let mut server = Server::start(data.path(), &[]);
    let body = otlp::traces("ahead", vec![otlp::span([9; 16], [1; 8], "a")]);
    assert_eq!(post(server.http, "/v1/traces", "application/x-protobuf", body).await.unwrap().status, StatusCode::OK);
    let body = otlp::logs("ahead", vec![otlp::log("a record")]);
    assert_eq!(post(server.http, "/v1/logs", "application/x-protobuf", body).await.unwrap().status, StatusCode::OK);
    assert!(server.terminate(Duration::from_secs(20)).expect("it did not stop").success());

    let mut server = Server::start(data.path(), &[]);
    let value = |metrics: &str, name: &str| -> f64 {
        let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.parse().unwrap())
    };
    let mut metrics = String::new();
    for _ in 0..600 {
        metrics = get(server.ui, "/metrics").await.text();
        if value(&metrics, "throughline_segments_read_ahead_total") >= 2.0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!((value(&metrics, "throughline_segments_read_ahead_total") - 2.0).abs() < 0.5, "{metrics}");
    assert!(value(&metrics, "throughline_memory_used_bytes{consumer=\"sums\"}") > 0.0, "{metrics}");
    assert!(!metrics.contains("throughline_query_seconds_count{kind=\"services\"}"), "{metrics}");
    assert!(server.terminate(Duration::from_secs(20)).expect("it did not stop").success());
}

#[test]
fn a_data_folder_in_use_is_refused_by_name() {
    let data = tempfile::tempdir().unwrap();
    let _first = Server::start(data.path(), &[]);
    let error = Server::try_start(data.path(), &[]).unwrap_err();
    assert!(error.contains("in use by another process"), "{error}");
}

#[test]
fn a_data_folder_of_another_version_is_refused_with_what_to_do() {
    let data = tempfile::tempdir().unwrap();
    Server::start(data.path(), &[]).kill();
    let path = data.path().join("FORMAT");
    let format = fs::read_to_string(&path).unwrap();
    let newer: String = format.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
    assert_ne!(newer, format, "{format}");
    fs::write(&path, newer).unwrap();
    let error = Server::try_start(data.path(), &[]).unwrap_err();
    assert!(error.contains("version"), "{error}");
}

#[test]
fn a_folder_of_somebody_else_is_refused_by_name_and_left_as_it_is() {
    let data = tempfile::tempdir().unwrap();
    fs::write(data.path().join("thesis.odt"), "three years of work").unwrap();
    fs::create_dir(data.path().join("tmp")).unwrap();
    fs::write(data.path().join("tmp/draft"), "not ours to empty").unwrap();
    let error = Server::try_start(data.path(), &[]).unwrap_err();
    assert!(error.contains("is not a data folder of Throughline, it holds `thesis.odt`"), "{error}");
    let checked = run(&["check", data.path().to_str().unwrap()]);
    assert!(!checked.status.success() && said(&checked).contains("not a data folder"), "{}", said(&checked));
    let mut names: Vec<_> = fs::read_dir(data.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["thesis.odt", "tmp"]);
    assert!(data.path().join("tmp/draft").exists());
}

#[test]
fn a_data_folder_that_cannot_be_made_is_refused_by_name() {
    let parent = tempfile::tempdir().unwrap();
    let file = parent.path().join("plain");
    fs::write(&file, "not a folder").unwrap();
    let error = Server::try_start(&file, &[]).unwrap_err();
    assert!(error.contains("plain is a file, not a folder"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_folder_that_cannot_be_written_is_refused_by_name_and_left_as_it_is() {
    let parent = tempfile::tempdir().unwrap();
    let data = parent.path().join("data");
    let mut server = Server::start(&data, &[]);
    let body = otlp::traces("kept", vec![otlp::span([8; 16], [1; 8], "a")]);
    assert_eq!(post(server.http, "/v1/traces", "application/x-protobuf", body).await.unwrap().status, StatusCode::OK);
    assert!(server.terminate(Duration::from_secs(20)).expect("it did not stop").success());
    set_writable(&data, false);
    // To whom may do everything no folder is read-only; without this right root is its owner, like anybody else.
    let bound = |program: &str| {
        let mut command = std::process::Command::new("setpriv");
        command.args(["--bounding-set=-dac_override", "--inh-caps=-dac_override", program]);
        alone(command)
    };
    let is_bound = bound("true").output().is_ok_and(|output| output.status.success());
    let program = if rustix::process::geteuid().is_root() && is_bound { bound(env!("CARGO_BIN_EXE_throughline")) } else { command() };
    let started = Server::start_as(program, &data, &[]).map(|_| ());
    set_writable(&data, true);
    if rustix::process::geteuid().is_root() && !is_bound {
        let _ = std::io::Write::write_all(&mut std::io::stderr(), b"skipped: root could not give up its right to write everywhere\n");
        return;
    }
    let error = started.unwrap_err();
    assert!(error.contains(data.to_str().unwrap()) && error.contains("ermission denied"), "{error}");
    let server = Server::start(&data, &[]);
    let trace = get_json(server.ui, &format!("/api/v1/traces/{}", "08".repeat(16))).await;
    assert_eq!(trace["spans"].as_array().map(Vec::len), Some(1), "{trace}");
}

fn set_writable(folder: &std::path::Path, is_writable: bool) {
    let (folders, files) = if is_writable { (0o755, 0o644) } else { (0o555, 0o444) };
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            set_writable(&entry.path(), is_writable);
        } else {
            fs::set_permissions(entry.path(), fs::Permissions::from_mode(files)).unwrap();
        }
    }
    fs::set_permissions(folder, fs::Permissions::from_mode(folders)).unwrap();
}

#[test]
fn every_mistake_in_the_configuration_is_reported_at_once_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("throughline.toml");
    fs::write(&file, "no_such_key = 1\n").unwrap();
    let output = command()
        .env("THROUGHLINE_OTLP_GRPC", "nonsense")
        .arg("serve")
        .arg("--config")
        .arg(&file)
        .args(["--ui", "also nonsense", "--demo-rate", "-3", "--query-timeout", "-1s"])
        .args(["--no-such-flag", "1", "--sync", "group", "--sync", "1s", "--cors-origins", "nope"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = said(&output);
    for place in [
        "no_such_key",
        "throughline.toml",
        "THROUGHLINE_OTLP_GRPC",
        "--ui",
        "--demo-rate: `-3`",
        "--query-timeout: `-1s`",
        "--no-such-flag: no such flag",
        "--sync: given 2 times",
        "--cors-origins: `nope` is not an origin",
    ] {
        assert!(text.contains(place), "{place} is not named in:\n{text}");
    }
}

#[test]
fn a_port_in_use_is_refused_by_number() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let data = tempfile::tempdir().unwrap();
    let output = command()
        .args(["serve", "--ui", &address, "--otlp-grpc", "127.0.0.1:0", "--otlp-http", "127.0.0.1:0", "--data-dir"])
        .arg(data.path())
        .output()
        .unwrap();
    assert!(!output.status.success());
    assert!(said(&output).contains(&address), "{}", said(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_segment_is_named_by_check_and_the_rest_is_served() {
    let data = tempfile::tempdir().unwrap();
    let mut server = Server::start(data.path(), &[]);
    let body = otlp::traces("whole", vec![otlp::span([5; 16], [1; 8], "a")]);
    post(server.http, "/v1/traces", "application/x-protobuf", body).await.unwrap();
    post(server.http, "/v1/logs", "application/x-protobuf", otlp::logs("whole", vec![otlp::log("kept")])).await.unwrap();
    server.terminate(Duration::from_secs(20)).expect("it did not stop");
    let segment = find(&data.path().join("seg/traces"), "parquet").expect("no segment was written");
    let mut bytes = fs::read(&segment).unwrap();
    let middle = bytes.len() / 3;
    bytes[middle] ^= 0xff;
    fs::write(&segment, bytes).unwrap();
    let checked = run(&["check", data.path().to_str().unwrap()]);
    assert!(!checked.status.success(), "{}", said(&checked));
    let name = segment.file_stem().unwrap().to_str().unwrap();
    assert!(said(&checked).contains(name), "{}", said(&checked));
    let mut server = Server::start(data.path(), &[]);
    assert_eq!(get(server.ui, "/healthz").await.status, StatusCode::OK);
    // What lies behind an index is found by whoever reads it.
    let answer = get_json(server.ui, "/api/v1/traces?from=0").await;
    assert_eq!(answer["stats"]["complete"], false, "{answer}");
    tells_of_damage(&server, name).await;
    server.kill();

    fs::write(&segment, "cut short").unwrap();
    let mut server = Server::start(data.path(), &[]);
    tells_of_damage(&server, name).await;
    commands_tell_of_damage(&["--url", &format!("http://{}", server.ui)], name);
    server.kill();
    commands_tell_of_damage(&["--data-dir", data.path().to_str().unwrap()], name);
    an_export_keeps_what_can_be_read(data.path().to_str().unwrap());
}

/// Of both signals, under a name that says that it is not whole, and the way to a whole one is told.
fn an_export_keeps_what_can_be_read(data: &str) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("all");
    let output = run(&["export", "--data-dir", data, "--output", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(
        ["all.partial", "throughline repair", "(1 messages came)"].iter().all(|word| said(&output).contains(word)),
        "{}",
        said(&output)
    );
    assert!(!file.exists() && fs::read_to_string(folder.path().join("all.partial")).unwrap().contains("kept"));
}

/// What cannot be read is named beside every answer, and the exit code says that it is missing.
fn commands_tell_of_damage(source: &[&str], segment: &str) {
    for question in [&["--sql", "SELECT count(*) AS n FROM spans"][..], &["service:whole"]] {
        for format in ["table", "csv", "ndjson"] {
            let output = run(&[&["query", "--format", format], question, source].concat());
            let stderr = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(1), "{question:?} as {format}: {stderr}");
            // The log of the command has it as well; what is said for people begins with the name of the program.
            let is_note = |line: &str| line.starts_with("throughline: ") && line.contains(segment);
            assert!(stderr.lines().any(is_note), "{question:?} as {format}: {stderr}");
        }
    }
}

/// Readiness, metrics and the page each tell of one damaged segment of spans; the server is ready.
async fn tells_of_damage(server: &Server, segment: &str) {
    let ready = get(server.ui, "/readyz").await;
    assert_eq!(ready.status, StatusCode::OK);
    let parts = ready.json();
    let part = parts["parts"].as_array().unwrap().iter().find(|part| part["name"] == "data").unwrap_or_else(|| panic!("{parts}"));
    let reason = part["reason"].as_str().unwrap();
    assert!(part["ready"] == true && reason.contains(segment) && reason.contains("throughline repair"), "{part}");
    let metrics = get(server.ui, "/metrics").await.text();
    for line in ["throughline_damaged_segments{signal=\"traces\"} 1", "throughline_damaged_segments{signal=\"logs\"} 0"] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    let page = get(server.ui, "/status").await.text();
    assert!(page.contains("Data is damaged") && page.contains(segment), "{page}");
}

fn find(folder: &std::path::Path, extension: &str) -> Option<std::path::PathBuf> {
    for entry in fs::read_dir(folder).ok()?.map_while(Result::ok) {
        let path = entry.path();
        if path.is_dir() {
            if let Some(found) = find(&path, extension) {
                return Some(found);
            }
        } else if path.extension().is_some_and(|e| e == extension) {
            return Some(path);
        }
    }
    None
}
