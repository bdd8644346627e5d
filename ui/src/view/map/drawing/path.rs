//! The curves of arrows.

use std::fmt::Write as _;

/// A point of the picture.
pub(super) type Point = (f64, f64);

/// A curve through points, level at each, that ends before its head; and the points of the head.
pub(super) fn through(points: &[Point]) -> (String, String) {
    let mut path = String::new();
    let mut last = (0.0, 0.0);
    let count = points.len();
    let mut ahead = 1.0;
    for (index, point) in points.iter().enumerate() {
        if index > 0 {
            ahead = if point.0 < last.0 { -1.0 } else { 1.0 };
        }
        let x = if index + 1 == count { point.0 - ahead * HEAD } else { point.0 };
        // Writing to a String cannot fail.
        let _ = if index == 0 {
            write!(path, "M{x:.1} {:.1}", point.1)
        } else if (point.1 - last.1).abs() < 0.05 {
            write!(path, "H{x:.1}")
        } else {
            let middle = f64::midpoint(last.0, x);
            write!(path, "C{middle:.1} {:.1} {middle:.1} {:.1} {x:.1} {:.1}", last.1, point.1, point.1)
        };
        last = *point;
    }
    let (x, y) = last;
    let back = x - ahead * (HEAD + 2.0);
    (path, format!("{x:.1},{y:.1} {back:.1},{:.1} {back:.1},{:.1}", y - 4.0, y + 4.0))
}

/// Out of the bottom of a box and back into it: between two heights, from the right to the left.
pub(super) fn around((right, top): Point, (left, bottom): Point) -> (String, String) {
    let bend = (right - left) / 4.0;
    let path = format!(
        "M{right:.1} {top:.1}C{right:.1} {bottom:.1} {right:.1} {bottom:.1} {:.1} {bottom:.1}H{:.1}C{left:.1} {bottom:.1} {left:.1} {bottom:.1} {left:.1} {:.1}",
        right - bend,
        left + bend,
        top + HEAD
    );
    let low = top + HEAD + 2.0;
    (path, format!("{left:.1},{top:.1} {:.1},{low:.1} {:.1},{low:.1}", left - 4.0, left + 4.0))
}

/// Of the head of an arrow.
const HEAD: f64 = 6.0;
