//! What no visitor asked for: health checks and the nightly job that the demo runs all day.

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

use crate::calls::{self, Statement};
use crate::cast::Service;
use crate::stage::{Severity, Stage};

/// The orchestrator asks one service whether it is well.
pub(super) fn health_check(stage: &mut Stage<'_>) {
    let service = stage.world.random.pick(&Service::ALL);
    let member = stage.world.member(service);
    stage.span_of(member, SpanKind::Server, "GET /healthz", |stage| {
        stage.set("http.request.method", "GET");
        stage.set("http.route", "/healthz");
        stage.set("url.path", "/healthz");
        stage.set("url.scheme", "http");
        stage.set("user_agent.original", "kube-probe/1.34");
        stage.set("client.address", "10.1.0.1");
        stage.work(300.0, 0.5);
        stage.set("http.response.status_code", 200_u16);
    });
}

/// Compares the stock in MySQL with the catalog in MongoDB.
pub(super) fn reconcile_stock(stage: &mut Stage<'_>) {
    let member = stage.world.member(Service::Catalog);
    stage.span_of(member, SpanKind::Internal, "reconcile stock", |stage| {
        let batches = stage.world.random.between(3, 8);
        stage.log(Severity::Info, "stock reconciliation started", &[("shop.batches", batches.into())]);
        for batch in 1..=batches {
            stage.span(SpanKind::Internal, "reconcile batch", |stage| {
                stage.set("shop.batch", batch);
                let text = r#"{"find":"products","filter":{"_id":{"$gt":"?"}},"limit":500}"#;
                calls::mongodb(stage, Statement { operation: "find", collection: "products", text, median_us: 21_000.0 });
                let text = "SELECT sku, stock, reserved FROM inventory WHERE sku BETWEEN ? AND ?";
                calls::mysql(stage, "inventory", Statement { operation: "SELECT", collection: "inventory", text, median_us: 34_000.0 });
                stage.work(9_000.0, 0.4);
            });
            stage.log(Severity::Debug, format!("batch {batch} of {batches} reconciled"), &[("shop.batch", batch.into())]);
        }
        stage.log(Severity::Info, "stock reconciliation finished", &[("shop.batches", batches.into())]);
    });
}
