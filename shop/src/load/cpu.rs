//! How much processor time this process has used.

/// Seconds in user and system mode, in steps of ten milliseconds. `None` where the system does not say.
pub(super) fn seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name in parentheses may hold spaces; the fields behind it do not. 14 and 15 are utime and stime.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let (user, system): (u32, u32) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(f64::from(user + system) / TICKS_PER_SECOND)
}

/// What Linux reports to user space, whatever the kernel's own tick is.
const TICKS_PER_SECOND: f64 = 100.0;
