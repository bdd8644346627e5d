//! Stands between questions and the limit of this process's memory.
//!
//! What a question that is not SQL takes is not known before it runs. So it begins only where as much is free as such questions usually take, it
//! and those that run already, and what the process has taken is looked at again and again, the nearer to the limit the more often: when there is
//! little left answers that were kept are let go, and questions end, the latest first. Owns when that is. Receiving and merging have bounds of
//! their own, and are left alone.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::super::question::QueryError;
use super::super::scan::Control;
use super::Weight;
use crate::metrics::Gauge;

/// Knows how much there is left.
#[derive(Debug)]
pub(super) struct Pressure {
    /// Bytes that this process may take.
    limit: Option<u64>,
    /// Bytes that it has taken; `None` when the system does not say.
    taken: fn() -> Option<u64>,
    shown: Gauge,
    running: Mutex<Running>,
    /// Held by the first of those who wait for room; the others stand in line behind it.
    first: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Running {
    /// The latest last.
    questions: Vec<(Weight, Weak<Control>)>,
    /// The one that was ended last, and when.
    ended: Option<(Weak<Control>, Instant)>,
}

/// How often it is looked at near the limit, and far from it or without one.
const TICK: Duration = Duration::from_millis(20);
const MAX_PAUSE: Duration = Duration::from_secs(1);
/// Bytes per second that a process can take at most, about: two cores that write to fresh pages.
const MAX_SPEED: u64 = 4 << 30;
/// Bytes that a question may take which reads everything, beside others.
const WORKING_SET: u64 = 96 << 20;
/// Bytes that receiving, merging and other questions may take meanwhile, about: what a statement takes that no pool counts is known only
/// together with theirs.
const BESIDE: u64 = 768 << 20;
/// How long what one question held may take to be free.
const AFTER_END: Duration = Duration::from_millis(200);
/// Thousandths of the limit above which nothing is read ahead, above which no question begins that may read everything, above which questions end one by one, and above
/// which they all end at once.
const SPARE: u64 = 500;
const FULL: u64 = 600;
const TIGHT: u64 = 700;
const DANGER: u64 = 800;

/// Questions that may read everything for which there is room at once, when everything else takes so many bytes.
pub(crate) fn questions_within(limit: u64, others: u64) -> usize {
    usize::try_from((limit / 1_000 * DANGER).saturating_sub(others) / WORKING_SET).unwrap_or(usize::MAX)
}

// === impl Pressure ===

impl Pressure {
    pub(super) fn new(limit: Option<u64>, taken: fn() -> Option<u64>, shown: Gauge) -> Self {
        Self { limit, taken, shown, running: Mutex::default(), first: tokio::sync::Mutex::default() }
    }

    /// Begins a question that may read everything as soon as there is room for it.
    pub(super) async fn enter(&self, patience: Duration, allowed: Duration) -> Result<Arc<Control>, QueryError> {
        let turn = async {
            let _first = self.first.lock().await;
            while !self.has_room() {
                tokio::time::sleep(TICK).await;
            }
            self.begin(Weight::Heavy, allowed)
        };
        tokio::time::timeout(patience, turn).await.map_err(|_| QueryError::Crowded)
    }

    /// Begins a question.
    pub(super) fn begin(&self, weight: Weight, allowed: Duration) -> Arc<Control> {
        let control = Arc::new(Control::new(allowed));
        self.running.lock().of().push((weight, Arc::downgrade(&control)));
        control
    }

    /// Whether one more question has room that may read everything. One alone may begin as long as none would have to end.
    fn has_room(&self) -> bool {
        let Some(limit) = self.limit else { return true };
        let running = self.running.lock().of().iter().filter(|(weight, _)| *weight == Weight::Heavy).count() as u64;
        let wanted = if running == 0 { 0 } else { WORKING_SET.saturating_mul(running + 1) };
        // So much cannot be gone since it was looked at last.
        if self.left(limit) >= MAX_SPEED.saturating_add(wanted) {
            return true;
        }
        let Some(taken) = self.taken() else { return true };
        thousandths(taken, limit) < FULL && taken.saturating_add(wanted) < limit / 1_000 * DANGER
    }

    /// Whether there is memory that nothing else is likely to need.
    pub(super) fn has_spare(&self) -> bool {
        let (Some(taken), Some(limit)) = (self.taken(), self.limit) else { return true };
        thousandths(taken, limit) < SPARE
    }

    /// Bytes that may be taken until there is little left, as it was looked at last.
    fn left(&self, limit: u64) -> u64 {
        (limit / 1_000 * FULL).saturating_sub(u64::try_from(self.shown.get()).unwrap_or_default())
    }

    /// How long it need not be looked at: as long as it takes at least until there is little left.
    pub(super) fn pause(&self) -> Duration {
        let Some(limit) = self.limit else { return MAX_PAUSE };
        Duration::from_millis(self.left(limit) / (MAX_SPEED / 1_000)).clamp(TICK, MAX_PAUSE)
    }

    /// Looks at what is taken, and ends questions when it is too much. Whether there is too little left to keep answers.
    pub(super) fn look(&self) -> bool {
        let (Some(taken), Some(limit)) = (self.taken(), self.limit) else { return false };
        let part = thousandths(taken, limit);
        if part >= DANGER {
            while self.end_one() {}
        } else if part >= TIGHT && !self.waits() {
            self.end_one();
        }
        part >= FULL
    }

    /// Waits until this process has taken so many bytes more than now, and what others may take beside.
    pub(super) async fn outgrown(&self, bytes: u64) {
        let most = (self.taken)().map(|now| now.saturating_add(bytes).saturating_add(BESIDE));
        loop {
            let left = most.map_or(u64::MAX, |most| most.saturating_sub((self.taken)().unwrap_or_default()));
            if left == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(left / (MAX_SPEED / 1_000)).clamp(TICK, MAX_PAUSE)).await;
        }
    }

    /// Whether what was ended last may still hold memory.
    fn waits(&self) -> bool {
        let running = self.running.lock();
        running.ended.as_ref().is_some_and(|(control, at)| control.strong_count() > 0 && at.elapsed() < AFTER_END)
    }

    /// Ends the latest question of those that may read everything, or else of the others; false when there is none.
    fn end_one(&self) -> bool {
        let mut running = self.running.lock();
        let questions = running.of();
        let heavy = questions.iter().rposition(|(weight, _)| *weight == Weight::Heavy);
        let Some(at) = heavy.or_else(|| questions.len().checked_sub(1)) else { return false };
        let (_, control) = questions.remove(at);
        control.upgrade().into_iter().for_each(|control| control.end_for_memory());
        running.ended = Some((control, Instant::now()));
        true
    }

    fn taken(&self) -> Option<u64> {
        let taken = (self.taken)()?;
        self.shown.set(taken);
        Some(taken)
    }
}

/// How much of the limit is taken.
fn thousandths(taken: u64, limit: u64) -> u64 {
    taken.saturating_mul(1_000) / limit.max(1)
}

impl Running {
    /// Those that still run.
    fn of(&mut self) -> &mut Vec<(Weight, Weak<Control>)> {
        self.questions.retain(|(_, control)| control.strong_count() > 0);
        &mut self.questions
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::metrics::Registry;

    static TAKEN: AtomicU64 = AtomicU64::new(0);

    fn question(pressure: &Pressure, weight: Weight) -> Arc<Control> {
        pressure.begin(weight, Duration::from_secs(60))
    }

    #[tokio::test]
    async fn questions_end_the_latest_first_and_none_begins_until_there_is_room() {
        let gauge = Registry::default().gauge("taken", "", &[]);
        let pressure = Pressure::new(Some(1_000), || Some(TAKEN.load(Ordering::Relaxed)), gauge);
        let enter = |patience| pressure.enter(patience, Duration::from_secs(60));
        TAKEN.store(500, Ordering::Relaxed);
        drop(enter(TICK).await.unwrap());
        let [first, second] = [Weight::Heavy, Weight::Heavy].map(|weight| question(&pressure, weight));
        let light = question(&pressure, Weight::Light);
        assert!(!pressure.look());

        TAKEN.store(750, Ordering::Relaxed);
        assert!(matches!(enter(2 * TICK).await, Err(QueryError::Crowded)));
        assert!(pressure.look());
        assert!(matches!(second.check(), Err(QueryError::Crowded)));
        // It gets a moment to give back what it has.
        assert!(pressure.look());
        assert!(first.check().is_ok());
        drop(second);
        pressure.look();
        assert!(first.check().is_err() && light.check().is_ok());

        TAKEN.store(900, Ordering::Relaxed);
        pressure.look();
        assert!(light.check().is_err());
        drop(first);
        TAKEN.store(100, Ordering::Relaxed);
        enter(TICK).await.unwrap();
    }

    #[tokio::test]
    async fn as_many_begin_as_there_is_room_for_and_the_others_follow() {
        let gauge = Registry::default().gauge("taken", "", &[]);
        let pressure = Pressure::new(Some(512 << 20), || Some(150 << 20), gauge);
        let enter = || pressure.enter(2 * TICK, Duration::from_secs(60));
        let (first, second) = (enter().await.unwrap(), enter().await.unwrap());
        assert!(matches!(enter().await, Err(QueryError::Crowded)), "300 MiB for three are too much");
        let (third, ()) = tokio::join!(pressure.enter(Duration::from_secs(60), Duration::from_secs(60)), async {
            tokio::time::sleep(TICK).await;
            drop(first);
        });
        drop((second, third.unwrap()));
        let without_limit = Pressure::new(None, || Some(u64::MAX), Registry::default().gauge("taken", "", &[]));
        let all: Vec<_> = (0..100).map(|_| without_limit.begin(Weight::Heavy, Duration::ZERO)).collect();
        without_limit.enter(TICK, Duration::ZERO).await.unwrap();
        drop(all);
    }

    #[tokio::test]
    async fn a_statement_ends_when_the_process_has_grown_by_more_than_it_may() {
        static GROWN: AtomicU64 = AtomicU64::new(1 << 30);
        let gauge = Registry::default().gauge("taken", "", &[]);
        let pressure = Pressure::new(None, || Some(GROWN.load(Ordering::Relaxed)), gauge);
        let mut outgrown = std::pin::pin!(pressure.outgrown(100 << 20));
        assert!(tokio::time::timeout(3 * TICK, &mut outgrown).await.is_err());
        GROWN.fetch_add(BESIDE, Ordering::Relaxed);
        assert!(tokio::time::timeout(3 * MAX_PAUSE, &mut outgrown).await.is_err(), "others took that");
        GROWN.fetch_add(100 << 20, Ordering::Relaxed);
        tokio::time::timeout(Duration::from_secs(60), outgrown).await.unwrap();
    }

    #[test]
    fn what_is_far_from_the_limit_is_looked_at_seldom() {
        let gauge = || Registry::default().gauge("taken", "", &[]);
        let pause = |limit, taken: fn() -> Option<u64>| {
            let pressure = Pressure::new(limit, taken, gauge());
            pressure.look();
            pressure.pause()
        };
        assert_eq!(pause(None, || Some(1 << 30)), MAX_PAUSE);
        assert_eq!(pause(Some(512 << 20), || Some(290 << 20)), TICK);
        assert!(pause(Some(24 << 30), || Some(1 << 30)) > 20 * TICK);
    }
}
