//! The visitor's account: signing in, and the list of past orders.

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

use crate::calls::{self, Http, Statement};
use crate::cast::Service;
use crate::scene::{authenticate, visit};
use crate::stage::{Severity, Stage};

/// Signs in. One in seven passwords is wrong.
pub(super) fn login(stage: &mut Stage<'_>) {
    visit(stage, Http { method: "POST", route: "/api/login", path: "/api/login" }, |stage| {
        let user = stage.world.random.between(1_000, 9_999);
        let right = !stage.world.random.chance(0.14);
        let status = calls::rpc(stage, Service::Users, "shop.users.v1.Sessions/Create", |stage| {
            stage.set("user.id", user.to_string());
            let text = "SELECT id, password_hash FROM users WHERE email = ?";
            calls::mysql(stage, "users", Statement { operation: "SELECT", collection: "users", text, median_us: 1_900.0 });
            stage.span(SpanKind::Internal, "verify password", |stage| {
                stage.set("code.function.name", "users.passwords.verify");
                stage.set("code.file.path", "/app/users/passwords.py");
                stage.set("code.line.number", 41_i64);
                stage.work(82_000.0, 0.1);
            });
            if !right {
                let attributes = [("user.id", user.to_string().into()), ("event.outcome", "failure".into())];
                stage.log(Severity::Warn, format!("login of user {user} failed: wrong password"), &attributes);
                return "UNAUTHENTICATED";
            }
            calls::redis(stage, "SETEX", "SETEX session:? 900 ?");
            stage.log(Severity::Info, format!("user {user} signed in"), &[("user.id", user.to_string().into())]);
            "OK"
        });
        if status == "OK" { 200 } else { 401 }
    });
}

/// Lists the visitor's orders; for those with many, slowly.
pub(super) fn orders(stage: &mut Stage<'_>) {
    visit(stage, Http { method: "GET", route: "/api/orders", path: "/api/orders" }, |stage| {
        let user = authenticate(stage);
        calls::http(stage, Service::Orders, Http { method: "GET", route: "/orders", path: "/orders" }, |stage| {
            let slow = stage.world.random.chance(0.15);
            let median_us = if slow { 1_700_000.0 } else { 7_500.0 };
            let text = "SELECT o.id, o.status, o.total_cents, l.sku, l.quantity FROM orders o JOIN order_lines l ON l.order_id = o.id WHERE o.user_id = ? ORDER BY o.created_at DESC";
            let before_nanos = stage.now_nanos();
            calls::mysql(stage, "orders", Statement { operation: "SELECT", collection: "orders", text, median_us });
            if slow {
                let took_ms = (stage.now_nanos() - before_nanos) / 1_000_000;
                let attributes = [("db.query.summary", "SELECT orders".into()), ("user.id", user.to_string().into())];
                stage.log(Severity::Warn, format!("slow query on orders: {took_ms} ms, no index on user_id"), &attributes);
            }
            200
        })
    });
}
