//! Rows that would read alike, and what each of them is in: the nearest spans above that differ.

use std::collections::HashMap;

use super::ways::{Way, Ways};
use crate::view::format;

/// What each row is in, as `in step 3`; empty for rows that no other reads like.
pub(super) fn told(rows: &[Way], ways: &Ways) -> Vec<String> {
    let mut told = vec![String::new(); rows.len()];
    let mut above: Vec<Option<&Way>> = rows.iter().map(|row| ways.above(row)).collect();
    for _ in 0..MOST_LEVELS {
        let alike = alike(rows, &told);
        if alike.is_empty() {
            break;
        }
        for row in alike.into_iter().filter(|rows| differ(rows, &above)).flatten() {
            let (Some(told), Some(shown)) = (told.get_mut(row), rows.get(row)) else { continue };
            let separator = if told.is_empty() { "" } else { ", " };
            let place = above.get(row).copied().flatten().map_or_else(|| "at the top".to_owned(), |way| named(way, shown));
            told.push_str(&format!("{separator}{place}"));
        }
        for way in &mut above {
            *way = way.and_then(|way| ways.above(way));
        }
    }
    for row in alike(rows, &told).into_iter().flatten() {
        let (Some(told), Some(shown)) = (told.get_mut(row), rows.get(row)) else { continue };
        *told = format!("in level {}", shown.depth + 1);
    }
    told
}

/// Rows by what they read like, where that is more than one.
fn alike(rows: &[Way], told: &[String]) -> Vec<Vec<usize>> {
    let mut known: HashMap<(&str, &str, &str), Vec<usize>> = HashMap::new();
    for ((at, row), told) in rows.iter().enumerate().zip(told) {
        known.entry((&row.service, &row.name, told)).or_default().push(at);
    }
    known.into_values().filter(|rows| rows.len() > 1).collect()
}

/// Whether what stands above rows tells any of them from the others.
fn differ(rows: &[usize], above: &[Option<&Way>]) -> bool {
    let mut names = rows.iter().map(|row| above.get(*row).copied().flatten().map(|way| (&way.service, &way.name)));
    let first = names.next();
    names.any(|name| Some(name) != first)
}

/// A span above a row, with its service where that is another.
fn named(way: &Way, row: &Way) -> String {
    let name = format::name(&way.name);
    if way.service == row.service { format!("in {name}") } else { format!("in {} {name}", format::name(&way.service)) }
}

/// Spans above a row that are looked at.
const MOST_LEVELS: usize = 8;
