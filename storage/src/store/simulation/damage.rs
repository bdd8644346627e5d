//! Decay at rest: a bit turns, a sector cannot be read, a file is gone. It is told by name and never read as data.

use std::path::{Path, PathBuf};

use crate::check::{CheckReport, check_place};
use crate::files::Simulated;

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

// === impl World ===

impl World {
    /// Damages the closed folder in one place and looks at it; then as before, in another place.
    pub(super) async fn damage(&mut self) {
        let whole = self.disk.image();
        for _ in 0..4 {
            // A temporary name that a power failure brought back may be another name of a file of the store.
            let worth_it = |(path, bytes): &(PathBuf, u64)| *bytes > 0 && !path.starts_with("/srv/data/tmp");
            let files: Vec<(PathBuf, u64)> = self.disk.files().into_iter().filter(worth_it).collect();
            let (path, bytes) = files[pick(&mut self.dice, files.len())].clone();
            let byte = self.dice.below(bytes);
            let kind = self.dice.below(8);
            let hurt = |disk: &Simulated, bit| match kind {
                0 => disk.lose(&path),
                1 => disk.make_unreadable(&path, byte),
                _ => disk.flip(&path, byte, bit),
            };
            let bytes_hurt = match kind {
                0 => None,
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
        let files_before = self.segment_files();
        let told = match self.try_open() {
            // Whatever is wrong with the folder's own files is said instead of opening it.
            Err(error) => {
                self.history.push(format!("not opened: {error}"));
                true
            }
            Ok(()) => self.compare_damaged(path, &files_before, (checked, loss)),
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
    fn compare_damaged(&mut self, path: &Path, files_before: &[PathBuf], (checked, loss): (&Checked, &Loss)) -> bool {
        let mut found = self.found();
        let told = !found.reports.is_empty();
        if told && !path.starts_with("/srv/data/manifest") {
            let stem = path.file_stem().unwrap().to_str().unwrap();
            assert!(found.reports.iter().all(|report| report.contains(stem)), "{}", self.failure(&format!("{:?}", found.reports)));
        }
        // Told when it was opened, and not only when the rows were read.
        if found.reports.iter().any(|report| report.contains("are missing from answers")) {
            let files = self.segment_files();
            // What the byte budget or an age let go meanwhile is in no list any more.
            let listed = self.open.as_ref().unwrap().0.inner.keeper.listed();
            let is_listed = |file: &Path| file.file_stem().unwrap().to_str().unwrap().parse().is_ok_and(|id| listed.contains(&id));
            let are_there = files_before.iter().all(|file| files.contains(file) || !is_listed(file));
            assert!(are_there, "{}", self.failure("files that may be needed were removed"));
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
        let is_named = told || loss.is_traceless || (checked.said.contains("torn") && checked.said.contains(name));
        assert!(seen.lost == 0 || is_named, "{}", self.failure(&format!("what is missing was not told: {}", checked.said)));
        told
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
