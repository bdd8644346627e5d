//! Where the list of traces leads: its other orders, the same as JSON, what to try when it is empty, and what its forms and traces carry along.

use storage::TraceOrder;

use super::{Asked, Visit};
use crate::params::{TRACE_ORDERS, Window};
use crate::view::conditions::{conditions, without};
use crate::view::link::{Address, Links};
use crate::view::search::Builder;

/// As addresses name an order; the default is left out.
pub(super) fn word_of(order: TraceOrder) -> &'static str {
    let word = TRACE_ORDERS.iter().find(|(_, known)| *known == order).map_or("", |(word, _)| *word);
    if order == TraceOrder::default() { "" } else { word }
}

/// What to try when nothing was found.
pub(super) fn otherwise(links: &Links, query: &str) -> Vec<(String, String)> {
    let wide = |label: &str, from: &str| (label.to_owned(), links.traces(query).with("to", "").with("from", from).href());
    let mut otherwise = vec![wide("Last 24 h", "now-24h"), wide("All time", "0")];
    if !query.is_empty() {
        otherwise.push(("Without the query".to_owned(), links.traces("").href()));
    }
    otherwise
}

/// The other orders of this list, what is selected kept.
pub(super) fn orders(links: &Links, asked: &Asked) -> Vec<(&'static str, String, bool)> {
    let labels = ["Newest", "Oldest", "Slowest", "Most spans", "Most errors"];
    let choice = |(label, (_, value)): (&'static str, &(&str, TraceOrder))| {
        let address = links.traces(&asked.query).with("sort", word_of(*value)).with("sel", &asked.part_written());
        (label, address.href(), asked.order == *value)
    };
    labels.into_iter().zip(&TRACE_ORDERS).map(choice).collect()
}

/// The list as JSON and as CSV: what is selected of the chart is a condition and a window there.
pub(super) fn api_links(links: &Links, asked: &Asked, window: &Window) -> [String; 2] {
    let address = links.plain("/api/v1/traces").with("q", &asked.narrowed()).with("order", word_of(asked.order));
    let part = asked.part();
    let (from, to) = match asked.selected {
        None => (window.from.clone(), window.to.clone()),
        Some(_) => (part.from.get().to_string(), part.to.get().to_string()),
    };
    let address = address.with("from", &from).with("to", &to);
    [address.href(), address.with("format", "csv").with("limit", "1000").href()]
}

/// This list and the moment it shows, for the pages of its traces, which lead on to the next.
pub(super) fn reference(visit: &Visit) -> String {
    let kept = visit.params.pairs().filter(|(name, _)| REFERRED.contains(name));
    let address = Address::default().with_all(kept, &[]).with("seen", &visit.state.now().get().to_string());
    address.href().trim_start_matches('?').to_owned()
}

/// What the forms of this page carry along.
pub(super) fn kept(visit: &Visit) -> Vec<(String, String)> {
    let names = ["from", "to", "sort"];
    visit.params.pairs().filter(|(name, _)| names.contains(name)).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

pub(super) fn composed(visit: &Visit, links: &Links) -> String {
    let field = |name: &str| visit.params.get(name).unwrap_or_default().to_owned();
    let builder = Builder {
        service: field("service"),
        operation: field("operation"),
        status: field("status"),
        severity: String::new(),
        min: field("min"),
        max: field("max"),
        rest: field("rest"),
    };
    links.traces(&builder.compose()).with("sort", &field("sort")).href()
}

/// Parameters that decide what a list holds.
const REFERRED: [&str; 7] = ["q", "from", "to", "sort", "sel", "cursor", "limit"];

/// Where the spans that a query finds are compared with those that it finds without its one condition on how they ended, or how long they took.
pub(super) fn against_rest(query: &str, links: &Links) -> String {
    let Some(all) = conditions(query) else { return String::new() };
    let is_outcome = |condition: &&str| *condition == "status:error" || condition.starts_with("duration>");
    let mut outcomes = all.iter().enumerate().filter(|(_, condition)| is_outcome(condition));
    let (Some((place, condition)), None) = (outcomes.next(), outcomes.next()) else { return String::new() };
    links.windowed("/traces/compare-groups").with("q", &without(&all, place)).with("with", condition).href()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_or_took_long_is_compared_with_the_rest_of_the_same() {
        let links = Links::default();
        let compared = |q: &str, with: &str| links.plain("/traces/compare-groups").with("q", q).with("with", with).href();
        assert_eq!(against_rest("service:pay status:error root:true", &links), compared("service:pay root:true", "status:error"));
        assert_eq!(against_rest("status:error", &links), compared("", "status:error"));
        assert_eq!(against_rest("name:\"GET /a\" duration>=1s", &links), compared("name:\"GET /a\"", "duration>=1s"));
        for nothing in ["", "service:pay", "status:error OR duration>1s", "status:error duration>1s", "-status:error"] {
            assert_eq!(against_rest(nothing, &links), "", "{nothing}");
        }
    }
}
