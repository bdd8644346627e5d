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

#[derive(Clone, Copy, Default)]
struct Sum {
    spans: u64,
    errors: u64,
    self_time: u64,
    longest: u64,
    critical: u64,
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
    }
    let whole = scene.axis.whole;
    let mut sums: Vec<(u64, usize, Sum)> =
        sheet.own_times().into_iter().zip(sums).enumerate().map(|(service, (wall, sum))| (wall, service, sum)).collect();
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
