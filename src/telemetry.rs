//! Throughline's own log: what is written to stderr, and how.

use tracing_subscriber::EnvFilter;

/// Settings of the log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Config {
    /// A level, or levels by part: `info,collector=debug`.
    pub(crate) filter: String,
    /// How lines look.
    pub(crate) format: Format,
}

/// How lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// Starts logging. Must be called once.
pub(crate) fn start(config: &Config) {
    let lines = tracing_subscriber::fmt().with_env_filter(EnvFilter::new(&config.filter)).with_writer(std::io::stderr);
    match config.format {
        Format::Text => lines.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).init(),
        Format::Json => lines.json().flatten_event(true).init(),
    }
}

/// Whether `text` is a filter.
///
/// # Errors
/// When it is not; says why.
pub(crate) fn check_filter(text: &str) -> Result<String, String> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    // The library takes any word for a target of which everything is logged.
    let is_level = |word: &str| word.contains(['=', '[']) || LEVELS.iter().any(|level| word.eq_ignore_ascii_case(level));
    if let Some(word) = text.split(',').map(str::trim).find(|word| !word.is_empty() && !is_level(word)) {
        return Err(format!("`{word}` is no level of the log ({}); one part is written `collector=debug`", LEVELS.join(", ")));
    }
    match EnvFilter::try_new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(format!("`{text}` is not a log filter such as `info` or `info,collector=debug`: {error}")),
    }
}

// === impl Format ===

impl Format {
    /// `text` or `json`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(format!("`{text}` is neither `text` nor `json`")),
        }
    }
}
