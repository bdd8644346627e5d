//! The bytes of the log, whatever they are.

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn frames_round_trip(
        payload in proptest::collection::vec(any::<u8>(), 0..300), seq in 1u64.., synced: u64, times: (u64, u64, u64),
        counts: (u32, u32), hash: [u8; 16], kind: (bool, bool), first_seq: u64,
    ) {
        let record = Record {
            signal: if kind.0 { Signal::Logs } else { Signal::Traces },
            ingest_time: UnixNanos::new(times.0), retention: times.1, first_record_id: times.2,
            accepted: counts.0, rejected: counts.1, hash, raw_len: counts.0, compressed: kind.1, payload: Bytes::from(payload),
        };
        let mut bytes = vec![1];
        frame::encode(&mut bytes, first_seq, seq, synced, &record);
        let end = bytes.len();
        prop_assert_eq!(end - 1, frame::encoded_len(&record));
        bytes.extend([0; 8]);
        let bytes = Bytes::from(bytes);
        prop_assert_eq!(frame::decode(&bytes, 1, first_seq), frame::Next::Frame(Frame { seq, synced, record }, end));
        prop_assert_eq!(frame::decode(&bytes, end, first_seq), frame::Next::End);
    }

    #[test]
    fn arbitrary_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let bytes = Bytes::from(bytes);
        let _ = frame::decode_header(&bytes);
        let _ = frame::decode(&bytes, 0, 1);
        let _ = frame::find_after(&bytes, 0, 1, 0);
    }
}
