//! How long messages waited whose producers are in other traces: reads those that consumers of this one link to.

use std::collections::BTreeSet;

use storage::trace::{Finding, FindingKind, Sheet, insert_queued, queued, takers};
use storage::{OpenTrace, QueryError, Signal, Store, TimeRange, TraceId};

use super::Visit;
use crate::view::trace::{Scene, takers as takers_of};

/// Adds what there is to say of it to the findings.
pub(super) async fn tell(visit: &Visit, open: &OpenTrace, scene: &mut Scene) -> Result<(), QueryError> {
    let places = takers(&scene.sheet);
    if places.is_empty() {
        return Ok(());
    }
    let store = visit.state.store();
    let missing: Vec<usize> = places.iter().copied().filter(|place| !scene.details.contains_key(place)).collect();
    if !missing.is_empty() {
        scene.details.extend(store.trace_spans(open, missing).await?);
    }
    let links = places.iter().filter_map(|place| scene.details.get(place)).flat_map(|span| &span.links);
    let linked: BTreeSet<TraceId> =
        links.filter_map(|link| TraceId::from_slice(&link.trace_id)).filter(|id| *id != scene.sheet.id).collect();
    let mut others = Vec::new();
    for id in linked.into_iter().take(MAX_TRACES) {
        others.extend(store.open_trace(id).await?);
    }
    let sheets: Vec<&Sheet> = others.iter().map(|other| other.sheet().as_ref()).collect();
    if let Some(mut finding) = queued(&scene.sheet, &scene.details, &sheets) {
        let times = taken_up(store, scene, &finding).await;
        if let FindingKind::Queued { before, .. } = &mut finding.kind {
            *before = times;
        }
        insert_queued(&mut scene.findings, finding);
    }
    Ok(())
}

/// How often consumers of the same name took the message up before; not at all where that cannot be counted.
async fn taken_up(store: &Store, scene: &Scene, finding: &Finding) -> u64 {
    let (FindingKind::Queued { nanos, .. }, Some(place)) = (&finding.kind, finding.span) else { return 0 };
    let (Some(consumer), Some(query)) = (scene.sheet.spans.get(place), takers_of(scene, finding)) else { return 0 };
    let range = TimeRange { from: consumer.start.minus(*nanos), to: consumer.start };
    let counted = store.histogram(Signal::Traces, &query, range, 1).await;
    counted.map(|counted| counted.buckets.iter().flat_map(|bucket| bucket.counts).fold(0, u64::saturating_add)).unwrap_or_default()
}

/// Traces that are opened for it.
const MAX_TRACES: usize = 8;

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::trace::v1::span::Link;
    use prost::Message as _;
    use storage::Signal;

    use crate::harness::{App, attribute, requests, text};

    /// A message that is sent and then taken up by each consumer, of which the id and whether it fails are given; what its last page says.
    async fn told(takers: &[(&str, bool)]) -> (App, String) {
        let app = App::empty().await;
        for (number, (id, is_failed)) in (1_u8..).zip([("", false)].iter().chain(takers)) {
            let mut sent = requests(&[(number, 400 - 50 * u64::from(number), 1, *is_failed)]);
            let span = &mut sent.resource_spans[0].scope_spans[0].spans[0];
            span.kind = if number == 1 { 4 } else { 5 };
            if number > 1 {
                span.links = vec![Link { trace_id: vec![1; 16], span_id: 1_u64.to_be_bytes().to_vec(), ..Link::default() }];
            }
            if !id.is_empty() {
                span.attributes.push(attribute("messaging.message.id", text(id)));
            }
            app.append(Signal::Traces, sent.encode_to_vec()).await;
        }
        let last = format!("{:02x}", takers.len() + 1).repeat(16);
        let page = app.get(&format!("/trace/{last}")).await.text();
        (app, page)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_message_that_is_taken_up_again_is_no_wait_and_leads_to_every_time() {
        let (_, first) = told(&[("", true)]).await;
        assert!(first.contains("in the queue between checkout, POST /pay") && !first.contains("taken up"), "{first}");
        let (app, again) = told(&[("", true), ("", true)]).await;
        assert!(again.contains("it had been taken up once by then") && !again.contains("in the queue"), "{again}");
        let all = again.split(">every time<").next().unwrap().rsplit("href=\"").next().unwrap().split('"').next().unwrap();
        let list = app.get(&all.replace("&#38;", "&")).await.text();
        assert_eq!(list.matches("<tr data-row").count(), 2, "{list}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn other_messages_of_one_producer_are_not_the_same_again() {
        for other in [("a", false), ("b", false)] {
            let (_, page) = told(&[other, ("b", false)]).await;
            assert_eq!(page.contains("taken up once"), other.0 == "b", "{page}");
        }
        let (_, page) = told(&[("", false), ("", false)]).await;
        assert!(page.contains("in the queue"), "without ids only what failed is taken up again: {page}");
    }
}
