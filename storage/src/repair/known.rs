//! What is left of the list of segments, and of the deletes.

use std::collections::{BTreeMap, BTreeSet};

use ulid::Ulid;

use crate::check::detail;
use crate::deletion::Deletion;
use crate::error::OpenError;
use crate::folder::Folder;
use crate::manifest::{self, Contents, Salvaged};

use super::examine::Found;
use super::log::Held;

/// What the manifest says, as far as it can be read.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) contents: Contents,
    /// Why it is not the whole list; `None` when it is.
    pub(super) problem: Option<String>,
    pub(super) salvaged: Salvaged,
    /// Deletes by every record of them.
    pub(super) deletions: BTreeMap<Ulid, Deletion>,
    /// What is wrong with the second record of deletes.
    pub(super) deletes_problem: Option<String>,
}

// === impl Known ===

impl Known {
    pub(super) fn read(folder: &Folder) -> Result<Self, OpenError> {
        let copy = manifest::read_copy(&folder.deletes(), folder.id());
        let deletes_problem = copy.as_ref().err().cloned();
        match manifest::read(&folder.manifest(), folder.id()) {
            Ok(read) => {
                let deletions = read.contents.deletions.clone();
                Ok(Self { contents: read.contents, deletions, deletes_problem, ..Self::default() })
            }
            Err(error @ (OpenError::Damaged { .. } | OpenError::Io { .. })) => {
                let detail = detail(error);
                let salvaged = manifest::salvage(&folder.manifest());
                let mut deletions = copy.unwrap_or_default();
                deletions.extend(salvaged.deletions.clone());
                Ok(Self { problem: Some(detail), salvaged, deletions, deletes_problem, ..Self::default() })
            }
            Err(other) => Err(other),
        }
    }

    /// Takes the list for no more than a hint when segments show that it is an old one: the file was cut off, or comes from a copy.
    pub(super) fn doubt(&mut self, found: &[Found], held: &Held) {
        if self.problem.is_some() {
            return;
        }
        let there: BTreeSet<Ulid> = found.iter().map(|segment| segment.id).collect();
        let is_gone = |id: &Ulid| self.contents.segments.contains_key(id) && !there.contains(id);
        let mut unlisted = found.iter().filter(|segment| !segment.listed);
        let replaces = |segment: &Found| segment.origin.inputs.iter().any(is_gone);
        let log_goes_on = held.first.is_some_and(|first| first > self.contents.wal_through + 1);
        let fills = |segment: &Found| segment.origin.frames.is_some_and(|(_, last)| last > self.contents.wal_through);
        if !unlisted.any(|segment| replaces(segment) || (log_goes_on && fills(segment))) {
            return;
        }
        self.problem = Some("it is older than the segments that are there".to_owned());
        let contents = std::mem::take(&mut self.contents);
        self.salvaged = Salvaged {
            known: contents.segments,
            deletions: contents.deletions,
            wal_through: contents.wal_through,
            next_record_id: contents.next_record_id,
            log_begun: contents.log_begun,
            ..Salvaged::default()
        };
    }

    pub(super) fn next_record_id(&self) -> u64 {
        self.contents.next_record_id.max(self.salvaged.next_record_id)
    }

    /// The first frame of the last file of the log that is known to have been begun.
    pub(super) fn log_begun(&self) -> u64 {
        self.contents.log_begun.max(self.salvaged.log_begun)
    }

    /// The frame up to which every delete has brought the log into segments.
    pub(super) fn deleted_through(&self) -> u64 {
        self.deletions.values().map(|deletion| deletion.wal_through).max().unwrap_or(0)
    }
}
