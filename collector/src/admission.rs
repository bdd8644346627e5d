//! Admission by bytes: what all requests under way may hold together.
//!
//! A request that finds no room waits, since many SDKs never send again; only then is it refused. Room is counted in KiB,
//! for the compressed and the expanded form of a request alike, and is given back when its lease is dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use storage::{Gauge, Held};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use crate::error::Refusal;

/// Room for requests under way.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    room: Arc<Semaphore>,
    total_kib: u32,
    wait: Duration,
    gauge: Gauge,
    /// The same beside other consumers of memory.
    requests: Gauge,
    /// What decoders hold beside what goes in and comes out.
    decoders: Gauge,
    refusals: Arc<AtomicU64>,
}

/// What one request holds. Dropping it gives the room back.
#[derive(Debug)]
pub(crate) struct Lease {
    budget: Budget,
    permit: Option<OwnedSemaphorePermit>,
    held_kib: u32,
    /// What is left of the time that this request may wait in all.
    patience: Duration,
}

// === impl Budget ===

impl Budget {
    pub(crate) fn new(bytes: usize, wait: Duration, gauge: Gauge) -> Self {
        let total_kib = kib(bytes).clamp(1, u32::try_from(Semaphore::MAX_PERMITS).unwrap_or(u32::MAX));
        let room = Arc::new(Semaphore::new(usize::try_from(total_kib).unwrap_or(Semaphore::MAX_PERMITS)));
        Self { room, total_kib, wait, gauge, requests: Gauge::default(), decoders: Gauge::default(), refusals: Arc::default() }
    }

    /// Shows there what requests hold, and their decoders beside that.
    pub(crate) fn shown_in(self, requests: Gauge, decoders: Gauge) -> Self {
        Self { requests, decoders, ..self }
    }

    /// So much more is held.
    fn note(&self, more_kib: u32) {
        self.gauge.add(i64::from(more_kib) * 1024);
        self.requests.add(i64::from(more_kib) * 1024);
    }

    /// So much less is held.
    fn forget(&self, less_kib: u32) {
        self.gauge.add(-(i64::from(less_kib) * 1024));
        self.requests.add(-(i64::from(less_kib) * 1024));
    }

    /// A lease on nothing yet.
    pub(crate) fn lease(&self) -> Lease {
        Lease { budget: self.clone(), permit: None, held_kib: 0, patience: self.wait }
    }

    /// Spreads the senders that are refused over one to three seconds.
    fn refuse(&self) -> Refusal {
        let turn = self.refusals.fetch_add(1, Ordering::Relaxed) % 3;
        Refusal::Busy { reason: "too many bytes in flight".to_owned(), retry_after: Duration::from_secs(1 + turn) }
    }
}

// === impl Lease ===

impl Lease {
    /// Holds at least `bytes`, waiting for room if need be. A request never needs more than there is in all.
    pub(crate) async fn grow_to(&mut self, bytes: usize) -> Result<(), Refusal> {
        let wanted = kib(bytes).min(self.budget.total_kib);
        let Some(more) = wanted.checked_sub(self.held_kib).filter(|more| *more > 0) else { return Ok(()) };
        let room = Arc::clone(&self.budget.room);
        let permit = if let Ok(permit) = Arc::clone(&room).try_acquire_many_owned(more) {
            permit
        } else {
            let asked = Instant::now();
            let permit = timeout(self.patience, room.acquire_many_owned(more)).await;
            self.patience = self.patience.saturating_sub(asked.elapsed());
            let Ok(Ok(permit)) = permit else { return Err(self.budget.refuse()) };
            permit
        };
        self.held_kib = wanted;
        self.budget.note(more);
        match &mut self.permit {
            Some(held) => held.merge(permit),
            None => self.permit = Some(permit),
        }
        Ok(())
    }
}

impl Lease {
    /// Shows bytes of a decoder for this request until what this gives is dropped.
    pub(crate) fn decoder(&self, bytes: usize) -> Held {
        self.budget.decoders.hold(bytes)
    }

    /// Gives back what is held beyond `bytes`.
    pub(crate) fn shrink_to(&mut self, bytes: usize) {
        let Some(less) = self.held_kib.checked_sub(kib(bytes)).filter(|less| *less > 0) else { return };
        let Some(given) = usize::try_from(less).ok().and_then(|less| self.permit.as_mut()?.split(less)) else { return };
        drop(given);
        self.held_kib -= less;
        self.budget.forget(less);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.budget.forget(self.held_kib);
    }
}

fn kib(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(bytes: usize) -> Budget {
        Budget::new(bytes, Duration::from_millis(30), Gauge::default())
    }

    #[tokio::test]
    async fn a_full_budget_refuses_with_a_short_hint_and_recovers() {
        let budget = budget(4096);
        let mut first = budget.lease();
        first.grow_to(4096).await.unwrap();
        let mut second = budget.lease();
        let refusal = second.grow_to(1).await.unwrap_err();
        assert!(refusal.retry_after().unwrap() <= Duration::from_secs(3));
        drop(first);
        budget.lease().grow_to(4096).await.unwrap();
        assert_eq!(budget.gauge.get(), 0);
    }

    #[tokio::test]
    async fn a_request_larger_than_the_budget_takes_all_of_it() {
        let budget = budget(4096);
        budget.lease().grow_to(1 << 30).await.unwrap();
    }

    #[tokio::test]
    async fn room_given_back_early_goes_to_others() {
        let budget = budget(4096);
        let mut first = budget.lease();
        first.grow_to(4096).await.unwrap();
        first.shrink_to(1024);
        first.shrink_to(2048);
        budget.lease().grow_to(3072).await.unwrap();
        assert_eq!(budget.gauge.get(), 1024);
        first.grow_to(2048).await.unwrap();
        drop(first);
        assert_eq!((budget.gauge.get(), budget.room.available_permits()), (0, 4));
    }

    #[tokio::test]
    async fn a_waiting_request_gets_the_room_that_is_given_back() {
        let budget = Budget::new(4096, Duration::from_secs(5), Gauge::default());
        let mut first = budget.lease();
        first.grow_to(4096).await.unwrap();
        let mut second = budget.lease();
        let waiting = tokio::spawn(async move { second.grow_to(2048).await.map(|()| second.held_kib) });
        tokio::task::yield_now().await;
        drop(first);
        assert_eq!(waiting.await.unwrap().unwrap(), 2);
    }
}
