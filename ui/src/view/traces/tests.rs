use storage::TraceId;

use super::*;

fn summary() -> TraceSummary {
    let service =
        |name: &str, spans: Vec<(u64, u64)>| ServiceInTrace { name: name.to_owned(), span_count: spans.len(), error_count: 0, spans };
    TraceSummary {
        trace_id: TraceId::from_slice(&[7; 16]).unwrap(),
        root_service: "gateway".to_owned(),
        root_name: "POST /checkout".to_owned(),
        has_root: false,
        root_failed: false,
        start: UnixNanos::new(5),
        duration: 1_000,
        span_count: 3,
        error_count: 1,
        matched: 1,
        key: 500,
        services: vec![service("gateway", vec![(0, 1_000)]), service("payment", vec![(250, 500), (800, 0)])],
        first_error: Some("card declined\nat line 2".to_owned()),
        failure: None,
        repeated: Some(RepeatedCalls { service: "payment".to_owned(), name: "SELECT card".to_owned(), count: 1_200 }),
    }
}

fn shown(order: TraceOrder, now: u64) -> Row {
    let counts = matches!(order, TraceOrder::MostSpans | TraceOrder::MostErrors);
    let key = if counts { 500 << 40 } else { 500 };
    let page = TracePage { traces: vec![TraceSummary { key, ..summary() }], ..TracePage::default() };
    let (links, clock, palette) = (Links::default(), Clockface::new(UnixNanos::new(now), None), Palette::default());
    rows(&page, &Listing { order, list: "", links: &links, clock: &clock, palette: &palette }).remove(0)
}

#[test]
fn a_trace_without_root_is_still_arriving_for_some_seconds() {
    assert_eq!(shown(TraceOrder::Newest, 10_000_000_000).remark, "still arriving");
    assert_eq!(shown(TraceOrder::Newest, 20_000_000_000).remark, "root not received");
}

#[test]
fn a_row_says_what_failed_and_draws_lanes_in_time() {
    let row = shown(TraceOrder::Newest, 20_000_000_000);
    assert_eq!((row.error.as_str(), row.errors.as_str(), row.remark), ("card declined", "1\u{a0}error", "root not received"));
    assert_eq!(row.repeated, "1,200 × SELECT card");
    let lanes: Vec<_> = row.lanes.iter().map(|(_, path)| path.as_str()).collect();
    assert_eq!(lanes, ["M0 2h1000", "M250 6h500M800 6h5"], "a span without length is still seen");
    assert_eq!(row.href, "/trace/07070707070707070707070707070707");
}

#[test]
fn a_row_shows_what_the_list_is_sorted_by_and_what_that_is_part_of() {
    let numbers = |order| {
        let row = shown(order, 20_000_000_000);
        [row.into, row.duration, row.of_trace, row.spans, row.of_spans].map(|text| text.replace(['\u{202f}', '\u{a0}'], " "))
    };
    assert_eq!(numbers(TraceOrder::Newest), ["495 ns", "1.00 µs", "", "3", ""]);
    assert_eq!(numbers(TraceOrder::Oldest)[0], "495 ns", "its first match began later than the trace");
    assert_eq!(numbers(TraceOrder::Slowest), ["", "500 ns", "1.00 µs", "3", ""]);
    assert_eq!(numbers(TraceOrder::MostSpans), ["", "1.00 µs", "", "500", "of 3"]);
    assert_eq!(Columns::new(TraceOrder::Slowest, Matched::Spans).duration, "Longest match");
    assert_eq!(Columns::new(TraceOrder::MostSpans, Matched::Traces).spans, "Spans");
    assert_eq!(Columns::new(TraceOrder::Oldest, Matched::Spans).start, "First match began");
}
