use std::collections::BTreeMap;

use crate::deletion::{DeleteWhat, Deletion};
use crate::manifest::Contents;
use crate::model::UnixNanos;
use crate::segment::{Origin, Part, SegmentMeta};
use crate::store::Signal;

use super::*;

fn id(number: u64) -> Ulid {
    Ulid::from_parts(number, 1)
}

fn segment(number: u64, level: u8, frames: (u64, u64), inputs: &[u64]) -> Found {
    let zero = UnixNanos::new(0);
    let meta = SegmentMeta {
        id: id(number),
        signal: Signal::Logs,
        level,
        rows: 1,
        min_time: zero,
        max_time: zero,
        parquet_bytes: 0,
        index_bytes: 0,
        parquet_crc: 0,
        index_crc: 0,
    };
    Found {
        id: meta.id,
        signal: Signal::Logs,
        meta,
        origin: Origin { frames: Some(frames), inputs: inputs.iter().copied().map(id).collect(), before: Vec::new() },
        part: Some(Part { group: id(number), number: 1, last: true }),
        parquet: Ok(()),
        index: Ok(()),
        appended: 0,
        readable: true,
        has_rows: true,
        proven: true,
        listed: false,
    }
}

/// A part of a group of outputs.
fn part(number: u64, group: u64, part: usize, last: bool, frames: (u64, u64), inputs: &[u64]) -> Found {
    Found { part: Some(Part { group: id(group), number: part, last }), ..segment(number, 1, frames, inputs) }
}

fn damaged(segment: Found) -> Found {
    Found { parquet: Err("broken".to_owned()), readable: false, ..segment }
}

fn without_list() -> Known {
    Known { problem: Some("gone".to_owned()), ..Known::default() }
}

/// Numbers of those that count, those that are read from the log, and up to which frame segments hold everything.
fn judged(found: Vec<Found>, known: &Known, held: &Held) -> (Vec<u64>, Vec<u64>, u64) {
    let judged = judge(found, known, held);
    let numbers = |segments: &[Found]| segments.iter().map(|segment| segment.id.timestamp_ms()).collect();
    (numbers(&judged.counting), numbers(&judged.replayed), judged.wal_through)
}

#[test]
fn flushes_that_the_log_still_holds_are_read_from_it() {
    let flushes = || vec![segment(1, 0, (1, 4), &[]), segment(2, 0, (5, 9), &[]), segment(3, 0, (10, 12), &[])];
    let held = Held::of(5, &[(5, 20)]);
    assert_eq!(judged(flushes(), &without_list(), &held), (vec![1], vec![2, 3], 4));
    // The log begins within a flush: it was listed, or its first frames would be there.
    let held = Held::of(7, &[(7, 20)]);
    assert_eq!(judged(flushes(), &without_list(), &held), (vec![1, 2], vec![3], 9));
    // A frame of the last flush is broken: only the flush has it whole, and so everything before it counts too.
    let held = Held::of(5, &[(5, 10), (12, 20)]);
    assert_eq!(judged(flushes(), &without_list(), &held), (vec![1, 2, 3], vec![], 12));
    assert_eq!(judged(flushes(), &without_list(), &Held::default()), (vec![1, 2, 3], vec![], 12));
}

#[test]
fn of_a_flush_without_its_log_records_the_log_is_read_as_far_as_it_is_there() {
    let spans = || Found { signal: Signal::Traces, ..segment(1, 0, (1, 22), &[]) };
    let logs = segment(2, 0, (1, 22), &[]);
    let held = Held::of(16, &[(16, 22)]);
    assert_eq!(judged(vec![spans()], &without_list(), &held), (vec![1], vec![], 15), "frames 1 to 15 are lost, the others are not");
    assert_eq!(judged(vec![spans(), logs], &without_list(), &held), (vec![1, 2], vec![], 22), "both are there, so the list named them");
}

#[test]
fn a_merge_proves_that_what_it_took_up_was_listed() {
    let found = vec![segment(2, 0, (5, 9), &[]), segment(3, 0, (10, 12), &[]), segment(4, 1, (1, 9), &[1])];
    assert_eq!(judged(found, &without_list(), &Held::of(1, &[(1, 20)])), (vec![2, 4], vec![3], 9));
}

#[test]
fn of_a_merge_and_its_inputs_one_side_counts() {
    let inputs = || vec![segment(1, 0, (1, 4), &[]), segment(2, 0, (5, 9), &[])];
    let held = Held::of(10, &[(10, 20)]);
    let with = |outputs: Vec<Found>| judged(inputs().into_iter().chain(outputs).collect(), &without_list(), &held).0;
    let (first, last) = (part(3, 7, 1, false, (1, 9), &[1, 2]), part(4, 7, 2, true, (1, 9), &[1, 2]));
    assert_eq!(with(vec![first.clone(), last.clone()]), [1, 2], "nothing says that the outputs were listed");
    assert_eq!(with(vec![first.clone()]), [1, 2], "the last output is missing");
    assert_eq!(with(vec![first.clone(), damaged(last.clone())]), [1, 2], "an output is damaged and the inputs are not");
    let listed = Found { listed: true, ..first.clone() };
    assert_eq!(with(vec![listed, last.clone()]), [3, 4], "what is left of the list names an output");
    let one_input = vec![segment(2, 0, (5, 9), &[]), first.clone()];
    assert_eq!(judged(one_input, &without_list(), &held).0, [3], "an input is gone, so the outputs were listed");
    let damaged_input = || vec![damaged(segment(1, 0, (1, 4), &[])), segment(2, 0, (5, 9), &[])];
    let all = damaged_input().into_iter().chain([first.clone(), last]).collect();
    assert_eq!(judged(all, &without_list(), &held).0, [3, 4]);
    let all = damaged_input().into_iter().chain([first]).collect();
    assert_eq!(judged(all, &without_list(), &held).0, [1, 2], "not all outputs are there");
}

#[test]
fn what_was_merged_twice_is_there_once() {
    let held = Held::of(10, &[(10, 20)]);
    // 1 and 2 became 3, and 4 in another part; 3 and 5 became 6. Names of 1 and 2 are there again.
    let made = |number: u64, level, inputs: &[u64], before: &[u64]| {
        let made = segment(number, level, (1, 9), inputs);
        Found { origin: Origin { before: before.iter().copied().map(id).collect(), ..made.origin.clone() }, ..made }
    };
    let old = || vec![segment(1, 0, (1, 4), &[]), segment(2, 0, (5, 9), &[])];
    let rest = part(4, 7, 2, true, (1, 9), &[1, 2]);
    let stacked = made(6, 2, &[3, 5], &[1, 2, 7]);
    let found = old().into_iter().chain([rest.clone(), stacked.clone()]).collect();
    assert_eq!(judged(found, &without_list(), &held).0, [4, 6]);
    // A merge of the same inputs that was thrown away is left over.
    let thrown_away = made(8, 1, &[1, 2], &[]);
    let found = old().into_iter().chain([rest, stacked, thrown_away]).collect();
    assert_eq!(judged(found, &without_list(), &held).0, [4, 6]);
    // Of two merges of what is gone the later one counts.
    assert_eq!(judged(vec![made(8, 1, &[1, 2], &[]), made(9, 1, &[2], &[])], &without_list(), &held).0, [9]);
}

#[test]
fn a_flush_that_was_done_again_counts_once() {
    let held = Held::of(10, &[(10, 20)]);
    let found = || vec![segment(1, 0, (5, 8), &[]), segment(2, 0, (5, 9), &[])];
    assert_eq!(judged(found(), &without_list(), &held).0, [2]);
    let [first, second] = <[Found; 2]>::try_from(found()).unwrap();
    assert_eq!(judged(vec![first, damaged(second)], &without_list(), &held).0, [1, 2]);
}

#[test]
fn a_delete_proves_that_everything_before_it_was_flushed() {
    let delete = Deletion {
        id: id(50),
        what: DeleteWhat::Traces(Vec::new()),
        asked: UnixNanos::new(1),
        rows: [1, 0],
        segments: [id(1)].into(),
        wal_through: 9,
        done: None,
    };
    let known = Known { deletions: [(delete.id, delete)].into(), ..without_list() };
    let found = vec![segment(1, 0, (5, 9), &[]), segment(2, 0, (10, 12), &[])];
    assert_eq!(judged(found, &known, &Held::of(5, &[(5, 20)])), (vec![1], vec![2], 9));
}

#[test]
fn a_whole_list_decides_unless_the_log_can_make_good_what_is_damaged() {
    let listed = |found: &[Found], wal_through| Known {
        contents: Contents {
            segments: found.iter().map(|segment| (segment.id, segment.meta.clone())).collect::<BTreeMap<_, _>>(),
            wal_through,
            next_record_id: 1,
            ..Contents::default()
        },
        ..Known::default()
    };
    let in_list = |segment: Found| Found { listed: true, ..segment };
    let found = vec![in_list(segment(1, 0, (1, 4), &[])), in_list(segment(2, 0, (5, 9), &[]))];
    let held = Held::of(3, &[(3, 20)]);
    let mut with_left_over = found.clone();
    with_left_over.push(Found { listed: false, ..segment(3, 0, (10, 12), &[]) });
    assert_eq!(judged(with_left_over, &listed(&found, 9), &held), (vec![1, 2], vec![], 9));
    // The second flush is damaged, and the log still holds its frames.
    let broken = vec![found[0].clone(), damaged(found[1].clone())];
    assert_eq!(judged(broken.clone(), &listed(&found, 9), &held), (vec![1], vec![2], 4));
    // Here it does not.
    assert_eq!(judged(broken, &listed(&found, 9), &Held::of(10, &[(10, 20)])), (vec![1, 2], vec![], 9));
}

#[test]
fn a_run_that_came_from_the_log_is_a_flush() {
    let mut run = segment(1, 1, (1, 9), &[]);
    run.signal = Signal::Traces;
    assert!(is_flush(&run));
    run.origin.inputs.push(id(7));
    assert!(!is_flush(&run));
}
