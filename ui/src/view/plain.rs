//! Pages that are mostly text: settings, help, saved views, and what is said when something is not there.

use askama::Template;

use super::format;
use super::frame::{Choice, Frame};

/// `/settings`.
#[derive(Debug, Default, Template)]
#[template(path = "settings.html")]
pub(crate) struct Settings {
    pub(crate) frame: Frame,
    pub(crate) keys: Vec<Choice>,
    pub(crate) zones: Vec<Choice>,
    /// The zone in its field, and what is wrong with it.
    pub(crate) zone: String,
    pub(crate) problem: String,
    /// The time now, as the reader sees times.
    pub(crate) now: format::Moment,
    /// What was set where the program was started.
    pub(crate) limits: Vec<(&'static str, String)>,
}

/// `/help`.
#[derive(Debug, Default, Template)]
#[template(path = "help.html")]
pub(crate) struct Help {
    pub(crate) frame: Frame,
    pub(crate) version: &'static str,
    pub(crate) parts: Vec<HelpPart>,
}

/// Something that is explained.
#[derive(Clone, Debug, Default)]
pub(crate) struct HelpPart {
    pub(crate) title: &'static str,
    pub(crate) about: &'static str,
    /// Word and address.
    pub(crate) ways: Vec<(&'static str, String)>,
}

/// `/saved`.
#[derive(Debug, Default, Template)]
#[template(path = "saved.html")]
pub(crate) struct Saved {
    pub(crate) frame: Frame,
    pub(crate) views: Vec<SavedRow>,
    pub(crate) links: Vec<SavedRow>,
    /// What was not saved, because another view has its name.
    pub(crate) taken: Option<Taken>,
}

/// Two views of one name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) name: String,
    /// What was to be saved, with the base path.
    pub(crate) address: String,
    /// Both in words.
    pub(crate) new: String,
    pub(crate) old: String,
}

/// A saved view or a short link.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SavedRow {
    pub(crate) short: String,
    pub(crate) name: String,
    /// `/s/{short}` below the base path.
    pub(crate) href: String,
    /// What it leads to, for people.
    pub(crate) about: String,
    /// Its window as it was saved; empty when it has none.
    pub(crate) time: String,
    pub(crate) saved: format::Moment,
}

/// `/help/shortcuts`.
#[derive(Debug, Default, Template)]
#[template(path = "shortcuts.html")]
pub(crate) struct Shortcuts {
    pub(crate) frame: Frame,
    /// Heading, and keys with what they do.
    pub(crate) groups: Vec<(&'static str, Vec<(&'static str, &'static str)>)>,
}

/// `/help/query`.
#[derive(Debug, Default, Template)]
#[template(path = "query_help.html")]
pub(crate) struct QueryHelp {
    pub(crate) frame: Frame,
    /// Example, what it finds, and its address.
    pub(crate) traces: Vec<(String, &'static str, String)>,
    /// The same of what asks for whole traces.
    pub(crate) whole: Vec<(String, &'static str, String)>,
    pub(crate) logs: Vec<(String, &'static str, String)>,
    /// Field and what it holds.
    pub(crate) fields: Vec<(String, &'static str)>,
}

/// What is said in place of a page.
#[derive(Debug, Default, Template)]
#[template(path = "failure.html")]
pub(crate) struct FailurePage {
    pub(crate) frame: Frame,
    pub(crate) status: u16,
    pub(crate) title: &'static str,
    pub(crate) message: String,
    pub(crate) suggestions: Vec<(String, String)>,
    /// Further explanation, one paragraph each.
    pub(crate) advice: Vec<&'static str>,
    /// Where to go from here.
    pub(crate) ways: Vec<(&'static str, String)>,
}
