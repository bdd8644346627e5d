//! Keeps the last answers over windows, as long as nothing new was stored.

use std::sync::Arc;

use parking_lot::Mutex;

use super::super::answer::{Operation, QueryStats, ServiceMap, ServiceSummary};
use crate::model::TimeRange;

/// What was asked, of which state of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Services(u64, TimeRange, usize),
    Operations(u64, TimeRange, String),
    /// With the time at which calls still waited for their other half, as [`crate::calls::slot_of`] tells times apart.
    Map(u64, TimeRange, Option<u64>),
}

/// An answer, with what it took when it was made.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Services(Arc<(Vec<ServiceSummary>, QueryStats)>),
    Operations(Arc<(Vec<Operation>, QueryStats)>),
    Map(Arc<ServiceMap>),
}

/// The last answers, the latest used last.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    answers: Mutex<Vec<(Key, Answer)>>,
}

/// Answers kept.
const CAPACITY: usize = 32;

impl Cache {
    pub(crate) fn find(&self, key: &Key) -> Option<Answer> {
        let mut answers = self.answers.lock();
        let at = answers.iter().position(|(known, _)| known == key)?;
        let found = answers.remove(at);
        let answer = found.1.clone();
        answers.push(found);
        Some(answer)
    }

    /// Keeps nothing of what there is.
    pub(crate) fn clear(&self) {
        self.answers.lock().clear();
    }

    pub(crate) fn keep(&self, key: Key, answer: Answer) {
        let mut answers = self.answers.lock();
        answers.retain(|(known, _)| *known != key);
        if answers.len() >= CAPACITY {
            answers.remove(0);
        }
        answers.push((key, answer));
    }
}
