//! What a command came to, in words and as an exit code: 0 done, 1 it failed, 2 it was asked wrongly.

use std::io::Write as _;
use std::process::ExitCode;

use storage::OpenError;

use crate::source;

/// The exit code; what went wrong is said on stderr.
pub(crate) fn finish(outcome: anyhow::Result<ExitCode>) -> ExitCode {
    outcome.unwrap_or_else(|error| {
        // With its causes, in one line.
        say(&format_args!("{error:#}"));
        if is_asked_wrongly(&error) { ExitCode::from(USAGE) } else { ExitCode::FAILURE }
    })
}

/// Whether asking otherwise helps, and trying again does not.
fn is_asked_wrongly(error: &anyhow::Error) -> bool {
    let is_refused = match error.downcast_ref() {
        Some(ui::client::Error::Url { .. }) => true,
        Some(ui::client::Error::Refused { status, .. }) => *status == 400,
        _ => false,
    };
    let is_no_address = matches!(error.downcast_ref(), Some(shop::load::Error::Endpoint { .. }));
    let is_other_folder =
        matches!(error.downcast_ref(), Some(OpenError::Unsuitable { .. } | OpenError::File { .. } | OpenError::Foreign { .. }));
    is_refused
        || is_no_address
        || is_other_folder
        || error.is::<source::AskedWrongly>()
        || error.is::<source::WrongSettings>()
        || error.is::<source::NothingNamed>()
}

/// Whoever reads what a command writes, such as `head`, may have read enough.
pub(crate) fn unless_unread(outcome: anyhow::Result<ExitCode>) -> anyhow::Result<ExitCode> {
    let is_unread =
        |error: &anyhow::Error| error.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe);
    outcome.or_else(|error| if is_unread(&error) { Ok(ExitCode::SUCCESS) } else { Err(error) })
}

/// Says it on stderr.
pub(crate) fn say(what: &dyn std::fmt::Display) {
    // There is nobody left to tell when this fails.
    let _ = writeln!(std::io::stderr(), "throughline: {what}");
}

/// Exit code of a wrong argument or setting, the same as of the argument parser.
pub(crate) const USAGE: u8 = 2;
