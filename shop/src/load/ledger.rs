//! The list of what was acknowledged, for tests that kill the receiver.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use crate::load::{Error, Signal};

/// A file with one line per acknowledged request.
#[derive(Debug)]
pub(super) struct Ledger {
    file: File,
}

// === impl Ledger ===

impl Ledger {
    pub(super) fn create(path: &Path) -> Result<Self, Error> {
        let file =
            File::options().create(true).append(true).open(path).map_err(|source| Error::Ledger { path: path.to_owned(), source })?;
        Ok(Self { file })
    }

    /// Writes the line of one request with a single call: its records, those rejected, and its traces.
    pub(super) fn write(&self, signal: Signal, items: u64, rejected: u64, traces: impl Iterator<Item = (Option<[u8; 16]>, u64)>) {
        let mut line = format!("{} {} {rejected}", signal.as_str(), items.saturating_sub(rejected));
        for (trace, records) in traces {
            // Writing to a String cannot fail.
            let _ = match trace {
                Some(id) => write!(line, " {:032x}={records}", u128::from_be_bytes(id)),
                None => write!(line, " -={records}"),
            };
        }
        line.push('\n');
        if let Err(error) = (&self.file).write_all(line.as_bytes()) {
            tracing::error!(%error, "the ledger misses an acknowledged request");
        }
    }
}
