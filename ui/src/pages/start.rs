//! `/start`: how to send something here, and what has arrived.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use axum::response::Response;
use storage::{Arrival, Signal, TimeRange, TraceOrder, TraceSearch, UnixNanos};

use super::Visit;
use super::behind::{BEHIND, LATELY};
use super::visit::html;
use crate::view::format;
use crate::view::frame::Place;
use crate::view::link::term;
use crate::view::start::{Receivers, Sender, Start, snippets};
use crate::view::status::{losses, received, recent, value};

/// Settings to copy for the address by which the page was opened, and who sent lately, the service that was first seen last first.
pub(super) async fn page(visit: Visit) -> Response {
    let config = visit.state.config();
    let (links, clock) = (visit.links(), visit.clock());
    let receivers = Receivers::new(config.otlp_grpc, config.otlp_http, visit.host());
    // What comes while the page is made is told by its stream.
    let told = state_of(&visit.state);
    let sent = lately(&visit).await;
    let refused = recent(&visit.state.refused(), &clock);
    let mut senders: Vec<Sender> = sent.iter().take(LISTED).map(|arrival| sender(&visit, arrival)).collect();
    confirm(&visit, &sent, &mut senders).await;
    let all = visit.state.store().service_names().len();
    html(&Start {
        frame: visit.frame(Place::Home, "Getting started", None),
        snippets: snippets(&receivers, clock.now()),
        more_refused: refused.len().saturating_sub(REFUSALS),
        refused: refused.into_iter().take(REFUSALS).collect(),
        status: links.plain("/status").href() + "#refused",
        lost: losses(&[], visit.state.registry().ledger()).into_iter().take(5).collect(),
        received: received(&visit.state.registry().values()),
        senders,
        more: sent.len().saturating_sub(LISTED),
        earlier: all.saturating_sub(sent.len()),
        all: links.plain("/services").with("from", "0").href(),
        live: links.plain("/live").with("for", "start").with("told", &told).href(),
        receivers,
    })
}

/// Whoever sent to this process lately, whatever the times are that they sent. Before a restart nobody was heard: services are told by their times.
async fn lately(visit: &Visit) -> Vec<Arrival> {
    let (store, now) = (visit.state.store(), visit.state.now());
    let mut sent = store.arrivals(now.minus(LATELY));
    // Who sends both signals is told of by what came last; at the same time, by what is further off.
    sent.sort_by(|a, b| a.service.cmp(&b.service).then(b.heard.cmp(&a.heard)).then(a.newest.cmp(&b.newest)));
    sent.dedup_by(|later, first| later.service == first.service);
    let heard: HashSet<String> = sent.iter().map(|arrival| arrival.service.clone()).collect();
    let range = TimeRange { from: now.minus(LATELY), to: now.plus(LATELY).max(visit.state.newest().plus(1)) };
    let seen = store.services(range, 1).await.unwrap_or_default();
    let seen = seen.into_iter().filter(|service| !heard.contains(&service.name));
    sent.extend(seen.map(|service| Arrival {
        heard: service.last_seen,
        newest: service.last_seen,
        signal: Signal::Traces,
        service: service.name,
    }));
    let slots = store.service_slots();
    let order: HashMap<&str, usize> = slots.iter().enumerate().map(|(place, (name, _))| (name, place)).collect();
    sent.sort_by_key(|arrival| Reverse(order.get(arrival.service.as_str()).copied().unwrap_or(usize::MAX)));
    sent
}

/// What is said of a sender: when it was heard, or that its clock is wrong and where what it sent is shown.
fn sender(visit: &Visit, arrival: &Arrival) -> Sender {
    let (links, clock) = (visit.links(), visit.clock());
    let (chip, page) = (visit.palette().chip(&arrival.service), links.service(&arrival.service));
    let until = |time: UnixNanos| time.plus(1).get().to_string();
    let (ahead, age) = (arrival.newest.since(clock.now()), arrival.heard.since(arrival.newest));
    if ahead >= AHEAD {
        let said = format!("was received, but its clock is {} ahead of this one: pages up to now do not show it", format::duration(ahead));
        let href = page.with("from", "now-15m").with("to", &until(arrival.newest)).href();
        return Sender { chip, said, href, is_off: true, ..Sender::default() };
    }
    let heard = clock.moment(arrival.heard.min(clock.now())).ago;
    if age >= BEHIND {
        let said = behind(&heard, arrival.newest, age);
        let from = arrival.newest.minus(AROUND).get().to_string();
        let href = page.with("from", &from).with("to", &until(arrival.newest)).href();
        return Sender { chip, said, href, is_off: true, ..Sender::default() };
    }
    Sender { chip, said: format!("last seen {heard}"), href: page.href(), ..Sender::default() }
}

/// Leads to a trace of each sender: to its first one while it has none from before what is looked at, else to its newest.
async fn confirm(visit: &Visit, sent: &[Arrival], senders: &mut [Sender]) {
    let (store, now, clock) = (visit.state.store(), visit.state.now(), visit.clock());
    let find = async |service: &str, from, to, order| {
        let search = TraceSearch { query: term("service", service), range: TimeRange { from, to }, order, limit: 1, cursor: None };
        store.search_traces(search).await.unwrap_or_default()
    };
    for (arrival, sender) in sent.iter().zip(senders) {
        let (from, to) = (arrival.newest.minus(LATELY), arrival.newest.max(now).plus(1));
        let before = find(&arrival.service, UnixNanos::new(0), from, TraceOrder::Newest).await;
        let is_new = before.traces.is_empty() && before.stats.complete;
        let order = if is_new { TraceOrder::Oldest } else { TraceOrder::Newest };
        let found = find(&arrival.service, from, to, order).await;
        let Some(trace) = found.traces.first() else { continue };
        let word = if is_new { "Open its first trace" } else { "Open its newest trace" };
        sender.trace = (word, visit.links().trace(&trace.trace_id).href());
        if is_new && !sender.is_off {
            sender.said = format!("first span {}", clock.moment(UnixNanos::new(trace.key).min(now)).ago);
        }
    }
}

/// What is said of a sender whose times are long ago. Nobody's clock is decades behind: such times are in another unit.
fn behind(heard: &str, newest: UnixNanos, age: u64) -> String {
    if newest < UnixNanos::YEAR_2000 {
        return format!(
            "was received {heard}, with times before the year 2000: times are nanoseconds since 1970, and these may be in another unit"
        );
    }
    format!("was received {heard}, with times that were {} old: its clock may be behind, or it sends late", format::duration(age))
}

/// Refusals that are listed.
const REFUSALS: usize = 5;

/// Senders that are listed.
const LISTED: usize = 8;

/// A clock that is ahead by less is not worth a word.
const AHEAD: u64 = 60_000_000_000;

/// How much before its newest time is shown of a sender whose clock is behind.
const AROUND: u64 = 900_000_000_000;

/// What changes when something arrived or was refused.
pub(super) fn state_of(state: &crate::state::AppState) -> String {
    let refused: u64 = state.refused().iter().map(|refused| refused.count).sum();
    let counters = state.registry().values();
    let rejected = value(&counters, "throughline_items_total", &[("outcome", "rejected")]);
    format!("{} {}", received(&counters), format::exact(refused.saturating_add(rejected)))
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;
    use crate::harness::{App, in_namespaces, requests};

    #[tokio::test(flavor = "multi_thread")]
    async fn what_arrived_leads_to_the_first_trace_of_a_sender_and_later_to_its_newest() {
        let app = App::empty().await;
        app.append(Signal::Traces, requests(&[(1, 90, 1, false), (2, 30, 1, false)]).encode_to_vec()).await;
        let told = |page: String| page.split("id=\"received\"").nth(1).and_then(|rest| rest.split("</section>").next()).unwrap().to_owned();
        let first = told(app.get("/start").await.text());
        assert!(first.contains("first span "), "{first}");
        assert!(first.contains(&format!("href=\"/trace/{}\">Open its first trace", "01".repeat(16))), "{first}");
        app.append(Signal::Traces, requests(&[(3, 7_200, 1, false)]).encode_to_vec()).await;
        app.append(Signal::Traces, requests(&[(4, 20, 1, false)]).encode_to_vec()).await;
        let later = told(app.get("/start").await.text());
        assert!(later.contains(&format!("href=\"/trace/{}\">Open its newest trace", "04".repeat(16))), "{later}");
        assert!(!later.contains("first span"), "{later}");
        // Who sends for the first time is told so, whoever sent before.
        app.append(Signal::Traces, in_namespaces(&[("fresh", "shop")]).encode_to_vec()).await;
        let both = told(app.get("/start").await.text());
        assert!(both.contains("first span ") && both.contains("Open its first trace") && both.contains("Open its newest trace"), "{both}");
    }

    #[test]
    fn times_in_milliseconds_are_not_taken_for_a_clock_that_is_behind() {
        let sent = UnixNanos::new(1_795_176_202_123);
        assert!(behind("now", sent, 1).contains("nanoseconds since 1970"));
        let late = UnixNanos::new(1_795_176_202_123_000_000);
        assert!(behind("now", late, 3_600_000_000_000).contains("clock may be behind"));
    }
}
