//! Questions about what is remembered besides telemetry, and changes of it.

use std::sync::Arc;
use std::time::Duration;

use crate::memo::{SaveError, SavedViews, ServiceSlots};
use crate::model::TimeRange;
use crate::query::NodeKind;

use super::Store;

impl Store {
    /// Which slot marks each service. Cheap.
    #[must_use]
    pub fn service_slots(&self) -> Arc<ServiceSlots> {
        self.inner.memo.slots()
    }

    /// Gives a slot to services that have none yet, unlike those of the services they talk to. Does nothing, and cheaply, when all have
    /// one. Slots are kept for good.
    pub async fn assign_service_slots(&self) {
        if !self.service_slots().lacks(&self.service_names()) {
            return;
        }
        let _assigning = self.inner.assigning.lock().await;
        let names = self.service_names();
        if !self.service_slots().lacks(&names) {
            return;
        }
        let now = self.clock().now();
        let lately = TimeRange { from: now.minus(LATELY.as_nanos().try_into().unwrap_or(u64::MAX)), to: now };
        // Without a map in time, any free slot will do.
        let map = tokio::time::timeout(PATIENCE, self.service_map(lately)).await.ok().and_then(Result::ok).unwrap_or_default();
        let services = |edge: &&crate::query::Edge| edge.from.1 == NodeKind::Service && edge.to.1 == NodeKind::Service;
        // Who hands over through a queue is beside who takes it up, although the queue stands between them on the map.
        let beside = map.edges.iter().chain(&map.relays).filter(services);
        let calls: Vec<(String, String)> = beside.map(|edge| (edge.from.0.clone(), edge.to.0.clone())).collect();
        let Some(open) = self.inner.stay_open() else { return };
        let memo = self.inner.memo.clone();
        let assigned = tokio::task::spawn_blocking(move || {
            let assigned = memo.assign(&names, &calls);
            drop(open);
            assigned
        });
        if let Ok(Err(error)) = assigned.await {
            tracing::warn!(%error, "the slots of services could not be kept; they hold until this process ends");
        }
    }

    /// Views and short links. Cheap.
    #[must_use]
    pub fn saved_views(&self) -> Arc<SavedViews> {
        self.inner.memo.views()
    }

    /// Saves an address under a name, or without one as a short link, and gives the short name. `replaces` the view of that name.
    ///
    /// # Errors
    /// See [`SaveError`].
    pub async fn save_view(&self, name: &str, address: &str, replaces: bool) -> Result<String, SaveError> {
        let (name, address, now) = (name.to_owned(), address.to_owned(), self.clock().now());
        self.change_views(move |views| views.save(&name, &address, replaces, now)).await
    }

    /// Forgets what was saved under a short name.
    ///
    /// # Errors
    /// See [`SaveError`].
    pub async fn remove_view(&self, short: &str) -> Result<(), SaveError> {
        let short = short.to_owned();
        self.change_views(move |views| views.remove(&short)).await
    }

    async fn change_views<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut SavedViews) -> Result<T, SaveError> + Send + 'static,
    ) -> Result<T, SaveError> {
        let closing = || SaveError::Io(std::io::Error::other("the store is closing"));
        let open = self.inner.stay_open().ok_or_else(closing)?;
        let memo = self.inner.memo.clone();
        let changed = tokio::task::spawn_blocking(move || {
            let changed = memo.change_views(change);
            drop(open);
            changed
        });
        changed.await.unwrap_or_else(|error| Err(SaveError::Io(std::io::Error::other(error))))
    }
}

/// How far back neighbours are looked for.
const LATELY: Duration = Duration::from_secs(3_600);

/// How long a page waits for the neighbours of new services.
const PATIENCE: Duration = Duration::from_millis(800);
