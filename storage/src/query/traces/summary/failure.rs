//! Where the failure of a trace starts, for lists: gathered while spans pass, in any order, and judged as on the page of a trace.
//!
//! Owns what has to be kept for that. Of traces with more spans than [`MAX_SPANS`] it says nothing.

use super::{Failed, Order, is_code};
use crate::model::{SpanKind, StatusCode};
use crate::trace::{Failing, Fails, Kin, Reach, Tree, are_alike};

/// Spans of one trace of which it is kept where they stand.
pub(super) const MAX_SPANS: usize = 1_000;
/// Different messages that are kept of one trace, and their bytes; what else is said is not known.
const MAX_SAID: usize = 50;
const MAX_BYTES: usize = 16_384;

/// Where spans stand, and what the failed ones say.
#[derive(Debug, Default)]
pub(super) struct Stands {
    spans: Vec<Stand>,
    said: Vec<String>,
    bytes: usize,
    is_cut: bool,
}

/// A span as far as it says where failures start.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stand {
    pub(super) place: Order,
    pub(super) id: u64,
    pub(super) parent: Option<u64>,
    pub(super) kind: SpanKind,
    pub(super) status: StatusCode,
    /// Its end, at least its start, and its duration.
    pub(super) ended: (u64, u64),
    /// Place among the services of the trace.
    pub(super) service: u32,
    /// Place among what is said.
    pub(super) said: Option<u16>,
}

/// Where a failure starts: which span, what is said of it, and the services of the failed spans from there to the top.
pub(super) type Origin = (Failed, Option<String>, Vec<u32>);

impl Kin for Stand {
    fn id(&self) -> u64 {
        self.id
    }

    fn parent(&self) -> Option<u64> {
        self.parent
    }

    fn kind(&self) -> SpanKind {
        self.kind
    }
}

impl Fails for Stand {
    fn status(&self) -> StatusCode {
        self.status
    }

    fn ended(&self) -> (u64, u64) {
        self.ended
    }

    fn service(&self) -> u32 {
        self.service
    }
}

// === impl Stands ===

impl Stands {
    pub(super) fn add(&mut self, stand: Stand, message: Option<&str>) {
        if self.spans.len() >= MAX_SPANS {
            self.is_cut = true;
            return;
        }
        let said = message.and_then(|message| self.place_of(message));
        self.spans.push(Stand { said, ..stand });
    }

    fn place_of(&mut self, message: &str) -> Option<u16> {
        let known = self.said.iter().position(|said| said == message);
        if known.is_none() && (self.said.len() >= MAX_SAID || self.bytes + message.len() > MAX_BYTES) {
            return None;
        }
        let place = known.unwrap_or_else(|| {
            self.bytes += message.len();
            self.said.push(message.to_owned());
            self.said.len() - 1
        });
        u16::try_from(place).ok()
    }

    fn message(&self, place: usize) -> Option<&str> {
        let said = self.spans.get(place)?.said?;
        self.said.get(usize::from(said)).map(String::as_str)
    }

    /// Where the failure starts that a list tells: one that reaches the root and was not survived, before others; of those that which ended first.
    pub(super) fn origin(&mut self) -> Option<Origin> {
        if self.is_cut || !self.spans.iter().any(|span| span.status == StatusCode::Error) {
            return None;
        }
        self.spans.sort_unstable_by_key(|span| span.place);
        let failing = Failing::of(&self.spans, &Tree::of(&self.spans));
        let rank = |place: usize| self.spans.get(place).map(|span| super::failed(span.ended.0, span.place));
        let first = failing.starts.iter().min_by_key(|start| (start.reach, start.is_early, rank(start.place)))?;
        let mut chain = failing.chain(first.place, &self.spans);
        if first.reach == Reach::Root
            && let Some(by_itself) = self.by_itself(&failing, &chain)
        {
            chain.drain(..by_itself);
        }
        let services = chain.iter().filter_map(|place| Some(self.spans.get(*place)?.service)).collect();
        Some((rank(*chain.first()?)?, self.why(&chain).map(str::to_owned), services))
    }

    /// Which span of a chain failed by itself: long after what failed below, and saying something else than that.
    fn by_itself(&self, failing: &Failing, chain: &[usize]) -> Option<usize> {
        let is_own = |step: usize| {
            let (below, above) = (chain.get(step - 1)?, chain.get(step)?);
            let said = self.message(*above).filter(|said| said.contains(char::is_alphabetic))?;
            let before = chain.get(..step)?.iter().filter_map(|place| self.message(*place));
            let is_new = before.into_iter().all(|other| !are_alike(other, said));
            (is_new && failing.is_early(*below)).then_some(step)
        };
        (1..chain.len()).rev().find_map(is_own)
    }

    /// The first message along a chain which is not a number alone, else the number that its first span says.
    fn why(&self, chain: &[usize]) -> Option<&str> {
        let mut said = chain.iter().filter_map(|place| self.message(*place));
        said.find(|message| !is_code(message)).or_else(|| self.message(*chain.first()?))
    }
}
