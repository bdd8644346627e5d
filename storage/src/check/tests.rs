use ulid::Ulid;

use super::*;
use crate::manifest::{Change, Manifest};
use crate::segment::fixture::{Shape, batches};
use crate::segment::{Bundle, BundleWriter, Origin, write};

/// A data folder with these segments, and a log without frames.
struct Made {
    _root: tempfile::TempDir,
    place: Place,
}

impl Made {
    fn new(metas: impl FnOnce(&Folder) -> Vec<SegmentMeta>) -> Self {
        let root = tempfile::tempdir().unwrap();
        let place = Place::real(root.path().join("data"));
        let folder = Folder::open(&place).unwrap();
        let add = metas(&folder);
        let mut manifest = Manifest::open(&folder.manifest(), &folder.tmp(), folder.id(), true).unwrap();
        manifest.commit(Change { add, wal_through: 4, next_record_id: 100_000, ..Change::default() }).unwrap();
        wal::begin(&folder.wal(), 5, folder.id()).unwrap();
        drop(folder);
        Self { _root: root, place }
    }

    fn problems(&self) -> Vec<String> {
        let report = check_place(&self.place, &mut |_| ()).unwrap();
        report.lines.into_iter().filter_map(|line| Some(format!("{}: {}", line.path.display(), line.problem?))).collect()
    }
}

fn written(folder: &Folder, signal: Signal, level: u8, seed: u64) -> SegmentMeta {
    let rows = batches(signal, seed, 3_000, Shape::default());
    let metas = write(&folder.tmp(), &folder.segments(signal), signal, level, Origin::default(), rows).unwrap();
    metas.into_iter().next().unwrap()
}

/// Puts blobs of the index of `other` into that of `meta`, checksums and all.
fn swapped(folder: &Folder, meta: &SegmentMeta, other: &SegmentMeta, begins: &str) -> SegmentMeta {
    let seg = folder.segments(meta.signal);
    let open = |meta: &SegmentMeta| Bundle::open(&meta.index_path(&seg), meta.index_bytes).unwrap();
    let (mine, theirs) = (open(meta), open(other));
    let draft = seg.join("draft");
    let mut bundle = BundleWriter::create(draft.clone()).unwrap();
    for (of, from) in [(&mine, false), (&theirs, true)] {
        for blob in of.blobs().iter().filter(|blob| blob.name.starts_with(begins) == from) {
            bundle.add(blob.name.clone(), &of.read_blob(blob).unwrap()).unwrap();
        }
    }
    let finished = bundle.finish().unwrap();
    let swapped = SegmentMeta { index_bytes: finished.len, index_crc: finished.crc, ..meta.clone() };
    finished.rename(&meta.index_path(&seg)).unwrap();
    swapped
}

#[test]
fn whole_segments_of_all_levels_agree_with_their_indexes() {
    let made = Made::new(|folder| {
        [(Signal::Traces, 0), (Signal::Traces, 1), (Signal::Logs, 0), (Signal::Logs, 1)]
            .map(|(signal, level)| written(folder, signal, level, u64::from(level) + 3))
            .to_vec()
    });
    assert_eq!(made.problems(), [""; 0]);
}

#[test]
fn an_index_that_is_whole_but_of_other_rows_is_found_out() {
    for (signal, begins, wrong) in [
        (Signal::Traces, "trace.keys", "is not found by its id"),
        (Signal::Traces, "trace.fuse", "is not found by its id"),
        (Signal::Traces, "operations", "list of operations"),
        (Signal::Logs, "trace.keys", "is not found by its id"),
        (Signal::Logs, "ft/", "text index"),
    ] {
        let made = Made::new(|folder| {
            let rows = |traces, seed| {
                let rows = batches(signal, seed, 3_000, Shape { traces, ..Shape::default() });
                write(&folder.tmp(), &folder.segments(signal), signal, 1, Origin::default(), rows).unwrap().remove(0)
            };
            let (meta, other) = (rows(4_000, 1), rows(40, 2));
            let meta = swapped(folder, &meta, &other, begins);
            vec![meta, other]
        });
        let problems = made.problems();
        assert!(problems.len() == 1 && problems[0].contains(wrong), "{begins}: {problems:?}");
    }
}

#[test]
fn what_the_manifest_says_is_compared_with_footers_and_names() {
    let made = Made::new(|folder| {
        let meta = written(folder, Signal::Traces, 0, 1);
        written(folder, Signal::Logs, 0, 1);
        vec![SegmentMeta { level: 1, ..meta }]
    });
    std::fs::write(made.place.join("seg/logs/notes.txt").path(), "x").unwrap();
    let problems = made.problems();
    assert!(problems.len() == 1 && problems[0].contains("footer says something else"), "{problems:?}");
    let report = check_place(&made.place, &mut |_| ()).unwrap();
    let said = |text: &str| report.lines.iter().filter(|line| line.problem.is_none() && line.summary.contains(text)).count();
    assert_eq!((said("left over"), said("left alone")), (2, 1));
}

#[test]
fn a_missing_file_is_named() {
    let mut gone = Ulid::nil();
    let made = Made::new(|folder| {
        let metas = vec![written(folder, Signal::Traces, 0, 1), written(folder, Signal::Logs, 1, 2)];
        gone = metas[1].id;
        metas[1].parquet_path(&folder.segments(Signal::Logs)).remove().unwrap();
        metas
    });
    let problems = made.problems();
    assert!(problems.len() == 1 && problems[0].contains(&gone.to_string()), "{problems:?}");
}
