//! `throughline repair`: makes a data folder whole again from what is left of it.
//!
//! Owns the order of steps. The manifest is made again from segments, which describe themselves (`segment/origin.rs`); indexes from the
//! rows of their segments; a broken log from its whole frames. Rows that can be read are saved from a segment that is damaged in part.
//! Nothing is deleted: what is damaged or counts no longer is set aside in a folder `set-aside` within the data folder, where moving
//! costs nothing and needs no room. What was deleted stays deleted: deletes that are not done are known from the manifest or from
//! `memo/deletes`, and hide their rows in whatever their segments were made into. The folder `set-aside` may hold such rows still.
//!
//! Everything new is first written beside (`repair/`), then one plan of renames is made durable, then carried out. A repair that is
//! interrupted before the plan left nothing but files that the next one overwrites; after it, the next one carries the plan out to its
//! end, and until then the folder does not open.

use std::path::{Path, PathBuf};

use crate::check::Watch;
use crate::error::OpenError;
use crate::files::Place;
use crate::folder::{Folder, io_error};
use crate::manifest::{self, Contents, Written};
use crate::memo;
use crate::store::Signal;
use crate::wal::Expected;

mod deletes;
mod examine;
mod judge;
mod kept;
mod known;
mod log;
mod plan;
mod save;

use self::examine::Found;
use self::judge::Judged;
use self::known::Known;
use self::plan::Plan;

/// What a repair did, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RepairReport {
    /// One line per file that is not as it was.
    pub lines: Vec<RepairLine>,
    /// The folder with what was set aside; `None` when nothing was.
    pub set_aside: Option<PathBuf>,
}

/// What became of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepairLine {
    /// The file.
    pub path: PathBuf,
    /// What was done.
    pub outcome: RepairOutcome,
    /// Why, and what it means.
    pub detail: String,
}

/// Kinds of [`RepairLine`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RepairOutcome {
    /// It was made again and nothing is lost.
    Rebuilt,
    /// It was moved, and nothing of it is missing elsewhere.
    SetAside,
    /// It is there, and a copy of it was put aside: it may hold some of what is lost, and will not be there for long.
    Kept,
    /// Some of what it held is gone.
    Lost,
}

/// A repair under way.
struct Repair<'a> {
    folder: Folder,
    root: &'a Place,
    dry_run: bool,
    report: RepairReport,
    plan: Plan,
    /// Segments that a dry run would write.
    to_write: usize,
    /// Said of rows that the log may hold still.
    unless_replayed: &'static str,
    /// From which frames the segments came of which rows are lost; `None` where that is not known.
    lost_from: Vec<Option<(u64, u64)>>,
}

/// Repairs a data folder that no process has open. With `dry_run` it writes nothing and says what it would do. Blocks.
///
/// # Errors
/// When the folder is in use or of another version, or cannot be written.
pub fn repair(data_dir: &Path, dry_run: bool, watch: Watch<'_>) -> Result<RepairReport, OpenError> {
    repair_place(&Place::real(data_dir), dry_run, watch)
}

pub(crate) fn repair_place(root: &Place, dry_run: bool, watch: Watch<'_>) -> Result<RepairReport, OpenError> {
    let (folder, format_problem) = Folder::rescue(root, !dry_run)?;
    let mut report = RepairReport::default();
    if Plan::is_unfinished(root) {
        report.push(plan::path(root), RepairOutcome::Rebuilt, "an interrupted repair is carried out to its end first");
        if dry_run {
            return Ok(report);
        }
        plan::carry_out(root)?;
    }
    let mut repair =
        Repair { plan: Plan::new(root), folder, root, dry_run, report, to_write: 0, unless_replayed: "", lost_from: Vec::new() };
    if let Some(problem) = format_problem {
        repair.rebuild_format(&problem)?;
    }
    repair.run(watch)?;
    repair.finish()
}

/// Whether a repair was interrupted after it had begun to move files.
pub(crate) fn is_unfinished(root: &Place) -> bool {
    Plan::is_unfinished(root)
}

impl Repair<'_> {
    fn run(&mut self, watch: Watch<'_>) -> Result<(), OpenError> {
        watch("reading the list of segments");
        let mut known = Known::read(&self.folder)?;
        let mut found = Vec::new();
        for signal in [Signal::Traces, Signal::Logs] {
            found.extend(examine::all(&self.folder, signal, &known, watch)?);
        }
        watch("reading the log");
        let held = log::Held::read(&self.folder)?;
        known.doubt(&found, &held);
        let Judged { counting, replayed, not_counting, wal_through, notes } = judge::judge(found, &known, &held);
        for note in notes {
            self.report.push(self.folder.manifest().join(manifest::FILE), RepairOutcome::Rebuilt, note);
        }
        for (segment, why) in &not_counting {
            self.set_segment_aside(segment, RepairOutcome::SetAside, why);
        }
        for segment in &replayed {
            self.set_segment_aside(segment, RepairOutcome::SetAside, "its rows are in the log, from which they are read again");
        }
        if !replayed.is_empty() {
            self.unless_replayed = ", but for those that are read from the log again";
        }
        let deletions = deletes::carried(&known, &counting);
        let (next_record_id, written) = (known.next_record_id(), known.contents.written);
        let mut contents = Contents { wal_through, next_record_id, deletions, written, ..Contents::default() };
        for segment in &counting {
            watch(&format!("saving segment {}", segment.id));
            self.keep(segment, &known, &mut contents)?;
        }
        self.tell_missing(&known, &counting, &replayed, &not_counting);
        let pristine = known.problem.is_none() && known.contents == Contents::default();
        let ended = known.contents.log().ended && wal_through == known.contents.wal_through;
        let must = Expected { through: wal_through, last_file: known.log_begun(), pristine, ended };
        // Without a list and a segment it is not known that there ever was a log, unless the folder was served from.
        let is_listed = known.problem.is_none() || !contents.segments.is_empty() || must.last_file > 0;
        let had_log = !pristine && (is_listed || self.folder.was_served()?);
        contents.log_begun = log::mend(self, must, had_log, watch)?;
        self.keep_log(&held, wal_through)?;
        contents.log_ended = if ended { known.contents.log_ended } else { 0 };
        if known.problem.is_some() {
            contents.written = Written::at_most(contents.segments.values());
        }
        if known.problem.is_some() || contents != known.contents {
            self.rebuild_manifest(&known, &contents)?;
        }
        self.mend_memo(&known, &contents)
    }

    /// Puts a segment on the new list: as it is, with a new index, or as far as it can be read.
    fn keep(&mut self, segment: &Found, known: &Known, contents: &mut Contents) -> Result<(), OpenError> {
        let place = self.folder.segments(segment.signal);
        if segment.is_whole() {
            contents.next_record_id = contents.next_record_id.max(save::next_record_id(&self.folder, segment));
            contents.segments.insert(segment.id, segment.meta.clone());
            return Ok(());
        }
        if segment.appended > 0 {
            return self.cut(segment, contents);
        }
        let why = segment.problem();
        if segment.parquet.is_ok()
            && let Some(meta) = save::index(&self.folder, segment, self.staging()?.as_ref())
        {
            let trusted =
                if segment.proven { "" } else { "; nothing says whether its rows are as they were written, they were taken as they are" };
            let path = segment.meta.index_path(&place);
            self.report.push(&path, RepairOutcome::Rebuilt, format!("{why}; it was made again{trusted}"));
            self.plan.set_file_aside(segment.signal, &path);
            self.plan.place(&meta.index_path(&self.plan.staging()), &path);
            contents.next_record_id = contents.next_record_id.max(save::next_record_id(&self.folder, segment));
            // The same rows make the same index, as a rule.
            let expected = known.contents.segments.get(&meta.id).filter(|_| self.dry_run).cloned();
            contents.segments.insert(meta.id, expected.unwrap_or(meta));
            return Ok(());
        }
        let saved = save::save(&self.folder, segment, self.staging()?.as_ref())?;
        let lost = segment.meta.rows.saturating_sub(saved.rows);
        let again = if judge::is_flush(segment) { self.unless_replayed } else { "" };
        let what = format!("{why}; {} rows of {} were saved, {lost} are lost{again}", saved.rows, segment.signal.as_str());
        self.report.push(segment.meta.parquet_path(&place), RepairOutcome::Lost, what);
        if lost > 0 || !segment.readable {
            self.lost_from.push(segment.origin.frames);
        }
        self.plan.set_segment_aside(&self.folder, segment);
        contents.next_record_id = contents.next_record_id.max(saved.next_record_id);
        deletes::follow(&mut contents.deletions, segment.id, &saved.metas);
        self.to_write += usize::from(self.dry_run && saved.rows > 0);
        for meta in saved.metas {
            self.plan.place_segment(&self.folder, &meta);
            contents.segments.insert(meta.id, meta);
        }
        Ok(())
    }

    /// Puts a copy without what was appended into the place of a file whose rows are all there.
    fn cut(&mut self, segment: &Found, contents: &mut Contents) -> Result<(), OpenError> {
        let path = segment.meta.parquet_path(&self.folder.segments(segment.signal));
        let what = format!("{} bytes follow its end that were not written with it; it was made again without them", segment.appended);
        self.report.push(&path, RepairOutcome::Rebuilt, what);
        if let Some(staging) = self.staging()? {
            save::beginning(&path, segment.meta.parquet_bytes, &segment.meta.parquet_path(&staging))?;
        }
        self.plan.set_file_aside(segment.signal, &path);
        self.plan.place(&segment.meta.parquet_path(&self.plan.staging()), &path);
        contents.segments.insert(segment.id, segment.meta.clone());
        Ok(())
    }

    /// Where new files are written, made when absent; `None` in a dry run.
    fn staging(&self) -> Result<Option<Place>, OpenError> {
        if self.dry_run {
            return Ok(None);
        }
        let staging = self.plan.staging();
        staging.create_folder().map_err(io_error("cannot create the folder", &staging))?;
        Ok(Some(staging))
    }

    fn set_segment_aside(&mut self, segment: &Found, outcome: RepairOutcome, why: &str) {
        let path = segment.meta.parquet_path(&self.folder.segments(segment.signal));
        self.report.push(path, outcome, why);
        self.plan.set_segment_aside(&self.folder, segment);
    }

    /// Listed segments of which there is no file any more.
    fn tell_missing(&mut self, known: &Known, counting: &[Found], replayed: &[Found], not_counting: &[(Found, String)]) {
        let there = |id| {
            let others = not_counting.iter().map(|(segment, _)| segment);
            counting.iter().chain(replayed).chain(others).any(|segment| segment.id == id)
        };
        for meta in known.contents.segments.values().filter(|meta| !there(meta.id)) {
            let again = if meta.level == 0 { self.unless_replayed } else { "" };
            let what = format!("it is missing; its {} rows of {} are lost{again}", meta.rows, meta.signal.as_str());
            self.report.push(meta.parquet_path(&self.folder.segments(meta.signal)), RepairOutcome::Lost, what);
            self.lost_from.push(None);
        }
    }

    fn rebuild_manifest(&mut self, known: &Known, contents: &Contents) -> Result<(), OpenError> {
        let path = self.folder.manifest().join(manifest::FILE);
        let why = known.problem.as_deref().unwrap_or("it lists what is no longer so");
        let what = format!("{why}; made again with {} segments", contents.segments.len() + self.to_write);
        self.report.push(&path, RepairOutcome::Rebuilt, what);
        self.plan.set_aside(&path, "manifest-log");
        self.stage("manifest-log", &path, &manifest::snapshot(self.folder.id(), contents))
    }

    /// What is remembered besides telemetry.
    fn mend_memo(&mut self, known: &Known, contents: &Contents) -> Result<(), OpenError> {
        if let Some(problem) = &known.deletes_problem {
            let path = self.folder.deletes();
            let (outcome, what) = match &known.problem {
                None => (RepairOutcome::Rebuilt, "it was made again from the list of segments"),
                Some(_) => (RepairOutcome::Lost, "rows of deletes that were not done may be there again"),
            };
            self.report.push(&path, outcome, format!("{problem}; {what}"));
            self.plan.set_aside(&path, "memo-deletes");
            self.stage("memo-deletes", &path, &manifest::copy_of(self.folder.id(), &contents.deletions))?;
        }
        for (path, _) in memo::files(&self.folder.memo()).into_iter().filter(|(_, is_whole)| !is_whole) {
            self.report.push(&path, RepairOutcome::Lost, "it does not match its checksum; what it held begins anew");
            let name = path.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
            self.plan.set_aside(&path, &format!("memo-{name}"));
        }
        Ok(())
    }

    fn rebuild_format(&mut self, problem: &str) -> Result<(), OpenError> {
        let path = self.folder.format_path();
        self.report.push(&path, RepairOutcome::Rebuilt, problem);
        self.plan.set_aside(&path, "FORMAT");
        self.stage("FORMAT", &path, self.folder.format_text().as_bytes())
    }

    /// Writes a new file beside and plans to put it into its place.
    fn stage(&mut self, name: &str, to: &Place, bytes: &[u8]) -> Result<(), OpenError> {
        let Some(staging) = self.staging()? else { return Ok(()) };
        let draft = staging.join(name);
        let written = || {
            let file = draft.create()?;
            file.write_all_at(bytes, 0)?;
            file.sync_all()
        };
        written().map_err(io_error("cannot write", &draft))?;
        self.plan.place(&draft, to);
        Ok(())
    }

    fn finish(mut self) -> Result<RepairReport, OpenError> {
        if self.plan.sets_aside() {
            self.report.set_aside = Some(self.plan.aside().path().to_owned());
        }
        if self.dry_run {
            return Ok(self.report);
        }
        if self.plan.is_empty() {
            // What an interrupted repair left of its drafts.
            let staging = self.plan.staging();
            if staging.is_there() {
                staging.remove_all().map_err(io_error("cannot remove", &staging))?;
            }
        } else {
            self.plan.write()?;
            plan::carry_out(self.root)?;
        }
        Ok(self.report)
    }
}

// === impl RepairReport ===

impl RepairReport {
    /// Whether anything is gone for good.
    #[must_use]
    pub fn is_lossless(&self) -> bool {
        self.lines.iter().all(|line| line.outcome != RepairOutcome::Lost)
    }

    fn push(&mut self, path: impl AsRef<Path>, outcome: RepairOutcome, detail: impl Into<String>) {
        self.lines.push(RepairLine { path: path.as_ref().to_owned(), outcome, detail: detail.into() });
    }
}
