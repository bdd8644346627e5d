//! Has the log go on in another file in time, so that rows leave it as fast as they leave segments.

use crate::buffer::Reach;
use crate::model::UnixNanos;
use crate::retention::nanos;
use crate::wal::LEAST_FILE_BYTES;

use super::Merger;

/// A file of the log that frames are written to.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct LogFile {
    first_seq: u64,
    /// Since when it is known that there are frames in it, or when it was last asked for another.
    since: UnixNanos,
}

impl Merger {
    /// Where rows have an age, a file that has had frames for long enough is let go: memory is brought to segments, and the log goes on in
    /// another file. On a disk without room for one it goes on in this.
    pub(super) fn renew_log(&mut self) {
        let Some(most) = self.retention.log_file_age() else { return };
        let now = self.clock.now();
        let Some(first_seq) = self.wal.file_with_frames() else { return };
        let is_known = |file: &LogFile| file.first_seq == first_seq && file.since <= now;
        let since = self.log_file.filter(is_known).map_or(now, |file| file.since);
        let is_due = now.since(since) >= nanos(most) && self.disk.has_room_for(LEAST_FILE_BYTES);
        // It is asked for once, and again after as long.
        self.log_file = Some(LogFile { first_seq, since: if is_due { now } else { since } });
        if is_due {
            self.wal.rotate();
            self.wake.flush(Reach::All);
        }
    }
}
