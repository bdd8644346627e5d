//! `throughline check`: prints what is in a data folder and what is wrong with it.

use std::io::Write as _;
use std::process::ExitCode;

use crate::cli::Check;

/// Reads everything. Fails when anything is not whole.
///
/// # Errors
/// When the folder cannot be read at all.
pub(crate) fn run(arguments: &Check) -> anyhow::Result<ExitCode> {
    let folder = &arguments.data_dir;
    if !folder.join("LOCK").exists() && !folder.join("FORMAT").exists() {
        anyhow::bail!(
            "`{}` is not a data folder: it has neither LOCK nor FORMAT; name one, as in `throughline check DIR`",
            folder.display()
        );
    }
    let report = storage::check(folder)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_something_else_is_said_to_be_one() {
        let folder = tempfile::tempdir().unwrap();
        for data_dir in [folder.path().to_owned(), folder.path().join("absent")] {
            let said = run(&Check { data_dir }).unwrap_err().to_string();
            assert!(said.contains("is not a data folder"), "{said}");
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
