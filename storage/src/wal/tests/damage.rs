//! What of a log was acknowledged and is damaged, and what was torn and nobody was told of.

use super::*;

#[test]
fn a_broken_frame_before_one_that_was_synced_later_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    let offsets = written(dir.path(), &[b"first", b"second", b"third"], 3);
    let mut bytes = fs::read(at(dir.path(), 1)).unwrap();
    bytes[offsets[1] + 30] ^= 1;
    fs::write(at(dir.path(), 1), &bytes).unwrap();
    let error = replay(dir.path()).unwrap_err();
    assert!(error.to_string().contains(&format!("offset {}", offsets[1])), "{error}");
}

#[test]
fn a_broken_frame_before_others_of_its_group_and_one_of_a_later_group_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    let mut bytes = frame::encode_header(frame::Header { first_seq: 1, set_aside: 0, store: STORE });
    let mut begins = Vec::new();
    for (seq, synced) in [(1, 0), (2, 1), (3, 1), (4, 1), (5, 4)] {
        begins.push(bytes.len());
        frame::encode(&mut bytes, 1, seq, synced, &record(b"payload"));
    }
    for broken in 1..4 {
        let mut bytes = bytes.clone();
        bytes[begins[broken] + 30] ^= 1;
        fs::write(at(dir.path(), 1), &bytes).unwrap();
        let error = replay(dir.path()).unwrap_err();
        assert!(error.to_string().contains(&format!("offset {}", begins[broken])), "{error}");
    }
    bytes[begins[4] + 30] ^= 1;
    fs::write(at(dir.path(), 1), &bytes).unwrap();
    let error = replay(dir.path()).unwrap_err();
    assert!(error.to_string().contains("it was whole once, and may have been acknowledged"), "{error}");
}

/// The last frame, about which no later one says anything.
#[test]
fn a_last_frame_that_was_whole_is_damage_and_one_that_lacks_a_part_is_torn() {
    let dir = tempfile::tempdir().unwrap();
    let payload = [7; 3_000];
    let offsets = written(dir.path(), &[b"first", &payload, b"third"], 2);
    let mut whole = fs::read(at(dir.path(), 1)).unwrap();
    whole.resize(64 << 10, 0);
    let replayed = |change: &dyn Fn(&mut [u8]), through| {
        let mut bytes = whole.clone();
        change(&mut bytes);
        fs::write(at(dir.path(), 1), &bytes).unwrap();
        verify(dir.path(), STORE, through).map(|replayed| (replayed.frames, replayed.torn.is_some(), replayed.next_seq))
    };
    assert_eq!(replayed(&|_| (), 0).unwrap(), (3, false, 4));
    // Its length, its checksum, its number, its text.
    for byte in [0, 5, 11, 2_000] {
        let damage = |bytes: &mut [u8]| bytes[offsets[1] + byte] ^= 1;
        let error = replayed(&damage, 0).unwrap_err().to_string();
        assert!(error.contains(&format!("at offset {}, where frame 2 belongs; it was whole once", offsets[1])), "{byte}: {error}");
        assert!(replayed(&damage, 2).is_err(), "segments have this one, and not the one behind it");
        assert_eq!(replayed(&damage, 3).unwrap(), (1, true, 4), "segments have all");
    }
    // Any sector of it did not come to the disk; the one behind it may have.
    for sector in offsets[1] / 512..offsets[2].div_ceil(512) {
        let tear = |bytes: &mut [u8]| bytes[offsets[1].max(sector * 512)..offsets[3].min(sector * 512 + 512)].fill(0);
        assert_eq!(replayed(&tear, 0).unwrap(), (1, true, 2), "{sector}");
    }
}

#[test]
fn a_frame_of_a_later_version_is_not_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let offsets = written(dir.path(), &[b"first", b"second"], 2);
    let mut bytes = fs::read(at(dir.path(), 1)).unwrap();
    let body = offsets[1] + 8;
    bytes[body] |= 4;
    let len = bytes[offsets[1]..].first_chunk().map(|len| u32::from_le_bytes(*len)).unwrap();
    let crc = crc32c::crc32c_append(crc32c::crc32c_append(crc32c::crc32c(&1_u64.to_le_bytes()), &len.to_le_bytes()), &bytes[body..]);
    bytes[offsets[1] + 4..body].copy_from_slice(&crc.to_le_bytes());
    fs::write(at(dir.path(), 1), bytes).unwrap();
    let error = verify(dir.path(), STORE, 0).unwrap_err().to_string();
    assert!(error.contains("of a kind this program does not know at offset"), "{error}");
}

#[test]
fn a_log_that_was_cut_off_from_outside_is_damage_and_not_a_torn_tail() {
    let dir = tempfile::tempdir().unwrap();
    let (writer, durable) = start(dir.path(), &Replayed { next_seq: 1, ..Replayed::default() }, 1 << 20);
    writer.append(record(&[1; 600]), 1).unwrap();
    writer.append(record(&[2; 600]), 2).unwrap();
    while durable.recv().unwrap().last().unwrap().0 < 2 {}
    writer.stop();
    let path = at(dir.path(), 1);
    let whole = fs::read(&path).unwrap();
    assert_eq!(whole.len(), 1 << 20, "space was set aside");
    for kept in [FILE_HEADER + 300, FILE_HEADER + 900] {
        fs::write(&path, &whole[..kept]).unwrap();
        let error = verify(dir.path(), STORE, 0).unwrap_err();
        assert!(error.to_string().contains("cut off after"), "{error}");
    }
    fs::write(&path, []).unwrap();
    assert!(verify(dir.path(), STORE, 0).is_ok(), "an earlier version left this when it was killed while it created the file");
    let error = verify(dir.path(), STORE, 1).unwrap_err();
    assert!(error.to_string().contains("header"), "segments hold a frame of it, so it was more than this: {error}");
    for blank in [vec![], vec![0; whole.len()]] {
        fs::write(&path, blank).unwrap();
        let begun = Expected { last_file: 1, ..Expected::default() };
        let error = crate::wal::verify(&Place::real(dir.path()), STORE, begun, &mut |_| Ok(())).unwrap_err();
        assert!(error.to_string().contains("header"), "it is known to have been begun: {error}");
    }
}

#[test]
fn a_turned_bit_in_a_file_that_was_cut_to_its_length_is_not_called_a_cut() {
    let dir = tempfile::tempdir().unwrap();
    let (writer, durable) = start(dir.path(), &empty(), 700);
    for number in 1..=2 {
        writer.append(record(&[7; 300]), number).unwrap();
        durable.recv().unwrap();
    }
    writer.rotate();
    writer.append(record(b"in the next file"), 3).unwrap();
    durable.recv().unwrap();
    writer.stop();
    let mut bytes = fs::read(at(dir.path(), 1)).unwrap();
    bytes[FILE_HEADER + 100] ^= 1;
    fs::write(at(dir.path(), 1), bytes).unwrap();
    let error = verify(dir.path(), STORE, 0).unwrap_err().to_string();
    assert!(error.contains(&format!("checksum at offset {FILE_HEADER}")) && !error.contains("cut off"), "{error}");
}

#[test]
fn a_torn_group_is_cut_even_when_its_last_frame_reached_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let offsets = written(dir.path(), &[b"first", b"second", b"third"], 2);
    let mut bytes = fs::read(at(dir.path(), 1)).unwrap();
    bytes[offsets[1]..offsets[2]].fill(0);
    fs::write(at(dir.path(), 1), &bytes).unwrap();
    let (replayed, frames) = replay(dir.path()).unwrap();
    assert_eq!((frames.len(), replayed.next_seq), (1, 2));
}

#[test]
fn a_missing_renamed_or_foreign_file_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), &[b"first"], 1);
    let path = at(dir.path(), 1);
    let other = |store| verify(dir.path(), store, 5);
    assert!(other([0; 16]).unwrap_err().to_string().contains("another data folder"));
    assert_eq!(other(STORE).unwrap().next_seq, 6, "numbers that segments hold are not given again");
    fs::rename(&path, at(dir.path(), 2)).unwrap();
    assert!(other(STORE).unwrap_err().to_string().contains("renamed"));
    fs::rename(at(dir.path(), 2), at(dir.path(), 9)).unwrap();
    assert!(other(STORE).unwrap_err().to_string().contains("frames 6 to 8"));
    fs::remove_file(at(dir.path(), 9)).unwrap();
    assert!(other(STORE).unwrap_err().to_string().contains("missing"));
}
