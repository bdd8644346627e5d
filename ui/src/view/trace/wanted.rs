//! What an address says about how a trace is shown: the whole state of the page.

use storage::SpanId;

use super::back;
use super::columns::Columns;
use super::hiding::Services;
use crate::error::Failure;
use crate::params::{Params, parse_duration};
use crate::view::link::Address;

mod words;

pub(crate) use self::words::{Depth, FlameKind, LogMarks, Only, PanelTab, SpanOrder, View};
use self::words::{FLAMES, MARKS, ONLY, ORDERS, TABS, VIEWS, word_of};

/// See the table in [`Wanted::write`] for the names of parameters. What is not said has its default.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) view: View,
    pub(crate) span: Option<SpanId>,
    /// The part of the detail of the chosen span; `None` for the one that says most.
    pub(crate) tab: Option<PanelTab>,
    /// The row with which that part begins. Like `near` it is read and not written: only the window of the part leads on.
    pub(crate) first: usize,
    pub(crate) find: String,
    pub(crate) only: Only,
    /// Whether what does not match the search steps back.
    pub(crate) is_dim: bool,
    pub(crate) marks: LogMarks,
    /// Spans and groups that are open, and spans that are closed, against the rule.
    pub(crate) open: Vec<SpanId>,
    pub(crate) closed: Vec<SpanId>,
    pub(crate) groups: Vec<SpanId>,
    /// Whether similar siblings stay rows of their own.
    pub(crate) is_ungrouped: bool,
    /// The services whose spans are rows.
    pub(crate) services: Services,
    /// Columns beside those that are always there.
    pub(crate) columns: Columns,
    /// How many levels are open, against the rule.
    pub(crate) depth: Depth,
    /// The span shown as the root.
    pub(crate) root: Option<SpanId>,
    /// First row of the window.
    pub(crate) at: Option<usize>,
    /// The row that the reader comes from and goes on from. Of one step only: it is read and not written.
    pub(crate) near: Option<Near>,
    /// The window of time, after the start of the trace.
    pub(crate) t0: Option<Edge>,
    pub(crate) t1: Option<Edge>,
    /// Why one of them was not understood; empty when both were.
    pub(crate) misread: String,
    /// Whether times are corrected for clocks that disagree.
    pub(crate) is_adjusted: bool,
    /// The log record whose row is open.
    pub(crate) row: Option<u64>,
    pub(crate) flame: FlameKind,
    pub(crate) sort: SpanOrder,
    /// The list of traces that this one was opened from, as a query string of `/traces`.
    pub(crate) list: String,
    /// The page of logs or the trace that this one was opened from: its address below the base path.
    pub(crate) via: String,
}

/// A row, by its span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Near {
    /// The span, or the first of a group.
    pub(crate) span: SpanId,
    /// Whether it is the row of a group.
    pub(crate) is_group: bool,
}

/// An edge of the window of time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Edge {
    /// Nanoseconds after the start of the trace.
    Nanos(u64),
    /// Millionths of its duration: what a pointer points at.
    Share(u64),
}

// === impl Wanted ===

impl Wanted {
    /// Reads an address. Ids that are not ids, and numbers that are not numbers, count as absent; misspelt words are an error.
    pub(crate) fn read(params: &Params) -> Result<Self, Failure> {
        let id = |name: &str| params.get(name).and_then(|id| id.parse().ok());
        let ids = |name: &str| -> Vec<SpanId> {
            let list = params.get(name).unwrap_or_default();
            list.split(',').filter_map(|id| id.parse().ok()).take(MAX_EXCEPTIONS).collect()
        };
        let edge = |name: &str| params.get(name).map(|text| edge(name, text)).transpose();
        Ok(Self {
            view: params.word("view", &VIEWS)?.unwrap_or_default(),
            span: id("span"),
            tab: params.word("tab", &TABS)?,
            first: params.get("first").and_then(|first| first.parse().ok()).unwrap_or_default(),
            // Links of Jaeger's pages call it otherwise.
            find: params.get("find").or_else(|| params.get("uiFind")).unwrap_or_default().chars().take(MAX_FIND).collect(),
            only: params.word("only", &ONLY)?.unwrap_or_default(),
            is_dim: params.get("mode") == Some("dim"),
            marks: params.word("logs", &MARKS)?.unwrap_or_default(),
            open: ids("open"),
            closed: ids("closed"),
            groups: ids("groups"),
            is_ungrouped: params.get("group") == Some("off"),
            services: Services::read(params),
            columns: Columns::read(params),
            depth: match params.get("depth") {
                Some("all") => Depth::All,
                Some(levels) => levels.parse().map_or(Depth::Rule, Depth::Levels),
                None => Depth::Rule,
            },
            root: id("root"),
            at: params.get("at").and_then(|at| at.parse().ok()),
            near: params.get("near").and_then(Near::read),
            t0: edge("t0").unwrap_or_default(),
            t1: edge("t1").unwrap_or_default(),
            misread: [edge("t0").err(), edge("t1").err()].into_iter().flatten().next().map(|failure| failure.message).unwrap_or_default(),
            is_adjusted: params.get("skew") == Some("adjust"),
            row: params.get("row").and_then(|row| row.parse().ok()),
            flame: params.word("flame", &FLAMES)?.unwrap_or_default(),
            sort: params.word("sort", &ORDERS)?.unwrap_or_default(),
            list: params.get("list").filter(|list| list.len() <= MAX_LIST).unwrap_or_default().to_owned(),
            via: params.get("via").filter(|via| back::is_way(via)).unwrap_or_default().to_owned(),
        })
    }

    /// Adds everything that differs from the default to an address.
    pub(crate) fn write(&self, address: Address) -> Address {
        let list = |ids: &[SpanId]| ids.iter().map(SpanId::to_string).collect::<Vec<_>>().join(",");
        let id = |id: Option<SpanId>| id.map(|id| id.to_string()).unwrap_or_default();
        let word = |is_set: bool, word: &str| if is_set { word.to_owned() } else { String::new() };
        let depth = match self.depth {
            Depth::Rule => String::new(),
            Depth::Levels(levels) => levels.to_string(),
            Depth::All => "all".to_owned(),
        };
        let address = address
            .with("view", self.view.as_str())
            .with("root", &id(self.root))
            .with("find", &self.find)
            .with("only", self.only.as_str())
            .with("mode", &word(self.is_dim, "dim"))
            .with("logs", self.marks.as_str())
            .with("group", &word(self.is_ungrouped, "off"))
            .with("depth", &depth)
            .with("open", &list(&self.open))
            .with("closed", &list(&self.closed))
            .with("groups", &list(&self.groups));
        self.columns
            .write(self.services.write(address))
            .with("t0", &self.t0.map(Edge::text).unwrap_or_default())
            .with("t1", &self.t1.map(Edge::text).unwrap_or_default())
            .with("skew", &word(self.is_adjusted, "adjust"))
            .with("flame", &word(self.flame == FlameKind::Time, "time"))
            .with("sort", word_of(&ORDERS, self.sort))
            .with("at", &self.at.map(|at| at.to_string()).unwrap_or_default())
            .with("span", &id(self.span))
            .with("tab", self.tab.map_or("", PanelTab::as_str))
            .with("list", &self.list)
            .with("via", &self.via)
    }
}

// === impl Near ===

impl Near {
    /// An id as the rows have it, that of a group after a `g`.
    fn read(text: &str) -> Option<Self> {
        let of_group = text.strip_prefix('g');
        of_group.unwrap_or(text).parse().ok().map(|span| Self { span, is_group: of_group.is_some() })
    }
}

// === impl Edge ===

impl Edge {
    /// Nanoseconds after the start of something that lasts `whole`.
    pub(crate) fn of(self, whole: u64) -> u64 {
        let nanos = match self {
            Self::Nanos(nanos) => nanos,
            Self::Share(millionths) => u64::try_from(u128::from(whole) * u128::from(millionths) / 1_000_000).unwrap_or(whole),
        };
        nanos.min(whole)
    }

    fn text(self) -> String {
        match self {
            Self::Nanos(nanos) => nanos.to_string(),
            Self::Share(millionths) => format!("{}.{:04}%", millionths / 10_000, millionths % 10_000),
        }
    }
}

/// Nanoseconds, a duration such as `120ms`, or a share such as `12.5%`.
fn edge(name: &str, text: &str) -> Result<Edge, Failure> {
    let text = text.trim();
    if let Ok(nanos) = text.parse() {
        return Ok(Edge::Nanos(nanos));
    }
    if let Some(share) =
        text.strip_suffix('%').and_then(|share| share.trim().parse::<f64>().ok()).filter(|share| (0.0..=100.0).contains(share))
    {
        #[expect(clippy::cast_possible_truncation, reason = "between 0 and 100, as was just seen")]
        return Ok(Edge::Share((share * 10_000.0).round() as u64));
    }
    // As pages write durations, a space before the unit.
    let plain: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    parse_duration(&plain).map(Edge::Nanos).map_err(|reason| crate::params::wrong(name, &reason))
}

/// Span ids in each list of exceptions.
pub(super) const MAX_EXCEPTIONS: usize = 40;

/// Bytes of the list; a longer one is left out.
const MAX_LIST: usize = 4_000;

/// More characters of a search are left out.
const MAX_FIND: usize = 4_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::link::Links;

    #[test]
    fn what_an_address_says_is_written_back_the_same() {
        let query = "view=spans&root=00000000000000aa&find=a%20b&only=critical&mode=dim&logs=rows&group=off&depth=2&open=00000000000000ab&closed=\
                     00000000000000ac&groups=00000000000000ad,00000000000000ae&hide=card,stock&cols=own,attr.http.route&t0=5&t1=90&skew=adjust&flame=time&sort=self&at=7&span=\
                     00000000000000af&tab=events&list=q%3Da%2520b&via=%2Flogs%3Fq%3Dx";
        let wanted = Wanted::read(&Params::parse(query)).unwrap();
        let written = wanted.write(Links::default().plain("/trace/x")).href();
        assert_eq!(written, format!("/trace/x?{}", query.replace(',', "%2C")));
        assert_eq!(Wanted::read(&Params::parse("uiFind=stock")).unwrap().find, "stock");
        assert_eq!(Wanted::read(&Params::parse("")).unwrap().write(Links::default().plain("/")).href(), "/");
    }

    #[test]
    fn edges_are_nanoseconds_durations_or_shares() {
        for (text, expected) in [("250", 250), ("1.5us", 1_500), ("2 ms", 2_000_000), ("12.5%", 1_250_000), ("99 s", 10_000_000)] {
            assert_eq!(edge("t0", text).unwrap().of(10_000_000), expected, "{text}");
        }
        for text in ["soon", "-5", "120%"] {
            assert!(edge("t0", text).is_err(), "{text}");
        }
    }

    #[test]
    fn misspelt_words_are_named_and_broken_ids_left_out() {
        assert!(Wanted::read(&Params::parse("view=timelin")).is_err());
        assert_eq!(Wanted::read(&Params::parse("span=xyz&at=-1&depth=deep")).unwrap().span, None);
    }
}
