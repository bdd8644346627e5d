//! `/status`.

use axum::response::Response;
use storage::TimeRange;

use super::Visit;
use super::visit::html;
use crate::ask::senders;
use crate::view::format;
use crate::view::frame::Place;
use crate::view::status::{Status, clients, intake, kept, others, received, recent, refusals};

/// Counters since the start of this process, what is stored, and who sent lately.
pub(super) async fn page(visit: Visit) -> Response {
    let now = visit.state.now();
    let senders = senders(visit.state.store(), TimeRange { from: now.minus(LATELY), to: now.plus(1) }).await.unwrap_or_default();
    let status = visit.state.store().status();
    let counters = visit.state.registry().values();
    let config = visit.state.config();
    let clock = visit.clock();
    let uptime = u64::try_from(visit.state.started().elapsed().as_nanos()).unwrap_or(u64::MAX);
    let listens = |addr: Option<std::net::SocketAddr>| addr.map_or_else(|| "off".to_owned(), |addr| addr.to_string());
    let not_ready = config.readiness.iter().filter_map(|part| part.check().err().map(|reason| format!("{}: {reason}", part.name())));
    let faults = status.write_refusal.iter().map(|reason| format!("nothing new is taken in: {reason}"));
    let faults = faults.chain(status.background_error.iter().map(|reason| format!("background work failed: {reason}"))).chain(not_ready);
    html(&Status {
        faults: faults.map(|fault| crate::view::search::sentence(&fault)).collect(),
        facts: vec![
            ("Version", config.version.to_owned()),
            ("Running for", format::duration(uptime)),
            ("Received", received(&counters)),
            ("OTLP/gRPC", listens(config.otlp_grpc)),
            ("OTLP/HTTP", listens(config.otlp_http)),
            ("Log on disk", format::bytes(status.wal_bytes)),
            ("Free disk", format::bytes(status.free_bytes)),
        ],
        ingest: intake(&counters),
        refusals: refusals(&counters),
        recent: recent(&config.refusals.list(), &clock),
        signals: kept(&status, &clock),
        counters: others(&counters),
        clients: clients(&senders, LATELY, &visit.links(), &clock, &visit.palette()),
        now: clock.moment(clock.now()),
        frame: visit.frame(Place::Status, "Status", None),
    })
}

/// How far back senders are looked for.
const LATELY: u64 = 900_000_000_000;
