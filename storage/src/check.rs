//! `throughline check`: reads everything in a data folder and says what is whole and what is not.
//!
//! Owns the report. Changes nothing on disk; needs the lock, so the store must not be open.

use std::io;
use std::path::{Path, PathBuf};

use crate::error::OpenError;
use crate::files::Place;
use crate::folder::Folder;
use crate::manifest::{self, Contents};
use crate::otlp;
use crate::segment::{Segment, SegmentMeta};
use crate::store::{context_of, payload};
use crate::wal;

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

// === impl CheckReport ===

impl CheckReport {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.lines.iter().all(|line| line.problem.is_none())
    }

    fn push(&mut self, path: impl Into<PathBuf>, summary: impl Into<String>, problem: Option<String>) {
        self.lines.push(CheckLine { path: path.into(), summary: summary.into(), problem });
    }
}

/// Reads a data folder: its version, the manifest, every frame of the log, both files of every segment. Blocks, and reads everything
/// once.
///
/// # Errors
/// When the folder is in use, is no data folder, or its version is another.
pub fn check(data_dir: &Path) -> Result<CheckReport, OpenError> {
    check_place(&Place::real(data_dir))
}

/// As [`check`], on any file system.
pub(crate) fn check_place(root: &Place) -> Result<CheckReport, OpenError> {
    let folder = Folder::inspect(root)?;
    let mut report = CheckReport::default();
    let contents = check_manifest(&folder, &mut report);
    check_log(&folder, contents.as_ref(), &mut report);
    if let Some(contents) = contents {
        for meta in contents.segments.values() {
            check_segment(&folder.segments(meta.signal), meta, &mut report);
        }
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
        Err(error) => {
            report.push(path, "the list of segments", Some(detail(error)));
            None
        }
    }
}

fn check_log(folder: &Folder, contents: Option<&Contents>, report: &mut CheckReport) {
    let path = folder.wal();
    // Without a manifest it is not known where the log must begin: then it may begin anywhere.
    let through = contents.map_or(u64::MAX - 1, |contents| contents.wal_through);
    let pristine = contents.is_none_or(|contents| *contents == Contents::default());
    let mut waiting = 0u64;
    let read = wal::verify(&path, folder.id(), through, pristine, &mut |frame| {
        let damaged =
            |detail: String| OpenError::Damaged { path: path.path().to_owned(), detail: format!("frame {}: {detail}", frame.seq) };
        let raw = payload(&frame.record).map_err(&damaged)?;
        otlp::decode(frame.record.signal, &raw, &context_of(&frame.record)).map_err(|error| damaged(error.to_string()))?;
        waiting += u64::from(frame.seq > through);
        Ok(())
    });
    match read {
        Ok(read) => {
            let torn = if read.torn.is_some() {
                ", a torn tail: never acknowledged, unless the file was damaged since it was written"
            } else {
                ""
            };
            report.push(path, format!("{} requests, {waiting} of them in no segment yet{torn}", read.frames), None);
        }
        Err(OpenError::Damaged { path, detail }) => report.push(path, "a file of the log", Some(detail)),
        Err(error) => report.push(path, "the log", Some(detail(error))),
    }
}

fn check_segment(folder: &Place, meta: &SegmentMeta, report: &mut CheckReport) {
    let parquet = folder.join(format!("{}.parquet", meta.id));
    let problem = check_file(&parquet, meta.parquet_bytes, meta.parquet_crc).err().or_else(|| {
        let segment = Segment::open(folder, meta.clone()).map_err(|error| error.detail);
        segment.and_then(|segment| check_rows(&segment)).err()
    });
    report.push(parquet, format!("{} rows of {}, level {}", meta.rows, meta.signal.as_str(), meta.level), problem);
    let index = folder.join(format!("{}.idx", meta.id));
    let problem = check_file(&index, meta.index_bytes, meta.index_crc).err();
    report.push(index, "its index", problem);
}

fn check_rows(segment: &Segment) -> Result<(), String> {
    let column = crate::schema::time_column(segment.meta().signal);
    let mut rows = 0u64;
    for batch in segment.read(&[column], None).map_err(|error| error.detail)? {
        rows += batch.map_err(|error| error.detail)?.num_rows() as u64;
    }
    let expected = segment.meta().rows;
    if rows != expected {
        return Err(format!("it has {rows} rows, {expected} are recorded"));
    }
    match segment.operations() {
        Some(operations) if operations.complete => {
            let counted: u64 = operations.entries.iter().map(|entry| entry.count).sum();
            if counted == rows { Ok(()) } else { Err(format!("its list of operations counts {counted} rows of {rows}")) }
        }
        _ => Ok(()),
    }
}

fn check_file(path: &Place, bytes: u64, crc: u32) -> Result<(), String> {
    let read = || -> io::Result<(u64, u32)> {
        let file = path.open()?;
        let (mut length, mut sum, mut block) = (0, 0, vec![0; 1 << 20]);
        loop {
            let read = file.read_at(&mut block, length)?;
            if read == 0 {
                return Ok((length, sum));
            }
            length += read as u64;
            sum = crc32c::crc32c_append(sum, block.get(..read).unwrap_or_default());
        }
    };
    let (found, sum) = read().map_err(|error| error.to_string())?;
    if found != bytes {
        return Err(format!("it has {found} bytes, {bytes} are recorded"));
    }
    if sum == crc { Ok(()) } else { Err("it does not match its checksum".to_owned()) }
}

fn detail(error: OpenError) -> String {
    match error {
        OpenError::Damaged { detail, .. } => detail,
        OpenError::Io { source, .. } => source.to_string(),
        other => other.to_string(),
    }
}
