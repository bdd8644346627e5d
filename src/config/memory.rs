//! How much memory this process may take, and how that is shared out where nobody has written a share.
//!
//! Owns the limits that the system sets: control groups of both versions, and what the machine has. The smallest counts.

use std::fs;
use std::path::Path;

/// Shares that add up to less than the whole: what is not counted (decoding, merging, indexes, the allocator's own) needs room too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shares {
    /// Rows in memory at which a flush begins. Four times as many may be there.
    pub(crate) buffer: usize,
    /// Requests being received or stored.
    pub(crate) in_flight: usize,
    /// The largest request.
    pub(crate) message: usize,
    /// All SQL statements.
    pub(crate) query: usize,
    /// Questions that run at once.
    pub(crate) questions: usize,
}

// === impl Shares ===

impl Shares {
    /// Of this many bytes; `None` when it is not known how many there are. A small disk has a small buffer too, since the log holds it.
    pub(crate) fn of(limit: Option<u64>, disk: Option<u64>) -> Self {
        let limit = limit.unwrap_or(u64::MAX);
        let share = |part: u64, least: u64, most: u64| usize::try_from((limit / part).clamp(least, most)).unwrap_or(usize::MAX);
        let in_flight = share(16, 8 * MIB, 256 * MIB);
        let buffer_on_disk = disk.map_or(u64::MAX, |disk| (disk / 32).max(MIB));
        Self {
            buffer: share(80, 4 * MIB, (56 * MIB).min(buffer_on_disk).max(4 * MIB))
                .min(usize::try_from(buffer_on_disk).unwrap_or(usize::MAX)),
            in_flight,
            message: in_flight.min(64 << 20),
            query: share(16, 16 * MIB, 1024 * MIB),
            questions: usize::try_from(limit / (384 * MIB)).unwrap_or(usize::MAX).clamp(1, 4),
        }
    }
}

/// Rows in memory at which senders wait, where a flush begins with `buffer` bytes of them: four times as many, and less on a small disk, where
/// what the log may take of them is set aside.
pub(crate) fn rows(buffer: usize, disk: Option<u64>) -> usize {
    let part = disk.map_or(usize::MAX, |disk| usize::try_from(disk / 6).unwrap_or(usize::MAX));
    buffer.saturating_mul(4).min(part).max(buffer.saturating_mul(2))
}

/// Bytes that this process may take; `None` when the system does not say.
pub(crate) fn limit() -> Option<u64> {
    [version2(Path::new("/")), version1(Path::new("/")), total(Path::new("/"))].into_iter().flatten().min()
}

/// The smallest limit of the process's group and of the groups around it.
fn version2(root: &Path) -> Option<u64> {
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    let own = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    limits(&root.join("sys/fs/cgroup"), own, "memory.max")
}

fn version1(root: &Path) -> Option<u64> {
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    let own = groups.lines().find_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        controllers.split(',').any(|controller| controller == "memory").then_some(path)
    })?;
    limits(&root.join("sys/fs/cgroup/memory"), own, "memory.limit_in_bytes")
}

fn limits(mount: &Path, own: &str, file: &str) -> Option<u64> {
    let own = mount.join(own.trim_start_matches('/'));
    let groups = own.ancestors().take_while(|group| group.starts_with(mount));
    // `max`, or a number near 2^63, stands for no limit.
    groups.filter_map(|group| fs::read_to_string(group.join(file)).ok()?.trim().parse::<u64>().ok()).min()
}

fn total(root: &Path) -> Option<u64> {
    let said = fs::read_to_string(root.join("proc/meminfo")).ok()?;
    let line = said.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

const MIB: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn root(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    #[test]
    fn the_smallest_limit_of_a_group_and_those_around_it_counts() {
        let root = root(&[
            ("proc/self/cgroup", "0::/pod/box\n"),
            ("sys/fs/cgroup/pod/memory.max", "536870912\n"),
            ("sys/fs/cgroup/pod/box/memory.max", "max\n"),
            ("proc/meminfo", "MemTotal:       2048 kB\nMemFree: 1 kB\n"),
        ]);
        assert_eq!(version2(root.path()), Some(536_870_912));
        assert_eq!(version1(root.path()), None);
        assert_eq!(total(root.path()), Some(2_097_152));
    }

    #[test]
    fn a_group_of_the_first_version_is_found_by_its_controller() {
        let root = root(&[
            ("proc/self/cgroup", "5:cpu,memory:/docker/x\n3:freezer:/\n"),
            ("sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes", "268435456\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
        ]);
        assert_eq!((version1(root.path()), version2(root.path())), (Some(268_435_456), None));
    }

    #[test]
    fn shares_shrink_with_the_limit_and_stay_within_bounds() {
        let plenty = Shares::of(None, None);
        assert_eq!((plenty.buffer, plenty.in_flight, plenty.message, plenty.query), (56 << 20, 256 << 20, 64 << 20, 1 << 30));
        let small = Shares::of(Some(512 * MIB), None);
        assert!(4 * small.buffer + small.in_flight + small.query < 128 << 20, "{small:?}");
        assert_eq!((small.in_flight, small.message), (32 << 20, 32 << 20));
        assert_eq!(Shares::of(None, Some(64 * MIB)).buffer, 2 << 20);
        assert_eq!([(1, None), (1, Some(24)), (2, Some(24)), (2, Some(6))].map(|(buffer, disk)| rows(buffer, disk)), [4, 4, 4, 4]);
    }
}
