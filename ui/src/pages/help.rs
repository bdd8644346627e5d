//! `/help` and `/help/…`, and the page that is shown in place of one that failed.

use axum::response::Response;
use http::StatusCode;

use super::Visit;
use super::visit::{html, html_with};
use crate::error::Failure;
use crate::view::frame::Place;
use crate::view::link::Links;
use crate::view::plain::{FailurePage, Help, HelpPart, QueryHelp, Shortcuts};
use crate::view::search::sentence;

mod language;

/// `/help`: where what is explained.
pub(super) async fn index(visit: Visit) -> Response {
    let links = visit.links();
    let part = |title, about, ways: &[(&'static str, &str)]| HelpPart {
        title,
        about,
        ways: ways.iter().map(|(label, path)| (*label, links.plain(path).href())).collect(),
    };
    html(&Help {
        parts: vec![
            part(
                "Find",
                "One language searches traces and logs. The box completes fields and values, and points at what it does not understand.",
                &[
                    ("Query language", "/help/query"),
                    ("Failed requests", "/traces?q=root%3Atrue%20status%3Aerror"),
                    ("Warnings and worse", "/logs?q=severity%3E%3Dwarn"),
                ],
            ),
            part(
                "Keys",
                "Every page can be used without a mouse: j and k walk through rows, Enter opens, g and a letter goes to a page.",
                &[("All shortcuts", "/help/shortcuts"), ("Switch single keys off", "/settings")],
            ),
            part(
                "Send",
                "Any OpenTelemetry SDK or Collector sends here. What is refused, and how to mend it, is told where it is looked for.",
                &[("Getting started", "/start"), ("What was refused", "/status#refused")],
            ),
            part(
                "Ask by program",
                "What pages show, programs get as JSON; Jaeger's read API is served too. Tables are read by SQL, in the console or by the API.",
                &[("OpenAPI description", "/api/v1/openapi.json"), ("SQL console", "/query"), ("Tables", "/api/v1/tables")],
            ),
            part(
                "Operate",
                "What came in, what is kept and for how long, what takes memory and disk; and the same for Prometheus.",
                &[("Status", "/status"), ("Prometheus", "/metrics"), ("Readiness", "/readyz")],
            ),
        ],
        version: visit.state.config().version,
        frame: visit.frame(Place::Elsewhere, "Help", None),
    })
}

/// Every key.
pub(super) async fn shortcuts(visit: Visit) -> Response {
    html(&Shortcuts {
        frame: visit.frame(Place::Elsewhere, "Shortcuts", None),
        groups: vec![
            (
                "Everywhere",
                vec![
                    ("/", "go to the search box"),
                    ("> and a word, there", "go to a page, search logs, set the theme: >map, >logs card, >theme dark; > lists all"),
                    ("g then h, s, t, m, l, q, v, x", "Home, Services, Traces, Map, Logs, SQL, Saved, Status"),
                    ("t", "choose the time"),
                    ("Shift and ←, →, ↑", "the window before, the one after, and one twice as wide"),
                    ("u", "times in UTC, or in the zone before; at first in that of this browser"),
                    ("c", "copy a link to exactly what is shown"),
                    ("r", "ask again"),
                    ("?", "this list, over the page"),
                    ("Esc", "close what is open, leave the field"),
                ],
            ),
            ("Query box", vec![("↓, ↑", "choose a suggestion"), ("Enter or Tab", "take it"), ("Esc", "close the suggestions")]),
            ("SQL", vec![("Ctrl+Enter", "run (Cmd+Enter on a Mac)"), ("Ctrl+.", "cancel what runs")]),
            (
                "Lists",
                vec![
                    ("j, k", "next and previous row"),
                    ("J, K", "next and previous list of the page"),
                    ("Enter", "open the row"),
                    ("o", "open it in a new tab"),
                    ("x, X", "mark a trace; compare the two that are marked"),
                    ("p", "show what is new by itself, or stop that"),
                    ("w, x", "wrap long log lines; show what was logged around the open one"),
                    ("1 to 5, m", "parts of a service, and its place on the map"),
                    ("1 to 9", "lines of Attention on Home"),
                ],
            ),
            (
                "Chart of traces",
                vec![
                    ("h", "go to it"),
                    ("←, →, ↑, ↓", "move over the cells"),
                    ("Shift and those", "select several"),
                    ("Enter", "show what is in them"),
                ],
            ),
            (
                "One trace",
                vec![
                    ("j, k or ↓, ↑", "next and previous span"),
                    ("J", "the findings, then the spans"),
                    ("→, ←", "unfold and fold; into and out of a span"),
                    ("Home, End", "first and last row of the trace"),
                    ("Enter", "detail of the span"),
                    ("e, E", "next and previous error"),
                    ("n, N", "next and previous match"),
                    (". and ,", "next and previous span of the same service"),
                    ("f", "find in this trace; Enter leads to the first match"),
                    ("[ and ]", "fold and unfold all; = folds by size again"),
                    ("*", "similar siblings as one row, or each"),
                    ("b", "only the critical path, or all"),
                    ("l", "logs on bars, as rows, hidden"),
                    ("w, s, a, d", "zoom in and out, earlier and later; 0 shows all, F fits the chosen span"),
                    ("z, Z", "show the chosen span as the root, and the real root again"),
                    ("1 to 7, v", "readings of the trace: timeline, flame, services, spans, logs, map, JSON; the next one"),
                    ("y", "copy the id of the span"),
                    ("< and >", "previous and next trace of the list it was opened from"),
                ],
            ),
        ],
    })
}

/// The query language.
pub(super) async fn query(visit: Visit) -> Response {
    let links = visit.links();
    let trace = |(text, about): (&str, _)| (text.to_owned(), about, links.traces(text).href());
    let log = |(text, about): (&str, _)| (text.to_owned(), about, links.logs(text).href());
    html(&QueryHelp {
        whole: language::WHOLE.into_iter().map(trace).collect(),
        traces: language::TRACES.into_iter().map(trace).collect(),
        logs: language::LOGS.into_iter().map(log).collect(),
        fields: language::FIELDS.into_iter().map(|(field, about)| (field.to_owned(), about)).collect(),
        frame: visit.frame(Place::Elsewhere, "Query language", None),
    })
}

/// The page for a failure.
pub(super) fn failure(visit: &Visit, failure: &Failure) -> Response {
    let links = visit.links();
    let (title, advice): (&'static str, Vec<&'static str>) = match (failure.status, failure.code) {
        (_, "unknown_trace") => (
            "No such trace",
            vec![
                "If it was made moments ago, its spans may still be on their way: exporters send in batches, often every five seconds. Look again.",
                "If it was made long ago, it may have aged out.",
                "If it should be here, Status says what was refused and why.",
            ],
        ),
        (_, "trace_without_spans") => (
            "A trace of log records alone",
            vec![
                "Exporters send spans in batches, often every five seconds: those of a trace that was made moments ago may come yet. Look again.",
                "A sampler can leave the spans out and let the records through.",
                "If spans should be here, Status says what was refused and why.",
            ],
        ),
        (_, "expired_trace") => (
            "This trace is gone",
            vec![
                "Status says how long spans are kept, and what is the oldest.",
                "A rule can keep what matters longer, such as traces with errors: see retention in the configuration.",
            ],
        ),
        (_, "deleted_trace") => {
            ("This trace was deleted", vec!["Its receipt says what else the same request deleted, and when it was gone from every file."])
        }
        (_, "unknown_command") => ("Commands", Vec::new()),
        (_, "invalid_trace_id" | "invalid_id") => (
            "Not an id",
            vec![
                "A trace id has 32 hex digits, such as 4bf92f3577b34da6a3ce929d0e0e4736; 16 digits are taken for a 64-bit id.",
                "A span id has 16 hex digits, such as 00f067aa0ba902b7.",
                "The search box also takes a W3C traceparent, such as 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01, and links.",
            ],
        ),
        (StatusCode::NOT_FOUND, _) => ("Not found", Vec::new()),
        (StatusCode::BAD_REQUEST, _) => ("Not understood", Vec::new()),
        (StatusCode::SERVICE_UNAVAILABLE, _) => ("Too busy", vec!["Ask again in a second."]),
        (StatusCode::GATEWAY_TIMEOUT, _) => ("Too slow", vec!["A narrower time range is answered sooner."]),
        _ => ("Something failed", Vec::new()),
    };
    let service = |name: &String| (name.clone(), links.service(name).href());
    let is_name = failure.status == StatusCode::NOT_FOUND;
    let page = FailurePage {
        frame: visit.frame(Place::Elsewhere, title, None),
        status: failure.status.as_u16(),
        title,
        message: sentence(&failure.message),
        suggestions: if is_name { failure.suggestions.iter().map(service).collect() } else { Vec::new() },
        advice,
        ways: [failure.ways.clone(), if failure.code == "unknown_command" { Vec::new() } else { pages(&links) }].concat(),
    };
    html_with(failure.status, &page)
}

/// Where to go from a page that is not there. Commands name these pages themselves.
fn pages(links: &Links) -> Vec<(&'static str, String)> {
    let page = |label, path| (label, links.plain(path).href());
    vec![page("Home", "/"), page("Traces", "/traces"), page("Services", "/services"), page("Status", "/status")]
}
