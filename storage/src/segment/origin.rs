//! What a segment says of itself in its Parquet footer, and what it takes the place of: enough to do without the manifest.
//!
//! Owns the keys `throughline.*` of the footer:
//!
//! ```text
//! id       its id
//! format   the version of all this, see `segment/writer.rs`
//! signal   `traces` or `logs`
//! level    0 for a flush, more for merges
//! rows, min_time, max_time   as in the manifest
//! frames   `<first>-<last>`: frames of the log from which rows may come; absent when unknown
//! inputs   ids of the segments that it replaces, separated by spaces; absent when there are none
//! before   ids of the segments that those replaced, and of the groups that all of them were written in; at most the newest 4,096
//! group    an id that all segments written together share
//! part     `<number>`, counted from 1 within the group; `<number> last` for the last one
//! ```
//!
//! `repair` decides by them which files count when the manifest is lost: files of a flush whose frames the log still holds are made
//! again from it, and of a merge either the inputs count or the outputs.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use parquet::file::metadata::KeyValue;
use ulid::Ulid;

use crate::model::UnixNanos;
use crate::store::Signal;

use super::writer::{FORMAT, FORMAT_VERSION};
use super::{Segment, SegmentError};

/// What a segment takes the place of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Origin {
    /// Frames of the log, first and last, from which rows may come.
    pub(crate) frames: Option<(u64, u64)>,
    /// Segments that it replaces, with the others of its group.
    pub(crate) inputs: Vec<Ulid>,
    /// Segments that those replaced, and so on, and the groups that all of them were written in. What is among them was on the list once.
    pub(crate) before: Vec<Ulid>,
}

/// The place of a segment among those that were written together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// Shared by all of them.
    pub(crate) group: Ulid,
    /// Counted from 1.
    pub(crate) number: usize,
    /// Whether none follows.
    pub(crate) last: bool,
}

/// What a footer says of its own segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Recorded {
    pub(crate) id: Ulid,
    pub(crate) signal: Signal,
    pub(crate) level: u8,
    pub(crate) rows: u64,
    pub(crate) min_time: UnixNanos,
    pub(crate) max_time: UnixNanos,
}

// === impl Recorded ===

impl Recorded {
    pub(super) fn to_metadata(self) -> Vec<KeyValue> {
        let pairs = [
            (ID, self.id.to_string()),
            (SIGNAL, self.signal.as_str().to_owned()),
            (LEVEL, self.level.to_string()),
            (MIN_TIME, self.min_time.get().to_string()),
            (MAX_TIME, self.max_time.get().to_string()),
            (ROWS, self.rows.to_string()),
        ];
        pairs.into_iter().map(|(key, value)| KeyValue::new(key.to_owned(), value)).collect()
    }

    /// `None` when any of it is missing or of another form.
    pub(crate) fn from_metadata(pairs: Option<&Vec<KeyValue>>) -> Option<Self> {
        let get = |key: &str| pairs?.iter().find(|pair| pair.key == key)?.value.as_deref();
        let number = |key: &str| get(key)?.parse::<u64>().ok();
        if number(FORMAT)? > u64::from(FORMAT_VERSION) {
            return None;
        }
        Some(Self {
            id: Ulid::from_string(get(ID)?).ok()?,
            signal: [Signal::Traces, Signal::Logs].into_iter().find(|signal| Some(signal.as_str()) == get(SIGNAL))?,
            level: u8::try_from(number(LEVEL)?).ok()?,
            rows: number(ROWS)?,
            min_time: UnixNanos::new(number(MIN_TIME)?),
            max_time: UnixNanos::new(number(MAX_TIME)?),
        })
    }
}

// === impl Origin ===

impl Origin {
    /// Rows of these frames of the log.
    pub(crate) fn flush(frames: &RangeInclusive<u64>) -> Self {
        Self { frames: Some((*frames.start(), *frames.end())), ..Self::default() }
    }

    /// Rows of other segments, which are replaced.
    pub(crate) fn replacing<'a>(inputs: impl IntoIterator<Item = &'a Segment>) -> Result<Self, SegmentError> {
        let origins = inputs.into_iter().map(|segment| {
            let (origin, part) = segment.origin()?;
            Ok((segment.meta().id, origin, part))
        });
        Ok(Self::of(origins.collect::<Result<Vec<_>, SegmentError>>()?))
    }

    /// As [`Self::replacing`], of segments that say this of themselves.
    pub(crate) fn of(inputs: impl IntoIterator<Item = (Ulid, Self, Option<Part>)>) -> Self {
        let (mut origin, mut before) = (Self::default(), BTreeSet::new());
        for (id, input, part) in inputs {
            origin.inputs.push(id);
            before.extend(input.inputs);
            before.extend(input.before);
            before.extend(part.map(|part| part.group));
            origin.frames = match (origin.frames, input.frames) {
                (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
                (known, other) => known.or(other),
            };
        }
        origin.before = before.into_iter().rev().take(MAX_BEFORE).collect();
        origin
    }

    /// As the footer keeps it.
    pub(super) fn to_metadata(&self, part: Part) -> Vec<KeyValue> {
        let mut pairs = Vec::new();
        let mut add = |key: &str, value: String| pairs.push(KeyValue::new(key.to_owned(), value));
        if let Some((first, last)) = self.frames {
            add(FRAMES, format!("{first}-{last}"));
        }
        for (key, ids) in [(INPUTS, &self.inputs), (BEFORE, &self.before)] {
            if !ids.is_empty() {
                add(key, ids.iter().map(Ulid::to_string).collect::<Vec<_>>().join(" "));
            }
        }
        add(GROUP, part.group.to_string());
        add(PART, format!("{}{}", part.number, if part.last { LAST } else { "" }));
        pairs
    }

    /// What the footer says; parts that it does not say, or not in this form, are left open.
    pub(crate) fn from_metadata(pairs: Option<&Vec<KeyValue>>) -> (Self, Option<Part>) {
        let get = |key: &str| pairs?.iter().find(|pair| pair.key == key)?.value.as_deref();
        let frames = get(FRAMES).and_then(|text| {
            let (first, last) = text.split_once('-')?;
            Some((first.parse().ok()?, last.parse().ok()?))
        });
        let ids = |key| get(key).unwrap_or_default().split(' ').filter_map(|id| Ulid::from_string(id).ok()).collect();
        let part = get(GROUP).and_then(|text| Ulid::from_string(text).ok()).zip(get(PART)).and_then(|(group, text)| {
            let number = text.strip_suffix(LAST).unwrap_or(text).parse().ok()?;
            Some(Part { group, number, last: text.ends_with(LAST) })
        });
        (Self { frames, inputs: ids(INPUTS), before: ids(BEFORE) }, part)
    }
}

const ID: &str = "throughline.id";
const SIGNAL: &str = "throughline.signal";
const LEVEL: &str = "throughline.level";
const MIN_TIME: &str = "throughline.min_time";
const MAX_TIME: &str = "throughline.max_time";
const ROWS: &str = "throughline.rows";
const FRAMES: &str = "throughline.frames";
const INPUTS: &str = "throughline.inputs";
const BEFORE: &str = "throughline.before";
const GROUP: &str = "throughline.group";
const PART: &str = "throughline.part";
const LAST: &str = " last";
/// The newest of what came before are those whose files may still be there.
const MAX_BEFORE: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_what_was_not_is_open() {
        let (a, b) = (Ulid::from_parts(1, 2), Ulid::from_parts(3, 4));
        let of = |first, last| Origin::flush(&(first..=last));
        let part = Part { group: b, number: 12, last: true };
        let merged = Origin::of([(a, of(5, 9), Some(part)), (b, of(2, 3), None)]);
        assert_eq!(merged, Origin { frames: Some((2, 9)), inputs: vec![a, b], before: vec![b] });
        let again = Origin::of([(b, merged.clone(), None)]);
        assert_eq!(again, Origin { frames: Some((2, 9)), inputs: vec![b], before: vec![b, a] });
        for last in [true, false] {
            let part = Part { group: b, number: 12, last };
            assert_eq!(Origin::from_metadata(Some(&merged.to_metadata(part))), (merged.clone(), Some(part)));
            assert_eq!(Origin::from_metadata(Some(&Origin::default().to_metadata(part))), (Origin::default(), Some(part)));
        }
        assert_eq!(Origin::from_metadata(None), (Origin::default(), None));
        let recorded = Recorded { id: a, signal: Signal::Logs, level: 2, rows: 7, min_time: UnixNanos::new(3), max_time: UnixNanos::MAX };
        let with_format = |format: u32| {
            let mut pairs = recorded.to_metadata();
            pairs.push(KeyValue::new(FORMAT.to_owned(), format.to_string()));
            pairs
        };
        for format in 1..=FORMAT_VERSION {
            assert_eq!(Recorded::from_metadata(Some(&with_format(format))), Some(recorded));
        }
        assert_eq!(Recorded::from_metadata(Some(&with_format(FORMAT_VERSION + 1))), None);
        for missing in 0..with_format(1).len() {
            let mut pairs = with_format(1);
            pairs.remove(missing);
            assert_eq!(Recorded::from_metadata(Some(&pairs)), None);
        }
        let odd = |key: &str| vec![KeyValue::new(key.to_owned(), "odd".to_owned())];
        for key in [FRAMES, INPUTS, BEFORE, GROUP, PART] {
            assert_eq!(Origin::from_metadata(Some(&odd(key))), (Origin::default(), None));
        }
    }
}
