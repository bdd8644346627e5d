//! What became of a load, for people as a table and for programs as JSON.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

/// What became of a load.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Where it was sent.
    pub endpoint: String,
    /// The spans, when any were asked for.
    pub spans: Option<SignalReport>,
    /// The log records, when any were asked for.
    pub logs: Option<SignalReport>,
}

/// What became of the spans or the log records.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SignalReport {
    /// Records that were to be sent.
    pub asked: u64,
    /// Records that the receiver said it keeps.
    pub acknowledged: u64,
    /// Records that the receiver refused within acknowledged requests.
    pub rejected: u64,
    /// Records that were refused, given up or never sent.
    pub unacknowledged: u64,
    /// Acknowledged requests.
    pub requests: u64,
    /// Times that a request was sent again.
    pub retries: u64,
    /// From the first request to the last answer, in seconds.
    pub wall_seconds: f64,
    /// Acknowledged records per second.
    pub per_second: f64,
    /// Processor seconds of the sender meanwhile, where the system tells.
    pub client_cpu_seconds: Option<f64>,
    /// From first sending a request to its acknowledgement, in milliseconds, retries included.
    pub ack_ms: Latency,
    /// What the receiver gave as reasons for refusing, with how many records: at most three, those with most of them.
    pub reasons: Vec<String>,
}

/// Points of a distribution, in milliseconds.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Latency {
    /// Half were faster.
    pub p50: f64,
    /// 99 of 100 were faster.
    pub p99: f64,
    /// 999 of 1,000 were faster.
    pub p999: f64,
    /// The slowest.
    pub max: f64,
}

/// Counts while a load runs.
#[derive(Debug, Default)]
pub(super) struct Tally {
    acknowledged: u64,
    rejected: u64,
    retries: u64,
    latencies: Vec<Duration>,
    /// By what tells reasons apart: how many records, and the last words.
    reasons: BTreeMap<String, (u64, String)>,
}

// === impl Report ===

impl Report {
    /// Whether everything was acknowledged.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.spans.iter().chain(&self.logs).all(|signal| signal.acknowledged == signal.asked)
    }

    /// As JSON, in one line.
    #[must_use]
    pub fn to_json(&self) -> String {
        // A struct of numbers and strings always serializes.
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "sent to {}", self.endpoint)?;
        for (name, signal) in [("spans", &self.spans), ("logs", &self.logs)] {
            let Some(signal) = signal else { continue };
            writeln!(f, "\n{name}")?;
            signal.rows(f)?;
        }
        Ok(())
    }
}

// === impl SignalReport ===

impl SignalReport {
    fn rows(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Latency { p50, p99, p999, max } = self.ack_ms;
        writeln!(f, "  acknowledged      {:>14}", grouped(self.acknowledged))?;
        writeln!(f, "  rejected          {:>14}", grouped(self.rejected))?;
        writeln!(f, "  not acknowledged  {:>14}", grouped(self.unacknowledged))?;
        writeln!(f, "  requests          {:>14}", grouped(self.requests))?;
        writeln!(f, "  sent again        {:>14}", grouped(self.retries))?;
        writeln!(f, "  wall time         {:>12.2} s", self.wall_seconds)?;
        writeln!(f, "  per second        {:>14}", grouped(whole(self.per_second)))?;
        if self.requests > 0 {
            writeln!(f, "  acknowledged in   p50 {p50:.1} ms, p99 {p99:.1} ms, p99.9 {p999:.1} ms, max {max:.1} ms")?;
        }
        if let Some(seconds) = self.client_cpu_seconds {
            writeln!(f, "  sender's CPU time {seconds:>12.2} s")?;
        }
        for reason in &self.reasons {
            writeln!(f, "  reason: {reason}")?;
        }
        Ok(())
    }
}

// === impl Tally ===

impl Tally {
    pub(super) fn acknowledge(&mut self, items: u64, rejected: u64, message: String, took: Duration) {
        self.acknowledged += items.saturating_sub(rejected);
        self.rejected += rejected;
        self.latencies.push(took);
        if rejected > 0 {
            self.reason(rejected, message);
        }
    }

    /// A request that will not be tried again.
    pub(super) fn refuse(&mut self, items: u64, reason: &str) {
        self.reason(items, reason.to_owned());
    }

    pub(super) fn retry(&mut self) {
        self.retries += 1;
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.acknowledged += other.acknowledged;
        self.rejected += other.rejected;
        self.retries += other.retries;
        self.latencies.extend(other.latencies);
        for (items, reason) in other.reasons.into_values() {
            self.reason(items, reason);
        }
    }

    pub(super) fn report(mut self, asked: u64, wall: Duration, client_cpu_seconds: Option<f64>) -> SignalReport {
        self.latencies.sort_unstable();
        let mut reasons: Vec<(u64, String)> = std::mem::take(&mut self.reasons).into_values().collect();
        reasons.sort_by_key(|(items, _)| std::cmp::Reverse(*items));
        let wall_seconds = wall.as_secs_f64();
        SignalReport {
            asked,
            acknowledged: self.acknowledged,
            rejected: self.rejected,
            unacknowledged: asked.saturating_sub(self.acknowledged + self.rejected),
            requests: u64::try_from(self.latencies.len()).unwrap_or(u64::MAX),
            retries: self.retries,
            wall_seconds,
            per_second: per_second(self.acknowledged, wall_seconds),
            client_cpu_seconds,
            ack_ms: Latency { p50: self.quantile(500), p99: self.quantile(990), p999: self.quantile(999), max: self.quantile(1_000) },
            reasons: reasons.into_iter().take(TOLD).map(|(items, reason)| told(items, &reason)).collect(),
        }
    }

    fn quantile(&self, per_mille: usize) -> f64 {
        let rank = (self.latencies.len() * per_mille).div_ceil(1_000).max(1);
        self.latencies.get(rank - 1).map_or(0.0, |latency| latency.as_secs_f64() * 1e3)
    }

    /// Reasons that differ in numbers alone are one: what is left of a disk, or a request's size, differs each time.
    fn reason(&mut self, items: u64, reason: String) {
        let mut kind: Vec<char> = reason.chars().map(|letter| if letter.is_ascii_digit() { '0' } else { letter }).collect();
        kind.dedup_by(|a, b| *a == '0' && *b == '0');
        let kind = String::from_iter(kind);
        if self.reasons.len() < MAX_REASONS || self.reasons.contains_key(&kind) {
            let (all, last) = self.reasons.entry(kind).or_default();
            *all += items;
            *last = reason;
        }
    }
}

/// Different reasons that are counted.
const MAX_REASONS: usize = 64;
/// Reasons in a report.
const TOLD: usize = 3;

fn told(items: u64, reason: &str) -> String {
    format!("{} {}: {reason}", grouped(items), if items == 1 { "record" } else { "records" })
}

#[expect(clippy::cast_precision_loss, reason = "a rate is read by people")]
fn per_second(count: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { count as f64 / seconds } else { 0.0 }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate is finite and not negative, and casting saturates")]
fn whole(rate: f64) -> u64 {
    rate.round() as u64
}

/// 1234567 as 1,234,567.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn a_report_of_nothing_acknowledged_shows_no_waiting_times() {
        let mut tally = Tally::default();
        tally.refuse(10, "cannot connect");
        let report = Report { spans: Some(tally.report(10, Duration::from_secs(1), None)), ..Report::default() }.to_string();
        assert!(report.contains("reason: 10 records: cannot connect") && !report.contains("acknowledged in"), "{report}");
    }

    #[test]
    fn a_report_is_complete_only_when_all_was_acknowledged() {
        let mut tally = Tally::default();
        (1..=1_000).for_each(|ms| tally.acknowledge(10, 0, String::new(), Duration::from_millis(ms)));
        let spans = tally.report(10_000, Duration::from_secs(2), Some(0.5));
        assert_eq!((spans.ack_ms.p50, spans.ack_ms.p99, spans.ack_ms.p999, spans.ack_ms.max), (500.0, 990.0, 999.0, 1_000.0));
        assert!((spans.per_second - 5_000.0).abs() < 1e-6);
        let mut report = Report { spans: Some(spans), ..Report::default() };
        assert!(report.is_complete());
        let mut tally = Tally::default();
        tally.acknowledge(10, 1, "one is too old".to_owned(), Duration::from_millis(1));
        report.logs = Some(tally.report(10, Duration::from_secs(1), None));
        assert!(!report.is_complete());
        assert!(report.to_json().contains("one is too old"));
        assert!(report.to_string().contains("reason: 1 record: one is too old"));
    }

    #[test]
    fn a_reason_is_one_line_with_its_sum_and_the_most_frequent_come_first() {
        let mut tally = Tally::default();
        tally.refuse(10, "cannot connect");
        let mut other = Tally::default();
        for left in [118, 99, 7] {
            other.refuse(1_000, &format!("HTTP 503: the disk has {left} MiB left"));
        }
        tally.merge(other);
        for number in 0..100 {
            tally.refuse(1, &"x".repeat(number));
        }
        let report = tally.report(4_000, Duration::from_secs(1), None);
        assert_eq!(report.reasons[..2], ["3,000 records: HTTP 503: the disk has 7 MiB left", "10 records: cannot connect"]);
        assert_eq!(report.reasons.len(), TOLD);
    }
}
