//! What the program is told, in two stages: what was written, with its place, and what is used.
//!
//! Four layers, the later wins: defaults, `throughline.toml`, `THROUGHLINE_*`, flags. Every setting has one name, spelled
//! `otlp_grpc` in the file, `THROUGHLINE_OTLP_GRPC` in the environment and `--otlp-grpc` as a flag. All mistakes of all layers
//! are reported at once.

use std::ffi::OsString;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use collector::MetricsPolicy;
use storage::{Retention, SyncPolicy};

use crate::cli::Flags;
use crate::telemetry;

mod memory;
mod nearest;
mod setting;
pub(crate) mod value;
mod written;

use self::memory::Shares;
pub(crate) use self::setting::SETTINGS;
pub(crate) use self::written::unknown_flag;
use self::written::{Mistake, Written};

/// What the program uses. Everything in it is valid.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) storage: storage::Config,
    pub(crate) collector: collector::Config,
    pub(crate) pages: Pages,
    pub(crate) demo: Option<Demo>,
    pub(crate) log: telemetry::Config,
    /// The file that was read; `None` when there was none.
    pub(crate) file: Option<PathBuf>,
    /// How long everything together may take to stop.
    pub(crate) stop_deadline: Duration,
}

/// The pages and APIs.
#[derive(Clone, Debug)]
pub(crate) struct Pages {
    pub(crate) listen: SocketAddr,
    pub(crate) base_path: String,
    pub(crate) allowed_hosts: Vec<String>,
}

/// The sample shop.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Demo {
    pub(crate) traces_per_second: f64,
}

/// Everything that is wrong with the configuration.
#[derive(Debug)]
pub(crate) struct Mistakes(Vec<Mistake>);

// === impl Config ===

impl Config {
    /// Reads all layers.
    ///
    /// # Errors
    /// With every mistake and its place.
    pub(crate) fn load(flags: &Flags) -> Result<Self, Mistakes> {
        Self::from_layers(flags, std::env::vars_os(), Path::new(DEFAULT_FILE))
    }

    fn from_layers(flags: &Flags, environment: impl Iterator<Item = (OsString, OsString)>, default_file: &Path) -> Result<Self, Mistakes> {
        let mut written = Written::collect(flags, environment, default_file);
        let config = Self::from_written(&mut written);
        let mistakes = written.into_mistakes();
        if mistakes.is_empty() { Ok(config) } else { Err(Mistakes(mistakes)) }
    }

    /// What is said at start of settings that can be used and promise more than there is.
    pub(crate) fn warnings(&self) -> impl Iterator<Item = String> {
        [self.too_many_questions(), self.too_little_kept_free()].into_iter().flatten()
    }

    fn too_little_kept_free(&self) -> Option<String> {
        let (wanted, least) = (self.storage.min_free_bytes, self.storage.least_free_bytes());
        (wanted < least).then(|| {
            let least = least.div_ceil(1 << 20);
            format!(
                "min_free_bytes is {wanted}, and {least} MiB are kept free all the same: so much may be needed to write memory to files, without \
                 which nothing could be freed any more; set it to {least}MiB or more, or lower buffer_bytes"
            )
        })
    }

    fn too_many_questions(&self) -> Option<String> {
        let (wanted, limit) = (self.storage.concurrent_queries, self.storage.memory_limit_bytes?);
        let room = self.storage.questions_with_room(self.collector.in_flight_bytes).filter(|room| *room < wanted)?;
        Some(format!(
            "concurrent_queries is {wanted}, and {} MiB of memory have room for {room} at once that read everything, beside requests, rows and SQL: \
             more wait up to five seconds and are then answered with 503, or end with it; set it to {room}, or give the process more memory",
            limit >> 20
        ))
    }

    /// Where a value is wrong its type's zero stands in; it is never used, because the mistake is reported.
    fn from_written(written: &mut Written) -> Self {
        let limit = memory::limit();
        let max_disk_bytes = written.read("max_disk_bytes", value::optional(value::bytes64));
        let shares = Shares::of(limit, max_disk_bytes);
        let mut storage = storage::Config::new(written.read("data_dir", value::folder));
        storage.memory_limit_bytes = limit;
        storage.sync = written.read("sync", |text| match text {
            "group" => Ok(SyncPolicy::Group),
            _ => value::duration(text).map(SyncPolicy::Interval).map_err(|_| "neither `group` nor a duration such as `200ms`".to_owned()),
        });
        storage.buffer_bytes = written.read("buffer_bytes", value::optional(value::bytes)).unwrap_or(shares.buffer);
        storage.max_buffer_bytes = written
            .read("max_buffer_bytes", value::optional(value::bytes))
            .unwrap_or_else(|| memory::rows(storage.buffer_bytes, max_disk_bytes));
        storage.flush_interval = written.read("flush_interval", value::duration);
        storage.min_free_bytes = written.read("min_free_bytes", value::bytes64);
        storage.retention = Self::retention(written);
        storage.max_disk_bytes = max_disk_bytes;
        storage.concurrent_queries = written.read("concurrent_queries", value::optional(value::positive)).unwrap_or(shares.questions);
        storage.query_timeout = written.read("query_timeout", value::duration);
        storage.query_memory_bytes = written.read("query_memory_bytes", value::optional(value::bytes)).unwrap_or(shares.query);
        if storage.max_buffer_bytes < storage.buffer_bytes {
            written.mistake("max_buffer_bytes", "smaller than buffer_bytes".to_owned());
        }
        if let Some(max) = storage.max_disk_bytes.filter(|max| *max < storage.smallest_disk()) {
            let least = storage.smallest_disk().div_ceil(1 << 20);
            let what = format!("{max} bytes are too little for a buffer of this size; allow at least {least}MiB, or lower buffer_bytes");
            written.mistake("max_disk_bytes", what);
        }
        let stop_deadline = written.read("stop_deadline", value::duration);
        let host_all = written.read("listen_all", value::switch);
        let pages = Pages {
            listen: written.read_address("ui", host_all, value::address).unwrap_or(UI),
            base_path: written.read("base_path", |text| ui::base_path(text).map_err(|wrong| wrong.to_string())),
            allowed_hosts: written.read("allowed_hosts", value::hosts),
        };
        let collector = Self::collector(written, host_all, stop_deadline, shares);
        Self::no_address_twice(written, &[("ui", Some(pages.listen)), ("otlp_grpc", collector.grpc), ("otlp_http", collector.http)]);
        let demo = written.read("demo", value::switch);
        let traces_per_second = written.read("demo_rate", value::rate);
        if demo && written.text("otlp_grpc") == Some("off") {
            written.mistake("otlp_grpc", "off, but the demo shop sends over OTLP/gRPC".to_owned());
        }
        let log = telemetry::Config {
            filter: written.read("log", telemetry::check_filter),
            format: written.read("log_format", telemetry::Format::parse),
        };
        let demo = demo.then_some(Demo { traces_per_second });
        Self { storage, collector, pages, demo, log, file: written.file_read().map(Path::to_owned), stop_deadline }
    }

    fn retention(written: &mut Written) -> Retention {
        let all = written.read("retention", value::age);
        let of = |written: &mut Written, key| written.read(key, |text| Ok(value::optional(value::age)(text)?.unwrap_or(all)));
        let (traces, logs) = (of(written, "retention_traces"), of(written, "retention_logs"));
        let rules = written.read_each("retention_keep", value::rules, value::keep_rule);
        let retention = Retention { traces: traces.0, logs: logs.0, rules };
        for what in retention.mistakes() {
            written.mistake("retention_keep", what);
        }
        retention
    }

    /// Two of them cannot listen at one address. Port 0 is another one each time.
    fn no_address_twice(written: &mut Written, addresses: &[(&'static str, Option<SocketAddr>)]) {
        let given: Vec<(&'static str, SocketAddr)> = addresses.iter().filter_map(|(key, address)| Some((*key, (*address)?))).collect();
        for (number, (key, address)) in given.iter().enumerate() {
            let is_same = |other: &SocketAddr| {
                let is_everywhere = (address.ip().is_unspecified() || other.ip().is_unspecified()) && address.is_ipv4() == other.is_ipv4();
                address.port() != 0 && address.port() == other.port() && (address.ip() == other.ip() || is_everywhere)
            };
            if let Some((other, _)) = given.iter().take(number).find(|(_, other)| is_same(other)) {
                written.mistake(key, format!("{address} is taken by {other} already; choose another port"));
            }
        }
    }

    fn collector(written: &mut Written, host_all: bool, stop_deadline: Duration, shares: Shares) -> collector::Config {
        let config = collector::Config {
            grpc: written.read_address("otlp_grpc", host_all, value::address_or_off),
            http: written.read_address("otlp_http", host_all, value::address_or_off),
            max_message_bytes: written.read("max_message_bytes", value::optional(value::bytes)).unwrap_or(shares.message),
            in_flight_bytes: written.read("in_flight_bytes", value::optional(value::bytes)).unwrap_or(shares.in_flight),
            cors_origins: written.read("cors_origins", value::origins),
            metrics: written.read("metrics", |text| match text {
                "refuse" => Ok(MetricsPolicy::Refuse),
                "reject" => Ok(MetricsPolicy::Reject),
                _ => Err("neither `refuse` nor `reject`".to_owned()),
            }),
            // The rest of the deadline is for the log and the buffer.
            drain_timeout: stop_deadline / 3,
            ..collector::Config::default()
        };
        if config.in_flight_bytes < config.max_message_bytes {
            written.mistake("in_flight_bytes", "smaller than max_message_bytes, so the largest request would never be admitted".to_owned());
        }
        config
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.0.len() == 1 { "is a mistake" } else { "are mistakes" };
        write!(f, "there {plural} in the configuration")?;
        for mistake in &self.0 {
            write!(f, "\n  {mistake}")?;
        }
        Ok(())
    }
}

/// Stands in for an address that is reported as wrong.
const UI: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 16686);
const DEFAULT_FILE: &str = "throughline.toml";

#[cfg(test)]
mod tests;
