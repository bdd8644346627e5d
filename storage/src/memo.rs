//! Small things that are remembered besides telemetry: which slot marks a service, the views that people saved, and which requests came in
//! lately.
//!
//! Owns the files of `memo/`. Knows nothing of pages: a slot is a number and an address is a text. Losing these files loses no telemetry,
//! so one that cannot be read is set aside under another name and what it held begins anew.
//!
//! ```text
//! services, views   magic "THRLMEM1" | len u32 | crc32c u32 of the body | body: JSON
//! ```
//!
//! `requests` is described where it is written. Numbers are little-endian. A file is replaced as a whole, by one that is synced before it takes the name.

use std::io;
use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::files::Place;
use crate::folder::replace_file;

mod requests;
mod slots;
mod views;

pub(crate) use self::requests::{KnownRequest, REQUEST_BYTES, read_requests, write_requests};
pub use self::slots::{SERVICE_SLOTS, ServiceSlots};
pub use self::views::{SaveError, SavedView, SavedViews};

/// Everything remembered, in memory and on disk.
#[derive(Debug)]
pub(crate) struct Memo {
    folder: Place,
    tmp: Place,
    slots: ArcSwap<ServiceSlots>,
    views: ArcSwap<SavedViews>,
    /// Held while a file is replaced.
    writing: Mutex<()>,
}

impl Memo {
    /// Reads what was remembered. A file that is damaged is set aside.
    pub(crate) fn open(folder: Place, tmp: Place) -> Self {
        let slots = ServiceSlots::new(read(&folder.join(SERVICES)).unwrap_or_default());
        let views = SavedViews::new(read(&folder.join(VIEWS)).unwrap_or_default());
        Self { folder, tmp, slots: ArcSwap::from_pointee(slots), views: ArcSwap::from_pointee(views), writing: Mutex::new(()) }
    }

    /// Which slot each service has.
    pub(crate) fn slots(&self) -> Arc<ServiceSlots> {
        self.slots.load_full()
    }

    /// Gives slots to those of `names` that have none; `calls` are pairs of services that call each other. Blocks.
    ///
    /// # Errors
    /// When it could not be written; the slots hold until this process ends.
    pub(crate) fn assign(&self, names: &[String], calls: &[(String, String)]) -> io::Result<()> {
        let _writing = self.writing.lock();
        let slots = Arc::new(self.slots().with(names, calls));
        self.slots.store(slots.clone());
        write(&self.tmp, &self.folder.join(SERVICES), &slots.entries())
    }

    /// What was saved.
    pub(crate) fn views(&self) -> Arc<SavedViews> {
        self.views.load_full()
    }

    /// Replaces what is saved by what `change` makes of it. Blocks.
    ///
    /// # Errors
    /// When it is refused or could not be written; then nothing changed.
    pub(crate) fn change_views<T>(&self, change: impl FnOnce(&mut SavedViews) -> Result<T, SaveError>) -> Result<T, SaveError> {
        let _writing = self.writing.lock();
        let mut views = SavedViews::clone(&self.views());
        let made = change(&mut views)?;
        write(&self.tmp, &self.folder.join(VIEWS), views.all()).map_err(SaveError::Io)?;
        self.views.store(Arc::new(views));
        Ok(made)
    }
}

/// The files that are there, and whether each is whole.
pub(crate) fn files(folder: &Place) -> Vec<(Place, bool)> {
    let is_whole = |name: &str, bytes: &[u8]| if name == REQUESTS { requests::decode(bytes).is_some() } else { body(bytes).is_some() };
    let there = [SERVICES, VIEWS, REQUESTS].map(|name| (name, folder.join(name))).into_iter().filter(|(_, place)| place.is_there());
    there.map(|(name, place)| (place.clone(), place.read().is_ok_and(|bytes| is_whole(name, &bytes)))).collect()
}

/// What a backup keeps of what is remembered: names and contents of the files that are there and whole.
pub(crate) fn kept(folder: &Place) -> Vec<(&'static str, Vec<u8>)> {
    let read = |name: &'static str| folder.join(name).read().ok().filter(|bytes| body(bytes).is_some()).map(|bytes| (name, bytes));
    KEPT.into_iter().filter_map(read).collect()
}

/// What a file holds; nothing when it is absent or damaged.
fn read<T: DeserializeOwned>(path: &Place) -> Option<T> {
    read_as(path, |bytes| body(bytes).and_then(|body| serde_json::from_slice(body).ok()))
}

/// The same of a file that `parse` understands. What it does not is set aside.
fn read_as<T>(path: &Place, parse: impl FnOnce(&[u8]) -> Option<T>) -> Option<T> {
    let bytes = match path.read() {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "what was remembered cannot be read and begins anew");
            return None;
        }
    };
    let found = parse(&bytes);
    if found.is_none() {
        let name = path.path().file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let aside = path.parent().map_or_else(|| path.clone(), |folder| folder.join(format!("{name}.damaged")));
        let moved = path.rename_to(&aside).is_ok();
        tracing::warn!(path = %path.display(), aside = %aside.display(), moved, "a damaged file was set aside; what it held begins anew");
    }
    found
}

fn write<T: Serialize + ?Sized>(tmp: &Place, path: &Place, content: &T) -> io::Result<()> {
    let body = serde_json::to_vec(content).map_err(io::Error::other)?;
    let length = u32::try_from(body.len()).map_err(io::Error::other)?;
    let mut bytes = MAGIC.to_vec();
    bytes.extend(length.to_le_bytes());
    bytes.extend(crc32c::crc32c(&body).to_le_bytes());
    bytes.extend(body);
    replace_file(tmp, path, &bytes)
}

fn body(bytes: &[u8]) -> Option<&[u8]> {
    let (length, rest) = bytes.strip_prefix(MAGIC)?.split_first_chunk::<4>()?;
    let (crc, body) = rest.split_first_chunk::<4>()?;
    let whole = u32::try_from(body.len()).ok()? == u32::from_le_bytes(*length) && crc32c::crc32c(body) == u32::from_le_bytes(*crc);
    whole.then_some(body)
}

const MAGIC: &[u8; 8] = b"THRLMEM1";
const SERVICES: &str = "services";
const VIEWS: &str = "views";
const REQUESTS: &str = "requests";
/// Files that people miss when they are gone. Which requests came lately means nothing in another place.
pub(crate) const KEPT: [&str; 2] = [SERVICES, VIEWS];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::UnixNanos;

    fn memo(root: &std::path::Path) -> Memo {
        for name in ["memo", "tmp"] {
            std::fs::create_dir_all(root.join(name)).unwrap();
        }
        Memo::open(Place::real(root.join("memo")), Place::real(root.join("tmp")))
    }

    #[test]
    fn slots_and_views_are_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let first = memo(dir.path());
        first.assign(&["cart".to_owned(), "orders".to_owned()], &[]).unwrap();
        let short = first.change_views(|views| views.save("mine", "/traces?q=a", false, UnixNanos::new(7))).unwrap();
        let again = memo(dir.path());
        assert_eq!(again.slots().entries(), first.slots().entries());
        assert_eq!(again.views().find(&short).map(|view| view.address.as_str()), Some("/traces?q=a"));
    }

    #[test]
    fn a_damaged_file_is_set_aside_and_begins_anew() {
        let dir = tempfile::tempdir().unwrap();
        memo(dir.path()).assign(&["cart".to_owned()], &[]).unwrap();
        let path = dir.path().join("memo/services");
        let mut bytes = std::fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&path, bytes).unwrap();
        assert!(memo(dir.path()).slots().entries().is_empty());
        assert!(dir.path().join("memo/services.damaged").exists());
    }

    #[test]
    fn a_refused_change_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let memo = memo(dir.path());
        assert!(memo.change_views(|views| views.remove("nothing")).is_err());
        assert!(memo.views().all().is_empty());
    }
}
