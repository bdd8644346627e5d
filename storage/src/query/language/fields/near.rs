//! Names that a typing mistake could have meant.

/// Up to three names that a typing mistake could have meant, best first: those that differ in one letter of three or fewer, at most two,
/// where neighbours that changed places count as one; and those of which one is the beginning of the other.
#[must_use]
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Vec<String> {
    // A longer word is no typing mistake of a known name, and comparing it would take long.
    if name.len() > 32 {
        return Vec::new();
    }
    let is_beginning =
        |candidate: &str| (name.len() >= 2 && candidate.starts_with(name)) || (candidate.len() >= 3 && name.starts_with(candidate));
    let score = |candidate| match candidate {
        _ if is_beginning(candidate) => (1, 2, candidate),
        _ if has_words_of(candidate, name) => (2, 2, candidate),
        _ => (distance(name, candidate), near(name, candidate), candidate),
    };
    let mut scored: Vec<_> =
        known.map(score).filter(|(score, most, _)| score <= most).map(|(score, _, candidate)| (score, candidate)).collect();
    scored.sort_unstable();
    scored.into_iter().take(3).map(|(_, candidate)| candidate.to_owned()).collect()
}

/// Whether a name is made of parts of a longer one, in their order: `http.statuscode` of `http.response.status_code`.
fn has_words_of(candidate: &str, name: &str) -> bool {
    let separators = ['.', '_', '-'];
    let mut rest = candidate.replace(separators, "");
    let letters = name.chars().filter(|c| !separators.contains(c)).count();
    letters >= 6
        && rest.chars().count() > letters
        && name.split(separators).all(|word| {
            let after = rest.find(word).map(|at| rest.split_off(at + word.len()));
            after.is_some_and(|after| {
                rest = after;
                true
            })
        })
}

/// As many letters may differ.
fn near(a: &str, b: &str) -> usize {
    (a.chars().count().min(b.chars().count()) / 3).min(2)
}

/// How many letters must be put in, left out, replaced or swapped with their neighbour to make one of the other.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut above: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let at = |row: &[usize], place: usize| row.get(place).copied().unwrap_or(usize::MAX - 1);
            let replaced = at(&row, j) + usize::from(x != y);
            let is_swapped = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            let swapped = if is_swapped { at(&above, j - 1) + 1 } else { usize::MAX };
            next.push(replaced.min(at(&row, j + 1) + 1).min(at(&next, j) + 1).min(swapped));
        }
        above = std::mem::replace(&mut row, next);
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_near_is_a_typing_mistake() {
        let known = ["q", "to", "from", "limit", "service", "root"];
        let near = |name: &str| nearest(name, known.into_iter()).join(" ");
        for (name, meant) in [("form", "from"), ("sevrice", "service"), ("limt", "limit"), ("services", "service"), ("serv", "service")] {
            assert_eq!(near(name), meant, "{name}");
        }
        for name in ["foo", "tofu", "a", "", "x1", "zzzzzzz"] {
            assert_eq!(near(name), "", "{name}");
        }
        let keys = ["http.response.status_code", "http.request.method", "db.system.name"];
        for name in ["http.statuscode", "http.status", "status_code", "http.response.code"] {
            assert_eq!(nearest(name, keys.into_iter()), ["http.response.status_code"], "{name}");
        }
        assert_eq!(nearest("code.http", keys.into_iter()), Vec::<String>::new());
        assert_eq!((distance("ab", "ba"), distance("abc", ""), distance("kitten", "sitting")), (1, 3, 3));
    }
}
