//! What somebody probably meant.

/// The candidate that takes the fewest edits to reach from `word`, when they are few enough to be a slip.
pub(crate) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // What every flag begins with makes none more alike.
    let limit = word.trim_start_matches('-').chars().count() / 3 + 1;
    candidates
        .map(|candidate| (edits(word, candidate), candidate))
        .filter(|(edits, _)| *edits <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        let mut next = vec![left];
        for (y, above) in b.iter().zip(row.iter().skip(1)) {
            let replaced = diagonal + usize::from(x != *y);
            left = replaced.min(left + 1).min(above + 1);
            diagonal = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_word_and_another_word_does_not() {
        assert_eq!(edits("kitten", "sitting"), 3);
        assert_eq!(nearest("otlp_gprc", ["otlp_http", "otlp_grpc"].into_iter()), Some("otlp_grpc"));
        assert_eq!(nearest("--bogus", ["--log", "--demo"].into_iter()), None);
        assert_eq!(nearest("banana", ["otlp_http", "otlp_grpc"].into_iter()), None);
    }
}
