//! The ledger as a table: what each client sent of each signal, and what became of it.

use std::collections::BTreeMap;

use storage::{Account, Ledger, Signal};

use crate::view::format;

/// One account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Book {
    /// What the client calls itself; `All senders` for the sum.
    pub(crate) who: String,
    pub(crate) is_total: bool,
    pub(crate) signal: &'static str,
    pub(crate) requests: String,
    pub(crate) received: String,
    pub(crate) stored: String,
    pub(crate) repeated: String,
    /// Items that were not stored, by reason.
    pub(crate) rejected: String,
    /// Requests that were refused as a whole, by reason.
    pub(crate) refused: String,
}

/// Every client with both its signals, those with losses first and the busiest next; before them both signals' sums, when there are several.
pub(crate) fn books(ledger: &Ledger) -> Vec<Book> {
    let mut accounts = ledger.accounts();
    let lost = |account: &Account| account.rejected.values().chain(account.refused.values()).sum::<u64>();
    let mut clients: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for (_, who, account) in &accounts {
        let client = clients.entry(who.clone()).or_default();
        *client = (client.0.max(lost(account).min(1)), client.1.saturating_add(account.received));
    }
    accounts.sort_by_cached_key(|(signal, who, _)| (std::cmp::Reverse(clients.get(who).copied()), who.clone(), *signal == Signal::Logs));
    let totals = SIGNALS.into_iter().map(|signal| (signal, ledger.total(signal)));
    let totals = totals.filter(|(_, total)| clients.len() > 1 && total.requests > 0);
    let totals = totals.map(|(signal, total)| book("All senders", true, signal, &total));
    totals.chain(accounts.iter().take(MAX_CLIENTS).map(|(signal, who, account)| book(who, false, *signal, account))).collect()
}

/// Whether what came in is what became of it; says the difference when it is not.
pub(crate) fn balance(ledger: &Ledger) -> Result<String, String> {
    let off = |signal| {
        let difference = ledger.total(signal).imbalance();
        (difference != 0).then(|| format!("{difference} {}", noun(signal)))
    };
    let off: Vec<String> = SIGNALS.into_iter().filter_map(off).collect();
    if off.is_empty() {
        return Ok("Received is stored, sent again or rejected: the books balance.".to_owned());
    }
    Err(format!("the books are off by {}: this is a fault of this program, please report it", off.join(" and ")))
}

fn book(who: &str, is_total: bool, signal: Signal, account: &Account) -> Book {
    Book {
        who: if who.is_empty() { "(says no name)".to_owned() } else { format::line(who, 96) },
        is_total,
        signal: noun(signal),
        requests: format::count(account.requests),
        received: format::count(account.received),
        stored: format::count(account.stored),
        repeated: format::count(account.deduplicated),
        rejected: by_reason(&account.rejected),
        refused: by_reason(&account.refused),
    }
}

/// `12 expired, 3 trace id`; empty for none.
fn by_reason(reasons: &BTreeMap<&'static str, u64>) -> String {
    let mut reasons: Vec<(&&str, &u64)> = reasons.iter().filter(|(_, n)| **n > 0).collect();
    reasons.sort_by_key(|(_, n)| std::cmp::Reverse(**n));
    reasons.iter().map(|(reason, n)| format!("{} {}", format::count(**n), reason.replace('_', " "))).collect::<Vec<_>>().join(", ")
}

fn noun(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => "spans",
        Signal::Logs => "log records",
    }
}

const SIGNALS: [Signal; 2] = [Signal::Traces, Signal::Logs];

/// Accounts that are listed.
const MAX_CLIENTS: usize = 40;

#[cfg(test)]
mod tests {
    use storage::Settlement;

    use super::*;

    fn send(ledger: &Ledger, client: &str, received: u64, settlement: Settlement) {
        send_of(Signal::Traces, ledger, client, received, settlement);
    }

    fn send_of(signal: Signal, ledger: &Ledger, client: &str, received: u64, settlement: Settlement) {
        let mut booking = ledger.open(signal, client);
        booking.received(received);
        booking.settle(settlement);
    }

    #[test]
    fn clients_with_losses_come_first_after_the_sums() {
        let ledger = Ledger::default();
        send(&ledger, "steady/1.0", 900, Settlement::Taken { stored: 900, rejected: Vec::new() });
        send(&ledger, "late/2.0", 10, Settlement::Taken { stored: 7, rejected: vec![("expired", 2), ("trace_id", 1)] });
        let books = books(&ledger);
        assert_eq!(books.iter().map(|book| book.who.as_str()).collect::<Vec<_>>(), ["All senders", "late/2.0", "steady/1.0"]);
        assert_eq!((books[0].received.as_str(), books[0].stored.as_str()), ("910", "907"));
        assert_eq!(books[1].rejected, "2 expired, 1 trace id");
        assert!(balance(&ledger).is_ok());
    }

    #[test]
    fn a_sender_stands_together_and_an_only_one_without_sums() {
        let ledger = Ledger::default();
        let taken = |stored| Settlement::Taken { stored, rejected: Vec::new() };
        let told = |ledger: &Ledger| books(ledger).into_iter().map(|book| format!("{} {}", book.who, book.signal)).collect::<Vec<_>>();
        send_of(Signal::Logs, &ledger, "busy/1.0", 10, taken(10));
        send(&ledger, "busy/1.0", 900, taken(900));
        assert_eq!(told(&ledger), ["busy/1.0 spans", "busy/1.0 log records"]);
        send(&ledger, "quiet/1.0", 20, taken(20));
        let all = ["All senders spans", "All senders log records", "busy/1.0 spans", "busy/1.0 log records", "quiet/1.0 spans"];
        assert_eq!(told(&ledger), all);
    }
}
