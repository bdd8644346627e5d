//! `throughline backup` and `throughline restore`.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use bytes::Bytes;
use storage::{Backup, BackupReceiver, Kept, Vault};
use ui::client::{Client, moment};

use crate::cli;
use crate::progress::Progress;
use crate::source::{AskedWrongly, must_be_data_folder, or_server, quiet_log};

/// Copies a moment into a folder of backups. Fails when something of it is damaged.
///
/// # Errors
/// When it cannot be read or written.
pub(crate) fn run(arguments: &cli::Backup) -> anyhow::Result<ExitCode> {
    let (from, to) = match (&arguments.url, arguments.paths.as_slice()) {
        (Some(url), [to]) => (Err(url), to),
        (None, [from, to]) => (Ok(from), to),
        _ => {
            crate::say(&USE);
            return Ok(ExitCode::from(crate::USAGE));
        }
    };
    quiet_log();
    let kept = match from {
        Ok(folder) => of_folder(folder, to)?,
        Err(url) => crate::runtime()?.block_on(of_server(url, to))?,
    };
    let mut out = std::io::stdout();
    writeln!(out, "backup {}: {} files, {} of them new, {} bytes copied", kept.id, kept.files, kept.copied, kept.bytes)?;
    for name in &kept.damaged {
        writeln!(out, "DAMAGED  {name} is not in the backup; `throughline check` says more")?;
    }
    if let Some(keep) = arguments.keep.filter(|_| kept.damaged.is_empty()) {
        let gone = Vault::open(to)?.prune(usize::from(keep))?;
        writeln!(out, "{gone} older backups were removed")?;
    }
    Ok(if kept.damaged.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn of_folder(folder: &Path, to: &Path) -> anyhow::Result<Kept> {
    must_be_data_folder(folder)?;
    must_be_beside(folder, to)?;
    let how = "to back up what a server has open, give its pages instead, such as --url http://127.0.0.1:16686";
    let backup = Backup::of_folder(folder).map_err(|error| or_server(error.into(), how))?;
    let (vault, mut progress) = (Vault::open(to)?, Progress::new("copied", "bytes"));
    let mut receiver = vault.receive()?;
    for piece in backup.stream(vault.known(&mut |what| progress.say(what))?) {
        progress.add(piece.len() as u64);
        receiver.push(&piece)?;
    }
    Ok(receiver.finish()?)
}

/// Fails when backups would lie in the data folder itself.
fn must_be_beside(folder: &Path, to: &Path) -> anyhow::Result<()> {
    // What is there of it already; the rest is to be made.
    let to_be = std::path::absolute(to)?;
    let there = to_be.ancestors().find_map(|part| part.canonicalize().ok());
    if there.is_some_and(|there| folder.canonicalize().is_ok_and(|folder| there.starts_with(folder))) {
        let (to, folder) = (to.display(), folder.display());
        return Err(
            AskedWrongly(format!("backups cannot be kept at {to}, in the data folder {folder} itself; name a folder beside it")).into()
        );
    }
    Ok(())
}

async fn of_server(url: &str, to: &Path) -> anyhow::Result<Kept> {
    let client = Client::new(url)?;
    // Before a folder is made of what may be the address of something else.
    client.identify().await?;
    let (vault, mut progress) = (Vault::open(to)?, Progress::new("copied", "bytes"));
    let mut receiver = vault.receive()?;
    let known = vault.known(&mut |what| progress.say(what))?.into_iter().collect::<Vec<_>>().join("\n");
    let answer = client.post("/api/v1/backup", Bytes::from(known)).await?;
    answer.each(|piece| take(&mut receiver, &mut progress, &piece)).await?;
    Ok(receiver.finish()?)
}

fn take(receiver: &mut BackupReceiver, progress: &mut Progress, piece: &Bytes) -> anyhow::Result<()> {
    progress.add(piece.len() as u64);
    Ok(receiver.push(piece)?)
}

/// Makes a data folder of a backup, or says which there are. Fails when something of it is damaged.
///
/// # Errors
/// When it cannot be read or written.
pub(crate) fn restore(arguments: &cli::Restore) -> anyhow::Result<ExitCode> {
    quiet_log();
    let vault = Vault::inspect(&arguments.vault)?;
    let points = vault.points()?;
    let mut out = std::io::stdout();
    let Some(into) = &arguments.data_dir else {
        for point in &points {
            writeln!(out, "{}  {}", point.id, moment(point.taken.get()))?;
        }
        let backups = if points.len() == 1 { "backup" } else { "backups" };
        writeln!(out, "{} {backups}; give a folder to restore the last one, or the one of --at", points.len())?;
        return Ok(ExitCode::SUCCESS);
    };
    let point = match &arguments.at {
        Some(id) => points.iter().find(|point| point.id.eq_ignore_ascii_case(id)),
        None => points.last(),
    };
    let point = point.context("there is no such backup; leave the folder out to see which there are")?;
    let mut progress = Progress::new("restored", "files");
    let restored = storage::restore(&vault, point, into, &mut |what| progress.say(what))?;
    drop(progress);
    writeln!(out, "restored {} of {}: {} files, {} bytes", point.id, moment(point.taken.get()), restored.files, restored.bytes)?;
    for name in &restored.damaged {
        writeln!(out, "DAMAGED  {name} is damaged in the backup")?;
    }
    for name in &restored.indexes {
        writeln!(
            out,
            "rebuilt  {name} is damaged in the backup; the next start makes it again from its rows, or `throughline repair` does"
        )?;
    }
    Ok(if restored.damaged.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Said when neither or both of a folder and a server are named.
const USE: &str = "name what is backed up and the folder of backups: `throughline backup DIR DEST` for a data folder, \
                   `throughline backup --url http://127.0.0.1:16686 DEST` for a running server";
