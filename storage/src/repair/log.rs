//! The log: left as it is while it can be read to its end; else its whole frames are written anew.

use crate::check::Watch;
use crate::error::OpenError;
use crate::folder::Folder;
use crate::model::UnixNanos;
use crate::otlp;
use crate::store::{context_of, payload};
use crate::wal::{self, Expected, Frame, NewLog, Replayed};

use super::{Repair, RepairOutcome, kept, plan};

/// What is said of a log that is gone.
const MAY_HAVE_BEEN: &str = "requests that were acknowledged and not yet in segments may have been in the log that is gone: whether there were any, and how \
                             many, cannot be told";

/// Which frames are there.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// The first frame that the log may hold, by the names of its files; `None` when there is none.
    pub(super) first: Option<u64>,
    /// First and last of frames that follow each other, all of them whole.
    ranges: Vec<(u64, u64)>,
    /// When the first of them came in.
    pub(super) since: Option<UnixNanos>,
}

// === impl Held ===

impl Held {
    pub(super) fn read(folder: &Folder) -> Result<Self, OpenError> {
        let wal = folder.wal();
        let first = plan::names(&wal)?.iter().filter_map(|name| wal::first_seq(name)).min();
        let (mut ranges, mut since): (Vec<(u64, u64)>, _) = (Vec::new(), None);
        wal::salvage(&wal, folder.id(), Expected::default(), &mut |frame| {
            since.get_or_insert(frame.record.ingest_time);
            match ranges.last_mut() {
                Some((_, last)) if *last + 1 == frame.seq => *last = frame.seq,
                _ => ranges.push((frame.seq, frame.seq)),
            }
            Ok(())
        })?;
        Ok(Self { first, ranges, since })
    }

    #[cfg(test)]
    pub(super) fn of(first: u64, ranges: &[(u64, u64)]) -> Self {
        Self { first: Some(first), ranges: ranges.to_vec(), since: None }
    }

    /// Whether all of these are there.
    pub(super) fn all(&self, first: u64, last: u64) -> bool {
        self.ranges.iter().any(|(from, to)| *from <= first && last <= *to)
    }

    /// Whether one of these is there.
    pub(super) fn any(&self, first: u64, last: u64) -> bool {
        self.ranges.iter().any(|(from, to)| *from <= last && first <= *to)
    }

    /// How many there are up to this one.
    pub(super) fn until(&self, last: u64) -> u64 {
        self.ranges.iter().map(|(from, to)| (last.min(*to) + 1).saturating_sub(*from)).sum()
    }
}

/// Makes the log one that a start reads to its end. Every frame beyond `must.through` that is whole stays. `had_log` says that there was a
/// file. Returns the first frame of the last file, 0 when that is not known.
pub(super) fn mend(repair: &mut Repair<'_>, must: Expected, had_log: bool, watch: Watch<'_>) -> Result<u64, OpenError> {
    let folder = repair.folder.wal();
    let verified = if folder.is_there() {
        wal::verify(&folder, repair.folder.id(), must, &mut |frame| {
            if frame.seq <= must.through {
                return Ok(());
            }
            undecodable(&frame).map_or(Ok(()), |detail| Err(OpenError::Damaged { path: folder.path().to_owned(), detail }))
        })
    } else {
        Err(OpenError::Damaged { path: folder.path().to_owned(), detail: "it is missing".to_owned() })
    };
    let problem = match verified {
        Ok(Replayed { missed: None, .. }) => return Ok(must.last_file),
        Ok(Replayed { missed: Some((path, detail)), .. }) => format!("{}: {detail}", path.display()),
        Err(OpenError::Damaged { path, detail }) => format!("{}: {detail}", path.display()),
        Err(OpenError::Io { path, source, .. }) => format!("{} cannot be read: {source}", path.display()),
        Err(other) => return Err(other),
    };
    watch("writing the log anew");
    let names = plan::names(&folder)?;
    let last = names.iter().filter_map(|name| wal::first_seq(name)).max();
    for name in names.iter().filter(|name| wal::first_seq(name).is_some()) {
        repair.plan.set_aside(&folder.join(name), &format!("{}/wal/{name}", kept::FOLDER));
    }
    let mut log = NewLog::new(repair.folder.id(), must.through + 1);
    let mut odd = Vec::new();
    let mut lost = wal::salvage(&folder, repair.folder.id(), must, &mut |frame| match undecodable(&frame) {
        Some(detail) => {
            odd.push(format!("{detail}; it is lost"));
            Ok(())
        }
        None => log.push(&frame.record).map_or(Ok(()), |file| stage(repair, file)),
    })?;
    lost.extend(odd);
    if last.map_or(had_log, |last| last < must.last_file) {
        lost.push(format!("{problem}; {MAY_HAVE_BEEN}"));
    }
    if must.ended {
        lost.clear();
    }
    let kept = log.frames();
    let (first_seq, bytes) = log.finish();
    stage(repair, (first_seq, bytes))?;
    if lost.is_empty() {
        let besides = match last {
            _ if must.ended => wal::NOTHING_IN_IT,
            None => MAY_HAVE_BEEN,
            Some(_) => "no other is known of",
        };
        repair.report.push(&folder, RepairOutcome::Rebuilt, format!("{problem}; {kept} requests were kept, and {besides}"));
    }
    for what in lost {
        repair.report.push(&folder, RepairOutcome::Lost, format!("{what}; {kept} requests were kept"));
    }
    Ok(first_seq)
}

fn stage(repair: &mut Repair<'_>, (first_seq, bytes): (u64, Vec<u8>)) -> Result<(), OpenError> {
    let to = wal::file_path(&repair.folder.wal(), first_seq);
    repair.stage(&format!("wal-{first_seq:020}"), &to, &bytes)
}

/// Why a whole frame cannot be read back by a start.
fn undecodable(frame: &Frame) -> Option<String> {
    let raw = payload(&frame.record);
    let decoded =
        raw.and_then(|raw| otlp::decode(frame.record.signal, &raw, &context_of(&frame.record)).map_err(|error| error.to_string()));
    decoded.err().map(|error| format!("request {} cannot be understood: {error}", frame.seq))
}
