//! The page of a trace and its parts, and what compares two of them.

use super::*;
use crate::view::trace::{Order, records, values};

mod detail;

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

pub(super) fn trace_page(text: &str, view: View, marks: LogMarks, tab: PanelTab) -> String {
    let wanted = Wanted { view, marks, span: chosen(text), tab: Some(tab), row: Some(5), ..Wanted::default() };
    drawn(&scene(text, wanted), text)
}

/// The page of a scene, whose first log record is open in the reading of logs.
fn drawn(scene: &Scene, text: &str) -> String {
    let view = scene.wanted.view;
    let log = logs::row(&scene.logs[0], String::new(), true, &scene.links, &scene.clock, &scene.palette);
    let page = TraceView {
        frame: frame(text),
        header: header(scene),
        findings: findings(scene),
        notes: vec![Note { text: text.to_owned(), ..Note::default() }],
        minimap: minimap(scene),
        neighbours: Some(Neighbours { query: text.to_owned(), place: "1 of 2".to_owned(), ..Neighbours::default() }),
        view,
        tabs: tabs(scene),
        tools: Tools { find: text.to_owned(), found: String::new(), ways: Vec::new(), ..tools(scene) },
        waterfall: waterfall(scene, &plan(scene)),
        panel: scene.chosen.and_then(|place| panel(scene, place)),
        shares: shares(scene),
        flame: flame(scene),
        table: span_table(scene),
        map: trace_map(scene),
        json: json(scene, Some(text)),
        logs: vec![log],
        ..TraceView::default()
    };
    page.render().unwrap()
}

pub(super) fn compare_page(text: &str) -> String {
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
        Side::new(("B", "compared with A"), &other, String::new(), means),
    ];
    comparison(&mut page, [&sheet, &other], (Order::Tree, 0), means);
    page.rows.iter_mut().for_each(|row| text.clone_into(&mut row.within));
    let spans = [sample::hostile(text).spans, sample::checkout().spans];
    let pairs: Vec<_> = spans[0].iter().zip(&spans[1]).map(|(a, b)| [a, b]).collect();
    page.values = values(&pairs, &palette).0;
    page.records = records([std::slice::from_ref(&sample::record(text)), &[]], &links, &palette);
    page.render().unwrap()
}

/// What the script asks for: the rows, and the detail of a span.
pub(super) fn fragments(text: &str) -> [String; 2] {
    let scene = scene(text, Wanted { span: chosen(text), ..Wanted::default() });
    let panel = scene.chosen.and_then(|place| panel(&scene, place));
    [
        RowsPart { frame: frame(text), waterfall: waterfall(&scene, &plan(&scene)) }.render().unwrap(),
        PanelPart { panel, tools: tools(&scene), tabs: tabs(&scene), ..PanelPart::default() }.render().unwrap(),
    ]
}

pub(super) fn span_page(text: &str) -> String {
    let scene = scene(text, Wanted { span: chosen(text), tab: Some(PanelTab::All), ..Wanted::default() });
    let panel = panel(&scene, scene.chosen.unwrap()).unwrap();
    SpanPage { frame: frame(text), panel, above: vec![(text.to_owned(), "/".to_owned())] }.render().unwrap()
}
