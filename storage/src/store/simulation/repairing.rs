//! Repairs: after damage at rest, and after a crash that took the list of segments with it.

use std::path::Path;

use crate::check::check_place;
use crate::error::OpenError;
use crate::files::Plan;
use crate::folder::Folder;
use crate::repair::{RepairReport, is_unfinished, repair_place};

use super::losses::{Excused, Loss};
use super::model::Look;
use super::world::World;

const LIST: &str = "/srv/data/manifest/log";

impl World {
    /// Repairs the folder, which is damaged in one place and closed, opens it and holds it against the model.
    pub(super) fn mend(&mut self, damaged: &Path, loss: &Loss) {
        if matches!(Folder::inspect(&self.root), Err(OpenError::Version { .. })) {
            self.history.push("it looks like a folder of another version, which is not repaired".to_owned());
            return;
        }
        let list_is_gone = !self.disk.files().iter().any(|(path, _)| path == Path::new(LIST));
        let (report, says_all) = self.repaired();
        let said = format!("{report:?}");
        let opened = self.try_open();
        assert!(opened.is_ok(), "{}", self.failure(&format!("it cannot be opened after {said}: {opened:?}")));
        let mut found = self.found();
        assert!(found.reports.is_empty(), "{}", self.failure(&format!("after {said}: {:?}", found.reports)));
        // What is lost is said.
        let is_told = !says_all || !report.is_lossless();
        // The log is left as it is when a start reads it: its last group cannot be told from one that was being written.
        let as_opened = if damaged.starts_with("/srv/data/wal") { loss.opened.clone() } else { Excused::Nothing };
        found.excused = if is_told { loss.repaired.clone() } else { as_opened };
        let compared = self.compare(&found, Look::Repaired);
        assert!(compared.is_ok(), "{}", self.failure(&format!("{compared:?} with {loss:?} after {said}")));
        self.end();
        // Indexes and the version can be made again, and so can a list that is gone; of one that is broken it is not known what it said.
        let is_index = damaged.extension().is_some_and(|extension| extension == "idx");
        let can_be_made = is_index || damaged.ends_with("FORMAT") || (damaged == Path::new(LIST) && list_is_gone);
        assert!(!can_be_made || report.is_lossless(), "{}", self.failure(&said));
    }

    /// As a crash that took the list of segments with it, at any moment; then as if it had not happened.
    pub(super) fn lose_the_list(&mut self) {
        let before = self.disk.image();
        if !self.disk.files().iter().any(|(path, _)| path == Path::new(LIST)) {
            return;
        }
        self.disk.lose(Path::new(LIST));
        self.history.push("the list of segments is lost".to_owned());
        let again = self.again.clone();
        self.mend(Path::new(LIST), &Loss::both(Excused::Anything));
        self.again = again;
        self.disk.restore(&before);
        self.history.push("it is back".to_owned());
    }

    /// The report, and whether it says everything: what an interrupted repair had found is not said again.
    fn repaired(&mut self) -> (RepairReport, bool) {
        self.tally.count("repairs", 1);
        if self.dice.below(3) > 0 {
            return (self.repair_to_its_end(), true);
        }
        let plan = Plan { stop_at: Some(self.disk.operations() + 1 + self.dice.below(40)), ..Plan::default() };
        self.disk.plan(plan);
        let first = repair_place(&self.root, false, &mut |_| ());
        self.history.push(format!("repair: {first:?}"));
        self.tally.count("repairs interrupted", u64::from(first.is_err()));
        if self.dice.below(2) == 0 {
            self.history.push("power failure".to_owned());
            self.tally.count("power failures in repairs", u64::from(first.is_err()));
            self.disk.power_failure();
        } else {
            self.disk.kill();
        }
        // It may have been stopped at the very end, when it had only its plan to remove; of a file that is gone nothing is set aside.
        let was_ending = matches!(&first, Err(OpenError::Io { action: "cannot remove", .. }));
        let had_begun = was_ending || is_unfinished(&self.root) || self.root.join("set-aside").is_there();
        let mut report = self.repair_to_its_end();
        match first {
            Ok(first) => {
                report.lines.extend(first.lines);
                (report, true)
            }
            Err(_) => (report, !had_begun),
        }
    }

    fn repair_to_its_end(&mut self) -> RepairReport {
        let report = repair_place(&self.root, false, &mut |_| ());
        let report = report.unwrap_or_else(|error| panic!("{}", self.failure(&format!("it cannot be repaired: {error:?}"))));
        self.history.push(format!("repair: {report:?}"));
        let checked = check_place(&self.root, &mut |_| ());
        assert!(checked.as_ref().is_ok_and(crate::check::CheckReport::is_ok), "{}", self.failure(&format!("{report:?}\n{checked:?}")));
        report
    }
}
