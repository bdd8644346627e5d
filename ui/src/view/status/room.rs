//! What takes disk and memory, and how much of it may.

use storage::StoreStatus;

use super::{Counters, label, named, value};
use crate::view::format;

/// The disk as one bar.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Disk {
    /// Class, left edge and width in percent, what it is and its size.
    pub(crate) parts: Vec<Slice>,
    /// `1.20 GiB taken, 20.0 GiB free on its disk`, or `1.20 GiB of a budget of 20.0 GiB, 6 %`.
    pub(crate) summary: String,
    /// What happens when it is full.
    pub(crate) bound: String,
}

/// A part of the disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Slice {
    pub(crate) class: &'static str,
    pub(crate) x: String,
    pub(crate) width: String,
    pub(crate) what: &'static str,
    pub(crate) bytes: String,
}

/// What holds memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Consumer {
    pub(crate) what: String,
    pub(crate) used: String,
    pub(crate) bound: String,
    /// Share of its bound in percent.
    pub(crate) share: String,
}

/// What takes the disk: of the byte budget, or without one of what is free and taken together.
pub(crate) fn disk(status: &StoreStatus) -> Disk {
    let [traces, logs] = &status.signals;
    let rest = status.disk_bytes.saturating_sub(traces.segment_bytes).saturating_sub(logs.segment_bytes);
    let whole = status.max_disk_bytes.unwrap_or_else(|| status.disk_bytes.saturating_add(status.free_bytes)).max(1);
    let (taken, free) = (format::bytes(status.disk_bytes), format::bytes(status.free_bytes));
    let mut below = 0_u64;
    let shown =
        [("bar-ok", "spans", traces.segment_bytes), ("bar-warn", "log records", logs.segment_bytes), ("bar-rest", "write-ahead log", rest)];
    let parts = shown.into_iter().map(|(class, what, bytes)| {
        let x = format::position(below, whole);
        below = below.saturating_add(bytes);
        Slice { class, x, width: format::position(bytes, whole), what, bytes: format::bytes(bytes) }
    });
    Disk {
        parts: parts.collect(),
        summary: match status.max_disk_bytes {
            Some(budget) => format!("{taken} of a budget of {}, {}", format::bytes(budget), format::percent(status.disk_bytes, whole)),
            None => format!("{taken} taken, {free} free on the disk of the data folder"),
        },
        bound: match status.max_disk_bytes {
            Some(_) => format!("Before more than the byte budget is taken, the oldest segments go. {free} are free on the disk."),
            None => "There is no byte budget: it takes what the disk has, and refuses what is new while too little is free.".to_owned(),
        },
    }
}

/// Consumers of memory with their bounds; the process itself comes first, then those with a bound, then what is worked on now.
pub(crate) fn consumers(counters: &Counters, resident: Option<u64>) -> Vec<Consumer> {
    let of = |name, consumer| value(counters, name, &[("consumer", consumer)]);
    let bound = |consumer| of("throughline_memory_bound_bytes", consumer);
    let limit = value(counters, "throughline_memory_limit_bytes", &[]);
    let process = resident.map(|bytes| ("this process".to_owned(), bytes, limit));
    let requests = ("requests of senders under way".to_owned(), value(counters, "throughline_in_flight_bytes", &[]), bound("requests"));
    let mut known: Vec<(usize, String, u64, u64)> = named(counters, "throughline_memory_used_bytes")
        .filter_map(|(labels, used)| {
            // Those of requests are told first, with their bound.
            let consumer = label(labels, "consumer").filter(|consumer| *consumer != "requests")?;
            let place = WORDS.iter().position(|(known, _)| *known == consumer);
            let words =
                place.and_then(|place| WORDS.get(place)).map_or_else(|| format::line(consumer, 40), |(_, words)| (*words).to_owned());
            Some((place.unwrap_or(WORDS.len()), words, used, bound(consumer)))
        })
        .collect();
    known.sort();
    let known = known.into_iter().map(|(_, words, used, bound)| (words, used, bound));
    let row = |(what, used, bound): (String, u64, u64)| Consumer {
        what,
        used: format::bytes(used),
        bound: if bound == 0 { format::MISSING.to_owned() } else { format::bytes(bound) },
        share: format::position(used, bound),
    };
    process.into_iter().chain([requests]).chain(known).map(row).collect()
}

/// What consumers of memory are called, in the order in which they are told.
const WORDS: [(&str, &str); 13] = [
    ("rows", "rows not yet in segments"),
    ("sql", "SQL"),
    ("questions", "other questions"),
    ("flushes", "writing segments"),
    ("merges", "merging segments"),
    ("decoders", "unpacking what is sent"),
    ("answers", "answers to requests that may be sent again"),
    ("indexes", "indexes of segments"),
    ("dictionaries", "values of columns that are kept"),
    ("versions", "ids of spans that came more than once"),
    ("sums", "sums by minute that are kept"),
    ("calls", "calls between services that are kept"),
    ("traces", "traces that were opened lately, for their pages"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_disk_is_measured_by_the_budget_where_there_is_one() {
        let mut status = StoreStatus { disk_bytes: 600, free_bytes: 1_400, ..StoreStatus::default() };
        status.signals[0].segment_bytes = 300;
        status.signals[1].segment_bytes = 200;
        let free = disk(&status);
        assert_eq!(free.parts.iter().map(|part| part.width.as_str()).collect::<Vec<_>>(), ["15", "10", "5"]);
        assert_eq!(free.parts[2].x, "25");
        assert!(free.summary.contains("free on the disk of the data folder"), "{}", free.summary);
        status.max_disk_bytes = Some(1_000);
        assert_eq!(disk(&status).parts[0].width, "30");
        let bound = disk(&status);
        assert!(bound.summary.contains("of a budget of") && bound.bound.contains("oldest segments go"), "{bound:?}");
    }

    #[test]
    fn consumers_are_told_with_their_bounds() {
        let gauge = |name, consumer: &str, bytes| (name, format!("consumer=\"{consumer}\""), bytes);
        let counters = [
            gauge("throughline_memory_bound_bytes", "rows", 400),
            gauge("throughline_memory_used_bytes", "rows", 100),
            gauge("throughline_memory_bound_bytes", "sql", 100),
            gauge("throughline_memory_bound_bytes", "requests", 100),
        ];
        let used = "throughline_memory_used_bytes";
        let working = [
            gauge(used, "merges", 7),
            gauge(used, "flushes", 3),
            gauge(used, "sql", 50),
            gauge(used, "requests", 2),
            gauge(used, "something new", 1),
        ];
        let told = consumers(&[&counters[..], &working].concat(), None);
        let told: Vec<_> = told.iter().map(|one| (one.what.as_str(), one.share.as_str(), one.bound == "—")).collect();
        let expected = [
            ("requests of senders under way", "0", false),
            ("rows not yet in segments", "25", false),
            ("SQL", "50", false),
            ("writing segments", "0", true),
            ("merging segments", "0", true),
            ("something new", "0", true),
        ];
        assert_eq!(told, expected);
        assert_eq!(consumers(&counters, Some(5))[0].bound, "—");
    }
}
