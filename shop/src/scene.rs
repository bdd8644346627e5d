//! What happens in the shop: which requests come, how often, and what each of them causes.
//!
//! Each scene is a function from a [`Stage`] to what the services would report; chance and time come from the stage.

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

use crate::calls::{self, Http, Statement};
use crate::cast::Service;
use crate::recording::Recording;
use crate::stage::{Severity, Stage};
use crate::world::World;

mod account;
mod basket;
mod browse;
mod checkout;
mod delivery;
mod housekeeping;
mod payment;
mod saga;

/// Plays the request that comes at `start_nanos`.
pub(crate) fn play(world: &mut World, start_nanos: u64) -> Recording {
    let draw = world.random.between(1, 100);
    let mut stage = Stage::new(world, start_nanos);
    match draw {
        1..=24 => browse::products(&mut stage),
        25..=44 => browse::product(&mut stage),
        45..=58 => browse::search(&mut stage),
        59..=70 => basket::add(&mut stage),
        71..=83 => checkout::checkout(&mut stage),
        84..=89 => account::login(&mut stage),
        90..=93 => account::orders(&mut stage),
        94..=99 => housekeeping::health_check(&mut stage),
        _ => housekeeping::reconcile_stock(&mut stage),
    }
    stage.finish()
}

/// Plays one health check: the shortest request, a single span.
pub(crate) fn health_check(world: &mut World, start_nanos: u64) -> Recording {
    let mut stage = Stage::new(world, start_nanos);
    housekeeping::health_check(&mut stage);
    stage.finish()
}

/// A request from outside: the gateway's span and its line in the access log.
fn visit(stage: &mut Stage<'_>, call: Http<'_>, play: impl FnOnce(&mut Stage<'_>) -> u16) {
    let member = stage.world.member(Service::Gateway);
    let name = format!("{} {}", call.method, call.route);
    stage.span_of(member, SpanKind::Server, &name, |stage| {
        let start_nanos = stage.now_nanos();
        let client = format!("203.0.113.{}", stage.world.random.between(1, 254));
        let agent = stage.world.random.pick(&USER_AGENTS);
        let session = stage.world.random.hex(16);
        stage.set("http.request.method", call.method);
        stage.set("http.route", call.route);
        stage.set("url.path", call.path);
        stage.set("url.scheme", "https");
        stage.set("server.address", "shop.example");
        stage.set("client.address", client.as_str());
        stage.set("user_agent.original", agent);
        stage.set("session.id", session);
        stage.set("network.protocol.version", "2");
        stage.work(400.0, 0.5);
        let status = play(stage);
        stage.work(300.0, 0.5);
        stage.set("http.response.status_code", status);
        if status >= 500 {
            stage.set("error.type", status.to_string());
            stage.fail("");
        }
        let took_ms = (stage.now_nanos() - start_nanos) / 1_000_000;
        let severity = if status >= 500 { Severity::Error } else { Severity::Info };
        let line = format!("{} {} {status} in {took_ms} ms", call.method, call.path);
        stage.log(
            severity,
            line,
            &[("http.response.status_code", status.into()), ("http.route", call.route.into()), ("client.address", client.into())],
        );
    });
}

/// The gateway asks who the visitor is. Most sessions are in Redis; the others are read from MySQL.
fn authenticate(stage: &mut Stage<'_>) -> u64 {
    let user = stage.world.random.between(1_000, 9_999);
    stage.set("user.id", user.to_string());
    calls::rpc(stage, Service::Users, "shop.users.v1.Sessions/Verify", |stage| {
        calls::redis(stage, "GET", "GET session:?");
        if stage.world.random.chance(0.06) {
            stage.log(Severity::Debug, format!("session of user {user} is not cached"), &[("user.id", user.to_string().into())]);
            calls::mysql(
                stage,
                "users",
                Statement {
                    operation: "SELECT",
                    collection: "sessions",
                    text: "SELECT user_id, expires_at FROM sessions WHERE token_hash = ? AND expires_at > NOW()",
                    median_us: 2_600.0,
                },
            );
            calls::redis(stage, "SETEX", "SETEX session:? 900 ?");
        }
        "OK"
    });
    user
}

const USER_AGENTS: [&str; 5] = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 26_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Mobile/15E148 Safari/604.1",
    "ShopApp/7.2 (Android 16)",
];

#[cfg(test)]
mod tests;
