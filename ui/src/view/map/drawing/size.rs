//! How much room boxes and gaps take: as is easiest to read, and narrower where a wide picture then fits beside the other things of a page.

/// Lengths in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Size {
    /// Around the picture.
    pub(super) margin: f64,
    /// One line of a name, if none of its words is longer.
    pub(super) name: f64,
    /// One line of numbers.
    pub(super) facts: f64,
    /// One line of a card.
    pub(super) card: f64,
    /// A box.
    pub(super) least_box: f64,
    /// Between a column of boxes and one of cards: room for the head of an arrow, and for its bend.
    pub(super) least_gap: f64,
    pub(super) most_gap: f64,
}

/// What is easiest to read.
pub(super) const USUAL: Size =
    Size { margin: 16.0, name: 150.0, facts: f64::MAX, card: f64::MAX, least_box: 116.0, least_gap: 18.0, most_gap: 36.0 };

/// Names and numbers in more lines, lines steeper.
pub(super) const NARROW: Size =
    Size { margin: 10.0, name: 99.0, facts: 120.0, card: 75.0, least_box: 92.0, least_gap: 10.0, most_gap: 14.0 };

/// As wide as a map is beside the rail on a screen of 1,440 pixels.
pub(super) const PAGE: f64 = 1_250.0;

/// What is wider in usual size does not fit in the narrow one either, also where each card tells what a number was before.
pub(super) const TOO_WIDE: f64 = 2.0 * PAGE;
