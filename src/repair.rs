//! `throughline repair`: makes a data folder whole again and says what it did.

use std::io::Write as _;
use std::process::ExitCode;

use serde_json::json;
use storage::{RepairOutcome, RepairReport};

use crate::cli::Repair;
use crate::progress::Progress;
use crate::source::{data_dir, must_be_data_folder, quiet_log};

/// Repairs. Fails when something is lost, so that it is noticed.
///
/// # Errors
/// When the folder is in use, or cannot be read or written.
pub(crate) fn run(arguments: &Repair) -> anyhow::Result<ExitCode> {
    let folder = &data_dir(arguments.data_dir.as_deref())?;
    must_be_data_folder(folder)?;
    quiet_log();
    let mut progress = Progress::new("repaired", "segments");
    let report = storage::repair(folder, arguments.dry_run, &mut |what| progress.say(what))?;
    drop(progress);
    let mut out = std::io::stdout().lock();
    if arguments.json {
        writeln!(out, "{}", to_json(&report))?;
    } else {
        for line in &report.lines {
            writeln!(out, "{:<10} {}: {}", word(line.outcome), line.path.display(), line.detail)?;
        }
        match &report.set_aside {
            Some(aside) => {
                let said = if arguments.dry_run { "would be" } else { "was" };
                writeln!(out, "what is damaged or counts no longer {said} set aside in {}", aside.display())?;
                writeln!(out, "it may hold rows that were deleted since; remove it when it is of no use any more")?;
            }
            None if report.lines.is_empty() => writeln!(out, "nothing to repair")?,
            None => {}
        }
    }
    Ok(if report.is_lossless() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn word(outcome: RepairOutcome) -> &'static str {
    match outcome {
        RepairOutcome::Rebuilt => "rebuilt",
        RepairOutcome::SetAside => "set aside",
        RepairOutcome::Kept => "kept",
        RepairOutcome::Lost => "LOST",
    }
}

fn to_json(report: &RepairReport) -> serde_json::Value {
    let lines = report
        .lines
        .iter()
        .map(|line| json!({ "path": line.path.display().to_string(), "outcome": word(line.outcome), "detail": line.detail }));
    let aside = report.set_aside.as_ref().map(|path| path.display().to_string());
    json!({ "lossless": report.is_lossless(), "set_aside": aside, "lines": lines.collect::<Vec<_>>() })
}
