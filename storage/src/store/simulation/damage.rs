//! Decay at rest: a bit turns, a sector cannot be read, a file is gone. It is told by name and never read as data.

use std::path::{Path, PathBuf};

use crate::check::{CheckReport, check_place};
use crate::files::Simulated;
use crate::folder::Folder;
use crate::manifest;
use crate::segment::SegmentMeta;

use super::losses::{Excused, Loss};
use super::model::Look;
use super::world::{World, pick};

/// What `check` said of a damaged folder.
struct Checked {
    /// Paths that it looked at.
    paths: Vec<PathBuf>,
    /// Those with a problem.
    named: Vec<PathBuf>,
    /// Everything it said.
    said: String,
}

/// A damaged folder before it is opened.
struct Before {
    files: Vec<PathBuf>,
    list: Vec<SegmentMeta>,
}

// === impl World ===

impl World {
    /// Damages the closed folder in one place and looks at it; then as before, in another place.
    pub(super) async fn damage(&mut self) {
        let whole = self.disk.image();
        for _ in 0..4 {
            // A temporary name that a power failure brought back may be another name of a file of the store.
            let is_draft = |path: &Path| path.starts_with("/srv/data/tmp") || path == Path::new("/srv/data/wal/next");
            let worth_it = |(path, bytes): &(PathBuf, u64)| *bytes > 0 && !is_draft(path);
            let files: Vec<(PathBuf, u64)> = self.disk.files().into_iter().filter(worth_it).collect();
            // The end of the log more often than others: what it may take is told from what it may not by the words of its frames.
            let log = files.iter().rev().find(|(path, _)| path.starts_with("/srv/data/wal")).filter(|_| self.dice.below(4) == 0);
            let is_log = log.is_some();
            let (path, bytes) = log.unwrap_or(&files[pick(&mut self.dice, files.len())]).clone();
            let byte = self.dice.below(if is_log { self.written(&path).unwrap_or(bytes) } else { bytes });
            let kind = self.dice.below(9);
            let hurt = |disk: &Simulated, bit| match kind {
                0 => disk.lose(&path),
                8 => disk.empty(&path),
                1 => disk.make_unreadable(&path, byte),
                _ => disk.flip(&path, byte, bit),
            };
            let bytes_hurt = match kind {
                0 | 8 => None,
                1 => Some(byte / SECTOR * SECTOR..(byte / SECTOR + 1) * SECTOR),
                _ => Some(byte..byte + 1),
            };
            let loss = self.loss(&path, bytes_hurt);
            let bit = u32::try_from(self.dice.below(8)).unwrap();
            hurt(&self.disk, bit);
            self.history.push(format!("damage of kind {kind} at byte {byte} of {bytes} of {}", path.display()));
            self.tally.count("damages", 1);
            let checked = self.checked();
            self.look(&path, &checked, &loss).await;
            self.disk.restore(&whole);
            if self.dice.below(2) == 0 {
                hurt(&self.disk, bit);
                self.mend(&path, &loss);
                self.disk.restore(&whole);
            }
        }
    }

    /// Bytes of a file of the log without the space behind its frames.
    fn written(&self, path: &Path) -> Option<u64> {
        let bytes = self.root.join("wal").join(path.file_name()?.to_str()?).read().ok()?;
        bytes.iter().rposition(|byte| *byte != 0).map(|last| last as u64 + 1)
    }

    fn checked(&self) -> Checked {
        match check_place(&self.root, &mut |_| ()) {
            Ok(report) => Checked { paths: paths(&report, false), named: paths(&report, true), said: format!("{report:?}") },
            Err(error) => Checked { paths: Vec::new(), named: vec![PathBuf::from("/srv/data")], said: error.to_string() },
        }
    }

    /// Opens the damaged folder: what is read is what was sent, and what is missing is told.
    async fn look(&mut self, path: &Path, checked: &Checked, loss: &Loss) {
        let is_segment = path.starts_with("/srv/data/seg");
        // A power failure may bring back files that were removed; they are nobody's.
        if is_segment && checked.paths.iter().any(|known| known == path) {
            assert_eq!(checked.named, [path], "{}", self.failure(&format!("check does not name the file: {}", checked.said)));
        }
        let before = Before { files: self.segment_files(), list: self.list() };
        let told = match self.try_open() {
            // Whatever is wrong with the folder's own files is said instead of opening it.
            Err(error) => {
                self.history.push(format!("not opened: {error}"));
                let is_end = path.starts_with("/srv/data/wal") && loss.opened != Excused::Nothing;
                self.tally.count("ends of the log that were not cut off", u64::from(is_end));
                true
            }
            Ok(()) => self.compare_damaged(path, &before, (checked, loss)),
        };
        let told = told || !checked.named.is_empty();
        self.tally.count("damages told", u64::from(told));
        if told && !is_segment {
            let torn = checked.said.contains("torn");
            assert!(!checked.named.is_empty() || torn, "{}", self.failure(&format!("check says nothing: {}", checked.said)));
        }
        self.end();
    }

    /// Whether the store told that something is missing.
    fn compare_damaged(&mut self, path: &Path, before: &Before, (checked, loss): (&Checked, &Loss)) -> bool {
        let mut found = self.found();
        let told = !found.reports.is_empty();
        if told && !path.starts_with("/srv/data/manifest") {
            let stem = path.file_stem().unwrap().to_str().unwrap();
            assert!(found.reports.iter().all(|report| report.contains(stem)), "{}", self.failure(&format!("{:?}", found.reports)));
        }
        // Told when it was opened, and not only when the rows were read.
        if found.reports.iter().any(|report| report.contains("are missing from answers")) {
            self.nothing_needed_is_gone(before);
        }
        let in_log = path.starts_with("/srv/data/wal");
        found.excused = if told || in_log { loss.opened.clone() } else { Excused::Nothing };
        // The last edit of the list cannot be told from one that was being written when the power failed; it may have let rows go whose
        // files are back. Nor can the last group of the log.
        let look = if path.starts_with("/srv/data/manifest") { Look::Repaired } else { Look::Damaged };
        let compared = self.compare(&found, look);
        let Ok(seen) = compared else {
            panic!("{}", self.failure(&format!("damage was read as data, or took more than it may ({loss:?}): {compared:?}")))
        };
        self.tally.count("items lost with the end of the log", if in_log { seen.lost } else { 0 });
        let name = path.file_name().unwrap().to_str().unwrap();
        let is_named = told || (checked.said.contains("torn") && checked.said.contains(name));
        assert!(seen.lost == 0 || is_named, "{}", self.failure(&format!("what is missing was not told: {}", checked.said)));
        told
    }

    /// Files of segments stay while something cannot be read, whether the list names them or not: it may have to be mended with them. Only what the
    /// byte budget let go, to write what came back from the log, went from the list and the folder: the oldest of what can be read.
    fn nothing_needed_is_gone(&self, before: &Before) {
        let inner = &self.open.as_ref().unwrap().0.inner;
        let (listed, files) = (inner.keeper.listed(), self.segment_files());
        let (left, let_go): (Vec<&SegmentMeta>, Vec<&SegmentMeta>) = before.list.iter().partition(|meta| listed.contains(&meta.id));
        let age = |meta: &SegmentMeta| (meta.max_time, meta.id);
        let oldest_left = left.into_iter().filter(|meta| inner.tables.is_open(meta.id)).map(age).min();
        let are_oldest = let_go.iter().all(|meta| oldest_left.is_none_or(|left| age(meta) < left));
        let may_go = let_go.is_empty() || (self.config.max_disk_bytes.is_some() && are_oldest);
        assert!(may_go, "{}", self.failure(&format!("segments went from the list: {let_go:?}")));
        let is_of = |file: &Path, meta: &SegmentMeta| file.file_stem().is_some_and(|stem| *stem == *meta.id.to_string());
        let gone = before.files.iter().find(|file| !files.contains(file) && !let_go.iter().any(|meta| is_of(file, meta)));
        assert_eq!(gone, None, "{}", self.failure("a file that may be needed was removed"));
    }

    /// Segments of the list as it can be read now.
    fn list(&self) -> Vec<SegmentMeta> {
        let Ok(folder) = Folder::inspect(&self.root) else { return Vec::new() };
        let list = manifest::read(&folder.manifest(), folder.id());
        list.map_or_else(|_| Vec::new(), |list| list.contents.segments.into_values().collect())
    }

    fn segment_files(&self) -> Vec<PathBuf> {
        let files = self.disk.files().into_iter().map(|(path, _)| path);
        files.filter(|path| path.starts_with("/srv/data/seg")).collect()
    }
}

/// Bytes that become unreadable together.
const SECTOR: u64 = 512;

fn paths(report: &CheckReport, only_problems: bool) -> Vec<PathBuf> {
    let lines = report.lines.iter().filter(|line| !line.summary.starts_with("left over") && (!only_problems || line.problem.is_some()));
    lines.map(|line| line.path.clone()).collect()
}
