//! Where the failure of a trace starts, for lists: gathered while spans pass, in any order, and judged as on the page of a trace.
//!
//! Owns what has to be kept for that. Of traces with more spans than [`MAX_SPANS`] it says nothing.

use super::{Failed, Order, is_code};
use crate::model::{SpanKind, StatusCode};
use crate::trace::{Failing, Fails, Kin, Tree};

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
    /// Of its name.
    pub(super) name: u64,
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

    fn name(&self) -> u64 {
        self.name
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
        let failing = Failing::of(&self.spans, &Tree::of(&self.spans), |place| self.message(place));
        let chain = failing.chain(failing.starts.first()?.place, &self.spans);
        let first = self.spans.get(*chain.first()?)?;
        let services = chain.iter().filter_map(|place| Some(self.spans.get(*place)?.service)).collect();
        Some((super::failed(first.ended.0, first.place), self.why(&chain).map(str::to_owned), services))
    }

    /// The first message along a chain which is not a number alone, else the number that its first span says.
    fn why(&self, chain: &[usize]) -> Option<&str> {
        let mut said = chain.iter().filter_map(|place| self.message(*place));
        said.find(|message| !is_code(message)).or_else(|| self.message(*chain.first()?))
    }
}
