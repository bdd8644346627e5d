//! Deletes: by trace, by word, by attribute, by name and by version, of which the last one counts.

use std::collections::BTreeSet;

use crate::deletion::{DeleteError, DeleteWhat};
use crate::model::{TimeRange, TraceId};
use crate::query::QueryError;
use crate::store::Signal;

use super::model::{Found, log_number, span_number, span_version, word};
use super::world::{World, pick};

impl World {
    /// Deletes some of what is there.
    pub(super) async fn delete(&mut self) {
        let found = self.found();
        let Some((what, gone)) = self.draw_delete(&found) else { return };
        let (store, hands) = self.open.as_mut().unwrap();
        let answer = store.delete(what.clone()).await;
        while hands.log.step() {}
        self.history.push(format!("delete {what:?}: {answer:?}"));
        // What is sent again after a delete is stored again; here nobody does.
        self.unanswered.clear();
        self.again.clear();
        match answer {
            Ok(receipt) => {
                let said = receipt.spans + receipt.logs;
                // Rows in memory are written first, and the budget may let some go for that. Every stored version counts.
                let came_again = receipt.spans > 0 && said > gone.len() as u64 && self.model.requests.values().any(|r| r.versions > 0);
                let is_right =
                    said == gone.len() as u64 || came_again || (self.config.max_disk_bytes.is_some() && said < gone.len() as u64);
                assert!(is_right, "{}", self.failure(&format!("the receipt of {gone:?}")));
                self.model.deleted.extend(gone);
                self.tally.count("deletes", 1);
            }
            Err(error @ (DeleteError::Invalid(_) | DeleteError::Query(QueryError::Parse(_)))) => {
                panic!("{}", self.failure(&error.to_string()))
            }
            // Nobody knows whether it was recorded, until the next start.
            Err(_) => {
                self.model.undecided.push(gone);
                self.tally.count("deletes without an answer", 1);
            }
        }
    }

    /// What to delete, and the numbers of what that is.
    fn draw_delete(&mut self, found: &Found) -> Option<(DeleteWhat, BTreeSet<u64>)> {
        let logs: Vec<u64> = found.logs.iter().map(|log| log_number(log).unwrap()).collect();
        let spans: Vec<u64> = found.spans.iter().map(span_number).collect();
        let matching = |signal, query| DeleteWhat::Matching { signal, query, range: TimeRange::ALL };
        let of = |numbers: &[u64], is_one: &dyn Fn(u64) -> bool| numbers.iter().copied().filter(|number| is_one(*number)).collect();
        let kind = self.dice.below(5);
        let (log, span) = (logs.get(pick(&mut self.dice, logs.len().max(1))), spans.get(pick(&mut self.dice, spans.len().max(1))));
        Some(match kind {
            0 => {
                let trace = span? / 4;
                let id = TraceId::from_slice(&u128::from(trace + 1).to_be_bytes()).unwrap();
                (DeleteWhat::Traces(vec![id]), of(&spans, &|number| number / 4 == trace))
            }
            1 => (matching(Signal::Logs, word(*log?)), of(&logs, &|number| number == *log.unwrap_or(&0))),
            2 => {
                let user = *log? % 7;
                (matching(Signal::Logs, format!("attr.user=u{user}")), of(&logs, &|number| number % 7 == user))
            }
            3 => {
                let number = *span?;
                let version =
                    |number| found.spans.iter().find(|span| span_number(span) == number).and_then(span_version).unwrap_or_default();
                // All of a version that is not the first would be few spans, of the first too many.
                let (least, user) = (version(number), number % 7);
                let query = format!("attr.version={least} attr.user=u{user}");
                (matching(Signal::Traces, query), of(&spans, &|number| number % 7 == user && version(number) == least))
            }
            _ => {
                let name = *span? % 5;
                (matching(Signal::Traces, format!("name=\"operation {name}\"")), of(&spans, &|number| number % 5 == name))
            }
        })
    }
}
