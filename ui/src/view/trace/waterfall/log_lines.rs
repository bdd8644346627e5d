//! Log records as rows between spans: so many below one span and in one window, and for the others how many there are and where.

use storage::LogRecord;

use super::{Plan, Row, Scene, severity};
use crate::view::trace::PanelTab;
use crate::view::{format, logs};

/// A log record between spans.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LogLine {
    pub(crate) x: String,
    pub(crate) class: &'static str,
    pub(crate) letter: &'static str,
    pub(crate) body: String,
    pub(crate) href: String,
    pub(crate) at: String,
}

/// Puts records below the rows of a window. When not all of them fit: how many there are, and the address of all of the trace.
pub(super) fn fill(scene: &Scene, plan: &Plan, rows: &mut [Row]) -> Option<(String, String)> {
    let (mut room, mut shown, mut total) = (MAX_ROWS, 0, 0);
    for (row, line) in rows.iter_mut().zip(&plan.lines) {
        // The spans of a folded group are not in view.
        let count = if line.group.is_empty() { scene.by_span.get(&line.place).map_or(0, Vec::len) } else { 0 };
        let taken = count.min(MAX_OF_SPAN).min(room);
        row.logs = scene.records(line.place).take(taken).map(|record| log_line(scene, line.place, record)).collect();
        if count > taken {
            let more = format::counted((count - taken) as u64, "log record", "log records");
            let words = if taken > 0 { format!("{more} more of this span") } else { format!("{more} of this span") };
            let address = scene.here().with("span", &row.id).with("at", "").with("tab", PanelTab::Logs.as_str());
            row.more_logs = (words, format!("{}#s{}", address.href(), row.id));
        }
        room -= taken;
        shown += taken;
        total += count;
    }
    (shown < total).then(|| {
        let words = format!("{} of {} log records of these rows are shown.", format::exact(shown as u64), format::exact(total as u64));
        (words, scene.here().with("view", "logs").with("span", "").with("tab", "").with("at", "").href())
    })
}

fn log_line(scene: &Scene, place: usize, record: &LogRecord) -> LogLine {
    let (class, letter) = severity(record.severity_number);
    let offset = scene.since(place, record.time);
    let address = scene.here().with("view", "logs").with("span", "").with("tab", "");
    LogLine {
        x: scene.axis.x(offset),
        class,
        letter,
        body: format::line(&logs::body(&record.body, &record.event_name), 300),
        href: logs::opened(address, record.record_id),
        at: format::duration(offset),
    }
}

/// Log records below one span.
const MAX_OF_SPAN: usize = 20;

/// Log records in one window of rows.
const MAX_ROWS: usize = 120;
