//! Loops over single calls, as traces of the sample show them: one line per call that is made again and again.

use storage::TraceSummary;

use super::{Attention, Compared, Evidence};
use crate::view::colour::Palette;
use crate::view::format;
use crate::view::link::{Links, term};

/// The same call in several traces.
struct Repeated<'a> {
    service: &'a str,
    name: &'a str,
    traces: u64,
    least: usize,
    /// The trace in which it was made most often.
    most: (usize, &'a TraceSummary),
}

/// Calls that one parent made more than ten times, those of most traces first.
pub(super) fn repeated(compared: &Compared<'_>, links: &Links, palette: &Palette) -> Vec<Attention> {
    let found = found(compared.newest);
    found.iter().take(MAX_REPEATED).map(|one| item(one, compared.newest.len(), links, palette)).collect()
}

fn found(sample: &[TraceSummary]) -> Vec<Repeated<'_>> {
    let mut found: Vec<Repeated<'_>> = Vec::new();
    for trace in sample {
        let Some(calls) = &trace.repeated else { continue };
        match found.iter_mut().find(|known| known.service == calls.service && known.name == calls.name) {
            Some(known) => {
                known.traces += 1;
                known.least = known.least.min(calls.count);
                if calls.count > known.most.0 {
                    known.most = (calls.count, trace);
                }
            }
            None => found.push(Repeated {
                service: &calls.service,
                name: &calls.name,
                traces: 1,
                least: calls.count,
                most: (calls.count, trace),
            }),
        }
    }
    found.sort_by_key(|one| std::cmp::Reverse((one.traces, one.most.0)));
    found
}

fn item(one: &Repeated<'_>, sample: usize, links: &Links, palette: &Palette) -> Attention {
    let name = format::line(one.name, 90);
    let (most, trace) = one.most;
    let times = |n: usize| format::exact(n as u64);
    let range = if one.least == most { times(most) } else { format!("{} to {}", times(one.least), times(most)) };
    let within = format!("of {} {}", format::line(&trace.root_service, 40), format::line(&trace.root_name, 60));
    let query = format!("count({} {})>={}", term("service", one.service), term("name", one.name), one.least);
    Attention {
        chip: palette.chip(one.service),
        class: "many",
        text: format!("{name} runs {range} times under one parent"),
        href: links.traces(&query).href(),
        evidence: vec![
            Evidence { text: format!("the one with {} times, {within}", times(most)), href: links.trace(&trace.trace_id).href() },
            Evidence {
                text: format!("in {} of the newest {}", format::exact(one.traces), format::counted(sample as u64, "trace", "traces")),
                href: String::new(),
            },
        ],
    }
}

/// Calls that are told of.
const MAX_REPEATED: usize = 2;
