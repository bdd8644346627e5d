//! How far down each item stands: as near to the middle of its neighbours as the order and the size of its layer allow.

use super::{Item, Kind, Layers};

/// The centre of every item.
pub(super) fn settle(layers: &Layers) -> Option<Vec<f64>> {
    let mut y = vec![0.0; layers.items.len()];
    for row in &layers.rows {
        place(row, layers, Sides::None, &mut y)?;
    }
    let count = layers.rows.len();
    for pass in 0..PASSES {
        let is_forward = pass % 2 == 0;
        let sides = match (pass < PASSES / 2, is_forward) {
            (true, true) => Sides::Left,
            (true, false) => Sides::Right,
            (false, _) => Sides::Both,
        };
        for index in 0..count {
            let row = layers.rows.get(if is_forward { index } else { count - 1 - index })?;
            place(row, layers, sides, &mut y)?;
        }
    }
    Some(y)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sides {
    None,
    Left,
    Right,
    Both,
}

/// Items that touch each other and move as one.
struct Block {
    /// Of wishes, weighted.
    sum: f64,
    weight: f64,
    items: usize,
}

/// Gives the items of one layer the heights that are nearest to their wishes, by least squares, with room between them.
fn place(row: &[usize], layers: &Layers, sides: Sides, y: &mut [f64]) -> Option<()> {
    let mut blocks: Vec<Block> = Vec::with_capacity(row.len());
    // Where each item stands when all stand as close as they may.
    let mut packed: Vec<f64> = Vec::with_capacity(row.len());
    let mut before: Option<&Item> = None;
    for index in row {
        let item = layers.items.get(*index)?;
        let last = packed.last().copied().unwrap_or(0.0);
        let at = before.map_or(0.0, |before| last + room(before, item));
        let (wish, weight) = wished(item, sides, y).unwrap_or((*y.get(*index)?, LONELY));
        packed.push(at);
        blocks.push(Block { sum: (wish - at) * weight, weight, items: 1 });
        // A wish above that of the block before cannot be granted: both meet in the middle.
        while let [.., upper, lower] = blocks.as_slice() {
            if upper.middle() <= lower.middle() {
                break;
            }
            let joined = Block { sum: upper.sum + lower.sum, weight: upper.weight + lower.weight, items: upper.items + lower.items };
            blocks.truncate(blocks.len() - 2);
            blocks.push(joined);
        }
        before = Some(item);
    }
    let moved = blocks.iter().flat_map(|block| std::iter::repeat_n(block.middle(), block.items));
    for ((index, at), moved) in row.iter().zip(packed).zip(moved) {
        *y.get_mut(*index)? = at + moved;
    }
    Some(())
}

/// The middle of the neighbours, and how strongly they pull.
fn wished(item: &Item, sides: Sides, y: &[f64]) -> Option<(f64, f64)> {
    let left = if matches!(sides, Sides::Left | Sides::Both) { item.left.as_slice() } else { &[] };
    let right = if matches!(sides, Sides::Right | Sides::Both) { item.right.as_slice() } else { &[] };
    let (mut sum, mut weight) = (0.0, 0.0);
    for (other, pull) in left.iter().chain(right) {
        sum += y.get(*other)? * pull;
        weight += pull;
    }
    (weight > 0.0).then(|| (sum / weight, weight))
}

/// From the centre of one item to that of the next below.
fn room(upper: &Item, lower: &Item) -> f64 {
    let gap = match (upper.kind, lower.kind) {
        (Kind::Box, Kind::Box) => 20.0,
        (Kind::Box, _) | (_, Kind::Box) => 12.0,
        (Kind::Card, Kind::Card) => 6.0,
        (Kind::Card, _) | (_, Kind::Card) => 7.0,
        (Kind::Pass, Kind::Pass) => 8.0,
    };
    (upper.height + lower.height) / 2.0 + gap
}

// === impl Block ===

impl Block {
    fn middle(&self) -> f64 {
        self.sum / self.weight
    }
}

/// Passes over the layers, the first half of them with a look at one side only.
const PASSES: usize = 24;

/// Weight of an item that nothing pulls.
const LONELY: f64 = 0.1;
