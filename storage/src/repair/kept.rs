//! Keeps the log where it may still hold rows that are lost: a start lets go of what segments had taken of it.
//!
//! Which of its rows are lost is not certain: others of the same requests are in other segments, were deleted or were past their age. So nothing is
//! taken from it; it is put aside as a data folder that a repair of its own makes whole, to be looked into.

use arrow::temporal_conversions::timestamp_ns_to_datetime;

use crate::error::OpenError;
use crate::files::Place;
use crate::folder::io_error;
use crate::model::UnixNanos;
use crate::wal;

use super::log::Held;
use super::{Repair, RepairOutcome, plan, save};

/// The folder in that of what is set aside: the files of the log are where a data folder has them.
pub(super) const FOLDER: &str = "log";

impl Repair<'_> {
    /// Puts names of the files of the log aside when rows are lost that may be in them, as far as a start would let go of them: up to the frame
    /// `wal_through`.
    pub(super) fn keep_log(&mut self, held: &Held, wal_through: u64) -> Result<(), OpenError> {
        let may_hold = |frames: &Option<(u64, u64)>| frames.is_none_or(|(first, last)| held.any(first, last));
        let (requests, Some(since)) = (held.until(wal_through), held.since) else { return Ok(()) };
        if requests == 0 || !self.lost_from.iter().any(may_hold) {
            return Ok(());
        }
        let wal = self.folder.wal();
        for name in plan::names(&wal)?.iter().filter(|name| wal::first_seq(name).is_some_and(|first| first <= wal_through)) {
            self.keep_file(&wal.join(name), name)?;
        }
        let aside = self.plan.aside().join(FOLDER);
        self.stage("kept-FORMAT", &aside.join("FORMAT"), self.folder.format_text().as_bytes())?;
        let (said, aside) = (if self.dry_run { "would be" } else { "is" }, aside.display().to_string());
        let what = format!(
            "{requests} requests that segments had taken are still in it, the first of {}, maybe with rows that are lost; the next start lets go of them. \
             A copy {said} kept in {aside}: `throughline repair {aside}` makes a data folder of it",
            said_of(since)
        );
        self.report.push(&wal, RepairOutcome::Kept, what);
        Ok(())
    }

    /// Gives a file a second name, which takes no room, or else copies it. A file that is set aside anyway is left.
    fn keep_file(&mut self, file: &Place, name: &str) -> Result<(), OpenError> {
        let to = format!("{FOLDER}/wal/{name}");
        if self.plan.is_set_aside(file) {
            return Ok(());
        }
        let Some(staging) = self.staging()? else {
            self.plan.set_aside(file, &to);
            return Ok(());
        };
        let second = staging.join(format!("kept-{name}"));
        if second.is_there() {
            // Of a repair that was interrupted: what is written to it would be written to the log.
            second.remove().map_err(io_error("cannot remove", &second))?;
        }
        if file.link_to(&second).is_err() {
            let bytes = file.open().and_then(|file| file.len()).map_err(io_error("cannot read", file))?;
            save::beginning(file, bytes, &second)?;
        }
        self.plan.set_aside(&second, &to);
        Ok(())
    }
}

/// A time as people read it, to the second.
fn said_of(time: UnixNanos) -> String {
    let read = i64::try_from(time.get()).ok().and_then(timestamp_ns_to_datetime);
    read.map_or_else(|| "an unknown time".to_owned(), |time| time.format("%Y-%m-%d %H:%M:%S UTC").to_string())
}
