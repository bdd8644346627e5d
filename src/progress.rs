//! What people see of long work: one line on stderr that counts, where stderr is a terminal.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// A line that is written again at most four times a second, and taken away at the end.
#[derive(Debug)]
pub(crate) struct Progress {
    what: &'static str,
    unit: &'static str,
    done: u64,
    shown: Option<Instant>,
    visible: bool,
}

// === impl Progress ===

impl Progress {
    /// `checked 12 segments`.
    pub(crate) fn new(what: &'static str, unit: &'static str) -> Self {
        Self { what, unit, done: 0, shown: None, visible: std::io::stderr().is_terminal() }
    }

    /// So much more is done.
    pub(crate) fn add(&mut self, more: u64) {
        self.done += more;
        let line = format!("{} {} {}", self.what, self.done, self.unit);
        self.say(&line);
    }

    /// Says this instead of a count.
    pub(crate) fn say(&mut self, line: &str) {
        if !self.visible || self.shown.is_some_and(|at| at.elapsed() < BETWEEN) {
            return;
        }
        self.shown = Some(Instant::now());
        // Nothing depends on it being seen.
        let _ = write!(std::io::stderr(), "\r\x1b[K{line}");
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown.is_some() {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

const BETWEEN: Duration = Duration::from_millis(250);
