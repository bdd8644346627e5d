//! Spans with several exceptions count under each, and as often as a search finds them.

use std::collections::BTreeMap;

use super::super::super::aggregate::{Aggregate, Measured, aggregate};
use super::*;

fn exception(kind: &str, message: &str) -> Event {
    let attributes = vec![fixtures::text("exception.type", kind), fixtures::text("exception.message", message)];
    Event { name: "exception".to_owned(), attributes, ..Event::default() }
}

fn spans(dice: &mut Dice, count: u64) -> Vec<Span> {
    let one = |id| {
        let mut span = fixtures::span(id / 3 + 1, id, 0, "a", "x", id, 1);
        for _ in 0..dice.roll(4) {
            let kind = *dice.pick(&["Timeout", "Refused", "Timeout", "Gone"]);
            span.events.push(exception(kind, dice.pick::<&str>(&["one", "two"])));
            if dice.roll(4) == 0 {
                span.events.push(Event {
                    name: "retry".to_owned(),
                    attributes: vec![fixtures::text("exception.type", "no")],
                    ..Event::default()
                });
            }
        }
        if dice.roll(4) == 0 {
            span.attributes.push(fixtures::text("exception.type", "Own"));
        }
        span
    };
    (1..=count).map(one).collect()
}

#[test]
fn a_span_counts_under_each_of_its_exceptions_as_often_as_a_search_finds_it() {
    let (mut dice, control) = (Dice(41), control());
    let mut snapshot = Snapshot::default();
    snapshot.spans.buffered = vec![fixtures::spans(&spans(&mut dice, 200)), fixtures::spans(&spans(&mut dice, 240)[200..])];
    let ask =
        |query: &str, field| facets(&snapshot, Signal::Traces, query, TimeRange::ALL, (field, 99), &Rolls::default(), &control).unwrap();
    for field in ["exception.type", "exception.message", "event.exception.type"] {
        let counted = ask("", field);
        assert!(counted.values.len() >= 2);
        for (value, count) in &counted.values {
            assert_eq!(ask(&format!("{field}=\"{value}\""), "service").rows, *count, "{field}={value}");
        }
        assert_eq!(ask(&format!("-{field}:*"), "service").rows, counted.without, "{field}");
        let asked = Aggregate {
            signal: Signal::Traces,
            query: String::new(),
            range: TimeRange::ALL,
            group_by: vec![field.to_owned()],
            measures: vec!["count".parse().unwrap()],
            step: None,
            limit: 99,
        };
        let groups = aggregate(&snapshot, &asked, &Rolls::default(), &control).unwrap().groups;
        let by_group = groups.into_iter().filter_map(|mut group| match group.parts[0][0] {
            Measured::Count(count) => Some((group.values.remove(0)?, count)),
            _ => None,
        });
        assert_eq!(by_group.collect::<BTreeMap<_, _>>(), counted.values.into_iter().collect(), "{field}");
    }
}
