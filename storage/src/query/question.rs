//! Questions: what callers fill in, and what can be wrong with it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::model::{SpanId, TimeRange, TraceId, UnixNanos};
use crate::schema::ColumnError;

/// Finds traces that contain a matching span.
#[derive(Clone, Debug)]
pub struct TraceSearch {
    /// The query language; empty matches everything.
    pub query: String,
    /// A trace matches when a matching span starts in here.
    pub range: TimeRange,
    /// Sort order, applied before the limit.
    pub order: TraceOrder,
    /// At most this many traces, 1 to 1,000.
    pub limit: usize,
    /// Where the page before ended.
    pub cursor: Option<Cursor>,
}

/// How found traces are sorted. Ties are broken by trace id, so the same data gives the same page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TraceOrder {
    /// By the start of the newest matching span, newest first.
    #[default]
    Newest,
    /// By the start of the first matching span, oldest first.
    Oldest,
    /// By the duration of the longest matching span, longest first.
    Slowest,
    /// By how many spans it has in range, whether or not they match: most first, and of equal numbers the newest first.
    MostSpans,
    /// By how many of these have status ERROR, likewise; traces without such a span are left out.
    MostErrors,
}

/// Finds log records.
#[derive(Clone, Debug)]
pub struct LogSearch {
    /// The query language; empty matches everything.
    pub query: String,
    /// By [`crate::LogRecord::time`].
    pub range: TimeRange,
    /// Sort order, applied before the limit.
    pub order: LogOrder,
    /// At most this many records, 1 to 10,000.
    pub limit: usize,
    /// Where the page before ended.
    pub cursor: Option<Cursor>,
}

/// How found records are sorted. Equal times keep the order of arrival.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogOrder {
    /// Newest first.
    #[default]
    Newest,
    /// Oldest first.
    Oldest,
}

/// Finds single spans, newest first by their start. Equal starts are in the order of trace id, span id and kind.
#[derive(Clone, Debug)]
pub struct SpanSearch {
    /// The query language, about one span; empty matches everything.
    pub query: String,
    /// By start.
    pub range: TimeRange,
    /// At most this many spans, 1 to 1,000.
    pub limit: usize,
    /// Where the page before ended.
    pub cursor: Option<Cursor>,
}

/// Where a page ended: the sort key of its last row. Opaque text to clients, who can go on with the same question alone; its window may
/// move, because "the last hour" does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// What the last row is sorted by: see [`TraceOrder`], [`LogOrder`] and [`SpanSearch`].
    pub(super) key: u64,
    /// The trace id, or the record id in the last eight bytes, of the last row.
    pub(super) tie: [u8; 16],
    /// In a list of spans, the last one among those of its trace.
    pub(super) span: Option<SpanInTrace>,
    /// A checksum of all this and of the question.
    check: u32,
}

/// Id and number of the kind of a span: both sides of a call may go by one id.
pub(super) type SpanInTrace = (SpanId, i32);

/// What spans that start at once are sorted by.
pub(super) type SpanTie = (TraceId, SpanInTrace);

/// A read-only SQL statement over `spans` and `logs`.
#[derive(Clone, Debug)]
pub struct SqlQuery {
    /// One SELECT, EXPLAIN, SHOW TABLES or DESCRIBE statement.
    pub sql: String,
    /// At most this many rows; the answer says when it was cut.
    pub max_rows: usize,
    /// At most this long.
    pub timeout: Duration,
}

/// What is wrong with a query text, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// Byte offset of the first wrong character.
    pub offset: usize,
    /// How many bytes are wrong, at least 1 unless at the end of the text.
    pub length: usize,
    /// What is wrong and what is expected, one sentence without a full stop.
    pub message: String,
    /// Nearest known names, best first.
    pub suggestions: Vec<String>,
}

/// Why a question was not answered.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The query text is wrong. Mend it; asking again will not help.
    #[error("{0}")]
    Parse(ParseError),
    /// A parameter or the SQL is wrong. Mend it; asking again will not help.
    #[error("{0}")]
    Invalid(String),
    /// It took longer than allowed. Narrow the time range or the question.
    #[error("the query took longer than {:?}; narrow its time range or its conditions", in_millis(*.0))]
    Timeout(Duration),
    /// Too many queries run at once. Ask again after a second.
    #[error("too many queries are running; try again in a second")]
    Busy,
    /// It needs more memory than queries may use. Narrow the question.
    #[error("this needs more memory than it may use: {0}")]
    Memory(String),
    /// This process is near the limit of its memory. Ask again after a moment, or for less.
    #[error("this process is near the limit of its memory; ask again in a moment, or ask for less, such as a shorter time")]
    Crowded,
    /// The store could not read its own data. The operator must look at the log.
    #[error("reading the store failed: {0}")]
    Internal(String),
}

// === impl QueryError ===

impl From<ColumnError> for QueryError {
    fn from(error: ColumnError) -> Self {
        Self::Internal(error.to_string())
    }
}

// === impl TraceOrder ===

impl TraceOrder {
    /// Makes a weight of a sort key, of which the greatest stands first on the page, and the sort key of a weight.
    pub(super) fn weight(self) -> fn(u64) -> u64 {
        if self == Self::Oldest { |key| u64::MAX - key } else { std::convert::identity }
    }

    /// The weight of a trace of which so many spans are counted, the newest of them begun at `newest`: a count, and within it the time to 17
    /// milliseconds.
    pub(super) fn weight_of(count: u64, newest: u64) -> u64 {
        count.min(u64::MAX >> TIME_BITS) << TIME_BITS | newest >> (u64::BITS - TIME_BITS)
    }

    /// What a sort key says: how many spans are counted, or the key itself where it is a time or a duration.
    #[must_use]
    pub fn shown(self, key: u64) -> u64 {
        if self.counts() { key >> TIME_BITS } else { key }
    }

    /// Whether it is one by a number of spans.
    pub(super) fn counts(self) -> bool {
        matches!(self, Self::MostSpans | Self::MostErrors)
    }

    /// Whether it is one by start.
    pub(super) fn is_by_start(self) -> bool {
        matches!(self, Self::Newest | Self::Oldest)
    }
}

/// Bits of a weight that tell traces with as many spans apart.
const TIME_BITS: u32 = 40;

// === impl TraceSearch ===

impl TraceSearch {
    /// The page that goes on behind a trace of this one, found with this sort key.
    #[must_use]
    pub fn behind(&self, key: u64, last: TraceId) -> Cursor {
        Cursor::new(key, *last.as_bytes(), &self.question())
    }

    /// Where the page before ended.
    pub(super) fn after(&self) -> Result<Option<Cursor>, QueryError> {
        self.cursor.map(|cursor| cursor.of(&self.question())).transpose()
    }

    fn question(&self) -> String {
        // Once these orders had other keys.
        let keys = if self.order.counts() { " by count and time" } else { "" };
        format!("traces {:?}{keys} {}", self.order, self.query)
    }
}

// === impl LogSearch ===

impl LogSearch {
    /// The page that goes on behind a record of this one.
    pub(super) fn behind(&self, time: UnixNanos, number: u64) -> Cursor {
        Cursor::new(time.get(), u128::from(number).to_be_bytes(), &self.question())
    }

    /// Time and number of the record with which the page before ended.
    pub(super) fn after(&self) -> Result<Option<(UnixNanos, u64)>, QueryError> {
        let Some(cursor) = self.cursor.map(|cursor| cursor.of(&self.question())).transpose()? else { return Ok(None) };
        let number = cursor.tie.last_chunk().map_or(0, |last| u64::from_be_bytes(*last));
        Ok(Some((cursor.time(), number)))
    }

    fn question(&self) -> String {
        format!("logs {:?} {}", self.order, self.query)
    }
}

// === impl SpanSearch ===

impl SpanSearch {
    /// The page that goes on behind a span of this one.
    pub(super) fn behind(&self, start: UnixNanos, (trace, span): SpanTie) -> Cursor {
        Cursor::of_row(start.get(), *trace.as_bytes(), Some(span), &self.question())
    }

    /// Where the page before ended.
    pub(super) fn after(&self) -> Result<Option<(UnixNanos, SpanTie)>, QueryError> {
        let Some(cursor) = self.cursor.map(|cursor| cursor.of(&self.question())).transpose()? else { return Ok(None) };
        let last = TraceId::from_slice(&cursor.tie).zip(cursor.span).ok_or_else(forged)?;
        Ok(Some((cursor.time(), last)))
    }

    fn question(&self) -> String {
        format!("spans {}", self.query)
    }
}

// === impl Cursor ===

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:032x}", self.key, u128::from_be_bytes(self.tie))?;
        if let Some((span, kind)) = self.span {
            write!(f, "{span}{kind:08x}")?;
        }
        write!(f, "{:08x}", self.check)
    }
}

impl FromStr for Cursor {
    type Err = QueryError;

    fn from_str(text: &str) -> Result<Self, QueryError> {
        let is_of_span = text.len() == 80;
        if !(is_of_span || text.len() == 56) || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(forged());
        }
        let (key, rest) = text.split_at(16);
        let (tie, rest) = rest.split_at(32);
        let (span, check) = rest.split_at(if is_of_span { 24 } else { 0 });
        let number = |hex: &str| u32::from_str_radix(hex, 16).map_err(|_| forged());
        let span = match span.split_at_checked(16).filter(|_| is_of_span) {
            Some((id, kind)) => Some((id.parse().map_err(|_| forged())?, number(kind)?.cast_signed())),
            None => None,
        };
        Ok(Self {
            key: u64::from_str_radix(key, 16).map_err(|_| forged())?,
            tie: u128::from_str_radix(tie, 16).map_err(|_| forged())?.to_be_bytes(),
            span,
            check: number(check)?,
        })
    }
}

fn forged() -> QueryError {
    QueryError::Invalid("the cursor is not one that this server gave".to_owned())
}

impl Cursor {
    pub(super) fn new(key: u64, tie: [u8; 16], question: &str) -> Self {
        Self::of_row(key, tie, None, question)
    }

    fn of_row(key: u64, tie: [u8; 16], span: Option<SpanInTrace>, question: &str) -> Self {
        let mut check = crc32c::crc32c_append(crc32c::crc32c(&key.to_be_bytes()), &tie);
        if let Some((id, kind)) = span {
            check = crc32c::crc32c_append(crc32c::crc32c_append(check, id.as_bytes()), &kind.to_be_bytes());
        }
        Self { key, tie, span, check: crc32c::crc32c_append(check, question.as_bytes()) }
    }

    /// Fails when it was given for another question.
    fn of(self, question: &str) -> Result<Self, QueryError> {
        let is_of = self == Self::of_row(self.key, self.tie, self.span, question);
        let failed = || {
            QueryError::Invalid(
                "the cursor is of another question; ask without it, or with the words and the order it was given for".to_owned(),
            )
        };
        is_of.then_some(self).ok_or_else(failed)
    }

    /// The sort key as a time.
    #[must_use]
    pub fn time(&self) -> UnixNanos {
        UnixNanos::new(self.key)
    }
}

// === impl ParseError ===

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at character {}", self.message, self.offset + 1)?;
        match self.suggestions.as_slice() {
            [] => Ok(()),
            names => write!(f, "; did you mean {}?", names.join(", ")),
        }
    }
}

impl std::error::Error for ParseError {}

/// For people: what a clock measured has nanoseconds.
fn in_millis(time: Duration) -> Duration {
    time.checked_add(Duration::from_micros(500)).and_then(|time| u64::try_from(time.as_millis()).ok()).map_or(time, Duration::from_millis)
}
