//! One service in detail: its tabs, and one of its operations.

use askama::Template;
use storage::{Grid, GridCell, TimeRange};

use super::{Dependency, OperationRow, Row};
use crate::ask::{ErrorGroup, Instance};
use crate::view::chart::{Bars, Lines};
use crate::view::colour::Chip;
use crate::view::format::{self, Clockface, Moment};
use crate::view::frame::Frame;
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
    pub(crate) p95: Option<Lines>,
    pub(crate) tab: Tab,
    /// Word, address, whether it is the present one, and its key.
    pub(crate) tabs: Vec<(&'static str, String, bool, usize)>,
    pub(crate) operations: Vec<OperationRow>,
    pub(crate) callers: Vec<Dependency>,
    pub(crate) callees: Vec<Dependency>,
    pub(crate) errors: Vec<ErrorRow>,
    pub(crate) instances: Vec<InstanceRow>,
    pub(crate) failures: Vec<TraceRow>,
    pub(crate) logs: Vec<LogRow>,
    pub(crate) notes: Vec<String>,
    /// Lists of this service's traces, failures, logs, and its place on the map.
    pub(crate) traces: String,
    pub(crate) failed: String,
    pub(crate) all_logs: String,
    pub(crate) on_map: String,
    /// The whole of time, when this window holds nothing.
    pub(crate) all_time: String,
}

/// Failed spans that say the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct ErrorRow {
    pub(crate) kind: String,
    pub(crate) message: String,
    pub(crate) count: String,
    pub(crate) first: Moment,
    pub(crate) last: Moment,
    /// The newest of them.
    pub(crate) example: String,
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
    pub(crate) notes: Vec<String>,
    pub(crate) all_time: String,
}

/// How many spans took how long, on a logarithmic axis.
#[derive(Clone, Debug, Default)]
pub(crate) struct Latency {
    pub(crate) bars: Vec<LatencyBar>,
    /// Position in percent and duration.
    pub(crate) ticks: Vec<(String, String)>,
    /// Position in percent, and what is there: `p50`.
    pub(crate) marks: Vec<(String, &'static str)>,
    pub(crate) summary: String,
}

/// Spans of about one duration.
#[derive(Clone, Debug, Default)]
pub(crate) struct LatencyBar {
    pub(crate) x: String,
    pub(crate) width: String,
    /// Top edge and height of all, and of those that failed, in a box of 100.
    pub(crate) y: String,
    pub(crate) height: String,
    pub(crate) failed_y: String,
    pub(crate) failed_height: String,
    pub(crate) title: String,
    pub(crate) href: String,
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

/// Groups of errors as rows.
pub(crate) fn error_rows(groups: &[ErrorGroup], links: &Links, clock: &Clockface) -> Vec<ErrorRow> {
    let row = |group: &ErrorGroup| ErrorRow {
        kind: format::line(&group.kind, 120),
        message: if group.message.is_empty() { "(no message)".to_owned() } else { format::line(&group.message, 300) },
        count: format::count(group.count),
        first: clock.moment(group.first),
        last: clock.moment(group.last),
        example: group
            .example
            .map(|(trace, span)| format!("{}#s{span}", links.trace(&trace).with("span", &span.to_string()).href()))
            .unwrap_or_default(),
    };
    groups.iter().take(MAX_ROWS).map(row).collect()
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

// === impl Latency ===

impl Latency {
    /// Draws the rows of a grid; `marks` are percentiles. A bar leads to the traces of its durations.
    pub(crate) fn new(grid: &Grid, query: &str, marks: &[(&'static str, u64)], range: TimeRange, links: &Links) -> Self {
        let mut rows: std::collections::BTreeMap<usize, GridCell> = std::collections::BTreeMap::new();
        for cell in &grid.cells {
            let row = rows.entry(cell.row).or_default();
            row.count += cell.count;
            row.errors += cell.errors;
        }
        let (Some(first), Some(last)) = (rows.keys().next().copied(), rows.keys().next_back().copied()) else { return Self::default() };
        // A little air on both sides.
        let (first, last) = (first.saturating_sub(1), last + 2);
        let whole = (last - first) as u64;
        let max = rows.values().map(|row| row.count).max().unwrap_or(1);
        let all: u64 = rows.values().map(|row| row.count).sum();
        let bar = |(row, cell): (&usize, &GridCell)| {
            let (from, to) = Grid::bounds(*row);
            let height = (format::ratio(cell.count, max) * 100.0).max(1.5);
            let failed = if cell.errors == 0 { 0.0 } else { (format::ratio(cell.errors, max) * 100.0).max(1.5) };
            let only = format!("{query} duration>={from}ns duration<{to}ns");
            LatencyBar {
                x: format::position((row - first) as u64, whole),
                width: format::position(1, whole),
                y: format!("{:.2}", 100.0 - height),
                height: format!("{height:.2}"),
                failed_y: format!("{:.2}", 100.0 - failed),
                failed_height: format!("{failed:.2}"),
                title: format!(
                    "{} – {}: {}, {} failed",
                    format::duration(from),
                    format::duration(to),
                    format::counted(cell.count, "span", "spans"),
                    format::exact(cell.errors)
                ),
                href: links.traces(&only).href(),
            }
        };
        let position = |row: usize| format::position(row.saturating_sub(first) as u64, whole);
        let every = ((last - first) / 6).max(1);
        let tick = |row: usize| (position(row), format::duration(Grid::bounds(row).0));
        let seconds = range.to.since(range.from);
        Self {
            bars: rows.iter().map(bar).collect(),
            ticks: (first + 1..last).step_by(every).map(tick).collect(),
            marks: marks.iter().map(|(word, nanos)| (position(Grid::row_of(*nanos)), *word)).collect(),
            summary: format!("{} by duration, {}", format::counted(all, "span", "spans"), format::rate(all, seconds)),
        }
    }
}

/// More errors or instances are not listed.
const MAX_ROWS: usize = 100;

#[cfg(test)]
mod tests {
    use storage::UnixNanos;

    use super::*;

    #[test]
    fn latencies_are_drawn_on_a_logarithmic_axis_and_lead_to_their_traces() {
        let cell = |row, count, errors| GridCell { column: 0, row, count, errors };
        let grid = Grid { step: 1, columns: 1, cells: vec![cell(31, 10, 0), cell(41, 5, 5)], ..Grid::default() };
        let range = TimeRange { from: UnixNanos::new(0), to: UnixNanos::new(1_000_000_000) };
        let latency = Latency::new(&grid, "service:a", &[("p50", 1_000_000)], range, &Links::default());
        assert_eq!(latency.bars.len(), 2);
        assert_eq!((latency.bars[0].height.as_str(), latency.bars[0].failed_height.as_str()), ("100.00", "0.00"));
        assert_eq!((latency.bars[1].y.as_str(), latency.bars[1].failed_height.as_str()), ("50.00", "50.00"));
        assert_eq!(latency.bars[0].href, "/traces?q=service%3Aa%20duration%3E%3D1000000ns%20duration%3C1250000ns");
        assert_eq!(latency.marks[0].0, latency.bars[0].x);
    }

    #[test]
    fn tabs_are_addresses_of_which_the_first_is_plain() {
        let tabs = Tab::Errors.list("a b", &Links::default());
        assert_eq!(tabs[0], ("Operations", "/services/a%20b".to_owned(), false, 1));
        assert_eq!(tabs[2], ("Errors", "/services/a%20b?tab=errors".to_owned(), true, 3));
    }
}
