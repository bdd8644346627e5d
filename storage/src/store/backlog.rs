//! Holds requests up while merging is behind.
//!
//! Every question reads the segments that are yet to be merged one by one, so they are bounded: many of them make requests take longer, which
//! gives merging time, and with far too many none is taken.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use super::Signal;

/// Unmerged segments of a table beyond which a request takes a moment longer, unless there are fewer before that is over.
const MANY: usize = 64;
/// With so many a request waits until there are fewer.
const TOO_MANY: usize = 128;
/// How much longer a request takes.
const MOMENT: Duration = Duration::from_millis(250);
/// How long one waits at most.
const PATIENCE: Duration = Duration::from_secs(4);

/// Waits as long as a request has to; the number of unmerged segments when it must not be taken.
pub(super) async fn wait(mut unmerged: watch::Receiver<usize>) -> Result<(), usize> {
    let count = *unmerged.borrow_and_update();
    if count <= MANY || timeout(MOMENT, unmerged.wait_for(|count| *count <= MANY)).await.is_ok() {
        return Ok(());
    }
    let fewer = timeout(PATIENCE, unmerged.wait_for(|count| *count < TOO_MANY)).await.is_ok();
    let count = *unmerged.borrow();
    if fewer { Ok(()) } else { Err(count) }
}

/// Why requests of a signal are not taken with so many unmerged segments; `None` when they are.
pub(super) fn refusal(count: usize, signal: Signal) -> Option<String> {
    (count >= TOO_MANY).then(|| reason(count, signal))
}

/// What waits.
pub(super) fn reason(count: usize, signal: Signal) -> String {
    format!("{count} segments of {} wait to be merged", signal.as_str())
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[tokio::test]
    async fn many_slow_requests_down_and_too_many_refuse_them_until_there_are_fewer() {
        let (sender, unmerged) = watch::channel(MANY);
        let took = async || {
            let begun = Instant::now();
            wait(unmerged.clone()).await.map(|()| begun.elapsed())
        };
        assert!(took().await.unwrap() < MOMENT);
        sender.send(MANY + 1).unwrap();
        assert!(took().await.unwrap() >= MOMENT);
        sender.send(TOO_MANY).unwrap();
        let (waited, ()) = tokio::join!(took(), async {
            tokio::time::sleep(2 * MOMENT).await;
            sender.send(TOO_MANY - 1).unwrap();
        });
        assert!((2 * MOMENT..PATIENCE).contains(&waited.unwrap()));
        sender.send(TOO_MANY + 5).unwrap();
        assert_eq!(took().await, Err(TOO_MANY + 5));
    }
}
