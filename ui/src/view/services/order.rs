//! In which order services, and operations of one, are listed.

use std::cmp::Reverse;

use storage::{Node, Operation, ServiceSummary};

use crate::view::format::ratio;
use crate::view::link::Address;

/// What comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Order {
    /// Services with the most requests, systems with the most calls, operations that took the most time in all.
    #[default]
    Most,
    /// The greatest share of failures.
    Failures,
    /// The longest 95th percentile.
    Slowest,
    /// By name.
    Name,
}

impl Order {
    /// Words of the address.
    pub(crate) const WORDS: [(&'static str, Self); 4] =
        [("most", Self::Most), ("failed", Self::Failures), ("p95", Self::Slowest), ("name", Self::Name)];

    /// The orders as links of a page without one; `most` is what the first is called.
    pub(crate) fn list(self, most: &'static str, page: &Address) -> Vec<(&'static str, String, bool)> {
        self.list_as(("sort", "order"), most, page)
    }

    /// As [`Self::list`], of a parameter of another name, at another place of the page.
    pub(crate) fn list_as(self, (param, place): (&str, &str), most: &'static str, page: &Address) -> Vec<(&'static str, String, bool)> {
        let link = |(label, (word, order)): (&'static str, (&'static str, Self))| {
            let word = if order == Self::Most { "" } else { word };
            (label, format!("{}#{place}", page.clone().with(param, word).href()), order == self)
        };
        [most, "Failed", "p95", "Name"].into_iter().zip(Self::WORDS).map(link).collect()
    }

    /// Orders services; those without requests have neither failures nor durations.
    pub(crate) fn services(self, services: &mut [ServiceSummary]) {
        // What is equal stays by requests.
        services.sort_by_key(|service| Reverse(service.requests));
        match self {
            Self::Most => {}
            Self::Failures => services.sort_by(|a, b| share(b.errors, b.requests).total_cmp(&share(a.errors, a.requests))),
            Self::Slowest => services.sort_by_key(|service| Reverse(service.p95)),
            Self::Name => services.sort_by(|a, b| a.name.cmp(&b.name)),
        }
    }

    /// Orders what services call.
    pub(crate) fn systems(self, systems: &mut [&Node]) {
        systems.sort_by(|a, b| b.requests.cmp(&a.requests).then_with(|| a.name.cmp(&b.name)));
        match self {
            Self::Most => {}
            Self::Failures => systems.sort_by(|a, b| share(b.errors, b.requests).total_cmp(&share(a.errors, a.requests))),
            Self::Slowest => systems.sort_by_key(|system| Reverse(system.p95)),
            Self::Name => systems.sort_by(|a, b| a.name.cmp(&b.name)),
        }
    }

    /// Orders operations.
    pub(crate) fn operations(self, operations: &mut [Operation]) {
        operations.sort_by_key(|operation| Reverse(operation.total));
        match self {
            Self::Most => {}
            Self::Failures => operations.sort_by(|a, b| share(b.errors, b.count).total_cmp(&share(a.errors, a.count))),
            Self::Slowest => operations.sort_by_key(|operation| Reverse(operation.p95)),
            Self::Name => operations.sort_by(|a, b| a.name.cmp(&b.name)),
        }
    }
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { ratio(part, whole) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::link::Links;

    #[test]
    fn operations_come_in_the_order_that_is_asked_for() {
        let one = |name: &str, count, errors, p95, total| Operation {
            name: name.to_owned(),
            kind: "server",
            count,
            errors,
            p50: 1,
            p95,
            p99: p95,
            total,
        };
        let mut all = vec![one("pay", 10, 5, 30, 300), one("get", 100, 6, 10, 900), one("add", 0, 0, 40, 0)];
        let mut told = |order: Order| {
            order.operations(&mut all);
            all.iter().map(|operation| operation.name.clone()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(told(Order::Most), "get pay add");
        assert_eq!(told(Order::Failures), "pay get add");
        assert_eq!(told(Order::Slowest), "add pay get");
        assert_eq!(told(Order::Name), "add get pay");
        let list = Order::Slowest.list("Time", &Links::default().plain("/services/x"));
        assert_eq!(list[0], ("Time", "/services/x#order".to_owned(), false));
        assert_eq!(list[2], ("p95", "/services/x?sort=p95#order".to_owned(), true));
    }
}
