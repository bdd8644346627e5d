//! Telemetry is written by strangers: whatever they write, pages keep the tags that they have with a harmless text.

use askama::Template;
use storage::{
    Edge, EdgeKind, Grid, GridCell, HistogramBucket, Node, NodeKind, Operation, ServiceInTrace, ServiceMap, ServicePoint, ServiceSummary,
    SqlAnswer, SqlColumn, TimeRange, TracePage, TraceSummary, UnixNanos,
};

use crate::Refused;
use crate::ask::{ErrorGroup, Instance, Sender};
use crate::error::Failure;
use crate::params::Window;
use crate::view::chart::{Bars, SPANS};
use crate::view::colour::Palette;
use crate::view::contrast::{Contrast, Counted};
use crate::view::facets::Group;
use crate::view::format::Clockface;
use crate::view::frame::{Frame, Place, WindowPicker, navigation};
use crate::view::heat::{Counts, Heat, Selection};
use crate::view::home::{Compared, Home, attention, totals};
use crate::view::link::Links;
use crate::view::logs::Logs;
use crate::view::map::{Drawing, Map, Order, Picture, calls, panel as edge_panel, tray};
use crate::view::plain::{FailurePage, Saved, SavedRow, Sql, Taken, table};
use crate::view::search::{Builder, Problem};
use crate::view::services::{
    Latency, OperationPage, Service, Services, Tab, dependencies, error_rows, instance_rows, operations, peers, row,
};
use crate::view::start::Start;
use crate::view::status::{Status, clients, recent};
use crate::view::trace::{
    ComparePage, LogMarks, Neighbours, Note, PanelPart, PanelTab, RowsPart, Scene, Side, SpanPage, Tools, TracePage as TraceView, View,
    Wanted, comparison, findings, flame, header, json, minimap, panel, plan, sample, shares, table as span_table, tabs, tools, trace_map,
    waterfall,
};
use crate::view::traces::{ContrastPage, Traces};
use crate::view::{fields, logs, patterns, traces};

mod answers;
mod outcome;
mod services;

use self::services::services;

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

fn scene(text: &str, wanted: Wanted) -> Scene {
    let means = (Links::default(), clock(), Palette::default());
    let mut scene = sample::scene(&sample::hostile(text), vec![sample::record(text)], wanted, means);
    scene.linked = vec![summary(text)];
    scene
}

/// The charge, which has all that a sender may fill.
fn chosen(text: &str) -> Option<storage::SpanId> {
    sample::hostile(text).spans.get(3).map(|span| span.span_id)
}

fn trace_page(text: &str, view: View, marks: LogMarks, tab: PanelTab) -> String {
    let wanted = Wanted { view, marks, span: chosen(text), tab: Some(tab), row: Some(5), ..Wanted::default() };
    let scene = scene(text, wanted);
    let log = logs::row(&scene.logs[0], String::new(), true, &scene.links, &scene.clock, &scene.palette);
    let page = TraceView {
        frame: frame(text),
        header: header(&scene),
        findings: findings(&scene),
        notes: vec![Note { text: text.to_owned(), ..Note::default() }],
        minimap: minimap(&scene),
        neighbours: Some(Neighbours { query: text.to_owned(), place: "1 of 2".to_owned(), ..Neighbours::default() }),
        view,
        tabs: tabs(&scene),
        tools: Tools { find: text.to_owned(), found: String::new(), ways: Vec::new(), ..tools(&scene) },
        waterfall: waterfall(&scene, &plan(&scene)),
        panel: scene.chosen.and_then(|place| panel(&scene, place)),
        shares: shares(&scene),
        flame: flame(&scene),
        table: span_table(&scene),
        map: trace_map(&scene),
        json: json(&scene, Some(text)),
        logs: vec![log],
        ..TraceView::default()
    };
    page.render().unwrap()
}

fn compare_page(text: &str) -> String {
    let sheet = storage::trace::Sheet::of(&sample::hostile(text));
    let other = storage::trace::Sheet::of(&sample::checkout());
    let (links, clock, palette) = (Links::default(), clock(), Palette::default());
    let means = (&links, &clock, &palette);
    let mut page = ComparePage {
        frame: frame(text),
        a: text.to_owned(),
        b: text.to_owned(),
        problems: vec![text.to_owned()],
        ..ComparePage::default()
    };
    page.sides = vec![
        Side::new(("A", "the baseline"), &sheet, text.to_owned(), means),
        Side::new(("B", "measured by it"), &other, String::new(), means),
    ];
    comparison(&mut page, [&sheet, &other], false, means);
    page.render().unwrap()
}

/// What the script asks for: the rows, and the detail of a span.
fn fragments(text: &str) -> [String; 2] {
    let scene = scene(text, Wanted { span: chosen(text), ..Wanted::default() });
    let panel = scene.chosen.and_then(|place| panel(&scene, place));
    [
        RowsPart { frame: frame(text), waterfall: waterfall(&scene, &plan(&scene)) }.render().unwrap(),
        PanelPart { panel, tools: tools(&scene), tabs: tabs(&scene), ..PanelPart::default() }.render().unwrap(),
    ]
}

fn span_page(text: &str) -> String {
    let scene = scene(text, Wanted { span: chosen(text), tab: Some(PanelTab::All), ..Wanted::default() });
    let panel = panel(&scene, scene.chosen.unwrap()).unwrap();
    SpanPage { frame: frame(text), panel, above: vec![(text.to_owned(), "/".to_owned())] }.render().unwrap()
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
        repeated: Some(storage::RepeatedCalls { service: text.to_owned(), name: text.to_owned(), count: 12 }),
    }
}

fn chart() -> Bars {
    let buckets = vec![HistogramBucket { start: window().range.from, counts: [2, 0, 0, 0, 0, 1, 0] }];
    let histogram = storage::Histogram { buckets, step: 60_000_000_000, ..storage::Histogram::default() };
    Bars::new(&histogram, window().range, &SPANS, ("span", "spans"), &clock(), &Links::default().plain("/traces"))
}

fn heat(text: &str) -> Heat {
    let cell = GridCell { column: 1, row: 9, count: 3, errors: 1 };
    let grid = Grid { step: 60_000_000_000, columns: 60, cells: vec![cell], ..Grid::default() };
    let page = Links::default().traces(text);
    Heat::new(&grid, window().range, Selection::parse("1-1,4-4"), Counts::Matches, (&page, &clock()))
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
    [saved.render(), start.render(), status.render()].into_iter().map(Result::unwrap).collect()
}

fn contrast(text: &str) -> String {
    let counted = Counted { field: text.to_owned(), selected: vec![(text.to_owned(), 9)], rest: Vec::new() };
    let page = ContrastPage {
        frame: frame(text),
        query: text.to_owned(),
        selection: text.to_owned(),
        contrast: Contrast::new(&[counted], (9, 9), text, &Links::default()),
        fields: text.to_owned(),
        notes: vec![text.to_owned()],
        ..ContrastPage::default()
    };
    page.render().unwrap()
}

fn lists(text: &str) -> Vec<String> {
    let (links, clock, palette) = (Links::default(), clock(), Palette::default());
    let page = TracePage { traces: vec![summary(text)], ..TracePage::default() };
    let order = storage::TraceOrder::Slowest;
    let rows = || traces::rows(&page, &traces::Listing { order, list: text, links: &links, clock: &clock, palette: &palette });
    let record = || logs::row(&sample::record(text), String::new(), true, &links, &clock, &palette);
    let builder = || Builder {
        service: text.to_owned(),
        operation: text.to_owned(),
        min: text.to_owned(),
        rest: text.to_owned(),
        ..Builder::default()
    };
    let traces = Traces {
        frame: frame(text),
        query: text.to_owned(),
        builder: builder(),
        services: vec![text.to_owned()],
        hidden: vec![(text.to_owned(), text.to_owned())],
        heat: Some(heat(text)),
        selection: Some((text.to_owned(), "/".to_owned(), "/".to_owned())),
        facets: vec![Group::new("Service", "service", &[(text.to_owned(), 3)], "", (&links.plain("/traces"), true))],
        rows: rows(),
        notes: vec![text.to_owned()],
        orders: vec![("Newest", "/".to_owned(), true), ("Slowest", "/".to_owned(), false)],
        ..Traces::default()
    };
    let broken = Traces { problem: Some(problem(text)), query: text.to_owned(), ..Traces::default() };
    let empty = Traces { query: text.to_owned(), otherwise: vec![(text.to_owned(), "/".to_owned())], ..Traces::default() };
    let mut open = record();
    open.extra = vec![(text.to_owned(), text.to_owned())];
    if let Some(detail) = &mut open.detail {
        detail.surroundings = vec![("Everything", "/".to_owned(), true)];
        detail.context = vec![logs::row(&sample::record(text), String::new(), false, &links, &clock, &palette)];
    }
    let mut alike = patterns::rows((&[sample::record(text)], Some(&[])), window().range, (text, &links.plain("/logs")), &clock, &palette);
    // Which words are holes depends on the text; their tags must not.
    alike.iter_mut().for_each(|pattern| pattern.parts = vec![text.to_owned(), String::new()]);
    let sampled = Some((text.to_owned(), "/".to_owned()));
    let patterns = Logs { frame: frame(text), period: text.to_owned(), patterns: alike, sampled, ..Logs::default() };
    let field = storage::FieldCount { name: format!("attr.{text}"), rows: 1, kind: "text" };
    let found = storage::Fields { fields: vec![field], rows: 2, ..storage::Fields::default() };
    let values = vec![vec![(text.to_owned(), 1)]];
    let mut listed = fields::rows(&found, values, text, &Links::default().plain("/logs"));
    // Which keys can be columns depends on the text.
    listed.iter_mut().for_each(|field| text.clone_into(&mut field.column));
    let fields = Logs { frame: frame(text), fields: listed, ..Logs::default() };
    let logs = Logs {
        chart: Some(chart()),
        frame: frame(text),
        query: text.to_owned(),
        builder: builder(),
        rows: vec![open.clone()],
        pinned: vec![open],
        keys: vec![(text.to_owned(), "/".to_owned(), false)],
        facets: traces.facets.clone(),
        ..Logs::default()
    };
    [traces.render(), broken.render(), empty.render(), logs.render(), patterns.render(), fields.render()]
        .into_iter()
        .map(Result::unwrap)
        .collect()
}

fn plain(text: &str) -> Vec<String> {
    let column = SqlColumn { name: text.to_owned(), sql_type: text.to_owned() };
    let mut row = serde_json::Map::new();
    row.insert(text.to_owned(), text.into());
    let answer =
        SqlAnswer { columns: vec![column], rows: vec![row], truncated: true, notes: vec![text.to_owned()], ..SqlAnswer::default() };
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
