//! The shop's clock. The crate depends on none of Throughline's, so it cannot borrow theirs.

use std::time::{SystemTime, UNIX_EPOCH};

/// Nanoseconds since 1970.
#[expect(clippy::disallowed_methods, reason = "the one caller in this crate, which must not depend on storage")]
pub(crate) fn unix_nanos() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX)
}
