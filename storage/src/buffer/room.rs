//! A bound on memory: reservations that are given back when they are dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

/// How many bytes rows in memory and requests on their way there may take.
#[derive(Debug)]
pub(crate) struct Room {
    max: usize,
    used: AtomicUsize,
    freed: Notify,
}

/// Bytes that are taken until this is dropped.
#[derive(Debug)]
pub(crate) struct Reservation {
    room: Arc<Room>,
    bytes: usize,
}

// === impl Room ===

impl Room {
    /// An empty room of `max` bytes.
    pub(crate) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { max, used: AtomicUsize::new(0), freed: Notify::new() })
    }

    /// Takes `bytes`, waiting up to `patience` for them. A request that alone is larger than the room may have an empty one.
    pub(crate) async fn reserve(self: &Arc<Self>, bytes: usize, patience: Duration) -> Option<Reservation> {
        let wait = async {
            loop {
                let mut freed = std::pin::pin!(self.freed.notified());
                // Listens before it looks, so that what is freed in between is not missed.
                freed.as_mut().enable();
                if let Some(reservation) = self.try_reserve(bytes) {
                    return reservation;
                }
                freed.await;
            }
        };
        timeout(patience, wait).await.ok()
    }

    /// Takes `bytes` even beyond the bound: for rows that are already acknowledged.
    pub(crate) fn force(self: &Arc<Self>, bytes: usize) -> Reservation {
        self.used.fetch_add(bytes, Ordering::Relaxed);
        Reservation { room: self.clone(), bytes }
    }

    /// Bytes taken.
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    fn try_reserve(self: &Arc<Self>, bytes: usize) -> Option<Reservation> {
        let fits = |used: usize| (used == 0 || used.saturating_add(bytes) <= self.max).then(|| used.saturating_add(bytes));
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).ok()?;
        Some(Reservation { room: self.clone(), bytes })
    }
}

// === impl Reservation ===

impl Reservation {
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Corrects an estimate.
    pub(crate) fn resize(&mut self, bytes: usize) {
        if bytes >= self.bytes {
            self.room.used.fetch_add(bytes - self.bytes, Ordering::Relaxed);
        } else {
            self.room.used.fetch_sub(self.bytes - bytes, Ordering::Relaxed);
            self.room.freed.notify_waiters();
        }
        self.bytes = bytes;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.resize(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn waits_for_room_and_gives_up() {
        let room = Room::new(100);
        let mut first = room.reserve(80, Duration::ZERO).await.unwrap();
        assert!(room.reserve(30, Duration::from_millis(5)).await.is_none());
        let waiting = tokio::spawn({
            let room = room.clone();
            async move { room.reserve(30, Duration::from_secs(10)).await.map(|r| r.bytes()) }
        });
        tokio::task::yield_now().await;
        first.resize(70);
        assert_eq!(waiting.await.unwrap(), Some(30));
        drop(first);
        assert_eq!(room.used(), 0);
        assert!(room.reserve(1000, Duration::ZERO).await.is_some(), "an empty room takes what is larger than itself");
    }
}
