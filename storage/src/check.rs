//! `throughline check`: reads everything in a data folder and says what is whole and what is not.
//!
//! Owns the report. Changes nothing on disk; needs the lock, so the store must not be open. Checked are: the manifest; every frame of the
//! log, decoded; every byte of every segment against its checksum, its footer against the manifest, and each of its indexes against its
//! rows (`check/rows.rs`); what is remembered besides; and the names in the folder against the manifest.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::error::OpenError;
use crate::files::Place;
use crate::folder::{self, Folder};
use crate::manifest::{self, Contents};
use crate::memo;
use crate::otlp;
use crate::segment::{Segment, SegmentMeta};
use crate::store::{Signal, context_of, payload};
use crate::wal::{self, Expected};

mod file;
mod rows;

pub(crate) use self::file::{Sums, sums, sums_of_first};

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// One line per thing that was looked at.
    pub lines: Vec<CheckLine>,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckLine {
    /// The file or folder.
    pub path: PathBuf,
    /// What it holds.
    pub summary: String,
    /// What is wrong with it; `None` when it is whole.
    pub problem: Option<String>,
}

/// Told what is looked at next. Work on large folders takes minutes.
pub type Watch<'a> = &'a mut dyn FnMut(&str);

// === impl CheckReport ===

impl CheckReport {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.lines.iter().all(|line| line.problem.is_none())
    }

    fn push(&mut self, path: impl AsRef<Path>, summary: impl Into<String>, problem: Option<String>) {
        self.lines.push(CheckLine { path: path.as_ref().to_owned(), summary: summary.into(), problem });
    }
}

/// Reads a data folder: its version, the manifest, every frame of the log, every segment. Blocks, and reads everything once.
///
/// # Errors
/// When the folder is in use, is no data folder, or its version is another.
pub fn check(data_dir: &Path, watch: Watch<'_>) -> Result<CheckReport, OpenError> {
    check_place(&Place::real(data_dir), watch)
}

pub(crate) fn check_place(root: &Place, watch: Watch<'_>) -> Result<CheckReport, OpenError> {
    let folder = Folder::inspect(root)?;
    let mut report = CheckReport::default();
    watch("reading the list of segments");
    let contents = check_manifest(&folder, &mut report);
    watch("reading the log");
    check_log(&folder, contents.as_ref(), &mut report);
    if let Some(contents) = contents {
        for (number, meta) in contents.segments.values().enumerate() {
            watch(&format!("reading segment {} of {}", number + 1, contents.segments.len()));
            check_segment(&folder.segments(meta.signal), meta, &mut report);
        }
        check_deletes(&folder, &contents, &mut report);
        check_names(&folder, &contents, &mut report)?;
    }
    for (place, is_whole) in memo::files(&folder.memo()) {
        report.push(place, "what is remembered besides", (!is_whole).then(|| "it does not match its checksum".to_owned()));
    }
    Ok(report)
}

fn check_manifest(folder: &Folder, report: &mut CheckReport) -> Option<Contents> {
    let path = folder.manifest().join("log");
    match manifest::read(&folder.manifest(), folder.id()) {
        Ok(read) => {
            let torn = if read.torn_bytes > 0 { ", a torn last edit that the next start cuts off" } else { "" };
            report.push(path, format!("{} segments{torn}", read.contents.segments.len()), None);
            Some(read.contents)
        }
        Err(_) if folder.is_blank().unwrap_or(false) => {
            report.push(
                path,
                "nothing yet: the first start did not come far, or all of the folder is gone; the next start begins anew",
                None,
            );
            None
        }
        Err(error) => {
            report.push(path, "the list of segments", Some(detail(error)));
            None
        }
    }
}

fn check_log(folder: &Folder, contents: Option<&Contents>, report: &mut CheckReport) {
    let path = folder.wal();
    // Without a manifest it is not known where the log must begin: then it may begin anywhere.
    let must = contents.map_or(Expected { through: u64::MAX - 1, last_file: 0, pristine: true, ended: false }, Contents::log);
    let (mut waiting, mut odd) = (0u64, Vec::new());
    let read = wal::verify(&path, folder.id(), must, &mut |frame| {
        let damaged =
            |detail: String| OpenError::Damaged { path: path.path().to_owned(), detail: format!("frame {}: {detail}", frame.seq) };
        let raw = payload(&frame.record).map_err(&damaged)?;
        let decoded = otlp::decode(frame.record.signal, &raw, &context_of(&frame.record)).map_err(|error| damaged(error.to_string()))?;
        if decoded.batch.num_rows() as u64 != u64::from(frame.record.accepted) {
            odd.push(frame.seq);
        }
        waiting += u64::from(frame.seq > must.through);
        Ok(())
    });
    match read {
        Ok(read) => {
            let torn = read.torn.map_or_else(String::new, |(file, offset, bytes)| {
                format!(
                    ", a torn tail of {bytes} bytes at offset {offset} of {}: never acknowledged, unless the file was damaged since it was written",
                    file.display()
                )
            });
            let problem = odd.first().map(|seq| format!("frame {seq} decodes into another number of rows than were acknowledged"));
            let missed = read.missed.map_or_else(String::new, |(file, what)| {
                format!("; {}: {what}, and {}; the next start goes on in a new file", file.display(), wal::NOTHING_IN_IT)
            });
            report.push(path, format!("{} requests, {waiting} of them in no segment yet{torn}{missed}", read.frames), problem);
        }
        Err(OpenError::Damaged { path, detail }) => report.push(path, "a file of the log", Some(detail)),
        Err(error) => report.push(path, "the log", Some(detail(error))),
    }
}

fn check_segment(folder: &Place, meta: &SegmentMeta, report: &mut CheckReport) {
    let (parquet, index) = (meta.parquet_path(folder), meta.index_path(folder));
    let of_parquet = file::check(&parquet, meta.parquet_bytes, meta.parquet_crc);
    let of_index = file::check(&index, meta.index_bytes, meta.index_crc);
    let rows = || -> Result<Vec<String>, String> {
        let segment = Segment::open(folder, meta.clone()).map_err(|error| error.detail)?;
        segment.check_footer()?;
        rows::check(&segment, of_index.is_ok())
    };
    let (parquet_problem, index_problem) = match of_parquet {
        Err(problem) => (Some(problem), of_index.err()),
        Ok(()) => match rows() {
            Err(problem) => (Some(problem), of_index.err()),
            // The rows are the truth; an index that says otherwise is wrong.
            Ok(faults) => (None, of_index.err().or_else(|| (!faults.is_empty()).then(|| faults.join("; ")))),
        },
    };
    report.push(parquet, format!("{} rows of {}, level {}", meta.rows, meta.signal.as_str(), meta.level), parquet_problem);
    report.push(index, "its index", index_problem);
}

/// The second record of deletes.
fn check_deletes(folder: &Folder, contents: &Contents, report: &mut CheckReport) {
    let (place, pending) = (folder.deletes(), contents.deletions.values().filter(|deletion| deletion.done.is_none()).count());
    let problem = manifest::read_copy(&place, folder.id()).err();
    if place.is_there() || pending > 0 {
        report.push(place, format!("the second record of {pending} deletes that are not done"), problem);
    }
}

/// Names beside those that the manifest lists.
fn check_names(folder: &Folder, contents: &Contents, report: &mut CheckReport) -> Result<(), OpenError> {
    let listed: BTreeSet<_> = contents.segments.keys().copied().collect();
    for signal in [Signal::Traces, Signal::Logs] {
        let place = folder.segments(signal);
        // A folder without a file may not have been made, as in one that was restored.
        let found = if place.is_there() { folder::names(&place)? } else { Vec::new() };
        for name in found {
            match folder::segment_of(&name) {
                Some(id) if listed.contains(&id) => {}
                Some(_) => report.push(place.join(name), "left over from an interrupted flush or merge; the next start removes it", None),
                None => report.push(place.join(name), "not a file of this program; it is left alone", None),
            }
        }
    }
    Ok(())
}

/// What is wrong, without the name of the file.
pub(crate) fn detail(error: OpenError) -> String {
    match error {
        OpenError::Damaged { detail, .. } => detail,
        OpenError::Io { source, .. } => source.to_string(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests;
