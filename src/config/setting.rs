//! The settings: name, default and meaning of each. Flags, help and variables follow from this table.

/// One setting.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    /// Its name in the file.
    pub(crate) key: &'static str,
    /// Used when nobody wrote it. Empty when its help says what then happens.
    pub(crate) default: &'static str,
    /// The shape of a value, for the help.
    pub(crate) form: &'static str,
    /// What it is for.
    pub(crate) help: &'static str,
}

/// Every setting, in the order of the help.
pub(crate) const SETTINGS: [Setting; 29] = [
    setting("data_dir", "./throughline-data", "DIR", "Where data is kept; created when absent"),
    setting("ui", "127.0.0.1:16686", "ADDR", "Where pages and APIs are served; port 0 takes a free one"),
    setting("otlp_grpc", "127.0.0.1:4317", "ADDR", "Where OTLP/gRPC is taken in, or `off`"),
    setting("otlp_http", "127.0.0.1:4318", "ADDR", "Where OTLP/HTTP is taken in, or `off`"),
    setting("listen_all", "false", SWITCH, "Listen on every network where no address is given"),
    setting("demo", "false", SWITCH, "Run the sample shop, so that there is something to see"),
    setting("demo_rate", "4", "NUMBER", "Requests per second of the sample shop"),
    setting(
        "sync",
        "group",
        "WHEN",
        "Sync to disk before acknowledging (`group`), or at an interval (`200ms`), which a power loss may take",
    ),
    setting("retention", "forever", "TIME", "How long data is kept, such as 30d"),
    setting("retention_traces", "", "TIME", "How long spans are kept [default: retention]"),
    setting("retention_logs", "", "TIME", "How long log records are kept [default: retention]"),
    setting(
        "retention_keep",
        "",
        "RULES",
        "What is kept longer, such as `traces: status=error for 90d; logs: severity>=error for 1y` [default: nothing]",
    ),
    setting("max_disk_bytes", "", "SIZE", "All that the data folder may take; the oldest data goes first [default: what the disk has]"),
    setting("buffer_bytes", "", "SIZE", "Data in memory at which a flush to disk begins [default: by memory, at most 56MiB]"),
    setting(
        "max_buffer_bytes",
        "",
        "SIZE",
        "Data in memory at which senders wait [default: four times buffer-bytes, down to twice where max-disk-bytes is small]",
    ),
    setting("flush_interval", "60s", "TIME", "Age of data in memory at which a flush to disk begins"),
    setting(
        "min_free_bytes",
        "512MiB",
        "SIZE",
        "Free disk below which data is refused and pages go on; at least what a flush of buffer_bytes may need",
    ),
    setting(
        "concurrent_queries",
        "",
        "NUMBER",
        "Queries that run at once at most, fewer while memory is short [default: 4, or fewer where there are less than 1.5 GiB of memory]",
    ),
    setting("query_timeout", "60s", "TIME", "The longest a query may take"),
    setting("query_memory_bytes", "", "SIZE", "Memory of all SQL queries together [default: by memory, at most 1GiB]"),
    setting("max_message_bytes", "", "SIZE", "The largest request, counted after decompression [default: by memory, at most 64MiB]"),
    setting("in_flight_bytes", "", "SIZE", "All requests being received or stored; more wait [default: by memory, at most 256MiB]"),
    setting("cors_origins", "", "LIST", "Browser origins that may send, such as https://*.example.com [default: none]"),
    setting("metrics", "refuse", "HOW", "Answer to metrics: `refuse` them, or `reject` each point with success"),
    setting("base_path", "", "PATH", "Prefix of every page behind a proxy that keeps it [default: none]"),
    setting(
        "allowed_hosts",
        "",
        "LIST",
        "Host names under which pages are served, or `*` [default: localhost when listening there, else all]",
    ),
    setting("log", "info", "FILTER", "What to log, such as `info` or `info,collector=debug`"),
    setting("log_format", "text", "FORMAT", "How to log: `text` or `json`"),
    setting("stop_deadline", "15s", "TIME", "How long stopping may take"),
];

// === impl Setting ===

impl Setting {
    /// `--otlp-grpc` without its dashes.
    pub(crate) fn flag_name(&self) -> String {
        self.key.replace('_', "-")
    }

    /// `THROUGHLINE_OTLP_GRPC`.
    pub(crate) fn variable(&self) -> String {
        format!("{VARIABLE_PREFIX}{}", self.key.to_ascii_uppercase())
    }

    /// Whether the flag may stand alone.
    pub(crate) fn is_switch(&self) -> bool {
        self.form == SWITCH
    }
}

/// The port of the address that `key` is by default.
pub(super) fn usual_port(key: &str) -> u16 {
    let of_key = SETTINGS.iter().find(|setting| setting.key == key);
    of_key.and_then(|setting| setting.default.rsplit_once(':')?.1.parse().ok()).unwrap_or_default()
}

/// What all variables begin with.
pub(crate) const VARIABLE_PREFIX: &str = "THROUGHLINE_";

const SWITCH: &str = "true|false";

const fn setting(key: &'static str, default: &'static str, form: &'static str, help: &'static str) -> Setting {
    Setting { key, default, form, help }
}
