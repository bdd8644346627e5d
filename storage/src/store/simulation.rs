//! The simulation: a store on a disk that crashes, tears, forgets, fills up and decays, beside a model of what was acknowledged.
//!
//! Owns the runs: one seed is one run, and the same seed is the same run. Everything that threads do otherwise is done by hand here, a
//! step at a time: the log's groups, flushes, merges. `world` is one run, `model` what must be true, `damage` what decays at rest and `losses` what that may
//! take, `saving` backups and what is made of them.

use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

mod damage;
mod deleting;
mod keeping;
mod losses;
mod model;
mod repairing;
mod saving;
mod sending;
mod tally;
mod verifying;
mod world;

use self::tally::Tally;
use self::world::World;

/// Seeds of a run of the tests.
const SEEDS: u64 = 2_500;
/// Seeds after which everything must have happened now and then.
const PROVING: u64 = 1_500;
const COUNT: &str = "THROUGHLINE_SIMULATE";
const FIRST: &str = "THROUGHLINE_SIMULATE_FIRST";

/// Says how to run a seed again when the run ends in a panic.
struct Replay(u64);

impl Drop for Replay {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let line = format!("the simulation failed; run it again with: just simulate 1 {}\n", self.0);
            let _ = std::io::stderr().write_all(line.as_bytes());
        }
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable} must be a number, not {text:?}")))
}

fn run(seed: u64) -> World {
    let _replay = Replay(seed);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut world = World::new(seed);
        world.live().await;
        world
    })
}

#[test]
fn what_was_acknowledged_survives_whatever_happens_to_the_disk() {
    let first = number(FIRST).unwrap_or(0);
    let count = number(COUNT).unwrap_or(SEEDS);
    let (next, total) = (AtomicU64::new(first), Mutex::new(Tally::default()));
    std::thread::scope(|scope| {
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        for _ in 0..threads.min(usize::try_from(count).unwrap()) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + count {
                        return;
                    }
                    let tally = run(seed).tally;
                    total.lock().add(&tally);
                }
            });
        }
    });
    let total = total.into_inner();
    let line = format!("{count} seeds from {first}: {total:?}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
    if count >= PROVING {
        assert_eq!(total.lacks(), [""; 0], "the simulation proves little: {total:?}");
    }
}

#[test]
fn a_seed_is_always_the_same_run() {
    for seed in [3, 14, 15] {
        let (a, b) = (run(seed), run(seed));
        assert_eq!(a.history, b.history);
        assert_eq!((a.tally, a.disk.operations()), (b.tally, b.disk.operations()));
    }
}

#[test]
fn a_device_that_fails_once_in_a_start_takes_nothing_with_it() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // The second has a log that is flushed while it is read back.
    let failed: u64 = [0, 9].into_iter().map(|seed| runtime.block_on(World::new(seed).start_with_each_operation_failing())).sum();
    assert!(failed > 60, "{failed} operations failed");
}
