use std::sync::mpsc;

use super::*;

#[test]
fn a_flush_that_failed_is_tried_again_until_it_succeeds() {
    let wake = Arc::new(Wake::default());
    let threads = Threads::new(wake.clone());
    let (tried, tries) = mpsc::channel();
    let failures = Mutex::new(1_u32);
    let flush = move |reach| {
        let mut failures = failures.lock();
        let fails = *failures > 0;
        *failures = failures.saturating_sub(1);
        let _ = tried.send(reach);
        if fails { Flushed::Failed } else { Flushed::Done }
    };
    threads.start(|| false, flush, || Some(false)).unwrap();
    wake.flush(Reach::Full);
    assert_eq!(tries.recv_timeout(AFTER_FAILURE).unwrap(), Reach::Full);
    assert_eq!(tries.recv_timeout(AFTER_FAILURE * 3).unwrap(), Reach::Full);
    assert!(tries.recv_timeout(AFTER_FAILURE + TICK * 2).is_err(), "after a success it is owed no more");
    threads.stop();
}

#[test]
fn a_flush_that_waits_for_room_goes_on_as_soon_as_there_is_some() {
    let wake = Arc::new(Wake::default());
    let threads = Threads::new(wake.clone());
    let (done, is_done) = mpsc::channel();
    let waits = Mutex::new(4_u32);
    let flush = move |_| {
        let mut waits = waits.lock();
        if *waits > 0 {
            *waits -= 1;
            return Flushed::Waits;
        }
        let _ = done.send(());
        Flushed::Done
    };
    threads.start(|| false, flush, || Some(false)).unwrap();
    wake.flush(Reach::Full);
    assert!(is_done.recv_timeout(AFTER_FAILURE / 2).is_ok(), "a sender has no more patience than that");
    threads.stop();
}

#[test]
fn waiting_for_room_is_told_once_and_only_when_it_lasts() {
    let health = Health::default();
    assert!(!health.note_waiting());
    *health.waits.lock() = Some((Instant::now().checked_sub(TOLD_AFTER).unwrap(), false));
    assert!(health.note_waiting());
    assert!(!health.note_waiting());
    health.note(Work::Flush, None);
    assert!(!health.note_waiting());
}

#[test]
fn work_that_panics_is_told_for_good_and_ends_writing_when_it_is_a_flush() {
    let health = Arc::<Health>::default();
    let end = |work| {
        let health = health.clone();
        std::thread::spawn(move || {
            drop(health.watch(work));
            let _watch = health.watch(work);
            panic!("a fault");
        })
        .join()
        .unwrap_err();
    };
    end(Work::Merge);
    health.note(Work::Merge, None);
    assert!(health.error().is_some_and(|why| why.contains("merging ended")) && health.refusal().is_none());
    end(Work::Flush);
    health.note(Work::Flush, None);
    assert!(health.error().is_some_and(|why| why.contains("writing memory")) && health.refusal().is_some());
}
