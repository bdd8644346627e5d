//! Home: how things are and what wants attention; or, while nothing has been received, how to begin.

use askama::Template;
use storage::{ServiceSummary, TimeRange, TraceSummary, UnixNanos};

use super::colour::{Chip, Palette};
use super::format;
use super::frame::Frame;
use super::link::{Links, term};
use super::services::Row as ServiceRow;
use super::traces::Row as TraceRow;
use crate::ask::ErrorGroup;

/// `/`.
#[derive(Debug, Default, Template)]
#[template(path = "home.html")]
pub(crate) struct Home {
    pub(crate) frame: Frame,
    /// Number, what it counts and where it leads.
    pub(crate) totals: Vec<Total>,
    pub(crate) attention: Vec<Attention>,
    pub(crate) services: Vec<ServiceRow>,
    pub(crate) failed: Vec<TraceRow>,
    pub(crate) slow: Vec<TraceRow>,
    pub(crate) notes: Vec<String>,
    pub(crate) map: String,
    pub(crate) all_failed: String,
    pub(crate) all_slow: String,
    /// Whether there is data, but none in this window; then, where.
    pub(crate) elsewhere: Vec<(String, String)>,
    /// Saved views: name and address.
    pub(crate) saved: Vec<(String, String)>,
    pub(crate) demo: bool,
}

/// A number with its meaning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Total {
    pub(crate) value: String,
    pub(crate) label: &'static str,
    pub(crate) href: String,
    pub(crate) is_bad: bool,
}

/// Something that is not as it should be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Attention {
    pub(crate) chip: Chip,
    /// `error`, `new`, `slow` or `silent`.
    pub(crate) class: &'static str,
    pub(crate) text: String,
    pub(crate) detail: String,
    pub(crate) href: String,
}

/// The line of totals.
pub(crate) fn totals(services: &[ServiceSummary], range: TimeRange, links: &Links) -> Vec<Total> {
    let window = range.to.since(range.from);
    let sum = |value: fn(&ServiceSummary) -> u64| services.iter().map(value).fold(0_u64, u64::saturating_add);
    let (requests, errors) = (sum(|s| s.requests), sum(|s| s.errors));
    let total = |value, label, href: String| Total { value, label, href, is_bad: false };
    vec![
        total(format::rate(requests, window), "requests", links.windowed("/services").href()),
        Total { value: format::percent(errors, requests), label: "failed", href: links.traces("status:error").href(), is_bad: errors > 0 },
        total(format::rate(sum(|s| s.span_count), window), "spans", links.windowed("/traces").href()),
        total(format::rate(sum(|s| s.log_count), window), "logs", links.windowed("/logs").href()),
        total(format::exact(services.len() as u64), "services", links.windowed("/services").href()),
    ]
}

/// What is compared: this window and the one before it, of the same length.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Compared<'a> {
    pub(crate) now: &'a [ServiceSummary],
    pub(crate) before: &'a [ServiceSummary],
    pub(crate) failed: &'a [TraceSummary],
    pub(crate) errors: &'a [ErrorGroup],
    pub(crate) errors_before: &'a [ErrorGroup],
}

/// What differs for the worse: failing operations, errors that were not there before, failing services, services slower than in the
/// window before, silent ones.
pub(crate) fn attention(compared: Compared<'_>, range: TimeRange, (links, palette): (&Links, &Palette)) -> Vec<Attention> {
    let Compared { now, before, .. } = compared;
    let mut items = failing_operations(compared.failed, links, palette);
    items.extend(new_errors(&compared, links, palette));
    items.extend(failing_services(now, before, links, palette));
    for service in now {
        let Some(earlier) = before.iter().find(|earlier| earlier.name == service.name) else { continue };
        let is_slower = service.p95 > earlier.p95.saturating_mul(3) / 2 && service.p95 > earlier.p95.saturating_add(5_000_000);
        if is_slower && service.requests >= 20 && earlier.requests >= 20 {
            items.push(Attention {
                chip: palette.chip(&service.name),
                class: "slow",
                text: format!("p95 rose from {} to {}", format::duration(earlier.p95), format::duration(service.p95)),
                detail: "against the window before".to_owned(),
                href: links.traces(&term("service", &service.name)).with("sort", "slowest").href(),
            });
        }
    }
    let window = range.to.since(range.from);
    for service in before.iter().filter(|service| service.requests >= 10 && !now.iter().any(|known| known.name == service.name)) {
        items.push(Attention {
            chip: palette.chip(&service.name),
            class: "silent",
            text: "went silent".to_owned(),
            detail: format!("{} in the window before, nothing now", format::counted(service.requests, "request", "requests")),
            href: links
                .service(&service.name)
                .with("from", &range.from.minus(window).get().to_string())
                .with("to", &range.from.get().to_string())
                .href(),
        });
    }
    items.truncate(MAX_ITEMS);
    items
}

/// Failed traces that begin with the same operation and fail with the same message, the most frequent first.
fn failing_operations(failed: &[TraceSummary], links: &Links, palette: &Palette) -> Vec<Attention> {
    let mut groups: Vec<(&TraceSummary, Vec<&str>, usize, UnixNanos)> = Vec::new();
    for trace in failed {
        let message = trace.first_error.as_deref().unwrap_or_default();
        let same = |(known, ..): &&mut (&TraceSummary, Vec<&str>, usize, UnixNanos)| {
            known.root_service == trace.root_service && known.root_name == trace.root_name
        };
        match groups.iter_mut().find(same) {
            Some((_, messages, count, newest)) => {
                *count += 1;
                *newest = (*newest).max(trace.start);
                if !messages.contains(&message) && messages.len() < 3 {
                    messages.push(message);
                }
            }
            None => groups.push((trace, vec![message], 1, trace.start)),
        }
    }
    groups.sort_by_key(|(.., count, newest)| std::cmp::Reverse((*count, *newest)));
    let item = |(trace, messages, count, _): (&TraceSummary, Vec<&str>, usize, UnixNanos)| {
        let messages: Vec<String> =
            messages.iter().filter(|message| !message.is_empty()).map(|message| format::line(message, 90)).collect();
        let at_least = if failed.len() >= FAILED_SAMPLE { "at least " } else { "" };
        Attention {
            chip: palette.chip(&trace.root_service),
            class: "error",
            text: format!("{} fails", format::line(&trace.root_name, 90)),
            detail: std::iter::once(format!("{at_least}{}", format::counted(count as u64, "trace", "traces")))
                .chain(messages)
                .collect::<Vec<_>>()
                .join(" · "),
            href: links.traces(&failed_query(trace)).href(),
        }
    };
    groups.into_iter().take(4).map(item).collect()
}

/// Finds the failed spans of traces like this one. The root itself may not have failed, so the service that did is asked for.
fn failed_query(trace: &TraceSummary) -> String {
    let failing = trace.services.iter().rev().find(|service| service.error_count > 0);
    let service = failing.map_or(trace.root_service.as_str(), |service| service.name.as_str());
    format!("{} status:error", term("service", service))
}

/// Messages that no failed span had in the window before. Silent while that window holds nothing to compare with.
fn new_errors(compared: &Compared<'_>, links: &Links, palette: &Palette) -> Vec<Attention> {
    let was_there = |group: &ErrorGroup| compared.before.iter().any(|service| service.name == group.service && service.requests > 0);
    let is_known = |group: &ErrorGroup| {
        let alike = |old: &ErrorGroup| old.service == group.service && old.kind == group.kind && old.message == group.message;
        compared.errors_before.iter().any(alike)
    };
    let fresh = compared.errors.iter().filter(|group| !group.message.is_empty() && was_there(group) && !is_known(group));
    let item = |group: &ErrorGroup| Attention {
        chip: palette.chip(&group.service),
        class: "new",
        text: format!("new error: {}", format::line(&group.message, 90)),
        detail: format!("{}, none in the window before", format::counted(group.count, "time", "times")),
        href: group.example.map_or_else(
            || links.traces(&format!("{} status:error", term("service", &group.service))).href(),
            |(trace, span)| links.trace(&trace).with("span", &span.to_string()).href(),
        ),
    };
    fresh.take(3).map(item).collect()
}

fn failing_services(now: &[ServiceSummary], before: &[ServiceSummary], links: &Links, palette: &Palette) -> Vec<Attention> {
    let mut failing: Vec<&ServiceSummary> = now.iter().filter(|service| service.errors > 0).collect();
    failing.sort_by(|a, b| format::ratio(b.errors, b.requests.max(1)).total_cmp(&format::ratio(a.errors, a.requests.max(1))));
    let item = |service: &&ServiceSummary| {
        let earlier = before.iter().find(|earlier| earlier.name == service.name && earlier.requests > 0);
        let then = earlier.map(|earlier| format!(", {} in the window before", format::percent(earlier.errors, earlier.requests)));
        Attention {
            chip: palette.chip(&service.name),
            class: "error",
            text: format!("{} of requests fail", format::percent(service.errors, service.requests)),
            detail: format!("{} of {}{}", format::exact(service.errors), format::exact(service.requests), then.unwrap_or_default()),
            href: links.traces(&format!("{} status:error", term("service", &service.name))).href(),
        }
    };
    failing.iter().take(5).map(item).collect()
}

/// How many failed traces Home looks at.
pub(crate) const FAILED_SAMPLE: usize = 100;

/// Items of the attention list.
const MAX_ITEMS: usize = 9;

#[cfg(test)]
mod tests {
    use super::*;

    fn service(name: &str, requests: u64, errors: u64, p95: u64) -> ServiceSummary {
        ServiceSummary {
            name: name.to_owned(),
            span_count: requests,
            requests,
            errors,
            p50: p95 / 2,
            p95,
            p99: p95,
            log_count: 0,
            last_seen: UnixNanos::new(0),
            points: Vec::new(),
        }
    }

    #[test]
    fn attention_names_failing_slow_and_silent_services_in_this_order() {
        let range = TimeRange { from: UnixNanos::new(100), to: UnixNanos::new(200) };
        let before = [service("slow", 50, 0, 10_000_000), service("gone", 50, 0, 1), service("bad", 100, 0, 1)];
        let now = [service("slow", 50, 0, 90_000_000), service("bad", 100, 3, 1), service("fine", 10, 0, 1)];
        let compared = Compared { now: &now, before: &before, ..Compared::default() };
        let items = attention(compared, range, (&Links::default(), &Palette::default()));
        let classes: Vec<_> = items.iter().map(|item| (item.class, item.chip.name.as_str())).collect();
        assert_eq!(classes, [("error", "bad"), ("slow", "slow"), ("silent", "gone")]);
        assert_eq!(items[0].href, "/traces?q=service%3Abad%20status%3Aerror");
        assert_eq!(items[2].href, "/services/gone?from=0&to=100");
    }

    #[test]
    fn an_error_is_new_when_its_service_was_there_before_without_it() {
        let range = TimeRange { from: UnixNanos::new(100), to: UnixNanos::new(200) };
        let error = |message: &str| ErrorGroup {
            service: "cart".to_owned(),
            kind: String::new(),
            message: message.to_owned(),
            count: 2,
            first: UnixNanos::new(1),
            last: UnixNanos::new(2),
            example: None,
        };
        let (now, old) = ([error("old one"), error("new one")], [error("old one")]);
        let services = [service("cart", 9, 0, 1)];
        let texts = |before: &[ServiceSummary]| {
            let compared = Compared { before, errors: &now, errors_before: &old, now: &services, ..Compared::default() };
            attention(compared, range, (&Links::default(), &Palette::default())).into_iter().map(|item| item.text).collect::<Vec<_>>()
        };
        assert_eq!(texts(&services), ["new error: new one"]);
        assert!(texts(&[]).is_empty());
    }
}
