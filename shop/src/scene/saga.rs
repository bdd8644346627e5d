//! The order saga: reserve, pay, ship, confirm; and its way back when a step fails.

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

use crate::calls::{self, Http, Statement};
use crate::cast::Service;
use crate::scene::checkout::Order;
use crate::scene::{delivery, payment};
use crate::stage::{Context, Severity, Stage};

/// The order service's side of `POST /orders`.
pub(super) fn place(stage: &mut Stage<'_>, order: &Order) -> u16 {
    stage.set("order.id", order.id.as_str());
    stage.set("user.id", order.user.to_string());
    stage.set("order.lines", order.lines);
    stage.set("order.total_cents", order.total_cents);
    stage.span(SpanKind::Internal, "saga place order", |stage| {
        stage.set("saga.name", "place_order");
        stage.set("order.id", order.id.as_str());
        record(stage, order, "INSERT INTO orders (id, user_id, status, total_cents) VALUES (?, ?, 'pending', ?)", "INSERT");
        reserve(stage, order);
        if let Err(reason) = payment::charge(stage, order) {
            compensate(stage, order, &reason);
            stage.set("saga.outcome", "compensated");
            stage.set("error.type", "payment_failed");
            stage.fail(&reason);
            return 500;
        }
        let shipment = delivery::book(stage, order);
        record(stage, order, "UPDATE orders SET status = 'placed', shipment_id = ? WHERE id = ?", "UPDATE");
        let placed = calls::send(stage, "orders.placed", &order.id);
        consumers(stage, order, placed);
        stage.set("saga.outcome", "completed");
        stage.log(
            Severity::Info,
            format!("order {} placed, {} lines, {} cents, shipment {shipment}", order.id, order.lines, order.total_cents),
            &order_attributes(order),
        );
        201
    })
}

/// Undoes what was done, in reverse.
fn compensate(stage: &mut Stage<'_>, order: &Order, reason: &str) {
    stage.log(Severity::Warn, format!("compensating order {}: {reason}", order.id), &order_attributes(order));
    stage.span(SpanKind::Internal, "saga compensate order", |stage| {
        stage.set("saga.name", "place_order");
        stage.set("saga.compensation", true);
        stage.set("order.id", order.id.as_str());
        let call = Http { method: "POST", route: "/stock/release", path: "/stock/release" };
        calls::http(stage, Service::Catalog, call, |stage| {
            let text = "UPDATE inventory SET reserved = reserved - ? WHERE sku = ?";
            calls::mysql(stage, "inventory", Statement { operation: "UPDATE", collection: "inventory", text, median_us: 3_000.0 });
            stage.log(Severity::Info, format!("stock of order {} released", order.id), &order_attributes(order));
            204
        });
        record(stage, order, "UPDATE orders SET status = 'cancelled', reason = ? WHERE id = ?", "UPDATE");
        let cancelled = calls::send(stage, "orders.cancelled", &order.id);
        let lag_nanos = stage.world.random.duration(35_000.0, 0.7);
        stage.later(cancelled, lag_nanos, |stage| mail(stage, order, "orders.cancelled", "order_cancelled"));
    });
}

fn reserve(stage: &mut Stage<'_>, order: &Order) {
    calls::http(stage, Service::Catalog, Http { method: "POST", route: "/stock/reserve", path: "/stock/reserve" }, |stage| {
        for _ in 0..order.lines {
            let text = "UPDATE inventory SET reserved = reserved + ? WHERE sku = ? AND stock - reserved >= ?";
            calls::mysql(stage, "inventory", Statement { operation: "UPDATE", collection: "inventory", text, median_us: 2_800.0 });
        }
        stage.log(Severity::Debug, format!("stock of order {} reserved", order.id), &order_attributes(order));
        200
    });
}

fn record(stage: &mut Stage<'_>, order: &Order, text: &str, operation: &str) {
    calls::mysql(stage, "orders", Statement { operation, collection: "orders", text, median_us: 2_400.0 });
    stage.log(Severity::Trace, format!("{operation} of order {} written", order.id), &order_attributes(order));
}

/// Two consumers read `orders.placed`: one continues the trace, one begins its own and links to it.
fn consumers(stage: &mut Stage<'_>, order: &Order, placed: Context) {
    let mail_lag_nanos = stage.world.random.duration(45_000.0, 0.8);
    stage.later(placed, mail_lag_nanos, |stage| mail(stage, order, "orders.placed", "order_confirmation"));
    let count_lag_nanos = stage.world.random.duration(900_000.0, 0.5);
    stage.elsewhere(placed.sent_nanos + count_lag_nanos, |stage| {
        calls::receive(stage, Service::Analytics, "orders.placed", |stage| {
            stage.link(placed);
            stage.set("messaging.batch.message_count", 1_u64);
            let text = r#"{"update":"daily_sales","updates":[{"q":{"day":"?"},"u":{"$inc":{"orders":"?","cents":"?"}},"upsert":true}]}"#;
            calls::mongodb(stage, Statement { operation: "update", collection: "daily_sales", text, median_us: 3_600.0 });
            stage.log(Severity::Debug, format!("counted order {}", order.id), &order_attributes(order));
        });
    });
}

fn mail(stage: &mut Stage<'_>, order: &Order, topic: &str, template: &str) {
    calls::receive(stage, Service::Email, topic, |stage| {
        stage.set("order.id", order.id.as_str());
        stage.span(SpanKind::Internal, "render template", |stage| {
            stage.set("shop.template", template);
            stage.work(3_200.0, 0.4);
        });
        stage.span(SpanKind::Client, "send mail", |stage| {
            stage.set("server.address", "smtp.mailer.example");
            stage.set("server.port", 587_u16);
            stage.set("network.transport", "tcp");
            stage.work(88_000.0, 0.5);
        });
        stage.log(Severity::Info, format!("mail {template} for order {} handed over", order.id), &order_attributes(order));
    });
}

/// What each log record about an order carries.
pub(super) fn order_attributes(order: &Order) -> [(&'static str, crate::value::Value); 2] {
    [("order.id", order.id.as_str().into()), ("user.id", order.user.to_string().into())]
}
