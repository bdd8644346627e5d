use proptest::prelude::*;

use super::super::restore::restore_place;
use super::super::stream::{DAMAGED, END, FILE, MAGIC};
use super::*;
use crate::files::{Mounted, Plan, Simulated};

/// A stream by hand: files with their contents and states.
fn stream(files: &[(&str, &[u8], u8)]) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    for (name, content, state) in files {
        out.push(FILE);
        out.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
        out.extend(name.as_bytes());
        out.extend((content.len() as u64).to_le_bytes());
        out.extend(*content);
        out.extend(crc32c::crc32c(content).to_le_bytes());
        out.push(*state);
    }
    out.push(END);
    out.extend(u32::try_from(files.len()).unwrap().to_le_bytes());
    out
}

fn vault(dir: &tempfile::TempDir) -> Vault {
    Vault::open(&dir.path().join("vault")).unwrap()
}

proptest! {
    #[test]
    fn a_stream_in_pieces_of_any_size_is_kept_whole(contents in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..400), 1..5), size in 1_usize..90) {
        let dir = tempfile::tempdir().unwrap();
        let vault = vault(&dir);
        let names: Vec<String> = (0..contents.len()).map(|number| format!("seg/logs/{number}.parquet")).collect();
        let mut files: Vec<(&str, &[u8], u8)> = names.iter().zip(&contents).map(|(name, content)| (name.as_str(), content.as_slice(), 0)).collect();
        files.push(("FORMAT", b"text", 0));
        files.push(("wal/1.wal", b"", 0));
        let mut receiver = vault.receive().unwrap();
        for piece in stream(&files).chunks(size) {
            receiver.push(piece).unwrap();
        }
        let kept = receiver.finish().unwrap();
        prop_assert_eq!((kept.files, kept.copied), (files.len(), files.len()));
        let point = vault.points().unwrap().remove(0);
        prop_assert_eq!(&point.id, &kept.id);
        prop_assert_eq!(point.files.len(), files.len());
        for ((name, bytes, crc), (_, content, _)) in point.files.iter().zip(&files) {
            prop_assert_eq!(*bytes, content.len() as u64);
            prop_assert_eq!(vault.file(&point, name, *crc).read().unwrap(), content.to_vec());
        }
        prop_assert_eq!(vault.known(&mut |_| ()).unwrap().len(), contents.len());
    }
}

#[test]
fn a_stream_that_breaks_off_or_is_not_one_leaves_no_moment() {
    let dir = tempfile::tempdir().unwrap();
    let vault = vault(&dir);
    let whole = stream(&[("FORMAT", b"text", 0), ("seg/logs/a.idx", b"index", 0)]);
    for end in 0..whole.len() {
        let mut receiver = vault.receive().unwrap();
        receiver.push(&whole[..end]).unwrap();
        assert!(receiver.finish().is_err(), "{end}");
    }
    let mut more = whole.clone();
    more.push(0);
    for wrong in [stream(&[("../escape", b"x", 0)]), stream(&[("wal/../../x", b"x", 0)]), b"something else".to_vec(), more] {
        assert!(vault.receive().unwrap().push(&wrong).is_err());
    }
    let mut flipped = whole;
    let at = flipped.windows(5).position(|bytes| bytes == b"index").unwrap();
    flipped[at] ^= 1;
    assert!(vault.receive().unwrap().push(&flipped).unwrap_err().to_string().contains("arrived damaged"));
    assert_eq!(vault.points().unwrap(), []);
}

#[test]
fn what_is_damaged_at_its_source_is_left_out_and_told() {
    let dir = tempfile::tempdir().unwrap();
    let vault = vault(&dir);
    let mut receiver = vault.receive().unwrap();
    receiver
        .push(&stream(&[("seg/logs/a.parquet", b"rows", DAMAGED), ("seg/logs/a.idx", b"index", DAMAGED), ("FORMAT", b"t", 0)]))
        .unwrap();
    let kept = receiver.finish().unwrap();
    assert_eq!((kept.damaged, kept.copied), (vec!["seg/logs/a.parquet".to_owned()], 1));
    assert_eq!(vault.points().unwrap()[0].files.len(), 1);
}

#[test]
fn what_is_damaged_in_the_vault_is_not_relied_upon_and_comes_anew() {
    let dir = tempfile::tempdir().unwrap();
    let vault = vault(&dir);
    let files = [("seg/logs/a.parquet", &b"first"[..], 0), ("seg/logs/b.parquet", b"second", 0), ("seg/logs/c.idx", b"third", 0)];
    let keep = |files: &[(&str, &[u8], u8)]| {
        let mut receiver = vault.receive().unwrap();
        receiver.push(&stream(files)).unwrap();
        receiver.finish().unwrap();
    };
    keep(&files);
    let place = |at: usize| vault.segment_file(files[at].0, crc32c::crc32c(files[at].1));
    let known = || vault.known(&mut |_| ()).unwrap().len();
    assert_eq!(known(), 3);
    // As long as before, another byte; and one that is gone.
    write(&place(0), b"fIrst").unwrap();
    place(1).remove().unwrap();
    assert_eq!(known(), 1);
    std::thread::sleep(std::time::Duration::from_millis(2));
    keep(&files[..1]);
    assert_eq!(known(), 2, "the moment before is mended too");
}

#[test]
fn a_vault_keeps_moments_of_one_store() {
    let dir = tempfile::tempdir().unwrap();
    let vault = vault(&dir);
    let of = |store: &str, version: u32| {
        let mut receiver = vault.receive().unwrap();
        let format = format!("throughline\nformat {version}\nstore {store}\n");
        receiver.push(&stream(&[("FORMAT", format.as_bytes(), 0)])).map(|()| receiver.finish().unwrap())
    };
    of("00ff", 1).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(2));
    of("00ff", 2).unwrap();
    let refused = of("00fe", 1).unwrap_err().to_string();
    assert!(refused.contains("another data folder (store 00ff, not 00fe)"), "{refused}");
    assert_eq!(vault.points().unwrap().len(), 2);
}

#[test]
fn every_file_of_a_moment_outlives_a_power_failure() {
    for seed in 0..30 {
        let disk = Simulated::new(seed);
        let open = || Vault::open_place(&Place::on(Arc::new(Mounted(disk.clone())), "/vault")).unwrap();
        let mut receiver = open().receive().unwrap();
        let names = ["FORMAT", "manifest/log", "wal/1.wal", "memo/services", "memo/views", "seg/logs/a.parquet"];
        receiver.push(&stream(&names.map(|name| (name, name.as_bytes(), 0)))).unwrap();
        receiver.finish().unwrap();
        disk.stop();
        disk.power_failure();
        let vault = open();
        let point = vault.points().unwrap().remove(0);
        assert_eq!(point.files.len(), names.len());
        for (name, _, crc) in &point.files {
            assert_eq!(vault.file(&point, name, *crc).read().unwrap_or_default(), name.as_bytes(), "{name}, seed {seed}");
        }
    }
}

#[test]
fn a_restore_that_failed_anywhere_goes_on_after_a_power_failure() {
    let dir = tempfile::tempdir().unwrap();
    let open = || vault(&dir);
    let mut receiver = open().receive().unwrap();
    let names = ["FORMAT", "manifest/log", "wal/1.wal"];
    receiver.push(&stream(&names.map(|name| (name, name.as_bytes(), 0)))).unwrap();
    receiver.finish().unwrap();
    let vault = open();
    let point = vault.points().unwrap().remove(0);
    for (first, second) in (0..20).flat_map(|first| (0..20).map(move |second| (first, second))) {
        let disk = Simulated::new(first * 100 + second);
        let root = Place::on(Arc::new(Mounted(disk.clone())), "/data");
        let failing = |after| Plan { broken: vec![disk.operations() + after], ..Plan::default() };
        let restored = || restore_place(&vault, &point, &root, &mut |_| ());
        disk.plan(failing(first));
        let _ = restored();
        disk.kill();
        disk.plan(failing(second));
        let _ = restored();
        disk.stop();
        disk.power_failure();
        disk.plan(Plan::default());
        restored().unwrap_or_else(|error| panic!("{first}, {second}: {error}"));
    }
}

#[test]
fn old_moments_go_with_what_only_they_have() {
    let dir = tempfile::tempdir().unwrap();
    let vault = vault(&dir);
    for files in [&[("seg/logs/a.parquet", &b"a"[..], 0), ("seg/logs/b.parquet", b"b", 0)][..], &[("seg/logs/b.parquet", b"b", 0)]] {
        let mut receiver = vault.receive().unwrap();
        receiver.push(&stream(files)).unwrap();
        receiver.finish().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    assert_eq!(vault.prune(2).unwrap(), 0);
    assert_eq!(vault.prune(1).unwrap(), 1);
    assert_eq!(vault.known(&mut |_| ()).unwrap().len(), 1);
    assert_eq!(vault.root.join("seg/logs").names().unwrap().len(), 1);
    assert!(Vault::open(dir.path()).is_err(), "a folder of something else is not made one of backups");
}

#[test]
fn nothing_goes_while_a_backup_is_written_or_a_moment_cannot_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let vault = vault(&dir);
    for files in [&[("seg/logs/a.parquet", &b"a"[..], 0)][..], &[("seg/logs/b.parquet", b"b", 0)]] {
        let mut receiver = vault.receive().unwrap();
        receiver.push(&stream(files)).unwrap();
        receiver.finish().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    let files = || vault.root.join("seg/logs").names().unwrap().len();
    let mut receiver = vault.receive().unwrap();
    receiver.push(&stream(&[("seg/logs/c.parquet", b"c", 0)])).unwrap();
    let refused = vault.prune(1).unwrap_err().to_string();
    assert!(refused.contains("another backup is being written to"), "{refused}");
    receiver.finish().unwrap();
    assert_eq!(files(), 3);

    // What should be a file is a folder: it is there, and cannot be read.
    let points = vault.points().unwrap();
    let sums = vault.root.join(POINTS).join(&points[1].id).join(SUMS);
    sums.remove().unwrap();
    sums.create_folder().unwrap();
    let refused = vault.prune(1).unwrap_err().to_string();
    assert!(refused.contains("cannot read") && refused.contains(SUMS), "{refused}");
    assert_eq!((files(), vault.points().unwrap().len()), (3, 2), "neither moments nor files have gone");
}
