//! One service in detail: its tabs, and one of its operations.

use askama::Template;
use storage::{TimeRange, UnixNanos};

use super::{Dependency, ErrorRow, Latency, OperationRow, Row};
use crate::ask::Instance;
use crate::view::chart::{Bars, Lines};
use crate::view::colour::Chip;
use crate::view::format::{self, Clockface, Moment};
use crate::view::frame::Frame;
use crate::view::hints::Hint;
use crate::view::link::{Links, term};
use crate::view::logs::Row as LogRow;
use crate::view::traces::Row as TraceRow;

/// What is shown below the totals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tab {
    #[default]
    Operations,
    Dependencies,
    Errors,
    Instances,
    Logs,
}

/// `/services/{service}`.
#[derive(Debug, Default, Template)]
#[template(path = "service.html")]
pub(crate) struct Service {
    pub(crate) frame: Frame,
    pub(crate) chip: Chip,
    pub(crate) row: Option<Row>,
    pub(crate) requests: Option<Bars>,
    /// How long requests took over time.
    pub(crate) durations: Option<Lines>,
    /// Versions that came within the window, in words.
    pub(crate) versions: Vec<String>,
    /// Failed spans over time, of the part Errors.
    pub(crate) failed_spans: Option<Bars>,
    pub(crate) tab: Tab,
    /// Word, address, whether it is the present one, and its key.
    pub(crate) tabs: Vec<(&'static str, String, bool, usize)>,
    pub(crate) operations: Vec<OperationRow>,
    /// Orders of the operations: word, address and whether it is the present one.
    pub(crate) orders: Vec<(&'static str, String, bool)>,
    /// Whether shares of time are of requests, else of all spans.
    pub(crate) has_requests: bool,
    pub(crate) callers: Vec<Dependency>,
    /// Whether someone calls who sends no spans.
    pub(crate) has_user: bool,
    pub(crate) callees: Vec<Dependency>,
    pub(crate) errors: Vec<ErrorRow>,
    /// Their orders: word, address and whether it is the present one.
    pub(crate) error_orders: Vec<(&'static str, String, bool)>,
    /// Whether they say when they were first seen of all that is kept, and where they do.
    pub(crate) is_ever: bool,
    pub(crate) first_ever: String,
    /// What failed against what did not.
    pub(crate) contrast: String,
    pub(crate) instances: Vec<InstanceRow>,
    pub(crate) failures: Vec<TraceRow>,
    pub(crate) logs: Vec<LogRow>,
    pub(crate) notes: Vec<String>,
    /// Lists of this service's traces, failures, logs, and its place on the map.
    pub(crate) traces: String,
    pub(crate) failed: String,
    pub(crate) all_logs: String,
    pub(crate) on_map: String,
    /// The whole of time, when this window holds nothing, and what is nearest to it.
    pub(crate) all_time: String,
    pub(crate) elsewhere: Vec<Hint>,
}

/// A running copy.
#[derive(Clone, Debug, Default)]
pub(crate) struct InstanceRow {
    pub(crate) id: String,
    pub(crate) version: String,
    pub(crate) host: String,
    pub(crate) sdk: String,
    pub(crate) spans: String,
    pub(crate) errors: String,
    pub(crate) is_failing: bool,
    pub(crate) first: Moment,
    pub(crate) last: Moment,
    pub(crate) href: String,
}

/// `/services/{service}/ops/{op}`.
#[derive(Debug, Default, Template)]
#[template(path = "operation.html")]
pub(crate) struct OperationPage {
    pub(crate) frame: Frame,
    pub(crate) chip: Chip,
    pub(crate) service: String,
    pub(crate) name: String,
    pub(crate) row: Option<OperationRow>,
    pub(crate) latency: Latency,
    /// At which percentile, how long, and where.
    pub(crate) examples: Vec<(&'static str, String, String)>,
    pub(crate) slow: Vec<TraceRow>,
    pub(crate) failed: Vec<TraceRow>,
    pub(crate) traces: String,
    pub(crate) failures: String,
    pub(crate) compare: String,
    /// Whether no span has this name, and what was perhaps meant.
    pub(crate) is_unknown: bool,
    pub(crate) meant: Vec<(String, String)>,
    pub(crate) notes: Vec<String>,
    pub(crate) all_time: String,
}

// === impl Tab ===

impl Tab {
    /// Words of the address.
    pub(crate) const WORDS: [(&'static str, Self); 5] = [
        ("operations", Self::Operations),
        ("dependencies", Self::Dependencies),
        ("errors", Self::Errors),
        ("instances", Self::Instances),
        ("logs", Self::Logs),
    ];

    /// The list of tabs for the page of a service.
    pub(crate) fn list(self, service: &str, links: &Links) -> Vec<(&'static str, String, bool, usize)> {
        let labels = ["Operations", "Dependencies", "Errors", "Instances", "Logs"];
        let tab = |(place, (label, (word, tab))): (usize, (&'static str, (&'static str, Self)))| {
            let word = if tab == Self::Operations { "" } else { word };
            (label, links.service(service).with("tab", word).href(), tab == self, place + 1)
        };
        labels.into_iter().zip(Self::WORDS).enumerate().map(tab).collect()
    }

    /// The word of the address.
    pub(crate) fn as_str(&self) -> &'static str {
        Self::WORDS.iter().find(|(_, tab)| tab == self).map_or("", |(word, _)| word)
    }
}

/// Instances as rows.
pub(crate) fn instance_rows(service: &str, instances: &[Instance], links: &Links, clock: &Clockface) -> Vec<InstanceRow> {
    let shown = |text: &str| if text.is_empty() { format::MISSING.to_owned() } else { format::line(text, 120) };
    let row = |instance: &Instance| InstanceRow {
        id: shown(&instance.id),
        version: shown(&instance.version),
        host: shown(&instance.host),
        sdk: shown(&instance.sdk),
        spans: format::count(instance.spans),
        errors: format::percent(instance.errors, instance.spans),
        is_failing: instance.errors > 0,
        first: clock.moment(instance.first),
        last: clock.moment(instance.last),
        href: if instance.id.is_empty() {
            links.traces(&term("service", service)).href()
        } else {
            let only = term("resource.service.instance.id", &instance.id);
            links.traces(&format!("{} {only}", term("service", service))).href()
        },
    };
    instances.iter().take(MAX_ROWS).map(row).collect()
}

/// Versions that came after the first of the window, in the order of time: where they are marked in a chart over it, and what is said of them.
pub(crate) fn version_marks(versions: &[(String, UnixNanos)], range: TimeRange, clock: &Clockface) -> Vec<(String, String)> {
    let length = range.to.since(range.from);
    let mark = |(version, first): &(String, UnixNanos)| {
        let words = format!("Version {} first seen {}", format::line(version, 60), clock.second(*first));
        (format::position(first.since(range.from), length), words)
    };
    versions.iter().skip(1).take(MAX_MARKS).map(mark).collect()
}

/// Versions that are marked.
const MAX_MARKS: usize = 8;

/// More instances are not listed.
const MAX_ROWS: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tabs_are_addresses_of_which_the_first_is_plain() {
        let tabs = Tab::Errors.list("a b", &Links::default());
        assert_eq!(tabs[0], ("Operations", "/services/a%20b".to_owned(), false, 1));
        assert_eq!(tabs[2], ("Errors", "/services/a%20b?tab=errors".to_owned(), true, 3));
    }
}
