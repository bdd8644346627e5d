//! What lasts from one request to the next: chance, order numbers, and the circuit breaker before the parcel service.

use crate::cast::{Member, Service};
use crate::random::Random;

/// The state of the shop between requests.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) random: Random,
    pub(crate) breaker: Breaker,
    orders: u64,
}

/// Stops calling a provider that keeps failing, and tries again after a while.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    failures: u32,
    open_until_nanos: u64,
}

/// What a breaker says about the next call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BreakerState {
    /// Calls go through.
    Closed,
    /// Calls are not made.
    Open,
    /// One call goes through to see whether the provider is back.
    HalfOpen,
}

// === impl World ===

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let orders = random.between(100_000, 9_000_000);
        Self { random, breaker: Breaker::default(), orders }
    }

    /// One of the instances of a service.
    pub(crate) fn member(&mut self, service: Service) -> Member {
        let last = u64::from(service.profile().instances.saturating_sub(1));
        Member { service, instance: u8::try_from(self.random.between(0, last)).unwrap_or(0) }
    }

    /// The next order number.
    pub(crate) fn order_id(&mut self) -> String {
        self.orders += 1;
        format!("ORD-{:07}", self.orders)
    }

    /// Whether the parcel service answers a call at this time. It is flaky always, and out for half a minute in every four.
    pub(crate) fn parcel_service_answers(&mut self, now_nanos: u64) -> bool {
        let out = (60..95).contains(&(now_nanos / 1_000_000_000 % 240));
        !self.random.chance(if out { 0.92 } else { 0.12 })
    }
}

// === impl Breaker ===

impl Breaker {
    /// Whether the next call may be made.
    pub(crate) fn state(&self, now_nanos: u64) -> BreakerState {
        if self.failures < BREAKER_FAILURES {
            BreakerState::Closed
        } else if now_nanos < self.open_until_nanos {
            BreakerState::Open
        } else {
            BreakerState::HalfOpen
        }
    }

    /// Counts a call. True when it made the breaker open.
    pub(crate) fn failed(&mut self, now_nanos: u64) -> bool {
        self.failures = self.failures.saturating_add(1);
        let opens = self.failures >= BREAKER_FAILURES && now_nanos >= self.open_until_nanos;
        if opens {
            self.open_until_nanos = now_nanos + BREAKER_OPEN_NANOS;
        }
        opens
    }

    /// Counts a call. True when it closed an open breaker.
    pub(crate) fn succeeded(&mut self) -> bool {
        let was_open = self.failures >= BREAKER_FAILURES;
        self.failures = 0;
        was_open
    }
}

// === impl BreakerState ===

impl BreakerState {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// Failures in a row that open the breaker.
pub(crate) const BREAKER_FAILURES: u32 = 5;
const BREAKER_OPEN_NANOS: u64 = 20_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn breaker_opens_after_five_failures_and_probes_after_twenty_seconds() {
        let mut breaker = Breaker::default();
        assert!((0..4).all(|_| !breaker.failed(1)));
        assert_eq!(breaker.state(1), BreakerState::Closed);
        assert!(breaker.failed(1));
        assert_eq!(breaker.state(2), BreakerState::Open);
        assert_eq!(breaker.state(1 + BREAKER_OPEN_NANOS), BreakerState::HalfOpen);
        assert!(breaker.succeeded());
        assert_eq!(breaker.state(2), BreakerState::Closed);
    }
}
