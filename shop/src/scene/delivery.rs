//! Shipping: a flaky parcel service, retries with growing pauses, and a circuit breaker that ends them.

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

use crate::calls::{self, Http, Statement};
use crate::cast::Service;
use crate::scene::checkout::Order;
use crate::scene::saga::order_attributes;
use crate::stage::{Severity, Stage};
use crate::world::{BREAKER_FAILURES, BreakerState};

/// Books a shipment and gives its number. When the parcel service is out, the label is printed later.
pub(super) fn book(stage: &mut Stage<'_>, order: &Order) -> String {
    let shipment = format!("SHP-{}", stage.world.random.hex(8));
    calls::http(stage, Service::Shipping, Http { method: "POST", route: "/shipments", path: "/shipments" }, |stage| {
        stage.set("order.id", order.id.as_str());
        stage.set("shipment.id", shipment.as_str());
        let printed = label(stage, order);
        stage.set("shipment.label", if printed { "printed" } else { "deferred" });
        let text = "INSERT INTO shipments (id, order_id, label_state) VALUES (?, ?, ?)";
        calls::mysql(stage, "shipping", Statement { operation: "INSERT", collection: "shipments", text, median_us: 2_500.0 });
        if !printed {
            stage.log(Severity::Warn, format!("label of shipment {shipment} deferred"), &order_attributes(order));
        }
        if printed { 201 } else { 202 }
    });
    shipment
}

fn label(stage: &mut Stage<'_>, order: &Order) -> bool {
    stage.span(SpanKind::Internal, "print label", |stage| {
        for attempt in 0..ATTEMPTS {
            let state = stage.world.breaker.state(stage.now_nanos());
            stage.replace("circuit_breaker.name", "parcelpost");
            stage.replace("circuit_breaker.state", state.as_str());
            if state == BreakerState::Open {
                stage.event("call not permitted", &[("circuit_breaker.name", "parcelpost".into())]);
                stage.log(
                    Severity::Warn,
                    format!("circuit breaker parcelpost is open, order {} is not sent to the parcel service", order.id),
                    &[("circuit_breaker.state", state.as_str().into()), ("order.id", order.id.as_str().into())],
                );
                return false;
            }
            if ask_parcel_service(stage, attempt, state) {
                return true;
            }
            let pause_nanos = (100_000_000 << attempt) + stage.world.random.between(0, 40_000_000);
            stage.event("retry", &[("retry.attempt", (attempt + 1).into()), ("retry.pause_ms", (pause_nanos / 1_000_000).into())]);
            stage.pause(pause_nanos);
        }
        let message = "parcel service failed three times";
        stage.exception("shipping.parcelpost.LabelError", message, PYTHON_STACK);
        stage.log(Severity::Error, format!("no label for order {}: {message}", order.id), &order_attributes(order));
        false
    })
}

fn ask_parcel_service(stage: &mut Stage<'_>, attempt: u64, before: BreakerState) -> bool {
    let now_nanos = stage.now_nanos();
    let answers = stage.world.parcel_service_answers(now_nanos);
    let status = if answers { 201 } else { stage.world.random.pick(&[500, 503, 503]) };
    let call = Http { method: "POST", route: "/v2/labels", path: "/v2/labels" };
    calls::provider(stage, "api.parcelpost.example", call, attempt, |stage| {
        stage.work(if answers { 120_000.0 } else { 210_000.0 }, 0.5);
        Some(status)
    });
    let now_nanos = stage.now_nanos();
    if answers {
        if stage.world.breaker.succeeded() {
            tell(stage, Severity::Info, "circuit breaker parcelpost closed: the parcel service answers again", "closed");
        }
    } else {
        stage.log(
            Severity::Warn,
            format!("parcel service answered {status}, attempt {} of {ATTEMPTS}", attempt + 1),
            &[("http.response.status_code", status.into()), ("circuit_breaker.state", before.as_str().into())],
        );
        if stage.world.breaker.failed(now_nanos) {
            tell(stage, Severity::Error, &format!("circuit breaker parcelpost opened after {BREAKER_FAILURES} failures in a row"), "open");
        }
    }
    answers
}

fn tell(stage: &mut Stage<'_>, severity: Severity, message: &str, state: &str) {
    stage.event("circuit breaker changed", &[("circuit_breaker.state", state.into())]);
    stage.log(severity, message, &[("circuit_breaker.name", "parcelpost".into()), ("circuit_breaker.state", state.into())]);
}

const ATTEMPTS: u64 = 3;

const PYTHON_STACK: &str = r#"Traceback (most recent call last):
  File "/app/shipping/labels.py", line 88, in print_label
    response = await self.parcelpost.create_label(order)
  File "/app/shipping/parcelpost.py", line 52, in create_label
    response.raise_for_status()
  File "/usr/lib/python3.13/site-packages/httpx/_models.py", line 829, in raise_for_status
    raise HTTPStatusError(message, request=request, response=self)
httpx.HTTPStatusError: Server error '503 Service Unavailable' for url 'https://api.parcelpost.example/v2/labels'

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/app/shipping/api.py", line 31, in create_shipment
    label = await labels.print_label(order)
  File "/app/shipping/labels.py", line 97, in print_label
    raise LabelError("parcel service failed three times") from last
shipping.parcelpost.LabelError: parcel service failed three times
"#;
