//! What can be wrong with a segment.

/// A file of a segment cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("segment {id}: {detail}")]
pub(crate) struct SegmentError {
    /// Names the files.
    pub(crate) id: ulid::Ulid,
    /// What the caller can do about it.
    pub(crate) kind: SegmentErrorKind,
    /// What failed.
    pub(crate) detail: String,
}

/// Kinds of [`SegmentError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SegmentErrorKind {
    /// The operating system refused; trying again may help.
    Io,
    /// A file is not what it was when it was written, or the caller asked for what is not there.
    Damaged,
    /// The caller asked to stop. Nothing is left behind.
    Stopped,
}

// === impl SegmentError ===

impl SegmentError {
    pub(crate) fn io(id: ulid::Ulid, detail: impl Into<String>) -> Self {
        Self { id, kind: SegmentErrorKind::Io, detail: detail.into() }
    }

    pub(crate) fn damaged(id: ulid::Ulid, detail: impl Into<String>) -> Self {
        Self { id, kind: SegmentErrorKind::Damaged, detail: detail.into() }
    }

    pub(crate) fn stopped(id: ulid::Ulid) -> Self {
        Self { id, kind: SegmentErrorKind::Stopped, detail: "stopped before it was written".to_owned() }
    }
}
