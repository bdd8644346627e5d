//! What a request for a page says besides its parameters: who is shown what, and how.

use askama::Template;
use axum::extract::FromRequestParts;
use axum::response::{Html, IntoResponse, Redirect, Response};
use http::header::{COOKIE, HOST, VARY};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use storage::UnixNanos;

use super::ahead::{self, Ahead};
use super::assets;
use super::begin::{self, Begin};
use super::moments;
use crate::error::Failure;
use crate::params::{Params, Window, parse_spoken, parse_time};
use crate::state::AppState;
use crate::view::colour::Palette;
use crate::view::format::{self, Clockface};
use crate::view::frame::{Choice, Frame, Place, WindowPicker, length, moves, navigation, spoken};
use crate::view::link::Links;
use crate::view::search::sentence;

/// One request for a page.
#[derive(Clone, Debug)]
pub(crate) struct Visit {
    pub(crate) state: AppState,
    pub(crate) params: Params,
    /// Path and query below the base path.
    here: String,
    path: String,
    theme: &'static str,
    zone: Option<String>,
    /// The zone of their times before they were UTC.
    before: Option<String>,
    /// Whether single letters do nothing.
    quiet_keys: bool,
    /// The name by which this server was asked, without port; empty when the request names none.
    host: String,
    /// The part of the page that the script asks for.
    fragment: Option<String>,
    chosen: Option<Window>,
    /// Why `from` and `to` of the address were not understood.
    refused: String,
    /// Where all time begins and what lies behind its end, when that is asked for.
    begin: Option<Begin>,
    ahead: Option<Ahead>,
}

// === impl Visit ===

impl FromRequestParts<AppState> for Visit {
    /// A failure, or the address that names moments.
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Response> {
        let params = Params::from_request_parts(parts, state).await.map_err(IntoResponse::into_response)?;
        state.store().assign_service_slots().await;
        let mut visit = Self::by(state, &parts.uri, &parts.headers);
        visit.fragment = parts.headers.get("fragment").and_then(|value| value.to_str().ok()).map(str::to_owned);
        // What programs call the order, for who writes an address by hand.
        visit.params = params.also_called("sort", "order");
        if parts.method == Method::GET && visit.fragment.is_none() {
            let (links, clock) = (Links::new(state.base_path(), None), visit.clock());
            if let Some(address) = moments::address(&visit.params, &visit.path, &links, (state.now(), clock.zone())) {
                return Err(Redirect::to(&address).into_response());
            }
        }
        if visit.params.get("from") == Some("0") && matches!(visit.params.get("to"), None | Some("now")) {
            (visit.begin, visit.ahead) = tokio::join!(begin::of(state), ahead::of(state));
        }
        Ok(visit)
    }
}

impl Visit {
    /// A request of which is known who asks and where, and not for what: enough for pages about requests that went wrong.
    pub(crate) fn by(state: &AppState, uri: &Uri, headers: &HeaderMap) -> Self {
        let zone = |name| cookie(headers, name).filter(|name| name.len() < 64).map(str::to_owned);
        Self {
            state: state.clone(),
            params: Params::default(),
            here: uri.path_and_query().map_or_else(|| "/".to_owned(), |pair| pair.as_str().to_owned()),
            path: uri.path().to_owned(),
            theme: match cookie(headers, "theme") {
                Some("dark") => "dark",
                Some("light") => "light",
                _ => "",
            },
            zone: zone("zone"),
            before: zone("before"),
            quiet_keys: cookie(headers, "keys") == Some("off"),
            host: host_of(uri, headers),
            fragment: None,
            chosen: None,
            refused: String::new(),
            begin: None,
            ahead: None,
        }
    }

    /// The window of the request; links keep it when the reader chose it. One that is not understood is refused in the menu of time, beside the
    /// default one; a part of a page is refused as a whole.
    pub(crate) fn window(&mut self, default_from: &str) -> Result<Window, Failure> {
        let (now, clock) = (self.state.now(), self.clock());
        let read = self.params.window_by(default_from, |text| parse_spoken(text, now, clock.zone()));
        let mut window = match read {
            Ok(window) => window,
            Err(failure) if self.fragment.is_none() => {
                let (_, reason) = failure.message.split_once(": ").unwrap_or(("", &failure.message));
                self.refused = sentence(reason);
                return Params::default().window(now, default_from);
            }
            Err(failure) => return Err(failure),
        };
        // What was meant by the clock and the zone of this reader is kept as a time that others read alike.
        for (text, at) in [(&mut window.from, window.range.from), (&mut window.to, window.range.to)] {
            let is_moving = text.starts_with("now");
            if is_moving && parse_time(text, now) != Ok(at) {
                *text = format!("now-{}d", now.since(at) / DAY);
            } else if !is_moving && parse_time(text, UnixNanos::new(0)) != Ok(at) {
                *text = at.get().to_string();
            }
        }
        if window.from == "0" && window.to == "now" {
            window.range.to = ahead::end(now, self.state.newest());
            window.range.from = self.begin.map_or(window.range.from, |begin| begin.at.min(now.minus(MINUTE)));
        }
        if self.params.get("from").is_some() || self.params.get("to").is_some() {
            self.chosen = Some(window.clone());
        }
        Ok(window)
    }

    /// Says which parameters of `/api/v1` stand in the address and do nothing on a page that is narrowed by `q` alone: whoever wrote them
    /// would take what is shown for what they asked. What others add to addresses is passed over, see `docs/adr/036`.
    pub(super) fn ineffective(&self, of_api: &[&str]) -> Option<String> {
        let names = of_api.iter().filter(|name| !["q", "from", "to"].contains(name) && self.params.get(name).is_some());
        let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
        let does = if names.len() == 1 { "does" } else { "do" };
        (!names.is_empty())
            .then(|| format!("{} in the address {does} nothing here: this page shows what the query finds", names.join(", ")))
    }

    /// Links below the base path, in the reader's window.
    pub(crate) fn links(&self) -> Links {
        Links::new(self.state.base_path(), self.chosen.as_ref())
    }

    /// The time now, in the reader's zone.
    pub(crate) fn clock(&self) -> Clockface {
        Clockface::new(self.state.now(), self.zone.as_deref())
    }

    /// Colours of the services of this store.
    pub(crate) fn palette(&self) -> Palette {
        Palette::new(&self.state.store().service_slots())
    }

    /// The name by which this server was asked, without port.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Whether the zone of the reader is kept, chosen by them or taken from their browser.
    pub(crate) fn has_zone(&self) -> bool {
        self.zone.is_some()
    }

    /// Whether the reader wants no single-letter keys.
    pub(crate) fn quiet_keys(&self) -> bool {
        self.quiet_keys
    }

    /// The present address with the window written as times, so that it shows the same later.
    fn absolute(&self, window: Option<&Window>) -> String {
        let address = self.links().plain(&self.path).with_all(self.params.pairs().filter(|(name, _)| *name != "live"), &HISTORY);
        let Some(window) = window else { return address.href() };
        let at = |time: UnixNanos| time.get().to_string();
        address.with("from", &at(window.range.from)).with("to", &at(window.range.to)).href()
    }

    /// The present address with the window as its reader chose it, also where the page chose it for them.
    fn kept(&self, window: Option<&Window>) -> String {
        let address = self.links().plain(&self.path).with_all(self.params.pairs().filter(|(name, _)| *name != "live"), &HISTORY);
        let Some(window) = window else { return address.href() };
        address.with("from", &window.from).with("to", if window.to == "now" { "" } else { &window.to }).href()
    }

    /// The part of the page that is wanted.
    pub(crate) fn fragment(&self) -> Option<&str> {
        self.fragment.as_deref()
    }

    /// The frame of a page; with `window` it has the picker of time.
    pub(crate) fn frame(&self, place: Place, title: &str, window: Option<&Window>) -> Frame {
        let (links, clock) = (self.links(), self.clock());
        let pairs: Vec<(String, String)> = self.params.pairs().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let theme = |label: &'static str, value: &'static str| {
            self.choice("theme", label, if value.is_empty() { "system" } else { value }, self.theme == value)
        };
        let refusal = self.state.store().status().write_refusal;
        Frame {
            title: format!("{title} · Throughline"),
            assets: format!("{}/a/{}", links.base(), assets::hash()),
            base: links.base().to_owned(),
            theme: self.theme,
            nav: navigation(&links, place),
            window: window.map(|window| self.picker(WindowPicker::new(window, &self.path, &pairs, &links, &clock))),
            zone: clock.label().to_owned(),
            asks_zone: !self.has_zone(),
            ahead: clock.ahead(window.map(|window| window.range)),
            utc: self.choice("zone", "UTC", "UTC", false).href,
            before: if clock.label() == "UTC" { self.before() } else { None },
            themes: vec![theme("As the system", ""), theme("Light", "light"), theme("Dark", "dark")],
            here: self.here.clone(),
            long: length(&self.host, &self.absolute(window)),
            absolute: self.absolute(window),
            kept: self.kept(window),
            moves: window.is_some_and(moves),
            time: window.map(|window| spoken(window, &clock)).unwrap_or_default(),
            relative: links.plain(&self.path).with_all(self.params.pairs(), &HISTORY).href(),
            quiet_keys: self.quiet_keys,
            search: String::new(),
            paper: self.paper(window),
            strays: window.filter(|window| window.from == "0" && window.to == "now").map(|_| self.strays()).unwrap_or_default(),
            alerts: refusal.map(|reason| format!("Nothing new is taken in: {reason}")).into_iter().collect(),
        }
    }

    /// What is shown, from when to when and as of when: paper has neither the query nor the menu of time.
    fn paper(&self, window: Option<&Window>) -> String {
        let clock = self.clock();
        let at = |time: UnixNanos| clock.to_the_second(time).replace('T', " ");
        let query = self.params.get("q").map(|query| format::line(query, 400)).filter(|query| !query.trim().is_empty());
        let window = window.map(|window| format!("{} – {}", at(window.range.from), at(window.range.to)));
        let parts = [query, window, Some(format!("as of {} {}", at(clock.now()), clock.label()))];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
    }

    /// The zone that times were in before they were UTC, and what leads back to it.
    fn before(&self) -> Option<(String, String)> {
        let known = Clockface::new(self.state.now(), self.before.as_deref());
        let zone = known.label();
        (zone != "UTC").then(|| (zone.to_owned(), self.choice("zone", "", zone, false).href))
    }

    /// What lies before all time and behind it, in words, and this page in its window.
    fn strays(&self) -> Vec<(String, String)> {
        let within = |from: &str, to: UnixNanos| {
            let address = self.links().plain(&self.path).with_all(self.params.pairs(), &HISTORY);
            address.with("from", from).with("to", &to.get().to_string()).href()
        };
        let before = self.begin.filter(|begin| begin.left_out != [0, 0]);
        let before = before.map(|begin| (begin.said(&self.clock()), within("0", begin.at)));
        let ahead = self.ahead.map(|ahead| (ahead.said(), within(&ahead.range.from.get().to_string(), ahead.range.to)));
        before.into_iter().chain(ahead).collect()
    }

    /// The menu of time with what was typed there and not understood.
    fn picker(&self, picker: WindowPicker) -> WindowPicker {
        if self.refused.is_empty() {
            return picker;
        }
        let typed = |name: &str, known: String| self.params.get(name).map_or(known, |text| format::line(text, 100));
        WindowPicker { problem: self.refused.clone(), from: typed("from", picker.from), to: typed("to", picker.to), ..picker }
    }

    /// A preference that leads back to where its reader is.
    pub(super) fn choice(&self, name: &str, label: &'static str, value: &str, is_current: bool) -> Choice {
        Choice { label, href: self.links().plain("/preferences").with(name, value).with("back", &self.here).href(), is_current }
    }
}

/// Renders a page or a part of one.
pub(crate) fn html(template: &impl Template) -> Response {
    html_with(StatusCode::OK, template)
}

/// Renders a page with another status than 200.
pub(crate) fn html_with(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(text) => {
            let mut response = (status, Html(text)).into_response();
            response.headers_mut().insert(VARY, HeaderValue::from_static("fragment, cookie"));
            response
        }
        Err(error) => {
            tracing::error!(%error, "a page could not be rendered");
            Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "this page could not be rendered").into_response()
        }
    }
}

/// The host of the request without its port.
fn host_of(uri: &Uri, headers: &HeaderMap) -> String {
    let named = uri.authority().map(|authority| authority.as_str().to_owned());
    let named = named.or_else(|| headers.get(HOST).map(|host| String::from_utf8_lossy(host.as_bytes()).into_owned()));
    let named = named.unwrap_or_default();
    let is_port = |port: &str| port.bytes().all(|b| b.is_ascii_digit());
    named.rsplit_once(':').filter(|(_, port)| is_port(port)).map_or(named.as_str(), |(host, _)| host).to_owned()
}

const MINUTE: u64 = 60_000_000_000;
const DAY: u64 = 1_440 * MINUTE;

/// Parameters that say how the reader came here, and nothing of what is shown: they are not shared.
const HISTORY: [&str; 5] = ["past", "list", "near", "go", "via"];

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let cookies = headers.get_all(COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    cookies.flat_map(|line| line.split(';')).find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}
