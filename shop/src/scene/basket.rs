//! The cart: one more thing in it, or all that is in it.

use crate::calls::{self, Http};
use crate::cast::Service;
use crate::scene::{authenticate, browse, visit};
use crate::stage::{Severity, Stage};

/// Puts a product into the cart.
pub(super) fn add(stage: &mut Stage<'_>) {
    visit(stage, Http { method: "POST", route: "/api/cart/items", path: "/api/cart/items" }, |stage| {
        let user = authenticate(stage);
        let sku = browse::sku(stage);
        calls::http(
            stage,
            Service::Cart,
            Http { method: "POST", route: "/carts/{user}/items", path: &format!("/carts/{user}/items") },
            |stage| put(stage, user, &sku),
        )
    });
}

fn put(stage: &mut Stage<'_>, user: u64, sku: &str) -> u16 {
    let quantity = stage.world.random.between(1, 6);
    stage.set("user.id", user.to_string());
    stage.set("shop.product.sku", sku);
    stage.set("shop.cart.quantity", quantity);
    let path = format!("/products/{sku}");
    let known = calls::http(stage, Service::Catalog, Http { method: "GET", route: "/products/{sku}", path: &path }, |stage| {
        browse::look_up(stage, sku)
    });
    if known == 404 {
        stage.log(Severity::Warn, format!("user {user} wanted {sku}, which is not in the catalog"), &[("shop.product.sku", sku.into())]);
        return 422;
    }
    calls::redis(stage, "HINCRBY", "HINCRBY cart:? ? ?");
    calls::redis(stage, "EXPIRE", "EXPIRE cart:? 604800");
    stage.log(Severity::Trace, format!("cart of user {user} expires in 7 days"), &[("user.id", user.to_string().into())]);
    if quantity > 5 {
        stage.event("quantity limited", &[("shop.cart.asked", quantity.into()), ("shop.cart.limit", 5_u64.into())]);
        stage.log(
            Severity::Warn,
            format!("quantity {quantity} of {sku} limited to 5"),
            &[("shop.product.sku", sku.into()), ("user.id", user.to_string().into())],
        );
    }
    stage.log(
        Severity::Info,
        format!("user {user} put {quantity} of {sku} into the cart"),
        &[("shop.product.sku", sku.into()), ("user.id", user.to_string().into())],
    );
    201
}

/// Reads the cart before the checkout and gives the number of different things in it.
pub(super) fn read(stage: &mut Stage<'_>, user: u64) -> u64 {
    let lines = stage.world.random.between(1, 5);
    calls::http(stage, Service::Cart, Http { method: "GET", route: "/carts/{user}", path: &format!("/carts/{user}") }, |stage| {
        calls::redis(stage, "HGETALL", "HGETALL cart:?");
        stage.set("shop.cart.lines", lines);
        200
    });
    lines
}
