//! What the list of segments says of the files of the log.

use super::Keeper;
use crate::manifest::{Change, CommitError};

// === impl Keeper ===

impl Keeper {
    /// Records that the log goes on in the file that begins with this frame: when it is gone one day, that is noticed.
    pub(crate) fn log_begun(&self, first_seq: u64) -> Result<(), CommitError> {
        let mut manifest = self.manifest.lock();
        let known = manifest.contents();
        if first_seq <= known.log_begun && known.log_ended == 0 {
            return Ok(());
        }
        self.commit(&mut manifest, Change { log_begun: first_seq, ..Change::default() })
    }

    /// Records that the log ended before this frame in good order, with everything in segments: whatever becomes of it then takes nothing.
    pub(crate) fn log_ended(&self, next_seq: u64) -> Result<(), CommitError> {
        self.commit(&mut self.manifest.lock(), Change { log_ended: next_seq, ..Change::default() })
    }

    /// Whether that is what the list says.
    pub(crate) fn has_log_ended(&self) -> bool {
        self.manifest.lock().contents().log_ended > 0
    }
}
