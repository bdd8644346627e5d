//! `/map`: who calls whom.

use axum::response::Response;

use super::Visit;
use super::traces::DEFAULT_WINDOW;
use super::visit::html;
use crate::error::Failure;
use crate::view::format;
use crate::view::frame::Place;
use crate::view::map::{Drawing, MAX_NODES, Map, around, calls, graph, summary, tray};

/// `?from=&to=&focus=&hops=1..6`.
pub(super) async fn page(mut visit: Visit) -> Result<Response, Failure> {
    let window = visit.window(DEFAULT_WINDOW)?;
    let focus = visit.params.get("focus").unwrap_or_default().to_owned();
    let hops = visit.params.number("hops", 1, 6)?;
    let map = visit.state.store().service_map(window.range).await?;
    let (links, palette) = (visit.links(), visit.palette());
    let part = around(&map, &focus, hops);
    let (keys, _) = graph(&part);
    let mut page = Map {
        frame: visit.frame(Place::Map, &title(&focus), Some(&window)),
        calls: calls(&part, window.range, &links),
        tray: if focus.is_empty() { tray(&map, &links, &palette) } else { Vec::new() },
        summary: summary(&part),
        names: map.nodes.iter().map(|node| node.name.clone()).collect(),
        hidden: kept(&visit),
        whole: if focus.is_empty() { String::new() } else { links.windowed("/map").href() },
        notes: map.stats.notes.clone(),
        json: links.plain("/api/v1/map").with("from", &window.from).with("to", &window.to).href(),
        focus,
        hops,
        ..Map::default()
    };
    if keys.len() > MAX_NODES {
        page.no_drawing = format!(
            "The map has {}, too many to draw legibly. Focus on one of them to see what is around it.",
            format::counted(keys.len() as u64, "node", "nodes")
        );
    } else if !keys.is_empty() {
        let (range, focus) = (window.range, page.focus.clone());
        // A hundred nodes take some milliseconds of pure computing.
        let drawn = tokio::task::spawn_blocking(move || Drawing::new(&part, range, &focus, &links, &palette)).await;
        page.drawing = drawn.ok().filter(|drawing| !drawing.boxes.is_empty());
        page.has_rare = page.drawing.as_ref().is_some_and(|drawing| drawing.arrows.iter().any(|arrow| arrow.is_rare));
        if page.drawing.is_none() {
            "This map could not be drawn; the table below says the same.".clone_into(&mut page.no_drawing);
        }
    } else {
        let wide = |label: &str, from: &str| (label.to_owned(), links.plain("/map").with("from", from).href());
        page.otherwise = vec![wide("Last 24 h", "now-24h"), wide("All time", "0")];
    }
    Ok(html(&page))
}

fn kept(visit: &Visit) -> Vec<(String, String)> {
    visit
        .params
        .pairs()
        .filter(|(name, _)| ["from", "to"].contains(name))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn title(focus: &str) -> String {
    if focus.is_empty() { "Map".to_owned() } else { format!("{} – Map", format::name(focus)) }
}
