//! `/status` and `/status/deletes`.

use std::net::SocketAddr;
use std::path::PathBuf;

use axum::response::Response;
use storage::{FORMAT_VERSION, Signal, StoreStatus, TimeRange};

use super::Visit;
use super::visit::html;
use crate::ask::senders;
use crate::ops::Process;
use crate::state::AppState;
use crate::view::format;
use crate::view::frame::Place;
use crate::view::status::{
    Counters, Day, Status, balance, books, clients, consumers, days, deletes, disk, doors, kept, kept_for, listed, losses, range_of_days,
    received, recent, rules, value, warnings,
};

/// The books since the start of this process, what is stored and what it takes, and who sent lately. `?days=1`: what is stored by day too.
pub(super) async fn page(visit: Visit) -> Response {
    let now = visit.state.now();
    let store = visit.state.store();
    let senders = senders(store, TimeRange { from: now.minus(LATELY), to: now.plus(1) }).await.unwrap_or_default();
    store.observe();
    let status = store.status();
    let (registry, clock) = (visit.state.registry(), visit.clock());
    let (counters, ledger) = (registry.values(), registry.ledger());
    let resident = Process::read(visit.state.started()).resident_bytes();
    let (balance, unbalanced) = match balance(ledger) {
        Ok(told) => (told, None),
        Err(fault) => (String::new(), Some(fault)),
    };
    let is_by_day = visit.params.get("days") == Some("1");
    let by_day = if is_by_day { by_day(&visit, &status).await } else { Vec::new() };
    html(&Status {
        faults: faults(&visit.state, &status, unbalanced),
        facts: facts(&visit.state, &counters),
        books: books(ledger),
        doors: doors(&counters, uptime(&visit.state)),
        balance,
        losses: losses(&counters, ledger),
        recent: recent(&visit.state.refused(), &clock),
        warnings: warnings(&counters, ledger),
        signals: kept(&status, store.retention(), &counters, &clock),
        rules: rules(store.retention()),
        days: by_day,
        toggle_days: visit.links().plain("/status").with("days", if is_by_day { "" } else { "1" }).href(),
        disk: disk(&status),
        memory: consumers(&counters, resident),
        counters: listed(&counters),
        clients: clients(&senders, LATELY, &visit.links(), &clock, &visit.palette()),
        deletes: visit.links().plain("/status/deletes").href(),
        now: clock.moment(clock.now()),
        frame: visit.frame(Place::Status, "Status", None),
    })
}

/// Receipts of what was deleted on request.
pub(super) async fn deleted(visit: Visit) -> Response {
    let frame = visit.frame(Place::Status, "Deletes", None);
    html(&deletes(&visit.state.store().deletions(), &visit.links(), &visit.clock(), frame))
}

fn faults(state: &AppState, status: &StoreStatus, unbalanced: Option<String>) -> Vec<String> {
    let not_ready =
        state.config().readiness.iter().filter_map(|part| part.check().err().map(|reason| format!("{}: {reason}", part.name())));
    let refused = status.write_refusal.iter().map(|reason| format!("nothing new is taken in: {reason}"));
    let failed = status.background_error.iter().map(|reason| format!("background work failed: {reason}"));
    let damaged = (!status.damage.is_empty()).then(|| format!("data is damaged: {}", crate::ops::damage(&status.damage)));
    refused.chain(failed).chain(damaged).chain(not_ready).chain(unbalanced).map(|fault| crate::view::search::sentence(&fault)).collect()
}

/// What is kept by day; nothing where it could not be counted.
async fn by_day(visit: &Visit, status: &StoreStatus) -> Vec<Day> {
    let (store, clock) = (visit.state.store(), visit.clock());
    let Some((range, parts)) = range_of_days(&status.signals, &clock) else { return Vec::new() };
    let (spans, logs) = tokio::join!(store.histogram(Signal::Traces, "", range, parts), store.histogram(Signal::Logs, "", range, parts));
    let Ok(counted) = spans.and_then(|spans| Ok([spans, logs?])) else { return Vec::new() };
    days(&status.signals, &counted, &visit.links(), &clock)
}

/// Nanoseconds since the start of this process.
fn uptime(state: &AppState) -> u64 {
    u64::try_from(state.started().elapsed().as_nanos()).unwrap_or(u64::MAX)
}

fn facts(state: &AppState, counters: &Counters) -> Vec<(&'static str, String)> {
    let now = |name| format::exact(value(counters, name, &[]));
    let mut facts = about(state);
    facts.extend([
        ("Running for", format::duration(uptime(state))),
        ("Received", received(counters)),
        ("Connections of senders", now("throughline_connections")),
        ("Questions running", now("throughline_queries_running")),
        ("Answers of pages and APIs", answers(state)),
    ]);
    facts
}

/// Which program this is, where its data and settings are, and where it is reached.
fn about(state: &AppState) -> Vec<(&'static str, String)> {
    let config = state.config();
    let (about, version) = (&config.about, config.version);
    let path = |path: &Option<PathBuf>| path.as_ref().map_or_else(|| "none".to_owned(), |path| format::text(&path.display().to_string()));
    let built = [about.profile, &about.target].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" for ");
    let built = if built.is_empty() { String::new() } else { format!("{built}, ") };
    vec![
        ("Version", format!("{version} ({built}store format {FORMAT_VERSION})")),
        ("Data folder", path(&about.data_dir)),
        ("Configuration file", path(&about.config_file)),
        ("Pages", format!("{}{}", config.listen, config.base_path)),
        ("OTLP/gRPC", listens(config.otlp_grpc)),
        ("OTLP/HTTP", listens(config.otlp_http)),
    ]
}

/// How many there were since the start, and how long it took until they began.
fn answers(state: &AppState) -> String {
    let times = &state.metrics().duration;
    let within = |share, words: &str| {
        let nanos = |time: std::time::Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        times.within(share).map(|time| format!(", {words} within {}", format::round_duration(nanos(time)))).unwrap_or_default()
    };
    format!("{}{}{}", format::exact(times.total().0), within(0.5, "half"), within(0.99, "99 %"))
}

/// What was set where the program was started.
pub(super) fn limits(state: &AppState) -> Vec<(&'static str, String)> {
    let retention = state.store().retention();
    let rules = retention.rules.len() as u64;
    let bytes = |bytes: u64| if bytes == 0 { format::MISSING.to_owned() } else { format::bytes(bytes) };
    let counters = state.registry().values();
    let memory = |consumer| bytes(value(&counters, "throughline_memory_bound_bytes", &[("consumer", consumer)]));
    let mut limits = about(state);
    limits.extend([
        ("Spans are kept", kept_for(retention.traces)),
        ("Log records are kept", kept_for(retention.logs)),
        ("Kept longer by", if rules == 0 { "no rule".to_owned() } else { format::counted(rules, "rule", "rules") }),
        ("Disk", state.store().status().max_disk_bytes.map_or_else(|| "what there is".to_owned(), format::bytes)),
        ("Memory for rows", memory("rows")),
        ("Memory for SQL", memory("sql")),
        ("Memory for requests", memory("requests")),
    ]);
    limits
}

fn listens(addr: Option<SocketAddr>) -> String {
    addr.map_or_else(|| "off".to_owned(), |addr| addr.to_string())
}

/// How far back senders are looked for.
const LATELY: u64 = 900_000_000_000;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::About;
    use crate::harness::App;

    #[tokio::test(flavor = "multi_thread")]
    async fn status_and_settings_say_which_program_this_is_and_where_its_data_is() {
        let app = App::with(|config| {
            config.about = About {
                profile: "release",
                target: "x86_64-linux-gnu".to_owned(),
                data_dir: Some("/srv/<b>telemetry".into()),
                config_file: None,
            };
            config.otlp_http = Some(([127, 0, 0, 1], 4318).into());
        })
        .await;
        for path in ["/status", "/settings"] {
            let page = app.get(path).await.text();
            let says = |name: &str, value: &str| page.contains(&format!("<dt>{name}</dt><dd>{value}</dd>"));
            assert!(says("Version", "0.0.0-test (release for x86_64-linux-gnu, store format 1)"), "{page}");
            assert!(says("Data folder", "/srv/&#60;b&#62;telemetry") && says("Configuration file", "none"), "{page}");
            assert!(says("OTLP/gRPC", "off") && says("OTLP/HTTP", "127.0.0.1:4318") && says("Pages", "127.0.0.1:0"), "{page}");
        }
        let status = app.json("/status.json").await;
        assert_eq!(status["build"], json!({"profile": "release", "target": "x86_64-linux-gnu", "format": 1}));
        assert_eq!((&status["data_dir"], &status["config_file"]), (&json!("/srv/<b>telemetry"), &json!(null)));
        assert_eq!(status["listens"], json!({"pages": "http://127.0.0.1:0", "otlp_grpc": null, "otlp_http": "http://127.0.0.1:4318"}));
        for path in ["/", "/traces", "/start", "/readyz", "/healthz", "/metrics"] {
            assert!(!app.get(path).await.text().contains("/srv/"), "paths are told on Status alone, not at {path}");
        }
    }
}
