//! Where failures start and how far they reach, by who stands above whom.
//!
//! Owns the rules, for pages and lists alike: a failed span explains the nearest one above it that says how it ended; what a service answered
//! without failing itself, what a span above took for well done, and what was set off and began after that had ended fail nothing above. Who
//! failed long after, or after an answer, and says something else failed by itself.

use std::collections::HashMap;

use crate::model::{SpanKind, StatusCode};

use super::parents::Kin;
use super::{Brief, Tree, are_alike, is_long_after};

/// What of a span says where failures start.
pub(crate) trait Fails: Kin {
    fn status(&self) -> StatusCode;
    /// Its end, at least its start, in nanoseconds since the epoch, and its duration.
    fn ended(&self) -> (u64, u64);
    /// Spans of one number are of one service.
    fn service(&self) -> u32;
    /// Spans of one number have one name.
    fn name(&self) -> u64;
}

/// How far a failure reaches; the order is that of what is told first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reach {
    /// To the root of its trace, or as far up as spans were received.
    #[default]
    Root,
    /// To the root only by way of a request that did not fail.
    Perhaps,
    /// Not to the root.
    Within,
}

/// A failed span that no failed span below explains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Start {
    pub(crate) place: usize,
    pub(crate) reach: Reach,
    /// Whether one that it explains failed long after it: perhaps it was survived.
    pub(crate) is_early: bool,
}

/// What is known of a failure at the place of a span.
#[derive(Clone, Copy, Debug, Default)]
struct Fate {
    /// The nearest span above that says how it ended, and the child of that through which the way up leads.
    judge: Option<(u32, u32)>,
    /// Whether a request in between did not fail.
    is_across: bool,
    reach: Reach,
    /// Whether that child ended long before its parent failed, or was tried again and went well.
    is_early: bool,
    /// Whether that is so anywhere on the way up.
    is_early_above: bool,
}

/// Failures of one trace.
#[derive(Debug)]
pub(crate) struct Failing {
    fates: Vec<Fate>,
    /// Whether a failed span explains its judge.
    explains: Vec<bool>,
    /// Those that reach the root first, of them those that nothing survived, each in the order in which they ended.
    pub(crate) starts: Vec<Start>,
}

impl Fails for Brief {
    fn status(&self) -> StatusCode {
        self.status
    }

    fn ended(&self) -> (u64, u64) {
        (self.end.max(self.start).get(), self.duration())
    }

    fn service(&self) -> u32 {
        self.service
    }

    fn name(&self) -> u64 {
        self.name.into()
    }
}

// === impl Failing ===

impl Failing {
    /// `spans` are those that the tree was made of, and `says` what a failed one says, by its place.
    pub(crate) fn of<'a>(spans: &[impl Fails], tree: &Tree, says: impl Fn(usize) -> Option<&'a str>) -> Self {
        let mut fates = vec![Fate::default(); spans.len()];
        let tried = Tried::of(spans, tree);
        // Parents come before their children.
        for place in tree.preorder() {
            let fate = fate((spans, tree, &tried), &fates, *place);
            if let Some(known) = fates.get_mut(*place) {
                *known = fate;
            }
        }
        let (explains, is_explained) = explained(spans, tree, &fates, says);
        let failed = spans.iter().enumerate().filter(|(_, span)| span.status() == StatusCode::Error);
        let unexplained = failed.filter(|(place, _)| is_explained.get(*place) == Some(&false));
        let start = |(place, _)| fates.get(place).map(|fate: &Fate| Start { place, reach: fate.reach, is_early: fate.is_early_above });
        let mut starts: Vec<Start> = unexplained.filter_map(start).collect();
        if starts.iter().all(|start| start.reach != Reach::Root) {
            // The root failed, and nothing else says why.
            starts.iter_mut().filter(|start| start.reach == Reach::Perhaps).for_each(|start| start.reach = Reach::Root);
        }
        let end = |place: usize| spans.get(place).map(|span| span.ended().0);
        starts.sort_by_key(|start| (start.reach, start.is_early, end(start.place), start.place));
        Self { fates, explains, starts }
    }

    /// The failed spans that the one at `place` explains, itself first, each the nearest above the one before.
    pub(crate) fn chain(&self, place: usize, spans: &[impl Fails]) -> Vec<usize> {
        let above = |place: &usize| {
            let judge = self.judge(*place).filter(|_| self.explains.get(*place) == Some(&true))?;
            spans.get(judge).filter(|span| span.status() == StatusCode::Error).map(|_| judge)
        };
        std::iter::successors(Some(place), above).collect()
    }

    fn judge(&self, place: usize) -> Option<usize> {
        self.fates.get(place)?.judge.map(|(judge, _)| judge as usize)
    }

    /// How long before one above it failed what leads from the span at `place` to that had ended, where that was long before.
    pub(crate) fn before(&self, place: usize, spans: &[impl Fails]) -> Option<u64> {
        let early = std::iter::successors(Some(place), |place| self.judge(*place))
            .find_map(|place| self.fates.get(place).filter(|fate| fate.is_early));
        let (judge, step) = early?.judge?;
        Some(spans.get(judge as usize)?.ended().0.saturating_sub(spans.get(step as usize)?.ended().0))
    }
}

/// Which failed spans explain their judges, and which spans are explained: from below, so that it is known what was said of what.
fn explained<'a>(spans: &[impl Fails], tree: &Tree, fates: &[Fate], says: impl Fn(usize) -> Option<&'a str>) -> (Vec<bool>, Vec<bool>) {
    let (mut explains, mut is_explained) = (vec![false; spans.len()], vec![false; spans.len()]);
    let mut heard: HashMap<usize, Vec<&str>> = HashMap::new();
    for place in tree.preorder().iter().rev() {
        let is_failed = spans.get(*place).is_some_and(|span| span.status() == StatusCode::Error);
        let Some((fate, (judge, _))) = fates.get(*place).filter(|_| is_failed).and_then(|fate| Some((fate, fate.judge?))) else { continue };
        let judge = judge as usize;
        let mut said = heard.remove(place).unwrap_or_default();
        said.extend(says(*place));
        let own = says(judge).filter(|own| own.contains(char::is_alphabetic));
        let is_by_itself = || own.is_some_and(|own| said.iter().all(|said| !are_alike(said, own)));
        // What was answered well and came long before explains nothing, whatever is said.
        let does = if fate.is_across && fate.is_early { false } else { !(fate.is_across || fate.is_early) || !is_by_itself() };
        if !does {
            continue;
        }
        if let (Some(explains), Some(is_explained)) = (explains.get_mut(*place), is_explained.get_mut(judge)) {
            (*explains, *is_explained) = (true, true);
        }
        let known = heard.entry(judge).or_default();
        known.extend(said.into_iter().take(MAX_HEARD.saturating_sub(known.len())));
    }
    (explains, is_explained)
}

/// Messages of what failed below a span with which its own is compared.
const MAX_HEARD: usize = 8;

fn fate((spans, tree, tried): (&[impl Fails], &Tree, &Tried), fates: &[Fate], place: usize) -> Fate {
    let nothing = Fate { reach: Reach::Within, ..Fate::default() };
    let Some(span) = spans.get(place) else { return nothing };
    let above = tree.parent(place).and_then(|parent| Some((parent, spans.get(parent)?, fates.get(parent)?)));
    let Some((parent, above, of_above)) = above else {
        // What is above was not received, or there is nothing above.
        let is_known = !tree.is_unattached(place) && span.status() != StatusCode::Error;
        return if is_known { nothing } else { Fate::default() };
    };
    if is_set_off(span, above) {
        return nothing;
    }
    let (judge, is_across) = match above.status() {
        StatusCode::Error | StatusCode::Ok => (u32::try_from(parent).ok().zip(u32::try_from(place).ok()), false),
        _ => (of_above.judge, of_above.is_across || matches!(above.kind(), SpanKind::Server | SpanKind::Consumer)),
    };
    let judging = judge.and_then(|(judge, step)| {
        let of_judge = fates.get(judge as usize)?;
        let went_well_later = tried.went_well_after((spans, tree), step as usize, judge);
        Some((spans.get(judge as usize)?, spans.get(step as usize)?, of_judge, went_well_later))
    });
    let Some((judge_of, step, of_judge, went_well_later)) = judging else {
        return Fate { judge, is_across, reach: of_above.reach, ..Fate::default() };
    };
    if judge_of.status() == StatusCode::Ok {
        return Fate { judge, is_across, ..nothing };
    }
    let is_early = went_well_later || is_early(step, judge_of);
    let reach = if is_across && of_judge.reach == Reach::Root { Reach::Perhaps } else { of_judge.reach };
    Fate { judge, is_across, reach, is_early, is_early_above: is_early || of_judge.is_early_above }
}

/// Failed calls of which the same span above made others: by that, who made them, and their name. Whom a call asks is known where a service
/// answers it.
#[derive(Debug)]
struct Tried(HashMap<(u32, u32, u64), Calls>);

/// Calls of one name.
#[derive(Clone, Debug, Default)]
struct Calls {
    count: usize,
    /// When the last one that went well began, by the service that answered.
    went_well: Vec<(Option<u32>, u64)>,
}

// === impl Tried ===

impl Tried {
    fn of(spans: &[impl Fails], tree: &Tree) -> Self {
        let key = |(place, span)| Some(Self::key(span, u32::try_from(tree.parent(place)?).ok()?));
        let calls = || spans.iter().enumerate().filter(|(_, span)| span.kind() == SpanKind::Client);
        let failed = calls().filter(|(_, span)| span.status() == StatusCode::Error);
        let mut tried: HashMap<(u32, u32, u64), Calls> = failed.filter_map(key).map(|key| (key, Calls::default())).collect();
        if tried.is_empty() {
            return Self(tried);
        }
        for (place, span) in calls() {
            let Some(calls) = key((place, span)).and_then(|key| tried.get_mut(&key)) else { continue };
            calls.count += 1;
            if span.status() != StatusCode::Error && calls.count <= MAX_ATTEMPTS {
                let (end, duration) = span.ended();
                calls.went_well.push((asked(spans, tree, place), end.saturating_sub(duration)));
            }
        }
        Self(tried)
    }

    fn key(span: &impl Fails, parent: u32) -> (u32, u32, u64) {
        (parent, span.service(), span.name())
    }

    /// Whether a failed call was followed by one of its name that went well, among few: of many each is another thing, and so is a call that
    /// another service answers.
    fn went_well_after(&self, (spans, tree): (&[impl Fails], &Tree), place: usize, parent: u32) -> bool {
        let failed = spans.get(place).filter(|span| span.status() == StatusCode::Error && span.kind() == SpanKind::Client);
        let Some((span, calls)) = failed.and_then(|span| Some((span, self.0.get(&Self::key(span, parent))?))) else { return false };
        let asks = asked(spans, tree, place);
        let is_same = |answers: &Option<u32>| asks.is_none() || answers.is_none() || asks == *answers;
        calls.count <= MAX_ATTEMPTS && calls.went_well.iter().any(|(answers, began)| is_same(answers) && *began >= span.ended().0)
    }
}

/// The service that answers a call, where it is in the trace.
fn asked(spans: &[impl Fails], tree: &Tree, place: usize) -> Option<u32> {
    let own = spans.get(place)?.service();
    tree.children(place).iter().filter_map(|child| spans.get(*child)).map(Fails::service).find(|service| *service != own)
}

/// More calls of one name are no attempts at one thing.
const MAX_ATTEMPTS: usize = 6;

/// Whether nobody above waits for a span: who takes a message, and what begins after the span above it has ended, as far as one clock tells.
fn is_set_off(span: &impl Fails, above: &impl Fails) -> bool {
    let (end, duration) = span.ended();
    let is_after = end.saturating_sub(duration) >= above.ended().0;
    let (is_taken, is_sent) = (span.kind() == SpanKind::Consumer, above.kind() == SpanKind::Producer);
    is_taken && is_sent || is_after && (is_taken || is_sent || span.service() == above.service())
}

/// Whether a span ended so long before the one above it failed that this was perhaps not for it. Clocks of two services may differ.
fn is_early(span: &impl Fails, above: &impl Fails) -> bool {
    let ((end, _), (failed, duration)) = (span.ended(), above.ended());
    span.service() == above.service() && is_long_after(failed.saturating_sub(end), duration)
}
