//! Questions over windows as the engine runs them: from what was kept, else anew.

use std::sync::Arc;
use std::time::Instant;

use super::super::answer::{Operation, QueryStats, ServiceMap, ServiceSummary};
use super::super::engine::{Engine, Weight};
use super::super::map::{self, Parts};
use super::super::question::QueryError;
use super::{Answer, Key, operations, services};
use crate::calls::slot_of;
use crate::model::{TimeRange, UnixNanos};
use crate::snapshot::Snapshot;

impl Engine {
    pub(crate) async fn services(
        &self,
        snapshot: Arc<Snapshot>,
        range: TimeRange,
        points: usize,
    ) -> Result<(Vec<ServiceSummary>, QueryStats), QueryError> {
        // Parts depend on where the window ends, sums do not.
        let range = if points > 1 { range } else { snapshot.within(range) };
        let key = Key::Services(snapshot.version, range, points);
        let started = Instant::now();
        if let Some(Answer::Services(known)) = self.cache.find(&key) {
            return Ok((known.0.clone(), known.1.of_kept(started)));
        }
        let rolls = self.rolls.clone();
        let found = self.run("services", Weight::Heavy, move |control| services(&snapshot, range, points, &rolls, control)).await?;
        let (found, mut stats) = found;
        stats.elapsed = started.elapsed();
        // What could not be read may be readable the next time.
        if stats.complete {
            self.cache.keep(key, Answer::Services(Arc::new((found.clone(), stats.clone()))));
        }
        Ok((found, stats))
    }

    pub(crate) async fn operations(
        &self,
        snapshot: Arc<Snapshot>,
        service: &str,
        range: TimeRange,
    ) -> Result<(Vec<Operation>, QueryStats), QueryError> {
        let range = snapshot.within(range);
        let key = Key::Operations(snapshot.version, range, service.to_owned());
        let started = Instant::now();
        if let Some(Answer::Operations(known)) = self.cache.find(&key) {
            return Ok((known.0.clone(), known.1.of_kept(started)));
        }
        let (service, rolls) = (service.to_owned(), self.rolls.clone());
        let work = move |control: &_| operations(&snapshot, &service, range, &rolls, control);
        let found = self.run("operations", Weight::Heavy, work).await?;
        let (found, mut stats) = found;
        stats.elapsed = started.elapsed();
        if stats.complete {
            self.cache.keep(key, Answer::Operations(Arc::new((found.clone(), stats.clone()))));
        }
        Ok((found, stats))
    }

    pub(crate) async fn service_map(&self, snapshot: Arc<Snapshot>, range: TimeRange, now: UnixNanos) -> Result<ServiceMap, QueryError> {
        let (asked, range, started) = (Some(range), snapshot.within(range), Instant::now());
        let key = |slot| Key::Map(snapshot.version, range, slot);
        let [settled, waiting] = [key(None), key(Some(slot_of(now.get())))];
        if let Some(Answer::Map(known)) = self.cache.find(&settled).or_else(|| self.cache.find(&waiting)) {
            return Ok(ServiceMap { range: asked, stats: known.stats.of_kept(started), ..ServiceMap::clone(&known) });
        }
        let rolls = self.calls.clone();
        let work = move |control: &_| map::service_map(&snapshot, (range, Parts::default()), now, &rolls, control);
        let map::Made { map: mut found, open, is_read, .. } = self.run("service_map", Weight::Heavy, work).await?;
        found.stats.elapsed = started.elapsed();
        // What could not be read may be readable the next time.
        if is_read {
            self.cache.keep(if open { waiting } else { settled }, Answer::Map(Arc::new(found.clone())));
        }
        Ok(ServiceMap { range: asked, ..found })
    }

    /// The map, and the calls of each part of its window.
    pub(crate) async fn service_map_in_parts(
        &self,
        snapshot: Arc<Snapshot>,
        (range, minutes, count): (TimeRange, u64, usize),
        now: UnixNanos,
    ) -> Result<(ServiceMap, Vec<ServiceMap>), QueryError> {
        let (within, started, parts) = (snapshot.within(range), Instant::now(), Parts::new(range, minutes, count)?);
        let rolls = self.calls.clone();
        let work = move |control: &_| map::service_map(&snapshot, (within, parts), now, &rolls, control);
        let map::Made { map: mut found, parts, .. } = self.run("service_map", Weight::Heavy, work).await?;
        found.stats.elapsed = started.elapsed();
        Ok((ServiceMap { range: Some(range), ..found }, parts))
    }
}
