//! Asks one question many times, compares every answer, and keeps how long it took.

use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::Value as Json;
use ui::client::{Client, Error};

/// A question with what is known of its answer.
pub(super) struct Question {
    pub(super) name: String,
    /// Asked in turn.
    pub(super) asked: Vec<Asked>,
}

/// One form of a question.
pub(super) struct Asked {
    pub(super) path: String,
    /// What is wrong with an answer; of one that says that nothing is there it gets null.
    pub(super) check: Check,
}

/// Says what is wrong with an answer.
pub(super) type Check = Box<dyn Fn(&Json) -> Result<(), String> + Send + Sync>;

/// How a question was answered.
#[derive(Debug, Serialize)]
pub(super) struct Measured {
    pub(super) name: String,
    pub(super) asked: usize,
    pub(super) wrong: usize,
    /// What was wrong first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fault: Option<String>,
    p50_ms: f64,
    p99_ms: f64,
}

// === impl Question ===

impl Question {
    /// Asks `times`, each time over a connection of its own.
    pub(super) async fn ask(&self, client: &Client, times: usize) -> Measured {
        let (mut took, mut wrong, mut fault) = (Vec::with_capacity(times), 0, None);
        for (number, asked) in self.asked.iter().cycle().take(times).enumerate() {
            let began = Instant::now();
            let answer = answer(client, &asked.path).await;
            let elapsed = began.elapsed();
            // Reading what was answered is no part of answering.
            let answer = answer.map(|bytes| serde_json::from_slice(&bytes).unwrap_or_default());
            if let Err(why) = answer.and_then(|answer: Json| (asked.check)(&answer)) {
                wrong += 1;
                fault.get_or_insert_with(|| format!("question {number}, {}: {why}", asked.path));
            }
            took.push(elapsed);
        }
        took.sort_unstable();
        Measured { name: self.name.clone(), asked: took.len(), wrong, fault, p50_ms: quantile(&took, 500), p99_ms: quantile(&took, 990) }
    }
}

/// The bytes of an answer; none when it says that nothing is there.
async fn answer(client: &Client, path: &str) -> Result<Vec<u8>, String> {
    match client.get(path).await {
        Ok(answer) => answer.bytes(MAX_BYTES).await.map(Into::into).map_err(|error| error.to_string()),
        Err(Error::Refused { status: 404, .. }) => Ok(Vec::new()),
        Err(error) => Err(error.to_string()),
    }
}

fn quantile(sorted: &[Duration], per_mille: usize) -> f64 {
    let rank = (sorted.len() * per_mille).div_ceil(1_000).max(1);
    sorted.get(rank - 1).map_or(0.0, |took| (took.as_secs_f64() * 1e6).round() / 1e3)
}

const MAX_BYTES: usize = 256 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_of_the_sorted_times() {
        let took: Vec<Duration> = (1..=200).map(Duration::from_millis).collect();
        assert_eq!((quantile(&took, 500), quantile(&took, 990), quantile(&[], 500)), (100.0, 198.0, 0.0));
    }
}
