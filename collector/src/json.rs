//! OTLP/JSON to OTLP protobuf.
use crate::warnings::Warnings;
use bytes::Bytes;
use storage::Signal;
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) rejected: u64,
    pub(crate) first_rejection: Option<String>,
    pub(crate) warnings: Warnings,
}
pub(crate) struct Transcoded {
    pub(crate) payload: Bytes,
    pub(crate) notes: Notes,
}
pub(crate) fn transcode(_s: Signal, _t: &[u8]) -> Result<Transcoded, String> {
    Err("OTLP/JSON is not read yet; send application/x-protobuf".into())
}
