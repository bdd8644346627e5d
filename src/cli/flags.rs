//! The settings given as flags, as they were written, and what is wrong in how they were given.
//!
//! Owns which words of the command line are flags of the server. What their values mean is decided in `config`, which tells the
//! mistakes of all layers together; so a flag that does not exist is noted here and does not end the program.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::ArgAction;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgMatches, Args, FromArgMatches, value_parser};

use crate::config::{SETTINGS, unknown_flag};

/// The settings given as flags, as they were written. One flag per line of [`SETTINGS`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Flags {
    pub(crate) config: Option<PathBuf>,
    pub(crate) values: Vec<(&'static str, String)>,
    /// What cannot be taken as it was given: the word, and what is wrong with it.
    pub(crate) mistakes: Vec<(String, String)>,
}

// === impl Flags ===

impl Flags {
    /// Takes the word out of `words` that made `error`, when the rest can be read without it, and says what is wrong with it.
    pub(super) fn take_out(error: &clap::Error, words: &mut Vec<OsString>, is_command: impl Fn(&str) -> bool) -> Option<(String, String)> {
        let named = error.get(ContextKind::InvalidArg).or_else(|| error.get(ContextKind::InvalidSubcommand));
        let Some(ContextValue::String(named)) = named else { return None };
        let (name, form) = named.split_once([' ', '=']).unwrap_or((named, ""));
        let place = words.iter().rposition(|word| word.to_str().is_some_and(|word| begins_with(word, name)))?;
        match error.kind() {
            ErrorKind::UnknownArgument => {
                let word = words.remove(place);
                let is_value = |next: &OsString| next.to_str().is_none_or(|next| !next.starts_with('-') && !is_command(next));
                if name.starts_with('-') && word.to_str() == Some(name) && words.get(place).is_some_and(is_value) {
                    words.remove(place);
                }
                Some(if name.starts_with('-') { (name.to_owned(), unknown_flag(name)) } else { stray(name) })
            }
            // The first word is meant to be a command; behind flags there is none.
            ErrorKind::InvalidSubcommand | ErrorKind::ArgumentConflict if place > 1 && !is_command(name) && !name.starts_with('-') => {
                words.remove(place);
                Some(stray(name))
            }
            // A flag at the end.
            ErrorKind::InvalidValue if matches!(error.get(ContextKind::InvalidValue), Some(ContextValue::String(value)) if value.is_empty()) =>
            {
                words.remove(place);
                Some((name.to_owned(), format!("needs a value {}", form.trim_matches(['<', '>']))))
            }
            _ => None,
        }
    }

    /// The last value of `key`, and notes when that is not the only one.
    fn take(&mut self, matches: &ArgMatches, key: &'static str, flag: &str) -> Option<OsString> {
        let mut given = matches.get_many::<OsString>(key)?;
        if given.len() > 1 {
            self.mistakes.push((flag.to_owned(), format!("given {} times; give it once", given.len())));
        }
        given.next_back().cloned()
    }
}

impl Args for Flags {
    fn augment_args(command: clap::Command) -> clap::Command {
        // Given twice, a flag is a mistake beside others and does not hide them.
        let flag = |key: &'static str| Arg::new(key).action(ArgAction::Append).value_parser(value_parser!(OsString));
        let file =
            flag(CONFIG).long(CONFIG).value_name("FILE").help("Read settings from this file [default: ./throughline.toml if it exists]");
        SETTINGS.iter().fold(command.arg(file), |command, setting| {
            let help = if setting.default.is_empty() {
                setting.help.to_owned()
            } else {
                format!("{} [default: {}]", setting.help, setting.default)
            };
            let flag = flag(setting.key).long(setting.flag_name()).value_name(setting.form).help(help);
            // A value such as -3 is judged with all other settings, not alone and before them.
            let flag = flag.allow_hyphen_values(!setting.is_switch());
            // `--demo` means `--demo=true`.
            let flag = if setting.is_switch() { flag.num_args(0..=1).require_equals(true).default_missing_value("true") } else { flag };
            command.arg(flag)
        })
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Self::default();
        flags.config = flags.take(matches, CONFIG, "--config").map(PathBuf::from);
        for setting in &SETTINGS {
            let flag = format!("--{}", setting.flag_name());
            match flags.take(matches, setting.key, &flag).map(OsString::into_string) {
                None => {}
                // A value may begin with a dash; two of them are the next flag.
                Some(Ok(value)) if value.starts_with("--") => {
                    let what = format!("needs a value {}, and `{value}` is a flag; give {flag}=VALUE", setting.form);
                    flags.mistakes.push((flag, what));
                }
                Some(Ok(value)) => flags.values.push((setting.key, value)),
                Some(Err(_)) => flags.mistakes.push((flag, "the value is not UTF-8".to_owned())),
            }
        }
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

fn stray(word: &str) -> (String, String) {
    (format!("`{word}`"), "neither a flag nor the value of one; `throughline --help` lists all".to_owned())
}

/// Whether `word` gives the flag `name`, alone or with its value, or is that word.
fn begins_with(word: &str, name: &str) -> bool {
    word.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('=') || (name.len() == 2 && name != "--"))
}

const CONFIG: &str = "config";
