//! Columns of the waterfall that the reader adds: what stands in them, and how addresses name them.

use std::collections::BTreeMap;

use storage::{Span, Value};

use super::Scene;
use super::fold::Line;
use crate::params::Params;
use crate::view::attributes::brief;
use crate::view::format;
use crate::view::link::{Address, listed, names};

/// One column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Column {
    /// When a span began.
    Start,
    /// The time in which none of its children ran.
    Own,
    /// Its part of the trace.
    Share,
    /// An attribute of the span, or of its resource.
    Attribute { of_resource: bool, key: String },
}

/// Columns in their order: few, each once, of attributes one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Columns(Vec<Column>);

/// The heading of a column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Heading {
    pub(crate) label: String,
    /// Whether it holds texts and not numbers.
    pub(crate) is_text: bool,
}

/// The form that chooses columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Choice {
    /// What the form carries along.
    pub(crate) hidden: Vec<(String, String)>,
    /// Word of the address, label, and whether it is shown.
    pub(crate) known: Vec<(&'static str, &'static str, bool)>,
    /// The attribute that is shown, as the form takes it.
    pub(crate) attribute: String,
    /// Attributes of the spans in view.
    pub(crate) keys: Vec<String>,
    /// How many are shown; empty for none.
    pub(crate) count: String,
}

/// Those that are not attributes: word of the address, heading, and the words of the form.
const KNOWN: [(&str, &str, &str, Column); 3] = [
    ("start", "Start", "Start", Column::Start),
    ("own", "Own", "Own time", Column::Own),
    ("share", "Share", "Share of the trace", Column::Share),
];

// === impl Column ===

impl Column {
    /// As addresses and the form name it; a bare name is that of an attribute of the span.
    fn read(word: &str) -> Self {
        if let Some((.., known)) = KNOWN.iter().find(|(known, ..)| *known == word) {
            return known.clone();
        }
        let of_resource = word.strip_prefix("resource.");
        let key = of_resource.or_else(|| word.strip_prefix("attr.")).unwrap_or(word);
        Self::Attribute { of_resource: of_resource.is_some(), key: key.chars().take(MAX_KEY).collect() }
    }

    fn word(&self) -> String {
        match self {
            Self::Attribute { of_resource: true, key } => format!("resource.{key}"),
            Self::Attribute { of_resource: false, key } => format!("attr.{key}"),
            known => KNOWN.iter().find(|(.., column)| column == known).map_or("", |(word, ..)| word).to_owned(),
        }
    }

    fn is_attribute(&self) -> bool {
        matches!(self, Self::Attribute { .. })
    }

    fn value<'a>(&self, span: &'a Span) -> Option<&'a Value> {
        let Self::Attribute { of_resource, key } = self else { return None };
        let attributes = if *of_resource { &span.resource.attributes } else { &span.attributes };
        attributes.iter().find(|pair| pair.key == *key).map(|pair| &pair.value)
    }

    /// What stands in a row: a group has the sums of its spans, and no attribute.
    fn cell(&self, scene: &Scene, line: &Line) -> String {
        let sheet = &scene.sheet;
        let spans = if line.group.is_empty() { std::slice::from_ref(&line.place) } else { line.group.as_slice() };
        let sum = |of: &dyn Fn(usize) -> u64| spans.iter().fold(0_u64, |sum, place| sum.saturating_add(of(*place)));
        match self {
            Self::Start => format::duration(scene.offset(line.place)),
            Self::Own => format::duration(sum(&|place| sheet.self_time(place))),
            Self::Share => {
                format::percent(sum(&|place| sheet.spans.get(place).map_or(0, storage::trace::Brief::duration)), scene.axis.whole)
            }
            Self::Attribute { .. } if line.group.is_empty() => {
                scene.details.get(&line.place).and_then(|span| self.value(span)).map(|value| brief(value, MAX_VALUE)).unwrap_or_default()
            }
            Self::Attribute { .. } => String::new(),
        }
    }
}

// === impl Columns ===

impl Columns {
    /// Reads `cols=`, which may stand there more than once, and `col=`, the attribute of the form.
    pub(crate) fn read(params: &Params) -> Self {
        let lists = params.all("cols").flat_map(names);
        let typed = params.all("col").map(|key| key.trim().to_owned()).filter(|key| !key.is_empty()).take(1);
        lists.chain(typed).take(MAX_READ).fold(Self::default(), |columns, word| columns.with(Column::read(&word)))
    }

    pub(crate) fn write(&self, address: Address) -> Address {
        address.with("cols", &listed(&self.0.iter().map(Column::word).collect::<Vec<_>>()))
    }

    /// With one more at the end. The attribute takes the place of the one before; the first of too many goes.
    fn with(mut self, column: Column) -> Self {
        if self.0.contains(&column) || matches!(&column, Column::Attribute { key, .. } if key.is_empty()) {
            return self;
        }
        self.0.retain(|known| !(known.is_attribute() && column.is_attribute()));
        if self.0.len() == MAX_COLUMNS {
            self.0.remove(0);
        }
        self.0.push(column);
        self
    }

    fn without(&self, column: &Column) -> Self {
        Self(self.0.iter().filter(|known| *known != column).cloned().collect())
    }

    /// The cells of one row: what numbers have beside the class of all, and the text.
    pub(super) fn cells(&self, scene: &Scene, line: &Line) -> Vec<(&'static str, String)> {
        self.0.iter().map(|column| (if column.is_attribute() { "" } else { " num" }, column.cell(scene, line))).collect()
    }
}

/// The headings of the columns that are shown.
pub(super) fn headings(scene: &Scene) -> Vec<Heading> {
    let heading = |column: &Column| Heading {
        label: match column {
            Column::Attribute { key, .. } => format::name(key),
            known => KNOWN.iter().find(|(.., column)| column == known).map_or("", |(_, label, ..)| label).to_owned(),
        },
        is_text: column.is_attribute(),
    };
    scene.wanted.columns.0.iter().map(heading).collect()
}

/// The page with an attribute as a column, or without it when it is one; empty when it cannot be named.
pub(super) fn toggle(scene: &Scene, key: &str, of_resource: bool) -> (String, bool) {
    if key.is_empty() || key.chars().count() > MAX_KEY {
        return (String::new(), false);
    }
    let (columns, column) = (&scene.wanted.columns, Column::Attribute { of_resource, key: key.to_owned() });
    let is_shown = columns.0.contains(&column);
    let columns = if is_shown { columns.without(&column) } else { columns.clone().with(column) };
    (columns.write(scene.timeline()).href(), is_shown)
}

/// The form that chooses columns.
pub(super) fn choice(scene: &Scene) -> Choice {
    let columns = &scene.wanted.columns.0;
    let attribute = columns.iter().find(|column| column.is_attribute());
    Choice {
        hidden: scene.here().with("cols", "").pairs().to_vec(),
        known: KNOWN.map(|(word, _, label, column)| (word, label, columns.contains(&column))).to_vec(),
        attribute: attribute.map(|column| format::text(&column.word())).unwrap_or_default(),
        keys: keys(scene),
        count: if columns.is_empty() { String::new() } else { columns.len().to_string() },
    }
}

/// Attributes of the spans in view, the most frequent ones.
fn keys(scene: &Scene) -> Vec<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for pair in scene.details.values().flat_map(|span| &span.attributes) {
        *counts.entry(pair.key.as_str()).or_default() += 1;
    }
    let mut counts: Vec<(&str, usize)> = counts.into_iter().filter(|(key, _)| !key.is_empty()).collect();
    counts.sort_by_key(|(key, count)| (std::cmp::Reverse(*count), *key));
    counts.into_iter().take(MAX_KEYS).map(|(key, _)| format!("attr.{}", format::line(key, MAX_KEY))).collect()
}

/// Columns beside those that are always there.
const MAX_COLUMNS: usize = 3;

/// Words of an address that are looked at.
const MAX_READ: usize = 16;

/// Characters of the name of an attribute, and of its value in a row.
const MAX_KEY: usize = 200;
const MAX_VALUE: usize = 120;

/// Attributes that the form offers.
const MAX_KEYS: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::link::Links;

    fn words(query: &str) -> Vec<String> {
        Columns::read(&Params::parse(query)).0.iter().map(Column::word).collect()
    }

    #[test]
    fn an_address_has_few_columns_each_once_and_one_attribute() {
        assert_eq!(words("cols=start,own,start,share"), ["start", "own", "share"]);
        assert_eq!(words("cols=start&cols=own&col=http.route"), ["start", "own", "attr.http.route"]);
        assert_eq!(words("cols=start,own,share,resource.host.name"), ["own", "share", "resource.host.name"]);
        assert_eq!(words("cols=attr.a,own,attr.b&col=+"), ["own", "attr.b"]);
        assert_eq!(words("cols=attr.&col="), [""; 0]);
    }

    #[test]
    fn columns_are_written_back_the_same_whatever_an_attribute_is_called() {
        let columns = Columns::default().with(Column::Own).with(Column::Attribute { of_resource: false, key: "a,b%2Cstart".to_owned() });
        let href = columns.write(Links::default().plain("/x")).href();
        assert_eq!(Columns::read(&Params::parse(href.split_once('?').unwrap().1)), columns, "{href}");
    }
}
