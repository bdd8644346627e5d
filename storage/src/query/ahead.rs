//! Reads after a start what the first questions would wait for: roll-ups of segments, into the caches that questions use.
//!
//! Owns the order and when it ends. The newest segments come first, and it ends when the caches are well filled, when memory becomes scarce, when
//! its time is over and when the store stops. It takes no place of a question and runs behind everything else.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::engine::Engine;
use super::map::{self, CallRolls, Parts};
use super::question::QueryError;
use super::rolled::Rolls;
use super::scan::Control;
use super::window;
use crate::metrics::Counter;
use crate::model::{TimeRange, UnixNanos};
use crate::segment::Segment;
use crate::snapshot::Snapshot;
use crate::store::Signal;

/// The longest that it may take: meanwhile files that are replaced stay on the disk.
const ALLOWED: Duration = Duration::from_secs(120);

/// What is filled, and what it is filled from.
struct Reading<'a> {
    snapshot: &'a Snapshot,
    rolls: &'a Rolls,
    calls: &'a CallRolls,
    control: &'a Control,
    /// Whether there is memory that nothing else is likely to need.
    has_spare: &'a dyn Fn() -> bool,
    count: &'a Counter,
}

impl Engine {
    /// Begins to read ahead in the background, the first time that it is called.
    pub(crate) fn read_ahead(&self, snapshot: Arc<Snapshot>, now: UnixNanos) {
        let help = "Segments whose sums were read after the start, before a question asked for them.";
        let count = self.counter("throughline_segments_read_ahead_total", help);
        let (rolls, calls) = (self.rolls.clone(), self.calls.clone());
        self.once_behind_all(ALLOWED, move |control, has_spare| {
            let started = Instant::now();
            let reading = Reading { snapshot: &snapshot, rolls: &rolls, calls: &calls, control, has_spare, count: &count };
            match reading.run(now) {
                Ok(()) => {
                    tracing::debug!(segments = count.get(), seconds = started.elapsed().as_secs_f64(), "sums of segments were read ahead")
                }
                Err(error) => tracing::debug!(%error, segments = count.get(), "reading sums of segments ahead ended early"),
            }
        });
    }
}

impl Reading<'_> {
    fn run(&self, now: UnixNanos) -> Result<(), QueryError> {
        let snapshot = self.snapshot;
        let sums = self.fill(&[Signal::Traces, Signal::Logs], |segment| {
            let is_read = self.rolls.read_ahead(segment);
            self.count.add(u64::from(is_read));
            Ok(is_read)
        })?;
        // What came again is compared, too, and left out.
        if let Some(range) = sums {
            window::services(snapshot, range, 0, self.rolls, self.control)?;
        }
        let calls = self.fill(&[Signal::Traces], |segment| self.calls.read_ahead(segment, self.control))?;
        if let Some(range) = calls {
            map::service_map(snapshot, (range, Parts::default()), now, self.calls, self.control)?;
        }
        Ok(())
    }

    /// Has segments read, the newest first, until one is not; since when what was read lies.
    fn fill(
        &self,
        signals: &[Signal],
        mut read: impl FnMut(&Segment) -> Result<bool, QueryError>,
    ) -> Result<Option<TimeRange>, QueryError> {
        let mut segments: Vec<&Arc<Segment>> = signals.iter().flat_map(|signal| &self.snapshot.table(*signal).segments).collect();
        segments.sort_unstable_by_key(|segment| Reverse((segment.meta().max_time, segment.meta().id)));
        let mut since = None;
        for segment in segments {
            self.control.check()?;
            if !(self.has_spare)() || !read(segment)? {
                break;
            }
            let first = segment.meta().min_time;
            since = Some(since.map_or(first, |known: UnixNanos| known.min(first)));
        }
        Ok(since.map(|from| TimeRange { from, to: UnixNanos::MAX }))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::metrics::Registry;
    use crate::model::Span;
    use crate::query::fixtures;

    const NOON: u64 = 1_700_000_000_000_000_000;

    fn snapshot(folder: &std::path::Path) -> Snapshot {
        let spans = |hour: u64| -> Vec<Span> {
            let at = |i: u64| NOON + hour * 3_600_000_000_000 + i * 1_000_000_000;
            (1..=20).map(|i| fixtures::span(hour * 100 + i, i, 0, "api", "x", at(i), 5)).collect()
        };
        fixtures::snapshot(folder, Signal::Traces, Vec::new(), (0..4).map(|hour| vec![fixtures::spans(&spans(hour))]).collect())
    }

    /// Reads ahead while `has_spare` says so; how many segments were read, and whether it ended by itself.
    fn read(snapshot: &Snapshot, (rolls, calls): (&Rolls, &CallRolls), control: &Control, has_spare: &dyn Fn() -> bool) -> (u64, bool) {
        let count = Registry::default().counter("read", "", &[]);
        let reading = Reading { snapshot, rolls, calls, control, has_spare, count: &count };
        let ended = reading.run(UnixNanos::MAX).is_ok();
        (count.get(), ended)
    }

    #[test]
    fn the_newest_segments_are_read_until_memory_is_scarce_and_answers_are_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let snapshot = snapshot(folder.path());
        let control = Control::new(Duration::from_secs(60));
        let all = |rolls: &Rolls, calls: &CallRolls| {
            let services = window::services(&snapshot, TimeRange::ALL, 0, rolls, &control).unwrap();
            (services, map::service_map(&snapshot, (TimeRange::ALL, Parts::default()), UnixNanos::MAX, calls, &control).unwrap().map.nodes)
        };
        let expected = all(&Rolls::default(), &CallRolls::default());
        for most in [0, 1, 3, 9] {
            let (rolls, calls, asked) = (Rolls::default(), CallRolls::default(), AtomicUsize::new(0));
            let (segments, ended) = read(&snapshot, (&rolls, &calls), &control, &|| asked.fetch_add(1, Ordering::Relaxed) < most);
            assert_eq!((segments, ended), (most.min(4) as u64, true));
            let newest: Vec<bool> = snapshot.spans.segments.iter().map(|segment| rolls.has(segment)).collect();
            let mut by_age: Vec<_> = snapshot.spans.segments.iter().map(|segment| segment.meta().max_time).zip(newest).collect();
            by_age.sort_unstable_by_key(|(time, _)| Reverse(*time));
            assert!(by_age.iter().enumerate().all(|(at, (_, is_read))| *is_read == (at < most)), "{most}: {by_age:?}");
            assert_eq!(rolls.memory().0 > 0, most > 0);
            assert_eq!(all(&rolls, &calls), expected);
        }
    }

    #[test]
    fn it_ends_when_it_is_told_to() {
        let folder = tempfile::tempdir().unwrap();
        let snapshot = snapshot(folder.path());
        let (rolls, calls, control) = (Rolls::default(), CallRolls::default(), Control::new(Duration::from_secs(60)));
        let asked = AtomicUsize::new(0);
        let stop_at_third = || {
            if asked.fetch_add(1, Ordering::Relaxed) == 2 {
                control.cancel();
            }
            true
        };
        assert_eq!(read(&snapshot, (&rolls, &calls), &control, &stop_at_third), (3, false));
    }
}
