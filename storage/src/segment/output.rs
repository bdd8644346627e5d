//! Cuts a run of sorted rows into segments and puts them into place together.

use arrow::array::RecordBatch;
use ulid::Ulid;

use crate::attributes::Layout;
use crate::files::Place;
use crate::store::Signal;

use super::order::{SortColumns, bucket};
use super::origin::{Origin, Part};
use super::writer::{Writer, Written};
use super::{SegmentError, SegmentMeta};

/// Where a sort or a merge sends its rows.
#[derive(Debug)]
pub(crate) struct Output<'a> {
    tmp_dir: &'a Place,
    seg_dir: &'a Place,
    signal: Signal,
    level: u8,
    origin: Origin,
    group: Ulid,
    limits: Limits,
    layout: Layout,
    arrival_ms: Option<u64>,
    text_later: bool,
    current: Option<(Writer, u64)>,
    written: Vec<Written>,
}

/// When a segment is full.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// No more rows than these.
    pub(crate) rows: usize,
    /// No more Parquet bytes than these, about.
    pub(crate) bytes: usize,
    /// Cut between UTC days once there are this many rows. Fewer rows stay together, so that stray times do not make a file each.
    pub(crate) rows_for_day_cut: usize,
    /// Fewer rows than these get no columns of promoted attributes: each column costs some hundred bytes, and small segments are encoded anew
    /// when they are stacked.
    pub(crate) rows_for_columns: u64,
}

const BUCKETS_PER_DAY: u64 = 144;

impl Default for Limits {
    fn default() -> Self {
        Self { rows: 4_000_000, bytes: 512 << 20, rows_for_day_cut: 65_536, rows_for_columns: 16_384 }
    }
}

// === impl Output ===

impl<'a> Output<'a> {
    pub(crate) fn new(tmp_dir: &'a Place, seg_dir: &'a Place, signal: Signal, level: u8) -> Self {
        Self {
            tmp_dir,
            seg_dir,
            signal,
            level,
            origin: Origin::default(),
            group: seg_dir.fresh_id(),
            limits: Limits::default(),
            layout: Layout::default(),
            arrival_ms: None,
            text_later: false,
            current: None,
            written: Vec::new(),
        }
    }

    /// Says what the rows to come take the place of; without the manifest nothing else does.
    pub(crate) fn with_origin(self, origin: Origin) -> Self {
        Self { origin, ..self }
    }

    /// Leaves the text of logs to [`super::rebuild_index`].
    pub(crate) fn with_text_later(self) -> Self {
        Self { text_later: true, ..self }
    }

    /// Cuts at other limits than the default ones.
    pub(crate) fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Writes segments of a layout; without this all attributes stay in maps.
    pub(crate) fn with_layout(self, layout: Layout) -> Self {
        Self { layout, ..self }
    }

    /// Names the results as if they were created at `arrival_ms`, so that merged rows keep their place in the order of arrival.
    pub(crate) fn with_arrival(self, arrival_ms: u64) -> Self {
        Self { arrival_ms: Some(arrival_ms), ..self }
    }

    /// Adds the next rows in segment order.
    pub(crate) fn push(&mut self, batch: &RecordBatch) -> Result<(), SegmentError> {
        let columns = SortColumns::of(self.signal, batch)
            .ok_or_else(|| SegmentError::damaged(Ulid::nil(), "rows to be written lack a column of their table"))?;
        let day = |row: usize| bucket(columns.times().value(row)) / BUCKETS_PER_DAY;
        let mut start = 0;
        while start < batch.num_rows() {
            let today = day(start);
            let end = start + partition_point(batch.num_rows() - start, |row| day(start + row) == today);
            self.push_day(&batch.slice(start, end - start), today)?;
            start = end;
        }
        Ok(())
    }

    fn push_day(&mut self, rows: &RecordBatch, day: u64) -> Result<(), SegmentError> {
        let mut rows = rows.clone();
        while rows.num_rows() > 0 {
            let limits = self.limits;
            if self.current.as_ref().is_some_and(|(writer, last_day)| {
                writer.rows() >= limits.rows
                    || writer.bytes() >= limits.bytes
                    || (*last_day != day && writer.rows() > limits.rows_for_day_cut)
            }) {
                self.cut(false)?;
            }
            let mut current = match self.current.take() {
                Some((writer, _)) => writer,
                None => self.begin()?,
            };
            let fits = rows.num_rows().min(limits.rows - current.rows());
            current.push(&rows.slice(0, fits))?;
            self.current = Some((current, day));
            rows = rows.slice(fits, rows.num_rows() - fits);
        }
        Ok(())
    }

    /// Bytes of memory that encoded rows wait in, about.
    pub(crate) fn memory(&self) -> usize {
        self.current.as_ref().map_or(0, |(writer, _)| writer.memory())
    }

    fn begin(&mut self) -> Result<Writer, SegmentError> {
        let writer = Writer::create(self.tmp_dir, self.next_id(), self.signal, self.level, self.layout.clone())?;
        Ok(if self.text_later { writer.with_text_later() } else { writer })
    }

    /// Syncs what was written and gives it its lasting names. Nothing is visible in `seg_dir` before.
    pub(crate) fn finish(mut self) -> Result<Vec<SegmentMeta>, SegmentError> {
        // Something was pushed after the cut before, if there was one.
        self.cut(true)?;
        let mut metas: Vec<SegmentMeta> = Vec::with_capacity(self.written.len());
        for written in self.written {
            let id = written.meta.id;
            match written.rename(self.seg_dir) {
                Ok(meta) => metas.push(meta),
                Err(error) => {
                    take_back(self.seg_dir, metas.iter().map(|meta| meta.id).chain([id]));
                    return Err(SegmentError::io(id, format!("cannot rename its files: {error}")));
                }
            }
        }
        if let Some(meta) = metas.first()
            && let Err(error) = self.seg_dir.sync_folder()
        {
            take_back(self.seg_dir, metas.iter().map(|meta| meta.id));
            return Err(SegmentError::io(meta.id, format!("cannot sync the folder {}: {error}", self.seg_dir.display())));
        }
        Ok(metas)
    }

    fn cut(&mut self, last: bool) -> Result<(), SegmentError> {
        if let Some((writer, _)) = self.current.take() {
            let part = Part { group: self.group, number: self.written.len() + 1, last };
            self.written.push(writer.finish(&self.origin, part)?);
        }
        Ok(())
    }

    fn next_id(&self) -> Ulid {
        let fresh = self.seg_dir.fresh_id();
        match self.arrival_ms {
            Some(arrival_ms) => Ulid::from_parts(arrival_ms, fresh.random()),
            None => fresh,
        }
    }
}

/// Removes what got its lasting name in vain, as far as it can: a start removes the rest.
pub(crate) fn take_back(seg_dir: &Place, ids: impl IntoIterator<Item = Ulid>) {
    for id in ids {
        ["idx", "parquet"].iter().for_each(|extension| drop(seg_dir.join(format!("{id}.{extension}")).remove()));
    }
}

/// How many of the numbers below `len` satisfy `holds`, which is true for a first part of them and false for the rest.
fn partition_point(len: usize, holds: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, len);
    while low < high {
        let middle = low.midpoint(high);
        if holds(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}
