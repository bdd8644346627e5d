//! `/complete`: what may stand where a query is being written.

use axum::response::Response;
use storage::{Signal, TimeRange};

use super::Visit;
use super::visit::html;
use crate::error::Failure;
use crate::view::completion::{Completion, Of, Writing, commands, fields, in_logs, named, signal_of, sql, values, with_whole, words};

mod keys;

pub(crate) use self::keys::Keys;

/// `?for=traces|logs|sql|any&before=`, the text before the caret; `any` is the box that goes anywhere.
pub(super) async fn page(visit: Visit) -> Result<Response, Failure> {
    let before = visit.params.get("before").unwrap_or_default();
    let offered = match visit.params.word("for", &ASKED)?.unwrap_or(Asked::Traces) {
        Asked::Sql => {
            let (spans, records) = tokio::join!(keys::known(&visit.state, Signal::Traces), keys::known(&visit.state, Signal::Logs));
            sql(before, &storage::sql_tables(), [&spans, &records])
        }
        Asked::Traces => of_query(&visit, Signal::Traces, before).await,
        Asked::Logs => of_query(&visit, Signal::Logs, before).await,
        Asked::Anything => of_box(&visit, before).await,
    };
    Ok(html(&offered))
}

/// What is being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Traces,
    Logs,
    Sql,
    Anything,
}

const ASKED: [(&str, Asked); 4] = [("traces", Asked::Traces), ("logs", Asked::Logs), ("sql", Asked::Sql), ("any", Asked::Anything)];

async fn of_query(visit: &Visit, signal: Signal, before: &str) -> Completion {
    let signal = signal_of(before, signal);
    match Writing::of(before) {
        None => Completion::default(),
        Some(Writing::Field { head, prefix }) => {
            let of = match signal {
                Signal::Logs => Of::Record,
                Signal::Traces if visit.state.store().check_query(signal, &with_whole(head)).is_ok() => Of::Trace,
                Signal::Traces => Of::Span,
            };
            fields(of, head, prefix, &keys::known(&visit.state, signal).await)
        }
        Some(Writing::Value { head, rest, field, prefix }) => of_data(visit, signal, (head, rest, field, prefix)).await,
    }
}

/// Commands after `>`, the services whose pages a name alone leads to, and what a search for traces may say.
async fn of_box(visit: &Visit, before: &str) -> Completion {
    if let Some(command) = before.strip_prefix('>') {
        return commands(command, super::open::commands());
    }
    // Links and paths are pasted.
    if before.contains("://") || before.starts_with('/') {
        return Completion::default();
    }
    let offered = of_query(visit, Signal::Traces, before).await;
    let (names, saved) = (visit.state.store().service_names(), visit.state.store().saved_views());
    let mut first = named(before, names.iter().map(String::as_str), "service: its page");
    first.extend(named(before, saved.named().map(|view| view.name.as_str()), "saved view"));
    let mut offered = offered.behind(first);
    // What is understood of log records; the box alone searches traces.
    offered.options.extend(in_logs(before).filter(|_| visit.state.store().check_query(Signal::Logs, before).is_ok()));
    offered
}

async fn of_data(visit: &Visit, signal: Signal, (head, rest, field, prefix): (&str, &str, &str, &str)) -> Completion {
    let store = visit.state.store();
    // Only what can be asked of this signal.
    let is_taken = |word: &&&str| store.check_query(signal, &format!("{field}:{word}")).is_ok();
    let listed: Vec<&str> = words(field).iter().filter(is_taken).copied().collect();
    if listed.is_empty() && !words(field).is_empty() {
        return Completion::default();
    }
    if field == "has" {
        let keys = keys::known(&visit.state, signal).await;
        let words = listed.iter().map(|word| ((*word).to_owned(), None));
        let keys = keys.iter().filter(|key| key.name.contains('.')).map(|key| (key.name.clone(), Some(key.rows)));
        return values(head, prefix, &words.chain(keys).collect::<Vec<_>>());
    }
    if !listed.is_empty() && !matches!(field, "status" | "kind") {
        let known: Vec<(String, Option<u64>)> = listed.iter().map(|word| ((*word).to_owned(), None)).collect();
        return values(head, prefix, &known);
    }
    let now = visit.state.now();
    let range = TimeRange { from: now.minus(LATELY), to: now.plus(1) };
    // What was written before narrows the values, as long as it is a query.
    let query = if store.check_query(signal, rest).is_ok() { rest } else { "" };
    let found = store.facets(signal, query, range, field, KNOWN).await;
    let mut known: Vec<(String, Option<u64>)> =
        found.map(|facets| facets.values).unwrap_or_default().into_iter().map(|(value, count)| (value, Some(count))).collect();
    let names = if matches!(field, "service" | "service.name") { store.service_names() } else { Vec::new() };
    let unseen = names.into_iter().chain(listed.iter().map(|word| (*word).to_owned()));
    let missing: Vec<String> = unseen.filter(|name| !known.iter().any(|(value, _)| value == name)).collect();
    known.extend(missing.into_iter().map(|name| (name, None)));
    values(head, prefix, &known)
}

/// How far back values are counted.
const LATELY: u64 = 3_600_000_000_000;

/// Values that are looked through.
const KNOWN: usize = 1_000;

#[cfg(test)]
mod tests {
    use crate::harness::App;

    #[tokio::test(flavor = "multi_thread")]
    async fn fields_and_values_of_the_data_are_offered() {
        let app = App::filled().await;
        let fields = app.get("/complete?for=traces&before=status%3Aerror%20ser").await.text();
        assert!(fields.contains("data-before=\"status:error service:\""), "{fields}");
        let values = app.get("/complete?for=traces&before=service%3Ach").await.text();
        assert!(values.contains("data-before=\"service:checkout \"") && !values.contains("payment"), "{values}");
        let words = app.get("/complete?for=logs&before=severity%3E%3Dw").await.text();
        assert!(words.contains("data-before=\"severity&gt;=warn \"") || words.contains("data-before=\"severity&#62;=warn \""), "{words}");
        let counted = app.get("/complete?for=traces&before=status%3Ae").await.text();
        assert!(counted.contains("data-before=\"status:error \"") && counted.contains(">1</span>"), "{counted}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn only_what_the_server_takes_is_offered_and_fields_of_whole_traces_too() {
        let app = App::filled().await;
        let offered = async |signal: &str, before: &str| {
            let text = app.get(&format!("/complete?for={signal}&before={}", crate::params::encoded(before))).await.text();
            text.replace("&#62;", ">").replace("&gt;", ">")
        };
        for (signal, before) in [
            ("logs", "status:"),
            ("logs", "kind:"),
            ("logs", "duration>"),
            ("logs", "trace.d"),
            ("traces", "severity:"),
            ("traces", "level:"),
            ("traces", "log:(status:"),
            ("traces", "root:(trace.er"),
        ] {
            assert!(!offered(signal, before).await.contains("data-before"), "{signal} {before}");
        }
        for (before, expected) in [
            ("trace.d", "trace.duration>="),
            ("a trace.", "a trace.errors>="),
            ("trace.errors>", "trace.errors>1 "),
            ("log", "log:("),
            ("has:l", "has:log "),
            ("duration>", "duration>10ms "),
        ] {
            let text = offered("traces", before).await;
            assert!(text.contains(&format!("data-before=\"{expected}\"")), "{before}: {text}");
        }
        let records = offered("logs", "has:").await;
        assert!(records.contains("has:trace ") && !records.contains("has:link "), "{records}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_box_of_every_page_offers_what_it_understands() {
        let app = App::filled().await;
        let offered = async |before: &str| app.get(&format!("/complete?for=any&before={}", crate::params::encoded(before))).await.text();
        let page = app.get("/status").await.text();
        assert!(page.contains("data-complete=\"/complete?for=any\""), "{page}");
        let value = offered("service:ch").await;
        assert!(value.contains("data-before=\"service:checkout \"") && value.contains(">2</span>"), "{value}");
        let name = offered("check").await;
        assert!(name.contains("data-before=\"checkout\"") && name.contains("its page"), "{name}");
        assert!(!offered("status:error check").await.contains("its page"), "within a query a name is a word");
        let command = offered(">the").await.replace("&#62;", "&gt;");
        assert!(command.contains("data-before=\"&gt;theme dark\"") && !command.contains("home"), "{command}");
        for nothing in ["https://example.org/trace/", "/logs", ">nothing"] {
            assert!(!offered(nothing).await.contains("data-before"), "{nothing}");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_statement_is_completed_and_so_is_what_is_looked_for_in_a_trace() {
        let app = App::filled().await;
        let keys = app.get("/complete?for=sql&before=SELECT%20attributes%5B%27http").await.text().replace("&#39;", "'");
        assert!(keys.contains("data-before=\"SELECT attributes['http.response.status_code']\""), "{keys}");
        assert!(app.get("/query").await.text().contains("data-complete=\"/complete?for=sql\""));
        let trace = app.get(&format!("/trace/{}", crate::harness::TRACE)).await.text();
        let find = trace.split("id=\"find\"").nth(1).and_then(|rest| rest.split('>').next()).unwrap();
        assert!(find.contains("data-complete=\"/complete?for=traces\""), "{find}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn attributes_of_the_data_are_offered_with_their_counts_wherever_the_language_is_written() {
        let app = App::filled().await;
        for (signal, before, expected) in [
            ("traces", "attr.h", "attr.http.response.status_code:"),
            ("traces", "http.r", "attr.http.response.status_code:"),
            ("traces", "trace:(attr.h", "trace:(attr.http.response.status_code:"),
            ("traces", "root:(status:error http", "root:(status:error attr.http.response.status_code:"),
            ("traces", "log:(att", "log:(attr.attempt:"),
            ("traces", "resource.h", "resource.host.id:"),
            ("traces", "has:attr.h", "has:attr.http.response.status_code "),
            ("logs", "attem", "attr.attempt:"),
        ] {
            let offered = app.get(&format!("/complete?for={signal}&before={}", crate::params::encoded(before))).await.text();
            let option = offered.split("<li").find(|option| option.contains(&format!("data-before=\"{expected}\"")));
            let option = option.unwrap_or_else(|| panic!("{before}: {offered}"));
            assert!(option.contains("span") && option.chars().any(|c| c.is_ascii_digit()), "{option}");
            let written = format!("{expected}x").replace(" x", "");
            let closed = if written.contains('(') { written + ")" } else { written };
            let signal = if signal == "logs" { storage::Signal::Logs } else { storage::Signal::Traces };
            assert!(app.store().check_query(signal, &closed).is_ok(), "{closed}");
        }
    }
}
