//! Backups: taken while the store goes on, into a folder on a disk of its own that stops whenever it likes; restored, opened and held
//! against what was true when each was taken.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::backup::{Backup, Kept, Point, Restored, Vault, restore_place};
use crate::clock::Clock;
use crate::error::OpenError;
use crate::files::{Mounted, Place, Plan, Simulated};
use crate::segment::fixture::Dice;

use super::model::Model;
use super::tally::Tally;
use super::world::{World, pick};

/// The folder of backups of a run.
pub(super) struct Saved {
    disk: Arc<Simulated>,
    /// What was true when each was begun, by its name.
    moments: BTreeMap<String, Model>,
    /// Those that were said to be kept.
    kept: BTreeSet<String>,
}

const VAULT: &str = "/vault";

// === impl Saved ===

impl Saved {
    pub(super) fn new(seed: u64) -> Self {
        Self { disk: Simulated::new(seed), moments: BTreeMap::new(), kept: BTreeSet::new() }
    }

    fn vault(&self) -> Result<Vault, OpenError> {
        Vault::open_place(&Place::on(Arc::new(Mounted(self.disk.clone())), VAULT))
    }

    /// Moments, all that were said to be kept among them.
    fn points(&self) -> Vec<Point> {
        let points = self.vault().and_then(|vault| vault.points()).unwrap();
        let names: BTreeSet<String> = points.iter().map(|point| point.id.clone()).collect();
        assert!(self.kept.is_subset(&names), "backups are gone: {:?} of {:?}", names, self.kept);
        points
    }
}

impl World {
    /// Takes a backup, and now and then another one right after it, or a step later.
    pub(super) async fn back_up(&mut self) {
        // There is something to find again.
        if self.dice.below(2) == 0 {
            self.flush();
        }
        if !self.goes_on() {
            return;
        }
        let plan = self.draw_plan(self.saved.disk.operations());
        let is_kept = self.back_up_once(plan).await;
        if is_kept && self.goes_on() && self.dice.below(3) > 0 {
            if self.dice.below(2) == 0 {
                let what = self.dice.below(83);
                self.work(what).await;
            }
            let drawn = self.draw_plan(self.saved.disk.operations());
            let plan = if self.dice.below(2) == 0 { drawn } else { Plan::default() };
            if self.goes_on() {
                self.back_up_once(plan).await;
            }
        }
    }

    fn goes_on(&self) -> bool {
        !self.disk.has_stopped() && !self.has_failed()
    }

    /// Sometimes whoever takes it is stopped, or his disk fails, or the store stops in the middle of it. Whether it is kept.
    async fn back_up_once(&mut self, plan: Plan) -> bool {
        let now = self.saved.disk.operations();
        self.history.push(format!("backup begins with {plan:?} at operation {now} of its disk"));
        self.saved.disk.plan(plan);
        let before = self.saved.vault().and_then(|vault| vault.points()).unwrap_or_default();
        let kept = self.copy().await;
        self.history.push(format!("backup: {kept:?}"));
        stop(&self.saved.disk, &mut self.dice);
        let is_kept = kept.is_ok();
        match kept {
            Ok(kept) => {
                self.must_be_incremental(&before, &kept);
                self.tally.count("backups", 1);
                self.tally.count("backups that copied less than everything", u64::from(kept.copied < kept.files));
                self.saved.kept.insert(kept.id);
            }
            Err(_) => self.tally.count("backups broken off", 1),
        }
        if self.dice.below(6) == 0
            && let Ok(vault) = self.saved.vault()
        {
            vault.prune(2).unwrap();
            let left: BTreeSet<String> = vault.points().unwrap().into_iter().map(|point| point.id).collect();
            self.saved.kept.retain(|id| left.contains(id));
        }
        is_kept
    }

    /// A backup copied what no backup before has and what is no file of a segment, and nothing else. An index that was made again while it was copied
    /// is not in it.
    fn must_be_incremental(&self, before: &[Point], kept: &Kept) {
        assert_eq!(kept.damaged, [""; 0], "{}", self.failure("a backup of a whole folder is damaged"));
        let points = self.saved.points();
        let new = points.iter().find(|point| point.id == kept.id).unwrap_or_else(|| panic!("{}", self.failure("a backup is gone")));
        let known: BTreeSet<_> =
            before.iter().flat_map(Point::listed).filter(|(_, is_of_segment)| *is_of_segment).map(|(file, _)| file).collect();
        let must = new.listed().filter(|(file, is_of_segment)| !is_of_segment || !known.contains(file)).count();
        assert_eq!(must, kept.copied, "{}", self.failure("it copied what was there, or too little"));
    }

    async fn copy(&mut self) -> Result<Kept, OpenError> {
        let vault = self.saved.vault()?;
        let mut receiver = vault.receive()?;
        let known = vault.known(&mut |_| ())?;
        let moment = {
            let inner = &self.open.as_ref().unwrap().0.inner;
            Backup::of_store(&inner.keeper, &|| inner.wal.files(), &|| inner.snapshot.load_full())?
        };
        self.saved.moments.insert(receiver.id().to_owned(), self.model.clone());
        for piece in moment.stream(known) {
            receiver.push(&piece)?;
            if self.dice.below(12) == 0 {
                let what = self.dice.below(83);
                self.work(what).await;
                self.tally.count("steps during backups", 1);
                // Then the wire breaks.
                if self.disk.has_stopped() {
                    break;
                }
            }
        }
        receiver.finish()
    }

    /// Restores a backup or two, and then one from a folder of backups with damage.
    pub(super) async fn restore_backups(&mut self) {
        if self.saved.moments.is_empty() || self.saved.vault().is_err() {
            return;
        }
        let points = self.saved.points();
        let Some(last) = points.last() else { return };
        let other = &points[pick(&mut self.dice, points.len())];
        for point in BTreeMap::from([(&last.id, last), (&other.id, other)]).into_values() {
            let (disk, restored) = self.restored(point, 2);
            assert_eq!(restored.damaged, [""; 0], "{}", self.failure("a backup is damaged"));
            self.go_on(point, disk).await;
        }
        if self.dice.below(2) == 0 {
            self.restore_damaged().await;
        }
    }

    /// Makes a folder of a moment on an empty disk; so many runs of it may be interrupted.
    fn restored(&mut self, point: &Point, interrupted: usize) -> (Arc<Simulated>, Restored) {
        let disk = Simulated::new(self.dice.roll());
        let root = Place::on(Arc::new(Mounted(disk.clone())), "/srv/data");
        let vault = self.saved.vault().unwrap();
        for attempt in 0.. {
            let plan = if attempt < interrupted { self.draw_plan(disk.operations()) } else { Plan::default() };
            disk.plan(plan);
            let restored = restore_place(&vault, point, &root, &mut |_| ());
            self.history.push(format!("restore of {}: {restored:?}", point.id));
            self.tally.count("restores interrupted", u64::from(restored.is_err()));
            stop(&disk, &mut self.dice);
            match restored {
                Ok(restored) => {
                    self.tally.count("restores", 1);
                    return (disk, restored);
                }
                Err(error) => assert!(attempt < interrupted, "{}", self.failure(&format!("it cannot be restored: {error}"))),
            }
        }
        unreachable!("the last run has nothing in its way")
    }

    /// A store on what was restored has what it had then, and goes on from there.
    async fn go_on(&mut self, point: &Point, disk: Arc<Simulated>) {
        let mut other = Self {
            root: Place::on(Arc::new(Mounted(disk.clone())), "/srv/data"),
            disk,
            dice: Dice(self.dice.roll()),
            model: self.saved.moments[&point.id].clone(),
            tally: Tally::default(),
            history: self.history.clone(),
            clock: Clock::held_at(self.clock.now()),
            config: self.config.clone(),
            log_file_bytes: self.log_file_bytes,
            open: None,
            unanswered: Vec::new(),
            again: Vec::new(),
            saved: Saved::new(0),
        };
        other.history.push(format!("a store is started on backup {}", point.id));
        let opened = other.try_open();
        assert!(opened.is_ok(), "{}", other.failure(&format!("what was restored cannot be opened: {opened:?}")));
        other.verify(true).await;
        for _ in 0..3 {
            let what = other.dice.below(83);
            other.work(what).await;
        }
        other.restart_quietly().await;
        other.finish();
        other.verify(false).await;
        other.check_folder();
        self.tally.add(&other.tally);
    }

    /// A bit turns in the folder of backups: what is restored is right, or the damage is told. The next backup is whole again.
    async fn restore_damaged(&mut self) {
        let files: Vec<(PathBuf, u64)> = self.saved.disk.files().into_iter().filter(|(_, bytes)| *bytes > 0).collect();
        let (path, bytes) = files[pick(&mut self.dice, files.len())].clone();
        let byte = self.dice.below(bytes);
        self.saved.disk.flip(&path, byte, u32::try_from(self.dice.below(8)).unwrap());
        self.history.push(format!("damage at byte {byte} of {bytes} of {} in the folder of backups", path.display()));
        self.tally.count("backups damaged", 1);
        if path == Path::new(VAULT).join("VAULT") {
            assert!(self.saved.vault().is_err(), "{}", self.failure("its mark is broken and nobody says so"));
            return;
        }
        let vault = self.saved.vault().unwrap();
        for point in vault.points().unwrap() {
            let (disk, restored) = self.restored(&point, 0);
            // Otherwise the damage was in another moment's file, or in an index, which is made again.
            if restored.damaged.is_empty() {
                self.go_on(&point, disk).await;
            }
            let told = restored.damaged.iter().all(|name| path.to_str().unwrap().contains(name.as_str()));
            assert!(told && restored.damaged.len() <= 1, "{}", self.failure("the wrong file is named"));
        }
        self.saved.disk.plan(Plan::default());
        let kept = self.copy().await.unwrap_or_else(|error| panic!("{}", self.failure(&format!("no backup after damage: {error}"))));
        self.history.push(format!("backup: {kept:?}"));
        let point = vault.points().unwrap().pop().unwrap();
        assert_eq!((&point.id, kept.damaged.len()), (&kept.id, 0));
        let (disk, restored) = self.restored(&point, 0);
        assert_eq!(restored.damaged, [""; 0], "{}", self.failure("the backup after damage is damaged too"));
        self.go_on(&point, disk).await;
    }
}

/// Whatever wrote to it ends, or the machine.
fn stop(disk: &Simulated, dice: &mut Dice) {
    disk.stop();
    if dice.below(2) == 0 {
        disk.power_failure();
    } else {
        disk.kill();
    }
}
