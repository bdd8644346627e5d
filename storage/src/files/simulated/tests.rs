use super::super::Place;
use super::*;

/// What is left of a file over many seeds.
fn outcomes(work: impl Fn(&Place), power: bool, what: &str) -> BTreeSet<Option<Vec<u8>>> {
    (0..200)
        .map(|seed| {
            let disk = Simulated::new(seed);
            let root = Place::on(Arc::new(Mounted(disk.clone())), "/");
            work(&root);
            if power {
                disk.power_failure()
            } else {
                disk.kill()
            }
            root.join(what).read().ok()
        })
        .collect()
}

fn set<const N: usize>(outcomes: [Option<&[u8]>; N]) -> BTreeSet<Option<Vec<u8>>> {
    outcomes.into_iter().map(|outcome| outcome.map(<[u8]>::to_vec)).collect()
}

#[test]
fn bytes_need_a_sync_and_names_a_sync_of_their_folder() {
    let write = |root: &Place| root.join("a").create().unwrap().write_all_at(b"x", 0).unwrap();
    assert_eq!(outcomes(write, false, "a"), set([Some(b"x")]), "a killed process loses nothing");
    assert_eq!(outcomes(write, true, "a"), set([None, Some(b""), Some(b"\0"), Some(b"x")]));
    let synced = |root: &Place| {
        write(root);
        root.join("a").open_to_write().unwrap().sync_data().unwrap();
    };
    assert_eq!(outcomes(synced, true, "a"), set([None, Some(b"x")]));
    let named = |root: &Place| {
        synced(root);
        root.sync_folder().unwrap();
    };
    assert_eq!(outcomes(named, true, "a"), set([Some(b"x")]));
    let renamed = |root: &Place| {
        named(root);
        root.join("a").rename_to(&root.join("b")).unwrap();
    };
    assert_eq!(outcomes(renamed, true, "b"), set([None, Some(b"x")]));
}

#[test]
fn sectors_are_old_or_new_each() {
    let write = |root: &Place| {
        let file = root.join("a").create().unwrap();
        file.write_all_at(&[1; 2 * SECTOR], 0).unwrap();
        file.sync_all().unwrap();
        root.sync_folder().unwrap();
        file.write_all_at(&[2; 2 * SECTOR], 0).unwrap();
    };
    let halves = outcomes(write, true, "a").into_iter().map(|bytes| {
        let bytes = bytes.unwrap();
        assert!(bytes.chunks(SECTOR).all(|sector| sector.iter().all(|byte| *byte == sector[0])));
        (bytes[0], bytes[SECTOR])
    });
    assert_eq!(halves.collect::<Vec<_>>(), [(1, 1), (1, 2), (2, 1), (2, 2)]);
}

#[test]
fn a_failed_sync_gives_up_what_it_could_not_write() {
    let write = |root: &Place| {
        let file = root.join("a").create().unwrap();
        file.set_len(3).unwrap();
        file.sync_all().unwrap();
        root.sync_folder().unwrap();
        file.write_all_at(b"new", 0).unwrap();
        // The sixth operation.
        assert!(file.sync_all().is_err());
        file.sync_all().unwrap();
    };
    let outcomes = |power| -> BTreeSet<Vec<u8>> {
        (0..50)
            .map(|seed| {
                let disk = Simulated::new(seed);
                disk.plan(Plan { broken: vec![6], ..Plan::default() });
                let root = Place::on(Arc::new(Mounted(disk.clone())), "/");
                write(&root);
                if power {
                    disk.power_failure()
                } else {
                    disk.kill()
                }
                root.join("a").read().unwrap()
            })
            .collect()
    };
    for power in [true, false] {
        assert_eq!(outcomes(power).len(), 2, "the second sync succeeds and writes nothing");
    }
}

#[test]
fn a_full_disk_takes_a_part_of_a_write_and_nothing_works_after_a_stop() {
    let disk = Simulated::new(7);
    let root = Place::on(Arc::new(Mounted(disk.clone())), "/");
    let file = root.join("a").create().unwrap();
    disk.plan(Plan { full: 2..3, stop_at: Some(5), ..Plan::default() });
    assert_eq!(file.write_all_at(&[1; 100], 0).unwrap_err().kind(), io::ErrorKind::StorageFull);
    assert!(file.len().unwrap() < 100);
    file.write_all_at(&[1; 100], 0).unwrap();
    file.sync_all().unwrap();
    assert!(!disk.has_stopped() && root.join("b").create().is_err() && disk.has_stopped());
    assert!(file.len().is_err() && root.names().is_err() && !root.join("a").is_there());
    disk.kill();
    assert!(file.len().is_err(), "handles end with their process");
    assert_eq!(root.join("a").read().unwrap(), [1; 100]);
}
