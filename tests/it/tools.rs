//! The commands beside `serve`: what they print, and what they leave behind.

use std::io::BufRead as _;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use crate::http::{encode, get_json};
use crate::server::{Server, command};

/// Runs the binary to its end.
pub(crate) fn run(arguments: &[&str]) -> Output {
    command().args(arguments).output().unwrap()
}

/// What it printed, errors last.
pub(crate) fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Runs the binary and panics unless it ended with `code`; what it printed.
pub(crate) fn expect(code: i32, arguments: &[&str]) -> String {
    let output = run(arguments);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{}", said(&output));
    said(&output)
}

/// A path as an argument.
pub(crate) fn word(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn health_is_told_by_exit_code_in_one_line() {
    let data = tempfile::tempdir().unwrap();
    let mut server = Server::start(data.path(), &[]);
    let url = format!("http://{}", server.ui);
    for (flags, word) in [(&["health", "--url", &url][..], "alive"), (&["health", "--ready", "--url", &url], "ready")] {
        let text = expect(0, flags);
        assert_eq!(text, format!("{url} is {word}\n"));
    }
    // As in a container: where the pages are is in the environment of both.
    let output = command().env("THROUGHLINE_UI", server.ui.to_string()).arg("health").output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    assert!(server.terminate(Duration::from_secs(20)).expect("it did not stop").success());
    let text = expect(1, &["health", "--url", &url]);
    assert!(text.contains("cannot connect") && text.lines().count() == 1, "{text}");
    assert!(expect(2, &["health", "--url", "localhost"]).contains("http://"));
    expect(2, &["health", "--timeout", "soon"]);
    let output = command().env("THROUGHLINE_UI", "nowhere").arg("health").output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
}

#[test]
fn a_command_that_cannot_do_its_work_says_what_to_do_instead() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("data"), &[]);
    let [grpc, http, pages] = [server.grpc, server.http, server.ui].map(|address| format!("http://{address}"));
    let nobody = format!("http://{}", std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let missing = folder.path().join("no such file");
    let new = folder.path().join("new");
    let open = folder.path().join("data");
    let cases: [(&[&str], &[&str]); 10] = [
        (&["check", word(&open)], &["in use by another process", "stop it, or name another folder"]),
        (&["query", "--url", &nobody, "a"], &["cannot connect", "is the server running"]),
        (&["query", "--url", &http, "a"], &["send spans to /v1/traces", "the address of the pages"]),
        (&["query", "--url", &grpc, "a"], &["speaks OTLP/gRPC", "the address of the pages"]),
        (&["load", "--spans", "10", "--endpoint", &nobody], &["nobody listens", "start `throughline`"]),
        (&["load", "--spans", "10", "--endpoint", &grpc], &["does not take OTLP/HTTP", "--protocol grpc goes with"]),
        (&["load", "--spans", "10", "--endpoint", &http, "--protocol", "grpc"], &["does not take OTLP/gRPC", "4318 unless set otherwise"]),
        (&["load", "--spans", "10", "--endpoint", &pages], &["does not take OTLP/HTTP"]),
        (&["import", word(&missing), "--data-dir", word(&new)], &["cannot open", "no such file"]),
        (&["import", word(folder.path()), "--data-dir", word(&new)], &["is a folder"]),
    ];
    for (arguments, parts) in cases {
        let text = expect(1, arguments);
        for part in parts {
            assert!(text.contains(part), "{part} is not in what {arguments:?} says:\n{text}");
        }
        assert_eq!(text.lines().count(), 1, "{arguments:?}\n{text}");
    }
    assert!(!new.exists(), "a data folder was made for nothing");
}

#[test]
fn a_question_that_is_asked_wrongly_ends_with_2_and_says_how_to_ask() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("data"), &[]);
    let pages = format!("http://{}", server.ui);
    let [file, missing] = ["a file", "no such folder"].map(|name| folder.path().join(name));
    std::fs::write(&file, "x").unwrap();
    let cases: [(&[&str], &[&str]); 14] = [
        (&["query", "--data-dir", word(&file), "a"], &["is a file, not a folder"]),
        (&["check", word(&file)], &["is a file, not a folder"]),
        (&["query", "--data-dir", word(&missing), "a"], &["there is no data folder"]),
        (&["check", word(&missing)], &["there is no data folder"]),
        (&["load", "--spans", "0"], &["there is nothing to send"]),
        (&["load", "--spans", "1", "--endpoint", "127.0.0.1:25001"], &["it must begin with http://"]),
        (&["load", "--spans", "1", "--endpoint", "http://127.0.0.1:25000x"], &["`25000x` is not a port"]),
        (&["health", "--url", "http://127.0.0.1:25000x"], &["`25000x` is not a port"]),
        (&["query", "--url", &pages, "servise:a"], &["no field `servise`", "did you mean `service`?"]),
        (&["query", "--url", &pages, "--sql", "SELECT naem FROM spans"], &["no column `naem`", "at character 8", "did you mean `name`?"]),
        (&["query", "--url", &pages, "--sql", "SELECT 1; SELECT 2"], &["a second statement begins here", "at character 11"]),
        (&["query", "--url", &pages, "--sql", "INSERT spans"], &["only SELECT", "at character 1"]),
        (&["query", "--url", "localhost:1", "a"], &["http://"]),
        (&["export", "--url", &pages, "--signal", "logs", "-q", "severity:loud"], &["loud"]),
    ];
    for (arguments, parts) in cases {
        let text = expect(2, arguments);
        for part in parts {
            assert!(text.contains(part), "{part} is not in what {arguments:?} says:\n{text}");
        }
        assert_eq!(text.lines().count(), 1, "{arguments:?}\n{text}");
    }
    // Without a server and without a folder to look into.
    let output = command().current_dir(folder.path()).args(["query", "a"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("--url http://127.0.0.1:16686") && said(&output).contains("--data-dir DIR"), "{}", said(&output));
}

#[test]
fn a_dash_is_standard_output_and_a_minus_begins_a_query() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("data"), &[]);
    let [pages, receiver] = [server.ui, server.http].map(|address| format!("http://{address}"));
    expect(0, &["load", "--endpoint", &receiver, "--spans", "100", "--seed", "1"]);
    let output = command().current_dir(folder.path()).args(["export", "-o", "-", "--url", &pages]).output().unwrap();
    assert!(output.status.success() && output.stdout.starts_with(b"{\"resourceSpans\""), "{}", said(&output));
    assert!(!folder.path().join("-").exists() && !folder.path().join("-.partial").exists());
    for query in ["-service:nobody", "-http.route:/nowhere"] {
        assert!(expect(0, &["query", query, "--url", &pages]).lines().count() > 1);
    }
    let refused = expect(2, &["backup", &pages]);
    assert!(refused.contains("--url http://127.0.0.1:16686"), "{refused}");
}

#[test]
fn a_reader_that_has_read_enough_is_no_failure() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let pages = format!("http://{}", server.ui);
    // More than a pipe holds, so that writing meets its closed end.
    let sql = "SELECT a.column_name, b.column_name, c.column_name FROM information_schema.columns a, information_schema.columns b, \
               information_schema.columns c LIMIT 50000";
    let mut child = command()
        .args(["query", "--url", &pages, "--limit", "50000", "--format", "ndjson", "--sql", sql])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 1];
    let mut stdout = child.stdout.take().unwrap();
    std::io::Read::read_exact(&mut stdout, &mut first).unwrap();
    drop(stdout);
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), said(&output).as_str()), (Some(0), ""));
}

#[test]
fn the_folder_that_the_settings_name_is_checked_and_repaired() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    assert!(Server::start(&data, &[]).terminate(Duration::from_secs(20)).expect("it did not stop").success());
    std::fs::write(folder.path().join("throughline.toml"), "data_dir = \"data\"\n").unwrap();
    for name in ["check", "repair"] {
        let by_file = command().current_dir(folder.path()).arg(name).output().unwrap();
        assert!(by_file.status.success(), "{}", said(&by_file));
        let by_variable = command().env("THROUGHLINE_DATA_DIR", &data).arg(name).output().unwrap();
        assert!(by_variable.status.success(), "{}", said(&by_variable));
        let nowhere = command().env("THROUGHLINE_DATA_DIR", folder.path().join("none")).arg(name).output().unwrap();
        assert_eq!(nowhere.status.code(), Some(2), "{}", said(&nowhere));
    }
}

#[test]
fn folders_that_do_not_fit_are_not_called_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let [data, backups, full] = ["data", "backups", "full"].map(|name| folder.path().join(name));
    assert!(Server::start(&data, &[]).terminate(Duration::from_secs(20)).expect("it did not stop").success());
    for within in [data.clone(), data.join("bk"), data.join("seg/../a/b")] {
        let text = expect(2, &["backup", word(&data), word(&within)]);
        assert!(text.contains("in the data folder") && text.contains("name a folder beside it"), "{text}");
    }
    assert!(!data.join("bk").exists() && !data.join("a").exists());
    expect(0, &["backup", word(&data), word(&backups)]);
    std::fs::create_dir(&full).unwrap();
    std::fs::write(full.join("x"), "x").unwrap();
    for arguments in [["restore", word(&backups), word(&full)], ["backup", word(&data), word(&full)]] {
        let text = expect(2, &arguments);
        assert!(text.contains("cannot be used: it is not") && !text.contains("damaged"), "{text}");
    }
    std::fs::write(backups.join("VAULT"), "throughline backup 7\n").unwrap();
    let text = expect(2, &["restore", word(&backups)]);
    assert!(text.contains("holds backups of version 7") && !text.contains("damaged"), "{text}");
    std::fs::write(backups.join("VAULT"), "something else\n").unwrap();
    assert!(expect(1, &["restore", word(&backups)]).contains("damaged"));
}

#[test]
fn the_wrong_server_is_told_in_words_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let [data, backups, lines] = ["data", "backups", "lines"].map(|name| folder.path().join(name));
    let server = Server::start(&data, &["--base-path", "/deep"]);
    let (pages, receiver) = (format!("http://{}", server.ui), format!("http://{}", server.http));
    let text = expect(1, &["backup", "--url", &pages, word(&backups)]);
    assert!(text.contains("pages and APIs are below /deep/") && !backups.exists(), "{text}");
    expect(1, &["backup", "--url", &receiver, word(&backups)]);
    assert!(!backups.exists());
    assert!(expect(1, &["health", "--url", &pages]).contains("below /deep/"));
    expect(0, &["health", "--url", &format!("{pages}/deep")]);
    let plain = Server::start(&folder.path().join("plain"), &[]);
    std::fs::write(&lines, "").unwrap();
    let text = expect(1, &["import", word(&lines), "--endpoint", &format!("http://{}", plain.ui)]);
    assert!(!text.contains('<') && text.contains("404"), "{text}");
}

/// Spans stored.
async fn spans(server: &Server) -> u64 {
    let counted = get_json(server.ui, &format!("/api/v1/sql?query={}", encode("SELECT count(*) AS n FROM spans"))).await;
    counted["rows"][0]["n"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shop_does_not_play_its_past_once_more() {
    let data = tempfile::tempdir().unwrap();
    let flags = ["--demo", "--demo-rate", "0.5"];
    let mut server = Server::start(data.path(), &flags);
    let begun = Instant::now();
    while spans(&server).await < 2_000 {
        assert!(begun.elapsed() < Duration::from_secs(60), "the shop has no past");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(server.terminate(Duration::from_secs(20)).expect("it did not stop").success());
    server = Server::start(data.path(), &flags);
    let before = spans(&server).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    let after = spans(&server).await;
    assert!(after - before < before / 4, "{before} spans, then {after}");
}

#[test]
fn a_benchmark_that_is_ended_takes_its_server_and_its_folder_with_it() {
    let temporary = tempfile::tempdir().unwrap();
    let mut bench = command()
        .args(["bench", "--spans", "3000000", "--logs", "0"])
        .env("TMPDIR", temporary.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = std::io::BufReader::new(bench.stderr.take().unwrap()).lines();
    let sends = said.by_ref().map_while(Result::ok).find(|line| line.contains("sending 3000000 spans"));
    assert!(sends.is_some(), "it says what it does");
    let server = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", bench.id())).unwrap_or_default();
    assert!(temporary.path().read_dir().unwrap().next().is_some());
    rustix::process::kill_process(rustix::process::Pid::from_child(&bench), rustix::process::Signal::TERM).unwrap();
    let code = bench.wait().unwrap().code();
    let rest: Vec<String> = said.map_while(Result::ok).collect();
    assert!(code == Some(1) && rest.iter().any(|line| line.contains("SIGTERM")), "{code:?} {rest:?}");
    assert!(temporary.path().read_dir().unwrap().next().is_none(), "the folder is still there");
    for pid in server.split_whitespace() {
        assert!(!Path::new(&format!("/proc/{pid}")).exists(), "the server {pid} runs on");
    }
}
