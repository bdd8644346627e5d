use std::io::Write as _;
use std::time::Duration;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use storage::Gauge;

use super::*;
use crate::admission::Budget;

const LIMIT: usize = 1 << 20;

async fn expanded(coding: Coding, input: Vec<u8>) -> Result<Bytes, Refusal> {
    let budget = Budget::new(64 << 20, Duration::from_millis(10), Gauge::default());
    expand(coding, input.into(), LIMIT, &mut budget.lease()).await
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn zlib(text: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn deflate(text: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn samples(text: &[u8]) -> [(Coding, Vec<u8>); 4] {
    [
        (Coding::Gzip, gzip(text)),
        (Coding::Zstd, zstd::encode_all(text, 1).unwrap()),
        (Coding::Deflate, zlib(text)),
        (Coding::Deflate, deflate(text)),
    ]
}

/// Text that does not compress to nothing.
fn text(len: usize) -> Vec<u8> {
    let mut state = 1_u32;
    (0..len)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0] & 0x3f
        })
        .collect()
}

#[tokio::test]
async fn every_coding_gives_back_what_went_in() {
    for len in [0, 1, 1000, PIECE_BYTES, STEP_BYTES, STEP_BYTES + 1, LIMIT] {
        let text = text(len);
        for (coding, packed) in samples(&text) {
            assert!(expanded(coding, packed).await.unwrap() == text, "{coding:?} {len}");
        }
    }
}

#[tokio::test]
async fn one_byte_over_the_limit_is_too_large() {
    for (coding, packed) in samples(&text(LIMIT + 1)) {
        assert!(matches!(expanded(coding, packed).await, Err(Refusal::TooLarge { .. })), "{coding:?}");
    }
}

#[tokio::test]
async fn a_stream_cut_anywhere_is_refused() {
    for (coding, packed) in samples(&text(300)) {
        for cut in 0..packed.len() {
            let result = expanded(coding, packed[..cut].to_vec()).await;
            assert!(matches!(result, Err(Refusal::Malformed(_))), "{coding:?} cut at {cut}: {result:?}");
        }
    }
}

#[tokio::test]
async fn garbage_after_the_stream_is_refused() {
    for (coding, mut packed) in samples(&text(300)) {
        packed.extend_from_slice(b"garbage");
        assert!(matches!(expanded(coding, packed).await, Err(Refusal::Malformed(_))), "{coding:?}");
    }
}

#[tokio::test]
async fn a_wrong_checksum_is_refused() {
    let mut packed = gzip(b"hello");
    let at = packed.len() - 6;
    packed[at] ^= 1;
    assert!(matches!(expanded(Coding::Gzip, packed).await, Err(Refusal::Malformed(_))));
}

#[tokio::test]
async fn all_members_of_a_gzip_stream_are_read() {
    let packed = [gzip(b"one, "), gzip(b""), gzip(b"two")].concat();
    assert_eq!(expanded(Coding::Gzip, packed).await.unwrap(), "one, two");
}

/// What a bomb may hold is bounded by the room it asks for, which is all that is ever written to.
#[tokio::test]
async fn a_bomb_stops_at_the_limit() {
    let zeros = vec![0; 64 << 20];
    for (coding, packed) in samples(&zeros) {
        assert!(packed.len() < 1 << 20);
        let gauge = Gauge::default();
        let budget = Budget::new(256 << 20, Duration::from_millis(10), gauge.clone());
        let mut lease = budget.lease();
        let compressed = packed.len();
        let result = expand(coding, packed.into(), LIMIT, &mut lease).await;
        assert!(matches!(result, Err(Refusal::TooLarge { .. })), "{coding:?}");
        let held = usize::try_from(gauge.get()).unwrap();
        assert!(held <= compressed + LIMIT + 2 * STEP_BYTES, "{coding:?} held {held}");
    }
}

#[tokio::test]
async fn a_zstd_window_beyond_8_mib_is_refused() {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(27).unwrap();
    encoder.include_contentsize(false).unwrap();
    encoder.write_all(&text(1000)).unwrap();
    let packed = encoder.finish().unwrap();
    let Err(Refusal::Malformed(message)) = expanded(Coding::Zstd, packed).await else { panic!() };
    assert!(message.contains("more than 8 MiB, which is the largest taken"), "{message}");
}

#[test]
fn names_are_read_in_any_case_and_stacks_are_refused() {
    for (name, coding) in [
        ("gzip", Coding::Gzip),
        ("GZIP", Coding::Gzip),
        ("x-gzip", Coding::Gzip),
        ("zstd", Coding::Zstd),
        ("deflate", Coding::Deflate),
        ("identity", Coding::Identity),
        ("", Coding::Identity),
        ("identity, gzip", Coding::Gzip),
    ] {
        assert_eq!(Coding::parse(name).unwrap(), coding, "{name}");
    }
    for name in ["br", "gzip, gzip", "snappy", "gzip\u{7f}"] {
        assert!(matches!(Coding::parse(name), Err(Refusal::Coding { .. })), "{name}");
    }
}
