//! Where a command reads: a running server, or a data folder that no server has open.
//!
//! Owns opening and closing. Both are asked by the same routes, so that answers agree.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use storage::{Clock, OpenError, Registry, Store};
use ui::client::Client;

use crate::cli::{Flags, Where};
use crate::config::{Config, Mistakes};
use crate::telemetry;

/// An open source. Close it, so that a folder is left as a stopped server leaves it.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) client: Client,
    store: Option<Store>,
}

/// The settings are wrong: an exit code of its own, like for the server.
#[derive(Debug)]
pub(crate) struct WrongSettings(pub(crate) Mistakes);

impl std::fmt::Display for WrongSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for WrongSettings {}

/// An argument is wrong, and its message says how to ask.
#[derive(Debug)]
pub(crate) struct AskedWrongly(pub(crate) String);

impl std::fmt::Display for AskedWrongly {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for AskedWrongly {}

/// Neither a server nor a folder was named, and there is nothing in the folder that the settings name.
#[derive(Debug)]
pub(crate) struct NothingNamed(PathBuf);

impl std::fmt::Display for NothingNamed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let folder = self.0.display();
        write!(
            f,
            "there is no data folder at {folder}; ask a running server with --url http://127.0.0.1:16686, or name a folder with --data-dir DIR"
        )
    }
}

impl std::error::Error for NothingNamed {}

// === impl Source ===

impl Source {
    /// Opens what the arguments name.
    ///
    /// # Errors
    /// When it is no data folder, or in use, or no server's address.
    pub(crate) async fn open(from: &Where) -> anyhow::Result<Self> {
        if let Some(url) = &from.url {
            let client = Client::new(url)?;
            client.identify().await?;
            return Ok(Self { client, store: None });
        }
        let folder = data_dir(from.data_dir.as_deref())?;
        if from.data_dir.is_none() && !is_data_folder(&folder).unwrap_or(true) {
            // Nobody named it, so its name alone explains nothing.
            return Err(NothingNamed(folder).into());
        }
        must_be_data_folder(&folder)?;
        let how = "to ask the server that has it open, give its pages, such as --url http://127.0.0.1:16686";
        let store = open_store(&folder).await.map_err(|error| or_server(error, how))?;
        let client = Client::of_store(store.clone(), folder.display().to_string(), env!("CARGO_PKG_VERSION"));
        Ok(Self { client, store: Some(store) })
    }

    /// Lets go of the folder.
    ///
    /// # Errors
    /// When what was in memory could not be written; the log still holds it.
    pub(crate) async fn close(self) -> anyhow::Result<()> {
        drop(self.client);
        match self.store {
            Some(store) => store.close().await.context("the data folder could not be closed"),
            None => Ok(()),
        }
    }
}

/// Opens a data folder as the server does, without its bounds of time.
///
/// # Errors
/// When it is in use, damaged or of another version.
pub(crate) async fn open_store(folder: &Path) -> anyhow::Result<Store> {
    Ok(Store::open(storage::Config::new(folder.to_owned()), Clock::system(), Registry::default()).await?)
}

/// Says how to reach the server that has the folder open, when that is what is in the way.
pub(crate) fn or_server(error: anyhow::Error, how: &'static str) -> anyhow::Error {
    match error.downcast_ref() {
        Some(OpenError::Locked { .. }) => error.context(how),
        _ => error,
    }
}

/// The folder given, else the one that the settings name.
///
/// # Errors
/// When the settings are wrong.
pub(crate) fn data_dir(given: Option<&Path>) -> anyhow::Result<PathBuf> {
    match given {
        Some(folder) => Ok(folder.to_owned()),
        None => Ok(Config::load(&Flags::default()).map_err(WrongSettings)?.storage.data_dir),
    }
}

/// Fails when `folder` is something else, so that a command does not make a data folder of it.
///
/// # Errors
/// Says that it is none, or why it cannot be looked into.
pub(crate) fn must_be_data_folder(folder: &Path) -> anyhow::Result<()> {
    let path = || folder.to_owned();
    if folder.is_file() {
        return Err(AskedWrongly(OpenError::File { path: path() }.to_string()).into());
    }
    if !folder.try_exists().unwrap_or(true) {
        return Err(AskedWrongly(format!("there is no data folder at {}; name one", folder.display())).into());
    }
    if is_data_folder(folder).map_err(|source| OpenError::Io { action: "cannot look into the data folder", path: path(), source })? {
        return Ok(());
    }
    Err(AskedWrongly(format!("`{}` is not a data folder: it has neither LOCK nor FORMAT; name one", folder.display())).into())
}

/// Also one into which a restore was begun: whoever opens it says how to go on.
fn is_data_folder(folder: &Path) -> std::io::Result<bool> {
    let has = |name| folder.join(name).try_exists();
    Ok(has("LOCK")? || has("FORMAT")? || has("RESTORING")?)
}

/// Warnings and errors of the parts go to stderr; what a command has to say goes to stdout.
pub(crate) fn quiet_log() {
    telemetry::start(&telemetry::Config { filter: "warn".to_owned(), format: telemetry::Format::Text });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_cannot_be_looked_into_is_not_called_something_else() {
        let folder = tempfile::tempdir().unwrap();
        let circle = folder.path().join("circle");
        std::os::unix::fs::symlink(&circle, &circle).unwrap();
        let error = must_be_data_folder(&circle).unwrap_err();
        let said = format!("{error:#}");
        assert!(said.starts_with("cannot look into the data folder") && !error.is::<AskedWrongly>(), "{said}");
    }

    #[test]
    fn only_a_folder_that_is_in_use_is_asked_of_its_server() {
        let locked = OpenError::Locked { path: "x".into(), holder: String::new() };
        assert!(format!("{:#}", or_server(locked.into(), "ask it")).starts_with("ask it: the data folder x is in use"));
        let file = OpenError::File { path: "x".into() };
        assert!(format!("{:#}", or_server(file.into(), "ask it")).starts_with("x is a file"));
    }
}
