use std::sync::Arc;

use super::super::fixtures;
use super::*;
use crate::model::{Event, KeyValue, Resource, Span, SpanKind, StatusCode, Value};
use crate::store::Signal;

fn rows(query: &str, batch: &RecordBatch, signal: Signal) -> Vec<usize> {
    let query = Query::parse(signal, query).unwrap_or_else(|e| panic!("{query}: {e}"));
    let predicate = Predicate::new(&query);
    // Only the columns it says it needs.
    let indices: Vec<_> = predicate.columns().iter().map(|name| batch.schema().index_of(name).unwrap()).collect();
    let narrow = batch.project(&indices).unwrap();
    predicate.matches(&narrow, BooleanBuffer::new_set(batch.num_rows())).unwrap().set_indices().collect()
}

fn some_spans() -> Vec<Span> {
    let kv = |key: &str, value: Value| KeyValue { key: key.to_owned(), value };
    let mut spans = vec![
        fixtures::span(1, 1, 0, "checkout", "POST /pay", 1_000, 600_000_000),
        fixtures::span(1, 2, 1, "payment", "charge", 2_000, 5),
        fixtures::span(2, 3, 9, "api", "GET /x", 3_000, 0),
    ];
    spans[0].kind = SpanKind::Server;
    spans[0].status.code = StatusCode::Error;
    spans[0].status.message = "Card Declined".to_owned();
    spans[0].attributes = vec![
        kv("http.response.status_code", Value::Int(500)),
        fixtures::text("http.method", "POST"),
        kv("cache.hit", Value::Bool(true)),
        kv("ratio", Value::Double(0.5)),
    ];
    spans[0].events = vec![Event {
        name: "exception".to_owned(),
        attributes: vec![fixtures::text("exception.type", "PaymentError"), fixtures::text("exception.message", "no funds")],
        ..Event::default()
    }];
    spans[0].scope = Arc::new(crate::model::Scope {
        name: "http-server".to_owned(),
        version: "1.2".to_owned(),
        attributes: vec![fixtures::text("build", "x86")],
        ..crate::model::Scope::default()
    });
    spans[0].events.push(Event { name: "retry".to_owned(), attributes: vec![kv("attempt", Value::Int(3))], ..Event::default() });
    let exception = |attributes| Event { name: "exception".to_owned(), attributes, ..Event::default() };
    spans[0].events.push(exception(vec![fixtures::text("exception.message", "no connection")]));
    spans[0].events.push(exception(vec![fixtures::text("exception.type", "Wrapped")]));
    spans[0].events.push(Event { attributes: vec![fixtures::text("exception.type", "of no exception")], ..Event::default() });
    spans[1].events = vec![exception(Vec::new())];
    spans[1].links = vec![crate::model::Link {
        trace_id: fixtures::trace_id(77).as_bytes().to_vec(),
        span_id: fixtures::span_id(9).as_bytes().to_vec(),
        attributes: vec![fixtures::text("kind", "follows")],
        ..crate::model::Link::default()
    }];
    spans[1].kind = SpanKind::Client;
    spans[1].attributes = vec![
        fixtures::text("http.status_code", "500"),
        kv("tags", Value::Array(vec![Value::String("a".to_owned()), Value::Int(7)])),
        fixtures::text("twice", "x"),
        kv("twice", Value::Int(2)),
        fixtures::text("k8s.pod.name", "own"),
    ];
    let pod = fixtures::text("k8s.pod.name", "api-1");
    spans[1].resource =
        Arc::new(Resource { attributes: vec![fixtures::text("service.name", "payment"), pod.clone()], ..Resource::default() });
    spans[2].resource = Arc::new(Resource { attributes: vec![pod], ..Resource::default() });
    spans
}

#[test]
fn conditions_on_spans_find_the_right_rows() {
    let batch = fixtures::spans(&some_spans());
    let cases: &[(&str, &[usize])] = &[
        ("", &[0, 1, 2]),
        ("service:checkout", &[0]),
        ("service:checkout,payment", &[0, 1]),
        ("service!=checkout", &[1, 2]),
        ("service:unknown_service", &[2]),
        ("name:\"POST /pay\"", &[0]),
        ("name:*/*", &[0, 2]),
        ("name=*/*", &[]),
        ("name~\"^(GET|POST) \"", &[0, 2]),
        ("name!~GET", &[0, 1]),
        ("duration>500ms", &[0]),
        ("duration<=5ns", &[1, 2]),
        ("duration<0ns", &[]),
        ("status:error kind:server", &[0]),
        ("-status:error", &[1, 2]),
        ("attr.http.response.status_code:500", &[0, 1]),
        ("attr.http.response.status_code:\"500\"", &[1]),
        ("http.status_code>=500", &[0]),
        ("http.status_code:5*", &[0, 1]),
        ("http.request.method:POST", &[0]),
        ("cache.hit:true", &[0]),
        ("attr.ratio<1 attr.ratio>0.4", &[0]),
        ("attr.ratio=0.50", &[0]),
        ("attr.tags:a", &[1]),
        ("attr.tags:7", &[1]),
        ("attr.twice:x attr.twice:2", &[1]),
        ("attr.none:*", &[]),
        ("attr.tags:*", &[1]),
        ("-attr.tags:*", &[0, 2]),
        ("k8s.pod.name:api-*", &[2]),
        ("resource.k8s.pod.name:api-*", &[1, 2]),
        ("attr.k8s.pod.name:own", &[1]),
        ("event:exception", &[0, 1]),
        ("exception.type:PaymentError", &[0]),
        // The second and the third of the span, whatever the first is.
        ("exception.type=Wrapped", &[0]),
        ("exception.type~\"^Wrap\" exception.message:no*", &[0]),
        ("exception.message=\"no connection\"", &[0]),
        ("exception.type!=Wrapped", &[1, 2]),
        ("exception.type:\"of no exception\"", &[]),
        ("\"no connection\"", &[0]),
        ("wrapped", &[0]),
        ("exception.type:*", &[0]),
        ("has:exception OR has:parent", &[0, 1, 2]),
        ("has:exception", &[0, 1]),
        ("root:true", &[0]),
        ("parent:0000000000000009", &[2]),
        ("span:0000000000000002", &[1]),
        ("declined", &[0]),
        ("\"NO FUNDS\"", &[0]),
        ("post", &[0]),
        ("NOT (name:charge OR status:error)", &[2]),
    ];
    for (query, expected) in cases {
        assert_eq!(rows(query, &batch, Signal::Traces), *expected, "{query}");
    }
}

#[test]
fn scopes_events_links_ranges_and_words_with_gaps_find_the_right_rows() {
    let batch = fixtures::spans(&some_spans());
    let linked = format!("link.trace:{}", fixtures::trace_id(77));
    let cases: &[(&str, &[usize])] = &[
        ("scope.name:http-*", &[0]),
        ("-scope.name:*", &[1, 2]),
        ("scope.version=1.2 scope.build:x86", &[0]),
        ("scope.\"name\":*", &[]),
        ("event.name:retry", &[0]),
        ("event.attempt:3", &[0]),
        ("event.attempt>3", &[]),
        ("event.exception.type:PaymentError", &[0]),
        (&linked, &[1]),
        ("link.span:0000000000000009 link.kind:follows", &[1]),
        ("link.trace:*", &[1]),
        ("has:link", &[1]),
        ("has:attr.tags,cache.hit", &[0, 1]),
        ("-has:k8s.pod.name", &[0]),
        ("duration:1ns..5ns", &[1]),
        ("duration:..5ns", &[1, 2]),
        ("duration:600ms..,0ns", &[0, 2]),
        ("attr.ratio:0.25..0.75", &[0]),
        ("attr.http.response.status_code:400..499,500..", &[0]),
        ("attr.tags:5..9", &[1]),
        ("attr.tags:8..9", &[]),
        ("attr.tags:[\\\"a\\\"\\,7]", &[1]),
        ("attr.tags=\"[\\\"a\\\"]\"", &[]),
        ("decl*", &[0]),
        ("case:Declined", &[0]),
        ("case:declined", &[]),
        ("case:\"ard Decl\"", &[0]),
    ];
    for (query, expected) in cases {
        assert_eq!(rows(query, &batch, Signal::Traces), *expected, "{query}");
    }
}

#[test]
fn conditions_on_logs_find_the_right_rows() {
    let mut records = vec![
        fixtures::log(1, "a", "connection Timeout after 5 s", 10),
        fixtures::log(2, "b", "ok", 20),
        fixtures::log(3, "b", "disk full", 30),
    ];
    records[0].severity_number = 17;
    records[1].severity_number = 0;
    records[2].severity_number = 14;
    records[2].trace_id = Some(fixtures::trace_id(7));
    let batch = fixtures::logs(&records);
    let by_trace = format!("trace:{}", fixtures::trace_id(7));
    let cases: &[(&str, &[usize])] = &[
        ("timeout", &[0]),
        ("conn*", &[0]),
        ("time*after", &[]),
        ("body:*ull", &[2]),
        ("case:Timeout", &[0]),
        ("case:timeout", &[]),
        ("case:Time*,OK", &[0]),
        ("severity:warn..error", &[0, 2]),
        ("severity:..0", &[1]),
        ("body:\"timeout after\"", &[0]),
        ("body=ok", &[1]),
        ("body~\"f.ll\"", &[2]),
        ("severity>=warn", &[0, 2]),
        ("severity>warn", &[0]),
        ("severity:unknown", &[1]),
        ("level:warn,error", &[0, 2]),
        ("severity:14", &[2]),
        (&by_trace, &[2]),
        ("has:trace", &[2]),
        ("service:b -disk", &[1]),
    ];
    for (query, expected) in cases {
        assert_eq!(rows(query, &batch, Signal::Logs), *expected, "{query}");
    }
}

#[test]
fn hints_hold_for_every_match_and_only_where_they_must() {
    let of = |text: &str| Predicate::new(&Query::parse(Signal::Traces, text).unwrap()).hints;
    let named = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
    assert_eq!(of("service:a status:error").services, named(&["a"]));
    assert_eq!(of("service:a OR service:b").services, named(&["a", "b"]));
    assert_eq!(of("service:a,b service:b,c").services, named(&["b"]));
    assert_eq!(of("service:a OR status:error").services, None);
    assert_eq!(of("-service:a").services, None);
    assert_eq!(of("service:a*").services, None);
    assert_eq!(of("service!=a").services, None);
    let terms = |text: &str| Predicate::new(&Query::parse(Signal::Logs, text).unwrap()).hints.terms;
    assert_eq!(terms("case:Timeout case:\"rd declined by\""), ["declined", "timeout"]);
    assert_eq!(terms("pay-* conn*"), ["pay"]);
}

#[test]
fn the_beginning_of_a_word_is_a_hint_where_every_match_has_it() {
    let of = |text: &str| Predicate::new(&Query::parse(Signal::Logs, text).unwrap()).hints;
    let begins = |text: &str| of(text).prefixes;
    assert_eq!(begins("time*"), ["time"]);
    assert_eq!(begins("Time*out conn*"), ["conn", "time"]);
    assert_eq!(begins("time* OR time*out"), ["time"]);
    assert_eq!(begins("time* OR conn*"), Vec::<String>::new());
    assert_eq!(begins("*time"), Vec::<String>::new());
    assert_eq!(begins("NOT time*"), Vec::<String>::new());
}
