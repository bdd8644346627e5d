//! Where a trace stands in the list that it was opened from, and the ways to the traces beside it.

use storage::{TraceId, TraceSearch, TraceSummary};

use super::View;
use crate::params::Params;
use crate::view::format;
use crate::view::link::{Address, Links};

/// The list that a trace was opened from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Neighbours {
    /// The list, and what it asks for.
    pub(crate) back: String,
    pub(crate) query: String,
    /// `3 of 50`, `3 of 50+ on a later page`; empty when the trace is no longer in the list.
    pub(crate) place: String,
    /// The traces beside it; empty at the ends.
    pub(crate) before: String,
    pub(crate) after: String,
}

impl Neighbours {
    /// `list` is the list as the address has it, `search` what it asks for, `found` what it holds: one page, and the first trace of the next.
    pub(crate) fn new(list: &str, search: &TraceSearch, found: &[TraceSummary], id: TraceId, view: View, links: &Links) -> Self {
        let (params, limit) = (Params::parse(list), search.limit);
        let trace = |trace: &TraceSummary, list: &str| links.trace(&trace.trace_id).with("view", view.as_str()).with("list", list).href();
        let mut neighbours = Self {
            back: links.plain("/traces").with_all(params.pairs(), &["seen"]).href(),
            query: format::line(params.get("q").unwrap_or_default(), 80),
            ..Self::default()
        };
        let Some(at) = found.iter().take(limit).position(|trace| trace.trace_id == id) else { return neighbours };
        let more = if found.len() > limit { "+" } else { "" };
        // How many there were on the pages before is not known.
        let of = if search.cursor.is_some() { " on a later page" } else { "" };
        neighbours.place = format!("{} of {}{more}{of}", at + 1, found.len().min(limit));
        neighbours.before = at.checked_sub(1).and_then(|at| found.get(at)).map(|before| trace(before, list)).unwrap_or_default();
        let after = found.get(at + 1);
        neighbours.after = match (after, found.get(at)) {
            (Some(after), Some(last)) if at + 1 == limit => trace(after, &next_page(&params, search, last)),
            (Some(after), _) => trace(after, list),
            (None, _) => String::new(),
        };
        neighbours
    }
}

/// The list from where a page of it ended.
fn next_page(params: &Params, search: &TraceSearch, last: &TraceSummary) -> String {
    let cursor = search.behind(last.key, last.trace_id);
    let next = Address::default().with_all(params.pairs(), &[]).with("cursor", &cursor.to_string());
    next.href().trim_start_matches('?').to_owned()
}

#[cfg(test)]
mod tests {
    use storage::{TimeRange, TraceOrder, UnixNanos};

    use super::*;

    fn found(count: u8) -> Vec<TraceSummary> {
        let summary = |n: u8| TraceSummary {
            trace_id: TraceId::from_slice(&[n; 16]).unwrap(),
            root_service: String::new(),
            root_name: String::new(),
            has_root: true,
            root_failed: false,
            start: UnixNanos::new(0),
            duration: 1,
            span_count: 1,
            error_count: 0,
            matched: 1,
            key: 100 - u64::from(n),
            services: Vec::new(),
            first_error: None,
            failure: None,
            repeated: None,
        };
        (1..=count).map(summary).collect()
    }

    fn search() -> TraceSearch {
        TraceSearch { query: "a b".to_owned(), range: TimeRange::ALL, order: TraceOrder::Newest, limit: 3, cursor: None }
    }

    fn of(place: u8, count: u8) -> Neighbours {
        let id = TraceId::from_slice(&[place; 16]).unwrap();
        Neighbours::new("q=a%20b&from=now-1h&seen=7", &search(), &found(count), id, View::Flame, &Links::default())
    }

    #[test]
    fn a_trace_leads_to_those_beside_it_in_its_list_and_back() {
        let middle = of(2, 3);
        assert_eq!((middle.place.as_str(), middle.query.as_str(), middle.back.as_str()), ("2 of 3", "a b", "/traces?q=a%20b&from=now-1h"));
        assert_eq!(middle.before, format!("/trace/{}?view=flame&list=q%3Da%2520b%26from%3Dnow-1h%26seen%3D7", "01".repeat(16)));
        assert!(middle.after.starts_with(&format!("/trace/{}?", "03".repeat(16))));
        assert_eq!((of(1, 3).before.as_str(), of(3, 3).after.as_str()), ("", ""));
        assert_eq!(of(9, 3).place, "");
    }

    #[test]
    fn the_last_of_a_page_leads_to_the_first_of_the_next() {
        let last = of(3, 4);
        assert_eq!(last.place, "3 of 3+");
        assert!(last.after.starts_with(&format!("/trace/{}?", "04".repeat(16))));
        let cursor = search().behind(97, TraceId::from_slice(&[3; 16]).unwrap()).to_string();
        assert!(last.after.ends_with(&format!("cursor%3D{cursor}")), "{}", last.after);
    }
}
