//! The second place where deletes are kept while their rows are still in files: what is deleted must stay so when the manifest is lost.
//!
//! Owns `memo/deletes`: a file as the manifest, with one edit that holds nothing but deletes. It is replaced as a whole before a delete
//! is recorded, and after it is done; at other times it may name a delete too many, of segments that are not there.

use std::collections::BTreeMap;
use std::io;

use ulid::Ulid;

use crate::deletion::Deletion;
use crate::files::Place;
use crate::folder::replace_file;

use super::{Contents, parse, snapshot};

/// Those deletes that are not done.
fn pending(deletions: &BTreeMap<Ulid, Deletion>) -> BTreeMap<Ulid, Deletion> {
    deletions.iter().filter(|(_, deletion)| deletion.done.is_none()).map(|(id, deletion)| (*id, deletion.clone())).collect()
}

/// Keeps those of `deletions` that are not done, unless they are kept already.
pub(crate) fn write_copy(place: &Place, tmp: &Place, store: [u8; 16], deletions: &BTreeMap<Ulid, Deletion>) -> io::Result<()> {
    let pending = pending(deletions);
    if read_copy(place, store).is_ok_and(|known| known == pending) {
        return Ok(());
    }
    replace_file(tmp, place, &copy_of(store, deletions))
}

/// The bytes of the file that keeps those of `deletions` that are not done.
pub(crate) fn copy_of(store: [u8; 16], deletions: &BTreeMap<Ulid, Deletion>) -> Vec<u8> {
    snapshot(store, &Contents { deletions: pending(deletions), ..Contents::default() })
}

/// What is kept; nothing when there is no file. The error says what is wrong with it.
pub(crate) fn read_copy(place: &Place, store: [u8; 16]) -> Result<BTreeMap<Ulid, Deletion>, String> {
    let bytes = match place.read() {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(error.to_string()),
    };
    match parse(&bytes, store)? {
        read if read.torn_bytes > 0 => Err("there is more in it than it should hold".to_owned()),
        read => Ok(read.contents.deletions),
    }
}
