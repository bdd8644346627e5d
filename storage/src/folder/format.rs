//! The file FORMAT, and whether a folder without one is ours.

use std::io;

use super::{TMP, names};
use crate::backup::RESTORING;
use crate::error::OpenError;
use crate::files::Place;

/// The id in FORMAT, when there is such a file.
pub(super) fn read(root: &Place) -> Result<Option<[u8; 16]>, OpenError> {
    let place = root.join(NAME);
    let path = place.path().to_owned();
    let text = match place.read() {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => return Err(OpenError::File { path: root.path().to_owned() }),
        Err(source) => return Err(OpenError::Io { action: "cannot read", path, source }),
    };
    let mut lines = text.lines();
    let version = match (lines.next(), lines.next().and_then(|line| line.strip_prefix("format "))) {
        (Some("throughline"), Some(version)) => version.parse::<u32>().ok(),
        _ => None,
    };
    let Some(found) = version else {
        return Err(OpenError::Damaged { path, detail: "it names no format version".to_owned() });
    };
    if !(OLDEST_VERSION..=VERSION).contains(&found) {
        let hint = if found > VERSION { "use a newer program or another folder" } else { "use an older program or another folder" };
        return Err(OpenError::Version { path: root.path().to_owned(), found, oldest: OLDEST_VERSION, newest: VERSION, hint });
    }
    let id = lines.next().and_then(|line| line.strip_prefix("store ")).filter(|hex| hex.len() == 32);
    match id.and_then(|hex| u128::from_str_radix(hex, 16).ok()) {
        Some(id) => Ok(Some(id.to_be_bytes())),
        None => Err(OpenError::Damaged { path, detail: "it names no store id".to_owned() }),
    }
}

/// What stands in FORMAT.
pub(super) fn written(id: [u8; 16]) -> String {
    format!("throughline\nformat {VERSION}\nstore {:032x}\n", u128::from_be_bytes(id))
}

/// Refuses a folder without FORMAT that holds what no start of ours left there. Writes nothing.
pub(super) fn check_unused(root: &Place) -> Result<(), OpenError> {
    // What is wrong with a folder that cannot be read is said when it is used.
    let Ok(found) = root.names() else { return Ok(()) };
    if found.iter().any(|name| name == RESTORING) {
        let detail = "a restore into it was not finished; run the restore again".to_owned();
        return Err(OpenError::Damaged { path: root.path().to_owned(), detail });
    }
    let strange: Vec<String> = found.into_iter().filter(|name| !OURS.contains(&name.as_str()) && name != LOST_AND_FOUND).collect();
    if !strange.is_empty() {
        return Err(foreign(root, &strange));
    }
    // Ours is emptied at every start.
    let drafts = root.join(TMP).names().unwrap_or_default();
    let drafts: Vec<String> = drafts.into_iter().filter(|name| name != NAME).map(|name| format!("{TMP}/{name}")).collect();
    if drafts.is_empty() { Ok(()) } else { Err(foreign(root, &drafts)) }
}

/// Refuses a folder without FORMAT that holds nothing of ours either.
pub(super) fn check_used(root: &Place) -> Result<(), OpenError> {
    let found = names(root)?;
    if found.iter().any(|name| DATA.contains(&name.as_str())) { Ok(()) } else { Err(foreign(root, &found)) }
}

fn foreign(root: &Place, found: &[String]) -> OpenError {
    let named: Vec<String> = found.iter().take(NAMED).map(|name| format!("`{}`", name.escape_debug())).collect();
    let holds = match found.len() {
        0 => "nothing".to_owned(),
        all if all > NAMED => format!("{} and {} more", named.join(", "), all - NAMED),
        _ => named.join(", "),
    };
    OpenError::Foreign { path: root.path().to_owned(), holds }
}

/// Name of the file.
pub(super) const NAME: &str = "FORMAT";

/// Folders that hold data.
const DATA: [&str; 3] = ["manifest", "wal", "seg"];

/// Everything that a start or a repair puts into a folder.
const OURS: [&str; 10] = ["LOCK", "RESERVE", NAME, "manifest", "wal", "seg", "memo", TMP, "repair", "set-aside"];

/// On every fresh disk of some file systems.
const LOST_AND_FOUND: &str = "lost+found";

/// Names that an error lists.
const NAMED: usize = 3;

/// The version of data folders this program writes.
pub const VERSION: u32 = 1;

/// The oldest version this program reads.
const OLDEST_VERSION: u32 = 1;
