//! Whoever folds, unfolds or groups rows goes on from the row that it was.

use super::*;
use crate::view::trace::wanted::Near;

fn near(span: SpanId, is_group: bool, wanted: Wanted) -> Wanted {
    Wanted { near: Some(Near { span, is_group }), ..wanted }
}

/// The row to go on from: its id and what it is called.
fn place(trace: &Trace, wanted: Wanted) -> Option<String> {
    fall(trace, wanted).rows.into_iter().find(|row| row.is_near).map(|row| row.id)
}

#[test]
fn a_row_that_is_folded_is_found_by_what_it_is_folded_into() {
    let trace = looping(12);
    let open = Wanted { groups: vec![id(100)], ..Wanted::default() };
    let ungrouped = Wanted { is_ungrouped: true, ..Wanted::default() };
    let group = format!("g{}", id(100));
    assert_eq!(place(&trace, near(id(105), false, ungrouped.clone())), Some(id(105).to_string()));
    assert_eq!(place(&trace, near(id(105), false, Wanted::default())), Some(group.clone()));
    // An open group and its first span are two rows of one id.
    assert_eq!(place(&trace, near(id(100), true, open.clone())), Some(group));
    assert_eq!(place(&trace, near(id(100), false, open)), Some(id(100).to_string()));
    assert_eq!(place(&trace, near(id(100), true, ungrouped)), Some(id(100).to_string()));
    let closed = Wanted { closed: vec![id(2)], ..Wanted::default() };
    assert_eq!(place(&trace, near(id(105), false, closed)), Some(id(2).to_string()));
    assert_eq!(place(&trace, near(id(250), false, Wanted::default())), None);
}

#[test]
fn the_window_of_rows_is_around_the_row_that_was_folded() {
    let trace = large(3_000);
    let wanted = Wanted { depth: Depth::All, is_ungrouped: true, ..Wanted::default() };
    let span = trace.spans[20_000].span_id;
    let rows = fall(&trace, near(span, false, wanted.clone())).rows;
    assert!(rows.iter().any(|row| row.is_near && row.id == span.to_string()));
    // What folds it says so in its address, without the window that was asked for before.
    let scrolled = fall(&trace, Wanted { at: Some(15_000), ..wanted });
    let row = scrolled.rows.iter().find(|row| row.is_open.is_some()).unwrap();
    assert!(row.toggle.ends_with(&format!("&near={}#s{}", row.id, row.id)) && !row.toggle.contains("at="), "{}", row.toggle);
    assert!(!row.href.contains("near="), "it is of one step");
}

#[test]
fn each_row_knows_the_row_that_it_stands_below() {
    let above: Vec<usize> =
        fall(&looping(12), Wanted { groups: vec![id(100)], ..Wanted::default() }).rows.iter().map(|row| row.above).collect();
    assert_eq!(above[..6], [0, 1, 2, 3, 3, 3]);
}
