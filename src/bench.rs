//! `throughline bench`: takes in a seeded workload, asks questions, compares every answer, and prints what it took.
//!
//! Owns the order and the report. The server is this same program in a process of its own, on loopback, with a folder of its own, so that
//! its processor time and memory are told apart from the sender's.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde::Serialize;
use serde_json::Value as Json;
use shop::load::{SignalReport, Truth};
use ui::client::Client;

use crate::cli::Bench;
use crate::progress::Progress;
use crate::shutdown::Signals;
use crate::source::quiet_log;

mod measured;
mod questions;
mod server;

use self::measured::Measured;
use self::server::Server;

/// Everything that was measured.
#[derive(Debug, Serialize)]
struct Report {
    version: &'static str,
    workload: String,
    seed: u64,
    spans: Option<Ingest>,
    logs: Option<Ingest>,
    /// Of the server while it took in and was idle again, and while it was asked; mapped files of indexes count.
    peak_rss_bytes: Option<u64>,
    peak_rss_bytes_asked: Option<u64>,
    /// Time from start to being ready, with everything stored.
    restart_seconds: f64,
    /// An answer that needs nothing, for comparison: what connecting and HTTP cost.
    floor: Measured,
    questions: Vec<Measured>,
}

/// Taking in one signal.
#[derive(Debug, Serialize)]
struct Ingest {
    sent: SignalReport,
    /// Processor time of the server until the last acknowledgement, and until it was idle again.
    server_cpu_seconds: f64,
    server_cpu_seconds_until_idle: f64,
    idle_after_seconds: f64,
    /// In segments, indexes included.
    bytes_per_row: f64,
}

/// Fails when an answer was wrong or a record was not acknowledged.
///
/// # Errors
/// When the server does not start or does not answer.
pub(crate) fn run(arguments: &Bench) -> anyhow::Result<ExitCode> {
    quiet_log();
    let report = crate::runtime()?.block_on(async {
        let mut signals = Signals::listen().context("cannot listen to signals")?;
        tokio::select! {
            report = bench(arguments) => report,
            // What is dropped here ends its server and removes its folder.
            name = signals.next() => bail!("{name}: the benchmark ended before it was done"),
        }
    })?;
    let mut out = std::io::stdout();
    writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
    let complete = [&report.spans, &report.logs].into_iter().flatten().all(|ingest| ingest.sent.acknowledged == ingest.sent.asked);
    let wrong: Vec<&Measured> = report.questions.iter().filter(|question| question.wrong > 0).collect();
    for question in &wrong {
        crate::say(&format_args!(
            "{}: {} answers of {} were wrong: {}",
            question.name,
            question.wrong,
            question.asked,
            question.fault.as_deref().unwrap_or("")
        ));
    }
    Ok(if complete && wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn bench(arguments: &Bench) -> anyhow::Result<Report> {
    let begins = |what: &dyn std::fmt::Display| crate::say(&format_args!("bench: {what}"));
    begins(&"starting a server");
    let mut server = Server::start(arguments.data_dir.as_deref()).await?;
    let config = shop::load::Config {
        workload: arguments.workload.into(),
        connections: usize::from(arguments.connections),
        seed: Some(arguments.seed),
        endpoint: Some(server.otlp_http.clone()),
        ..shop::load::Config::default()
    };
    begins(&format_args!("sending {} spans, then waiting until the server is idle", arguments.spans));
    let spans = ingest(&server, shop::load::Config { spans: arguments.spans, ..config.clone() }, "traces").await?;
    begins(&format_args!("sending {} log records, then waiting until the server is idle", arguments.logs));
    let logs = ingest(&server, shop::load::Config { logs: arguments.logs, ..config.clone() }, "logs").await?;
    let peak = server.peak_rss_bytes();
    begins(&"killing the server and starting it on what it stored");
    let began = Instant::now();
    server.restart().await?;
    let restart_seconds = began.elapsed().as_secs_f64();
    let truth = Truth::of(&shop::load::Config { spans: arguments.spans, logs: arguments.logs, ..config });
    let client = Client::new(&server.ui)?;
    let times = usize::from(arguments.questions);
    let (asked, mut questions, mut progress) = (questions::all(&truth), Vec::new(), Progress::new("asked", "questions"));
    begins(&format_args!("asking {} questions, {times} times each", asked.len()));
    for question in asked {
        questions.push(question.ask(&client, times).await);
        progress.add(1);
    }
    drop(progress);
    let report = Report {
        version: env!("CARGO_PKG_VERSION"),
        workload: format!("{:?}", arguments.workload).to_lowercase(),
        seed: arguments.seed,
        spans,
        logs,
        peak_rss_bytes: peak,
        peak_rss_bytes_asked: server.peak_rss_bytes(),
        restart_seconds,
        floor: questions::floor().ask(&client, times).await,
        questions,
    };
    server.stop().await?;
    Ok(report)
}

/// Sends one signal and waits until the server is idle again; `None` when there is nothing to send.
async fn ingest(server: &Server, config: shop::load::Config, signal: &str) -> anyhow::Result<Option<Ingest>> {
    if config.spans + config.logs == 0 {
        return Ok(None);
    }
    let before = server.cpu_seconds()?;
    let report = shop::load::run(config).await?;
    let sent = report.spans.or(report.logs).context("the load reports nothing")?;
    let (taken_in, began) = (server.cpu_seconds()?, Instant::now());
    let status = idle(server, signal).await?;
    let number = |name: &str| status.pointer(&format!("/store/{signal}/{name}")).and_then(Json::as_f64).unwrap_or(0.0);
    Ok(Some(Ingest {
        sent,
        server_cpu_seconds: taken_in - before,
        server_cpu_seconds_until_idle: server.cpu_seconds()? - before,
        idle_after_seconds: began.elapsed().as_secs_f64(),
        bytes_per_row: number("segment_bytes") / number("segment_rows").max(1.0),
    }))
}

/// Waits until nothing is in memory and the server has used next to no processor time for a while; its status then.
async fn idle(server: &Server, signal: &str) -> anyhow::Result<Json> {
    let client = Client::new(&server.ui)?;
    let began = Instant::now();
    let (mut last, mut quiet) = (server.cpu_seconds()?, 0);
    loop {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let bytes = client.get("/api/v1/status").await?.bytes(1 << 20).await?;
        let status: Json = serde_json::from_slice(&bytes)?;
        let now = server.cpu_seconds()?;
        let buffered = status.pointer(&format!("/store/{signal}/buffered_rows")).and_then(Json::as_u64).unwrap_or(0);
        quiet = if buffered == 0 && now - last < 0.02 { quiet + 1 } else { 0 };
        last = now;
        if quiet >= 6 || began.elapsed() > MAX_IDLE {
            return Ok(status);
        }
    }
}

/// Background work that takes longer is reported as it is.
const MAX_IDLE: Duration = Duration::from_secs(600);
