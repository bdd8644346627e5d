//! Older versions of spans, which roll-ups count and answers must not: what a roll-up tells of them, so that they can be taken off.

use super::super::question::QueryError;
use super::super::scan::Control;
use super::view::{self, View};
use super::{Amount, Item, Moment, Predicate, Question, Snapshot, TimeRange};
use crate::model::UnixNanos;
use crate::segment::{RowRanges, Segment};
use crate::store::Signal;

/// What a roll-up tells of a span.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) service: Box<str>,
    pub(super) name: Box<str>,
    pub(super) kind: i32,
    pub(super) status: i32,
    pub(super) entry: bool,
    pub(super) start: u64,
    pub(super) duration: u64,
}

/// Reads what the roll-up of a segment tells of some rows. The error inside says what could not be read.
pub(super) fn told(segment: &Segment, rows: &RowRanges, control: &Control) -> Result<Result<Vec<Told>, String>, QueryError> {
    let (snapshot, filter) = (Snapshot::default(), Predicate::all());
    let question = Question {
        snapshot: &snapshot,
        signal: Signal::Traces,
        range: TimeRange::ALL,
        names: true,
        bare: false,
        in_shares: false,
        moment: Moment::Nothing,
        filter: &filter,
    };
    let unreadable = |error| Ok(Err(format!("a part of the data could not be read: {error}")));
    let mut found = Vec::new();
    let batches = match segment.read(&view::columns(&question), Some(rows)) {
        Ok(batches) => batches,
        Err(error) => return unreadable(error),
    };
    for batch in batches {
        control.check()?;
        let batch = match batch {
            Ok(batch) => batch,
            Err(error) => return unreadable(error),
        };
        let view = View::of(&question, &batch)?;
        found.extend((0..batch.num_rows()).map(|row| view.owned(row)));
    }
    Ok(Ok(found))
}

impl Told {
    /// As an item of a window that begins at `from`.
    pub(super) fn item(&self, from: UnixNanos, amount: Amount<'static>) -> Item<'_> {
        Item {
            signal: Signal::Traces,
            service: &self.service,
            name: &self.name,
            kind: self.kind,
            status: self.status,
            entry: self.entry,
            time: self.start.max(from.get()),
            amount,
        }
    }
}
