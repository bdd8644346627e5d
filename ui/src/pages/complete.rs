//! `/complete`: what may stand where a query is being written.

use axum::response::Response;
use storage::{Signal, TimeRange};

use super::Visit;
use super::visit::html;
use crate::error::Failure;
use crate::view::completion::{Completion, Writing, fields, values, words};

/// `?for=traces|logs&before=`, the text before the caret.
pub(super) async fn page(visit: Visit) -> Result<Response, Failure> {
    let signal = visit.params.word("for", &[("traces", Signal::Traces), ("logs", Signal::Logs)])?.unwrap_or(Signal::Traces);
    let before = visit.params.get("before").unwrap_or_default();
    let offered = match Writing::of(before) {
        None => Completion::default(),
        Some(Writing::Field { head, prefix }) => fields(signal == Signal::Logs, head, prefix),
        Some(Writing::Value { head, rest, field, prefix }) => of_data(&visit, signal, (head, rest, field, prefix)).await,
    };
    Ok(html(&offered))
}

async fn of_data(visit: &Visit, signal: Signal, (head, rest, field, prefix): (&str, &str, &str, &str)) -> Completion {
    let listed = words(field);
    if !listed.is_empty() {
        let known: Vec<(String, Option<u64>)> = listed.iter().map(|word| ((*word).to_owned(), None)).collect();
        return values(head, prefix, &known);
    }
    let store = visit.state.store();
    let now = visit.state.now();
    let range = TimeRange { from: now.minus(LATELY), to: now.plus(1) };
    // What was written before narrows the values, as long as it is a query.
    let query = if store.check_query(signal, rest).is_ok() { rest } else { "" };
    let found = store.facets(signal, query, range, field, KNOWN).await;
    let mut known: Vec<(String, Option<u64>)> =
        found.map(|facets| facets.values).unwrap_or_default().into_iter().map(|(value, count)| (value, Some(count))).collect();
    if matches!(field, "service" | "service.name") {
        let missing: Vec<String> = store.service_names().into_iter().filter(|name| !known.iter().any(|(value, _)| value == name)).collect();
        known.extend(missing.into_iter().map(|name| (name, None)));
    }
    values(head, prefix, &known)
}

/// How far back values are counted.
const LATELY: u64 = 3_600_000_000_000;

/// Values that are looked through.
const KNOWN: usize = 1_000;

#[cfg(test)]
mod tests {
    use crate::harness::App;

    #[tokio::test(flavor = "multi_thread")]
    async fn fields_and_values_of_the_data_are_offered() {
        let app = App::filled().await;
        let fields = app.get("/complete?for=traces&before=status%3Aerror%20ser").await.text();
        assert!(fields.contains("data-before=\"status:error service:\""), "{fields}");
        let values = app.get("/complete?for=traces&before=service%3Ach").await.text();
        assert!(values.contains("data-before=\"service:checkout \"") && !values.contains("payment"), "{values}");
        let words = app.get("/complete?for=logs&before=severity%3E%3Dw").await.text();
        assert!(words.contains("data-before=\"severity&gt;=warn \"") || words.contains("data-before=\"severity&#62;=warn \""), "{words}");
    }
}
