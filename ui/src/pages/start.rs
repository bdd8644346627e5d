//! `/start`: how to send something here, and what has arrived.

use std::collections::HashMap;

use axum::response::Response;
use storage::TimeRange;

use super::Visit;
use super::visit::html;
use crate::view::format;
use crate::view::frame::Place;
use crate::view::start::{Receivers, Sender, Start, snippets};
use crate::view::status::{losses, received, recent, value};

/// Settings to copy for the address by which the page was opened, and who sent lately, the service that was first seen last first.
pub(super) async fn page(visit: Visit) -> Response {
    let config = visit.state.config();
    let (links, clock, palette) = (visit.links(), visit.clock(), visit.palette());
    let receivers = Receivers::new(config.otlp_grpc, config.otlp_http, visit.host());
    // Whatever arrives is confirmed, however far ahead the clock of its sender is.
    let to = clock.now().plus(LATELY).max(visit.state.newest().plus(1));
    let lately = TimeRange { from: clock.now().minus(LATELY), to };
    let mut services = visit.state.store().services(lately, 1).await.unwrap_or_default();
    let order = first_seen(&visit.state);
    services.sort_by_key(|service| std::cmp::Reverse(order.get(&service.name).copied().unwrap_or(usize::MAX)));
    let sender = |service: &storage::ServiceSummary| {
        let (chip, page) = (palette.chip(&service.name), links.service(&service.name));
        let ahead = service.last_seen.since(clock.now());
        if ahead < AHEAD {
            return Sender { chip, said: format!("last seen {}", clock.moment(service.last_seen).ago), href: page.href(), is_ahead: false };
        }
        let said = format!("was received, but its clock is {} ahead of this one: pages up to now do not show it", format::duration(ahead));
        let until = service.last_seen.plus(1).get().to_string();
        Sender { chip, said, href: page.with("from", "now-15m").with("to", &until).href(), is_ahead: true }
    };
    html(&Start {
        frame: visit.frame(Place::Home, "Getting started", None),
        snippets: snippets(&receivers, clock.now()),
        refused: recent(&visit.state.refused(), &clock).into_iter().take(5).collect(),
        lost: losses(&[], visit.state.registry().ledger()).into_iter().take(5).collect(),
        received: received(&visit.state.registry().values()),
        senders: services.iter().take(LISTED).map(sender).collect(),
        more: services.len().saturating_sub(LISTED),
        all: links.plain("/services").href(),
        live: links.plain("/live").with("for", "start").href(),
        receivers,
    })
}

/// Services by when they were first seen: who is new has the highest number.
fn first_seen(state: &crate::state::AppState) -> HashMap<String, usize> {
    state.store().service_slots().iter().enumerate().map(|(place, (name, _))| (name.to_owned(), place)).collect()
}

/// Senders that are listed.
const LISTED: usize = 8;

/// A clock that is ahead by less is not worth a word.
const AHEAD: u64 = 60_000_000_000;

/// How far back senders are looked for.
const LATELY: u64 = 600_000_000_000;

/// What changes when something arrived or was refused.
pub(super) fn state_of(state: &crate::state::AppState) -> String {
    let refused: u64 = state.refused().iter().map(|refused| refused.count).sum();
    let counters = state.registry().values();
    let rejected = value(&counters, "throughline_items_total", &[("outcome", "rejected")]);
    format!("{} {}", received(&counters), format::exact(refused.saturating_add(rejected)))
}
