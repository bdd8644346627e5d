use super::*;

#[test]
fn rows_follow_the_tree_and_bars_the_time() {
    let rows = fall(&sample::checkout(), Wanted::default()).rows;
    let shape: Vec<_> = rows.iter().map(|row| (row.name.as_str(), row.level, row.bar.x.as_str(), row.bar.width.as_str())).collect();
    assert_eq!(
        shape,
        [("POST /checkout", 1, "0", "100"), ("Reserve", 2, "5", "25"), ("SELECT stock", 3, "10", "10"), ("ChargeCard", 2, "40", "50")]
    );
    assert_eq!(rows[0].bar.critical, "M0 1h50M300 1h100M900 1h100");
    assert!(rows[0].has_error_below && !rows[0].is_error && rows[3].is_error);
    assert_eq!(rows[3].pill, "402");
    assert_eq!(rows[3].bar.dots.len(), 3, "two events and one log record");
}

#[test]
fn a_folded_span_hides_what_is_below_and_its_address_says_so() {
    let trace = sample::checkout();
    let toggle = fall(&trace, Wanted::default()).rows[1].toggle.clone();
    assert_eq!(toggle, format!("/trace/{}?closed={}&near={}#s{}", trace.id, id(2), id(2), id(2)));
    let closed = Wanted { closed: vec![id(2)], ..Wanted::default() };
    assert_eq!(names(&trace, closed), ["POST /checkout", "Reserve", "ChargeCard"]);
}

#[test]
fn the_chosen_span_is_shown_whatever_is_folded() {
    let wanted = Wanted { span: Some(id(4)), closed: vec![id(2)], ..Wanted::default() };
    assert!(names(&sample::checkout(), wanted).contains(&"SELECT stock".to_owned()));
}

#[test]
fn folding_keeps_the_detail_unless_its_row_goes_with_it() {
    let wanted = Wanted { span: Some(id(3)), tab: Some(PanelTab::Events), ..Wanted::default() };
    let rows = fall(&sample::checkout(), wanted).rows;
    let kept = |toggle: &str| toggle.contains(&format!("span={}&tab=events", id(3)));
    let told: Vec<(bool, bool)> =
        rows.iter().filter(|row| row.is_open.is_some()).map(|row| (row.name == "Reserve", kept(&row.toggle))).collect();
    assert!(told.iter().any(|(is_beside, _)| *is_beside) && told.iter().all(|(is_beside, is_kept)| is_beside == is_kept), "{told:?}");
}

#[test]
fn only_errors_keeps_the_rows_above_them() {
    let wanted = Wanted { only: Only::Errors, ..Wanted::default() };
    assert_eq!(names(&sample::checkout(), wanted), ["POST /checkout", "ChargeCard"]);
}

#[test]
fn a_large_trace_is_folded_and_sent_in_windows() {
    let trace = large(3_000);
    let folded = fall(&trace, Wanted { is_ungrouped: true, ..Wanted::default() });
    assert!(folded.is_windowed && folded.rows.len() == 80 && folded.total < 31_000);
    let all = Wanted { depth: Depth::All, at: Some(30_900), is_ungrouped: true, ..Wanted::default() };
    let last = fall(&trace, all);
    assert_eq!((last.total, last.rows.len(), last.after.as_str()), (30_001, 1, ""));
    let chosen = Wanted { span: Some(trace.spans[20_000].span_id), depth: Depth::All, ..Wanted::default() };
    assert!(fall(&trace, chosen).rows.iter().any(|row| row.is_chosen));
    // The heading is the first row; with records between rows nobody knows how many there are.
    assert_eq!((last.rows[0].number, last.count), (Some(30_002), Some(30_002)));
    let logs = fall(&trace, Wanted { marks: LogMarks::Rows, is_ungrouped: true, ..Wanted::default() });
    assert!(logs.is_windowed && logs.count.is_none() && logs.rows.iter().all(|row| row.number.is_none()));
}

#[test]
fn a_window_of_time_leads_to_its_first_row_when_none_in_view_is_of_it() {
    let trace = large(3_000);
    let at = |nanos| Some(wanted::Edge::Nanos(nanos));
    let zoomed =
        |first| Wanted { depth: Depth::All, is_ungrouped: true, at: first, t0: at(500_500_000), t1: at(501_500_000), ..Wanted::default() };
    let inside = fall(&trace, zoomed(None)).inside;
    assert!(inside.contains("&at=5001") && inside.contains("t0="), "{inside}");
    assert_eq!(fall(&trace, zoomed(Some(5_001))).inside, "");
    assert_eq!(fall(&trace, Wanted { t0: None, t1: None, ..zoomed(None) }).inside, "");
}

#[test]
fn very_many_siblings_whose_names_differ_in_numbers_alone_are_one_row() {
    let shown = |groups: u32, wanted: Wanted| {
        let waterfall = fall(&large(groups), wanted);
        let group = waterfall.rows.get(1).and_then(|row| Some((row.name.clone(), row.group.clone()?)));
        (waterfall.total, group.map(|(name, group)| (name, group.times, group.facts.split(" · ").next().unwrap().to_owned())))
    };
    // Below a root as many spans as it has groups, each named after its number.
    let (total, group) = shown(301, Wanted::default());
    assert_eq!((total, group), (2, Some(("span #".to_owned(), "×301".to_owned(), "301\u{a0}names".to_owned()))));
    assert!(shown(301, Wanted { is_ungrouped: true, ..Wanted::default() }).0 > 301);
    assert_eq!(shown(300, Wanted { depth: Depth::Levels(1), ..Wanted::default() }), (301, None), "so many may be steps that differ");
}

#[test]
fn many_similar_siblings_are_one_row_with_totals() {
    let rows = fall(&looping(12), Wanted::default()).rows;
    let group = rows.iter().find(|row| row.group.is_some()).unwrap();
    let totals = group.group.clone().unwrap();
    assert_eq!((rows.len(), group.name.as_str(), totals.times.as_str(), totals.errors.as_str()), (5, "SELECT", "×12", "1\u{a0}error"));
    assert_eq!(group.duration, "Σ 13.0\u{202f}ms");
    assert_eq!(totals.facts, "p50 1.00\u{202f}ms · max 2.00\u{202f}ms");
    assert!(totals.slowest.contains(&format!("span={}", id(106))) && totals.failed.contains(&format!("span={}", id(104))));
    assert_eq!(fall(&looping(10), Wanted::default()).rows.len(), 14, "ten are not many");
}

#[test]
fn a_group_opens_by_its_address_for_what_is_chosen_and_when_grouping_is_off() {
    let trace = looping(12);
    let toggle = fall(&trace, Wanted::default()).rows[2].toggle.clone();
    assert_eq!(toggle, format!("/trace/{}?groups={}&near=g{}#sg{}", trace.id, id(100), id(100), id(100)));
    let open = fall(&trace, Wanted { groups: vec![id(100)], ..Wanted::default() }).rows;
    assert_eq!((open.len(), open[2].is_open, open[3].level), (17, Some(true), open[2].level + 1));
    assert!(fall(&trace, Wanted { span: Some(id(103)), ..Wanted::default() }).rows.iter().any(|row| row.is_chosen));
    assert_eq!(fall(&trace, Wanted { is_ungrouped: true, ..Wanted::default() }).rows.len(), 16);
}

#[test]
fn a_span_can_be_the_root_and_the_axis_is_its_own() {
    let wanted = Wanted { root: Some(id(2)), ..Wanted::default() };
    let rows = fall(&sample::checkout(), wanted.clone()).rows;
    assert_eq!(
        rows.iter().map(|row| (row.name.as_str(), row.level, row.bar.x.as_str())).collect::<Vec<_>>(),
        [("Reserve", 1, "0"), ("SELECT stock", 2, "20")]
    );
    let outside = scene(&sample::checkout(), wanted).to_span(0);
    assert!(!outside.contains("root="), "{outside}");
}

#[test]
fn bars_outside_the_window_of_time_say_on_which_side() {
    let edge = |ms: u64| Some(wanted::Edge::Nanos(ms * 1_000_000));
    let rows = fall(&sample::checkout(), Wanted { t0: edge(35), t1: edge(60), ..Wanted::default() }).rows;
    let sides: Vec<&str> = rows.iter().map(|row| row.bar.outside).collect();
    assert_eq!(sides, ["", "◂", "◂", ""]);
    assert_eq!((rows[3].bar.x.as_str(), rows[3].bar.width.as_str()), ("20", "80"));
}

#[test]
fn a_very_deep_trace_is_indented_no_further_than_can_be_read() {
    let mut spans = Vec::new();
    for n in 0..200_u64 {
        let mut span = sample::span(1, 0, "a", "down", n, 1_000 - n);
        span.span_id = SpanId::from_slice(&(n + 1).to_be_bytes()).unwrap();
        span.parent_span_id = SpanId::from_slice(&n.to_be_bytes());
        spans.push(span);
    }
    let trace = Trace::assemble(spans[0].trace_id, spans, true, Vec::new());
    let rows = fall(&trace, Wanted { at: Some(90), ..Wanted::default() }).rows;
    assert_eq!((rows[9].indent, rows[9].beyond, rows[9].level), (24, 75, 100));
}

#[test]
fn what_does_not_match_the_search_steps_back() {
    let wanted = Wanted { find: "ChargeCard".to_owned(), is_dim: true, ..Wanted::default() };
    let dim: Vec<bool> = fall(&sample::checkout(), wanted.clone()).rows.iter().map(|row| row.is_dim).collect();
    assert_eq!(dim, [true, true, true, false]);
    let nothing = fall(&sample::checkout(), Wanted { find: "nothing like it".to_owned(), ..wanted });
    assert!(nothing.rows.iter().all(|row| !row.is_dim));
}

#[test]
fn a_pill_does_not_repeat_the_name() {
    let mut trace = sample::checkout();
    let query = |value: &str| storage::KeyValue { key: "db.operation.name".to_owned(), value: storage::Value::String(value.to_owned()) };
    trace.spans[2].attributes = vec![query("select")];
    trace.spans[1].attributes = vec![query("UPDATE")];
    let rows = fall(&trace, Wanted::default()).rows;
    assert_eq!(rows.iter().map(|row| row.pill.as_str()).collect::<Vec<_>>(), ["", "UPDATE", "", "402"]);
}

#[test]
fn log_records_between_rows_are_bounded_counted_and_lead_to_all() {
    let trace = sample::checkout();
    let wanted = Wanted { marks: LogMarks::Rows, ..Wanted::default() };
    let records: Vec<_> = (0..25).map(|number| LogRecord { record_id: number, ..sample::record("tried") }).collect();
    let look = |records: &[LogRecord]| {
        let means = (Links::default(), Clockface::new(UnixNanos::new(0), None), Palette::default());
        let scene = sample::scene(&trace, records.to_vec(), wanted.clone(), means);
        waterfall(&scene, &plan(&scene))
    };
    let fall = look(&records);
    assert_eq!((fall.rows[3].logs.len(), fall.rows[3].more_logs.0.as_str()), (20, "5\u{a0}log records more of this span"));
    assert!(fall.rows[3].more_logs.1.ends_with(&format!("logs=rows&span={}&tab=logs#s{}", id(3), id(3))), "{}", fall.rows[3].more_logs.1);
    let (told, href) = fall.logs.clone().unwrap();
    assert_eq!(told, "20 of 25 log records of these rows are shown.");
    assert_eq!(href, format!("/trace/{}?logs=rows&view=logs", trace.id));
    let all = look(&records[..20]);
    assert!(all.logs.is_none() && all.rows[3].more_logs.0.is_empty());
    // As a grid counts: a heading, and records between rows.
    let numbers = |fall: &Waterfall| fall.rows.iter().map(|row| row.number).collect::<Vec<_>>();
    assert_eq!(numbers(&all), [Some(2), Some(3), Some(4), Some(5)]);
    assert_eq!((all.count, look(&records[..1]).count), (Some(25), Some(6)));
    assert_eq!(fall.count, Some(26), "the row that leads to the others is one too");
}

#[test]
fn one_window_holds_so_many_log_records_whatever_its_spans_have() {
    let mut spans = vec![sample::span(1, 0, "a", "root", 0, 1_000)];
    spans.extend((2..60).map(|number| sample::span(number, 1, "a", &format!("step {number}"), 1, 2)));
    let trace = Trace::assemble(spans[0].trace_id, spans, true, Vec::new());
    let of_span = |number: u8| (0..10).map(move |_| LogRecord { span_id: Some(id(number)), ..sample::record("tried") });
    let means = (Links::default(), Clockface::new(UnixNanos::new(0), None), Palette::default());
    let wanted = Wanted { marks: LogMarks::Rows, ..Wanted::default() };
    let scene = sample::scene(&trace, (2..60).flat_map(of_span).collect(), wanted, means);
    let fall = waterfall(&scene, &plan(&scene));
    assert_eq!(fall.rows.iter().map(|row| row.logs.len()).sum::<usize>(), 120);
    assert_eq!(fall.rows[20].more_logs.0, "10\u{a0}log records of this span");
    assert_eq!(fall.logs.unwrap().0, "120 of 580 log records of these rows are shown.");
}
