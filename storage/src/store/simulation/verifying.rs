//! Holds a store against the model, by everything that can be read and by what indexes find.

use std::sync::Arc;
use std::time::Duration;

use crate::model::{TimeRange, TraceId};
use crate::query::{Control, LogOrder, LogSearch, Older, Place};
use crate::rows;
use crate::schema;
use crate::segment::{RowRanges, without_rows};
use crate::snapshot::Snapshot;
use crate::store::Signal;

use super::keeping::Keeping;
use super::model::{Found, Look, Seen, log_number, word};
use super::world::{World, pick};

impl World {
    /// Holds the store against the model. `settle`: it has just started, so what is not there is gone.
    pub(super) async fn verify(&mut self, settle: bool) {
        let found = self.found();
        assert!(found.reports.is_empty(), "{}", self.failure(&format!("not everything can be read: {:?}", found.reports)));
        let compared = self.compare(&found, if settle { Look::Settle } else { Look::Live });
        assert!(compared.is_ok(), "{}", self.failure(&format!("the store and the model disagree: {compared:?}")));
        self.ask(&found).await;
    }

    pub(super) fn compare(&mut self, found: &Found, look: Look) -> Result<Seen, String> {
        let keeping = Keeping { config: &self.config, now: self.clock.now() };
        let seen = self.model.compare(found, &keeping, look)?;
        let by = if self.config.max_disk_bytes.is_some() { "let go for the budget" } else { "let go by age" };
        self.tally.count(by, seen.let_go);
        self.tally.count("kept by rule", seen.kept_by_rule);
        Ok(seen)
    }

    /// Everything that can be read now.
    pub(super) fn found(&self) -> Found {
        let (store, _) = self.open.as_ref().unwrap();
        read_all(&store.inner.snapshot.load_full())
    }

    /// Asks for one record by its word and for one trace by its id, through the indexes.
    async fn ask(&mut self, found: &Found) {
        let (store, _) = self.open.as_ref().unwrap();
        if let Some(log) = found.logs.get(pick(&mut self.dice, found.logs.len().max(1))) {
            let query = word(log_number(log).unwrap());
            let search = LogSearch { query: query.clone(), range: TimeRange::ALL, order: LogOrder::Newest, limit: 10, cursor: None };
            let page = store.search_logs(search).await.unwrap();
            assert_eq!(page.records, std::slice::from_ref(log), "{}", self.failure(&format!("the word {query}: {:?}", page.stats)));
        }
        if let Some(span) = found.spans.get(pick(&mut self.dice, found.spans.len().max(1))) {
            let trace = store.trace(span.trace_id).await.unwrap().unwrap();
            let mut expected: Vec<_> = found.spans.iter().filter(|other| other.trace_id == span.trace_id).cloned().collect();
            expected.sort_by_key(|span| (span.start, span.span_id));
            assert_eq!(trace.spans, expected, "{}", self.failure("a trace by its id"));
        }
        let absent = store.trace(TraceId::from_slice(&[0xfe; 16]).unwrap()).await;
        assert!(matches!(absent, Ok(None)), "{}", self.failure("an absent trace"));
    }

    /// All work is done: nothing that a crash left over is still there, deletes are, and `check` finds the folder whole.
    pub(super) fn check_folder(&mut self) {
        let (store, _) = self.open.as_ref().unwrap();
        let pending = store.deletions().iter().filter(|deletion| deletion.done.is_none()).count();
        assert_eq!(pending, 0, "{}", self.failure("deletes are not done"));
        self.tally.count("deletes done", store.deletions().len() as u64);
        let stacks = store.inner.keeper.at_one_moment(|contents| contents.segments.values().filter(|meta| meta.level == 2).count());
        self.tally.count("stacks", stacks as u64);
        let listed = store.inner.keeper.listed().len();
        let files = self.disk.files();
        let segments: Vec<u64> = files.iter().filter(|(path, _)| path.starts_with("/srv/data/seg")).map(|(_, bytes)| *bytes).collect();
        assert_eq!(segments.len(), 2 * listed, "{}", self.failure(&format!("files of no segment: {files:?}")));
        let most = Keeping { config: &self.config, now: self.clock.now() }.segment_bytes();
        let within = most.is_none_or(|most| segments.iter().sum::<u64>() <= most);
        assert!(within, "{}", self.failure(&format!("more than max_disk_bytes: {segments:?}")));
        assert!(!files.iter().any(|(path, _)| path.starts_with("/srv/data/tmp")), "{}", self.failure("temporary files"));
        self.end();
        let report = crate::check::check_place(&self.root, &mut |_| ()).unwrap();
        assert!(report.is_ok(), "{}", self.failure(&format!("{report:?}")));
    }
}

/// The rows of each of some places that came again later.
fn older(snapshot: &Snapshot, signal: Signal, places: usize, place: fn(usize) -> Place, reports: &mut Vec<String>) -> Vec<Arc<RowRanges>> {
    let control = Control::new(Duration::from_secs(600));
    let older = |at| match signal {
        Signal::Traces => snapshot.versions.of(&snapshot.spans).older(place(at), &control).unwrap(),
        Signal::Logs => Older::default(),
    };
    let (rows, notes): (Vec<_>, Vec<_>) = (0..places).map(older).unzip();
    for note in notes.into_iter().flatten() {
        if !reports.contains(&note) {
            reports.push(note);
        }
    }
    rows
}

fn read_all(snapshot: &Snapshot) -> Found {
    let mut found = Found::default();
    for signal in [Signal::Traces, Signal::Logs] {
        let table = snapshot.table(signal);
        let schema = schema::of(signal);
        let columns: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        found.reports.extend(table.unreadable.iter().cloned());
        let mut batches = Vec::new();
        for (batch, older) in table.buffered.iter().zip(older(snapshot, signal, table.buffered.len(), Place::Buffer, &mut found.reports)) {
            let rows = without_rows(&std::iter::once(0..u32::try_from(batch.num_rows()).unwrap()).collect(), &older);
            batches.extend(rows.into_iter().map(|rows| batch.slice(rows.start as usize, rows.len())));
        }
        let of_segments = older(snapshot, signal, table.segments.len(), Place::Segment, &mut found.reports);
        for (segment, older) in table.segments.iter().zip(of_segments) {
            let rows = without_rows(&segment.every_row(), &older);
            match segment.read(&columns, Some(&rows)).and_then(|rows| rows.collect::<Result<Vec<_>, _>>()) {
                Ok(rows) => batches.extend(rows),
                Err(error) => found.reports.push(error.to_string()),
            }
        }
        for batch in &batches {
            match signal {
                Signal::Traces => found.spans.extend(rows::spans(batch, 0..batch.num_rows()).unwrap()),
                Signal::Logs => found.logs.extend(rows::logs(batch, 0..batch.num_rows()).unwrap()),
            }
        }
    }
    found
}
