//! What was deleted on request: receipts as rows.

use askama::Template;
use storage::{DeleteReceipt, DeleteWhat, Signal, UnixNanos};

use crate::view::format::{self, Clockface, Moment};
use crate::view::frame::Frame;
use crate::view::link::Links;

/// `/status/deletes`.
#[derive(Debug, Default, Template)]
#[template(path = "deletes.html")]
pub(crate) struct Deletes {
    pub(crate) frame: Frame,
    pub(crate) rows: Vec<Deleted>,
    /// How many older receipts there are besides; empty for none.
    pub(crate) older: String,
    /// The same for programs.
    pub(crate) api: String,
}

/// One receipt.
#[derive(Debug, Default)]
pub(crate) struct Deleted {
    pub(crate) id: String,
    /// The traces by id, each with the page that says so.
    pub(crate) traces: Vec<(String, String)>,
    /// How many traces more; empty for none.
    pub(crate) more: String,
    /// The search: what was asked, and the list that it would find now.
    pub(crate) query: String,
    pub(crate) found: String,
    /// Of what, and from when to when.
    pub(crate) scope: String,
    pub(crate) asked: Moment,
    /// `12 spans, 3 log records`.
    pub(crate) rows: String,
    /// Whether nothing matched: then nothing was on the disk that could be gone.
    pub(crate) is_nothing: bool,
    /// When no file held them any more; `None` until then.
    pub(crate) done: Option<Moment>,
    /// The receipt for programs.
    pub(crate) href: String,
}

/// Receipts as they are listed: the newest first, a bounded number.
pub(crate) fn deletes(receipts: &[DeleteReceipt], links: &Links, clock: &Clockface, frame: Frame) -> Deletes {
    let older = receipts.len().saturating_sub(LISTED);
    Deletes {
        frame,
        rows: receipts.iter().take(LISTED).map(|receipt| row(receipt, links, clock)).collect(),
        older: if older == 0 { String::new() } else { format::counted(older as u64, "older one", "older ones") },
        api: links.plain("/api/v1/deletes").href(),
    }
}

fn row(receipt: &DeleteReceipt, links: &Links, clock: &Clockface) -> Deleted {
    let mut row = Deleted {
        id: receipt.id.clone(),
        asked: clock.moment(receipt.asked),
        rows: rows(receipt),
        is_nothing: (receipt.spans, receipt.logs) == (0, 0),
        done: receipt.done.map(|done| clock.moment(done)),
        href: links.plain(&format!("/api/v1/deletes/{}", receipt.id)).href(),
        ..Deleted::default()
    };
    match &receipt.what {
        DeleteWhat::Traces(ids) => {
            row.traces = ids.iter().take(NAMED).map(|id| (id.to_string(), links.trace(id).href())).collect();
            let more = ids.len().saturating_sub(NAMED);
            row.more = if more == 0 { String::new() } else { format!("and {}", format::counted(more as u64, "more trace", "more traces")) };
            row.scope = "spans and log records".to_owned();
        }
        DeleteWhat::Matching { signal, query, range } => {
            let (path, of) = if *signal == Signal::Logs { ("/logs", "log records") } else { ("/traces", "spans") };
            let at = |time: UnixNanos| time.get().to_string();
            row.query = if query.trim().is_empty() { "everything".to_owned() } else { format::line(query, LONGEST) };
            row.found = links.plain(path).with("q", query).with("from", &at(range.from)).with("to", &at(range.to)).href();
            row.scope = format!("{of} from {} to {}", clock.short(range.from), clock.short(range.to));
        }
    }
    row
}

/// A receipt is exact.
fn rows(receipt: &DeleteReceipt) -> String {
    let of = |n: u64, one: &str, many: &str| format!("{}\u{a0}{}", format::exact(n), if n == 1 { one } else { many });
    let [spans, logs] = [of(receipt.spans, "span", "spans"), of(receipt.logs, "log record", "log records")];
    match (receipt.spans, receipt.logs) {
        (0, 0) => "nothing".to_owned(),
        (_, 0) => spans,
        (0, _) => logs,
        _ => format!("{spans}, {logs}"),
    }
}

/// Receipts on the page.
const LISTED: usize = 100;
/// Traces of a receipt that are named.
const NAMED: usize = 5;
/// Characters of a query that are shown.
const LONGEST: usize = 300;

#[cfg(test)]
mod tests {
    use storage::{TimeRange, TraceId};

    use super::*;

    fn listed(receipts: &[DeleteReceipt]) -> Deletes {
        deletes(receipts, &Links::default(), &Clockface::new(at(9_000), None), Frame::default())
    }

    fn at(second: u64) -> UnixNanos {
        UnixNanos::new(second * 1_000_000_000)
    }

    fn receipt(what: DeleteWhat, spans: u64, logs: u64, done: Option<UnixNanos>) -> DeleteReceipt {
        DeleteReceipt { id: "01ABC".to_owned(), what, asked: at(60), spans, logs, done }
    }

    #[test]
    fn a_receipt_says_what_was_asked_how_many_rows_went_and_when_they_were_gone() {
        let ids: Vec<TraceId> = (1..=7).map(|n| TraceId::from_slice(&[n; 16]).unwrap()).collect();
        let search = |query: &str| DeleteWhat::Matching {
            signal: Signal::Logs,
            query: query.to_owned(),
            range: TimeRange { from: at(1), to: at(2) },
        };
        let page = listed(&[
            receipt(DeleteWhat::Traces(ids), 12_345, 1, Some(at(61))),
            receipt(search("body:\"a b\""), 0, 2, None),
            receipt(search(" "), 0, 0, Some(at(60))),
        ]);
        let [traces, logs, all] = page.rows.as_slice() else { panic!("{page:?}") };
        assert_eq!(
            (traces.traces.len(), traces.more.as_str(), traces.rows.as_str()),
            (5, "and 2\u{a0}more traces", "12,345\u{a0}spans, 1\u{a0}log record")
        );
        assert!(traces.traces[0].1.starts_with("/trace/0101") && traces.done.is_some());
        assert_eq!((logs.query.as_str(), logs.rows.as_str(), logs.done.is_none()), ("body:\"a b\"", "2\u{a0}log records", true));
        assert_eq!(logs.found, "/logs?q=body%3A%22a%20b%22&from=1000000000&to=2000000000");
        assert_eq!((all.query.as_str(), all.rows.as_str()), ("everything", "nothing"));
        let html = page.render().unwrap();
        assert_eq!((html.matches("gone since").count(), html.matches("nothing matched when it was asked").count()), (1, 1), "{html}");
        assert!(html.contains("id=\"01ABC\"") && html.contains("hidden from every question"), "{html}");
    }

    #[test]
    fn a_bounded_number_is_listed_and_the_rest_counted() {
        let many: Vec<DeleteReceipt> = (0..103).map(|_| receipt(DeleteWhat::Traces(Vec::new()), 0, 0, None)).collect();
        let page = listed(&many);
        assert_eq!((page.rows.len(), page.older.as_str()), (100, "3\u{a0}older ones"));
        assert!(listed(&many[..100]).older.is_empty());
    }
}
