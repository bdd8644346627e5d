//! Time per service: where the trace spent it.

use std::collections::BTreeMap;

use super::Scene;
use super::minimap::extent;
use crate::view::colour::Chip;
use crate::view::format;

/// One service's part of the trace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) chip: Chip,
    pub(crate) spans: String,
    pub(crate) errors: String,
    /// Sum of time in which none of a span's children ran.
    pub(crate) self_time: String,
    /// Of all self times, in percent for the bar.
    pub(crate) percent: String,
    /// The same as text.
    pub(crate) part: String,
    /// The longest span.
    pub(crate) longest: String,
    /// Time on the critical path.
    pub(crate) critical: String,
    /// The waterfall with this service's spans found.
    pub(crate) href: String,
}

#[derive(Default)]
struct Sum {
    spans: u64,
    errors: u64,
    self_time: u64,
    longest: u64,
    critical: u64,
}

/// Services by self time, the greatest first.
pub(crate) fn shares(scene: &Scene<'_>) -> Vec<Share> {
    let mut sums: BTreeMap<&str, Sum> = BTreeMap::new();
    for (place, span) in scene.trace.spans.iter().enumerate() {
        let own = scene.outline.self_time.get(place).copied().unwrap_or(0);
        let sum = sums.entry(span.service_name()).or_default();
        sum.spans += 1;
        sum.errors += u64::from(span.is_error());
        sum.self_time = sum.self_time.saturating_add(own);
        sum.longest = sum.longest.max(span.duration());
        for (from, to) in scene.outline.critical.get(place).into_iter().flatten() {
            sum.critical = sum.critical.saturating_add(to.since(*from));
        }
    }
    let (_, whole) = extent(scene);
    let all = sums.values().fold(0_u64, |all, sum| all.saturating_add(sum.self_time)).max(1);
    let mut sums: Vec<(&str, Sum)> = sums.into_iter().collect();
    sums.sort_by_key(|(_, sum)| std::cmp::Reverse(sum.self_time));
    let share = |(name, sum): (&str, Sum)| Share {
        chip: scene.palette.chip(name),
        spans: format::count(sum.spans),
        errors: if sum.errors == 0 { String::new() } else { format::count(sum.errors) },
        self_time: format::duration(sum.self_time),
        percent: format::position(sum.self_time, all),
        part: format::percent(sum.self_time, all),
        longest: format::duration(sum.longest.min(whole)),
        critical: if sum.critical == 0 { format::MISSING.to_owned() } else { format::duration(sum.critical) },
        href: scene.here().with("view", "").with("at", "").with("find", &format!("service:{}", crate::view::link::quoted(name))).href(),
    };
    sums.into_iter().map(share).collect()
}
