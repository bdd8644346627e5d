//! Telemetry is written by strangers: whatever they write, pages keep the tags that they have with a harmless text.

use askama::Template;
use storage::{
    DeleteReceipt, DeleteWhat, Edge, EdgeKind, Grid, GridCell, HistogramBucket, Node, NodeKind, Operation, ServiceInTrace, ServiceMap,
    ServicePoint, ServiceSummary, Signal, SqlAnswer, SqlColumn, TimeRange, TracePage, TraceSummary, UnixNanos,
};

use crate::Refused;
use crate::ask::{ErrorGroup, Instance, Sender};
use crate::error::Failure;
use crate::params::Window;
use crate::view::chart::{Bars, SPANS};
use crate::view::colour::Palette;
use crate::view::contrast::calls::{CallRow, Calls, FailedRow};
use crate::view::contrast::numbers::{NumberRow, Numbers};
use crate::view::contrast::{Contrast, Counted};
use crate::view::facets::{Group, Marks};
use crate::view::format::Clockface;
use crate::view::frame::{Frame, Place, WindowPicker, navigation};
use crate::view::heat::{Counts, Heat, Selection};
use crate::view::home::{Compared, Home, attention, totals};
use crate::view::link::Links;
use crate::view::logs::Logs;
use crate::view::map::{Drawing, Made, Map, Order, Picture, calls, panel as edge_panel, tray};
use crate::view::plain::{FailurePage, Saved, SavedRow, Taken};
use crate::view::search::{Builder, Problem};
use crate::view::services::{
    ErrorOrder, Latency, OperationPage, Service, Services, Tab, Trends, dependencies, error_rows, instance_rows, operations, peers, row,
};
use crate::view::sql::{Sql, table};
use crate::view::start::Start;
use crate::view::status::{Status, clients, deletes, recent};
use crate::view::trace::{
    ComparePage, LogMarks, Neighbours, Note, PanelPart, PanelTab, RowsPart, Scene, Side, SpanPage, Tools, TracePage as TraceView, View,
    Wanted, comparison, findings, flame, header, json, minimap, panel, plan, sample, shares, table as span_table, tabs, tools, trace_map,
    waterfall,
};
use crate::view::traces::{ContrastPage, Traces};
use crate::view::{fields, logs, patterns, traces};

mod answers;
mod lists;
mod names;
mod narrowing;
mod outcome;
mod services;
mod times;
mod trace;

use self::lists::{contrast, lists};
use self::services::services;
use self::trace::{compare_page, fragments, span_page, trace_page};

/// What breaks out of text, attributes, addresses and scripts, where it can.
const PAYLOADS: [&str; 12] = [
    "<script>alert(1)</script>",
    "\"><svg onload=alert(1)>",
    "' onmouseover='alert(1)",
    "</textarea></pre></title><img src=x onerror=alert(1)>",
    "javascript:alert(1)",
    "{{7*7}}{% raw %}",
    "<!-- --><![CDATA[",
    "&lt;b&gt;&#x27;&quot;",
    "\u{202e}txt.exe\u{2066}",
    "a`b${c}\\",
    "\u{0}\u{1b}[31m",
    "data:text/html,<b>x",
];

/// No single word, for which searches are offered that no payload gets.
const HARMLESS: &str = "x y";

fn clock() -> Clockface {
    Clockface::new(UnixNanos::new(1_795_176_300_000_000_000), None)
}

fn window() -> Window {
    let now = clock().now();
    Window { range: TimeRange { from: now.minus(3_600_000_000_000), to: now }, from: "now-1h".to_owned(), to: "now".to_owned() }
}

fn frame(text: &str) -> Frame {
    let (links, window) = (Links::new("", Some(&window())), window());
    let pairs = [("q".to_owned(), text.to_owned())];
    Frame {
        title: text.to_owned(),
        nav: navigation(&links, Place::Traces),
        window: Some(WindowPicker::new(&window, "/traces", &pairs, &links, &clock())),
        here: text.to_owned(),
        search: text.to_owned(),
        paper: text.to_owned(),
        alerts: vec![text.to_owned()],
        ..Frame::default()
    }
}

fn problem(text: &str) -> Problem {
    let mut failure = Failure::bad_request("query_syntax", text);
    failure.place = Some((0, 1));
    failure.suggestions = vec![text.to_owned()];
    Problem::new(&failure, text, |mended| Links::default().traces(mended).href())
}

fn summary(text: &str) -> TraceSummary {
    TraceSummary {
        trace_id: storage::TraceId::from_slice(&[7; 16]).unwrap(),
        root_service: text.to_owned(),
        root_name: text.to_owned(),
        has_root: true,
        root_failed: false,
        start: window().range.from,
        duration: 9,
        span_count: 3,
        error_count: 1,
        matched: 1,
        key: 4,
        services: vec![ServiceInTrace { name: text.to_owned(), span_count: 3, error_count: 1, spans: vec![(0, 9)] }],
        first_error: Some(text.to_owned()),
        failure: Some(storage::TraceFailure { service: text.to_owned(), message: Some(text.to_owned()), through: vec![text.to_owned()] }),
        repeated: Some(storage::RepeatedCalls { service: text.to_owned(), name: text.to_owned(), count: 12 }),
    }
}

fn small(text: &str) -> Vec<String> {
    let moment = clock().moment(window().range.from);
    let view = |name: &str| SavedRow {
        short: "abc".to_owned(),
        name: name.to_owned(),
        href: "/s/abc".to_owned(),
        about: text.to_owned(),
        time: text.to_owned(),
        saved: moment.clone(),
    };
    let both = Taken { name: text.to_owned(), address: text.to_owned(), new: text.to_owned(), old: text.to_owned() };
    let saved = Saved { frame: frame(text), views: vec![view(text)], links: vec![view("")], taken: Some(both) };
    let refused = Refused { message: text.to_owned(), user_agent: text.to_owned(), transport: "http", ..Refused::default() };
    let start = Start { frame: frame(text), refused: recent(&[refused], &clock()), ..Start::default() };
    let sender = Sender { service: text.to_owned(), sdk: text.to_owned(), spans: 1, ..Sender::default() };
    let links = Links::default();
    let status = Status {
        frame: frame(text),
        faults: vec![text.to_owned()],
        recent: start.refused.clone(),
        clients: clients(&[sender], 1, &links, &clock(), &Palette::default()),
        ..Status::default()
    };
    let what = DeleteWhat::Matching { signal: Signal::Logs, query: text.to_owned(), range: window().range };
    let receipt = DeleteReceipt { id: "abc".to_owned(), what, asked: clock().now(), spans: 1, logs: 0, done: None };
    let deleted = deletes(&[receipt], &links, &clock(), frame(text));
    [saved.render(), start.render(), status.render(), deleted.render()].into_iter().map(Result::unwrap).collect()
}

fn plain(text: &str) -> Vec<String> {
    let column = SqlColumn { name: text.to_owned(), sql_type: text.to_owned(), ..SqlColumn::default() };
    let mut row = serde_json::Map::new();
    row.insert(text.to_owned(), text.into());
    let answer = SqlAnswer {
        columns: vec![column],
        rows: vec![row],
        truncated: true,
        notes: vec![text.to_owned()],
        advice: vec![text.to_owned()],
        ..SqlAnswer::default()
    };
    let sql = Sql {
        frame: frame(text),
        sql: text.to_owned(),
        problem: Some(problem(text)),
        result: Some(table(&answer, &Links::default(), &clock())),
        past: text.to_owned(),
        earlier: vec![(text.to_owned(), "/".to_owned())],
        ..Sql::default()
    };
    let failure = FailurePage {
        frame: frame(text),
        message: text.to_owned(),
        suggestions: vec![(text.to_owned(), "/".to_owned())],
        ..FailurePage::default()
    };
    [sql.render(), failure.render()].into_iter().map(Result::unwrap).collect()
}

fn every_page(text: &str) -> Vec<String> {
    let mut pages = vec![
        trace_page(text, View::Timeline, LogMarks::Dots, PanelTab::Attributes),
        trace_page(text, View::Timeline, LogMarks::Rows, PanelTab::Events),
        trace_page(text, View::Timeline, LogMarks::Off, PanelTab::Raw),
        span_page(text),
        compare_page(text),
    ];
    let readings = [View::Flame, View::Services, View::Spans, View::Logs, View::Map, View::Json];
    pages.extend(readings.map(|view| trace_page(text, view, LogMarks::Off, PanelTab::Attributes)));
    pages.extend(lists(text));
    pages.extend(services(text));
    pages.push(contrast(text));
    pages.extend(small(text));
    pages.extend(plain(text));
    pages
}

/// Tags with the names of their attributes, in order.
fn skeleton(html: &str) -> Vec<String> {
    let mut tags = Vec::new();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        let tag = rest.get(at + 1..).unwrap();
        let (mut end, mut quoted) = (0, false);
        for (index, c) in tag.char_indices() {
            end = index;
            match c {
                '"' => quoted = !quoted,
                '>' if !quoted => break,
                _ => {}
            }
        }
        let inside = tag.get(..end).unwrap();
        // Attribute values are cut out; what is left are names.
        let names: String = inside.split('"').step_by(2).collect();
        // A name that is too long for its place has a title besides.
        let names = names.trim_end_matches(" title=").to_owned();
        // Names may break at their separators, of which payloads have more; in drawings they are lines.
        if names != "wbr" && !names.trim_start_matches("/").starts_with("tspan") {
            tags.push(names);
        }
        rest = tag.get(end..).unwrap();
    }
    tags
}

#[test]
fn whatever_senders_write_the_tags_stay_the_same() {
    let harmless: Vec<Vec<String>> = every_page(HARMLESS).iter().map(|page| skeleton(page)).collect();
    for payload in PAYLOADS {
        for (number, (page, expected)) in every_page(payload).iter().zip(&harmless).enumerate() {
            let found = skeleton(page);
            let differs = found.iter().zip(expected).find(|(found, expected)| found != expected);
            assert!(differs.is_none() && found.len() == expected.len(), "page {number} with {payload:?}: {differs:?}");
        }
    }
}

#[test]
fn no_page_has_inline_scripts_styles_or_foreign_addresses() {
    for page in every_page("https://elsewhere.test/?x") {
        for forbidden in [" style=", " onclick=", " onload=", "<style", "<script>", "javascript:", " src=\"http", "@import"] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
    }
}

#[test]
fn addresses_of_the_web_are_the_only_ones_of_senders_that_become_links() {
    let page = trace_page("javascript:alert(1)", View::Timeline, LogMarks::Dots, PanelTab::All);
    assert!(!page.contains("href=\"javascript"));
    assert!(trace_page("https://example.org/a", View::Timeline, LogMarks::Dots, PanelTab::All).contains("href=\"https://example.org/a\""));
}

#[test]
fn every_page_has_one_heading_and_a_title() {
    for page in every_page(HARMLESS) {
        assert_eq!(page.matches("<h1").count(), 1);
        let head = page.split("</head>").next().unwrap();
        assert_eq!(head.matches("<title>").count(), 1);
        assert!(page.trim_start().starts_with("<!doctype html>"));
    }
}

#[test]
fn fragments_hold_what_the_page_holds() {
    let [rows, panel] = fragments(HARMLESS);
    let page = trace_page(HARMLESS, View::Timeline, LogMarks::Dots, PanelTab::Attributes);
    assert_eq!(rows.matches("data-row").count(), 4);
    assert_eq!(rows.matches("<tr").count(), page.matches("<tr id=\"s").count());
    assert!(panel.contains("ChargeCard") && panel.contains("data-close") && panel.contains("data-key=\"e\""), "{panel}");
    assert!(!rows.contains("<html") && !panel.contains("<html"));
}
