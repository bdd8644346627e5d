use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, MapBuilder, MapFieldNames, RecordBatch, StringViewBuilder};
use proptest::prelude::*;

use crate::model::{Event, KeyValue, Link, LogRecord, Resource, Span, TimeRange, Value};
use crate::query::fixtures::{self, Dice, text};
use crate::query::question::{LogOrder, LogSearch, TraceOrder, TraceSearch};
use crate::query::scan::Control;
use crate::query::{logs, traces};
use crate::schema::{self, column};
use crate::snapshot::Snapshot;
use crate::store::Signal;

const KEYS: [&str; 6] = ["http.method", "http.request.method", "user.id", "order", "size", "odd key"];
const WORDS: [&str; 8] = ["GET", "POST", "true", "7", "7.0", "-0", "x\u{e9}", ""];

fn control() -> Control {
    Control::new(Duration::from_secs(60))
}

fn scalar(dice: &mut Dice) -> Value {
    match dice.roll(6) {
        0 | 1 => Value::String((*dice.pick(&WORDS)).to_owned()),
        2 => Value::String(format!("user-{}", dice.roll(3_000))),
        3 => Value::Int(dice.roll(12).cast_signed() - 4),
        4 => Value::Double(*dice.pick(&[7.0, -0.0, 0.5, f64::NAN, f64::INFINITY, 1e300])),
        _ => Value::Bool(dice.roll(2) == 0),
    }
}

fn value(dice: &mut Dice) -> Value {
    match dice.roll(9) {
        0 => Value::Array((0..dice.roll(3)).map(|_| scalar(dice)).collect()),
        1 => Value::Array(vec![Value::Array(vec![scalar(dice)])]),
        2 if dice.roll(3) == 0 => Value::Map(vec![KeyValue { key: "GET".to_owned(), value: scalar(dice) }]),
        3 if dice.roll(3) == 0 => dice.pick(&[Value::Empty, Value::Bytes(b"GET".to_vec())]).clone(),
        _ => scalar(dice),
    }
}

fn attributes(dice: &mut Dice, keys: u64) -> Vec<KeyValue> {
    // The same key may come twice.
    (0..dice.roll(4)).map(|_| KeyValue { key: KEYS[dice.count(keys)].to_owned(), value: value(dice) }).collect()
}

fn resource(dice: &mut Dice) -> Arc<Resource> {
    let mut attributes = attributes(dice, 4);
    attributes.push(text("service.name", "shop"));
    Arc::new(Resource { attributes, ..Resource::default() })
}

fn condition(dice: &mut Dice) -> String {
    let key = *dice.pick(&[
        "attr.http.method",
        "http.request.method",
        "resource.user.id",
        "user.id",
        "attr.order",
        "attr.\"odd key\"",
        "attr.none",
        "resource.none",
        "event.order",
        "link.user.id",
        "exception.type",
    ]);
    let word = |dice: &mut Dice| match dice.roll(6) {
        5 => (*dice.pick(&["R0VU", "[]", "[7]", "[true]", "[[true]]", "{\\\"GET\\\":7}", "Infinity", "\"\""])).to_owned(),
        0 => format!("\"{}\"", dice.pick(&WORDS)),
        1 => format!("user-{}", dice.roll(3_000)),
        2 => (dice.roll(12).cast_signed() - 4).to_string(),
        _ => (*dice.pick(&["GET", "POST", "true", "7", "7.0", "0.5", "absent", "NaN"])).to_owned(),
    };
    match dice.roll(8) {
        0 => format!("{key}:*"),
        1 => format!("{key}:{},{}", word(dice), word(dice)),
        2 => format!("{key}:user-1*"),
        3 => format!("{key}~\"^(GE|NaN|7)\""),
        // Fields have no order.
        4 if key.contains("exception") => format!("{key}:exc*,{}", word(dice)),
        4 => format!("{key}{}{}", dice.pick(&["<", "<=", ">", ">="]), word(dice)),
        5 => format!("{key}!={}", word(dice)),
        _ => format!("{key}={}", word(dice)),
    }
}

fn query(dice: &mut Dice) -> String {
    match dice.roll(6) {
        0 => format!("{} {}", condition(dice), condition(dice)),
        1 => format!("{} OR {}", condition(dice), condition(dice)),
        2 => format!("NOT ({})", condition(dice)),
        3 => format!("{} name:{}", condition(dice), dice.pick(&["a", "z"])),
        _ => condition(dice),
    }
}

fn found_traces(snapshot: &Snapshot, query: &str) -> (String, u64) {
    let search = TraceSearch { query: query.to_owned(), range: TimeRange::ALL, order: TraceOrder::Newest, limit: 1_000, cursor: None };
    let page = traces::search(snapshot, &search, &control()).unwrap();
    (format!("{:?} {:?}", page.traces, page.next), page.stats.rows_pruned)
}

fn found_logs(snapshot: &Snapshot, query: &str) -> (String, u64) {
    let search = LogSearch { query: query.to_owned(), range: TimeRange::ALL, order: LogOrder::Newest, limit: 5_000, cursor: None };
    let page = logs::search(snapshot, &search, &control()).unwrap();
    (format!("{:?} {:?}", page.records, page.next), page.stats.rows_pruned)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn what_is_skipped_never_changes_an_answer(seed in 1u64.., rows in 500usize..1_200) {
        let mut dice = Dice(seed);
        let folder = tempfile::tempdir().unwrap();
        let resources: Vec<_> = (0..5).map(|_| resource(&mut dice)).collect();
        let spans: Vec<Span> = (1..=rows as u64).map(|id| {
            let name = if dice.roll(2) == 0 { "a" } else { "b" };
            let mut span = fixtures::span(id / 4 + 1, id, 0, "shop", name, 1_000 + dice.roll(100_000), 5);
            span.attributes = attributes(&mut dice, 6);
            span.resource = dice.pick(&resources).clone();
            if dice.roll(4) == 0 {
                let (name, attributes) = ("e".to_owned(), attributes(&mut dice, 6));
                span.events.push(Event { time: span.start, name, attributes, dropped_attributes_count: 0 });
            }
            for _ in 0..dice.roll(4) {
                let attributes = vec![KeyValue { key: "exception.type".to_owned(), value: scalar(&mut dice) }];
                span.events.push(Event { name: "exception".to_owned(), attributes, ..Event::default() });
            }
            if dice.roll(4) == 0 {
                span.links.push(Link { attributes: attributes(&mut dice, 6), ..Link::default() });
            }
            span
        }).collect();
        let records: Vec<LogRecord> = (1..=rows as u64).map(|id| {
            let mut record = fixtures::log(id, "shop", "said", 1_000 + dice.roll(100_000));
            record.attributes = attributes(&mut dice, 6);
            record.resource = dice.pick(&resources).clone();
            record
        }).collect();
        let half = rows / 2;
        let mut of_spans = |signal, batches: [RecordBatch; 2]| {
            let plain = fixtures::snapshot(folder.path(), signal, batches.to_vec(), Vec::new());
            // One of the two segments has columns of promoted attributes.
            let mut promoted = dice.roll(2) == 0;
            let layout = || {
                promoted = !promoted;
                promoted.then(|| fixtures::layout(&mut dice, &KEYS))
            };
            let segments = batches.map(|batch| vec![batch]).to_vec();
            let indexed = fixtures::snapshot_in(layout, folder.path(), signal, Vec::new(), segments);
            (plain, indexed)
        };
        let (plain, indexed) = of_spans(Signal::Traces, [fixtures::spans(&spans[..half]), fixtures::spans(&spans[half..])]);
        let (plain_logs, indexed_logs) = of_spans(Signal::Logs, [fixtures::logs(&records[..half]), fixtures::logs(&records[half..])]);
        let mut pruned = 0;
        for _ in 0..60 {
            let query = query(&mut dice);
            let (found, skipped) = found_traces(&indexed, &query);
            prop_assert_eq!(found, found_traces(&plain, &query).0, "{}", query);
            pruned += skipped;
            if !query.contains("name:") {
                let (found, skipped) = found_logs(&indexed_logs, &query);
                prop_assert_eq!(found, found_logs(&plain_logs, &query).0, "{}", query);
                pruned += skipped;
            }
        }
        prop_assert!(pruned > 0);
    }
}

/// Spans with a text attribute each that no other has, the same otherwise.
fn unique(batch: &RecordBatch, first: usize) -> RecordBatch {
    let names = MapFieldNames { entry: "entries".to_owned(), key: "key".to_owned(), value: "value".to_owned() };
    let mut map = MapBuilder::new(Some(names), StringViewBuilder::new(), StringViewBuilder::new());
    for row in 0..batch.num_rows() {
        map.keys().append_value("order.id");
        map.values().append_value(format!("order-{}", first + row));
        map.append(true).unwrap();
    }
    let schema = schema::of(Signal::Traces);
    let columns = schema
        .fields()
        .iter()
        .zip(batch.columns())
        .map(|(field, column)| if field.name() == column::ATTR_STR { Arc::new(map.finish()) as ArrayRef } else { column.clone() });
    RecordBatch::try_new(schema.clone(), columns.collect()).unwrap()
}

#[test]
fn a_value_alone_is_found_among_a_million_spans_without_reading_them() {
    const SEGMENTS: usize = 8;
    const ROWS: usize = 131_072;
    let folder = tempfile::tempdir().unwrap();
    let spans: Vec<Span> = (1..=8_192).map(|id| fixtures::span(id, id, 0, "shop", "pay", 1_000 + id, 5)).collect();
    let batch = fixtures::spans(&spans);
    let segments = (0..SEGMENTS).map(|segment| {
        (0..ROWS / 8_192)
            .map(|part| {
                let first = segment * ROWS + part * 8_192;
                // Another bucket each, so that equal ids are other spans.
                let starts = (0..8_192).map(|row| ((first / 8_192) as i64 + 1) * schema::BUCKET_NANOS + row);
                let mut columns = batch.columns().to_vec();
                let at = batch.schema().index_of(column::START_TIME).unwrap();
                columns[at] = Arc::new(arrow::array::Int64Array::from_iter_values(starts));
                unique(&RecordBatch::try_new(batch.schema(), columns).unwrap(), first)
            })
            .collect()
    });
    let snapshot = fixtures::snapshot(folder.path(), Signal::Traces, Vec::new(), segments.collect());
    let all = (SEGMENTS * ROWS) as u64;
    assert_eq!(snapshot.spans.segments.iter().map(|segment| segment.meta().rows).sum::<u64>(), all);
    let ask = |query: &str| {
        let search = TraceSearch { query: query.to_owned(), range: TimeRange::ALL, order: TraceOrder::Newest, limit: 20, cursor: None };
        traces::search(&snapshot, &search, &control()).unwrap()
    };
    let granule = u64::from(crate::segment::GRANULE_ROWS);
    for wanted in [0, 77_777, 1_048_575] {
        let page = ask(&format!("order.id=order-{wanted}"));
        assert_eq!(page.traces.len(), 1);
        assert!(page.stats.rows_scanned <= 3 * granule, "{:?}", page.stats);
        assert!(page.stats.segments_pruned >= SEGMENTS - 2 && page.stats.granules_pruned >= all / granule - 3, "{:?}", page.stats);
        assert!(page.stats.rows_pruned >= all - 3 * granule && page.stats.bytes_pruned > 0, "{:?}", page.stats);
    }
    let scanned: u64 = (0..50).map(|n| ask(&format!("attr.order.id=absent-{n}")).stats.rows_scanned).sum();
    assert!(scanned <= 50 * granule / 2, "{scanned} rows were looked at for 50 values that are nowhere");
    assert_eq!(ask("attr.user=me").stats.rows_scanned, 0);
    assert_eq!(ask("attr.order.id>5").stats.rows_scanned, 0);
    assert_eq!(ask("resource.service.name=cart").stats.rows_scanned, 0);
    assert_eq!(ask("name:refund").stats.rows_scanned, 0);
    let every = ask("order.id:*");
    assert_eq!((every.traces.len(), every.stats.rows_pruned), (20, 0));
}
