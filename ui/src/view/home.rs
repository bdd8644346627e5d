//! Home: how things are and what wants attention; or, while nothing has been received, how to begin.

use askama::Template;
use storage::{ServicePoint, ServiceSummary, TimeRange, TraceSummary};

use super::chart::Bars;
use super::format;
use super::frame::Frame;
use super::link::Links;
use super::services::Row as ServiceRow;
use super::traces::Row as TraceRow;

mod attention;

pub(crate) use self::attention::{Attention, Compared, Parts, SAMPLE, asks_how_often, asks_who_waits, attention};

/// `/`.
#[derive(Debug, Default, Template)]
#[template(path = "home.html")]
pub(crate) struct Home {
    pub(crate) frame: Frame,
    /// Number, what it counts and where it leads.
    pub(crate) totals: Vec<Total>,
    /// Requests of all services over time.
    pub(crate) requests: Option<Bars>,
    pub(crate) attention: Vec<Attention>,
    /// Lines that come after those.
    pub(crate) more_attention: Vec<Attention>,
    /// Why nothing is compared with the window before; empty when it is.
    pub(crate) uncompared: String,
    pub(crate) services: Vec<ServiceRow>,
    /// Their orders: word, address and whether it is the present one.
    pub(crate) orders: Vec<(&'static str, String, bool)>,
    pub(crate) failed: Vec<TraceRow>,
    pub(crate) slow: Vec<TraceRow>,
    /// Whether the slow ones are all of different operations.
    pub(crate) is_one_of_each: bool,
    pub(crate) notes: Vec<String>,
    /// That requests of senders were refused lately, and where they are listed.
    pub(crate) refused: Option<super::hints::Hint>,
    /// Where failures are told that come while the page is open; empty when the window has an end.
    pub(crate) live: String,
    pub(crate) map: String,
    pub(crate) all_failed: String,
    pub(crate) all_slow: String,
    /// Whether there is data, but none in this window; then, where.
    pub(crate) elsewhere: Vec<(String, String)>,
    /// What lies ahead of now, where nothing is in this window.
    pub(crate) ahead: Option<super::hints::Hint>,
    /// Saved views: name and address.
    pub(crate) saved: Vec<(String, String)>,
    pub(crate) demo: bool,
}

/// A number with its meaning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Total {
    pub(crate) value: String,
    pub(crate) label: &'static str,
    /// What exactly is counted, where the word alone may mislead.
    pub(crate) means: &'static str,
    pub(crate) href: String,
    pub(crate) is_bad: bool,
}

/// The points of all services added up.
pub(crate) fn added_up(services: &[ServiceSummary]) -> Vec<ServicePoint> {
    let most = services.iter().map(|service| service.points.len()).max().unwrap_or(0);
    let mut sums = vec![ServicePoint::default(); most];
    for service in services {
        for (sum, point) in sums.iter_mut().zip(&service.points) {
            sum.requests = sum.requests.saturating_add(point.requests);
            sum.errors = sum.errors.saturating_add(point.errors);
        }
    }
    sums
}

/// The line of totals; the last is how far back the data goes, where there is any.
pub(crate) fn totals(services: &[ServiceSummary], range: TimeRange, history: Option<u64>, links: &Links) -> Vec<Total> {
    let window = range.to.since(range.from);
    let sum = |value: fn(&ServiceSummary) -> u64| services.iter().map(value).fold(0_u64, u64::saturating_add);
    let (requests, errors) = (sum(|s| s.requests), sum(|s| s.errors));
    let total = |value, label, href: String| Total { value, label, href, ..Total::default() };
    let failed = links.traces("kind:server,consumer status:error").href();
    let history = history.map(|nanos| total(in_words(nanos), "of history", links.plain("/").with("from", "0").href()));
    let counted = [
        Total { means: REQUESTS, ..total(format::rate(requests, window), "requests", links.windowed("/services").href()) },
        Total { is_bad: errors > 0, ..total(format::percent(errors, requests), "failed", failed) },
        total(format::rate(sum(|s| s.span_count), window), "spans", links.windowed("/traces").href()),
        total(format::rate(sum(|s| s.log_count), window), "logs", links.windowed("/logs").href()),
        total(format::exact(services.len() as u64), "services", links.windowed("/services").href()),
    ];
    counted.into_iter().chain(history).collect()
}

/// The first of each kind of trace, up to so many, with how many of all are of its kind: one cause takes one line. Lines that are left over
/// are taken by further ones of these kinds, in their order.
pub(crate) fn one_of_each(traces: Vec<TraceSummary>, most: usize) -> Vec<(TraceSummary, usize)> {
    let mut found: Vec<(usize, (TraceSummary, usize))> = Vec::new();
    let mut further: Vec<(usize, TraceSummary)> = Vec::new();
    for (place, trace) in traces.into_iter().enumerate() {
        let is_alike = |known: &TraceSummary| (&known.root_service, &known.root_name) == (&trace.root_service, &trace.root_name);
        match found.iter_mut().find(|(_, (known, _))| is_alike(known)) {
            Some((_, (_, count))) => {
                *count += 1;
                further.push((place, trace));
            }
            None => found.push((place, (trace, 1))),
        }
    }
    found.truncate(most);
    found.extend(further.into_iter().map(|(place, trace)| (place, (trace, 1))).take(most - found.len()));
    found.sort_by_key(|(place, _)| *place);
    found.into_iter().map(|(_, listed)| listed).collect()
}

/// A duration that may break between its units where there is little room.
fn in_words(nanos: u64) -> String {
    format::duration(nanos).replace('\u{a0}', " ")
}

/// The one meaning of the word on all pages.
const REQUESTS: &str = "What services were asked to do, by other services or from outside: their server and consumer spans. A trace \
    holds one for each time it enters a service.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_of_services_are_added_up_where_they_stand() {
        let service = |points: &[(u64, u64)]| ServiceSummary {
            name: String::new(),
            span_count: 0,
            requests: 0,
            errors: 0,
            p50: 0,
            p95: 0,
            p99: 0,
            log_count: 0,
            last_seen: storage::UnixNanos::new(0),
            points: points
                .iter()
                .map(|(requests, errors)| ServicePoint { requests: *requests, errors: *errors, ..ServicePoint::default() })
                .collect(),
        };
        let sums = added_up(&[service(&[(1, 0), (2, 1)]), service(&[(5, 5)]), service(&[])]);
        assert_eq!(sums.iter().map(|sum| (sum.requests, sum.errors)).collect::<Vec<_>>(), [(6, 5), (2, 1)]);
        assert!(added_up(&[]).is_empty());
    }

    #[test]
    fn of_slow_traces_each_kind_takes_one_line() {
        let trace = |root: &str, duration| TraceSummary { root_name: root.to_owned(), duration, ..summary() };
        let told = |slow: &str, most| -> String {
            let slow = slow.chars().zip(1..).map(|(root, place)| trace(&root.to_string(), 10 - place)).collect();
            let listed = one_of_each(slow, most).into_iter();
            listed.map(|(trace, count)| format!("{}{} ×{count}", trace.root_name, trace.duration)).collect::<Vec<_>>().join(", ")
        };
        assert_eq!(told("aabac", 2), "a9 ×3, b7 ×1");
        assert_eq!(told("aabaa", 4), "a9 ×4, a8 ×1, b7 ×1, a6 ×1", "further ones take lines that are left over");
        assert_eq!(told("aa", 4), "a9 ×2, a8 ×1");
    }

    fn summary() -> TraceSummary {
        TraceSummary {
            trace_id: storage::TraceId::from_slice(&[7; 16]).unwrap(),
            root_service: String::new(),
            root_name: String::new(),
            has_root: true,
            root_failed: false,
            start: storage::UnixNanos::new(1),
            duration: 1,
            span_count: 1,
            error_count: 0,
            matched: 1,
            key: 1,
            services: Vec::new(),
            first_error: None,
            failure: None,
            repeated: None,
        }
    }

    #[test]
    fn totals_end_with_how_far_back_the_data_goes() {
        let range = TimeRange { from: storage::UnixNanos::new(0), to: storage::UnixNanos::new(1_000_000_000) };
        let last = |history| totals(&[], range, history, &Links::default()).pop().unwrap();
        assert_eq!((last(None).label, last(Some(90_000_000_000)).label), ("services", "of history"));
        assert_eq!((last(Some(90_000_000_000)).value, last(Some(1)).href), (in_words(90_000_000_000), "/?from=0".to_owned()));
    }
}
