//! Buying: the gateway reads the cart and has an order placed.

use crate::calls::{self, Http};
use crate::cast::Service;
use crate::scene::{authenticate, basket, saga, visit};
use crate::stage::{Severity, Stage};

/// An order on its way through the shop.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) id: String,
    pub(super) user: u64,
    pub(super) lines: u64,
    pub(super) total_cents: u64,
}

/// A checkout. About one in seven fails, nearly always because the card is declined.
pub(super) fn checkout(stage: &mut Stage<'_>) {
    visit(stage, Http { method: "POST", route: "/api/checkout", path: "/api/checkout" }, |stage| {
        let user = authenticate(stage);
        let lines = basket::read(stage, user);
        let total_cents = stage.world.random.between(900, 48_000);
        let order = Order { id: stage.world.order_id(), user, lines, total_cents };
        let status = calls::http(stage, Service::Orders, Http { method: "POST", route: "/orders", path: "/orders" }, |stage| {
            saga::place(stage, &order)
        });
        if status >= 400 {
            stage.log(
                Severity::Error,
                format!("checkout of user {user} failed: order {} was not placed", order.id),
                &[("order.id", order.id.as_str().into()), ("user.id", user.to_string().into())],
            );
            return 502;
        }
        calls::http(stage, Service::Cart, Http { method: "DELETE", route: "/carts/{user}", path: &format!("/carts/{user}") }, |stage| {
            calls::redis(stage, "DEL", "DEL cart:?");
            204
        });
        201
    });
}
