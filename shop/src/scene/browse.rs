//! Looking around: lists of products, one product, search.

use crate::calls::{self, Http, Statement};
use crate::cast::Service;
use crate::scene::{authenticate, visit};
use crate::stage::{Severity, Stage};

/// A page of a category. Some of these pages ask for the stock of each product on its own.
pub(super) fn products(stage: &mut Stage<'_>) {
    let category = stage.world.random.pick(&CATEGORIES);
    let call = Http { method: "GET", route: "/api/products", path: "/api/products" };
    visit(stage, call, |stage| {
        stage.set("url.query", format!("category={category}"));
        let (_, status) = stage.both(authenticate, |stage| {
            let call = Http { method: "GET", route: "/products", path: "/products" };
            calls::http(stage, Service::Catalog, call, |stage| list(stage, category))
        });
        status
    });
}

fn list(stage: &mut Stage<'_>, category: &str) -> u16 {
    stage.set("shop.category", category);
    calls::mongodb(
        stage,
        Statement {
            operation: "find",
            collection: "products",
            text: r#"{"find":"products","filter":{"category":"?","listed":true},"sort":{"rank":1},"limit":40}"#,
            median_us: 4_200.0,
        },
    );
    let found = stage.world.random.between(12, 40);
    stage.set("shop.products.count", found);
    if stage.world.random.chance(0.22) {
        // The page with the filter "in stock": one query per product, the classic N+1.
        for _ in 0..found {
            calls::mysql(stage, "inventory", STOCK_OF_ONE);
            stage.work(60.0, 0.3);
        }
        stage.log(
            Severity::Warn,
            format!("listing {category} took {found} stock queries"),
            &[("shop.category", category.into()), ("shop.products.count", found.into())],
        );
    } else {
        let text = "SELECT sku, stock, reserved FROM inventory WHERE sku IN (?)";
        calls::mysql(stage, "inventory", Statement { operation: "SELECT", collection: "inventory", text, median_us: 3_100.0 });
    }
    200
}

/// The page of one product: from the cache, else from MongoDB.
pub(super) fn product(stage: &mut Stage<'_>) {
    let sku = sku(stage);
    let path = format!("/api/products/{sku}");
    visit(stage, Http { method: "GET", route: "/api/products/{sku}", path: &path }, |stage| {
        let path = format!("/products/{sku}");
        calls::http(stage, Service::Catalog, Http { method: "GET", route: "/products/{sku}", path: &path }, |stage| look_up(stage, &sku))
    });
}

/// The catalog's side of one product.
pub(super) fn look_up(stage: &mut Stage<'_>, sku: &str) -> u16 {
    stage.set("shop.product.sku", sku);
    calls::redis(stage, "GET", "GET product:?");
    let hit = stage.world.random.chance(0.78);
    stage.set("cache.hit", hit);
    if hit {
        stage.log(Severity::Trace, format!("product {sku} served from cache"), &[("shop.product.sku", sku.into())]);
        return 200;
    }
    stage.log(Severity::Debug, format!("product {sku} is not cached"), &[("shop.product.sku", sku.into())]);
    let text = r#"{"find":"products","filter":{"sku":"?"},"limit":1,"singleBatch":true}"#;
    calls::mongodb(stage, Statement { operation: "find", collection: "products", text, median_us: 2_300.0 });
    if stage.world.random.chance(0.04) {
        stage.log(Severity::Info, format!("no product {sku}"), &[("shop.product.sku", sku.into())]);
        return 404;
    }
    calls::redis(stage, "SETEX", "SETEX product:? 300 ?");
    200
}

/// A search by words.
pub(super) fn search(stage: &mut Stage<'_>) {
    let words = stage.world.random.pick(&WORDS);
    visit(stage, Http { method: "GET", route: "/api/search", path: "/api/search" }, |stage| {
        stage.set("url.query", format!("q={}", words.replace(' ', "+")));
        calls::http(stage, Service::Catalog, Http { method: "GET", route: "/search", path: "/search" }, |stage| {
            stage.set("shop.search.words", words);
            let slow = stage.world.random.chance(0.07);
            calls::mongodb(
                stage,
                Statement {
                    operation: "aggregate",
                    collection: "products",
                    text: r#"{"aggregate":"products","pipeline":[{"$search":{"text":{"query":"?","path":["title","description"]}}},{"$limit":48}]}"#,
                    median_us: if slow { 640_000.0 } else { 18_000.0 },
                },
            );
            let found = if stage.world.random.chance(0.1) { 0 } else { stage.world.random.between(1, 48) };
            stage.set("shop.products.count", found);
            if slow {
                stage.log(
                    Severity::Warn,
                    format!("slow search for \"{words}\": the text index was not used"),
                    &[("shop.search.words", words.into())],
                );
            }
            stage.log(
                Severity::Info,
                format!("search for \"{words}\" found {found} products"),
                &[("shop.search.words", words.into()), ("shop.products.count", found.into())],
            );
            200
        })
    });
}

/// A product number.
pub(super) fn sku(stage: &mut Stage<'_>) -> String {
    format!("SKU-{:05}", stage.world.random.between(10_000, 10_799))
}

const STOCK_OF_ONE: Statement<'static> = Statement {
    operation: "SELECT",
    collection: "inventory",
    text: "SELECT stock, reserved FROM inventory WHERE sku = ?",
    median_us: 2_200.0,
};

const CATEGORIES: [&str; 6] = ["books", "garden", "kitchen", "music", "outdoor", "toys"];

const WORDS: [&str; 8] =
    ["espresso machine", "red bicycle", "rain jacket", "violin strings", "desk lamp", "chess", "hiking boots size 43", "tea pot"];
