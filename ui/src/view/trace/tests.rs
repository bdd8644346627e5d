use storage::UnixNanos;

use super::*;

/// Looks at a trace with what an address asks for.
fn with<T>(trace: &Trace, wanted: &Wanted, look: impl FnOnce(&Scene<'_>) -> T) -> T {
    let outline = Outline::new(trace);
    let logs = [sample::record("card declined")];
    let (links, clock, palette) = (Links::default(), Clockface::new(UnixNanos::new(0), None), Palette::default());
    look(&Scene::new(trace, &outline, &logs, wanted, (&links, &clock, &palette)))
}

fn names(trace: &Trace, wanted: &Wanted) -> Vec<String> {
    with(trace, wanted, |scene| waterfall(scene).rows.into_iter().map(|row| row.name).collect())
}

fn id(last: u8) -> SpanId {
    SpanId::from_slice(&[0, 0, 0, 0, 0, 0, 1, last]).unwrap()
}

/// One root, with `groups` children of nine spans each.
fn large(groups: u32) -> Trace {
    let mut spans = vec![sample::span(1, 0, "a", "root", 0, 1_000)];
    for number in 0..groups * 10 {
        let mut span = sample::span(2, 1, "a", &format!("span {number}"), u64::from(number) / 10, u64::from(number) / 10 + 1);
        let bytes = (number + 1_000).to_be_bytes();
        span.span_id = SpanId::from_slice(&[1, 0, 0, 0, bytes[0], bytes[1], bytes[2], bytes[3]]).unwrap();
        if number % 10 > 0 {
            let above = (number / 10 * 10 + 1_000).to_be_bytes();
            span.parent_span_id = SpanId::from_slice(&[1, 0, 0, 0, above[0], above[1], above[2], above[3]]);
        }
        spans.push(span);
    }
    Trace::assemble(spans[0].trace_id, spans, true, Vec::new())
}

#[test]
fn rows_follow_the_tree_and_bars_the_time() {
    let rows = with(&sample::checkout(), &Wanted::default(), |scene| waterfall(scene).rows);
    let shape: Vec<_> = rows.iter().map(|row| (row.name.as_str(), row.level, row.bar.x.as_str(), row.bar.width.as_str())).collect();
    assert_eq!(
        shape,
        [("POST /checkout", 1, "0", "100"), ("Reserve", 2, "5", "25"), ("SELECT stock", 3, "10", "10"), ("ChargeCard", 2, "40", "50")]
    );
    assert!(rows[0].has_error_below && !rows[0].is_error && rows[3].is_error);
    assert_eq!(rows[3].pill, "402");
    assert_eq!(rows[3].bar.dots.len(), 3, "two events and one log record");
}

#[test]
fn a_folded_span_hides_what_is_below_and_its_address_says_so() {
    let trace = sample::checkout();
    let toggle = with(&trace, &Wanted::default(), |scene| waterfall(scene).rows[1].toggle.clone());
    assert_eq!(toggle, format!("/trace/{}?closed={}#s{}", trace.id, id(2), id(2)));
    let closed = Wanted { closed: vec![id(2)], ..Wanted::default() };
    assert_eq!(names(&trace, &closed), ["POST /checkout", "Reserve", "ChargeCard"]);
}

#[test]
fn the_chosen_span_is_shown_whatever_is_folded() {
    let wanted = Wanted { span: Some(id(4)), closed: vec![id(2)], ..Wanted::default() };
    assert!(names(&sample::checkout(), &wanted).contains(&"SELECT stock".to_owned()));
}

#[test]
fn only_errors_keeps_the_rows_above_them() {
    let wanted = Wanted { only: Only::Errors, ..Wanted::default() };
    assert_eq!(names(&sample::checkout(), &wanted), ["POST /checkout", "ChargeCard"]);
}

#[test]
fn matches_are_marked_counted_and_linked_around_the_ends() {
    let wanted = Wanted { find: "service:orders".to_owned(), span: Some(id(4)), ..Wanted::default() };
    let tools = with(&sample::checkout(), &wanted, tools);
    assert_eq!(tools.found, "2 of 2");
    assert!(tools.next_match.ends_with(&format!("#s{}", id(2))), "{}", tools.next_match);
    assert_eq!(tools.errors, "1");
    assert!(tools.next_error.contains(&format!("span={}", id(3))), "{}", tools.next_error);
}

#[test]
fn a_large_trace_is_folded_and_sent_in_windows() {
    let trace = large(3_000);
    let folded = with(&trace, &Wanted::default(), waterfall);
    assert!(folded.is_windowed && folded.rows.len() == 200 && folded.total < 31_000);
    let all = Wanted { is_expanded: true, at: Some(30_900), ..Wanted::default() };
    let last = with(&trace, &all, waterfall);
    assert_eq!((last.total, last.rows.len(), last.after.as_str()), (30_001, 1, ""));
    let chosen = Wanted { span: Some(trace.spans[20_000].span_id), is_expanded: true, ..Wanted::default() };
    assert!(with(&trace, &chosen, waterfall).rows.iter().any(|row| row.is_chosen));
}

#[test]
fn the_detail_has_exception_link_and_logs() {
    let wanted = Wanted { span: Some(id(3)), ..Wanted::default() };
    let panel = with(&sample::checkout(), &wanted, |scene| panel(scene, scene.chosen.unwrap())).unwrap();
    assert_eq!(panel.events[0].exception, "card declined: card declined");
    assert_eq!(panel.links[0].href, format!("/trace/{}?span={}#s{}", "09".repeat(16), "09".repeat(8), "09".repeat(8)));
    assert_eq!(panel.logs.len(), 1);
    assert_eq!(panel.message, "card declined");
}

#[test]
fn times_of_services_are_their_own() {
    let shares = with(&sample::checkout(), &Wanted::default(), shares);
    assert_eq!(shares.len(), 3);
    assert_eq!(shares[0].chip.name, "payment");
}
