//! `/map`: who calls whom, one dependency in detail, and what changed against the window before.

use std::collections::HashMap;

use axum::response::Response;
use storage::{NodeKind, ServiceMap, Signal};

use super::home::POINTS;
use super::traces::DEFAULT_WINDOW;
use super::visit::html;
use super::{Visit, earlier};
use crate::ask::namespaces;
use crate::error::Failure;
use crate::params::Window;
use crate::view::chart::{Bars, SPANS, requests};
use crate::view::format;
use crate::view::frame::Place;
use crate::view::home::added_up;
use crate::view::link::{Address, Links};
use crate::view::map::{
    Drawing, MAX_NODES, Map, Order, Picture, around, calls, compared, find_edge, gone, has_user, keys, panel, services_only,
    shown as named, spokes, summary, tray, written,
};

mod edge;
mod shown;

use self::shown::Shown;

/// What the address asks for.
#[derive(Clone, Debug, Default)]
struct Asked {
    focus: String,
    hops: usize,
    /// Both ends of the dependency whose panel is open.
    edge: Option<(String, String)>,
    is_compared: bool,
    is_table: bool,
    services_only: bool,
    /// Without calls that are few of those of their caller.
    is_main: bool,
    is_grouped: bool,
    /// Namespaces that are not folded.
    open: Vec<String>,
    order: Order,
}

/// `?from=&to=&focus=&hops=1..6&caller=&callee=&change=1&view=table&peers=off&rare=off&group=namespace&open=&sort=calls|failed|p95|share`.
pub(super) async fn page(mut visit: Visit) -> Result<Response, Failure> {
    let window = visit.window(DEFAULT_WINDOW)?.in_minutes();
    let asked = Asked::read(&visit)?;
    let range = window.range;
    let (store, before, clock) = (visit.state.store(), earlier::before(range), visit.clock());
    let earlier = async {
        if !asked.is_compared {
            return (None, None);
        }
        match earlier::gap(store, Signal::Traces, before, &clock).await {
            Some(gap) => (None, Some(gap)),
            None => (store.service_map(before).await.ok(), None),
        }
    };
    let (map, (before, gap), namespaces) = tokio::join!(edge::map(&visit, &window, &asked), earlier, async {
        if asked.is_grouped { Some(namespaces(store, range).await) } else { None }
    },);
    let (map, over_time) = map?;
    let mut shown = Shown::new(map, before.map(|before| asked.shown(before)), namespaces, &asked);
    shown.look_at(&asked.focus);
    if asked.is_main {
        shown.leave_out_rare(asked.edge.as_ref());
    }
    shown.notes.extend(gap);
    let mut page = build(&visit, &window, &asked, &shown);
    // An open dependency has a chart of its own.
    if asked.edge.is_none() && !shown.whole.edges.is_empty() {
        // A group is no service.
        let of = shown.focus.as_ref().filter(|(name, kind)| *kind == NodeKind::Service && !shown.groups.contains_key(name));
        let of = of.map(|(name, _)| name.as_str());
        page.requests = strip(&visit, &window, &asked, of).await;
        page.requests_to = of.map_or_else(|| "Requests to all services".to_owned(), |name| format!("Requests to {}", format::name(name)));
    }
    // Groups are added up here; the store does not know them.
    let chosen = asked.chosen(&shown.whole).filter(|edge| ![&edge.from.0, &edge.to.0].iter().any(|name| shown.groups.contains_key(*name)));
    if let (Some(panel), Some(edge), Some(over_time)) = (&mut page.panel, chosen, over_time) {
        edge::fill(panel, &visit, (&window, &asked), edge, over_time).await;
    }
    Ok(html(&draw(page, &visit, &window, &asked, shown).await))
}

// === impl Asked ===

impl Asked {
    fn read(visit: &Visit) -> Result<Self, Failure> {
        let text = |name: &str| visit.params.get(name).unwrap_or_default().to_owned();
        let is = |name: &str, word: &str| visit.params.get(name) == Some(word);
        Ok(Self {
            focus: text("focus"),
            hops: visit.params.number("hops", 1, 6)?,
            edge: visit.params.get("caller").zip(visit.params.get("callee")).map(|(from, to)| (from.to_owned(), to.to_owned())),
            is_compared: is("change", "1"),
            is_table: is("view", "table"),
            services_only: is("peers", "off"),
            is_main: is("rare", "off"),
            is_grouped: is("group", "namespace"),
            open: text("open").split(',').filter(|name| !name.is_empty()).take(MAX_OPEN).map(str::to_owned).collect(),
            order: visit.params.word("sort", &Order::WORDS)?.unwrap_or_default(),
        })
    }

    fn shown(&self, map: ServiceMap) -> ServiceMap {
        if self.services_only { services_only(&map) } else { map }
    }

    /// The dependency whose panel is open.
    fn chosen<'a>(&self, map: &'a ServiceMap) -> Option<&'a storage::Edge> {
        let (from, to) = self.edge.as_ref()?;
        find_edge(map, (from, to))
    }

    /// This page without a selected dependency.
    fn address(&self, links: &Links) -> Address {
        links
            .windowed("/map")
            .with("focus", &self.focus)
            .with("hops", &if self.hops > 1 { self.hops.to_string() } else { String::new() })
            .with("change", if self.is_compared { "1" } else { "" })
            .with("view", if self.is_table { "table" } else { "" })
            .with("peers", if self.services_only { "off" } else { "" })
            .with("rare", if self.is_main { "off" } else { "" })
            .with("group", if self.is_grouped { "namespace" } else { "" })
            .with("open", &self.open.join(","))
            .with("sort", if self.order == Order::Calls { "" } else { self.order.as_str() })
    }

    fn switches(&self, links: &Links) -> Vec<(&'static str, String, bool)> {
        let switch = |label, name: &str, word: &str, is_on: bool| {
            (label, self.address(links).with(name, if is_on { "" } else { word }).href(), is_on)
        };
        vec![
            switch("Change against the window before", "change", "1", self.is_compared),
            switch("Group by namespace", "group", "namespace", self.is_grouped),
            switch("Services only", "peers", "off", self.services_only),
            switch("Without rare calls", "rare", "off", self.is_main),
            switch("Table only", "view", "table", self.is_table),
        ]
    }

    /// Open namespaces, and the page with each of them folded.
    fn folds(&self, links: &Links) -> Vec<(String, String)> {
        let without = |name: &String| {
            let rest: Vec<&str> = self.open.iter().filter(|other| *other != name).map(String::as_str).collect();
            (format::name(name), self.address(links).with("open", &rest.join(",")).href())
        };
        self.open.iter().filter(|_| self.is_grouped).map(without).collect()
    }
}

fn build(visit: &Visit, window: &Window, asked: &Asked, shown: &Shown) -> Map {
    let (links, palette, range) = (visit.links(), visit.palette(), window.range);
    let (whole, before) = (&shown.whole, shown.before.as_ref());
    let part = around(whole, shown.focus.as_ref(), asked.hops);
    let address = asked.address(&links);
    let focus = shown.focus.as_ref().map(|focus| named(focus, whole)).unwrap_or_default();
    let length = range.to.since(range.from);
    let detail = |edge| panel(edge, (whole, &shown.made, before), length, &shown.groups, (&links, &address));
    Map {
        frame: visit.frame(Place::Map, &title(&focus), Some(window)),
        calls: calls((&part, &shown.made), before, range, asked.order, (&links, &address)),
        orders: asked.order.list(&address),
        panel: asked.chosen(whole).map(detail),
        is_compared: asked.is_compared,
        // What is said is of what is shown.
        compared: before.and_then(|before| compared(&part, before, length, &visit.clock().range(earlier::before(range)))),
        gone: before.map(|before| gone(whole, &around(before, shown.focus.as_ref(), asked.hops))).unwrap_or_default(),
        switches: asked.switches(&links),
        open: asked.folds(&links),
        tray: if shown.focus.is_none() { tray(whole, &links, &palette) } else { Vec::new() },
        summary: summary(&part),
        names: format::offered(whole.nodes.iter().map(|node| written(&(node.name.clone(), node.kind)))),
        hidden: kept(visit),
        whole: if asked.focus.is_empty() { String::new() } else { address.clone().with("focus", "").with("hops", "").href() },
        notes: shown.notes.iter().cloned().chain(notes(asked, shown)).collect(),
        nothing: match &shown.focus {
            Some(_) => format!("{focus} neither calls nor is called in this window."),
            None => "No calls between services in this window.".to_owned(),
        },
        json: links.plain("/api/v1/map").with("from", &window.from).with("to", &window.to).href(),
        hint: shown.hint,
        has_user: has_user(&part),
        service: match &shown.focus {
            Some((name, NodeKind::Service)) if !shown.groups.contains_key(name) => links.service(name).href(),
            _ => String::new(),
        },
        focus: asked.focus.clone(),
        short: format::ending(&asked.focus, SHORT),
        hops: asked.hops,
        ..Map::default()
    }
}

fn notes(asked: &Asked, shown: &Shown) -> Vec<String> {
    let (whole, before) = (&shown.whole, shown.before.as_ref());
    let mut notes = whole.stats.notes.clone();
    if asked.is_compared && before.is_some_and(|before| before.edges.is_empty()) {
        notes.push("The window before this one holds no calls, so there is nothing to compare with.".to_owned());
    }
    if !asked.focus.is_empty() && shown.focus.is_none() {
        let names: Vec<&str> = whole.nodes.iter().map(|node| node.name.as_str()).collect();
        let meant = crate::params::nearest(&asked.focus, &names).into_iter().next();
        let meant = meant.map(|meant| format!(" Did you mean {}?", format::name(&meant))).unwrap_or_default();
        let rest = if whole.edges.is_empty() { "" } else { " Everything is shown." };
        notes.push(format!("Nothing called {} is on the map of this window.{meant}{rest}", format::name(&asked.focus)));
    }
    if let Some((from, to)) = asked.edge.as_ref().filter(|_| asked.chosen(whole).is_none()) {
        notes.push(format!("{} made no calls to {} in this window.", format::name(from), format::name(to)));
    }
    notes
}

async fn draw(mut page: Map, visit: &Visit, window: &Window, asked: &Asked, shown: Shown) -> Map {
    let mut part = around(&shown.whole, shown.focus.as_ref(), asked.hops);
    let (links, palette, range) = (visit.links(), visit.palette(), window.range);
    let nodes = keys(&part).len();
    if nodes == 0 {
        let wide = |label: &str, from: &str| (label.to_owned(), links.plain("/map").with("from", from).href());
        page.otherwise = vec![wide("Last 24 h", "now-24h"), wide("All time", "0")];
    } else if nodes > MAX_NODES && !asked.is_table {
        page.no_drawing = format!(
            "The map has {}, too many to draw legibly. Focus on one of them to see what is around it.",
            format::counted(nodes as u64, "node", "nodes")
        );
        page.instead = instead(asked, &part, &links);
    } else if !asked.is_table {
        if let Some(focus) = shown.focus.as_ref().filter(|_| part.edges.len() > MANY) {
            part = spokes(&part, focus);
            page.no_drawing = format!(
                "Drawn are the calls that lead to {} and away from it; those that its neighbours have with each other are in the table.",
                named(focus, &shown.whole)
            );
        }
        let (asked, address) = (asked.clone(), asked.address(&links));
        // A hundred nodes take some milliseconds of pure computing.
        let drawn = tokio::task::spawn_blocking(move || {
            let selected = asked.chosen(&shown.whole).map(|edge| (&edge.from, &edge.to));
            let opened = |namespace: &String| {
                let open = asked.open.iter().chain([namespace]).map(String::as_str).collect::<Vec<_>>().join(",");
                address.clone().with("open", &open).href()
            };
            let groups: HashMap<String, String> = shown.groups.iter().map(|(name, namespace)| (name.clone(), opened(namespace))).collect();
            let (made, before, focus) = (&shown.made, shown.before.as_ref(), shown.focus.as_ref());
            let picture = Picture { map: &part, made, before, range, focus, selected, page: &address, groups: &groups, is_trace: false };
            Drawing::new(&picture, &links, &palette)
        });
        page.drawing = drawn.await.ok().filter(|drawing| !drawing.boxes.is_empty());
        page.has_rare = page.drawing.as_ref().is_some_and(|drawing| drawing.arrows.iter().any(|arrow| arrow.is_rare));
        if page.drawing.is_none() {
            "This map has too many calls to draw legibly; focus on a service to see what is around it. The table below says the same."
                .clone_into(&mut page.no_drawing);
        }
    }
    page
}

/// Maps with less on them than one that has too many nodes, as far as they can be drawn.
fn instead(asked: &Asked, part: &ServiceMap, links: &Links) -> Vec<(String, String)> {
    let address = || asked.address(links);
    let services = if asked.services_only { 0 } else { keys(&services_only(part)).len() };
    let alone = (1..=MAX_NODES).contains(&services).then(|| {
        let label = format!("Services only, {}", format::counted(services as u64, "node", "nodes"));
        (label, address().with("peers", "off").href())
    });
    let nearer = (asked.hops > 1).then(|| ("One hop".to_owned(), address().with("hops", "").href()));
    let grouped = (!asked.is_grouped).then(|| ("Group by namespace".to_owned(), address().with("group", "namespace").href()));
    [nearer, alone, grouped].into_iter().flatten().collect()
}

/// Requests to one service or all of them over time, as on Home.
async fn strip(visit: &Visit, window: &Window, asked: &Asked, of: Option<&str>) -> Option<Bars> {
    let (parted, parts) = window.parts(POINTS);
    let mut services = visit.state.store().services(parted, parts).await.ok()?;
    services.retain(|service| of.is_none_or(|name| service.name == name));
    let page = asked.address(&visit.links());
    let bars = Bars::new(&requests(&added_up(&services), parted), parted, &SPANS, ("request", "requests"), &visit.clock(), &page);
    Some(bars).filter(|bars| !bars.is_empty)
}

fn kept(visit: &Visit) -> Vec<(String, String)> {
    let names = ["from", "to", "change", "view", "peers", "rare", "group", "open", "sort"];
    visit.params.pairs().filter(|(name, _)| names.contains(name)).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Letters of a name on a button.
const SHORT: usize = 32;

fn title(focus: &str) -> String {
    if focus.is_empty() { "Map".to_owned() } else { format!("{} – Map", format::name(focus)) }
}

/// Calls around a focus beyond which those between its neighbours are left to the table.
const MANY: usize = 60;

/// Namespaces that may be open.
const MAX_OPEN: usize = 50;

#[cfg(test)]
mod tests;
