//! What senders do: requests, several at once, some of them again.

use crate::error::AppendError;
use crate::store::{Appended, Signal};

use super::keeping::Keeping;
use super::model::Fate;
use super::world::{World, pick};

impl World {
    /// Sends a few requests at once; some of them again.
    pub(super) async fn send(&mut self) {
        let mut firsts = Vec::new();
        for _ in 0..1 + self.dice.below(4) {
            let signal = [Signal::Traces, Signal::Logs][pick(&mut self.dice, 2)];
            let again = if self.dice.below(2) == 0 { self.again.pop() } else { None };
            let count = 1 + self.dice.below(6);
            firsts.push(again.map_or_else(|| (self.model.request(signal, count, self.clock.now()), true), |first| (first, false)));
        }
        let (store, hands) = self.open.as_mut().unwrap();
        let mut sends = Vec::new();
        for (first, _) in &firsts {
            let request = &self.model.requests[first];
            let (store, signal, payload) = (store.clone(), request.signal, request.payload());
            sends.push(tokio::spawn(async move { store.append(signal, payload).await }));
        }
        let mut rounds = 0;
        while !sends.iter().all(tokio::task::JoinHandle::is_finished) {
            for _ in 0..8 {
                tokio::task::yield_now().await;
            }
            hands.log.step();
            rounds += 1;
            assert!(rounds < 1_000, "an append hangs");
        }
        for ((first, is_new), send) in firsts.into_iter().zip(sends) {
            self.answered(first, is_new, send.await.unwrap());
        }
    }

    /// Sends spans that are there again with other content, sometimes long after.
    pub(super) async fn send_again(&mut self) {
        let keeping = Keeping { config: &self.config, now: self.clock.now() };
        let all = self.model.repeatable(&keeping);
        let Some(first) = all.get(pick(&mut self.dice, all.len().max(1))).copied() else { return };
        let request = self.model.requests.get_mut(&first).unwrap();
        request.versions += 1;
        let (version, count, payload) = (request.versions, request.count, request.payload());
        let (store, hands) = self.open.as_mut().unwrap();
        let store = store.clone();
        let send = tokio::spawn(async move { store.append(Signal::Traces, payload).await });
        let mut rounds = 0;
        while !send.is_finished() {
            for _ in 0..8 {
                tokio::task::yield_now().await;
            }
            hands.log.step();
            rounds += 1;
            assert!(rounds < 1_000, "an append hangs");
        }
        let answer = send.await.unwrap();
        self.history.push(format!("version {version} of request {first}: {answer:?}"));
        match answer {
            Ok(appended) => {
                assert_eq!((appended.accepted, appended.rejected, appended.repeated), (count, 0, false));
                self.model.requests.get_mut(&first).unwrap().replaced = version;
                self.tally.count("sent again", 1);
            }
            // It may be there or not.
            Err(AppendError::Unavailable { .. }) => {}
            Err(error) => panic!("a whole request is refused for good: {error}"),
        }
    }

    fn answered(&mut self, first: u64, is_new: bool, answer: Result<Appended, AppendError>) {
        self.history.push(format!("request {first}: {answer:?}"));
        let stopped = self.disk.has_stopped();
        let request = self.model.requests.get_mut(&first).unwrap();
        match answer {
            Ok(appended) => {
                assert_eq!((appended.accepted, appended.rejected), (request.count, 0));
                request.fate = Fate::Stored;
                self.tally.count("acknowledged", 1);
                self.tally.count("known when sent again", u64::from(!is_new && appended.repeated));
                // Now and then the answer gets lost.
                if self.dice.below(4) == 0 {
                    self.unanswered.push(first);
                }
            }
            // The log says itself that nothing of it was written, or it was refused before the log.
            Err(AppendError::Unavailable { reason, .. }) if !stopped && !reason.contains("the log could not") => {
                if is_new {
                    request.fate = Fate::Absent;
                }
                self.tally.count("refused", 1);
            }
            Err(AppendError::Unavailable { .. }) => {
                if request.fate == Fate::Absent {
                    request.fate = Fate::Unknown;
                }
                self.unanswered.push(first);
                self.tally.count("unknown", 1);
            }
            Err(error) => panic!("a whole request is refused for good: {error}"),
        }
    }

    /// Has the log begin another file.
    pub(super) fn rotate(&mut self) {
        let (store, hands) = self.open.as_mut().unwrap();
        store.inner.wal.rotate();
        while hands.log.step() {}
        self.tally.count("rotations", 1);
        self.history.push("rotate".to_owned());
    }
}
