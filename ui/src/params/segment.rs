//! Names that senders chose, as segments of a path.
//!
//! A browser takes `.` and `..` out of a path, encoded or not, and an empty segment is no segment. Such a name is written with `~` before
//! it, and so is one that looks like that already: any name leads to its own page, and no two to the same.

use serde::Deserialize;

use super::encoded;

/// A name that was read from a path.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(from = "String")]
pub(crate) struct Segment(pub(crate) String);

// === impl Segment ===

impl Segment {
    /// How a name is written in a path.
    pub(crate) fn of(name: &str) -> String {
        if is_lost(name) { format!("~{}", encoded(name)) } else { encoded(name) }
    }
}

impl From<String> for Segment {
    fn from(written: String) -> Self {
        match written.strip_prefix('~') {
            Some(name) if is_lost(name) => Self(name.to_owned()),
            _ => Self(written),
        }
    }
}

/// Whether a path would lose the name, or another name is written like it.
fn is_lost(name: &str) -> bool {
    matches!(name.trim_start_matches('~'), "" | "." | "..")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_name_comes_back_from_its_path(name in prop_oneof!["\\PC*", "[~.]{0,5}", any::<String>()]) {
            let written = Segment::of(&name);
            let decoded = String::from_utf8(crate::params::decoded(&written)).unwrap();
            prop_assert_eq!(Segment::from(decoded).0, name);
            prop_assert!(!matches!(written.as_str(), "" | "." | "..") && !written.contains('/'));
        }
    }

    #[test]
    fn names_that_paths_hold_are_written_as_they_are() {
        assert_eq!(["", "..", "~", "...", "~a", "a/b"].map(Segment::of), ["~", "~..", "~~", "...", "~a", "a%2Fb"]);
    }
}
