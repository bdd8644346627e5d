//! Paying: the card bank says yes, no, or nothing at all.

use crate::calls::{self, Http, Statement};
use crate::cast::Service;
use crate::scene::checkout::Order;
use crate::scene::saga::order_attributes;
use crate::stage::{Severity, Stage};

/// Has the order paid, or says why it is not.
pub(super) fn charge(stage: &mut Stage<'_>, order: &Order) -> Result<(), String> {
    let draw = stage.world.random.unit();
    let outcome = match draw {
        _ if draw < 0.12 => Outcome::Declined(stage.world.random.pick(&DECLINE_CODES)),
        _ if draw < 0.14 => Outcome::TimedOut,
        _ => Outcome::Paid,
    };
    let status = calls::rpc(stage, Service::Payment, "shop.payment.v1.Payments/Charge", |stage| pay(stage, order, outcome));
    match (status, outcome) {
        ("OK", _) => Ok(()),
        (_, Outcome::Declined(code)) => Err(format!("payment declined: {code}")),
        _ => Err(format!("payment failed: {status}")),
    }
}

#[derive(Clone, Copy, Debug)]
enum Outcome {
    Paid,
    Declined(&'static str),
    TimedOut,
}

fn pay(stage: &mut Stage<'_>, order: &Order, outcome: Outcome) -> &'static str {
    let brand = stage.world.random.pick(&["visa", "mastercard", "amex"]);
    stage.set("order.id", order.id.as_str());
    stage.set("payment.card.brand", brand);
    stage.set("payment.amount", f64::from(u32::try_from(order.total_cents).unwrap_or(0)) / 100.0);
    stage.set("payment.currency", "EUR");
    let text = "INSERT INTO attempts (order_id, amount_cents, state) VALUES (?, ?, 'started')";
    calls::mysql(stage, "payments", Statement { operation: "INSERT", collection: "attempts", text, median_us: 2_100.0 });
    let status = match outcome {
        Outcome::Paid => {
            ask_bank(stage, 0, Some(200));
            stage.log(Severity::Info, format!("payment of order {} authorised", order.id), &order_attributes(order));
            "OK"
        }
        Outcome::Declined(code) => {
            ask_bank(stage, 0, Some(402));
            decline(stage, order, code, brand);
            "FAILED_PRECONDITION"
        }
        Outcome::TimedOut => {
            time_out(stage, order);
            "DEADLINE_EXCEEDED"
        }
    };
    let text = "UPDATE attempts SET state = ? WHERE order_id = ?";
    calls::mysql(stage, "payments", Statement { operation: "UPDATE", collection: "attempts", text, median_us: 2_100.0 });
    status
}

fn ask_bank(stage: &mut Stage<'_>, resend: u64, answer: Option<u16>) {
    let call = Http { method: "POST", route: "/v1/charges", path: "/v1/charges" };
    calls::provider(stage, "api.cardbank.example", call, resend, |stage| {
        match answer {
            Some(_) => stage.work(145_000.0, 0.35),
            None => stage.pause(3_000_000_000),
        }
        answer
    });
}

fn decline(stage: &mut Stage<'_>, order: &Order, code: &str, brand: &str) {
    stage.set("payment.decline_code", code);
    let message = format!("card declined: {code}");
    let stack = stack("com.shop.payment.CardDeclinedException", &message);
    stage.exception("com.shop.payment.CardDeclinedException", &message, &stack);
    let [id, user] = order_attributes(order);
    stage.log(
        Severity::Error,
        format!("payment declined for order {}: {code}", order.id),
        &[
            id,
            user,
            ("payment.decline_code", code.into()),
            ("payment.card.brand", brand.into()),
            ("payment.risk_flags", vec!["new_device".to_owned(), "night".to_owned()].into()),
            ("exception.type", "com.shop.payment.CardDeclinedException".into()),
            ("exception.message", message.into()),
            ("exception.stacktrace", stack.into()),
        ],
    );
}

fn time_out(stage: &mut Stage<'_>, order: &Order) {
    ask_bank(stage, 0, None);
    stage.log(Severity::Warn, format!("card bank did not answer for order {}, asking once more", order.id), &order_attributes(order));
    ask_bank(stage, 1, None);
    let message = "timeout: no answer from api.cardbank.example in 3000 ms";
    stage.exception("java.net.SocketTimeoutException", message, &stack("java.net.SocketTimeoutException", message));
    stage.log(Severity::Error, format!("payment of order {} failed: card bank timed out twice", order.id), &order_attributes(order));
    if stage.world.random.chance(0.7) {
        stage.log(Severity::Fatal, "connection pool to api.cardbank.example is exhausted, worker stops", &[("pool.size", 16_u64.into())]);
    }
}

fn stack(kind: &str, message: &str) -> String {
    let mut text = format!("{kind}: {message}\n");
    for frame in FRAMES {
        text.push_str("\tat ");
        text.push_str(frame);
        text.push('\n');
    }
    text
}

const DECLINE_CODES: [&str; 4] = ["insufficient_funds", "card_expired", "do_not_honor", "suspected_fraud"];

const FRAMES: [&str; 22] = [
    "com.shop.payment.bank.CardBankClient.raiseForStatus(CardBankClient.java:118)",
    "com.shop.payment.bank.CardBankClient.charge(CardBankClient.java:74)",
    "com.shop.payment.charge.ChargeService.authorise(ChargeService.java:203)",
    "com.shop.payment.charge.ChargeService.lambda$charge$2(ChargeService.java:131)",
    "com.shop.payment.ledger.Ledger.within(Ledger.java:57)",
    "com.shop.payment.charge.ChargeService.charge(ChargeService.java:126)",
    "com.shop.payment.grpc.PaymentsEndpoint.charge(PaymentsEndpoint.java:48)",
    "com.shop.payment.v1.PaymentsGrpc$MethodHandlers.invoke(PaymentsGrpc.java:312)",
    "io.grpc.stub.ServerCalls$UnaryServerCallHandler$UnaryServerCallListener.onHalfClose(ServerCalls.java:182)",
    "io.grpc.PartialForwardingServerCallListener.onHalfClose(PartialForwardingServerCallListener.java:35)",
    "io.grpc.ForwardingServerCallListener.onHalfClose(ForwardingServerCallListener.java:23)",
    "io.grpc.ForwardingServerCallListener$SimpleForwardingServerCallListener.onHalfClose(ForwardingServerCallListener.java:40)",
    "io.grpc.Contexts$ContextualizedServerCallListener.onHalfClose(Contexts.java:86)",
    "io.grpc.internal.ServerCallImpl$ServerStreamListenerImpl.halfClosed(ServerCallImpl.java:356)",
    "io.grpc.internal.ServerImpl$JumpToApplicationThreadServerStreamListener$1HalfClosed.runInContext(ServerImpl.java:861)",
    "io.grpc.internal.ContextRunnable.run(ContextRunnable.java:37)",
    "io.grpc.internal.SerializingExecutor.run(SerializingExecutor.java:133)",
    "java.base/java.util.concurrent.ThreadPoolExecutor.runWorker(ThreadPoolExecutor.java:1144)",
    "java.base/java.util.concurrent.ThreadPoolExecutor$Worker.run(ThreadPoolExecutor.java:642)",
    "java.base/java.lang.Thread.runWith(Thread.java:1596)",
    "java.base/java.lang.Thread.run(Thread.java:1583)",
    "java.base/java.lang.VirtualThread.run(VirtualThread.java:329)",
];
