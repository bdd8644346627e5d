//! Names that a typing mistake could have meant.

/// Up to three names that a typing mistake could have meant, best first.
#[must_use]
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Vec<String> {
    // A longer word is no typing mistake of a known name, and comparing it would take long.
    if name.len() > 32 {
        return Vec::new();
    }
    let mut scored: Vec<_> = known
        .map(|candidate| {
            let prefix = name.len() >= 2 && (candidate.starts_with(name) || name.starts_with(candidate));
            (if prefix { 1 } else { distance(name, candidate) }, candidate)
        })
        .filter(|(score, candidate)| *score <= 2 && *score < candidate.len())
        .collect();
    scored.sort_unstable();
    scored.into_iter().take(3).map(|(_, candidate)| candidate.to_owned()).collect()
}

/// Levenshtein distance by characters.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, y) in row.iter_mut().skip(1).zip(b.chars()) {
            let above = *cell;
            left = (diagonal + usize::from(x != y)).min(above + 1).min(left + 1);
            diagonal = above;
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}
