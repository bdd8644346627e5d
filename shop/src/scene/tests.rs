use std::collections::{BTreeMap, BTreeSet};

use super::*;

const SECOND: u64 = 1_000_000_000;

fn shop(seed: u64, requests: u64) -> Recording {
    let mut world = World::new(seed);
    let mut all = Recording::default();
    for n in 0..requests {
        let recording = play(&mut world, 1_700_000_000 * SECOND + n * SECOND / 4);
        all.spans.extend(recording.spans);
        all.logs.extend(recording.logs);
    }
    all
}

fn attribute<'a>(attributes: &'a [opentelemetry_proto::tonic::common::v1::KeyValue], key: &str) -> Option<&'a str> {
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    match attributes.iter().find(|pair| pair.key == key)?.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text),
        _ => None,
    }
}

#[test]
fn the_same_seed_plays_the_same_shop() {
    let (a, b) = (shop(5, 200), shop(5, 200));
    assert!(a.spans.iter().map(|cue| &cue.record).eq(b.spans.iter().map(|cue| &cue.record)));
    assert!(a.logs.iter().map(|cue| &cue.record).eq(b.logs.iter().map(|cue| &cue.record)));
    assert_ne!(shop(6, 1).spans[0].record.trace_id, a.spans[0].record.trace_id);
}

#[test]
fn every_parent_is_a_span_of_the_same_trace_and_ids_are_unique() {
    let all = shop(1, 500);
    let ids: BTreeSet<_> = all.spans.iter().map(|cue| (cue.record.trace_id.clone(), cue.record.span_id.clone())).collect();
    assert_eq!(ids.len(), all.spans.len());
    for cue in &all.spans {
        let span = &cue.record;
        assert!(span.end_time_unix_nano > span.start_time_unix_nano, "{span:?}");
        assert!(span.parent_span_id.is_empty() || ids.contains(&(span.trace_id.clone(), span.parent_span_id.clone())), "{span:?}");
    }
    for cue in &all.logs {
        assert!(ids.contains(&(cue.record.trace_id.clone(), cue.record.span_id.clone())), "{:?}", cue.record);
    }
}

#[test]
fn attribute_keys_are_unique_within_each_record() {
    let all = shop(2, 1_000);
    let lists = all.spans.iter().map(|cue| &cue.record.attributes).chain(all.logs.iter().map(|cue| &cue.record.attributes));
    for list in lists {
        let keys: BTreeSet<_> = list.iter().map(|pair| &pair.key).collect();
        assert_eq!(keys.len(), list.len(), "{list:?}");
    }
}

#[test]
fn a_few_minutes_show_every_story() {
    let all = shop(3, 4_000);
    let bodies: Vec<String> = all.logs.iter().map(|cue| format!("{:?}", cue.record.body)).collect();
    for story in [
        "payment declined for order",
        "circuit breaker parcelpost opened",
        "circuit breaker parcelpost closed",
        "is open, order",
        "compensating order",
        "slow query",
    ] {
        assert!(bodies.iter().any(|body| body.contains(story)), "{story}");
    }
    let severities: BTreeSet<i32> = all.logs.iter().map(|cue| cue.record.severity_number).collect();
    assert_eq!(severities.into_iter().collect::<Vec<_>>(), [1, 5, 9, 13, 17, 21]);
    let systems: BTreeSet<&str> = all.spans.iter().filter_map(|cue| attribute(&cue.record.attributes, "db.system.name")).collect();
    assert_eq!(systems.into_iter().collect::<Vec<_>>(), ["mongodb", "mysql", "redis"]);
    let services: BTreeSet<Service> = all.spans.iter().map(|cue| cue.member.service).collect();
    assert_eq!(services.len(), Service::ALL.len());
    assert!(
        all.spans
            .iter()
            .any(|cue| cue.record.name == "process orders.placed" && !cue.record.links.is_empty() && cue.record.parent_span_id.is_empty())
    );
    assert!(all.spans.iter().any(|cue| cue.record.events.iter().any(|event| event.name == "exception")));
}

#[test]
fn some_pages_ask_for_the_stock_of_each_product() {
    let all = shop(4, 400);
    let mut stock: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
    for cue in &all.spans {
        if attribute(&cue.record.attributes, "db.query.text").is_some_and(|text| text.starts_with("SELECT stock")) {
            *stock.entry(cue.record.parent_span_id.clone()).or_default() += 1;
        }
    }
    assert!(!stock.is_empty());
    assert!(stock.values().all(|count| (12..=40).contains(count)), "{stock:?}");
}

#[test]
fn spans_of_the_skewed_host_seem_to_begin_before_their_parents() {
    let all = shop(8, 200);
    let starts: BTreeMap<_, _> = all.spans.iter().map(|cue| (cue.record.span_id.clone(), cue.record.start_time_unix_nano)).collect();
    let shipping = all.spans.iter().filter(|cue| cue.member.service == Service::Shipping && cue.record.kind == SpanKind::Server as i32);
    let mut early = shipping.filter_map(|cue| Some(*starts.get(&cue.record.parent_span_id)? > cue.record.start_time_unix_nano));
    assert!(early.next() == Some(true) && early.all(|early| early));
}
