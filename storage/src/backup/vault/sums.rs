//! The list of a moment's files, and which names they may have.

use super::HEAD;
use crate::memo;

/// A file: name, bytes, crc32c.
pub(in super::super) type Summed = (String, u64, u32);

/// Whether a name is one that a data folder has: it comes from a stream and becomes a path.
pub(super) fn is_name(name: &str) -> bool {
    let plain = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.') && !text.starts_with('.');
    match name.split('/').collect::<Vec<_>>().as_slice() {
        ["FORMAT"] | ["manifest", "log"] => true,
        ["wal", file] => plain(file),
        ["seg", "traces" | "logs", file] => plain(file),
        ["memo", file] => memo::KEPT.contains(file),
        _ => false,
    }
}

/// The list of a moment's files.
pub(super) fn written(files: &[Summed]) -> String {
    let mut text = format!("{HEAD}\n");
    for (name, bytes, crc) in files {
        text.push_str(&format!("{crc:08x} {bytes} {name}\n"));
    }
    text.push_str(&format!("crc32c {:08x}\n", crc32c::crc32c(text.as_bytes())));
    text
}

/// `None` when it is not whole.
pub(super) fn read(bytes: &[u8]) -> Option<Vec<Summed>> {
    let text = str::from_utf8(bytes).ok()?;
    let at = text.trim_end().rfind('\n')? + 1;
    let (body, sum) = text.split_at_checked(at)?;
    if sum != format!("crc32c {:08x}\n", crc32c::crc32c(body.as_bytes())) {
        return None;
    }
    let mut lines = body.lines();
    if lines.next()? != HEAD {
        return None;
    }
    let read = |line: &str| {
        let mut words = line.splitn(3, ' ');
        let (crc, bytes, name) = (words.next()?, words.next()?, words.next().filter(|name| is_name(name))?);
        Some((name.to_owned(), bytes.parse().ok()?, u32::from_str_radix(crc, 16).ok()?))
    };
    lines.map(read).collect()
}
