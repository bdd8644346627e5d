//! What is whole in a damaged log is found, and what is not is said.

use proptest::prelude::*;

use super::*;
use crate::wal::{NewLog, salvage};

/// Payloads by which frames are told apart.
fn payloads(count: u8) -> Vec<Vec<u8>> {
    (0..count).map(|number| vec![number; usize::from(number) * 7 % 40]).collect()
}

fn salvaged(folder: &Path, through: u64) -> (Vec<u64>, Vec<String>) {
    let mut found = Vec::new();
    let lost = salvage(&Place::real(folder), STORE, Expected { through, ..Expected::default() }, &mut |frame| {
        found.push(frame.seq);
        Ok(())
    });
    (found, lost.unwrap())
}

proptest! {
    #[test]
    fn damage_takes_the_frames_it_is_in_and_no_other(count in 2_u8..9, from in 0_usize..1_000, length in 1_usize..90, value: u8) {
        let dir = tempfile::tempdir().unwrap();
        let payloads = payloads(count);
        let offsets = written(dir.path(), &payloads.iter().map(Vec::as_slice).collect::<Vec<_>>(), 1);
        let whole = fs::read(at(dir.path(), 1)).unwrap();
        let body = whole.len() - FILE_HEADER;
        let start = FILE_HEADER + body * from / 1_000;
        let mut bytes = whole.clone();
        bytes[start..].iter_mut().take(length).for_each(|byte| *byte ^= value | 1);
        fs::write(at(dir.path(), 1), &bytes).unwrap();
        let (found, lost) = salvaged(dir.path(), 0);
        let end = (start + length).min(whole.len());
        let hurt = |frame: usize| offsets[frame] < end && start < offsets[frame + 1];
        let expected: Vec<u64> = (0..usize::from(count)).filter(|frame| !hurt(*frame)).map(|frame| frame as u64 + 1).collect();
        prop_assert_eq!(found, expected);
        prop_assert!(!lost.is_empty() && lost.iter().all(|said| said.contains("00000000000000000001.wal")), "{:?}", lost);
    }
}

#[test]
fn a_frame_in_the_text_of_a_broken_one_is_not_believed() {
    let dir = tempfile::tempdir().unwrap();
    let mut forged = Vec::new();
    frame::encode(&mut forged, 1, 900, 899, &record(b"forged"));
    let offsets = written(dir.path(), &[b"first", &forged, b"third", b"fourth"], 1);
    let mut bytes = fs::read(at(dir.path(), 1)).unwrap();
    bytes[offsets[1] + 9] ^= 1;
    fs::write(at(dir.path(), 1), bytes).unwrap();
    let (found, lost) = salvaged(dir.path(), 0);
    assert_eq!(found, [1, 3, 4]);
    assert!(lost.len() == 1 && lost[0].contains("request 2, in the") && lost[0].contains(&format!("at offset {}", offsets[1])), "{lost:?}");
}

#[test]
fn a_new_log_is_read_like_any_other() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = NewLog::new(STORE, 8);
    let mut files: Vec<_> = [&b"a"[..], b"bb", b"ccc"].into_iter().filter_map(|payload| log.push(&record(payload))).collect();
    files.push(log.finish());
    for (first_seq, bytes) in files {
        fs::write(at(dir.path(), first_seq), bytes).unwrap();
    }
    let mut found = Vec::new();
    let verified = crate::wal::verify(&Place::real(dir.path()), STORE, Expected { through: 7, ..Expected::default() }, &mut |frame| {
        found.push((frame.seq, frame.record.payload.len()));
        Ok(())
    });
    assert!(verified.unwrap().torn.is_none());
    assert_eq!(found, [(8, 1), (9, 2), (10, 3)]);
    assert_eq!(salvaged(dir.path(), 9).0, [10]);
}
