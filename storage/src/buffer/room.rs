//! A bound on memory: reservations that are given back when they are dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Mutex, Notify};

/// How many bytes rows in memory and requests on their way there may take.
#[derive(Debug)]
pub(crate) struct Room {
    max: usize,
    used: AtomicUsize,
    freed: Notify,
    /// Held by the first of those who wait; the others stand in line behind it.
    first: Mutex<()>,
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
        Arc::new(Self { max, used: AtomicUsize::new(0), freed: Notify::new(), first: Mutex::new(()) })
    }

    /// Takes `bytes` as soon as they are free and everybody who asked before has theirs, so that large requests get their turn among small
    /// ones. A request that alone is larger than the room may have an empty one.
    pub(crate) async fn reserve(self: &Arc<Self>, bytes: usize) -> Reservation {
        let _first = self.first.lock().await;
        loop {
            let mut freed = std::pin::pin!(self.freed.notified());
            // Listens before it looks, so that what is freed in between is not missed.
            freed.as_mut().enable();
            if let Some(reservation) = self.try_reserve(bytes) {
                return reservation;
            }
            freed.await;
        }
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
    async fn waits_until_there_is_room() {
        let room = Room::new(100);
        let mut first = room.reserve(80).await;
        let waiting = wait_for(&room, 30);
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        first.resize(70);
        assert_eq!(waiting.await.unwrap(), 30);
        drop(first);
        assert_eq!(room.used(), 0);
        assert_eq!(room.reserve(1000).await.bytes(), 1000, "an empty room takes what is larger than itself");
    }

    #[tokio::test]
    async fn who_asks_first_has_first_and_who_leaves_holds_nobody_up() {
        let room = Room::new(100);
        let first = room.reserve(60).await;
        let large = wait_for(&room, 90);
        tokio::task::yield_now().await;
        let small = wait_for(&room, 10);
        tokio::task::yield_now().await;
        assert!(!small.is_finished(), "it would fit, but somebody waits for more");
        large.abort();
        assert_eq!(small.await.unwrap(), 10);
        drop(first);
        assert_eq!(room.used(), 0);
    }

    /// Asks for bytes and gives them back.
    fn wait_for(room: &Arc<Room>, bytes: usize) -> tokio::task::JoinHandle<usize> {
        let room = room.clone();
        tokio::spawn(async move { room.reserve(bytes).await.bytes() })
    }
}
