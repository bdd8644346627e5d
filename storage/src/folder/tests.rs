use std::fs;

use super::format::NAME as FORMAT;
use super::*;

#[test]
fn a_folder_keeps_its_id_and_lets_in_one_process() {
    let dir = tempfile::tempdir().unwrap();
    let root = Place::real(dir.path().join("data"));
    let first = Folder::open(&root).unwrap();
    let id = first.id();
    assert_ne!(id, [0; 16]);
    let error = Folder::open(&root).unwrap_err();
    assert!(matches!(&error, OpenError::Locked { holder, .. } if holder.contains(&std::process::id().to_string())), "{error}");
    first.unlock();
    assert_eq!(Folder::open(&root).unwrap().id(), id);
}

#[test]
fn another_version_is_refused_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    drop(Folder::open(&Place::real(dir.path())).unwrap());
    fs::write(dir.path().join(FORMAT), "throughline\nformat 2\nstore 0\n").unwrap();
    let error = Folder::open(&Place::real(dir.path())).unwrap_err();
    assert!(matches!(error, OpenError::Version { found: 2, oldest: 1, newest: 1, .. }), "{error}");
    assert!(error.to_string().contains("newer program"), "{error}");
    let elsewhere = tempfile::tempdir().unwrap();
    fs::write(elsewhere.path().join(FORMAT), "throughline\nformat 2\nstore 0\n").unwrap();
    assert!(Folder::open(&Place::real(elsewhere.path())).is_err());
    assert_eq!(names(&Place::real(elsewhere.path())).unwrap(), [FORMAT], "nothing is put beside it");
}

#[test]
fn a_lost_or_broken_format_file_is_damage_and_not_a_new_folder() {
    let dir = tempfile::tempdir().unwrap();
    let id = Folder::open(&Place::real(dir.path())).unwrap().id();
    fs::write(dir.path().join(FORMAT), "through").unwrap();
    assert!(matches!(Folder::open(&Place::real(dir.path())).unwrap_err(), OpenError::Damaged { .. }));
    fs::remove_file(dir.path().join(FORMAT)).unwrap();
    assert_ne!(Folder::open(&Place::real(dir.path())).unwrap().id(), id, "an empty folder begins anew");
    fs::remove_file(dir.path().join(FORMAT)).unwrap();
    fs::write(dir.path().join("wal/00000000000000000001.wal"), "x").unwrap();
    assert!(matches!(Folder::open(&Place::real(dir.path())).unwrap_err(), OpenError::Damaged { .. }));
}

#[test]
fn a_folder_of_somebody_else_is_refused_and_not_touched() {
    for (strange, inside) in [("photo.jpg", None), (".bashrc", None), ("project", Some("Cargo.toml")), ("tmp", Some("upload.part"))] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(strange);
        match inside {
            Some(file) => {
                fs::create_dir(&path).unwrap();
                fs::write(path.join(file), "mine").unwrap();
            }
            None => fs::write(&path, "mine").unwrap(),
        }
        let error = Folder::open(&Place::real(dir.path())).unwrap_err();
        assert!(matches!(&error, OpenError::Foreign { holds, .. } if holds.contains(strange)), "{error}");
        assert_eq!(names(&Place::real(dir.path())).unwrap(), [strange]);
        assert!(inside.is_none_or(|file| path.join(file).exists()));
        assert!(matches!(Folder::inspect(&Place::real(dir.path())), Err(OpenError::Foreign { .. })));
    }
}

#[test]
fn a_fresh_disk_and_what_a_crash_left_of_a_first_start_are_taken() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("lost+found")).unwrap();
    fs::create_dir(dir.path().join("tmp")).unwrap();
    fs::write(dir.path().join("tmp/FORMAT"), "thro").unwrap();
    fs::write(dir.path().join("LOCK"), "").unwrap();
    drop(Folder::open(&Place::real(dir.path())).unwrap());
    fs::write(dir.path().join("notes.txt"), "left alone").unwrap();
    drop(Folder::open(&Place::real(dir.path())).unwrap());
    assert!(dir.path().join("notes.txt").exists() && dir.path().join("lost+found").exists());
}

#[test]
fn a_restore_that_was_not_finished_is_no_data_folder() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("RESTORING"), "x").unwrap();
    let error = Folder::open(&Place::real(dir.path())).unwrap_err();
    assert!(error.to_string().contains("run the restore again"), "{error}");
}

#[test]
fn a_file_where_the_folder_should_be_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = Folder::open(&Place::real(file.path())).unwrap_err();
    assert!(matches!(&error, OpenError::File { path } if path == file.path()), "{error}");
}

#[test]
fn only_files_named_like_segments_are_removed_as_orphans() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::open(&Place::real(dir.path())).unwrap();
    let (kept, orphan) = (Ulid::new(), Ulid::new());
    let seg = folder.segments(Signal::Logs);
    for name in [format!("{kept}.parquet"), format!("{orphan}.parquet"), format!("{orphan}.idx"), "notes.parquet".to_owned()] {
        fs::write(seg.join(name).path(), "x").unwrap();
    }
    assert_eq!(folder.remove_orphans(Signal::Logs, &HashSet::from([kept])).unwrap(), 2);
    let mut left = vec![format!("{kept}.parquet"), "notes.parquet".to_owned()];
    left.sort();
    assert_eq!(names(&seg).unwrap(), left);
}
