//! One run: a store, its disk, its clock and the model, driven by dice.

use std::sync::Arc;

use crate::clock::Clock;
use crate::config::Config;
use crate::error::OpenError;
use crate::files::{Mounted, Place, Plan, Simulated};
use crate::metrics::Registry;
use crate::model::UnixNanos;
use crate::segment::fixture::Dice;
use crate::store::Store;
use crate::store::open::{Hands, prepare};
use crate::wal::Refusal;

use super::keeping;
use super::model::Model;
use super::saving::Saved;
use super::tally::Tally;

/// Everything of one run.
pub(super) struct World {
    pub(super) disk: Arc<Simulated>,
    pub(super) root: Place,
    pub(super) dice: Dice,
    pub(super) model: Model,
    pub(super) tally: Tally,
    /// What happened, in order.
    pub(super) history: Vec<String>,
    pub(super) clock: Clock,
    pub(super) config: Config,
    pub(super) log_file_bytes: u64,
    pub(super) open: Option<(Store, Hands)>,
    /// Requests whose senders heard nothing certain from this process, or nothing at all.
    pub(super) unanswered: Vec<u64>,
    /// The same of the processes before: their senders send again.
    pub(super) again: Vec<u64>,
    pub(super) saved: Saved,
}

const START: UnixNanos = UnixNanos::new(1_700_000_000_000_000_000);
const MINUTE: u64 = 60_000_000_000;

// === impl World ===

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5eed);
        let disk = Simulated::new(dice.roll());
        let root = Place::on(Arc::new(Mounted(disk.clone())), "/srv/data");
        let config = keeping::config(&mut dice);
        let log_file_bytes = [2_000, 6_000, 40_000][pick(&mut dice, 3)];
        let saved = Saved::new(dice.roll());
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
            saved,
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
        self.finish();
        self.verify(false).await;
        self.nothing_overstays();
        self.restore_backups().await;
        self.finish();
        if self.dice.below(2) == 0 {
            // So that the last file of the log ends with requests that nothing but themselves tells of.
            self.send().await;
            self.finish();
        }
        if self.dice.below(3) == 0 {
            self.stop();
        }
        self.check_folder();
        if self.dice.below(2) == 0 {
            self.damage().await;
        }
    }

    /// Whether the store takes nothing more until a restart.
    pub(super) fn has_failed(&self) -> bool {
        let (store, _) = self.open.as_ref().unwrap();
        matches!(store.inner.wal.refusal(), Some(Refusal::Failed(_))) || store.inner.keeper.has_failed()
    }

    async fn step(&mut self) {
        match self.dice.below(104) {
            what @ 0..86 => self.work(what).await,
            86..91 => self.verify(false).await,
            91..100 => self.restart().await,
            _ => self.back_up().await,
        }
    }

    /// What goes on while the store runs; `what` is below 86.
    pub(super) async fn work(&mut self, what: u64) {
        match what {
            0..37 => self.send().await,
            37..42 => self.send_again().await,
            42..56 => self.flush(),
            56..70 => self.merge(),
            70..77 => self.wait(),
            77..83 => self.delete().await,
            _ => self.rotate(),
        }
    }

    /// All work that is left: indexes that a crash left without their place in the list, deletes, merges.
    pub(super) fn finish(&mut self) {
        let (store, hands) = self.open.as_mut().unwrap();
        // A delete that could not write memory waits for that.
        if store.deletions().iter().any(|deletion| deletion.done.is_none()) {
            let _ = store.inner.flush();
        }
        let mut rounds = 0;
        while hands.merger.run() == Some(true) || hands.log.step() {
            rounds += 1;
            if rounds == 1_000 {
                panic!("{}", self.failure("the work never ends"));
            }
        }
    }

    pub(super) fn flush(&mut self) {
        let (store, _) = self.open.as_ref().unwrap();
        let flushed = store.inner.flush();
        self.tally.count("flushes", u64::from(flushed.is_ok()));
        self.history.push(format!("flush: {}", flushed.is_ok()));
    }

    fn merge(&mut self) {
        let (store, hands) = self.open.as_mut().unwrap();
        let (before, indexed) = (store.inner.meters.compactions.get(), store.inner.meters.reindexed.get());
        let mut done = hands.merger.run();
        while done == Some(true) && self.dice.below(3) > 0 {
            done = hands.merger.run();
        }
        let merges = store.inner.meters.compactions.get() - before;
        self.tally.count("merges", merges);
        self.tally.count("indexes made again", store.inner.meters.reindexed.get() - indexed);
        self.history.push(format!("merge: {done:?}"));
    }

    fn wait(&mut self) {
        let time = [MINUTE, 12 * MINUTE, 12 * MINUTE, 30 * MINUTE, 30 * MINUTE, 26 * 60 * MINUTE][pick(&mut self.dice, 6)];
        self.clock.set(self.clock.now().plus(time));
        self.history.push("wait".to_owned());
        // A sender gives up within minutes.
        self.unanswered.clear();
        self.again.clear();
    }

    /// Ends the process, sometimes the machine, and starts again, sometimes to the same end.
    async fn restart(&mut self) {
        if self.dice.below(4) == 0 && !self.disk.has_stopped() && !self.has_failed() {
            self.stop();
        }
        self.end();
        if self.dice.below(8) == 0 {
            self.lose_the_list();
        }
        self.start().await;
    }

    pub(super) async fn restart_quietly(&mut self) {
        self.end();
        let opened = self.try_open();
        assert!(opened.is_ok(), "{}", self.failure(&format!("the store cannot be opened: {opened:?}")));
        self.verify(true).await;
    }

    /// Stops the store in good order, as far as its disk lets it.
    fn stop(&mut self) {
        let (store, hands) = self.open.as_mut().unwrap();
        while hands.log.step() {}
        let stopped = store.inner.end().is_ok() && store.inner.keeper.has_log_ended();
        store.inner.keeper.remove_files();
        self.tally.count("stops", u64::from(stopped));
        self.history.push(format!("stopped: {stopped}"));
    }

    /// Ends the process as it is.
    pub(super) fn end(&mut self) {
        self.disk.stop();
        self.open = None;
        self.again.append(&mut self.unanswered);
        if self.dice.below(2) == 0 {
            self.history.push("power failure".to_owned());
            self.tally.count("power failures", 1);
            self.disk.power_failure();
        } else {
            self.history.push("killed".to_owned());
            self.tally.count("kills", 1);
            self.disk.kill();
        }
    }

    async fn start(&mut self) {
        for attempt in 0.. {
            let plan = if attempt < 3 { self.draw_plan(self.disk.operations()) } else { Plan::default() };
            let planned = plan.stop_at.is_some() || !plan.broken.is_empty() || !plan.full.is_empty();
            self.history.push(format!("start at operation {} with {plan:?}", self.disk.operations()));
            self.disk.plan(plan);
            match self.try_open() {
                Ok(()) if !self.disk.has_stopped() => break,
                Ok(()) => {}
                Err(error) => {
                    assert!(planned, "{}", self.failure(&format!("the store cannot be opened: {error}")));
                    self.history.push(format!("not opened: {error}"));
                    self.tally.count("failed starts", 1);
                }
            }
            self.end();
        }
        self.verify(true).await;
    }

    /// Sends to a whole disk and ends, then starts from there as often as a start has operations: each time another one fails, the machine
    /// stops, and the next start must have everything. How many failed.
    pub(super) async fn start_with_each_operation_failing(&mut self) -> u64 {
        self.restart_quietly().await;
        for _ in 0..12 {
            self.send().await;
        }
        self.end();
        let (image, again) = (self.disk.image(), self.again.clone());
        for failing in 0.. {
            self.disk.restore(&image);
            self.again.clone_from(&again);
            let broken = self.disk.operations() + 1 + failing;
            self.history.push(format!("start in which operation {broken} fails"));
            self.disk.plan(Plan { broken: vec![broken], ..Plan::default() });
            let opened = self.try_open();
            let has_failed = self.disk.operations() >= broken;
            self.history.push(format!("opened: {}", opened.is_ok()));
            self.end();
            self.restart_quietly().await;
            if !has_failed {
                return failing;
            }
        }
        0
    }

    /// What is to go wrong after so many operations.
    pub(super) fn draw_plan(&mut self, now: u64) -> Plan {
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

    /// What to say when the run fails.
    pub(super) fn failure(&self, what: &str) -> String {
        format!("{what}\nwhat happened:\n  {}", self.history.join("\n  "))
    }
}

/// One of `sides` numbers from 0.
pub(super) fn pick(dice: &mut Dice, sides: usize) -> usize {
    usize::try_from(dice.below(sides as u64)).unwrap()
}
