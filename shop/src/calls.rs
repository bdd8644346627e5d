//! How services reach each other and their stores, with the attributes of the semantic conventions.

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

use crate::cast::Service;
use crate::stage::{Context, Stage};

/// An HTTP call to another service: what is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Http<'a> {
    pub(crate) method: &'a str,
    /// Path template, `/products/{id}`.
    pub(crate) route: &'a str,
    /// The path asked for.
    pub(crate) path: &'a str,
}

/// A statement sent to a store.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Statement<'a> {
    pub(crate) operation: &'a str,
    /// Table or collection; empty for a key-value store.
    pub(crate) collection: &'a str,
    pub(crate) text: &'a str,
    pub(crate) median_us: f64,
}

/// Calls `to` over HTTP; `play` runs on its side and gives the status code.
pub(crate) fn http(stage: &mut Stage<'_>, to: Service, call: Http<'_>, play: impl FnOnce(&mut Stage<'_>) -> u16) -> u16 {
    let profile = to.profile();
    let name = format!("{} {}", call.method, call.route);
    stage.span(SpanKind::Client, &name, |stage| {
        stage.set("http.request.method", call.method);
        stage.set("server.address", profile.name);
        stage.set("server.port", profile.port);
        stage.set("url.full", format!("http://{}:{}{}", profile.name, profile.port, call.path));
        stage.set("url.template", call.route);
        stage.set("network.protocol.version", "1.1");
        stage.work(250.0, 0.4);
        let member = stage.world.member(to);
        let status = stage.span_of(member, SpanKind::Server, &name, |stage| serve_http(stage, call, play));
        stage.work(220.0, 0.4);
        stage.set("http.response.status_code", status);
        if status >= 400 {
            stage.set("error.type", status.to_string());
            stage.fail("");
        }
        status
    })
}

fn serve_http(stage: &mut Stage<'_>, call: Http<'_>, play: impl FnOnce(&mut Stage<'_>) -> u16) -> u16 {
    stage.set("http.request.method", call.method);
    stage.set("http.route", call.route);
    stage.set("url.path", call.path);
    stage.set("url.scheme", "http");
    stage.set("network.protocol.version", "1.1");
    stage.work(180.0, 0.5);
    let status = play(stage);
    stage.work(120.0, 0.5);
    stage.set("http.response.status_code", status);
    if status >= 500 {
        stage.fail("");
    }
    status
}

/// Calls a provider on the internet that reports no spans; `play` says what it answers, `None` for a timeout.
pub(crate) fn provider(
    stage: &mut Stage<'_>,
    host: &str,
    call: Http<'_>,
    resend: u64,
    play: impl FnOnce(&mut Stage<'_>) -> Option<u16>,
) -> Option<u16> {
    stage.span(SpanKind::Client, &format!("{} {}", call.method, call.route), |stage| {
        stage.set("http.request.method", call.method);
        stage.set("server.address", host);
        stage.set("server.port", 443_u16);
        stage.set("url.full", format!("https://{host}{}", call.path));
        stage.set("url.template", call.route);
        stage.set("network.protocol.version", "2");
        if resend > 0 {
            stage.set("http.request.resend_count", resend);
        }
        let status = play(stage);
        match status {
            Some(status) => {
                stage.set("http.response.status_code", status);
                if status >= 400 {
                    stage.set("error.type", status.to_string());
                    stage.fail("");
                }
            }
            None => {
                stage.set("error.type", "timeout");
                stage.fail("timed out while waiting for the response headers");
            }
        }
        status
    })
}

/// Calls `method` (`package.Service/Method`) of `to` over gRPC; `play` gives the status name.
pub(crate) fn rpc(stage: &mut Stage<'_>, to: Service, method: &str, play: impl FnOnce(&mut Stage<'_>) -> &'static str) -> &'static str {
    let profile = to.profile();
    stage.span(SpanKind::Client, method, |stage| {
        stage.set("rpc.system.name", "grpc");
        stage.set("rpc.method", method);
        stage.set("server.address", profile.name);
        stage.set("server.port", profile.port);
        stage.work(200.0, 0.4);
        let member = stage.world.member(to);
        let status = stage.span_of(member, SpanKind::Server, method, |stage| {
            stage.set("rpc.system.name", "grpc");
            stage.set("rpc.method", method);
            stage.set("network.peer.address", "10.1.0.17");
            stage.work(150.0, 0.5);
            let status = play(stage);
            stage.work(90.0, 0.5);
            stage.set("rpc.status_code", status);
            status
        });
        stage.work(180.0, 0.4);
        stage.set("rpc.status_code", status);
        if status != "OK" {
            stage.set("error.type", status);
            stage.fail("");
        }
        status
    })
}

/// A statement to MySQL.
pub(crate) fn mysql(stage: &mut Stage<'_>, namespace: &str, statement: Statement<'_>) {
    database(stage, "mysql", "mysql", 3306, namespace, statement);
}

/// A command to MongoDB.
pub(crate) fn mongodb(stage: &mut Stage<'_>, statement: Statement<'_>) {
    database(stage, "mongodb", "mongodb", 27017, "catalog", statement);
}

/// A command to Redis.
pub(crate) fn redis(stage: &mut Stage<'_>, operation: &str, text: &str) {
    database(stage, "redis", "redis", 6379, "", Statement { operation, collection: "", text, median_us: 350.0 });
}

fn database(stage: &mut Stage<'_>, system: &str, host: &str, port: u16, namespace: &str, statement: Statement<'_>) {
    let Statement { operation, collection, text, median_us } = statement;
    let summary = if collection.is_empty() { operation.to_owned() } else { format!("{operation} {collection}") };
    stage.span(SpanKind::Client, &summary, |stage| {
        stage.set("db.system.name", system);
        // Redis counts its databases; a map of services is better off with the host.
        if !namespace.is_empty() {
            stage.set("db.namespace", namespace);
        }
        if !collection.is_empty() {
            stage.set("db.collection.name", collection);
        }
        stage.set("db.operation.name", operation);
        stage.set("db.query.text", text);
        stage.set("db.query.summary", summary.as_str());
        stage.set("server.address", host);
        stage.set("server.port", port);
        stage.work(median_us, 0.45);
    });
}

/// Sends a message to Kafka and gives what travels with it.
pub(crate) fn send(stage: &mut Stage<'_>, topic: &str, key: &str) -> Context {
    stage.span(SpanKind::Producer, &format!("send {topic}"), |stage| {
        let partition = stage.world.random.between(0, 5);
        stage.set("messaging.system", "kafka");
        stage.set("messaging.destination.name", topic);
        stage.set("messaging.destination.partition.id", partition.to_string());
        stage.set("messaging.operation.name", "send");
        stage.set("messaging.operation.type", "send");
        stage.set("messaging.kafka.message.key", key);
        stage.set("server.address", "kafka");
        stage.set("server.port", 9092_u16);
        stage.work(1_400.0, 0.5);
        stage.context()
    })
}

/// Receives from Kafka: a span of `service` in which `play` runs.
pub(crate) fn receive(stage: &mut Stage<'_>, service: Service, topic: &str, play: impl FnOnce(&mut Stage<'_>)) {
    let member = stage.world.member(service);
    stage.span_of(member, SpanKind::Consumer, &format!("process {topic}"), |stage| {
        let offset = stage.now_nanos() / 1_000_000_000 % 10_000_000;
        stage.set("messaging.system", "kafka");
        stage.set("messaging.destination.name", topic);
        stage.set("messaging.operation.name", "process");
        stage.set("messaging.operation.type", "process");
        stage.set("messaging.consumer.group.name", service.profile().name);
        stage.set("messaging.kafka.offset", offset);
        stage.set("server.address", "kafka");
        stage.set("server.port", 9092_u16);
        play(stage);
    });
}
