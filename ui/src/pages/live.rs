//! `/live`: tells an open page that there is something new, as server-sent events.
//!
//! Sends words, never rows: the page asks for its region again when its reader wants to. Between news it says that it is there, in the words
//! that the page shows when it hears nothing more. One stream per page; all of them end with the server, and after an hour, when the browser
//! connects anew.

use std::convert::Infallible;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode};
use storage::{Signal, TimeRange, TraceId, TraceOrder, TraceSearch, UnixNanos};
use tokio::sync::OwnedSemaphorePermit;

use super::home::FAILED;
use super::{Visit, start};
use crate::error::Failure;
use crate::params::Params;
use crate::state::AppState;
use crate::view::format::{self, Clockface};

/// What a stream tells of.
#[derive(Clone, Copy, Debug)]
enum Topic {
    Start,
    Traces,
    Logs,
    /// Requests that failed.
    Failures,
    /// Of this one, beyond so many spans.
    Trace(TraceId, usize),
}

/// One open stream.
struct Watch {
    state: AppState,
    topic: Topic,
    query: String,
    since: UnixNanos,
    told: String,
    left: u32,
    clock: Clockface,
    _permit: OwnedSemaphorePermit,
}

/// `/live?for=start|traces|failures|logs&q=&since=&told=`; `since` is the time at which the page was made, `told` what *Getting started* shows. `/live?for=trace&trace=&spans=` for the spans of
/// one trace beyond those that the page has.
pub(super) async fn stream(visit: Visit) -> Result<Response, Failure> {
    let topic = topic(&visit.params)?;
    let query = visit.params.get("q").unwrap_or_default().to_owned();
    let signal = if matches!(topic, Topic::Logs) { Signal::Logs } else { Signal::Traces };
    visit.state.store().check_query(signal, &query).map_err(|error| Failure::from(storage::QueryError::Parse(error)))?;
    let since = visit.params.get("since").and_then(|text| text.parse().ok()).map_or_else(|| visit.state.now(), UnixNanos::new);
    let Ok(permit) = visit.state.streams().try_acquire_owned() else {
        let message = "too many pages are live; this one shows news when it is loaded again";
        return Err(Failure::new(StatusCode::SERVICE_UNAVAILABLE, "busy", message));
    };
    let told = told(topic, &visit.params, &visit.state);
    let stopping = visit.state.stopping().clone();
    let clock = visit.clock();
    let watch = Watch { state: visit.state, topic, query, since, told, left: MAX_LOOKS, clock, _permit: permit };
    let events = futures::stream::unfold(watch, |watch| watch.next());
    let events = futures::StreamExt::take_until(events, stopping.cancelled_owned());
    let mut response = Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))).into_response();
    response.headers_mut().insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    Ok(response)
}

/// What the page knows already: of *Getting started* it says so, since something may have come between the page and its stream.
fn told(topic: Topic, params: &Params, state: &AppState) -> String {
    if !matches!(topic, Topic::Start) {
        return String::new();
    }
    params.get("told").map_or_else(|| start::state_of(state), str::to_owned)
}

fn topic(params: &Params) -> Result<Topic, Failure> {
    if params.get("for") == Some("trace") {
        let wrong = |error: storage::ParseIdError| Failure::bad_request("invalid_trace_id", error.to_string());
        let id = params.get("trace").unwrap_or_default().parse().map_err(wrong)?;
        return Ok(Topic::Trace(id, params.get("spans").and_then(|spans| spans.parse().ok()).unwrap_or(0)));
    }
    let topics = [("start", Topic::Start), ("traces", Topic::Traces), ("failures", Topic::Failures), ("logs", Topic::Logs)];
    Ok(params.word("for", &topics)?.unwrap_or(Topic::Start))
}

// === impl Watch ===

impl Watch {
    /// Looks once in a while: tells what is new, else what the page says should it hear nothing more.
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        if self.left == MAX_LOOKS {
            self.left -= 1;
            return Some((Ok(self.heard().retry(AGAIN)), self));
        }
        self.left = self.left.checked_sub(1)?;
        tokio::time::sleep(PAUSE).await;
        // A question that fails is asked again; the page is as good as it was.
        let event = match self.look().await.filter(|news| *news != self.told) {
            Some(news) => {
                self.told.clone_from(&news);
                Event::default().event("news").data(news)
            }
            None => self.heard(),
        };
        Some((Ok(event), self))
    }

    /// That the server was there at this time, as the page tells it when it hears nothing more: browsers do no arithmetic with times.
    fn heard(&self) -> Event {
        let now = Clockface::new(self.state.now(), Some(self.clock.label()));
        Event::default().event("heard").data(format!("No connection since {} {} · trying again", now.second(now.now()), now.label()))
    }

    /// What is new, in words; nothing when nothing is.
    async fn look(&self) -> Option<String> {
        let range = TimeRange { from: self.since, to: self.state.now().plus(1) };
        let store = self.state.store();
        let (count, noun) = match self.topic {
            Topic::Start => return Some(start::state_of(&self.state)),
            Topic::Trace(id, known) => {
                let open = store.open_trace(id).await.ok()??;
                (open.sheet().spans.len().saturating_sub(known) as u64, ("new span", "new spans"))
            }
            Topic::Traces | Topic::Failures => {
                let (query, noun) = if matches!(self.topic, Topic::Failures) {
                    (FAILED.to_owned(), ("new failed request", "new failed requests"))
                } else {
                    (self.query.clone(), ("new trace", "new traces"))
                };
                let search = TraceSearch { query, range, order: TraceOrder::Newest, limit: MANY, cursor: None };
                (store.search_traces(search).await.ok()?.traces.len() as u64, noun)
            }
            Topic::Logs => {
                let counted = store.histogram(Signal::Logs, &self.query, range, 1).await.ok()?;
                (counted.buckets.iter().flat_map(|bucket| bucket.counts).sum(), ("new record", "new records"))
            }
        };
        let more = if matches!(self.topic, Topic::Traces | Topic::Failures) && count >= MANY as u64 { "at least " } else { "" };
        (count > 0).then(|| format!("{more}{}", format::counted(count, noun.0, noun.1)))
    }
}

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(2);

/// How long a browser waits before it asks again.
const AGAIN: Duration = Duration::from_secs(1);

/// An hour of looks.
const MAX_LOOKS: u32 = 1_800;

/// More new traces are not counted.
const MANY: usize = 100;

#[cfg(test)]
mod tests {
    use storage::Registry;

    use super::*;
    use crate::Config;
    use crate::harness::App;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_stream_is_one_of_events_and_refuses_what_it_cannot_ask() {
        let app = App::filled().await;
        assert_eq!(app.get("/live?for=logs&q=%28").await.status, StatusCode::BAD_REQUEST);
        assert_eq!(app.get("/live?for=nothing").await.status, StatusCode::BAD_REQUEST);
        assert_eq!(app.get("/live?for=trace&trace=xyz").await.status, StatusCode::BAD_REQUEST);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_came_between_a_page_and_its_stream_is_told() {
        let app = App::empty().await;
        let page = app.get("/start").await.text().replace("&#38;", "&");
        let live = page.split("data-live=\"/live?").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
        let params = Params::parse(live);
        let state = AppState::new(Config::new(([127, 0, 0, 1], 0).into(), "0"), app.store().clone(), Registry::default());
        let known = told(topic(&params).unwrap(), &params, &state);
        assert_eq!(known, start::state_of(&state), "{live}");
        assert_eq!(told(Topic::Start, &Params::parse("for=start&told=before"), &state), "before");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn home_is_told_of_requests_that_fail_while_its_window_is_open() {
        let app = App::filled().await;
        let page = app.get("/").await.text().replace("&#38;", "&");
        assert!(page.contains(&format!("id=\"home\" data-live=\"/live?for=failures&since={}\"", crate::harness::NOW)), "{page}");
        assert!(!app.get(&format!("/?from=0&to={}", crate::harness::NOW)).await.text().contains("data-live"));
        let state = AppState::new(Config::new(([127, 0, 0, 1], 0).into(), "0"), app.store().clone(), Registry::default());
        let told = async |since: u64| {
            let permit = state.streams().try_acquire_owned().unwrap();
            let since = UnixNanos::new(since);
            let (query, told) = (String::new(), String::new());
            let clock = Clockface::new(state.now(), None);
            Watch { state: state.clone(), topic: Topic::Failures, query, since, told, left: 1, clock, _permit: permit }.look().await
        };
        let failed = told(crate::harness::NOW - 60_000_000_000).await;
        assert_eq!(failed.as_deref(), Some("1\u{a0}new failed request"));
        assert_eq!(told(crate::harness::NOW).await, None);
    }
}
