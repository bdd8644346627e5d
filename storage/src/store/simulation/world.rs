//! One run: a store, its disk, its clock and the model, driven by dice.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;

use crate::clock::Clock;
use crate::config::Config;
use crate::error::{AppendError, OpenError};
use crate::files::{Mounted, Place, Plan, Simulated};
use crate::metrics::Registry;
use crate::model::{TimeRange, TraceId, UnixNanos};
use crate::query::{LogOrder, LogSearch};
use crate::retention::Retention;
use crate::rows;
use crate::schema;
use crate::segment::fixture::Dice;
use crate::snapshot::Snapshot;
use crate::store::open::{Hands, prepare};
use crate::store::{Appended, Signal, Store};
use crate::wal::Refusal;

use super::model::{Fate, Found, Model, log_number, word};

/// Everything of one run.
pub(super) struct World {
    pub(super) disk: Arc<Simulated>,
    pub(super) root: Place,
    pub(super) dice: Dice,
    pub(super) model: Model,
    pub(super) tally: Tally,
    /// What happened, in order.
    pub(super) history: Vec<String>,
    clock: Clock,
    config: Config,
    log_file_bytes: u64,
    open: Option<(Store, Hands)>,
    /// Requests whose senders heard nothing certain from this process.
    unanswered: Vec<u64>,
    /// The same of the process before: its senders send again.
    again: Vec<u64>,
}

/// How much of everything happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) acknowledged: u64,
    pub(super) unknown: u64,
    pub(super) refused: u64,
    pub(super) flushes: u64,
    pub(super) merges: u64,
    pub(super) kills: u64,
    pub(super) power_failures: u64,
    pub(super) failed_opens: u64,
    pub(super) damages: u64,
    pub(super) reported: u64,
}

const START: UnixNanos = UnixNanos::new(1_700_000_000_000_000_000);
const MINUTE: u64 = 60_000_000_000;
const RETENTION: Duration = Duration::from_secs(40 * 60);

// === impl Tally ===

impl Tally {
    pub(super) fn add(&mut self, other: &Self) {
        self.acknowledged += other.acknowledged;
        self.unknown += other.unknown;
        self.refused += other.refused;
        self.flushes += other.flushes;
        self.merges += other.merges;
        self.kills += other.kills;
        self.power_failures += other.power_failures;
        self.failed_opens += other.failed_opens;
        self.damages += other.damages;
        self.reported += other.reported;
    }

    /// Whether each of them happened now and then.
    pub(super) fn saw_everything(&self) -> bool {
        let least = [self.unknown, self.refused, self.flushes, self.merges, self.kills, self.power_failures, self.failed_opens];
        self.acknowledged > 1_000 && self.damages > 50 && self.reported > 20 && least.iter().all(|count| *count > 50)
    }
}

// === impl World ===

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5eed);
        let disk = Simulated::new(dice.roll());
        let root = Place::on(Arc::new(Mounted(disk.clone())), "/srv/data");
        let config = Config {
            buffer_bytes: [40_000, 1 << 20][pick(&mut dice, 2)],
            min_free_bytes: 0,
            retention: [Retention::default(), Retention { traces: Some(RETENTION), logs: Some(RETENTION), rules: Vec::new() }]
                [pick(&mut dice, 2)]
            .clone(),
            ..Config::new("/srv/data".into())
        };
        let log_file_bytes = [2_000, 6_000, 40_000][pick(&mut dice, 3)];
        Self {
            disk,
            root,
            dice,
            model: Model::default(),
            tally: Tally::default(),
            history: Vec::new(),
            clock: Clock::held_at(START),
            config,
            log_file_bytes,
            open: None,
            unanswered: Vec::new(),
            again: Vec::new(),
        }
    }

    /// The whole run.
    pub(super) async fn live(&mut self) {
        self.start().await;
        for _ in 0..6 + self.dice.below(14) {
            self.step().await;
            if self.disk.has_stopped() || self.has_failed() {
                self.restart().await;
            }
        }
        self.disk.plan(Plan::default());
        self.restart_quietly().await;
        let (_, hands) = self.open.as_mut().unwrap();
        // Indexes that a crash left without their place in the list are made again.
        while hands.merger.run() == Some(true) {}
        self.verify(false).await;
        self.check_folder();
        if self.dice.below(2) == 0 {
            self.damage().await;
        }
    }

    /// Whether the store takes nothing more until a restart.
    fn has_failed(&self) -> bool {
        let (store, _) = self.open.as_ref().unwrap();
        matches!(store.inner.wal.refusal(), Some(Refusal::Failed(_))) || store.inner.keeper.has_failed()
    }

    async fn step(&mut self) {
        match self.dice.below(100) {
            0..48 => self.send().await,
            48..64 => self.flush(),
            64..78 => self.merge(),
            78..84 => self.wait(),
            84..90 => self.verify(false).await,
            _ => self.restart().await,
        }
    }

    /// Sends a few requests at once; some of them again.
    async fn send(&mut self) {
        let mut firsts = Vec::new();
        for _ in 0..1 + self.dice.below(4) {
            let signal = [Signal::Traces, Signal::Logs][pick(&mut self.dice, 2)];
            let again = if self.dice.below(2) == 0 { self.again.pop() } else { None };
            let count = 1 + self.dice.below(6);
            firsts.push(again.map_or_else(|| (self.model.request(signal, count, self.clock.now()), true), |first| (first, false)));
        }
        let (store, hands) = self.open.as_mut().unwrap();
        let mut sends = Vec::new();
        for (first, _) in &firsts {
            let request = &self.model.requests[first];
            let (store, signal, payload) = (store.clone(), request.signal, request.payload());
            sends.push(tokio::spawn(async move { store.append(signal, payload).await }));
        }
        let mut rounds = 0;
        while !sends.iter().all(tokio::task::JoinHandle::is_finished) {
            for _ in 0..8 {
                tokio::task::yield_now().await;
            }
            hands.log.step();
            rounds += 1;
            assert!(rounds < 1_000, "an append hangs");
        }
        for ((first, is_new), send) in firsts.into_iter().zip(sends) {
            self.answered(first, is_new, send.await.unwrap());
        }
    }

    fn answered(&mut self, first: u64, is_new: bool, answer: Result<Appended, AppendError>) {
        self.history.push(format!("request {first}: {answer:?}"));
        let stopped = self.disk.has_stopped();
        let request = self.model.requests.get_mut(&first).unwrap();
        match answer {
            Ok(appended) => {
                assert_eq!((appended.accepted, appended.rejected), (request.count, 0));
                request.fate = Fate::Stored;
                self.tally.acknowledged += 1;
            }
            // The log says itself that nothing of it was written, or it was refused before the log.
            Err(AppendError::Unavailable { reason, .. }) if !stopped && !reason.contains("the log could not") => {
                if is_new {
                    request.fate = Fate::Absent;
                }
                self.tally.refused += 1;
            }
            Err(AppendError::Unavailable { .. }) => {
                if request.fate == Fate::Absent {
                    request.fate = Fate::Unknown;
                }
                self.unanswered.push(first);
                self.tally.unknown += 1;
            }
            Err(error) => panic!("a whole request is refused for good: {error}"),
        }
    }

    fn flush(&mut self) {
        let (store, _) = self.open.as_ref().unwrap();
        let flushed = store.inner.flush();
        self.tally.flushes += u64::from(flushed.is_ok());
        self.history.push(format!("flush: {}", flushed.is_ok()));
    }

    fn merge(&mut self) {
        let (store, hands) = self.open.as_mut().unwrap();
        let before = store.inner.meters.compactions.get();
        let mut done = hands.merger.run();
        while done == Some(true) && self.dice.below(3) > 0 {
            done = hands.merger.run();
        }
        self.tally.merges += store.inner.meters.compactions.get() - before;
        self.history.push(format!("merge: {done:?}"));
    }

    fn wait(&mut self) {
        let time = [MINUTE, 12 * MINUTE, 30 * MINUTE][pick(&mut self.dice, 3)];
        self.clock.set(self.clock.now().plus(time));
        self.history.push("wait".to_owned());
        // A sender gives up within minutes.
        self.unanswered.clear();
        self.again.clear();
    }

    /// Ends the process, sometimes the machine, and starts again, sometimes to the same end.
    async fn restart(&mut self) {
        self.end();
        self.start().await;
    }

    async fn restart_quietly(&mut self) {
        self.end();
        let opened = self.try_open();
        assert!(opened.is_ok(), "{}", self.failure(&format!("the store cannot be opened: {opened:?}")));
        self.verify(true).await;
    }

    /// Ends the process as it is.
    pub(super) fn end(&mut self) {
        self.disk.stop();
        self.open = None;
        self.again = std::mem::take(&mut self.unanswered);
        if self.dice.below(2) == 0 {
            self.history.push("power failure".to_owned());
            self.tally.power_failures += 1;
            self.disk.power_failure();
        } else {
            self.history.push("killed".to_owned());
            self.tally.kills += 1;
            self.disk.kill();
        }
    }

    async fn start(&mut self) {
        for attempt in 0.. {
            let plan = if attempt < 3 { self.draw_plan() } else { Plan::default() };
            let planned = plan.stop_at.is_some() || !plan.broken.is_empty() || !plan.full.is_empty();
            self.history.push(format!("start at operation {} with {plan:?}", self.disk.operations()));
            self.disk.plan(plan);
            match self.try_open() {
                Ok(()) if !self.disk.has_stopped() => break,
                Ok(()) => {}
                Err(error) => {
                    assert!(planned, "{}", self.failure(&format!("the store cannot be opened: {error}")));
                    self.history.push(format!("not opened: {error}"));
                    self.tally.failed_opens += 1;
                }
            }
            self.end();
        }
        self.verify(true).await;
    }

    fn draw_plan(&mut self) -> Plan {
        let now = self.disk.operations();
        let soon = |dice: &mut Dice| now + 1 + [dice.below(12), dice.below(120)][pick(dice, 2)];
        let mut plan = Plan::default();
        match self.dice.below(10) {
            0..4 => plan.stop_at = Some(soon(&mut self.dice)),
            4 => plan.broken = vec![soon(&mut self.dice)],
            5 => plan.broken = vec![soon(&mut self.dice), soon(&mut self.dice)],
            6 | 7 => {
                let from = soon(&mut self.dice);
                plan.full = from..from + 1 + self.dice.below(40);
            }
            _ => {}
        }
        plan
    }

    pub(super) fn try_open(&mut self) -> Result<(), OpenError> {
        let (config, clock) = (self.config.clone(), self.clock.clone());
        let (inner, mut hands) = prepare(&self.root, self.log_file_bytes, config, clock, Registry::default())?;
        hands.log.begin();
        self.open = Some((Store { inner: Arc::new(inner) }, hands));
        Ok(())
    }

    /// Holds the store against the model. `settle`: it has just started, so what is not there is gone.
    async fn verify(&mut self, settle: bool) {
        let found = self.found();
        assert!(found.reports.is_empty(), "{}", self.failure(&format!("not everything can be read: {:?}", found.reports)));
        let compared = self.model.compare(&found, self.kept_from(), settle);
        assert_eq!(compared, Ok(()), "{}", self.failure("the store and the model disagree"));
        self.ask(&found).await;
    }

    /// Everything that can be read now.
    pub(super) fn found(&self) -> Found {
        let (store, _) = self.open.as_ref().unwrap();
        read_all(&store.inner.snapshot.load_full())
    }

    pub(super) fn kept_from(&self) -> UnixNanos {
        match self.config.retention.logs {
            Some(time) => self.clock.now().minus(u64::try_from(time.as_nanos()).unwrap()),
            None => UnixNanos::new(0),
        }
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
            let expected = found.spans.iter().filter(|other| other.trace_id == span.trace_id).count();
            assert_eq!(trace.spans.len(), expected, "{}", self.failure("a trace by its id"));
        }
        let absent = store.trace(TraceId::from_slice(&[0xfe; 16]).unwrap()).await;
        assert!(matches!(absent, Ok(None)), "{}", self.failure("an absent trace"));
    }

    /// Nothing that a crash left over is still there, and `check` finds the folder whole.
    fn check_folder(&mut self) {
        let (store, _) = self.open.as_ref().unwrap();
        let listed = store.inner.keeper.listed().len();
        let files = self.disk.files();
        let segments = files.iter().filter(|(path, _)| path.starts_with("/srv/data/seg")).count();
        assert_eq!(segments, 2 * listed, "{}", self.failure(&format!("files of no segment: {files:?}")));
        assert!(!files.iter().any(|(path, _)| path.starts_with("/srv/data/tmp")), "{}", self.failure("temporary files"));
        self.end();
        let report = crate::check::check_place(&self.root).unwrap();
        assert!(report.is_ok(), "{}", self.failure(&format!("{report:?}")));
    }

    /// What to say when the run fails.
    pub(super) fn failure(&self, what: &str) -> String {
        format!("{what}\nwhat happened:\n  {}", self.history.join("\n  "))
    }
}

/// One of `sides` numbers from 0.
pub(super) fn pick(dice: &mut Dice, sides: usize) -> usize {
    usize::try_from(dice.below(sides as u64)).unwrap()
}

fn read_all(snapshot: &Snapshot) -> Found {
    let mut found = Found::default();
    for signal in [Signal::Traces, Signal::Logs] {
        let table = snapshot.table(signal);
        let schema = schema::of(signal);
        let columns: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        found.reports.extend(table.unreadable.iter().cloned());
        let mut batches: Vec<RecordBatch> = table.buffered.clone();
        for segment in &table.segments {
            match segment.read(&columns, None).and_then(|rows| rows.collect::<Result<Vec<_>, _>>()) {
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
