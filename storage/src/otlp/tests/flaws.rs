//! What is stored and told to its sender.

use super::*;

const YEAR_2100: u64 = 4_102_444_800_000_000_000;

fn event(time: u64, fields: &[(usize, &[u8])]) -> Vec<u8> {
    [&[0x09], time.to_le_bytes().as_slice(), &message(fields)].concat()
}

fn link(trace_id: &[u8], span_id: &[u8], fields: &[(usize, &[u8])]) -> Vec<u8> {
    [message(&[(1, trace_id), (2, span_id)]), message(fields)].concat()
}

#[test]
fn log_records_with_ids_of_wrong_length_are_kept_without_them_and_warned_of() {
    let cases: [(&[u8], &[u8], u64); 6] = [
        (b"12345", b"12", 2),
        (&[1; 17], &[2; 8], 1),
        (&[1; 16], &[2; 7], 1),
        (&[1; 16], &[2; 8], 0),
        (&[0; 16], &[0; 8], 0),
        (b"", b"", 0),
    ];
    for (trace_id, span_id, wrong) in cases {
        let decoded = logs(log(&[(9, trace_id), (10, span_id)]));
        assert_eq!((decoded.batch.num_rows(), decoded.rejected), (1, 0));
        let log = &rows::logs(&decoded.batch, 0..1).unwrap()[0];
        assert_eq!((log.trace_id.is_some(), log.span_id.is_some()), (trace_id == [1; 16], span_id == [2; 8]));
        let expected: Vec<(Flaw, u64)> = [(Flaw::RecordId, wrong)].into_iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(decoded.flaws, expected, "{trace_id:?} {span_id:?}");
    }
}

#[test]
fn links_without_valid_ids_are_kept_as_sent_and_warned_of() {
    let cases: [(&[u8], &[u8], u64); 6] = [
        (b"123", &[8; 8], 1),
        (&[7; 16], &[8; 9], 1),
        (&[0; 16], &[0; 8], 2),
        (&[0; 16], &[8; 8], 1),
        (b"", b"", 2),
        (&[7; 16], &[8; 8], 0),
    ];
    for (trace_id, span_id, wrong) in cases {
        let decoded = traces(spans(&[&span(&[(13, &link(trace_id, span_id, &[]))])]));
        let stored = &rows::spans(&decoded.batch, 0..1).unwrap()[0].links[0];
        assert_eq!((stored.trace_id.as_slice(), stored.span_id.as_slice()), (trace_id, span_id));
        let expected: Vec<(Flaw, u64)> = [(Flaw::LinkId, wrong)].into_iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!((decoded.rejected, decoded.flaws), (0, expected), "{trace_id:?} {span_id:?}");
    }
}

#[test]
fn odd_times_of_events_are_stored_as_sent_and_warned_of() {
    let now = CONTEXT.now.get();
    let events = [5, YEAR_2100, now, now + DAY, now + DAY + 1].map(|time| event(time, &[(2, b"e")]));
    let fields: Vec<(usize, &[u8])> = events.iter().map(|event| (11, event.as_slice())).collect();
    let decoded = traces(spans(&[&span(&fields)]));
    assert_eq!((decoded.rejected, decoded.flaws), (0, vec![(Flaw::Early, 1), (Flaw::Late, 2)]));
    let events = &rows::spans(&decoded.batch, 0..1).unwrap()[0].events;
    assert_eq!((events[0].time.get(), events[1].time.get()), (5, YEAR_2100));
}

#[test]
fn nothing_is_said_of_the_parts_of_a_refused_span() {
    let fields: [(usize, &[u8]); 3] = [(2, b"short"), (11, &event(5, &[])), (13, &link(b"123", b"", &[]))];
    let decoded = traces(spans(&[&span(&fields)]));
    assert_eq!((decoded.rejected, decoded.flaws), (1, vec![]));
}

#[test]
fn legacy_and_profiles_fields_and_wrong_parents_are_warned_of() {
    let old = message(&[(1, &message(&[(1000, b"")]))]);
    assert_eq!(traces(old).flaws, [(Flaw::LegacyField, 1)]);
    let profile = [message(&[(1, b"k")]), vec![0x18, 0x05]].concat();
    assert_eq!(traces(spans(&[&span(&[(9, &profile)])])).flaws, [(Flaw::ProfilesField, 1)]);
    let wrong_parent = traces(spans(&[&span(&[(4, b"abc")])]));
    assert_eq!(wrong_parent.flaws, [(Flaw::ParentId, 1)]);
    assert!(wrong_parent.batch.column_by_name(column::PARENT_SPAN_ID).unwrap().is_null(0));
}

#[test]
fn spans_that_nothing_but_their_content_tells_apart_are_warned_of() {
    let named = |name: &[u8], start: u64| {
        let mut bytes = span(&[(5, name)]);
        put_times(&mut bytes, start, start);
        bytes
    };
    let now = CONTEXT.now.get();
    let decoded = traces(spans(&[&named(b"one", now), &named(b"two", now), &named(b"two", now), &named(b"three", now - 1)]));
    assert_eq!((decoded.batch.num_rows(), decoded.flaws), (4, vec![(Flaw::SameSpan, 1)]));
    // Sent twice as they are, or told apart by their times.
    assert_eq!(traces(spans(&[&named(b"one", now), &named(b"one", now), &named(b"two", now - 1)])).flaws, []);
}

#[test]
fn odd_times_are_stored_as_sent_and_warned_of() {
    let at = |start: u64, end: u64| {
        let mut bytes = span(&[]);
        put_times(&mut bytes, start, end);
        bytes
    };
    let now = CONTEXT.now.get();
    let decoded = traces(spans(&[&at(now, now - 1), &at(now, 0), &at(1, 2), &at(now, YEAR_2100), &at(now, now)]));
    assert_eq!((decoded.batch.num_rows(), decoded.rejected), (5, 0));
    assert_eq!(decoded.flaws, [(Flaw::SameSpan, 3), (Flaw::EndBeforeStart, 2), (Flaw::Early, 1), (Flaw::Late, 1)]);
    let record = |time: u64, observed: u64| {
        let mut bytes = vec![0x09];
        bytes.extend(time.to_le_bytes());
        bytes.push(0x59);
        bytes.extend(observed.to_le_bytes());
        bytes
    };
    let decoded = logs(spans(&[&record(5, now), &record(0, YEAR_2100), &record(YEAR_2100, now), &record(0, 0), &record(now, now)]));
    assert_eq!((decoded.batch.num_rows(), decoded.rejected), (5, 0));
    assert_eq!(decoded.flaws, [(Flaw::Early, 1), (Flaw::Late, 2)]);
    let log = &rows::logs(&decoded.batch, 2..3).unwrap()[0];
    assert_eq!(log.time_unix_nano.get(), YEAR_2100);
}

#[test]
fn texts_that_are_not_utf8_are_counted_once_wherever_they_stand() {
    let wrong = |key: &[u8]| message(&[(1, key), (2, &message(&[(1, b"\xff")]))]);
    let list = message(&[(5, &message(&[(1, &message(&[(1, b"\xff")])), (1, &message(&[(1, b"fine")]))]))]);
    let exception = event(CONTEXT.now.get(), &[(2, b"exception"), (3, &wrong(b"exception.type"))]);
    let fields: [(usize, &[u8]); 6] = [
        (9, &wrong(b"peer.service")),
        (9, &message(&[(1, b"list"), (2, &list)])),
        (9, &wrong(b"twice")),
        (9, &wrong(b"twice")),
        (11, &exception),
        (13, &link(&[7; 16], &[8; 8], &[(3, b"\xff")])),
    ];
    let resource = message(&[(1, &wrong(b"service.name"))]);
    let part = message(&[(1, &resource), (2, &message(&[(2, &span(&fields))]))]);
    assert_eq!(traces(message(&[(1, &part)])).flaws, [(Flaw::Text, 7)]);
}

#[test]
fn a_value_with_two_members_is_the_last_one_and_warned_of() {
    let two = message(&[(1, b"text"), (7, b"bytes")]);
    let inner = message(&[(5, &message(&[(1, &two), (1, &message(&[(1, b"one")]))]))]);
    let same = message(&[(1, b"first"), (1, b"second")]);
    let pairs = [&two, &inner, &same].map(|value| message(&[(1, b"k"), (2, value)]));
    let decoded = traces(spans(&[&span(&[(9, &pairs[0]), (9, &pairs[1]), (9, &pairs[2])])]));
    assert_eq!(decoded.flaws, [(Flaw::Members, 2)]);
    let span = &rows::spans(&decoded.batch, 0..1).unwrap()[0];
    assert_eq!(span.attributes[0].value, Value::Bytes(b"bytes".to_vec()));
}
