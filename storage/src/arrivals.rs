//! Who sent lately, by the clock of this machine.
//!
//! Owns when each service was heard last and how new what it sent was: a sender whose clock is wrong is heard although its times lie elsewhere.
//! Kept in memory only, and not counted again when the log is replayed: it says who sends to this process.

use std::collections::HashMap;

use arrow::array::{AsArray as _, RecordBatch};
use arrow::datatypes::Int64Type;
use parking_lot::Mutex;

use crate::model::UnixNanos;
use crate::schema::column;
use crate::store::Signal;

/// A service that was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Its name.
    pub service: String,
    /// What it sent.
    pub signal: Signal,
    /// When its last request came, by the clock of this machine.
    pub heard: UnixNanos,
    /// The newest time in that request, by the clock of the sender.
    pub newest: UnixNanos,
}

/// By service and signal, when it was heard and how new that was.
type Known = HashMap<(String, Signal), (UnixNanos, UnixNanos)>;

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    known: Mutex<Known>,
}

// === impl Arrivals ===

impl Arrivals {
    /// Notes what a request holds: services with the newest time of each.
    pub(crate) fn note(&self, signal: Signal, heard: UnixNanos, found: Vec<(String, UnixNanos)>) {
        let mut known = self.known.lock();
        for (service, newest) in found {
            let key = (service, signal);
            if known.len() >= MAX_SERVICES && !known.contains_key(&key) {
                forget_half(&mut known);
            }
            known.insert(key, (heard, newest));
        }
    }

    /// Those that were heard at `since` or later, by name; who sends both signals is there twice.
    pub(crate) fn since(&self, since: UnixNanos) -> Vec<Arrival> {
        let known = self.known.lock();
        let lately = known.iter().filter(|(_, (heard, _))| *heard >= since);
        let arrival = |((service, signal), (heard, newest)): (&(String, Signal), &(UnixNanos, UnixNanos))| Arrival {
            service: service.clone(),
            signal: *signal,
            heard: *heard,
            newest: *newest,
        };
        let mut found: Vec<Arrival> = lately.map(arrival).collect();
        found.sort_by(|a, b| (&a.service, a.signal.as_str()).cmp(&(&b.service, b.signal.as_str())));
        found
    }
}

/// Forgets those that were heard longest ago, many at once: whoever makes names up does not have all of them looked through for each.
fn forget_half(known: &mut Known) {
    let mut times: Vec<UnixNanos> = known.values().map(|(heard, _)| *heard).collect();
    let half = times.len() / 2;
    let (earlier, at, _) = times.select_nth_unstable(half);
    let at = *at;
    // Several may have been heard at that very time.
    let mut more = half - earlier.iter().filter(|time| **time < at).count();
    known.retain(|_, (heard, _)| {
        let goes = *heard < at || (*heard == at && more > 0);
        more -= usize::from(goes && *heard == at);
        !goes
    });
}

/// The services of a request with the newest time of each, at most so many as are remembered.
pub(crate) fn found(signal: Signal, batch: &RecordBatch) -> Vec<(String, UnixNanos)> {
    let time = if signal == Signal::Logs { column::TIME } else { column::END_TIME };
    let services = batch.column_by_name(column::SERVICE_NAME).and_then(|services| services.as_string_view_opt());
    let times = batch.column_by_name(time).and_then(|times| times.as_primitive_opt::<Int64Type>());
    let Some((services, times)) = services.zip(times) else { return Vec::new() };
    let mut found: HashMap<&str, u64> = HashMap::new();
    let (mut last, mut newest) = ("", 0);
    // Rows of one service come in a row.
    for (service, time) in services.iter().zip(times.iter()) {
        let (service, time) = (service.unwrap_or_default(), time.unwrap_or_default().cast_unsigned());
        if service != last {
            put(&mut found, last, newest);
            (last, newest) = (service, 0);
        }
        newest = newest.max(time);
    }
    put(&mut found, last, newest);
    found.into_iter().map(|(service, newest)| (service.to_owned(), UnixNanos::new(newest))).collect()
}

fn put<'a>(found: &mut HashMap<&'a str, u64>, service: &'a str, newest: u64) {
    if !service.is_empty() && (found.len() < MAX_SERVICES || found.contains_key(service)) {
        let known = found.entry(service).or_default();
        *known = newest.max(*known);
    }
}

/// More services than these are not remembered, each once per signal; the ones that were heard last are.
const MAX_SERVICES: usize = 2_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_request_of_a_service_says_how_new_its_times_are() {
        let arrivals = Arrivals::default();
        let at = UnixNanos::new;
        arrivals.note(Signal::Traces, at(100), vec![("web".to_owned(), at(7)), ("shop".to_owned(), at(90))]);
        arrivals.note(Signal::Traces, at(200), vec![("web".to_owned(), at(5))]);
        let told = |since| arrivals.since(at(since)).into_iter().map(|one| (one.service, one.newest.get())).collect::<Vec<_>>();
        assert_eq!(told(150), [("web".to_owned(), 5)]);
        arrivals.note(Signal::Logs, at(90), vec![("web".to_owned(), at(3))]);
        let signals: Vec<_> = arrivals.since(at(0)).into_iter().map(|one| (one.signal, one.newest.get())).collect();
        assert_eq!(signals, [(Signal::Traces, 90), (Signal::Logs, 3), (Signal::Traces, 5)], "its log records are told by themselves");
        assert_eq!(told(100), [("shop".to_owned(), 90), ("web".to_owned(), 5)]);
    }

    #[test]
    fn the_services_that_were_heard_last_are_remembered() {
        let arrivals = Arrivals::default();
        for number in 0..MAX_SERVICES as u64 + 5 {
            arrivals.note(Signal::Traces, UnixNanos::new(number), vec![(format!("s{number}"), UnixNanos::new(1))]);
        }
        let known = arrivals.since(UnixNanos::new(0));
        assert_eq!(known.len(), MAX_SERVICES / 2 + 5);
        assert!(known.iter().all(|one| one.service != "s999") && known.iter().any(|one| one.service == "s1000"));
    }

    #[test]
    fn a_request_full_of_names_leaves_half_of_what_is_remembered() {
        let arrivals = Arrivals::default();
        let names = |from: usize| (from..from + MAX_SERVICES).map(|number| (format!("s{number}"), UnixNanos::new(1))).collect();
        arrivals.note(Signal::Traces, UnixNanos::new(7), names(0));
        arrivals.note(Signal::Traces, UnixNanos::new(7), vec![("one more".to_owned(), UnixNanos::new(1))]);
        assert_eq!(arrivals.since(UnixNanos::new(7)).len(), MAX_SERVICES / 2 + 1);
        arrivals.note(Signal::Traces, UnixNanos::new(8), names(MAX_SERVICES));
        let known = arrivals.since(UnixNanos::new(0));
        assert!(known.len() <= MAX_SERVICES && known.iter().filter(|one| one.heard == UnixNanos::new(8)).count() >= MAX_SERVICES / 2);
    }
}
