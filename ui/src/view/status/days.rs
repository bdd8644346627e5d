//! What is kept by day.

use storage::{Histogram, SignalStatus, TimeRange, UnixNanos};

use crate::view::format::{self, Clockface};
use crate::view::link::Links;

/// A day, or all days before those that are told one by one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Day {
    pub(crate) name: String,
    /// Its traces; empty for more than one day.
    pub(crate) href: String,
    /// Of spans and of log records: how many, and about how many bytes on disk.
    pub(crate) signals: [(String, String); 2],
}

/// Whole days of the reader's zone that hold what is kept, and how many: at most so many, the last ones. `None` for none.
pub(crate) fn range(signals: &[SignalStatus; 2], clock: &Clockface) -> Option<(TimeRange, usize)> {
    let times = || signals.iter().filter_map(|signal| signal.time);
    let (oldest, newest) = (times().map(|(oldest, _)| oldest).min()?, times().map(|(_, newest)| newest).max()?);
    let midnight = |time: UnixNanos| {
        let local = time.get().saturating_add_signed(clock.offset_nanos(time));
        time.minus(local % DAY)
    };
    let from = midnight(oldest.max(midnight(newest).minus((MAX_DAYS - 1) * DAY)));
    let days = newest.plus(1).since(from).div_ceil(DAY).max(1);
    Some((TimeRange { from, to: from.plus(days * DAY) }, usize::try_from(days).unwrap_or(1)))
}

/// A row for each day with something in it, the last one first. A row takes about as many bytes on one day as on another.
pub(crate) fn days(signals: &[SignalStatus; 2], counted: &[Histogram; 2], links: &Links, clock: &Clockface) -> Vec<Day> {
    let [spans, logs] = counted;
    let sum = |histogram: &Histogram, place: usize| histogram.buckets.get(place).map_or(0, |bucket| bucket.counts.iter().sum::<u64>());
    let told = |signal: &SignalStatus, rows: u64| {
        let bytes = u128::from(signal.segment_bytes) * u128::from(rows);
        let bytes = bytes.checked_div(u128::from(signal.segment_rows)).and_then(|bytes| u64::try_from(bytes).ok());
        (format::exact(rows), bytes.map_or_else(|| format::MISSING.to_owned(), format::bytes))
    };
    let [of_spans, of_logs] = signals;
    let day = |(place, bucket): (usize, &storage::HistogramBucket)| {
        let rows = (sum(spans, place), sum(logs, place));
        let at = |time: UnixNanos| time.get().to_string();
        (rows != (0, 0)).then(|| Day {
            name: clock.tick(bucket.start, MAX_DAYS * DAY),
            href: links.plain("/traces").with("from", &at(bucket.start)).with("to", &at(bucket.start.plus(DAY))).href(),
            signals: [told(of_spans, rows.0), told(of_logs, rows.1)],
        })
    };
    let mut days: Vec<Day> = spans.buckets.iter().enumerate().filter_map(day).collect();
    days.reverse();
    let before = |signal: &SignalStatus, histogram: &Histogram| {
        let all = signal.segment_rows.saturating_add(signal.buffered_rows);
        all.saturating_sub((0..histogram.buckets.len()).map(|place| sum(histogram, place)).sum())
    };
    let rows = (before(of_spans, spans), before(of_logs, logs));
    if spans.buckets.len() as u64 >= MAX_DAYS && rows != (0, 0) {
        let signals = [told(of_spans, rows.0), told(of_logs, rows.1)];
        days.push(Day { name: "before".to_owned(), href: String::new(), signals });
    }
    days
}

const DAY: u64 = 86_400_000_000_000;

/// Days that are told one by one.
const MAX_DAYS: u64 = 31;

#[cfg(test)]
mod tests {
    use storage::HistogramBucket;

    use super::*;

    const NOW: u64 = 1_800_000_000_000_000_000;

    fn signal(rows: u64, bytes: u64, oldest: u64) -> SignalStatus {
        let time = Some((UnixNanos::new(oldest), UnixNanos::new(NOW)));
        SignalStatus { segment_rows: rows, segment_bytes: bytes, time, ..SignalStatus::default() }
    }

    #[test]
    fn days_begin_at_midnight_where_the_reader_is_and_long_ago_is_told_at_once() {
        let signals = [signal(1, 1, NOW - DAY), SignalStatus::default()];
        let (utc, days) = range(&signals, &Clockface::new(UnixNanos::new(NOW), None)).unwrap();
        assert_eq!((utc.from.get() % DAY, days, utc.to.since(utc.from)), (0, 2, 2 * DAY));
        let kolkata = Clockface::new(UnixNanos::new(NOW), Some("Asia/Kolkata"));
        let (there, _) = range(&signals, &kolkata).unwrap();
        assert_eq!((there.from.get() + 19_800_000_000_000) % DAY, 0);
        assert_eq!(range(&[signal(1, 1, 5), signal(1, 1, NOW)], &kolkata).unwrap().1, 31);
        assert_eq!(range(&[SignalStatus::default(), SignalStatus::default()], &kolkata), None);
    }

    #[test]
    fn rows_are_counted_and_bytes_are_their_share() {
        let signals = [signal(40, 4_096, NOW), signal(10, 1_000, NOW)];
        let bucket = |place: u64, rows: u64| HistogramBucket { start: UnixNanos::new(NOW + place * DAY), counts: [rows, 0, 0, 0, 0, 0, 0] };
        let of = |rows: [u64; 3]| Histogram {
            buckets: rows.iter().zip(0..).map(|(rows, place)| bucket(place, *rows)).collect(),
            ..Histogram::default()
        };
        let clock = Clockface::new(UnixNanos::new(NOW), None);
        let days = days(&signals, &[of([10, 0, 30]), of([10, 0, 0])], &Links::default(), &clock);
        let told: Vec<_> = days.iter().map(|day| day.signals.clone().map(|(rows, bytes)| format!("{rows} {bytes}"))).collect();
        let expected = [["30 3.00 KiB", "0 0 B"], ["10 1.00 KiB", "10 1000 B"]];
        assert_eq!(told.iter().flatten().map(|text| text.replace('\u{202f}', " ")).collect::<Vec<_>>(), expected.concat());
        assert!(days[0].href.starts_with(&format!("/traces?from={}", NOW + 2 * DAY)), "{}", days[0].href);
    }
}
