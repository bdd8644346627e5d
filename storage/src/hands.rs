//! Independent parts of one piece of work on two threads, where somebody waits for it and a core may be idle: while a lot is written, senders
//! wait for its room; while the log is read back, everybody.
//!
//! Owns the threads. They touch no files, so that what happens on the disk has one order.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

/// Does the parts `0..count` on this thread and another, whichever is free; the results in their order.
///
/// # Errors
/// The first failure by number.
pub(crate) fn share<T: Send, E: Send>(count: usize, part: impl Fn(usize) -> Result<T, E> + Sync) -> Result<Vec<T>, E> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= count {
                return done;
            }
            done.push((at, part(at)));
        }
    };
    let mut done = thread::scope(|scope| {
        let other = scope.spawn(work);
        let mut done = work();
        match other.join() {
            Ok(more) => done.extend(more),
            Err(panic) => std::panic::resume_unwind(panic),
        }
        done
    });
    done.sort_unstable_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

/// Makes one thing after the other ahead of `take`, on a thread of its own; at most one waits.
///
/// # Errors
/// The first failure of `take`; nothing more is made then.
pub(crate) fn ahead<T: Send, E>(mut made: impl Iterator<Item = T> + Send, mut take: impl FnMut(T) -> Result<(), E>) -> Result<(), E> {
    let (sender, receiver) = mpsc::sync_channel(0);
    thread::scope(|scope| {
        scope.spawn(move || made.try_for_each(|one| sender.send(one)));
        // It is dropped when `take` fails, which ends the other thread.
        receiver.into_iter().try_for_each(&mut take)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_in_order_and_the_first_failure_counts() {
        assert_eq!(share(100, |at| Ok::<_, ()>(at * 2)).unwrap(), (0..100).map(|at| at * 2).collect::<Vec<_>>());
        assert_eq!(share(100, |at| if at % 10 == 7 { Err(at) } else { Ok(()) }).unwrap_err(), 7);
        assert!(share(0, |_| Ok::<_, ()>(())).unwrap().is_empty());
    }

    #[test]
    fn what_is_made_ahead_comes_in_order_until_it_is_not_taken() {
        let mut taken = Vec::new();
        ahead(0..1_000, |one| {
            taken.push(one);
            Ok::<_, ()>(())
        })
        .unwrap();
        assert_eq!(taken, (0..1_000).collect::<Vec<_>>());
        assert_eq!(ahead(0.., |one| if one == 5 { Err(one) } else { Ok(()) }), Err(5));
    }
}
