//! Findings in words.

use super::super::{grouped, human};
use super::{Finding, FindingKind};

impl Finding {
    /// The finding as one sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        let Self { service, name, .. } = self;
        match &self.kind {
            FindingKind::ErrorStart { message, count, survived, before } => {
                self.error_start(message.as_deref(), *count, (*survived, *before))
            }
            FindingKind::FailsAfter { message, after } => {
                format!("{service}, {name} failed {} after that, and says of itself: {message}", human(*after))
            }
            FindingKind::Slower { than_percent, typical, of } => {
                let (of, median) = (grouped(*of), human(*typical));
                format!("{} of the {of} spans of {name} within a day; their median is {median}.", slowness(*than_percent))
            }
            FindingKind::RepeatedCalls { count, parents, total, percent, at_once, has_calls, .. } => {
                let below = if *has_calls { "with what they called " } else { "" };
                let share = if *percent > 0 { format!(", {below}{percent} % of the critical path") } else { String::new() };
                let under = if *parents > 1 { format!("{} parents", grouped(*parents)) } else { "one parent".to_owned() };
                let beside = if *at_once > 1 { format!(", up to {} at once", grouped(*at_once)) } else { String::new() };
                format!("{service}, {name} ran {} times under {under}{beside}: {} in all{share}.", grouped(*count), human(*total))
            }
            FindingKind::Retries { attempts, succeeded, lost } => {
                let end = if *succeeded { "the last attempt went well" } else { "all attempts failed" };
                format!(
                    "{service}, {name} was tried {} times, {end}; {} passed before the last one.",
                    grouped(attempts.len()),
                    human(*lost)
                )
            }
            FindingKind::CriticalShare { percent, nanos, spans } => {
                let of = if *spans > 1 { format!(" in {} spans", grouped(*spans)) } else { String::new() };
                format!("{service}, {name} makes up {percent} % of the critical path ({}{of}).", human(*nanos))
            }
            FindingKind::IdleGap { nanos, at, before } => {
                let until = before.as_ref().map_or_else(String::new, |name| format!(", until {name} began"));
                format!("In {service}, {name}, nothing below was traced for {} from {} on{until}.", human(*nanos), human(*at))
            }
            FindingKind::GoesOn { after, root, whole, mostly } => {
                let (after, covered, whole) = (human(*after), human(*root), human(*whole));
                let most = mostly
                    .as_ref()
                    .map(|(service, name, percent)| format!(" What came last waited {percent} % of its time for {service}, {name}."));
                format!(
                    "The trace goes on for {after} after its root ended, until {service}, {name} did: the critical path covers {covered} of {whole}.{}",
                    most.unwrap_or_default()
                )
            }
            FindingKind::HandOver { from: (producer, message), nanos } => {
                format!(
                    "{service}, {name} began {} after {producer}, {message} had ended: the longest wait between a producer and its consumer.",
                    human(*nanos)
                )
            }
            FindingKind::Queued { from, nanos, before: times, .. } if *times > 0 => self.taken_again(from, *nanos, *times),
            FindingKind::Queued { from: (producer, message), nanos, known, linked, .. } => {
                let among = among(*known, *linked);
                format!("Waited {} in the queue between {producer}, {message} and {service}, {name}{among}.", human(*nanos))
            }
            FindingKind::ClockSkew { caller, behind, uncertainty } => {
                format!("The clock of {service} seems to be {}{}.", skew(*behind, caller), uncertain(*uncertainty))
            }
            FindingKind::MissingParents { count: 1 } => format!("1 span names a parent that was not received: {service}, {name}."),
            FindingKind::MissingParents { count } => {
                format!("{} spans name parents that were not received, the first is {service}, {name}.", grouped(*count))
            }
            FindingKind::StillArriving { has_root: true, ago } => {
                format!("The last span ended {} ago: more may still arrive.", human(*ago))
            }
            FindingKind::StillArriving { has_root: false, ago } => {
                format!("The root has not arrived yet; the last span ended {} ago.", human(*ago))
            }
        }
    }

    fn taken_again(&self, (producer, message): &(String, String), nanos: u64, times: u64) -> String {
        let Self { service, name, .. } = self;
        let times = if times == 1 { "once".to_owned() } else { format!("{} times", grouped(times)) };
        format!(
            "{service}, {name} took up what {producer}, {message} had sent {} before: it had been taken up {times} by then.",
            human(nanos)
        )
    }

    fn error_start(&self, message: Option<&str>, count: usize, (survived, before): (bool, Option<u64>)) -> String {
        let Self { service, name, .. } = self;
        let times = if count > 1 { format!(" ({} times)", grouped(count)) } else { String::new() };
        let said = message.map_or_else(|| ".".to_owned(), |message| format!(": {message}"));
        if let Some(before) = before {
            format!("{service}, {name} failed{times} {} before its request did{said}", human(before))
        } else if survived {
            format!("{service}, {name} failed{times} without failing its request{said}")
        } else {
            format!("The error starts in {service}, {name}{times}{said}")
        }
    }
}

/// `3 ms ahead of the clock of cart`.
fn skew(behind: i64, caller: &str) -> String {
    let direction = if behind > 0 { "behind" } else { "ahead of" };
    format!("{} {direction} the clock of {caller}", human(behind.unsigned_abs()))
}

fn uncertain(within: Option<u64>) -> String {
    within.map_or_else(|| " or more".to_owned(), |nanos| format!(", give or take {}", human(nanos)))
}

fn slowness(than_percent: u64) -> String {
    if than_percent == 100 { "As slow as the slowest".to_owned() } else { format!("Slower than {than_percent} %") }
}

/// Of how many messages the wait of one is the longest.
fn among(known: usize, linked: usize) -> String {
    match linked {
        0 | 1 => String::new(),
        linked if known == linked => format!(", the longest of {} linked messages", grouped(linked)),
        linked => format!(", the longest of the {} known of {} linked messages", grouped(known), grouped(linked)),
    }
}
