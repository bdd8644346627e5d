//! Points in time in the reader's zone.

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use storage::{TimeRange, UnixNanos};

use super::duration;

/// The time now and the zone in which the reader wants to see times.
#[derive(Clone, Debug)]
pub(crate) struct Clockface {
    now: UnixNanos,
    zone: TimeZone,
    label: String,
}

/// A point in time, ready to be shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Moment {
    /// `14:03:22.123`, with the day unless it is today.
    pub(crate) text: String,
    /// For `datetime` attributes: RFC 3339 in UTC, milliseconds.
    pub(crate) machine: String,
    /// RFC 3339 with nanoseconds and offset.
    pub(crate) full: String,
    /// `2 min ago`.
    pub(crate) ago: String,
}

// === impl Clockface ===

impl Clockface {
    /// Times in the zone of that IANA name, else in UTC.
    pub(crate) fn new(now: UnixNanos, zone: Option<&str>) -> Self {
        let known = zone.filter(|name| *name != "UTC").and_then(|name| TimeZone::get(name).ok().map(|zone| (name.to_owned(), zone)));
        let (label, zone) = known.unwrap_or_else(|| ("UTC".to_owned(), TimeZone::UTC));
        Self { now, zone, label }
    }

    /// When the page was made.
    pub(crate) fn now(&self) -> UnixNanos {
        self.now
    }

    /// What the zone is called.
    pub(crate) fn label(&self) -> &str {
        &self.label
    }

    /// The zone itself.
    pub(crate) fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// A time as the menu of time reads it again, in this zone and exact.
    pub(crate) fn typed(&self, time: UnixNanos) -> String {
        self.zoned(time).strftime("%Y-%m-%d %H:%M:%S%.f").to_string()
    }

    /// A time in this zone as the calendar of a browser takes it.
    pub(crate) fn to_the_second(&self, time: UnixNanos) -> String {
        self.zoned(time).strftime("%Y-%m-%dT%H:%M:%S").to_string()
    }

    /// How far it is ahead of UTC in a window, or now: `+01:00`, and `+02:00 → +01:00` where clocks are set within; empty for UTC itself.
    pub(crate) fn ahead(&self, range: Option<TimeRange>) -> String {
        let range = range.unwrap_or(TimeRange { from: self.now, to: self.now });
        match (self.offset(range.from), self.offset(range.to)) {
            _ if self.label == "UTC" => String::new(),
            (from, to) if from == to => from,
            (from, to) => format!("{from} → {to}"),
        }
    }

    /// How far the zone is ahead of UTC at that time: `+01:00`.
    pub(crate) fn offset(&self, time: UnixNanos) -> String {
        self.zoned(time).strftime("%:z").to_string()
    }

    /// A point in time as shown.
    pub(crate) fn moment(&self, time: UnixNanos) -> Moment {
        let zoned = self.zoned(time);
        Moment {
            text: self.short(time),
            machine: timestamp(time).strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
            full: zoned.strftime("%Y-%m-%dT%H:%M:%S%.9f%:z").to_string(),
            ago: self.ago(time),
        }
    }

    /// `14:03:22.123` today, `Nov 19 14:03:22.123` this year, else with the year; `02:30:00.000 (+01:00)` in an hour that is there twice.
    pub(crate) fn short(&self, time: UnixNanos) -> String {
        let zoned = self.zoned(time);
        let is_twice = self.zone.to_ambiguous_timestamp(zoned.datetime()).is_ambiguous();
        let offset = if is_twice { format!(" ({})", self.offset(time)) } else { String::new() };
        format!("{}{}{offset}", self.day(time), zoned.strftime("%H:%M:%S%.3f"))
    }

    /// As [`Self::short`], to the second.
    pub(crate) fn second(&self, time: UnixNanos) -> String {
        format!("{}{}", self.day(time), self.zoned(time).strftime("%H:%M:%S"))
    }

    /// The label of a tick of an axis whose whole length is `span`.
    pub(crate) fn tick(&self, time: UnixNanos, span: u64) -> String {
        let pattern = match span {
            0..=4_000_000_000 => "%H:%M:%S%.3f",
            4_000_000_001..=120_000_000_000 => "%H:%M:%S",
            120_000_000_001..=172_800_000_000_000 => "%H:%M",
            172_800_000_000_001..=34_560_000_000_000_000 => "%b %d",
            _ => "%Y-%m",
        };
        self.zoned(time).strftime(pattern).to_string()
    }

    /// How far the zone is ahead of UTC at that time.
    pub(crate) fn offset_nanos(&self, time: UnixNanos) -> i64 {
        i64::from(self.zoned(time).offset().seconds()) * 1_000_000_000
    }

    /// `14:00:00 – 15:00:00`, for the label of a window; both ends have a date when they are of different days.
    pub(crate) fn range(&self, range: TimeRange) -> String {
        let (from, to) = (self.zoned(range.from), self.zoned(range.to));
        if from.date() == to.date() {
            return format!("{} – {}", self.second(range.from), self.second(range.to));
        }
        let [from, to] = [from, to].map(|time| format!("{}{}", self.dated(&time), time.strftime("%H:%M:%S")));
        format!("{from} – {to}")
    }

    /// `2 min ago`, `in 3 s`, `just now`.
    fn ago(&self, time: UnixNanos) -> String {
        let (past, ahead) = (self.now.since(time), time.since(self.now));
        match (past, ahead) {
            (0..=999_999_999, 0) | (0, 0..=999_999_999) => "just now".to_owned(),
            (past, 0) => format!("{} ago", coarse(past)),
            (_, ahead) => format!("in {}", coarse(ahead)),
        }
    }

    fn day(&self, time: UnixNanos) -> String {
        let (then, now) = (self.zoned(time), self.zoned(self.now));
        if then.date() == now.date() { String::new() } else { self.dated(&then) }
    }

    /// `Nov 19 ` this year, else with the year.
    fn dated(&self, then: &Zoned) -> String {
        let is_this_year = then.year() == self.zoned(self.now).year();
        then.strftime(if is_this_year { "%b %d " } else { "%Y-%m-%d " }).to_string()
    }

    fn zoned(&self, time: UnixNanos) -> Zoned {
        timestamp(time).to_zoned(self.zone.clone())
    }
}

/// Every `u64` of nanoseconds ends before the year 2600, which jiff can hold.
fn timestamp(time: UnixNanos) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(time.get())).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// One unit: `3 s`, `12 min`, `5 h`, `40 d`.
fn coarse(nanos: u64) -> String {
    let seconds = nanos / 1_000_000_000;
    match seconds {
        0..=59 => format!("{seconds}\u{202f}s"),
        60..=3_599 => format!("{}\u{202f}min", seconds / 60),
        3_600..=172_799 => format!("{}\u{202f}h", seconds / 3_600),
        172_800..=63_071_999 => format!("{}\u{202f}d", seconds / 86_400),
        _ => duration(nanos).split('\u{a0}').next().map(|_| format!("{}\u{202f}years", seconds / 31_556_952)).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: u64 = 1_795_176_202_123_456_789; // 2026-11-20T12:03:22.123456789Z

    fn clock(zone: Option<&str>) -> Clockface {
        Clockface::new(UnixNanos::new(NOON), zone)
    }

    #[test]
    fn today_is_written_without_its_date() {
        let clock = clock(None);
        assert_eq!(clock.short(UnixNanos::new(NOON)), "12:03:22.123");
        assert_eq!(clock.short(UnixNanos::new(NOON - 86_400_000_000_000)), "Nov 19 12:03:22.123");
        assert_eq!(clock.short(UnixNanos::new(0)), "1970-01-01 00:00:00.000");
    }

    #[test]
    fn where_clocks_are_set_times_name_their_offset() {
        let berlin = clock(Some("Europe/Berlin"));
        // 2026-10-25: at 01:00 UTC it was 02:00 for the second time.
        let at = |minutes: u64| UnixNanos::new(1_792_886_400_000_000_000 + minutes * 60_000_000_000);
        let told = [0, 30, 90, 150].map(|minutes| berlin.short(at(minutes)));
        let expected = ["02:00:00.000 (+02:00)", "02:30:00.000 (+02:00)", "02:30:00.000 (+01:00)", "03:30:00.000"];
        assert_eq!(told, expected.map(|time| format!("Oct 25 {time}")));
        assert_eq!(berlin.ahead(Some(TimeRange { from: at(0), to: at(90) })), "+02:00 → +01:00");
        assert_eq!(berlin.ahead(Some(TimeRange { from: at(0), to: at(30) })), "+02:00", "that of the window");
        assert_eq!((berlin.ahead(None).as_str(), clock(None).ahead(None).as_str()), ("+01:00", ""));
    }

    #[test]
    fn a_window_that_ends_on_another_day_than_it_began_dates_both_ends() {
        let clock = clock(None);
        let range = |back: u64| clock.range(TimeRange { from: UnixNanos::new(NOON - back), to: UnixNanos::new(NOON) });
        assert_eq!(range(2 * 86_400_000_000_000), "Nov 18 12:03:22 – Nov 20 12:03:22");
        assert_eq!(range(60_000_000_000), "12:02:22 – 12:03:22");
    }

    #[test]
    fn the_full_form_keeps_nanoseconds_and_names_its_offset() {
        let moment = clock(Some("Asia/Kolkata")).moment(UnixNanos::new(NOON));
        assert_eq!(moment.full, "2026-11-20T17:33:22.123456789+05:30");
        assert_eq!(moment.machine, "2026-11-20T12:03:22.123Z");
        assert_eq!(moment.text, "17:33:22.123");
    }

    #[test]
    fn distance_is_said_in_one_unit_and_both_directions() {
        let clock = clock(None);
        let ago = |past: u64| clock.moment(UnixNanos::new(NOON - past)).ago.replace('\u{202f}', " ");
        assert_eq!(ago(0), "just now");
        assert_eq!(ago(130_000_000_000), "2 min ago");
        assert_eq!(ago(NOON), "56 years ago");
        assert_eq!(clock.moment(UnixNanos::new(NOON + 5_000_000_000)).ago.replace('\u{202f}', " "), "in 5 s");
    }

    #[test]
    fn the_last_nanosecond_and_unknown_zones_are_shown_too() {
        let clock = clock(Some("Nowhere/Land"));
        assert_eq!(clock.label(), "UTC");
        assert!(clock.short(UnixNanos::MAX).starts_with("2554-07-21"));
    }
}
