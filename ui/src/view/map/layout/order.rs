//! The order within layers: items go to the middle of their neighbours, and neighbours change places while fewer lines cross by it.

use super::{Item, Layers};

/// Orders all layers; keeps the best of a fixed number of passes.
pub(super) fn untangle(layers: &mut Layers) -> Option<()> {
    let mut at = vec![0_usize; layers.items.len()];
    number(&layers.rows, &mut at)?;
    let mut best = (crossings(layers, &at)?, layers.rows.clone());
    for pass in 0..PASSES {
        if best.0 == 0 {
            break;
        }
        let is_forward = pass % 2 == 0;
        let count = layers.rows.len();
        for index in 0..count {
            let index = if is_forward { index } else { count - 1 - index };
            sweep(layers, index, is_forward, &mut at)?;
        }
        for index in 0..count {
            exchange(layers, index, &mut at)?;
        }
        let crossed = crossings(layers, &at)?;
        if crossed < best.0 {
            best = (crossed, layers.rows.clone());
        }
    }
    layers.rows = best.1;
    Some(())
}

fn number(rows: &[Vec<usize>], at: &mut [usize]) -> Option<()> {
    rows.iter().try_for_each(|row| number_row(row, at))
}

fn number_row(row: &[usize], at: &mut [usize]) -> Option<()> {
    for (place, item) in row.iter().enumerate() {
        *at.get_mut(*item)? = place;
    }
    Some(())
}

fn side(item: &Item, is_left: bool) -> &[(usize, f64)] {
    if is_left { &item.left } else { &item.right }
}

/// Sorts one layer by the middle of the neighbours on one side.
fn sweep(layers: &mut Layers, index: usize, is_left: bool, at: &mut [usize]) -> Option<()> {
    let Layers { items, rows, .. } = layers;
    let row = rows.get_mut(index)?;
    let mut wishes: Vec<(f64, usize)> = Vec::with_capacity(row.len());
    for item in row.iter() {
        let around = side(items.get(*item)?, is_left);
        let sum: usize = around.iter().filter_map(|(other, _)| at.get(*other)).sum();
        let own = *at.get(*item)? as f64;
        wishes.push((if around.is_empty() { own } else { sum as f64 / around.len() as f64 }, *item));
    }
    // Stable, so that what wishes for the same place keeps its order.
    wishes.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    *row = wishes.into_iter().map(|(_, item)| item).collect();
    number_row(row, at)
}

/// Lets neighbours of a layer change places while fewer lines cross by it.
fn exchange(layers: &mut Layers, index: usize, at: &mut [usize]) -> Option<()> {
    let Layers { items, rows, .. } = layers;
    let row = rows.get_mut(index)?;
    for _ in 0..EXCHANGES {
        let mut is_better = false;
        for place in 1..row.len() {
            let (upper, lower) = (*row.get(place - 1)?, *row.get(place)?);
            if crossed(items, lower, upper, at)? < crossed(items, upper, lower, at)? {
                row.swap(place - 1, place);
                is_better = true;
            }
        }
        if !is_better {
            break;
        }
    }
    number_row(row, at)
}

/// How often lines of two items of a layer cross when one stands above the other.
fn crossed(items: &[Item], upper: usize, lower: usize, at: &[usize]) -> Option<usize> {
    let (upper, lower) = (items.get(upper)?, items.get(lower)?);
    let mut count = 0;
    for is_left in [true, false] {
        for (a, _) in side(upper, is_left) {
            count += side(lower, is_left).iter().filter(|(b, _)| at.get(*a) > at.get(*b)).count();
        }
    }
    Some(count)
}

/// All crossings of the picture.
fn crossings(layers: &Layers, at: &[usize]) -> Option<usize> {
    let mut count = 0;
    for row in &layers.rows {
        let mut ends: Vec<usize> = Vec::new();
        for item in row {
            let mut own: Vec<usize> = layers.items.get(*item)?.right.iter().filter_map(|(to, _)| at.get(*to)).copied().collect();
            own.sort_unstable();
            // Lines of items above that end below.
            count += own.iter().map(|end| ends.len() - ends.partition_point(|other| other <= end)).sum::<usize>();
            for end in own {
                ends.insert(ends.partition_point(|other| *other <= end), end);
            }
        }
    }
    Some(count)
}

/// Forward and backward passes over the layers.
const PASSES: usize = 16;

/// Rounds in which neighbours change places.
const EXCHANGES: usize = 4;
