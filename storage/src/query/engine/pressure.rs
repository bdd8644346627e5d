//! Stands between questions and the limit of this process's memory.
//!
//! What a question that is not SQL takes is not known before it runs. So what the process has taken is looked at again and again: when
//! that comes near the limit no further question begins, answers that were kept are let go, and questions end, the latest first. Owns when
//! that is. Receiving and merging have bounds of their own, and are left alone.

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
}

#[derive(Debug, Default)]
struct Running {
    /// The latest last.
    questions: Vec<(Weight, Weak<Control>)>,
    /// The one that was ended last, and when.
    ended: Option<(Weak<Control>, Instant)>,
}

/// How often it is looked at.
pub(super) const TICK: Duration = Duration::from_millis(20);
/// How long what one question held may take to be free.
const AFTER_END: Duration = Duration::from_millis(200);
/// Thousandths of the limit above which no question begins that may read everything, above which questions end one by one, and above
/// which they all end at once.
const FULL: u64 = 600;
const TIGHT: u64 = 700;
const DANGER: u64 = 800;

// === impl Pressure ===

impl Pressure {
    pub(super) fn new(limit: Option<u64>, taken: fn() -> Option<u64>, shown: Gauge) -> Self {
        Self { limit, taken, shown, running: Mutex::default() }
    }

    /// Waits until there is room for one more question.
    pub(super) async fn enter(&self, allowed: Duration) -> Result<(), QueryError> {
        let until = Instant::now() + allowed;
        while self.thousandths().is_some_and(|part| part >= FULL) {
            if Instant::now() >= until {
                return Err(QueryError::Crowded);
            }
            tokio::time::sleep(TICK).await;
        }
        Ok(())
    }

    /// A question runs.
    pub(super) fn begins(&self, weight: Weight, control: &Arc<Control>) {
        let mut running = self.running.lock();
        running.questions.retain(|(_, control)| control.strong_count() > 0);
        running.questions.push((weight, Arc::downgrade(control)));
    }

    /// Looks at what is taken, and ends questions when it is too much. Whether there is too little left to keep answers.
    pub(super) fn look(&self) -> bool {
        let Some(part) = self.thousandths() else { return false };
        if part >= DANGER {
            while self.end_one() {}
        } else if part >= TIGHT && !self.waits() {
            self.end_one();
        }
        part >= FULL
    }

    /// Whether what was ended last may still hold memory.
    fn waits(&self) -> bool {
        let running = self.running.lock();
        running.ended.as_ref().is_some_and(|(control, at)| control.strong_count() > 0 && at.elapsed() < AFTER_END)
    }

    /// Ends the latest question of those that may read everything, or else of the others; false when there is none.
    fn end_one(&self) -> bool {
        let mut running = self.running.lock();
        running.questions.retain(|(_, control)| control.strong_count() > 0);
        let heavy = running.questions.iter().rposition(|(weight, _)| *weight == Weight::Heavy);
        let Some(at) = heavy.or_else(|| running.questions.len().checked_sub(1)) else { return false };
        let (_, control) = running.questions.remove(at);
        control.upgrade().into_iter().for_each(|control| control.end_for_memory());
        running.ended = Some((control, Instant::now()));
        true
    }

    /// How much of the limit is taken.
    fn thousandths(&self) -> Option<u64> {
        let taken = (self.taken)()?;
        self.shown.set(taken);
        Some(taken.saturating_mul(1_000) / self.limit?.max(1))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::metrics::Registry;

    static TAKEN: AtomicU64 = AtomicU64::new(0);

    fn question(pressure: &Pressure, weight: Weight) -> Arc<Control> {
        let control = Arc::new(Control::new(Duration::from_secs(60)));
        pressure.begins(weight, &control);
        control
    }

    #[tokio::test]
    async fn questions_end_the_latest_first_and_none_begins_until_there_is_room() {
        let gauge = Registry::default().gauge("taken", "", &[]);
        let pressure = Pressure::new(Some(1_000), || Some(TAKEN.load(Ordering::Relaxed)), gauge);
        TAKEN.store(500, Ordering::Relaxed);
        let [first, second] = [Weight::Heavy, Weight::Heavy].map(|weight| question(&pressure, weight));
        let light = question(&pressure, Weight::Light);
        assert!(!pressure.look());
        pressure.enter(Duration::ZERO).await.unwrap();

        TAKEN.store(750, Ordering::Relaxed);
        assert!(matches!(pressure.enter(TICK).await, Err(QueryError::Crowded)));
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
        TAKEN.store(100, Ordering::Relaxed);
        pressure.enter(Duration::ZERO).await.unwrap();
    }
}
