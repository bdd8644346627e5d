//! What was written, and where: the first stage of the configuration.
//!
//! Owns the order of the layers and the list of mistakes. Knows the settings by name only; what values mean is decided in
//! `config` and `config::value`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use crate::cli::Flags;
use crate::config::nearest::nearest;
use crate::config::setting::{self, SETTINGS, VARIABLE_PREFIX};

/// The texts of all layers, the later over the earlier.
#[derive(Debug, Default)]
pub(super) struct Written {
    values: BTreeMap<&'static str, (String, Place)>,
    mistakes: Vec<Mistake>,
    /// The file of the settings.
    file: Option<PathBuf>,
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
    Line {
        file: PathBuf,
        line: usize,
    },
    File(PathBuf),
    Variable(String),
    /// Of the command line.
    Word(String),
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
        let by_default = || default_file.exists().then(|| default_file.to_owned());
        written.file = flags.config.clone().or(file_in_environment).or_else(by_default);
        if let Some(file) = written.file.clone() {
            written.read_file(&file);
        }
        written.values.append(&mut variables.values);
        written.mistakes.append(&mut variables.mistakes);
        for (key, text) in &flags.values {
            written.values.insert(key, (text.clone(), Place::Word(format!("--{}", key.replace('_', "-")))));
        }
        written.mistakes.extend(flags.mistakes.iter().map(|(word, what)| Mistake { place: Place::Word(word.clone()), what: what.clone() }));
        written
    }

    /// What setting `key` means; when it means nothing, that is a mistake and the zero of the type.
    pub(super) fn read<T: Default>(&mut self, key: &'static str, read: impl Fn(&str) -> Result<T, String>) -> T {
        let Some((text, place)) = self.values.get(key) else { return T::default() };
        match read(text) {
            Ok(value) => value,
            Err(what) => {
                let mistake = Mistake::of(key, place.clone(), what);
                self.mistakes.push(mistake);
                T::default()
            }
        }
    }

    /// What each of several parts of setting `key` means; every part that means nothing is a mistake of its own.
    pub(super) fn read_each<T>(&mut self, key: &'static str, parts: fn(&str) -> Vec<&str>, read: fn(&str) -> Result<T, String>) -> Vec<T> {
        let text = self.text(key).unwrap_or_default().to_owned();
        let each = parts(&text).into_iter().map(read);
        each.filter_map(|read| read.map_err(|what| self.mistake(key, what)).ok()).collect()
    }

    /// The file of the settings, when there is one.
    pub(super) fn file_read(&self) -> Option<&Path> {
        self.file.as_deref()
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
        read: impl Fn(&str, u16) -> Result<Option<SocketAddr>, String>,
    ) -> Option<SocketAddr> {
        let by_default = matches!(self.values.get(key), Some((_, Place::Default(_))));
        let mut address = self.read(key, |text| read(text, setting::usual_port(key)))?;
        if host_all && by_default {
            address.set_ip(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        }
        Some(address)
    }

    /// Notes that the value of `key` does not go with the others.
    pub(super) fn mistake(&mut self, key: &'static str, what: String) {
        let place = self.values.get(key).map_or(Place::Default(key), |(_, place)| place.clone());
        self.mistakes.push(Mistake::of(key, place, what));
    }

    /// All mistakes: those of the file line by line, then the others.
    pub(super) fn into_mistakes(mut self) -> Vec<Mistake> {
        self.mistakes.sort_by_key(|mistake| match &mistake.place {
            Place::File(_) => (0, 0),
            Place::Line { line, .. } => (0, *line),
            Place::Default(_) | Place::Variable(_) | Place::Word(_) => (1, 0),
        });
        self.mistakes
    }

    /// Takes the variables that are Throughline's; gives the configuration file when one names it.
    fn environment(&mut self, environment: impl Iterator<Item = (OsString, OsString)>) -> Option<PathBuf> {
        let mut file = None;
        for (name, value) in environment {
            let Some(name) = name.to_str().filter(|name| name.starts_with(VARIABLE_PREFIX) && !is_of_service(name)) else { continue };
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

    fn read_file(&mut self, file: &Path) {
        let text = match text_of(file) {
            Ok(text) => text,
            Err(what) => {
                self.mistakes.push(Mistake { place: Place::File(file.to_owned()), what });
                return;
            }
        };
        let line = |offset: usize| {
            let before = text.as_bytes().get(..offset).unwrap_or_default();
            1 + before.iter().filter(|byte| **byte == b'\n').count()
        };
        let place = |line| Place::Line { file: file.to_owned(), line };
        let (table, errors) = DeTable::parse_recoverable(&text);
        // One mistake of writing makes the parser complain more than once, and makes names that nobody wrote.
        let mut broken: BTreeMap<usize, String> = BTreeMap::new();
        for error in errors {
            let at = error.span().map_or(1, |span| line(span.start));
            broken.entry(at).or_insert_with(|| error.message().to_owned());
        }
        let keys = table.get_ref().iter().filter(|(key, _)| !broken.contains_key(&line(key.span().start)));
        let found: Vec<_> =
            keys.map(|(key, value)| (line(key.span().start), AsRef::<str>::as_ref(key.get_ref()), value.get_ref())).collect();
        let is_toml = broken.is_empty() || found.iter().any(|(_, name, _)| SETTINGS.iter().any(|setting| setting.key == *name));
        if !is_toml {
            let (at, why) = broken.into_iter().next().unwrap_or_default();
            let what = format!("this is not TOML, lines such as `otlp_grpc = \"127.0.0.1:4317\"`: {why}");
            self.mistakes.push(Mistake { place: place(at), what });
            return;
        }
        self.mistakes.extend(broken.into_iter().map(|(at, why)| Mistake { place: place(at), what: format!("not TOML: {why}") }));
        for (at, name, value) in found {
            self.pair(name, value, place(at));
        }
    }

    /// Takes a line of the file.
    fn pair(&mut self, name: &str, value: &DeValue<'_>, place: Place) {
        let Some(setting) = SETTINGS.iter().find(|setting| setting.key == name) else {
            let what = format!("`{name}`: {}", unknown("setting", nearest(name, SETTINGS.iter().map(|setting| setting.key))));
            self.mistakes.push(Mistake { place, what });
            return;
        };
        match plain(value) {
            Some(text) => drop(self.values.insert(setting.key, (text, place))),
            None => {
                let what = format!("`{name}` is {}, not a text, a number, true, false or a list of texts", kind(value));
                self.mistakes.push(Mistake { place, what });
            }
        }
    }
}

/// Whether Kubernetes sets this variable in every pod beside a Service named `throughline`.
fn is_of_service(name: &str) -> bool {
    let Some(rest) = name.strip_prefix(VARIABLE_PREFIX) else { return false };
    if matches!(rest, "SERVICE_HOST" | "SERVICE_PORT" | "PORT") || rest.strip_prefix("SERVICE_PORT_").is_some_and(|port| !port.is_empty()) {
        return true;
    }
    let Some((port, what)) = rest.strip_prefix("PORT_").and_then(|rest| rest.split_once('_')) else { return false };
    let protocol = ["_PROTO", "_PORT", "_ADDR"].iter().find_map(|end| what.strip_suffix(end)).unwrap_or(what);
    port.parse::<u16>().is_ok() && matches!(protocol, "TCP" | "UDP" | "SCTP")
}

/// What is in a file of settings, or what is wrong with it.
fn text_of(file: &Path) -> Result<String, String> {
    let read = || {
        let mut bytes = Vec::new();
        File::open(file)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
        std::io::Result::Ok(bytes)
    };
    let bytes = read().map_err(|error| format!("cannot be read: {error}"))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err("is larger than 1 MiB, so it is not a file of settings".to_owned());
    }
    String::from_utf8(bytes).map_err(|_| "is not text in UTF-8, so it is not a file of settings".to_owned())
}

/// What is wrong with a flag that does not exist, such as `--dat-dir`.
pub(crate) fn unknown_flag(flag: &str) -> String {
    let known: Vec<String> = SETTINGS.iter().map(|setting| format!("--{}", setting.flag_name())).collect();
    unknown("flag", nearest(flag, known.iter().map(String::as_str).chain(["--config"])))
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

impl Mistake {
    /// A place that does not say which setting it is gets its name.
    fn of(key: &str, place: Place, what: String) -> Self {
        let what = if matches!(place, Place::Line { .. }) { format!("`{key}`: {what}") } else { what };
        Self { place, what }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Default(key) => write!(f, "{key}: ")?,
            Place::Line { file, line } => write!(f, "{}:{line}: ", file.display())?,
            Place::File(file) => write!(f, "{}: ", file.display())?,
            Place::Variable(text) | Place::Word(text) => write!(f, "{text}: ")?,
        }
        f.write_str(&self.what)
    }
}

const CONFIG_VARIABLE: &str = "THROUGHLINE_CONFIG";

const MAX_FILE_BYTES: u64 = 1 << 20;
