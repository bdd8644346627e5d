//! Names that differ in numbers alone, such as `item 1` and `item 2`: what instrumentation makes of one operation when it names each of its
//! spans after what it works on. Looked for once per trace and version.

use std::collections::HashMap;

/// A name with a `#` for each of its numbers.
#[must_use]
pub fn unnumbered(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        if !c.is_ascii_digit() {
            out.push(c);
        } else if !out.ends_with('#') {
            out.push('#');
        }
    }
    out
}

/// For each name the place of the first that is like it but for its numbers.
pub(super) fn alike(names: &[String]) -> Vec<u32> {
    let mut first: HashMap<String, u32> = HashMap::new();
    let of = |(place, name): (u32, &String)| {
        let has_number = name.bytes().any(|byte| byte.is_ascii_digit());
        if has_number { *first.entry(unnumbered(name)).or_insert(place) } else { place }
    };
    (0..).zip(names).map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_alike_that_differ_in_numbers_alone() {
        let names = ["item 1", "load", "item 22", "item", "item 3 of 4", "v2", "v10"].map(str::to_owned);
        assert_eq!(alike(&names), [0, 1, 0, 3, 4, 5, 5]);
        assert_eq!([unnumbered("item 3 of 40"), unnumbered("load")], ["item # of #", "load"]);
    }
}
