//! How long the allocator keeps memory that was given back.
//!
//! It keeps it for a second, which is quick, and at a gibibyte per second of short-lived buffers it is hundreds of megabytes: with a limit of
//! 512 MiB the process stood at 508 MiB and was killed now and then. The setting is read when the process starts, so it begins again with it.
//! Knows nothing of what memory is for.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// What the allocator reads: after how many milliseconds it gives memory back.
const DELAY: &str = "MIMALLOC_PURGE_DELAY";
/// Below this limit memory is given back at once.
const LITTLE: u64 = 2 << 30;

/// Starts this program in its own place with an allocator that keeps nothing, where memory is limited to little. Goes on as it is where that
/// was done, where somebody has set the delay, and where it cannot be done.
pub(crate) fn keep_little(limit: Option<u64>) {
    if limit.is_none_or(|limit| limit >= LITTLE) || std::env::var_os(DELAY).is_some() {
        return;
    }
    let Ok(program) = std::env::current_exe() else { return };
    // It returns only when it failed, and then more memory is all that it costs.
    let _ = Command::new(program).args(std::env::args_os().skip(1)).env(DELAY, "0").exec();
}
