//! Pages of services and their map, filled with one text everywhere.

use super::*;

pub(super) fn services(text: &str) -> Vec<String> {
    let mut pages = home_and_list(text);
    pages.extend(one_service(text));
    pages.push(drawn(text));
    pages
}

fn service(text: &str) -> ServiceSummary {
    ServiceSummary {
        name: text.to_owned(),
        span_count: 9,
        requests: 9,
        errors: 3,
        p50: 1,
        p95: 2,
        p99: 3,
        log_count: 4,
        last_seen: window().range.from,
        points: vec![
            ServicePoint { requests: 1, errors: 1, p50: 1, p95: 2, p99: 3 },
            ServicePoint { requests: 2, p95: 1, ..ServicePoint::default() },
        ],
    }
}

fn operation(text: &str) -> Operation {
    Operation { name: text.to_owned(), kind: "server", count: 9, errors: 3, p50: 1, p95: 2, p99: 3, total: 20 }
}

fn lines(text: &str) -> Vec<traces::Row> {
    let page = TracePage { traces: vec![summary(text)], ..TracePage::default() };
    let (links, clock, palette) = (Links::default(), clock(), Palette::default());
    traces::rows(
        &page,
        &traces::Listing { order: storage::TraceOrder::Newest, list: text, links: &links, clock: &clock, palette: &palette },
    )
}

fn home_and_list(text: &str) -> Vec<String> {
    let (links, clock, palette, range) = (Links::default(), clock(), Palette::default(), window().range);
    let known = [service(text)];
    let rows = || known.iter().map(|service| row(service, range, &links, &clock, &palette)).collect::<Vec<_>>();
    let compared = Compared {
        now: &known,
        before: &known,
        failed: &[summary(text)],
        newest: &[summary(text)],
        errors: &[error(text)],
        ..Compared::default()
    };
    let home = Home {
        frame: frame(text),
        totals: totals(&known, range, Some(90), &links),
        attention: attention(compared, range, (&links, &palette)).into_iter().next().unwrap_or_default(),
        saved: vec![(text.to_owned(), "/".to_owned())],
        services: rows(),
        failed: lines(text),
        slow: lines(text),
        notes: vec![text.to_owned()],
        ..Home::default()
    };
    let list = Services {
        frame: frame(text),
        rows: rows(),
        peers: peers(&map(text), crate::view::services::Order::Most, range, &links),
        ..Services::default()
    };
    [home.render(), list.render()].into_iter().map(Result::unwrap).collect()
}

fn one_service(text: &str) -> Vec<String> {
    let (links, clock, palette, range) = (Links::default(), clock(), Palette::default(), window().range);
    let (callers, callees) = dependencies(text, &map(text), range, &links, &palette);
    let detail = |tab: Tab| Service {
        frame: frame(text),
        chip: palette.chip(text),
        row: Some(row(&service(text), range, &links, &clock, &palette)),
        tab,
        tabs: tab.list(text, &links),
        operations: operations(text, &[operation(text)], 40, range, &links),
        callers: callers.clone(),
        callees: callees.clone(),
        errors: error_rows(&[error(text)], ErrorOrder::Most, &Trends::default(), (&links, &clock)),
        instances: instance_rows(text, &[instance(text)], &links, &clock),
        failures: lines(text),
        logs: vec![logs::row(&sample::record(text), String::new(), false, &links, &clock, &palette)],
        notes: vec![text.to_owned()],
        ..Service::default()
    };
    let cell = GridCell { column: 0, row: 9, count: 3, errors: 1 };
    let grid = Grid { step: 1, columns: 1, cells: vec![cell], ..Grid::default() };
    let alone = OperationPage {
        frame: frame(text),
        chip: palette.chip(text),
        name: text.to_owned(),
        row: operations(text, &[operation(text)], 40, range, &links).pop(),
        latency: Latency::new(&grid, text, &[("p50", 9)], range, &links),
        slow: lines(text),
        failed: lines(text),
        ..OperationPage::default()
    };
    let mut pages: Vec<String> = Tab::WORDS.iter().map(|(_, tab)| detail(*tab).render().unwrap()).collect();
    pages.push(alone.render().unwrap());
    pages
}

fn drawn(text: &str) -> String {
    let (links, palette, range, map) = (Links::default(), Palette::default(), window().range, map(text));
    let here = links.plain("/map");
    let groups = std::collections::HashMap::from([(text.to_owned(), "/map".to_owned())]);
    let (made, focus) = (Made::of(&map), (text.to_owned(), NodeKind::Service));
    let picture = Picture {
        map: &map,
        made: &made,
        before: None,
        range,
        focus: Some(&focus),
        selected: None,
        page: &here,
        groups: &groups,
        is_trace: false,
    };
    let page = Map {
        frame: frame(text),
        drawing: Some(Drawing::new(&picture, &links, &palette)),
        panel: map.edges.first().map(|edge| edge_panel(edge, (&map, &made, None), 1_000, &groups, (&links, &here))),
        gone: vec![(text.to_owned(), text.to_owned())],
        calls: calls((&map, &made), None, range, Order::Calls, (&links, &here)),
        open: vec![(text.to_owned(), "/map".to_owned())],
        tray: tray(&map, &links, &palette),
        focus: text.to_owned(),
        names: vec![text.to_owned()],
        ..Map::default()
    };
    page.render().unwrap()
}

fn error(text: &str) -> ErrorGroup {
    let at = window().range.from;
    ErrorGroup {
        service: text.to_owned(),
        kind: text.to_owned(),
        message: text.to_owned(),
        shown: text.to_owned(),
        count: 3,
        requests: 2,
        calls: 1,
        first: at,
        last: at,
    }
}

fn instance(text: &str) -> Instance {
    let text = text.to_owned();
    Instance { id: text.clone(), version: text.clone(), host: text.clone(), sdk: text, spans: 3, errors: 1, ..Instance::default() }
}

fn map(text: &str) -> ServiceMap {
    let key = |kind| (text.to_owned(), kind);
    let node = |kind| Node { name: text.to_owned(), kind, system: text.to_owned(), requests: 9, errors: 1, p50: 1, p95: 2, p99: 3 };
    let edge = |from, to| Edge {
        from: key(from),
        to: key(to),
        kind: EdgeKind::Call,
        calls: 9,
        errors: 1,
        p50: 1,
        p95: 2,
        p99: 3,
        examples: vec![(storage::TraceId::from_slice(&[7; 16]).unwrap(), storage::SpanId::from_slice(&[7; 8]).unwrap())],
    };
    ServiceMap {
        nodes: vec![node(NodeKind::Service), node(NodeKind::Database)],
        edges: vec![edge(NodeKind::Service, NodeKind::Database), edge(NodeKind::User, NodeKind::Service)],
        ..ServiceMap::default()
    }
}
