//! The command line: which command, with which flags. What flags mean is decided in `config` and in the commands.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory as _, Parser, Subcommand, ValueEnum};

use crate::config::value;

mod flags;
mod tools;

pub(crate) use self::flags::Flags;
pub(crate) use self::tools::{
    Backup, Bench, Check, Export, ExportFormat, Health, Import, Query, Repair, Restore, Signal, TableFormat, Where,
};

/// Keeps the traces and logs of your services, and shows the thread of every request.
#[derive(Debug, Parser)]
#[command(name = "throughline", version, args_conflicts_with_subcommands = true, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    flags: Flags,
}

/// What to do. Without a command, `serve`.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Take in, keep and show traces and logs (the default)
    Serve(Flags),
    /// Send traces and logs of the sample shop, or of another workload, as fast as they are accepted
    Load(Load),
    /// Ask a running server whether it is alive, or with --ready whether it is ready
    Health(Health),
    /// Read everything in a data folder and say what is whole and what is not
    Check(Check),
    /// Make a data folder whole again from what is left of it, and say what is lost; nothing is deleted
    Repair(Repair),
    /// Copy everything stored at one moment to a folder of backups, also while a server runs
    Backup(Backup),
    /// Make a data folder of a backup
    Restore(Restore),
    /// Write stored traces and logs as OTLP, from a running server or a data folder
    Export(Export),
    /// Take in OTLP from files, into a data folder or through a running server
    Import(Import),
    /// Ask a running server or a data folder, in the search language or in SQL
    Query(Query),
    /// Measure this machine: take in a workload, ask questions, compare the answers
    Bench(Bench),
    /// Print the version
    Version,
}

/// Arguments of `load`.
#[derive(Debug, clap::Args)]
pub(crate) struct Load {
    /// Spans to send
    #[arg(long, default_value = "0", value_parser = value::count, allow_hyphen_values = true)]
    pub(crate) spans: u64,
    /// Log records to send, after the spans
    #[arg(long, default_value = "0", value_parser = value::count, allow_hyphen_values = true)]
    pub(crate) logs: u64,
    /// Where to send [default: the protocol's port on this machine]
    #[arg(long, value_name = "URL")]
    pub(crate) endpoint: Option<String>,
    /// How to send
    #[arg(long, value_enum, default_value = "http")]
    pub(crate) protocol: Protocol,
    /// What to send
    #[arg(long, value_enum, default_value = "shop")]
    pub(crate) workload: Workload,
    /// Connections, each with one request under way
    #[arg(long, default_value = "8", value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub(crate) connections: u16,
    /// Spans or log records in a request
    #[arg(long, default_value = "1000", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) spans_per_request: u32,
    /// The span of time before now over which the requests are spread
    #[arg(long, default_value = "1h", value_parser = value::duration)]
    pub(crate) window: Duration,
    /// Spans or log records per second, which have just happened when they are sent [default: as fast as they are accepted]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "window")]
    pub(crate) rate: Option<u32>,
    /// How long a request is tried before it counts as not acknowledged
    #[arg(long, default_value = "30s", value_parser = value::duration)]
    pub(crate) give_up_after: Duration,
    /// Append one line per acknowledged request to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) ledger: Option<PathBuf>,
    /// Send the same requests at every run with this number
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// What `load` and `bench` send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Workload {
    /// The sample shop
    Shop,
    /// Traces of very different sizes from many services, some over three requests or with a span that comes a minute late; log records of
    /// 300 bytes with twelve attributes and words to be found
    Tail,
    /// The traces of tail; log records of a kilobyte that hardly compress, with words to be found
    Raw,
}

/// How `load` sends.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Protocol {
    /// OTLP/HTTP with protobuf
    Http,
    /// OTLP/gRPC
    Grpc,
}

// === impl Cli ===

impl Cli {
    /// What to do. What is wrong with the flags of the server is in them, to be told with all other mistakes of the configuration.
    ///
    /// # Errors
    /// With what is to be printed: help, or what is wrong with the arguments of another command.
    pub(crate) fn read(words: impl IntoIterator<Item = OsString>) -> Result<Command, clap::Error> {
        let mut words: Vec<OsString> = words.into_iter().collect();
        if let Some(error) = Self::unknown_flag_of_query(&words) {
            return Err(error);
        }
        let names = Self::command();
        let (mut first, mut mistakes) = (None, Vec::new());
        // Each turn takes a word out or is the last.
        loop {
            match Self::try_parse_from(&words) {
                Ok(read) => {
                    return match (read.command.unwrap_or(Command::Serve(read.flags)), first) {
                        (Command::Serve(mut flags), _) => {
                            flags.mistakes.append(&mut mistakes);
                            Ok(Command::Serve(flags))
                        }
                        (_, Some(error)) => Err(error),
                        (command, None) => Ok(command),
                    };
                }
                Err(error) => match Flags::take_out(&error, &mut words, |word| names.find_subcommand(word).is_some()) {
                    Some(mistake) => {
                        mistakes.push(mistake);
                        first.get_or_insert(error);
                    }
                    None => return Err(error),
                },
            }
        }
    }

    /// A question may begin with a minus, and so may a flag with a slip in it: what is written like a flag is one that does not exist.
    fn unknown_flag_of_query(words: &[OsString]) -> Option<clap::Error> {
        words.get(1).filter(|command| *command == "query")?;
        let strict = Self::command().mut_subcommand("query", |query| query.mut_arg("text", |text| text.allow_hyphen_values(false)));
        let error = strict.try_get_matches_from(words).err().filter(|error| error.kind() == ErrorKind::UnknownArgument)?;
        let is_flag = matches!(error.get(ContextKind::InvalidArg), Some(ContextValue::String(word)) if is_like_flag(word));
        is_flag.then_some(error)
    }
}

/// Whether it is written as flags are, `--name` or `--name=value`; a question `--x:y` and a comment of SQL are not.
fn is_like_flag(word: &str) -> bool {
    let name = word.strip_prefix("--").and_then(|rest| rest.split('=').next()).unwrap_or_default();
    name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

const AFTER_HELP: &str = "\
Every setting can also be written in throughline.toml (otlp_grpc = \"127.0.0.1:4317\") or in the environment
(THROUGHLINE_OTLP_GRPC=127.0.0.1:4317). A flag wins over the environment, and the environment over the file.";

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &str) -> Result<Command, String> {
        let words = std::iter::once("throughline").chain(arguments.split_whitespace());
        Cli::read(words.map(OsString::from)).map_err(|error| error.to_string())
    }

    /// What is wrong with flags, one mistake a line.
    fn mistakes(arguments: &str) -> Vec<String> {
        let Command::Serve(flags) = parse(arguments).unwrap() else { panic!("{arguments}") };
        flags.mistakes.into_iter().map(|(word, what)| format!("{word}: {what}")).collect()
    }

    #[test]
    fn without_a_command_it_serves() {
        let Ok(Command::Serve(flags)) = parse("--demo --data-dir /tmp/x") else { panic!() };
        assert_eq!(flags.values, [("data_dir", "/tmp/x".to_owned()), ("demo", "true".to_owned())]);
        let Ok(Command::Serve(flags)) = parse("serve --demo=false --otlp-grpc off") else { panic!() };
        assert_eq!(flags.values, [("otlp_grpc", "off".to_owned()), ("demo", "false".to_owned())]);
    }

    #[test]
    fn a_value_may_be_negative_and_the_next_flag_is_no_value() {
        let Ok(Command::Serve(flags)) = parse("--demo-rate -3 --query-timeout -1s") else { panic!() };
        assert_eq!(flags.values, [("demo_rate", "-3".to_owned()), ("query_timeout", "-1s".to_owned())]);
        assert_eq!(mistakes("--data-dir --demo"), ["--data-dir: needs a value DIR, and `--demo` is a flag; give --data-dir=VALUE"]);
        assert_eq!(mistakes("serve --demo --data-dir"), ["--data-dir: needs a value DIR"]);
        assert_eq!(mistakes("--config"), ["--config: needs a value FILE"]);
        let said = parse("load --spans -5").unwrap_err();
        assert!(said.contains("`-5` is not a number"), "{said}");
    }

    #[test]
    fn a_command_that_does_not_exist_is_answered_with_one_that_does() {
        let said = parse("serv").unwrap_err();
        assert!(said.contains("serve"), "{said}");
        let said = parse("check --jsn").unwrap_err();
        assert!(said.contains("--json"), "{said}");
        let said = parse("--nonsense check").unwrap_err();
        assert!(said.contains("--nonsense"), "{said}");
    }

    #[test]
    fn a_question_may_begin_with_a_minus_and_takes_no_flag_for_itself() {
        // The second begins with the letter of the help.
        for question in ["-service:cart", "-http.route:/pay", "-a=b", "--x:y", "-\"two words\"", "-- all\nSELECT 1"] {
            for words in [["--url", "u", question].as_slice(), &[question, "--url", "u"], &["--url=u", "--limit", "5", question]] {
                let words = ["throughline", "query"].iter().chain(words).map(OsString::from);
                let Ok(Command::Query(query)) = Cli::read(words) else { panic!("{question}") };
                assert_eq!((query.text.as_str(), query.source.url.as_deref()), (question, Some("u")));
            }
        }
        let Ok(Command::Query(query)) = parse("query --url u -- --url") else { panic!() };
        assert_eq!(query.text, "--url");
        for wrong in
            ["query --formt csv -a:b", "query -a:b --formt csv", "query --formt=csv", "query -http.x:1 --formt", "query --formt csv"]
        {
            let said = parse(wrong).unwrap_err();
            assert!(said.contains("'--formt'") && said.contains("'--format'"), "{wrong}: {said}");
        }
        assert!(parse("query --help").unwrap_err().contains("Usage") && parse("query -h").unwrap_err().contains("Usage"));
        let Ok(Command::Export(export)) = parse("export -q -http.route:/pay --signal traces") else { panic!() };
        assert_eq!((export.query.as_deref(), export.signal), (Some("-http.route:/pay"), Some(Signal::Traces)));
        let said = parse("export --query --signal traces").unwrap_err();
        assert!(said.contains("`--signal` is a flag"), "{said}");
    }

    #[test]
    fn flags_that_are_none_or_are_repeated_do_not_hide_each_other() {
        let found = mistakes("--dat-dir x --nonsense=3 -x --demo-rate 1 --ui a:1 --ui b:2 --demo --demo stray");
        assert_eq!(
            found,
            [
                "--ui: given 2 times; give it once",
                "--demo: given 2 times; give it once",
                "--dat-dir: no such flag; did you mean `--data-dir`?",
                "--nonsense: no such flag; `throughline --help` lists all",
                "-x: no such flag; `throughline --help` lists all",
                "`stray`: neither a flag nor the value of one; `throughline --help` lists all",
            ]
        );
        let Ok(Command::Serve(flags)) = parse("serve --dat-dir x --ui a:1 --ui b:2") else { panic!() };
        assert_eq!(flags.values, [("ui", "b:2".to_owned())]);
        assert!(parse("--nonsense --help").unwrap_err().contains("Usage"));
    }

    #[test]
    fn load_reads_counts_and_durations_as_people_write_them() {
        let Ok(Command::Load(load)) = parse("load --spans 1_000_000 --window 90m --protocol grpc") else { panic!() };
        assert_eq!((load.spans, load.window), (1_000_000, Duration::from_secs(5_400)));
    }
}
