//! The renames that a repair comes down to, made durable before the first of them.
//!
//! ```text
//! repair/plan    text: `throughline repair 1`, lines `<from>TAB<to>` relative to the data folder, `crc32c <8 hex digits>` of all before
//! ```
//!
//! A rename is done when its source is there and its destination is not, so that carrying a plan out again changes nothing: what is set
//! aside leaves its place before what is new takes it, and a destination in `set-aside` that is there says that this was done. A stop
//! may leave both names of a file that was set aside: then the old one goes, unless what is new has taken it already.

use std::io;

use crate::error::OpenError;
use crate::files::Place;
use crate::folder::{Folder, io_error, replace_file};
use crate::segment::SegmentMeta;
use crate::store::Signal;

use super::examine::Found;

/// Renames in order.
#[derive(Debug)]
pub(super) struct Plan {
    root: Place,
    aside: Place,
    away: Vec<(Place, Place)>,
    into_place: Vec<(Place, Place)>,
}

/// Where an unfinished plan is.
pub(super) fn path(root: &Place) -> Place {
    root.join(STAGING).join(FILE)
}

// === impl Plan ===

impl Plan {
    pub(super) fn new(root: &Place) -> Self {
        let aside = root.join(ASIDE).join(root.fresh_id().to_string());
        Self { root: root.clone(), aside, away: Vec::new(), into_place: Vec::new() }
    }

    pub(super) fn is_unfinished(root: &Place) -> bool {
        path(root).is_there()
    }

    /// Where new files wait.
    pub(super) fn staging(&self) -> Place {
        self.root.join(STAGING)
    }

    /// Where this repair sets files aside.
    pub(super) fn aside(&self) -> &Place {
        &self.aside
    }

    pub(super) fn sets_aside(&self) -> bool {
        !self.away.is_empty()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.away.is_empty() && self.into_place.is_empty()
    }

    /// Whether a file will be moved out of the way.
    pub(super) fn is_set_aside(&self, file: &Place) -> bool {
        self.away.iter().any(|(from, _)| from.path() == file.path())
    }

    /// Moves a file out of the way, if it is there.
    pub(super) fn set_aside(&mut self, from: &Place, name: &str) {
        if from.is_there() {
            self.away.push((from.clone(), self.aside.join(name)));
        }
    }

    pub(super) fn set_segment_aside(&mut self, folder: &Folder, segment: &Found) {
        let place = folder.segments(segment.signal);
        for path in [segment.meta.parquet_path(&place), segment.meta.index_path(&place)] {
            self.set_file_aside(segment.signal, &path);
        }
    }

    /// One file of a segment.
    pub(super) fn set_file_aside(&mut self, signal: Signal, path: &Place) {
        let name = path.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
        self.set_aside(path, &format!("{}-{name}", signal.as_str()));
    }

    /// Puts a new file into its place.
    pub(super) fn place(&mut self, from: &Place, to: &Place) {
        self.into_place.push((from.clone(), to.clone()));
    }

    /// Puts a new segment into its place, its index first.
    pub(super) fn place_segment(&mut self, folder: &Folder, meta: &SegmentMeta) {
        let (staging, place) = (self.staging(), folder.segments(meta.signal));
        self.place(&meta.index_path(&staging), &meta.index_path(&place));
        self.place(&meta.parquet_path(&staging), &meta.parquet_path(&place));
    }

    /// Makes the plan durable, and all that it puts into place.
    pub(super) fn write(&self) -> Result<(), OpenError> {
        let staging = self.staging();
        let relative = |place: &Place| {
            let path = place.path();
            path.strip_prefix(self.root.path()).unwrap_or(path).to_string_lossy().into_owned()
        };
        let mut text = format!("{HEAD}\n");
        for (from, to) in self.away.iter().chain(&self.into_place) {
            text.push_str(&format!("{}\t{}\n", relative(from), relative(to)));
        }
        text.push_str(&format!("crc32c {:08x}\n", crc32c::crc32c(text.as_bytes())));
        let written = || -> io::Result<()> {
            staging.create_folder()?;
            staging.sync_folder()?;
            self.root.sync_folder()?;
            replace_file(&self.root.join("tmp"), &path(&self.root), text.as_bytes())
        };
        written().map_err(io_error("cannot write", path(&self.root)))
    }
}

/// Does what the plan says, as far as it is not done, and forgets it.
pub(super) fn carry_out(root: &Place) -> Result<(), OpenError> {
    let plan = path(root);
    let text = plan.read().map_err(io_error("cannot read", &plan))?;
    let renames = read(&text).ok_or_else(|| OpenError::Damaged {
        path: plan.path().to_owned(),
        detail: "it is not a plan of a repair; move it away to repair anew".to_owned(),
    })?;
    let renames: Vec<(Place, Place)> = renames.into_iter().map(|(from, to)| (root.join(from), root.join(to))).collect();
    make_folders(root, &renames)?;
    for (from, to) in &renames {
        // What is new and still waits has not taken the place.
        let is_new = |(other, taken): &&(Place, Place)| taken.path() == from.path() && !other.is_there();
        let is_old = to.path().starts_with(root.join(ASIDE).path()) && !renames.iter().any(|rename| is_new(&rename));
        move_to(from, to, is_old).map_err(io_error("cannot move", from))?;
    }
    let forgotten = || -> io::Result<()> {
        plan.remove()?;
        root.join(STAGING).sync_folder()?;
        root.join(STAGING).remove_all()
    };
    forgotten().map_err(io_error("cannot remove", &plan))
}

/// Makes the folders that files are moved to, durable as far as the data folder: a file would be lost with its folder.
fn make_folders(root: &Place, renames: &[(Place, Place)]) -> Result<(), OpenError> {
    let mut folders: Vec<Place> = renames.iter().filter_map(|(_, to)| to.parent()).collect();
    folders.dedup_by(|a, b| a.path() == b.path());
    for folder in folders {
        let made = || -> io::Result<()> {
            folder.create_folder()?;
            let mut above = folder.parent();
            while let Some(place) = above.filter(|place| place.path().starts_with(root.path())) {
                place.sync_folder()?;
                above = place.parent();
            }
            Ok(())
        };
        made().map_err(io_error("cannot create the folder", &folder))?;
    }
    Ok(())
}

/// Gives the file its new name, and takes the old one only when that is durable: a disk may make the two halves of a rename durable in any
/// order, and the file would be lost in between. `is_old`: what is found under both names is the same file.
fn move_to(from: &Place, to: &Place, is_old: bool) -> io::Result<()> {
    let moves = from.is_there() && !to.is_there();
    // Where there are no second names, the order that the file system keeps has to do.
    let has_both = moves && from.link_to(to).is_ok();
    if moves && !has_both {
        from.rename_to(to)?;
    }
    // Also what was done before a stop, which only the system knows of yet.
    sync_above(to)?;
    if has_both || (is_old && from.is_there() && to.is_there()) {
        from.remove()?;
    }
    sync_above(from)
}

fn sync_above(place: &Place) -> io::Result<()> {
    place.parent().filter(Place::is_there).map_or(Ok(()), |folder| folder.sync_folder())
}

/// The renames of a plan; `None` when it is not whole.
fn read(text: &[u8]) -> Option<Vec<(String, String)>> {
    let text = str::from_utf8(text).ok()?;
    let (body, sum) = text.trim_end().rsplit_once('\n')?;
    let body = text.get(..body.len() + 1)?;
    if sum != format!("crc32c {:08x}", crc32c::crc32c(body.as_bytes())) {
        return None;
    }
    let mut lines = body.lines();
    if lines.next()? != HEAD {
        return None;
    }
    lines.map(|line| line.split_once('\t').map(|(from, to)| (from.to_owned(), to.to_owned()))).collect()
}

/// Names in a folder; none when it is not there.
pub(super) fn names(folder: &Place) -> Result<Vec<String>, OpenError> {
    if folder.is_there() { crate::folder::names(folder) } else { Ok(Vec::new()) }
}

/// Where new files wait, in the data folder.
pub(crate) const STAGING: &str = "repair";

/// What makes a repair one that must be carried out.
pub(crate) const FILE: &str = "plan";

const ASIDE: &str = "set-aside";
const HEAD: &str = "throughline repair 1";

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_plan_that_was_interrupted_anywhere_comes_to_the_same_end() {
        for done in 0..=4 {
            let dir = tempfile::tempdir().unwrap();
            let root = Place::real(dir.path());
            for folder in ["tmp", "seg", "repair"] {
                root.join(folder).create_folder().unwrap();
            }
            for (name, text) in [("seg/a", "old a"), ("seg/b", "old b"), ("repair/a", "new a"), ("repair/c", "new c")] {
                fs::write(dir.path().join(name), text).unwrap();
            }
            let mut plan = Plan::new(&root);
            plan.set_aside(&root.join("seg/a"), "a");
            plan.set_aside(&root.join("seg/b"), "b");
            plan.set_aside(&root.join("seg/absent"), "absent");
            plan.place(&root.join("repair/a"), &root.join("seg/a"));
            plan.place(&root.join("repair/c"), &root.join("seg/c"));
            plan.write().unwrap();
            assert!(Plan::is_unfinished(&root));
            assert!(matches!(Folder::inspect(&root), Err(OpenError::Io { .. })), "there is no lock to take");
            assert!(matches!(Folder::open(&root), Err(OpenError::Unrepaired { .. })));
            plan.aside().create_folder().unwrap();
            for (from, to) in plan.away.iter().chain(&plan.into_place).take(done) {
                from.rename_to(to).unwrap();
            }
            carry_out(&root).unwrap();
            let read = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
            assert_eq!((read("seg/a"), read("seg/c")), ("new a".to_owned(), "new c".to_owned()));
            let aside = |name: &str| fs::read_to_string(plan.aside().join(name).path()).unwrap();
            assert_eq!((aside("a"), aside("b")), ("old a".to_owned(), "old b".to_owned()));
            assert!(!root.join("seg/b").is_there() && !root.join("repair").is_there());
        }
    }

    #[test]
    fn a_file_of_which_a_power_failure_left_both_names_is_set_aside_all_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let root = Place::real(dir.path());
        for folder in ["tmp", "seg", "repair"] {
            root.join(folder).create_folder().unwrap();
        }
        fs::write(dir.path().join("seg/a"), "old a").unwrap();
        fs::write(dir.path().join("repair/a"), "new a").unwrap();
        let mut plan = Plan::new(&root);
        plan.set_aside(&root.join("seg/a"), "a");
        plan.place(&root.join("repair/a"), &root.join("seg/a"));
        plan.write().unwrap();
        plan.aside().create_folder().unwrap();
        fs::hard_link(dir.path().join("seg/a"), plan.aside().join("a").path()).unwrap();
        carry_out(&root).unwrap();
        assert_eq!(fs::read_to_string(dir.path().join("seg/a")).unwrap(), "new a");
        assert_eq!(fs::read_to_string(plan.aside().join("a").path()).unwrap(), "old a");
    }

    #[test]
    fn a_plan_that_is_not_whole_is_not_carried_out() {
        let dir = tempfile::tempdir().unwrap();
        let root = Place::real(dir.path());
        for folder in ["tmp", "repair"] {
            root.join(folder).create_folder().unwrap();
        }
        let mut plan = Plan::new(&root);
        plan.place(&root.join("a"), &root.join("b"));
        plan.write().unwrap();
        let whole = path(&root).read().unwrap();
        assert_eq!(read(&whole), Some(vec![("a".to_owned(), "b".to_owned())]));
        for at in 0..whole.len() - 1 {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            assert_eq!(read(&bytes), None, "{at}");
            assert_eq!(read(&whole[..at]), None, "{at}");
        }
    }
}
