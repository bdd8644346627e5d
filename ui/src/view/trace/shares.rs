//! Time per service: when each one worked without waiting for what it called.

use super::Scene;
use crate::view::colour::Chip;
use crate::view::format;

/// One service's part of the trace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) chip: Chip,
    pub(crate) spans: String,
    pub(crate) errors: String,
    /// Wall-clock time in which at least one of its spans worked itself, none of its children running.
    pub(crate) self_time: String,
    /// Of the trace, in percent for the bar.
    pub(crate) percent: String,
    /// The same as text.
    pub(crate) part: String,
    /// Own times of all its spans added up, those side by side counted each.
    pub(crate) sum: String,
    /// The longest span.
    pub(crate) longest: String,
    /// Time on the critical path.
    pub(crate) critical: String,
    /// The waterfall with this service's spans found.
    pub(crate) href: String,
}

#[derive(Clone, Default)]
struct Sum {
    spans: u64,
    errors: u64,
    self_time: u64,
    longest: u64,
    critical: u64,
    /// When its spans worked themselves: begin and end after the start of the trace.
    stretches: Vec<(u64, u64)>,
}

/// Services by wall-clock time of their own, the greatest first.
pub(crate) fn shares(scene: &Scene) -> Vec<Share> {
    let sheet = &scene.sheet;
    let mut sums = vec![Sum::default(); sheet.services.len()];
    for (place, span) in sheet.spans.iter().enumerate() {
        let Some(sum) = sums.get_mut(span.service as usize) else { continue };
        sum.spans += 1;
        sum.errors += u64::from(span.is_error());
        sum.self_time = sum.self_time.saturating_add(sheet.self_time(place));
        sum.longest = sum.longest.max(span.duration());
        sum.critical = sheet.sections(place).iter().fold(sum.critical, |all, section| all.saturating_add(section.to.since(section.from)));
        own_stretches(scene, place, &mut sum.stretches);
    }
    let whole = sheet.duration();
    let mut sums: Vec<(u64, usize, Sum)> =
        sums.into_iter().enumerate().map(|(service, mut sum)| (union(&mut sum.stretches), service, sum)).collect();
    sums.sort_by_key(|(wall, service, _)| (std::cmp::Reverse(*wall), *service));
    let share = |(wall, service, sum): (u64, usize, Sum)| {
        let name = sheet.services.get(service)?;
        let find = format!("service:{}", crate::view::link::quoted(name));
        Some(Share {
            chip: scene.palette.chip(name),
            spans: format::count(sum.spans),
            errors: if sum.errors == 0 { String::new() } else { format::count(sum.errors) },
            self_time: format::duration(wall),
            percent: format::position(wall, whole),
            part: format::percent(wall, whole),
            sum: format::duration(sum.self_time),
            longest: format::duration(sum.longest),
            critical: if sum.critical == 0 { format::MISSING.to_owned() } else { format::duration(sum.critical) },
            href: scene.timeline().with("find", &find).href(),
        })
    };
    sums.into_iter().filter_map(share).collect()
}

/// The stretches of a span in which none of its children ran.
fn own_stretches(scene: &Scene, place: usize, out: &mut Vec<(u64, u64)>) {
    let sheet = &scene.sheet;
    let Some(span) = sheet.spans.get(place) else { return };
    let mut at = span.start.since(sheet.start());
    let end = at.saturating_add(span.duration());
    for child in sheet.tree().children(place).iter().filter_map(|child| sheet.spans.get(*child)) {
        let from = child.start.since(sheet.start()).clamp(at, end);
        if from > at {
            out.push((at, from));
        }
        at = from.saturating_add(child.duration()).clamp(at, end);
    }
    if end > at {
        out.push((at, end));
    }
}

/// How long at least one of the stretches lasts.
fn union(stretches: &mut [(u64, u64)]) -> u64 {
    stretches.sort_unstable();
    let (mut until, mut sum) = (0, 0);
    for (from, to) in stretches.iter() {
        sum += to.saturating_sub((*from).max(until));
        until = until.max(*to);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::union;

    #[test]
    fn stretches_side_by_side_count_once() {
        assert_eq!(union(&mut [(5, 9), (0, 3), (2, 4), (8, 8), (6, 7)]), 8);
    }
}
