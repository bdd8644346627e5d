//! What was written, and where: the first stage of the configuration.
//!
//! Owns the order of the layers and the list of mistakes. Knows the settings by name only; what values mean is decided in
//! `config` and `config::value`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use crate::cli::Flags;
use crate::config::nearest::nearest;
use crate::config::setting::{SETTINGS, VARIABLE_PREFIX};

/// The texts of all layers, the later over the earlier.
#[derive(Debug, Default)]
pub(super) struct Written {
    values: BTreeMap<&'static str, (String, Place)>,
    mistakes: Vec<Mistake>,
}

/// Something that cannot be used, and where it was written.
#[derive(Debug)]
pub(super) struct Mistake {
    place: Place,
    what: String,
}

/// Where something was written.
#[derive(Clone, Debug)]
enum Place {
    Default(&'static str),
    Line { file: PathBuf, line: usize },
    File(PathBuf),
    Variable(String),
    Flag(String),
}

// === impl Written ===

impl Written {
    /// Reads the layers in their order.
    pub(super) fn collect(flags: &Flags, environment: impl Iterator<Item = (OsString, OsString)>, default_file: &Path) -> Self {
        let mut written = Self::default();
        for setting in &SETTINGS {
            written.values.insert(setting.key, (setting.default.to_owned(), Place::Default(setting.key)));
        }
        let mut variables = Self::default();
        let file_in_environment = variables.environment(environment);
        match flags.config.clone().or(file_in_environment) {
            Some(file) => written.file(&file),
            None if default_file.exists() => written.file(default_file),
            None => {}
        }
        written.values.append(&mut variables.values);
        written.mistakes.append(&mut variables.mistakes);
        for (key, text) in &flags.values {
            written.values.insert(key, (text.clone(), Place::Flag(key.replace('_', "-"))));
        }
        written
    }

    /// What setting `key` means; when it means nothing, that is a mistake and the zero of the type.
    pub(super) fn read<T: Default>(&mut self, key: &'static str, read: impl Fn(&str) -> Result<T, String>) -> T {
        let Some((text, place)) = self.values.get(key) else { return T::default() };
        match read(text) {
            Ok(value) => value,
            Err(what) => {
                self.mistakes.push(Mistake { place: place.clone(), what });
                T::default()
            }
        }
    }

    /// The text of `key`.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(|(text, _)| text.as_str())
    }

    /// An address; when nobody wrote it and `host_all`, on every network.
    pub(super) fn read_address(
        &mut self,
        key: &'static str,
        host_all: bool,
        read: impl Fn(&str) -> Result<Option<SocketAddr>, String>,
    ) -> Option<SocketAddr> {
        let by_default = matches!(self.values.get(key), Some((_, Place::Default(_))));
        let mut address = self.read(key, read)?;
        if host_all && by_default {
            address.set_ip(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        }
        Some(address)
    }

    /// Notes that the value of `key` does not go with the others.
    pub(super) fn mistake(&mut self, key: &'static str, what: String) {
        let place = self.values.get(key).map_or(Place::Default(key), |(_, place)| place.clone());
        self.mistakes.push(Mistake { place, what });
    }

    pub(super) fn into_mistakes(self) -> Vec<Mistake> {
        self.mistakes
    }

    /// Takes the variables that are Throughline's; gives the configuration file when one names it.
    fn environment(&mut self, environment: impl Iterator<Item = (OsString, OsString)>) -> Option<PathBuf> {
        let mut file = None;
        for (name, value) in environment {
            let Some(name) = name.to_str().filter(|name| name.starts_with(VARIABLE_PREFIX)) else { continue };
            if name == CONFIG_VARIABLE {
                file = Some(PathBuf::from(value));
                continue;
            }
            let place = Place::Variable(name.to_owned());
            let Some(setting) = SETTINGS.iter().find(|setting| setting.variable() == name) else {
                let known: Vec<String> = SETTINGS.iter().map(|setting| setting.variable()).collect();
                self.mistakes.push(Mistake { place, what: unknown("variable", nearest(name, known.iter().map(String::as_str))) });
                continue;
            };
            match value.into_string() {
                Ok(text) => drop(self.values.insert(setting.key, (text, place))),
                Err(_) => self.mistakes.push(Mistake { place, what: "the value is not UTF-8".to_owned() }),
            }
        }
        file
    }

    fn file(&mut self, file: &Path) {
        let text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) => {
                self.mistakes.push(Mistake { place: Place::File(file.to_owned()), what: format!("cannot be read: {error}") });
                return;
            }
        };
        let place = |offset: usize| {
            let before = text.as_bytes().get(..offset).unwrap_or_default();
            Place::Line { file: file.to_owned(), line: 1 + before.iter().filter(|byte| **byte == b'\n').count() }
        };
        let (table, errors) = DeTable::parse_recoverable(&text);
        for error in errors {
            let place = error.span().map_or_else(|| Place::File(file.to_owned()), |span| place(span.start));
            self.mistakes.push(Mistake { place, what: error.message().to_owned() });
        }
        for (key, value) in table.get_ref() {
            let place = place(key.span().start);
            let name: &str = key.get_ref();
            let Some(setting) = SETTINGS.iter().find(|setting| setting.key == name) else {
                let what = format!("`{name}`: {}", unknown("setting", nearest(name, SETTINGS.iter().map(|setting| setting.key))));
                self.mistakes.push(Mistake { place, what });
                continue;
            };
            match plain(value.get_ref()) {
                Some(text) => drop(self.values.insert(setting.key, (text, place))),
                None => {
                    let what = format!("`{name}` is {}, not a text, a number, true, false or a list of texts", kind(value.get_ref()));
                    self.mistakes.push(Mistake { place, what });
                }
            }
        }
    }
}

fn unknown(what: &str, nearest: Option<&str>) -> String {
    match nearest {
        Some(nearest) => format!("no such {what}; did you mean `{nearest}`?"),
        None => format!("no such {what}; `throughline --help` lists all"),
    }
}

/// A value as one would write it in the environment.
fn plain(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.as_str().replace('_', "")),
        DeValue::Float(number) => Some(number.as_str().replace('_', "")),
        DeValue::Boolean(flag) => Some(flag.to_string()),
        DeValue::Array(items) => {
            let items: Option<Vec<&str>> = items.iter().map(|item| item.get_ref().as_str()).collect();
            Some(items?.join(","))
        }
        _ => None,
    }
}

/// What a value that is none of the plain ones is called.
fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::Table(_) => "a table",
        DeValue::Array(_) => "a list of other things",
        _ => "a date",
    }
}

// === impl Mistake ===

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Default(key) => write!(f, "{key}: ")?,
            Place::Line { file, line } => write!(f, "{}:{line}: ", file.display())?,
            Place::File(file) => write!(f, "{}: ", file.display())?,
            Place::Variable(name) => write!(f, "{name}: ")?,
            Place::Flag(name) => write!(f, "--{name}: ")?,
        }
        f.write_str(&self.what)
    }
}

const CONFIG_VARIABLE: &str = "THROUGHLINE_CONFIG";
