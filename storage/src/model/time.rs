//! Times: unsigned nanoseconds since 1970-01-01 UTC, and ranges of them.

/// Nanoseconds since the Unix epoch, as in every OTLP time field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixNanos(u64);

/// A half-open span of time: `from` is inside, `to` is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimeRange {
    /// First nanosecond inside.
    pub from: UnixNanos,
    /// First nanosecond after.
    pub to: UnixNanos,
}

// === impl UnixNanos ===

impl UnixNanos {
    /// The latest time that can be written.
    pub const MAX: Self = Self(u64::MAX);

    /// The beginning of the year 2000: what is earlier comes from senders that count in other units, or not at all.
    pub const YEAR_2000: Self = Self(946_684_800_000_000_000);

    /// Nanoseconds that a duration has room for in SQL and in sums, 292 years: what lasts longer counts as that long.
    pub const LONGEST: u64 = i64::MAX.cast_unsigned();

    /// Takes nanoseconds since the epoch.
    #[must_use]
    pub const fn new(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the epoch.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Nanoseconds from `earlier` to `self`; zero when `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Nanoseconds that something lasted from here to `end`: zero when that is earlier, and never more than [`Self::LONGEST`].
    #[must_use]
    pub fn until(self, end: Self) -> u64 {
        end.since(self).min(Self::LONGEST)
    }

    /// This time moved later by `nanos`, stopping at the end of the range.
    #[must_use]
    pub const fn plus(self, nanos: u64) -> Self {
        Self(self.0.saturating_add(nanos))
    }

    /// This time moved earlier by `nanos`, stopping at the epoch.
    #[must_use]
    pub const fn minus(self, nanos: u64) -> Self {
        Self(self.0.saturating_sub(nanos))
    }
}

// === impl TimeRange ===

impl TimeRange {
    /// Every time there is.
    pub const ALL: Self = Self { from: UnixNanos(0), to: UnixNanos::MAX };

    /// Whether `time` lies inside.
    #[must_use]
    pub fn contains(&self, time: UnixNanos) -> bool {
        self.from <= time && time < self.to
    }

    /// Whether anything between `first` and `last`, both inside, lies in this range.
    #[must_use]
    pub fn overlaps(&self, first: UnixNanos, last: UnixNanos) -> bool {
        first < self.to && self.from <= last
    }
}
