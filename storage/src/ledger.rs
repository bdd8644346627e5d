//! The ledger of what came in: received = stored + de-duplicated + rejected by reason, per signal and client.
//!
//! Owns the accounts and their bound. A request is booked whole, under one lock, once it is known what became of it, so every reader sees
//! books that balance. Receivers count what they received before the store says what it did with it: a difference is a fault of this
//! program, and is shown as one.
//!
//! Accounts count since the start of this process; the receivers call a client by what it says of itself.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::store::Signal;

/// All accounts. Cloning is cheap and shares them.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    accounts: Arc<Mutex<Accounts>>,
}

/// What one client sent of one signal, since start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Requests, whatever became of them.
    pub requests: u64,
    /// Requests refused as a whole, by reason.
    pub refused: BTreeMap<&'static str, u64>,
    /// Items in all requests that could be read.
    pub received: u64,
    /// Items stored, durable and visible.
    pub stored: u64,
    /// Items that were stored when their request came before: it was answered again and not stored again.
    pub deduplicated: u64,
    /// Items not stored, by reason; those of refused requests included.
    pub rejected: BTreeMap<&'static str, u64>,
    /// Requests with something that the client should mend although it was taken in, by kind; a request counts once per kind.
    pub warned: BTreeMap<&'static str, u64>,
}

/// One request that is under way. Dropped without an outcome it counts as given up, or as a fault when it panicked.
#[derive(Debug)]
pub struct Booking {
    ledger: Ledger,
    signal: Signal,
    client: String,
    received: u64,
    warned: Vec<&'static str>,
    settled: bool,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// It was answered with success: items stored, and items rejected by reason.
    Taken {
        /// Items stored.
        stored: u64,
        /// Items rejected, by reason.
        rejected: Vec<(&'static str, u64)>,
    },
    /// It had been taken in before, and was answered as then.
    Repeated {
        /// Items stored then.
        stored_before: u64,
        /// Items rejected, then and now, by reason.
        rejected: Vec<(&'static str, u64)>,
    },
    /// Nothing of it was stored, for this reason.
    Refused(&'static str),
}

/// By signal (whether it is logs) and client.
type Accounts = BTreeMap<(bool, String), Account>;

/// A series: its name, what it means, and its value in an account.
type Series<T> = (&'static str, &'static str, fn(&Account) -> T);
type ByReason = (&'static str, &'static str, fn(&Account) -> &BTreeMap<&'static str, u64>);

// === impl Ledger ===

impl Ledger {
    /// Begins to book a request.
    #[must_use]
    pub fn open(&self, signal: Signal, client: &str) -> Booking {
        Booking { ledger: self.clone(), signal, client: client.to_owned(), received: 0, warned: Vec::new(), settled: false }
    }

    /// Every account as it is now: signal, client, figures.
    #[must_use]
    pub fn accounts(&self) -> Vec<(Signal, String, Account)> {
        let accounts = self.accounts.lock();
        accounts.iter().map(|((logs, client), account)| (signal_of(*logs), client.clone(), account.clone())).collect()
    }

    /// The sums of a signal over all clients.
    #[must_use]
    pub fn total(&self, signal: Signal) -> Account {
        let accounts = self.accounts.lock();
        let mut total = Account::default();
        for (_, account) in accounts.iter().filter(|((logs, _), _)| signal_of(*logs) == signal) {
            total.add(account);
        }
        total
    }

    /// All accounts in the Prometheus text form.
    pub(crate) fn render(&self, out: &mut String) {
        let accounts = self.accounts();
        let plain: [Series<u64>; 4] = [
            ("throughline_ledger_requests_total", "Export requests by client.", |account| account.requests),
            ("throughline_ledger_received_items_total", "Spans and log records in requests that could be read.", |account| {
                account.received
            }),
            ("throughline_ledger_stored_items_total", "Received items that were stored.", |account| account.stored),
            (
                "throughline_ledger_deduplicated_items_total",
                "Received items that had been stored when their request came before.",
                |account| account.deduplicated,
            ),
        ];
        for (name, help, value) in plain {
            head(out, name, help, "counter");
            for (signal, client, account) in &accounts {
                let _ = writeln!(out, "{name}{{signal=\"{}\",client=\"{client}\"}} {}", signal.as_str(), value(account));
            }
        }
        let by_reason: [ByReason; 2] = [
            ("throughline_ledger_rejected_items_total", "Received items that were not stored, by reason.", |account| &account.rejected),
            ("throughline_ledger_refused_requests_total", "Requests of which nothing was stored, by reason.", |account| &account.refused),
        ];
        for (name, help, values) in by_reason {
            head(out, name, help, "counter");
            for (signal, client, account) in &accounts {
                for (reason, n) in values(account) {
                    let _ = writeln!(out, "{name}{{signal=\"{}\",client=\"{client}\",reason=\"{reason}\"}} {n}", signal.as_str());
                }
            }
        }
        let name = "throughline_ledger_imbalance_items";
        head(out, name, "Received items of which it is not known what became of them; anything but 0 is a fault to report.", "gauge");
        for signal in [Signal::Traces, Signal::Logs] {
            let _ = writeln!(out, "{name}{{signal=\"{}\"}} {}", signal.as_str(), self.total(signal).imbalance());
        }
    }

    fn book(&self, signal: Signal, client: &str, change: impl FnOnce(&mut Account)) {
        let mut accounts = self.accounts.lock();
        let key = (signal == Signal::Logs, client.to_owned());
        let clients = || accounts.keys().filter(|(logs, _)| *logs == key.0).count();
        let key = if accounts.contains_key(&key) || clients() < MAX_CLIENTS { key } else { (key.0, OTHERS.to_owned()) };
        change(accounts.entry(key).or_default());
    }
}

// === impl Account ===

impl Account {
    /// Received items of which it is not known what became of them: always 0.
    #[must_use]
    pub fn imbalance(&self) -> i64 {
        let known = self.stored + self.deduplicated + self.rejected.values().sum::<u64>();
        i64::try_from(i128::from(self.received) - i128::from(known)).unwrap_or(i64::MAX)
    }

    fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.received += other.received;
        self.stored += other.stored;
        self.deduplicated += other.deduplicated;
        let maps = [(&mut self.refused, &other.refused), (&mut self.rejected, &other.rejected), (&mut self.warned, &other.warned)];
        for (mine, others) in maps {
            for (reason, n) in others {
                *mine.entry(reason).or_default() += n;
            }
        }
    }
}

// === impl Booking ===

impl Booking {
    /// Notes how many items the request holds, once it can be read.
    pub fn received(&mut self, items: u64) {
        self.received = items;
    }

    /// Notes what the client should mend, each kind once.
    pub fn warn(&mut self, kinds: impl IntoIterator<Item = &'static str>) {
        for kind in kinds {
            if !self.warned.contains(&kind) {
                self.warned.push(kind);
            }
        }
    }

    /// What the client is called.
    #[must_use]
    pub fn client(&self) -> &str {
        &self.client
    }

    /// Books what became of the request.
    pub fn settle(mut self, settlement: Settlement) {
        self.book(settlement);
    }

    fn book(&mut self, settlement: Settlement) {
        self.settled = true;
        let (received, warned) = (self.received, std::mem::take(&mut self.warned));
        self.ledger.book(self.signal, &self.client, |account| {
            account.requests += 1;
            account.received += received;
            let reasons = match settlement {
                Settlement::Taken { stored, rejected } => {
                    account.stored += stored;
                    rejected
                }
                Settlement::Repeated { stored_before, rejected } => {
                    account.deduplicated += stored_before;
                    rejected
                }
                Settlement::Refused(reason) => {
                    *account.refused.entry(reason).or_default() += 1;
                    vec![(reason, received)]
                }
            };
            for (reason, n) in reasons.into_iter().filter(|(_, n)| *n > 0) {
                *account.rejected.entry(reason).or_default() += n;
            }
            for kind in warned {
                *account.warned.entry(kind).or_default() += 1;
            }
        });
    }
}

impl Drop for Booking {
    fn drop(&mut self) {
        if !self.settled {
            self.book(Settlement::Refused(if std::thread::panicking() { "internal" } else { "given_up" }));
        }
    }
}

fn signal_of(logs: bool) -> Signal {
    if logs { Signal::Logs } else { Signal::Traces }
}

fn head(out: &mut String, name: &str, help: &str, kind: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

/// Clients with an account of their own, per signal.
const MAX_CLIENTS: usize = 64;

/// The account of all further clients.
const OTHERS: &str = "other";

#[cfg(test)]
mod tests {
    use super::*;

    fn send(ledger: &Ledger, client: &str, received: u64, settlement: Settlement) {
        let mut booking = ledger.open(Signal::Logs, client);
        booking.received(received);
        booking.settle(settlement);
    }

    #[test]
    fn every_outcome_balances_and_a_lost_item_shows() {
        let ledger = Ledger::default();
        send(&ledger, "a", 5, Settlement::Taken { stored: 3, rejected: vec![("invalid", 2)] });
        send(&ledger, "a", 5, Settlement::Repeated { stored_before: 3, rejected: vec![("invalid", 1), ("json", 1)] });
        send(&ledger, "b", 7, Settlement::Refused("busy"));
        drop(ledger.open(Signal::Logs, "b"));
        let total = ledger.total(Signal::Logs);
        assert_eq!((total.requests, total.received, total.stored, total.deduplicated, total.imbalance()), (4, 17, 3, 3, 0));
        assert_eq!(total.rejected, BTreeMap::from([("busy", 7), ("invalid", 3), ("json", 1)]));
        assert_eq!(total.refused, BTreeMap::from([("busy", 1), ("given_up", 1)]));
        assert_eq!(ledger.total(Signal::Traces), Account::default());
        send(&ledger, "b", 2, Settlement::Taken { stored: 1, rejected: Vec::new() });
        assert_eq!(ledger.total(Signal::Logs).imbalance(), 1);
        let mut text = String::new();
        ledger.render(&mut text);
        assert!(text.contains("throughline_ledger_rejected_items_total{signal=\"logs\",client=\"b\",reason=\"busy\"} 7\n"), "{text}");
        assert!(text.contains("throughline_ledger_imbalance_items{signal=\"logs\"} 1\n"), "{text}");
    }

    #[test]
    fn more_clients_than_there_is_room_for_share_an_account() {
        let ledger = Ledger::default();
        for n in 0..MAX_CLIENTS * 2 {
            send(&ledger, &format!("client {n}"), 1, Settlement::Taken { stored: 1, rejected: Vec::new() });
        }
        let accounts = ledger.accounts();
        assert_eq!(accounts.len(), MAX_CLIENTS + 1);
        let others = accounts.iter().find(|(_, client, _)| client == OTHERS).unwrap();
        assert_eq!(others.2.received, MAX_CLIENTS as u64);
        assert_eq!(ledger.total(Signal::Logs).received, 2 * MAX_CLIENTS as u64);
    }
}
