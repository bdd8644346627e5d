//! Where failures start and how far they reach, by who stands above whom.
//!
//! Owns the rules, for pages and lists alike: a failed span explains the nearest one above it that says how it ended; what a service answered
//! without failing itself, what a span above took for well done, and what was set off and began after that had ended fail nothing above.

use crate::model::{SpanKind, StatusCode};

use super::parents::Kin;
use super::{Brief, Tree, is_long_after};

/// What of a span says where failures start.
pub(crate) trait Fails: Kin {
    fn status(&self) -> StatusCode;
    /// Its end, at least its start, in nanoseconds since the epoch, and its duration.
    fn ended(&self) -> (u64, u64);
    /// Spans of one number are of one service.
    fn service(&self) -> u32;
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
    /// Whether that child ended long before its parent failed.
    is_early: bool,
    /// Whether that is so anywhere on the way up.
    is_early_above: bool,
}

/// Failures of one trace.
#[derive(Debug)]
pub(crate) struct Failing {
    fates: Vec<Fate>,
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
}

// === impl Failing ===

impl Failing {
    /// `spans` are those that the tree was made of.
    pub(crate) fn of(spans: &[impl Fails], tree: &Tree) -> Self {
        let mut fates = vec![Fate::default(); spans.len()];
        let mut is_explained = vec![false; spans.len()];
        // Parents come before their children.
        for place in tree.preorder() {
            let fate = fate(spans, tree, &fates, *place);
            // What was answered well and came long before explains nothing.
            let explains = spans.get(*place).is_some_and(|span| span.status() == StatusCode::Error) && !(fate.is_across && fate.is_early);
            if let Some(explained) = fate.judge.filter(|_| explains).and_then(|(judge, _)| is_explained.get_mut(judge as usize)) {
                *explained = true;
            }
            if let Some(known) = fates.get_mut(*place) {
                *known = fate;
            }
        }
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
        Self { fates, starts }
    }

    /// The failed spans that the one at `place` explains, itself first, each the nearest above the one before.
    pub(crate) fn chain(&self, place: usize, spans: &[impl Fails]) -> Vec<usize> {
        let above = |place: &usize| {
            let fate = self.fates.get(*place).filter(|fate| !(fate.is_across && fate.is_early))?;
            let judge = fate.judge?.0 as usize;
            spans.get(judge).filter(|span| span.status() == StatusCode::Error).map(|_| judge)
        };
        std::iter::successors(Some(place), above).collect()
    }

    /// Whether the next of the chain above the span at `place` failed long after what led to it had ended.
    pub(crate) fn is_early(&self, place: usize) -> bool {
        self.fates.get(place).is_some_and(|fate| fate.is_early)
    }
}

fn fate(spans: &[impl Fails], tree: &Tree, fates: &[Fate], place: usize) -> Fate {
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
        Some((spans.get(judge as usize)?, spans.get(step as usize)?, of_judge))
    });
    let Some((judge_of, step, of_judge)) = judging else {
        return Fate { judge, is_across, reach: of_above.reach, ..Fate::default() };
    };
    if judge_of.status() == StatusCode::Ok {
        return Fate { judge, is_across, ..nothing };
    }
    let is_early = is_early(step, judge_of);
    let reach = if is_across && of_judge.reach == Reach::Root { Reach::Perhaps } else { of_judge.reach };
    Fate { judge, is_across, reach, is_early, is_early_above: is_early || of_judge.is_early_above }
}

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
