//! `throughline check`: prints what is in a data folder and what is wrong with it.

use std::io::Write as _;
use std::process::ExitCode;

use crate::cli::Check;

/// Reads everything. Fails when anything is not whole.
///
/// # Errors
/// When the folder cannot be read at all.
pub(crate) fn run(arguments: &Check) -> anyhow::Result<ExitCode> {
    let report = storage::check(&arguments.data_dir)?;
    let mut out = std::io::stdout().lock();
    for line in &report.lines {
        match &line.problem {
            None => writeln!(out, "ok       {}: {}", line.path.display(), line.summary)?,
            Some(problem) => writeln!(out, "DAMAGED  {}: {}: {problem}", line.path.display(), line.summary)?,
        }
    }
    let damaged = report.lines.iter().filter(|line| line.problem.is_some()).count();
    writeln!(out, "{} looked at, {damaged} damaged", report.lines.len())?;
    Ok(if report.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
