//! What the operating system says of this process, which it does in files.

use std::fs;

/// Bytes of memory of this process that are not of files; `None` when the system does not say.
pub(crate) fn memory_taken() -> Option<u64> {
    let said = fs::read_to_string("/proc/self/status").ok()?;
    let line = said.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_says_what_is_taken() {
        let held = vec![1_u8; 64 << 20];
        assert!(memory_taken().unwrap() >= held.len() as u64);
    }
}
