use std::sync::Arc;

use arrow::compute::concat_batches;

use crate::schema;
use crate::segment::fixture::{self, Shape};

use super::*;

/// A request that is not joined with others, of 40 bytes.
fn entry(room: &Arc<Room>, signal: Signal) -> Entry {
    let batch = concat_batches(&schema::of(signal), &fixture::batches(signal, 1, 600, Shape::default())).unwrap();
    Entry { batch, room: room.force(40) }
}

fn filled() -> (Arc<Room>, Buffer) {
    let room = Room::new(1_000);
    let mut buffer = Buffer::after(7, 100);
    for (seq, signal) in (8..).zip([Signal::Traces, Signal::Logs, Signal::Traces, Signal::Traces]) {
        buffer.insert(seq, signal, entry(&room, signal));
    }
    (room, buffer)
}

#[test]
fn lots_are_written_one_after_the_other_and_give_their_room_back() {
    let (room, mut buffer) = filled();
    assert_eq!((buffer.bytes(), buffer.flushed_through(), buffer.is_due()), (160, 7, true));
    let rows = buffer.size(Signal::Traces).0;
    let lot = buffer.next_lot(Reach::Full).unwrap();
    assert_eq!((lot.through, lot.bytes(), lot.batches(Signal::Logs).len()), (10, 120, 1));
    let first = lot.rows(Signal::Traces) as u64;
    // What comes in meanwhile belongs to another lot, and a flush that failed takes the same again.
    buffer.insert(12, Signal::Logs, entry(&room, Signal::Logs));
    assert_eq!(buffer.next_lot(Reach::All).map(|lot| lot.through), Some(10));
    drop(buffer.written());
    assert_eq!((buffer.flushed_through(), buffer.is_due(), room.used()), (10, false, 80));
    assert_eq!(buffer.size(Signal::Traces).0, rows - first);
    assert!(buffer.next_lot(Reach::Full).is_none());
}

#[test]
fn what_fills_no_lot_is_written_when_everything_is() {
    let (room, mut buffer) = filled();
    drop(buffer.written());
    assert_eq!(buffer.next_lot(Reach::All).map(|lot| lot.through), Some(11));
    drop(buffer.written());
    assert_eq!((buffer.flushed_through(), buffer.oldest(), room.used()), (11, None, 0));
    assert!(buffer.next_lot(Reach::All).is_none());
    assert!(buffer.batches(Signal::Traces).is_empty());
}
