use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use bytes::Bytes;
use parking_lot::Mutex;

use crate::config::SyncPolicy;
use crate::error::OpenError;
use crate::files::Place;
use crate::metrics::Registry;
use crate::model::UnixNanos;
use crate::store::Signal;

use super::frame::{self, FILE_HEADER, Frame};
use super::{Expected, Notice, Options, Record, Refusal, Replayed, Writer, file};

mod damage;
mod faults;
mod properties;
mod salvage;

const STORE: [u8; 16] = *b"one data folder!";
/// Of a log that may not have been begun.
const NEW: Expected = Expected { through: 0, last_file: 0, pristine: true, ended: false };

fn record(payload: &[u8]) -> Record {
    Record {
        signal: Signal::Logs,
        ingest_time: UnixNanos::new(5),
        retention: u64::MAX,
        first_record_id: 7,
        accepted: 3,
        rejected: 1,
        hash: [9; 16],
        raw_len: u32::try_from(payload.len()).unwrap(),
        compressed: false,
        payload: Bytes::copy_from_slice(payload),
    }
}

/// A file with frames 1..=n; all but the frames from `unsynced` on are known to be synced. Returns where each frame begins and the end.
fn written(folder: &Path, payloads: &[&[u8]], group_begins: u64) -> Vec<usize> {
    let mut bytes = frame::encode_header(frame::Header { first_seq: 1, set_aside: 0, store: STORE });
    let mut offsets = Vec::new();
    for (payload, seq) in payloads.iter().zip(1..) {
        offsets.push(bytes.len());
        frame::encode(&mut bytes, 1, seq, (seq - 1).min(group_begins - 1), &record(payload));
    }
    offsets.push(bytes.len());
    fs::write(at(folder, 1), bytes).unwrap();
    offsets
}

/// The path of the file whose first frame has `first_seq`.
fn at(folder: &Path, first_seq: u64) -> PathBuf {
    file::path(&Place::real(folder), first_seq).path().to_owned()
}

fn verify(folder: &Path, store: [u8; 16], through: u64) -> Result<Replayed, OpenError> {
    super::verify(&Place::real(folder), store, Expected { through, ..Expected::default() }, &mut |_| Ok(()))
}

fn replay(folder: &Path) -> Result<(Replayed, Vec<Frame>), OpenError> {
    let mut frames = Vec::new();
    let replayed = super::verify(&Place::real(folder), STORE, NEW, &mut |frame| {
        frames.push(frame);
        Ok(())
    })?;
    Ok((super::settle(replayed)?, frames))
}

fn start(folder: &Path, replayed: &Replayed, file_bytes: u64) -> (Writer<u32>, Receiver<Vec<(u64, u32)>>) {
    let (sender, receiver) = channel();
    let writer = running(options(folder, file_bytes), replayed, move |group| sender.send(group).unwrap());
    (writer, receiver)
}

/// A log whose thread runs.
fn running<T: Send + 'static>(options: Options, replayed: &Replayed, on_durable: impl FnMut(Vec<(u64, T)>) + Send + 'static) -> Writer<T> {
    let (writer, log) = Writer::new(options, replayed, &Registry::default(), on_durable);
    writer.start(log).unwrap();
    writer
}

fn options(folder: &Path, file_bytes: u64) -> Options {
    Options {
        folder: Place::real(folder),
        store: STORE,
        sync: SyncPolicy::Group,
        file_bytes,
        keep_free: 0,
        before_removal: Notice::new(|_| Ok(())),
        before_use: Notice::new(|_| Ok(())),
    }
}

fn empty() -> Replayed {
    Replayed { next_seq: 1, ..Replayed::default() }
}

/// Waits until what was appended became durable or was refused: the sender in the item is gone then.
fn settle(writer: &Writer<std::sync::mpsc::Sender<()>>) -> bool {
    let (sender, dropped) = channel();
    if writer.append(record(b"x"), sender).is_err() {
        return false;
    }
    dropped.recv().is_ok()
}

#[test]
fn a_log_cut_at_every_byte_keeps_exactly_the_whole_frames() {
    let dir = tempfile::tempdir().unwrap();
    let offsets = written(dir.path(), &[b"first", b"", b"the third, a bit longer"], 1);
    let whole = fs::read(at(dir.path(), 1)).unwrap();
    for zeroes in [0, 100] {
        for cut in 0..=whole.len() {
            let mut bytes = whole[..cut].to_vec();
            bytes.resize(cut + zeroes, 0);
            fs::write(at(dir.path(), 1), &bytes).unwrap();
            let (replayed, frames) = replay(dir.path()).unwrap();
            let expected = offsets[1..].iter().filter(|end| **end <= cut).count();
            // Zeroes of the unused space may stand in for zeroes that end a frame.
            assert!(frames.len() == expected || (zeroes > 0 && frames.len() == expected + 1), "cut at {cut}");
            assert_eq!(replayed.next_seq, frames.len() as u64 + 1);
            let (again, _) = replay(dir.path()).unwrap();
            assert_eq!((again.torn.is_none(), again.next_seq), (true, replayed.next_seq), "the tail was cut off for good");
        }
    }
}

#[test]
fn every_flipped_bit_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), &[b"first", b"second", b"third"], 1);
    let (_, original) = replay(dir.path()).unwrap();
    let whole = fs::read(at(dir.path(), 1)).unwrap();
    for byte in 0..whole.len() {
        for bit in 0..8 {
            let mut bytes = whole.clone();
            bytes[byte] ^= 1 << bit;
            fs::write(at(dir.path(), 1), &bytes).unwrap();
            match replay(dir.path()) {
                Ok((replayed, frames)) => {
                    assert!(frames.len() < original.len(), "byte {byte} bit {bit} passed unnoticed");
                    assert_eq!(frames, original[..frames.len()]);
                    assert!(replayed.torn.is_some() || byte < FILE_HEADER);
                }
                Err(error) => assert!(matches!(error, OpenError::Damaged { .. }), "{error}"),
            }
        }
    }
}

#[test]
fn records_come_back_in_order_through_rotation_and_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (writer, durable) = start(dir.path(), &empty(), 400);
    let mut seen = Vec::new();
    for number in 0..20u32 {
        writer.append(record(&number.to_le_bytes()), number).unwrap();
        seen.extend(durable.recv().unwrap());
    }
    assert_eq!(seen, (1..=20).zip(0..20).collect::<Vec<(u64, u32)>>());
    writer.stop();
    assert_eq!(writer.append(record(b""), 0), Err(Refusal::Stopped));
    let (replayed, frames) = replay(dir.path()).unwrap();
    assert!(replayed.files.len() > 3, "{replayed:?}");
    let numbers: Vec<u32> = frames.iter().map(|f| u32::from_le_bytes(f.record.payload[..].try_into().unwrap())).collect();
    assert_eq!(numbers, (0..20).collect::<Vec<u32>>());

    let (writer, durable) = start(dir.path(), &replayed, 400);
    writer.append(record(b"later"), 99).unwrap();
    assert_eq!(durable.recv().unwrap(), [(21, 99)]);
    writer.release(20);
    writer.stop();
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "files that segments cover are removed");
    assert_eq!(verify(dir.path(), STORE, 20).unwrap().next_seq, 22);
    let error = verify(dir.path(), STORE, 19).unwrap_err();
    assert!(error.to_string().contains("frames 20 to 20"), "{error}");
}

#[test]
fn files_stay_until_what_is_known_of_them_is_written_down() {
    let dir = tempfile::tempdir().unwrap();
    let is_possible = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let asked = is_possible.clone();
    let before_removal = Notice::new(move |through| {
        assert_eq!(through, 2);
        if asked.load(std::sync::atomic::Ordering::Relaxed) { Ok(()) } else { Err(std::io::Error::other("not now")) }
    });
    let (sender, durable) = channel();
    let writer = running(Options { before_removal, ..options(dir.path(), 1) }, &empty(), move |group| sender.send(group).unwrap());
    for number in 1..=3u32 {
        writer.append(record(b"one file each"), number).unwrap();
        durable.recv().unwrap();
    }
    writer.release(2);
    assert_eq!(writer.oldest_seq(), Some(1));
    assert!(at(dir.path(), 1).exists());
    is_possible.store(true, std::sync::atomic::Ordering::Relaxed);
    writer.release(2);
    assert_eq!((writer.oldest_seq(), at(dir.path(), 1).exists()), (Some(3), false));
    writer.stop();
}

#[test]
fn a_rotated_log_lets_go_of_the_file_that_was_being_written() {
    let dir = tempfile::tempdir().unwrap();
    let (writer, durable) = start(dir.path(), &empty(), 1 << 20);
    writer.append(record(b"to be forgotten"), 1).unwrap();
    assert_eq!(durable.recv().unwrap(), [(1, 1)]);
    writer.release(1);
    assert!(at(dir.path(), 1).exists(), "it is still being written");
    writer.rotate();
    writer.append(record(b"later"), 2).unwrap();
    assert_eq!(durable.recv().unwrap(), [(2, 2)]);
    assert_eq!((at(dir.path(), 1).exists(), writer.oldest_seq()), (false, Some(2)));
    // Rows that are in no segment yet stay.
    writer.rotate();
    writer.append(record(b"last"), 3).unwrap();
    assert_eq!(durable.recv().unwrap(), [(3, 3)]);
    assert_eq!(writer.oldest_seq(), Some(2));
    writer.stop();
    let replayed = super::settle(verify(dir.path(), STORE, 1).unwrap()).unwrap();
    assert_eq!((replayed.next_seq, replayed.frames), (4, 2));
}

#[test]
fn waiting_records_share_a_group() {
    let dir = tempfile::tempdir().unwrap();
    let (gate, held) = channel::<()>();
    let groups = Arc::new(Mutex::new(Vec::new()));
    let seen = groups.clone();
    let writer = running(options(dir.path(), 1 << 16), &empty(), move |group| {
        seen.lock().push(group.len());
        let _ = held.recv();
    });
    for number in 0..10u32 {
        writer.append(record(b"x"), number).unwrap();
    }
    drop(gate);
    writer.stop();
    let groups = groups.lock();
    assert_eq!(groups.iter().sum::<usize>(), 10);
    assert!(groups.len() <= 10);
}

#[test]
fn a_log_that_cannot_start_a_file_refuses_until_it_can() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("gone");
    let (writer, durable) = start(&folder, &empty(), 1 << 16);
    writer.append(record(b"x"), 1).unwrap();
    while writer.refusal().is_none() {
        std::thread::yield_now();
    }
    assert!(matches!(writer.refusal(), Some(Refusal::NoRoom(_))));
    fs::create_dir(&folder).unwrap();
    while durable.try_recv().is_err() {
        writer.append(record(b"x"), 2).unwrap();
    }
    assert_eq!(writer.refusal(), None, "it heals by itself");
    writer.stop();
}

type Durable = std::sync::mpsc::Sender<()>;

#[test]
fn a_panic_on_the_logs_thread_ends_writing() {
    let dir = tempfile::tempdir().unwrap();
    let writer = running(options(dir.path(), 1 << 16), &empty(), |_: Vec<(u64, Durable)>| panic!("a fault"));
    assert!(!settle(&writer));
    while writer.refusal().is_none() {
        std::thread::yield_now();
    }
    assert!(matches!(writer.append(record(b"x"), channel().0), Err(Refusal::Failed(_))));
    writer.stop();
}
