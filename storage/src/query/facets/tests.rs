use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::super::fixtures::{self, Dice};
use super::*;
use crate::model::{Event, KeyValue, Link, LogRecord, Resource, Scope, Span, StatusCode, Value};

mod exceptions;
mod survey;

fn control() -> Control {
    Control::new(Duration::from_secs(60))
}

#[test]
fn values_are_counted_where_the_query_matches_most_frequent_first() {
    let mut snapshot = Snapshot::default();
    let span = |id, service: &str, name: &str| fixtures::span(1, id, 0, service, name, id, 1);
    snapshot.spans.buffered = vec![fixtures::spans(&[span(1, "a", "x"), span(2, "b", "x"), span(3, "b", "y"), span(4, "b", "x")])];
    let control = control();
    let ask = |query, field, limit| facets(&snapshot, Signal::Traces, query, TimeRange::ALL, (field, limit), &Rolls::default(), &control);
    assert_eq!(ask("", "service", 9).unwrap().values, [("b".to_owned(), 3), ("a".to_owned(), 1)]);
    assert_eq!(ask("service:b", "name", 1).unwrap().values, [("x".to_owned(), 2)]);
    assert_eq!(ask("", "kind", 9).unwrap().values, [("internal".to_owned(), 4)]);
    assert_eq!(ask("", "attr.none", 9).unwrap().without, 4);
    let Err(QueryError::Invalid(message)) = ask("", "servce", 9) else { panic!("it is no field") };
    assert!(message.ends_with("did you mean service?"), "{message}");
    for (field, limit) in [("severity", 9), ("has", 9), ("service", 0), ("attr.\"x", 9), ("a b", 9)] {
        assert!(matches!(ask("", field, limit), Err(QueryError::Invalid(_))), "{field}");
    }
}

/// A value that is frequent among very many others, which come first, in several places.
#[test]
fn the_most_frequent_of_very_many_values_are_counted_in_full() {
    let spans: Vec<Span> = (0..20_000_u64)
        .map(|i| {
            let mut span = fixtures::span(i + 1, i + 1, 0, "a", "x", i, 1);
            let value = if i > 11_000 && i.is_multiple_of(3) { "hot".to_owned() } else { format!("{i}") };
            span.attributes = vec![fixtures::text("user", &value)];
            span
        })
        .collect();
    let mut snapshot = Snapshot::default();
    snapshot.spans.buffered = spans.chunks(1_900).map(fixtures::spans).collect();
    let hot = (11_001..20_000).filter(|i| i % 3 == 0).count() as u64;
    let control = control();
    for _ in 0..3 {
        let found = facets(&snapshot, Signal::Traces, "", TimeRange::ALL, ("attr.user", 2), &Rolls::default(), &control).unwrap();
        assert_eq!((&found.values[0], found.values[1].1), (&("hot".to_owned(), hot), 1));
        assert_eq!((found.rows, found.without), (20_000, 0));
        assert!(!found.stats.complete && found.stats.notes[0].contains("counted in full"), "{:?}", found.stats);
    }
    let asked = [("attr.user".to_owned(), 1), ("name".to_owned(), 1)];
    let survey = Survey { signal: Signal::Traces, query: String::new(), range: TimeRange::ALL, fields: asked.to_vec(), columns: None };
    let counted = super::survey(&snapshot, &survey, &Rolls::default(), &control).unwrap();
    let [user, name] = counted.values.as_slice() else { panic!("two were asked for") };
    assert_eq!((&user.as_ref().unwrap().values[0].1, &name.as_ref().unwrap().values[0].1), (&hot, &20_000));
}

#[test]
fn a_span_that_is_stored_twice_counts_once() {
    let mut snapshot = Snapshot::default();
    let span = |id, start| {
        let mut span = fixtures::span(1, id, 0, "a", "x", start, 1);
        span.attributes.push(fixtures::text("k", "v"));
        span
    };
    snapshot.spans.buffered =
        vec![fixtures::spans(&[span(1, 5), span(2, 7)]), fixtures::spans(&[span(2, 7), span(3, 9)]), fixtures::spans(&[span(4, 20)])];
    let control = control();
    for (field, value) in [("attr.k", "v"), ("service", "a"), ("name", "x")] {
        let facets = facets(&snapshot, Signal::Traces, "", TimeRange::ALL, (field, 9), &Rolls::default(), &control).unwrap();
        assert_eq!((facets.values, facets.rows), (vec![(value.to_owned(), 4)], 4), "{field}");
    }
    let fields = fields(&snapshot, Signal::Traces, "", TimeRange::ALL, &control).unwrap();
    assert_eq!(fields.rows, 4);
    let counted = fields.fields.iter().find(|field| field.name == "attr.k").unwrap();
    assert_eq!(counted.rows, 4);
}

const KEYS: [&str; 3] = ["code", "http.route", "a key"];

fn value(dice: &mut Dice) -> Value {
    match dice.roll(6) {
        0 => Value::Int(dice.roll(3).cast_signed()),
        1 => Value::Bool(dice.roll(2) == 0),
        2 => Value::Double(*dice.pick(&[0.5, f64::INFINITY, f64::NEG_INFINITY, f64::NAN])),
        4 => {
            let nothing = [Value::Empty, Value::Array(Vec::new()), Value::Array(vec![Value::Empty]), Value::Bytes(Vec::new())];
            let some = [Value::Bytes(b"raw".to_vec()), Value::Map(vec![fixtures::text("a", "b")]), Value::Map(Vec::new())];
            dice.pick(&[nothing.as_slice(), some.as_slice()].concat()).clone()
        }
        3 => Value::Array(vec![Value::String("a".to_owned()), Value::Int(1), Value::String("a".to_owned())]),
        _ => Value::String(["a", "b c", ""][dice.count(3)].to_owned()),
    }
}

fn attributes(dice: &mut Dice) -> Vec<KeyValue> {
    let mut all = Vec::new();
    for key in KEYS {
        if dice.roll(2) == 0 {
            all.push(KeyValue { key: key.to_owned(), value: value(dice) });
        }
    }
    all
}

fn resource(dice: &mut Dice) -> std::sync::Arc<Resource> {
    let mut attributes = attributes(dice);
    attributes.push(fixtures::text("service.name", ["api", "cart"][dice.count(2)]));
    std::sync::Arc::new(Resource { attributes, ..Resource::default() })
}

fn scope(dice: &mut Dice) -> std::sync::Arc<Scope> {
    std::sync::Arc::new(Scope { name: ["", "otel"][dice.count(2)].to_owned(), attributes: attributes(dice), ..Scope::default() })
}

fn random_spans(dice: &mut Dice, count: u64) -> Vec<Span> {
    let mut spans = Vec::new();
    for id in 1..=count {
        let mut span = fixtures::span(dice.roll(9), id, dice.roll(3), "", ["x", "y"][dice.count(2)], 100 + dice.roll(50), dice.roll(5));
        span.resource = resource(dice);
        span.scope = scope(dice);
        span.attributes = attributes(dice);
        if dice.roll(3) == 0 {
            span.status.code = StatusCode::Error;
        }
        for name in ["retry", "retry", "done"] {
            if dice.roll(4) == 0 {
                span.events.push(Event { name: name.to_owned(), attributes: attributes(dice), ..Event::default() });
            }
        }
        if dice.roll(4) == 0 {
            let trace_id = fixtures::trace_id(dice.roll(3)).as_bytes().to_vec();
            span.links.push(Link { trace_id, span_id: vec![1; 8], attributes: attributes(dice), ..Link::default() });
        }
        spans.push(span);
    }
    spans
}

/// What a value counts as, element by element. Nothing counts as nothing.
fn shown(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Empty => {}
        Value::Array(elements) => elements.iter().for_each(|element| shown(element, into)),
        Value::String(text) => drop(into.insert(text.clone())),
        Value::Double(number) if number.is_finite() => drop(into.insert(number.to_string())),
        other => drop(into.insert(other.to_string())),
    }
}

fn under(attributes: &[KeyValue], key: &str) -> BTreeSet<String> {
    let mut values = BTreeSet::new();
    attributes.iter().filter(|kv| kv.key == key).for_each(|kv| shown(&kv.value, &mut values));
    let whole = attributes.iter().filter(|kv| kv.key == key && values.is_empty() && matches!(kv.value, Value::Array(_)));
    let whole: Vec<String> = whole.map(|kv| kv.value.to_string()).collect();
    values.extend(whole);
    values
}

fn or_none(text: &str) -> BTreeSet<String> {
    Some(text.to_owned()).filter(|text| !text.is_empty()).into_iter().collect()
}

/// The values of a field in a span, found the slow way.
fn of_span(span: &Span, field: &str) -> BTreeSet<String> {
    let key = |prefix: &str| field.strip_prefix(prefix).map(|key| key.trim_matches('"'));
    if let Some(key) = key("attr.") {
        return under(&span.attributes, key);
    }
    if let Some(key) = key("resource.") {
        return under(&span.resource.attributes, key);
    }
    match field {
        "service" => or_none(span.service_name()),
        "name" => or_none(&span.name),
        "status" => or_none(span.status.code.as_str()),
        "duration" => or_none(&format!("{}ns", span.duration())),
        "trace" => or_none(&span.trace_id.to_string()),
        "root" => or_none(&span.parent_span_id.is_none().to_string()),
        "event" => span.events.iter().map(|event| event.name.clone()).collect(),
        "scope.name" => or_none(&span.scope.name),
        "scope.code" => under(&span.scope.attributes, "code"),
        "event.code" => span.events.iter().flat_map(|event| under(&event.attributes, "code")).collect(),
        "link.http.route" => span.links.iter().flat_map(|link| under(&link.attributes, "http.route")).collect(),
        "link.trace" => span.links.iter().map(|link| link.trace_id.iter().map(|byte| format!("{byte:02x}")).collect::<String>()).collect(),
        "http.route" if span.attribute("http.route").is_some_and(|value| *value != Value::Empty) => under(&span.attributes, "http.route"),
        "http.route" => under(&span.resource.attributes, "http.route"),
        other => panic!("{other}"),
    }
}

fn stored(folder: &std::path::Path, dice: &mut Dice, spans: &[Span]) -> Snapshot {
    // All in memory, all in segments, or mixed.
    let (old, new) = spans.split_at(spans.len() * dice.count(3) / 2);
    let segments = old.chunks(old.len() / 2 + 1).map(|chunk| vec![fixtures::spans(chunk)]).collect();
    fixtures::snapshot(folder, Signal::Traces, new.chunks(17).map(fixtures::spans).collect(), segments)
}

#[test]
fn counts_are_what_looking_at_every_span_finds() {
    const FIELDS: [&str; 18] = [
        "service",
        "name",
        "status",
        "duration",
        "trace",
        "root",
        "event",
        "scope.name",
        "scope.code",
        "event.code",
        "link.http.route",
        "link.trace",
        "http.route",
        "attr.code",
        "attr.\"a key\"",
        "resource.code",
        "resource.\"a key\"",
        "attr.http.route",
    ];
    let mut dice = Dice(23);
    for round in 0..8 {
        let folder = tempfile::tempdir().unwrap();
        let spans = random_spans(&mut dice, 40 + round * 40);
        let snapshot = stored(folder.path(), &mut dice, &spans);
        for field in FIELDS {
            let found = facets(&snapshot, Signal::Traces, "name:x", TimeRange::ALL, (field, 1_000), &Rolls::default(), &control()).unwrap();
            let mut expected: BTreeMap<String, u64> = BTreeMap::new();
            let (mut rows, mut without) = (0, 0);
            for span in spans.iter().filter(|span| span.name == "x") {
                let values = of_span(span, field);
                rows += 1;
                without += u64::from(values.is_empty());
                values.into_iter().for_each(|value| *expected.entry(value).or_default() += 1);
            }
            let mut expected: Vec<_> = expected.into_iter().collect();
            expected.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
            assert_eq!((found.values, found.rows, found.without), (expected, rows, without), "{field}");
            assert!(found.stats.complete);
        }
    }
}

#[test]
fn every_value_in_a_list_is_found_as_it_is_written_there() {
    let (mut dice, mut has_endless) = (Dice(31), false);
    for _ in 0..4 {
        let folder = tempfile::tempdir().unwrap();
        let spans = random_spans(&mut dice, 200);
        let snapshot = stored(folder.path(), &mut dice, &spans);
        for field in ["attr.code", "resource.code", "event.code", "scope.code"] {
            let ask = |query: &str, field| {
                facets(&snapshot, Signal::Traces, query, TimeRange::ALL, (field, 1_000), &Rolls::default(), &control()).unwrap()
            };
            let listed = ask("", field).values;
            has_endless |= listed.iter().any(|(value, _)| value == "Infinity");
            for (value, count) in listed {
                // As pages link it: bare where that is possible, so that numbers are found as well.
                let is_bare = !value.is_empty() && !value.contains(['"', ' ', '{', '=', ',']);
                let quoted = format!("\"{}\"", value.replace('"', "\\\""));
                let query = format!("{field}={}", if is_bare { &value } else { &quoted });
                assert_eq!(ask(&query, "name").rows, count, "{query}");
            }
        }
    }
    assert!(has_endless);
}

#[test]
fn fields_are_those_that_rows_have() {
    let folder = tempfile::tempdir().unwrap();
    let mut dice = Dice(29);
    let spans = random_spans(&mut dice, 300);
    let snapshot = stored(folder.path(), &mut dice, &spans);
    let found = fields(&snapshot, Signal::Traces, "name:x", TimeRange::ALL, &control()).unwrap();
    let of_x: Vec<_> = spans.iter().filter(|span| span.name == "x").collect();
    assert_eq!(found.rows, of_x.len() as u64);
    let has = |key: &str, attributes: &[KeyValue]| attributes.iter().any(|kv| kv.key == key && kv.value != Value::Empty);
    let count = |check: &dyn Fn(&Span) -> bool| of_x.iter().filter(|span| check(span)).count() as u64;
    for (name, rows) in [
        ("service", of_x.len() as u64),
        ("attr.code", count(&|span| has("code", &span.attributes))),
        ("attr.\"a key\"", count(&|span| has("a key", &span.attributes))),
        ("resource.http.route", count(&|span| has("http.route", &span.resource.attributes))),
        ("scope.code", count(&|span| has("code", &span.scope.attributes))),
        ("event.code", count(&|span| span.events.iter().any(|event| has("code", &event.attributes)))),
        ("link.code", count(&|span| span.links.iter().any(|link| has("code", &link.attributes)))),
        ("event", count(&|span| !span.events.is_empty())),
        ("parent", count(&|span| span.parent_span_id.is_some())),
    ] {
        let listed = found.fields.iter().find(|field| field.name == name).unwrap_or_else(|| panic!("{name} in {:?}", found.fields));
        assert_eq!(listed.rows, rows, "{name}");
        // What is listed can be asked for, and finds as many.
        let query = format!("name:x {name}:*");
        let facets = facets(&snapshot, Signal::Traces, &query, TimeRange::ALL, ("name", 9), &Rolls::default(), &control()).unwrap();
        assert_eq!(facets.rows, rows, "{query}");
    }
    assert!(found.fields.is_sorted_by(|a, b| (b.rows, &a.name) <= (a.rows, &b.name)));
}

#[test]
fn an_attribute_that_few_rows_have_has_the_kind_that_it_has_there() {
    let spans: Vec<Span> = (1..=3_000)
        .map(|i| {
            let mut span = fixtures::span(i, i, 0, "a", "x", i, 1);
            if i == 3 || i == 2_998 {
                span.attributes.push(KeyValue { key: format!("batch{i}"), value: Value::Int(7) });
            }
            span
        })
        .collect();
    let mut snapshot = Snapshot::default();
    snapshot.spans.buffered = vec![fixtures::spans(&spans)];
    let found = fields(&snapshot, Signal::Traces, "", TimeRange::ALL, &control()).unwrap();
    let kind = |name: &str| found.fields.iter().find(|field| field.name == name).unwrap().kind;
    assert_eq!([kind("attr.batch3"), kind("attr.batch2998")], ["int", "int"]);
}

#[test]
fn the_kind_of_a_field_is_that_of_all_its_values_wherever_the_rows_lie() {
    let spans: Vec<Span> = (1..=6_000)
        .map(|i| {
            let mut span = fixtures::span(i, i, 0, "a", "x", i, 1);
            let value = if i % 2 == 0 { Value::Int(7) } else { Value::String("ra".to_owned()) };
            let rare = (i > 2_500 && i < 2_504).then(|| KeyValue { key: "rare".to_owned(), value: value.clone() });
            let late = if i == 5_999 { value } else { Value::Double(0.5) };
            span.attributes = rare.into_iter().chain([KeyValue { key: "late".to_owned(), value: late }]).collect();
            span
        })
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let backwards: Vec<Span> = spans.iter().rev().cloned().collect();
    let in_segment = fixtures::snapshot(folder.path(), Signal::Traces, vec![], vec![vec![fixtures::spans(&spans)]]);
    let in_memory = [spans, backwards].map(|spans| {
        let mut snapshot = Snapshot::default();
        snapshot.spans.buffered = spans.chunks(1_000).map(fixtures::spans).collect();
        snapshot
    });
    for snapshot in in_memory.iter().chain([&in_segment]) {
        let found = fields(snapshot, Signal::Traces, "", TimeRange::ALL, &control()).unwrap();
        let kind = |name: &str| found.fields.iter().find(|field| field.name == name).unwrap().kind;
        assert_eq!([kind("attr.rare"), kind("attr.late")], ["mixed", "mixed"]);
    }
}

#[test]
fn fields_of_logs_are_counted_too() {
    let mut snapshot = Snapshot::default();
    let mut records: Vec<LogRecord> = (1..=5).map(|id| fixtures::log(id, "api", "text", id)).collect();
    records[0].attributes = vec![fixtures::text("user", "u1")];
    records[2].attributes = vec![KeyValue { key: "user".to_owned(), value: Value::Int(1) }];
    records[1].event_name = "login".to_owned();
    snapshot.logs.buffered = vec![fixtures::logs(&records)];
    let found = fields(&snapshot, Signal::Logs, "", TimeRange::ALL, &control()).unwrap();
    let listed: Vec<_> = found.fields.iter().map(|field| (field.name.as_str(), field.rows, field.kind)).collect();
    let text = |name, rows| (name, rows, "text");
    let expected = [
        text("body", 5),
        text("resource.service.name", 5),
        text("service", 5),
        ("severity", 5, "word"),
        ("attr.user", 2, "mixed"),
        text("event", 1),
    ];
    assert_eq!(listed, expected);
    let values = facets(&snapshot, Signal::Logs, "", TimeRange::ALL, ("severity", 9), &Rolls::default(), &control()).unwrap().values;
    assert_eq!(values, [("info".to_owned(), 5)]);
}
