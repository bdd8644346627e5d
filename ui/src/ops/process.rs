//! What the operating system says of this process.

use std::fmt::Write as _;
use std::fs;
use std::time::{Duration, Instant};

use serde::Serialize;

/// A moment's reading. Where `/proc` is not there, memory and processor time are not known and left out.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Process {
    uptime_seconds: f64,
    resident_bytes: Option<u64>,
    cpu_seconds: Option<f64>,
    open_files: Option<usize>,
}

impl Process {
    pub(crate) fn read(started: Instant) -> Self {
        Self {
            uptime_seconds: seconds(started.elapsed()),
            resident_bytes: fs::read_to_string("/proc/self/status").ok().as_deref().and_then(resident_bytes),
            cpu_seconds: fs::read_to_string("/proc/self/stat").ok().as_deref().and_then(cpu_seconds),
            open_files: fs::read_dir("/proc/self/fd").ok().map(Iterator::count),
        }
    }

    /// Bytes of memory that this process holds, where that is known.
    pub(crate) fn resident_bytes(&self) -> Option<u64> {
        self.resident_bytes
    }

    /// Appends the series under the names that Prometheus clients use.
    pub(super) fn render(&self, out: &mut String) {
        gauge(out, "throughline_uptime_seconds", "Time since start.", self.uptime_seconds);
        if let Some(bytes) = self.resident_bytes {
            gauge(out, "process_resident_memory_bytes", "Memory in use.", bytes);
        }
        if let Some(seconds) = self.cpu_seconds {
            series(out, "process_cpu_seconds_total", "Processor time used.", "counter", seconds);
        }
        if let Some(files) = self.open_files {
            gauge(out, "process_open_fds", "Open files and sockets.", files);
        }
    }
}

fn gauge(out: &mut String, name: &str, help: &str, value: impl std::fmt::Display) {
    series(out, name, help, "gauge", value);
}

fn series(out: &mut String, name: &str, help: &str, kind: &str, value: impl std::fmt::Display) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}");
}

/// `VmRSS` of `/proc/self/status`, in kB.
fn resident_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

/// User and system time of `/proc/self/stat`, fields 14 and 15, after the name in parentheses that may hold spaces.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u32>).sum::<Result<u32, _>>().ok()?;
    Some(f64::from(ticks) / TICKS_PER_SECOND)
}

fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e3).round() / 1e3
}

/// What Linux tells programs, whatever its own tick is.
const TICKS_PER_SECOND: f64 = 100.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_proc_are_found() {
        assert_eq!(resident_bytes("Name:\tx\nVmRSS:\t  2048 kB\n"), Some(2_097_152));
        let stat = "42 (a) b) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0";
        assert_eq!(cpu_seconds(stat), Some(3.0));
    }
}
