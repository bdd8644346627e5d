//! Arguments of the commands that work on a data folder or ask a server.

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;

use crate::config::value;

use super::{Workload, is_like_flag};

/// Arguments of `health`.
#[derive(Debug, clap::Args)]
pub(crate) struct Health {
    /// The server's pages [default: where the settings say that they are]
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// Ask whether every part is ready, not only whether the process is alive
    #[arg(long)]
    pub(crate) ready: bool,
    /// How long to wait for the answer
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = value::duration)]
    pub(crate) timeout: Duration,
}

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
pub(crate) struct Check {
    /// The data folder [default: the one that the settings name]
    #[arg(value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `repair`.
#[derive(Debug, clap::Args)]
pub(crate) struct Repair {
    /// The data folder, which no server may have open [default: the one that the settings name]
    #[arg(value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Say what would be done, and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `bench`.
#[derive(Debug, clap::Args)]
pub(crate) struct Bench {
    /// Spans to take in
    #[arg(long, default_value = "1000000", value_parser = value::count)]
    pub(crate) spans: u64,
    /// Log records to take in
    #[arg(long, default_value = "2000000", value_parser = value::count)]
    pub(crate) logs: u64,
    /// What to send
    #[arg(long, value_enum, default_value = "tail")]
    pub(crate) workload: Workload,
    /// Connections, each with one request under way
    #[arg(long, default_value = "8", value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub(crate) connections: u16,
    /// Send the same requests at every run with this number
    #[arg(long, default_value = "1")]
    pub(crate) seed: u64,
    /// How often each question is asked
    #[arg(long, default_value = "200", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) questions: u16,
    /// Keep the data here; the folder must be empty [default: a temporary folder that is removed]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
}

/// Arguments of `backup`.
#[derive(Debug, clap::Args)]
pub(crate) struct Backup {
    /// The data folder, unless --url is given, and the folder of backups
    #[arg(value_name = "DIR DEST", required = true, num_args = 1..=2)]
    pub(crate) paths: Vec<PathBuf>,
    /// Back up the running server whose pages are here
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// Afterwards remove all backups but so many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) keep: Option<u16>,
}

/// Arguments of `restore`.
#[derive(Debug, clap::Args)]
pub(crate) struct Restore {
    /// The folder of backups
    #[arg(value_name = "SRC")]
    pub(crate) vault: PathBuf,
    /// The data folder to make, absent or empty; without it, backups are listed
    #[arg(value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Which backup [default: the last]
    #[arg(long, value_name = "ID")]
    pub(crate) at: Option<String>,
}

/// What a command reads: a server, or a data folder that no server has open.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Where {
    /// Ask the running server whose pages are here
    #[arg(long, value_name = "URL", conflicts_with = "data_dir")]
    pub(crate) url: Option<String>,
    /// Open this data folder, which no server may have open [default: the one that the settings name]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
}

/// Spans or log records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Signal {
    /// Spans
    Traces,
    /// Log records
    Logs,
}

/// Arguments of `export`.
#[derive(Debug, clap::Args)]
pub(crate) struct Export {
    #[command(flatten)]
    pub(crate) source: Where,
    /// What to export [default: both; with --query it must be said]
    #[arg(long, value_enum)]
    pub(crate) signal: Option<Signal>,
    /// Only what matches, in the search language; needs --signal
    #[arg(long, short = 'q', value_name = "QUERY", requires = "signal", allow_hyphen_values = true, value_parser = no_flag)]
    pub(crate) query: Option<String>,
    /// Only this trace: its spans and its log records
    #[arg(long, value_name = "ID")]
    pub(crate) trace: Option<String>,
    #[command(flatten)]
    pub(crate) window: Window,
    /// How it is written
    #[arg(long, value_enum, default_value = "json")]
    pub(crate) format: ExportFormat,
    /// Write to this file, which appears when it is whole; `-` is stdout [default: stdout]
    #[arg(long, short = 'o', value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// A window of time.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Window {
    /// Begin, such as now-15m, 2026-01-31T12:00:00Z or seconds since 1970; without it everything
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// End, the first moment outside
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<String>,
}

/// How OTLP is written in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    /// OTLP JSON, one `TracesData` or `LogsData` per line
    Json,
    /// OTLP protobuf, each message after its length as a varint; needs --signal
    Protobuf,
}

/// Arguments of `import`.
#[derive(Debug, clap::Args)]
pub(crate) struct Import {
    /// Files that `export` or an OpenTelemetry Collector wrote; `-` is stdin
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Send to the OTLP/HTTP port of a running server or Collector
    #[arg(long, value_name = "URL", conflicts_with = "data_dir")]
    pub(crate) endpoint: Option<String>,
    /// Open this data folder, which no server may have open; created when absent [default: the one that the settings name]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// How the files are written [default: as each begins]
    #[arg(long, value_enum)]
    pub(crate) format: Option<ExportFormat>,
    /// What messages in protobuf hold, which do not say it themselves
    #[arg(long, value_enum, required_if_eq("format", "protobuf"))]
    pub(crate) signal: Option<Signal>,
    /// Leave out so many messages at the beginning: what an interrupted import says that it did
    #[arg(long, value_name = "N", default_value = "0", value_parser = value::count)]
    pub(crate) skip: u64,
    /// How long a message is tried before the import ends
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = value::duration)]
    pub(crate) give_up_after: Duration,
}

/// Arguments of `query`.
#[derive(Debug, clap::Args)]
pub(crate) struct Query {
    /// The question: the search language, or with --sql one statement
    #[arg(value_name = "QUERY", default_value = "", allow_hyphen_values = true)]
    pub(crate) text: String,
    #[command(flatten)]
    pub(crate) source: Where,
    /// Find log records instead of traces
    #[arg(long, conflicts_with = "sql")]
    pub(crate) logs: bool,
    /// Find single spans instead of traces
    #[arg(long, conflicts_with_all = ["sql", "logs"])]
    pub(crate) spans: bool,
    /// The question is SQL over `spans` and `logs`
    #[arg(long)]
    pub(crate) sql: bool,
    #[command(flatten)]
    pub(crate) window: Window,
    /// At most so many traces, records, spans or rows
    #[arg(long, value_name = "N", default_value = "100", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) limit: u32,
    /// How the answer is written
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: TableFormat,
}

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TableFormat {
    /// Columns for people
    Table,
    /// One JSON object per line, with everything
    Ndjson,
    /// Columns for spreadsheets
    Csv,
}

/// A question, unless the next flag stands where it should be.
fn no_flag(text: &str) -> Result<String, String> {
    if is_like_flag(text) { Err(format!("`{text}` is a flag; give the query before it")) } else { Ok(text.to_owned()) }
}
