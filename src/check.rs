//! `throughline check`: prints what is in a data folder and what is wrong with it.

use std::io::Write as _;
use std::process::ExitCode;

use serde_json::json;
use storage::CheckReport;

use crate::cli::Check;
use crate::progress::Progress;
use crate::source::{data_dir, must_be_data_folder, quiet_log};

/// Reads everything. Fails when anything is not whole.
///
/// # Errors
/// When the folder cannot be read at all.
pub(crate) fn run(arguments: &Check) -> anyhow::Result<ExitCode> {
    let folder = &data_dir(arguments.data_dir.as_deref())?;
    must_be_data_folder(folder)?;
    quiet_log();
    let mut progress = Progress::new("checked", "segments");
    let report = storage::check(folder, &mut |what| progress.say(what))?;
    drop(progress);
    let mut out = std::io::stdout().lock();
    if arguments.json {
        writeln!(out, "{}", to_json(&report))?;
    } else {
        for line in &report.lines {
            match &line.problem {
                None => writeln!(out, "ok       {}: {}", line.path.display(), line.summary)?,
                Some(problem) => writeln!(out, "DAMAGED  {}: {}: {problem}", line.path.display(), line.summary)?,
            }
        }
        writeln!(out, "{} looked at, {} damaged", report.lines.len(), damaged(&report))?;
        if !report.is_ok() {
            writeln!(out, "`throughline repair {}` makes it whole again, as far as it can; --dry-run says how", folder.display())?;
        }
    }
    Ok(if report.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn damaged(report: &CheckReport) -> usize {
    report.lines.iter().filter(|line| line.problem.is_some()).count()
}

fn to_json(report: &CheckReport) -> serde_json::Value {
    let lines = report
        .lines
        .iter()
        .map(|line| json!({ "path": line.path.display().to_string(), "summary": line.summary, "problem": line.problem }));
    json!({ "ok": report.is_ok(), "damaged": damaged(report), "looked_at": lines.collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_something_else_is_said_to_be_one() {
        let folder = tempfile::tempdir().unwrap();
        for data_dir in [folder.path().to_owned(), folder.path().join("absent")] {
            let said = run(&Check { data_dir: Some(data_dir), json: false }).unwrap_err().to_string();
            assert!(said.contains("is not a data folder") || said.contains("there is no data folder"), "{said}");
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
