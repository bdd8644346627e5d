//! From parameters to a query: what `traces` and `logs` are searched by.

use storage::{LogOrder, LogSearch, Signal, TimeRange, TraceId, TraceOrder, TraceSearch, UnixNanos};

use crate::error::Failure;
use crate::filter::{Filter, key_value};
use crate::params::{Params, Window, parse_duration, wrong};
use crate::state::AppState;

/// Parameters that select spans.
pub(crate) const TRACE_FILTERS: [&str; 10] =
    ["q", "service", "operation", "kind", "status", "attr", "resource", "min_duration", "max_duration", "from"];

/// Parameters that select log records.
pub(crate) const LOG_FILTERS: [&str; 9] = ["q", "service", "severity", "min_severity", "text", "attr", "resource", "trace", "from"];

/// The query that the parameters make together.
///
/// `q` is checked alone first, so that an error points into what the caller wrote.
pub(super) fn trace_query(state: &AppState, params: &Params) -> Result<String, Failure> {
    let mut filter = common(state, Signal::Traces, params)?;
    if let Some(name) = params.get("operation") {
        filter.is("name", name);
    }
    if let Some(kind) = params.word("kind", &itself(&["unspecified", "internal", "server", "client", "producer", "consumer"]))? {
        filter.compares("kind", ":", kind);
    }
    if let Some(status) = params.word("status", &itself(&["error", "ok", "unset"]))? {
        filter.compares("status", ":", status);
    }
    for (name, operator) in [("min_duration", ">="), ("max_duration", "<=")] {
        if let Some(text) = params.get(name) {
            let nanos = parse_duration(text).map_err(|reason| wrong(name, &reason))?;
            filter.compares("duration", operator, format_args!("{nanos}ns"));
        }
    }
    Ok(filter.into_query())
}

/// See [`trace_query`].
pub(super) fn log_query(state: &AppState, params: &Params) -> Result<String, Failure> {
    let mut filter = common(state, Signal::Logs, params)?;
    let severities = itself(&["trace", "debug", "info", "warn", "error", "fatal"]);
    if let Some(severity) = params.word("severity", &severities)? {
        filter.compares("severity", ":", severity);
    }
    if let Some(severity) = params.word("min_severity", &severities)? {
        filter.compares("severity", ">=", severity);
    }
    if let Some(text) = params.get("text") {
        filter.contains(text);
    }
    if let Some(id) = trace_parameter(params)? {
        filter.compares("trace", ":", id);
    }
    Ok(filter.into_query())
}

/// The last hour unless said otherwise; all time where the query names traces by their ids.
pub(super) fn range(state: &AppState, params: &Params, signal: Signal, query: &str) -> Result<TimeRange, Failure> {
    if is_of_all_time(state, params, signal, query) { Ok(TimeRange::ALL) } else { Ok(params.window(state.now(), "now-1h")?.range) }
}

/// As [`range`], for what is divided by time: of traces that are named by their ids, as far as what is found reaches.
pub(super) async fn window(state: &AppState, params: &Params, signal: Signal, query: &str) -> Result<Window, Failure> {
    let hour = params.window(state.now(), "now-1h")?;
    if !is_of_all_time(state, params, signal, query) {
        return Ok(hour);
    }
    let reach = match signal {
        Signal::Traces => reach_of_traces(state, query).await?,
        Signal::Logs => reach_of_logs(state, query).await?,
    };
    Ok(reach.map_or(hour, |(first, last)| Window::around(first, last)))
}

/// Refuses steps of which a window has too many that the caller did not give, and says what to send.
pub(super) fn steps_fit(params: &Params, range: TimeRange, step: u64) -> Result<(), Failure> {
    let is_given = params.get("from").is_some() || params.get("to").is_some();
    let length = range.to.since(range.from);
    if is_given || step == 0 || length.saturating_add(range.from.get() % step).div_ceil(step) <= MAX_STEPS {
        return Ok(());
    }
    let fitting = (length / (MAX_STEPS - 1)).div_ceil(SECOND);
    let (from, to) = (range.from.get(), range.to.get());
    let reason = format!(
        "what is asked for reaches from {from} to {to}, which is more than {MAX_STEPS} steps; ask for a step of {fitting}s or longer, or say with `from` and `to` which part"
    );
    Err(wrong("step", &reason))
}

fn is_of_all_time(state: &AppState, params: &Params, signal: Signal, query: &str) -> bool {
    params.get("from").is_none() && params.get("to").is_none() && state.store().names_traces(signal, query)
}

async fn reach_of_traces(state: &AppState, query: &str) -> Result<Option<(UnixNanos, UnixNanos)>, Failure> {
    let mut search =
        TraceSearch { query: query.to_owned(), range: TimeRange::ALL, order: TraceOrder::default(), limit: TRACES_AT_ONCE, cursor: None };
    let mut reach: Option<(UnixNanos, UnixNanos)> = None;
    loop {
        let page = state.store().search_traces(search.clone()).await?;
        for trace in page.traces {
            let (first, last) = (trace.start, trace.start.plus(trace.duration));
            reach = Some(reach.map_or((first, last), |(from, to)| (from.min(first), to.max(last))));
        }
        // As many as the query names.
        search.cursor = page.next;
        if search.cursor.is_none() {
            break;
        }
    }
    let Some((first, last)) = reach else { return Ok(None) };
    Ok(Some((first, last_start(state, query, first, last).await?)))
}

/// About when the last span that matches starts, which is what it is counted by: one may end much later, or never. `last` is when all have ended.
async fn last_start(state: &AppState, query: &str, first: UnixNanos, mut last: UnixNanos) -> Result<UnixNanos, Failure> {
    while last.since(first) > 60 * SECOND {
        let range = TimeRange { from: first, to: last.plus(1) };
        let bars = state.store().histogram(Signal::Traces, query, range, FINE_BARS).await?;
        let Some(bar) = bars.buckets.iter().rfind(|bar| bar.counts.iter().any(|count| *count > 0)) else { break };
        let nearer = last.min(bar.start.plus(bars.step));
        let is_near = nearer.since(first) > last.since(first) / 2;
        last = nearer;
        if is_near {
            break;
        }
    }
    Ok(last)
}

async fn reach_of_logs(state: &AppState, query: &str) -> Result<Option<(UnixNanos, UnixNanos)>, Failure> {
    let end = async |order| {
        let search = LogSearch { query: query.to_owned(), range: TimeRange::ALL, order, limit: 1, cursor: None };
        let page = state.store().search_logs(search).await?;
        Ok::<_, Failure>(page.records.first().map(|record| record.time))
    };
    Ok(end(LogOrder::Oldest).await?.zip(end(LogOrder::Newest).await?))
}

/// `trace`, a trace id.
pub(super) fn trace_parameter(params: &Params) -> Result<Option<TraceId>, Failure> {
    params.get("trace").map(str::parse).transpose().map_err(|error: storage::ParseIdError| wrong("trace", &error.to_string()))
}

fn common(state: &AppState, signal: Signal, params: &Params) -> Result<Filter, Failure> {
    let written = params.get("q").unwrap_or_default();
    state.store().check_query(signal, written)?;
    let mut filter = Filter::written(written);
    if let Some(service) = params.get("service") {
        filter.is("service", service);
    }
    for scope in ["attr", "resource"] {
        for text in params.all(scope) {
            let (key, value) = key_value(text).map_err(|reason| wrong(scope, &reason))?;
            filter.attribute(scope, key, value);
        }
    }
    Ok(filter)
}

/// Steps of a window, at most.
const MAX_STEPS: u64 = 1_000;

const SECOND: u64 = 1_000_000_000;

/// Parts of a window in one of which the last span is looked for.
const FINE_BARS: usize = 500;

/// Traces of a page of those that a query names.
const TRACES_AT_ONCE: usize = 1_000;

/// Words that stand for themselves.
fn itself<'a, const N: usize>(words: &[&'a str; N]) -> [(&'a str, &'a str); N] {
    words.map(|word| (word, word))
}
