//! Lists of traces and of log records, and what stands beside them.

use super::*;

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

fn points(text: &str) -> Heat {
    let point = |failed| storage::SpanPoint {
        start: window().range.from,
        duration: 9,
        trace_id: storage::TraceId::from_slice(&[7; 16]).unwrap(),
        span_id: storage::SpanId::from_slice(&[7; 8]).unwrap(),
        failed,
        service: text.to_owned(),
        name: text.to_owned(),
    };
    heat(text).scattered(&[point(true), point(false)], window().range, Counts::Matches, (&Links::default(), &clock()))
}

pub(super) fn contrast(text: &str) -> String {
    let counted = Counted { field: text.to_owned(), selected: vec![(text.to_owned(), 9)], rest: Vec::new() };
    let page = ContrastPage {
        frame: frame(text),
        query: text.to_owned(),
        selection: text.to_owned(),
        calls: Calls {
            rows: vec![CallRow {
                name: text.to_owned(),
                chip: Some(Palette::default().chip(text)),
                href: Links::default().operation(text, text).href(),
                example: Links::default().traces(text).href(),
                ..CallRow::default()
            }],
            failed: vec![FailedRow {
                chip: Palette::default().chip(text),
                name: text.to_owned(),
                said: text.to_owned(),
                href: Links::default().operation(text, text).href(),
                example: Links::default().traces(text).href(),
                ..FailedRow::default()
            }],
            remark: text.to_owned(),
        },
        numbers: Numbers {
            rows: vec![NumberRow { field: text.to_owned(), href: Links::default().traces(text).href(), ..NumberRow::default() }],
            remark: text.to_owned(),
            ..Numbers::default()
        },
        contrast: Contrast::new(&[counted], (9, 9), text, &Links::default()),
        fields: text.to_owned(),
        notes: vec![text.to_owned()],
        ..ContrastPage::default()
    };
    page.render().unwrap()
}

pub(super) fn lists(text: &str) -> Vec<String> {
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
        facets: vec![Group::new("Service", "service", &[(text.to_owned(), 3)], "", (&links.plain("/traces"), Marks::ChosenOfAll))],
        rows: rows(),
        notes: vec![text.to_owned()],
        orders: vec![("Newest", "/".to_owned(), true), ("Slowest", "/".to_owned(), false)],
        ..Traces::default()
    };
    let broken = Traces { problem: Some(problem(text)), query: text.to_owned(), ..Traces::default() };
    let few = Traces { heat: Some(points(text)), ..Traces::default() };
    let empty = Traces { query: text.to_owned(), otherwise: vec![(text.to_owned(), "/".to_owned())], ..Traces::default() };
    let mut open = record();
    open.extra = vec![(text.to_owned(), text.to_owned())];
    if let Some(detail) = &mut open.detail {
        detail.surroundings = vec![("Everything", "/".to_owned(), true)];
        detail.context = vec![logs::row(&sample::record(text), String::new(), false, &links, &clock, &palette)];
    }
    let mut alike = patterns::rows((&[sample::record(text)], Some(&[])), window().range, (text, &links.plain("/logs")), &clock, &palette);
    // Which words are holes, and whether there are others to search for, depends on the text; their tags must not.
    let linked = links.plain("/logs").with("q", text).href();
    for pattern in &mut alike {
        (pattern.parts, pattern.href, pattern.is_new) = (vec![text.to_owned(), String::new()], linked.clone(), true);
    }
    alike.extend(alike.clone().into_iter().map(|pattern| patterns::PatternRow { href: String::new(), ..pattern }));
    let sampled = Some((text.to_owned(), "/".to_owned()));
    let patterns = Logs { frame: frame(text), period: text.to_owned(), patterns: alike, sampled, ..Logs::default() };
    let field = storage::FieldCount { name: format!("attr.{text}"), rows: 1, kind: "text" };
    let found = storage::Fields { fields: vec![field], rows: 2, ..storage::Fields::default() };
    let values = vec![vec![(text.to_owned(), 1)]];
    let mut listed = fields::rows(&found, values, (text, &Links::default().plain("/logs")), |_| (String::new(), false));
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
        keys: vec![logs::Key { name: text.to_owned(), toggle: "/".to_owned(), left: "/".to_owned(), ..logs::Key::default() }],
        facets: traces.facets.clone(),
        ..Logs::default()
    };
    [traces.render(), few.render(), broken.render(), empty.render(), logs.render(), patterns.render(), fields.render()]
        .into_iter()
        .map(Result::unwrap)
        .collect()
}
