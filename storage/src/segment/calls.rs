//! The roll-up of calls of a segment: its blobs `roll.edge` and `roll.edge.cells`.

use super::{ROLL_EDGE, ROLL_EDGE_CELLS, Segment, bundle};
use crate::calls::{CallRoll, Unit, UnitHead};

impl Segment {
    /// What is known of its units, read each time; `None` when there is no roll-up of calls that can be used.
    pub(crate) fn call_roll(&self) -> Option<CallRoll> {
        let blob = self.usable(ROLL_EDGE, self.index.as_ref()?.bundle.read(ROLL_EDGE))??;
        self.usable(ROLL_EDGE, CallRoll::decode(&blob))?
    }

    /// The cells of one of its units.
    pub(crate) fn call_unit(&self, head: &UnitHead) -> Option<Unit> {
        let bundle = &self.index.as_ref()?.bundle;
        let blob = bundle.find(ROLL_EDGE_CELLS)?;
        let read = || {
            let end = head.offset.checked_add(head.len.into()).filter(|end| *end <= blob.len);
            end.ok_or_else(|| bundle::damaged("a unit lies behind the end"))?;
            let bytes = bundle.file().bytes_at(blob.offset + head.offset, head.len as usize)?;
            head.decode(&bytes).map_err(bundle::damaged)
        };
        self.usable(ROLL_EDGE_CELLS, read())
    }

    /// All of it, to be taken over by another segment.
    pub(super) fn whole_call_roll(&self) -> Option<(CallRoll, Vec<u8>)> {
        let roll = self.call_roll()?;
        let cells = self.usable(ROLL_EDGE_CELLS, self.index.as_ref()?.bundle.read(ROLL_EDGE_CELLS))??;
        Some((roll, cells))
    }
}
