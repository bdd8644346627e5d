//! Questions over windows as the engine runs them: from what was kept, else anew.

use std::sync::Arc;

use super::super::answer::{Operation, ServiceMap, ServiceSummary};
use super::super::engine::{Engine, Weight};
use super::super::map;
use super::super::question::QueryError;
use super::{Answer, Key, operations, services};
use crate::model::TimeRange;
use crate::snapshot::Snapshot;

impl Engine {
    pub(crate) async fn services(
        &self,
        snapshot: Arc<Snapshot>,
        range: TimeRange,
        points: usize,
    ) -> Result<Vec<ServiceSummary>, QueryError> {
        let key = Key::Services(snapshot.version, range, points);
        if let Some(Answer::Services(known)) = self.cache.find(&key) {
            return Ok(Vec::clone(&known));
        }
        let found = self.run("services", Weight::Heavy, move |control| services(&snapshot, range, points, control)).await?;
        self.cache.keep(key, Answer::Services(Arc::new(found.clone())));
        Ok(found)
    }

    pub(crate) async fn operations(&self, snapshot: Arc<Snapshot>, service: &str, range: TimeRange) -> Result<Vec<Operation>, QueryError> {
        let key = Key::Operations(snapshot.version, range, service.to_owned());
        if let Some(Answer::Operations(known)) = self.cache.find(&key) {
            return Ok(Vec::clone(&known));
        }
        let service = service.to_owned();
        let found = self.run("operations", Weight::Heavy, move |control| operations(&snapshot, &service, range, control)).await?;
        self.cache.keep(key, Answer::Operations(Arc::new(found.clone())));
        Ok(found)
    }

    pub(crate) async fn service_map(&self, snapshot: Arc<Snapshot>, range: TimeRange) -> Result<ServiceMap, QueryError> {
        let key = Key::Map(snapshot.version, range);
        if let Some(Answer::Map(known)) = self.cache.find(&key) {
            return Ok(ServiceMap::clone(&known));
        }
        let started = std::time::Instant::now();
        let mut found = self.run("service_map", Weight::Heavy, move |control| map::service_map(&snapshot, range, control)).await?;
        found.stats.elapsed = started.elapsed();
        // What could not be read may be readable the next time.
        if found.stats.complete {
            self.cache.keep(key, Answer::Map(Arc::new(found.clone())));
        }
        Ok(found)
    }
}
