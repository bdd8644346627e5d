use super::*;
use crate::files::Place;

fn answer() -> Appended {
    Appended { accepted: 2, rejected: 1, message: Some("one was refused".to_owned()), ..Appended::default() }
}

fn known(signal: Signal, hash: [u8; 16], time: UnixNanos) -> KnownRequest {
    KnownRequest { hash, seq: 1, time, signal, accepted: 2, rejected: 1 }
}

/// What the way in does with a ticket.
fn take_in(ticket: Ticket, appended: Appended, now: UnixNanos) {
    ticket.passing(appended.clone(), now).durable(1);
    ticket.finish(Ok(appended));
}

#[test]
fn a_repeated_request_gets_the_first_ones_answer() {
    let requests = Requests::new([1; 16]);
    let hash = requests.hash(Signal::Logs, b"payload");
    assert_ne!(hash, requests.hash(Signal::Traces, b"payload"));
    assert_ne!(hash, Requests::new([2; 16]).hash(Signal::Logs, b"payload"));
    let now = UnixNanos::new(10);
    let Claim::New(ticket, _first) = requests.claim(Signal::Logs, hash, now) else { panic!("it is new") };
    let Claim::InFlight(second) = requests.claim(Signal::Logs, hash, now) else { panic!("it is in flight") };
    take_in(ticket, answer(), now);
    assert_eq!(second.borrow().clone().unwrap().unwrap(), answer());
    assert!(matches!(requests.claim(Signal::Logs, hash, now.plus(REMEMBER_NANOS)), Claim::Done(known) if known == answer()));
    assert!(matches!(requests.claim(Signal::Logs, hash, now.plus(REMEMBER_NANOS + 1)), Claim::New(..)), "it is forgotten after a while");
}

#[test]
fn a_refused_or_abandoned_request_may_be_sent_again() {
    let requests = Requests::new([1; 16]);
    let now = UnixNanos::new(10);
    let Claim::New(ticket, first) = requests.claim(Signal::Logs, [1; 16], now) else { panic!("it is new") };
    ticket.finish(Err(AppendError::Malformed("no".to_owned())));
    assert!(first.borrow().as_ref().unwrap().is_err());
    let Claim::New(ticket, mut waiting) = requests.claim(Signal::Logs, [1; 16], now) else { panic!("it is new again") };
    drop(ticket);
    assert!(waiting.borrow_and_update().is_none() && waiting.has_changed().is_err());
    let Claim::New(ticket, _) = requests.claim(Signal::Logs, [1; 16], now) else { panic!("it is new again") };
    ticket.finish(Ok(Appended::default()));
    assert!(matches!(requests.claim(Signal::Logs, [1; 16], now), Claim::New(..)), "nothing of it was stored");
}

#[test]
fn what_came_before_a_delete_may_be_sent_again_after_it() {
    let requests = Requests::new([1; 16]);
    let now = UnixNanos::new(10);
    requests.remember(known(Signal::Logs, [1; 16], now), answer());
    requests.remember(known(Signal::Traces, [2; 16], now), answer());
    let Claim::New(in_flight, _) = requests.claim(Signal::Logs, [3; 16], now) else { panic!("it is new") };
    requests.forget(Signal::Logs);
    take_in(in_flight, answer(), now);
    for hash in [[1; 16], [3; 16]] {
        let Claim::New(ticket, _) = requests.claim(Signal::Logs, hash, now) else { panic!("it is forgotten") };
        take_in(ticket, answer(), now);
        assert!(matches!(requests.claim(Signal::Logs, hash, now), Claim::Done(_)), "it came after the delete");
    }
    assert!(matches!(requests.claim(Signal::Traces, [2; 16], now), Claim::Done(_)), "no spans were deleted");
    assert_eq!(requests.table.lock().ages.len(), 3);
}

#[test]
fn the_table_is_bounded() {
    let requests = Requests::new([1; 16]);
    for number in 0..MAX_REMEMBERED as u128 + 10 {
        requests.remember(known(Signal::Logs, number.to_be_bytes(), UnixNanos::new(1)), answer());
    }
    assert_eq!(requests.table.lock().known.len(), MAX_REMEMBERED);
    let (bytes, most) = requests.memory();
    assert!(bytes > MAX_REMEMBERED * (16 + size_of::<KnownRequest>()) && bytes <= most, "{bytes} of {most}");
    assert!(matches!(requests.claim(Signal::Logs, 5u128.to_be_bytes(), UnixNanos::new(1)), Claim::New(..)));
}

#[test]
fn words_of_answers_are_bounded_by_their_bytes_and_the_oldest_go_first() {
    let requests = Requests::new([1; 16]);
    let long = Appended { message: Some("x".repeat(1_024)), ..answer() };
    let now = UnixNanos::new(1);
    for number in 0..20_000_u128 {
        requests.remember(known(Signal::Logs, number.to_be_bytes(), now), long.clone());
    }
    let told = |number: u128| match requests.claim(Signal::Logs, number.to_be_bytes(), now) {
        Claim::Done(told) => told,
        other => panic!("{other:?}"),
    };
    assert_eq!(told(19_999), long);
    let oldest = told(0);
    assert_eq!((oldest.accepted, oldest.rejected, oldest.rejected_by), (2, 1, vec![("refused_before", 1)]));
    let held = |table: &Table| {
        let boxed = |state: &State| matches!(state, State::Done(_, Some(_)));
        (table.known.values().filter(|state| boxed(state)).count(), table.worded.len(), table.words_bytes)
    };
    let (boxed, queued, bytes) = held(&requests.table.lock());
    assert!(boxed == queued && bytes <= MAX_WORDS_BYTES && bytes > MAX_WORDS_BYTES - 2_048, "{boxed} {queued} {bytes}");
    // What is forgotten counts no longer.
    requests.claim(Signal::Logs, [255; 16], now.plus(REMEMBER_NANOS + 1));
    assert_eq!(held(&requests.table.lock()), (0, 0, 0));
    requests.remember(known(Signal::Logs, [1; 16], now), answer());
    requests.forget(Signal::Logs);
    assert_eq!(held(&requests.table.lock()), (0, 0, 0));
}

#[test]
fn what_leaves_the_log_is_written_down_and_recalled_but_for_the_old_and_the_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::open(&Place::real(dir.path())).unwrap();
    let requests = Requests::new([1; 16]);
    let now = UnixNanos::new(10);
    let frame = |seq: u64, signal, time| KnownRequest { seq, ..known(signal, [u8::try_from(seq).unwrap(); 16], time) };
    for (seq, signal) in [(1, Signal::Logs), (2, Signal::Logs), (3, Signal::Traces), (4, Signal::Logs)] {
        requests.remember(frame(seq, signal, now.plus(seq)), answer());
    }
    requests.keep(&folder, 3, u64::MAX).unwrap();
    let recalled = |deleted_through, now| {
        let again = Requests::new([1; 16]);
        again.recall(&folder, now, deleted_through);
        let table = again.table.lock();
        table.ages.iter().map(|request| request.seq).collect::<Vec<_>>()
    };
    assert_eq!(recalled([0, 0], now), [1, 2, 3], "the log has the fourth");
    assert_eq!(recalled([3, 1], now), [2]);
    assert_eq!(recalled([0, 0], now.plus(REMEMBER_NANOS + 3)), [3]);
    let again = Requests::new([1; 16]);
    again.recall(&folder, now, [0, 0]);
    let Claim::Done(known) = again.claim(Signal::Logs, [1; 16], now) else { panic!("it is known") };
    assert_eq!((known.accepted, known.rejected, known.rejected_by), (2, 1, vec![("refused_before", 1)]));
    requests.keep(&folder, 3, 2 * REQUEST_BYTES).unwrap();
    assert_eq!(recalled([0, 0], now), [2, 3], "the newest, where there is not room for all");
}
