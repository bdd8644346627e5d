//! What callers are told when the store cannot do what they asked.

use std::path::PathBuf;
use std::time::Duration;

/// Why a request was not taken in. Nothing of it was stored.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AppendError {
    /// The bytes are not the OTLP message they claim to be. Do not send them again.
    #[error("{0}")]
    Malformed(String),
    /// The store has no room right now. Send again after the hint.
    #[error("{reason}; try again in {} s", .retry_after.as_secs())]
    Busy {
        /// What is full, for the sender to read.
        reason: String,
        /// When to send again, 1 to 3 seconds.
        retry_after: Duration,
    },
    /// The store takes no writes: disk full, a failed sync, closing. Send again after the hint; an operator may have to act.
    #[error("{reason}; try again in {} s", .retry_after.as_secs())]
    Unavailable {
        /// What is wrong, for the sender to read.
        reason: String,
        /// When to send again, 1 to 3 seconds.
        retry_after: Duration,
    },
}

/// Why a data folder cannot be opened, checked or closed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open. Stop that process or use another folder.
    #[error("the data folder {} is in use by another process{}; stop it, or name another folder", .path.display(), .holder)]
    Locked {
        /// The data folder.
        path: PathBuf,
        /// ` (process 123)` when known, else empty.
        holder: String,
    },
    /// It was written by a version that this one cannot read. Use the version named.
    #[error("the data folder {} has format version {found}, this program reads {oldest} to {newest}; {hint}", .path.display())]
    Version {
        /// The data folder.
        path: PathBuf,
        /// The version written in it.
        found: u32,
        /// Oldest readable version.
        oldest: u32,
        /// Newest readable version.
        newest: u32,
        /// What to do.
        hint: &'static str,
    },
    /// It is somebody else's: it has other files and none of ours. Use another folder; nothing in this one was touched.
    #[error("{} is not a data folder of Throughline, it holds {holds}; name one, or a new or empty folder to begin in", .path.display())]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// What is in it, for people to recognise it by.
        holds: String,
    },
    /// A file has its name. Name another folder.
    #[error("{} is a file, not a folder; name a data folder, or one to be made", .path.display())]
    File {
        /// The file.
        path: PathBuf,
    },
    /// It is whole, and not what it is named for. Name another.
    #[error("{} cannot be used: {detail}", .path.display())]
    Unsuitable {
        /// The file or folder.
        path: PathBuf,
        /// Why not, and what to do.
        detail: String,
    },
    /// A file that must be whole is not. Run `throughline repair`.
    #[error("{} is damaged: {detail}; run `throughline repair` on the data folder, which keeps what is whole and sets the rest aside; with --dry-run it only says what it would do", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// A repair was interrupted after it had begun to move files. Run it again.
    #[error("a repair of the data folder {} was interrupted; run `throughline repair` on it again", .path.display())]
    Unrepaired {
        /// The data folder.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("{action} {}", .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
}
