//! Counters, gauges and histograms of this process, and their Prometheus text form.
//!
//! Owns the registry that every crate registers its series in. Knows nothing of HTTP.
//! Series are registered once at start and updated without a lock.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use crate::ledger::Ledger;

mod lately;

pub use self::lately::Lately;

/// Holds all series. Cloning is cheap and shares them.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    families: Arc<Mutex<Vec<Family>>>,
    ledger: Ledger,
}

/// Only goes up.
#[derive(Clone, Debug, Default)]
pub struct Counter(Arc<AtomicU64>);

/// Goes up and down.
#[derive(Clone, Debug, Default)]
pub struct Gauge(Arc<AtomicI64>);

/// Bytes that a gauge shows until this is dropped.
#[derive(Debug, Default)]
pub struct Held {
    gauge: Gauge,
    bytes: usize,
}

/// Counts durations in fixed buckets from 100 µs to 60 s.
#[derive(Clone, Debug, Default)]
pub struct Histogram(Arc<HistogramCells>);

#[derive(Debug)]
struct Family {
    name: &'static str,
    help: &'static str,
    series: Vec<(String, Series)>,
}

#[derive(Clone, Debug)]
enum Series {
    Counter(Counter),
    Gauge(Gauge),
    Histogram(Histogram),
}

#[derive(Debug, Default)]
struct HistogramCells {
    buckets: [AtomicU64; BOUNDS_SECONDS.len()],
    count: AtomicU64,
    sum_nanos: AtomicU64,
}

const BOUNDS_SECONDS: [f64; 16] = [0.0001, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0];

// === impl Registry ===

impl Registry {
    /// Registers or finds a counter. `labels` are name and value pairs.
    #[must_use]
    pub fn counter(&self, name: &'static str, help: &'static str, labels: &[(&str, &str)]) -> Counter {
        match self.series(name, help, labels, || Series::Counter(Counter::default())) {
            Series::Counter(counter) => counter,
            _ => Counter::default(),
        }
    }

    /// Registers or finds a gauge. `labels` are name and value pairs.
    #[must_use]
    pub fn gauge(&self, name: &'static str, help: &'static str, labels: &[(&str, &str)]) -> Gauge {
        match self.series(name, help, labels, || Series::Gauge(Gauge::default())) {
            Series::Gauge(gauge) => gauge,
            _ => Gauge::default(),
        }
    }

    /// Registers or finds the gauge of what a consumer of memory holds.
    #[must_use]
    pub fn memory_used(&self, consumer: &str) -> Gauge {
        let help = "Bytes of memory that a consumer holds.";
        self.gauge("throughline_memory_used_bytes", help, &[("consumer", consumer)])
    }

    /// Registers or finds the gauge of what questions of a kind hold.
    #[must_use]
    pub fn question_memory(&self, kind: &str) -> Gauge {
        let help =
            "Bytes of memory that running questions hold, which are not SQL: the rows at hand and what is gathered of rows, an estimate.";
        self.gauge("throughline_question_memory_bytes", help, &[("kind", kind)])
    }

    /// Registers or finds a histogram of seconds. `labels` are name and value pairs.
    #[must_use]
    pub fn histogram(&self, name: &'static str, help: &'static str, labels: &[(&str, &str)]) -> Histogram {
        match self.series(name, help, labels, || Series::Histogram(Histogram::default())) {
            Series::Histogram(histogram) => histogram,
            _ => Histogram::default(),
        }
    }

    /// Every series in the Prometheus text exposition format 0.0.4.
    #[must_use]
    pub fn render(&self) -> String {
        let mut out = String::with_capacity(8 * 1024);
        for family in self.families.lock().iter() {
            let kind = match family.series.first() {
                Some((_, Series::Counter(_))) => "counter",
                Some((_, Series::Gauge(_))) => "gauge",
                _ => "histogram",
            };
            // Writing to a String cannot fail.
            let _ = writeln!(out, "# HELP {} {}\n# TYPE {} {kind}", family.name, family.help, family.name);
            for (labels, series) in &family.series {
                series.render(&mut out, family.name, labels);
            }
        }
        self.ledger.render(&mut out);
        out
    }

    /// What came in and what became of it, per client.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Every counter and gauge as (name, labels, value), for the status page.
    #[must_use]
    pub fn values(&self) -> Vec<(&'static str, String, i64)> {
        let mut values = Vec::new();
        for family in self.families.lock().iter() {
            for (labels, series) in &family.series {
                match series {
                    Series::Counter(c) => values.push((family.name, labels.clone(), i64::try_from(c.get()).unwrap_or(i64::MAX))),
                    Series::Gauge(g) => values.push((family.name, labels.clone(), g.get())),
                    Series::Histogram(_) => {}
                }
            }
        }
        values
    }

    fn series(&self, name: &'static str, help: &'static str, labels: &[(&str, &str)], new: impl FnOnce() -> Series) -> Series {
        let labels = labels.iter().map(|(k, v)| format!("{k}=\"{}\"", escape(v))).collect::<Vec<_>>().join(",");
        let mut families = self.families.lock();
        if let Some(family) = families.iter_mut().find(|family| family.name == name) {
            if let Some((_, series)) = family.series.iter().find(|(known, _)| *known == labels) {
                return series.clone();
            }
            let series = new();
            family.series.push((labels, series.clone()));
            return series;
        }
        let series = new();
        families.push(Family { name, help, series: vec![(labels, series.clone())] });
        series
    }
}

fn escape(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

// === impl Counter, Gauge, Histogram ===

impl Counter {
    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// The count so far.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Gauge {
    /// Replaces the value.
    pub fn set(&self, value: u64) {
        self.0.store(i64::try_from(value).unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    /// Moves the value by `delta`.
    pub fn add(&self, delta: i64) {
        self.0.fetch_add(delta, Ordering::Relaxed);
    }

    /// Shows so many bytes more until what this gives is dropped.
    #[must_use]
    pub fn hold(&self, bytes: usize) -> Held {
        let mut held = Held { gauge: self.clone(), bytes: 0 };
        held.set(bytes);
        held
    }

    /// The value now.
    #[must_use]
    pub fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Held {
    /// Shows so many bytes instead.
    pub fn set(&mut self, bytes: usize) {
        let signed = |bytes: usize| i64::try_from(bytes).unwrap_or(i64::MAX);
        self.gauge.add(signed(bytes) - signed(self.bytes));
        self.bytes = bytes;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.set(0);
    }
}

impl Histogram {
    /// Counts one duration.
    pub fn observe(&self, elapsed: Duration) {
        let seconds = elapsed.as_secs_f64();
        for (bound, cell) in BOUNDS_SECONDS.iter().zip(&self.0.buckets) {
            if seconds <= *bound {
                cell.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.0.count.fetch_add(1, Ordering::Relaxed);
        self.0.sum_nanos.fetch_add(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// A duration that at least this share of those counted does not pass: the end of a bucket. `None` before the first, and when it lies beyond
    /// the last bucket.
    #[must_use]
    pub fn within(&self, share: f64) -> Option<Duration> {
        let count = self.0.count.load(Ordering::Relaxed);
        let enough = |cell: &AtomicU64| cell.load(Ordering::Relaxed) as f64 >= share * count as f64;
        let found = BOUNDS_SECONDS.iter().zip(&self.0.buckets).find(|(_, cell)| enough(cell));
        found.filter(|_| count > 0).map(|(bound, _)| Duration::from_secs_f64(*bound))
    }

    /// How many durations were counted, and their sum.
    #[must_use]
    pub fn total(&self) -> (u64, Duration) {
        (self.0.count.load(Ordering::Relaxed), Duration::from_nanos(self.0.sum_nanos.load(Ordering::Relaxed)))
    }
}

// === impl Series ===

impl Series {
    fn render(&self, out: &mut String, name: &str, labels: &str) {
        let braced = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
        let _ = match self {
            Self::Counter(counter) => writeln!(out, "{name}{braced} {}", counter.get()),
            Self::Gauge(gauge) => writeln!(out, "{name}{braced} {}", gauge.get()),
            Self::Histogram(histogram) => {
                let comma = if labels.is_empty() { "" } else { "," };
                let (count, sum) = histogram.total();
                for (bound, cell) in BOUNDS_SECONDS.iter().zip(&histogram.0.buckets) {
                    let _ = writeln!(out, "{name}_bucket{{{labels}{comma}le=\"{bound}\"}} {}", cell.load(Ordering::Relaxed));
                }
                let _ = writeln!(out, "{name}_bucket{{{labels}{comma}le=\"+Inf\"}} {count}");
                writeln!(out, "{name}_sum{braced} {}\n{name}_count{braced} {count}", sum.as_secs_f64())
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_shown_until_it_is_given_back() {
        let gauge = Registry::default().memory_used("x");
        let mut held = gauge.hold(10);
        let more = gauge.hold(5);
        held.set(20);
        assert_eq!(gauge.get(), 25);
        drop(held);
        assert_eq!(gauge.get(), 5);
        drop(more);
        assert_eq!(gauge.get(), 0);
    }

    #[test]
    fn the_same_name_and_labels_share_one_series() {
        let registry = Registry::default();
        registry.counter("a_total", "A.", &[("x", "1")]).add(2);
        registry.counter("a_total", "A.", &[("x", "1")]).add(3);
        let histogram = registry.histogram("b_seconds", "B.", &[]);
        assert_eq!(histogram.within(0.5), None);
        histogram.observe(Duration::from_millis(3));
        assert_eq!((histogram.within(0.5), histogram.within(0.99)), (Some(Duration::from_millis(5)), Some(Duration::from_millis(5))));
        let text = registry.render();
        assert!(text.contains("# TYPE a_total counter\na_total{x=\"1\"} 5\n"), "{text}");
        assert!(text.contains("b_seconds_bucket{le=\"0.002\"} 0\nb_seconds_bucket{le=\"0.005\"} 1\n"), "{text}");
        assert!(text.contains("b_seconds_count 1\n"), "{text}");
    }
}
