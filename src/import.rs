//! `throughline import`: OTLP from files, into a data folder or through a receiver.
//!
//! Owns the order: messages are numbered through all files, a few are under way at once, and the report says up to which one everything
//! is acknowledged. An import that was interrupted goes on there with `--skip`.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::cli::Import;
use crate::progress::Progress;
use crate::shutdown::Signals;
use crate::source::{data_dir, open_store, or_server, quiet_log};

mod message;
mod target;

use self::message::{Message, Messages};
use self::target::{Outcome, Target};

/// What has been done so far.
#[derive(Debug, Default)]
struct Tally {
    /// Everything up to this message is acknowledged, or was left out.
    done: u64,
    /// Later ones that are acknowledged too.
    ahead: BTreeSet<u64>,
    accepted: u64,
    /// Of the accepted ones, those that the store had just taken in.
    repeated: u64,
    rejected: u64,
    reason: Option<String>,
}

/// Takes everything in. Fails when a message was not acknowledged, or records were rejected.
///
/// # Errors
/// When a file cannot be read, or nobody takes it in; says where to go on.
pub(crate) fn run(arguments: &Import) -> anyhow::Result<ExitCode> {
    quiet_log();
    message::check(&arguments.files, arguments.format, arguments.signal)?;
    crate::runtime()?.block_on(async {
        let target = match &arguments.endpoint {
            Some(endpoint) => Target::receiver(endpoint)?,
            None => {
                let folder = data_dir(arguments.data_dir.as_deref())?;
                let how = "to send to the server that has it open, give its OTLP/HTTP port, such as --endpoint http://127.0.0.1:4318";
                Target::Folder(open_store(&folder).await.map_err(|error| or_server(error, how))?)
            }
        };
        target.check().await?;
        // A receiver does not say what it had before.
        let became = if arguments.endpoint.is_some() { "acknowledged" } else { "stored" };
        let mut tally = Tally { done: arguments.skip, ..Tally::default() };
        let imported = all(arguments, &target, &mut tally).await;
        target.close().await?;
        report(&tally, became)?;
        imported.with_context(|| format!("the import ended after {0} messages; go on with --skip {0}", tally.done))?;
        Ok(if tally.rejected == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
}

async fn all(arguments: &Import, target: &Target, tally: &mut Tally) -> anyhow::Result<()> {
    let mut signals = Signals::listen()?;
    let messages = Messages::new(arguments.files.clone(), arguments.format, arguments.signal, arguments.skip);
    let (sender, receiver) = mpsc::channel(1);
    let reader = tokio::task::spawn_blocking(move || {
        for message in messages {
            let failed = message.is_err();
            // Nobody takes it any more when the import ended early.
            if sender.blocking_send(message).is_err() || failed {
                return;
            }
        }
    });
    let receiver = Arc::new(tokio::sync::Mutex::new(receiver));
    let (told, mut outcomes) = mpsc::channel(AT_ONCE);
    let (stop, mut senders) = (CancellationToken::new(), JoinSet::new());
    for _ in 0..AT_ONCE {
        senders.spawn(send(target.clone(), arguments.give_up_after, (Arc::clone(&receiver), stop.clone()), told.clone()));
    }
    drop((told, receiver));
    let mut progress = Progress::new("imported", "records");
    let ended = loop {
        let next = tokio::select! {
            next = outcomes.recv() => next,
            name = signals.next() => break Err(anyhow::anyhow!("stopped by {name}")),
        };
        match next {
            Some((number, Ok(outcome))) => {
                progress.add(outcome.accepted);
                tally.note(number, outcome);
            }
            Some((_, Err(error))) => break Err(error),
            None => break Ok(()),
        }
    };
    // What is under way is finished, so that the report is exact; nothing new is begun.
    stop.cancel();
    while let Some((number, outcome)) = outcomes.recv().await {
        if let Ok(outcome) = outcome {
            tally.note(number, outcome);
        }
    }
    while senders.join_next().await.is_some() {}
    reader.await.context("reading failed unexpectedly")?;
    ended
}

type Queue = Arc<tokio::sync::Mutex<mpsc::Receiver<anyhow::Result<Message>>>>;

/// Sends messages one after the other until there is none, or one fails, or nobody listens.
async fn send(
    target: Target,
    give_up_after: Duration,
    (queue, stop): (Queue, CancellationToken),
    told: mpsc::Sender<(u64, anyhow::Result<Outcome>)>,
) {
    let mut way = target.way();
    loop {
        let next = async { queue.lock().await.recv().await };
        let Some(Some(message)) = stop.run_until_cancelled(next).await else { return };
        let (number, outcome) = match message {
            Ok(message) => (message.number, way.send(message, give_up_after).await),
            Err(error) => (0, Err(error)),
        };
        let failed = outcome.is_err();
        if told.send((number, outcome)).await.is_err() || failed {
            return;
        }
    }
}

fn report(tally: &Tally, became: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    let mut out = std::io::stdout();
    let Tally { done, accepted, repeated, rejected, .. } = tally;
    let before = if *repeated > 0 { format!(", {repeated} of them a moment before") } else { String::new() };
    writeln!(out, "{accepted} records of {done} messages are {became}{before}, {rejected} were rejected")?;
    tally.reason.as_ref().map_or(Ok(()), |reason| writeln!(out, "rejected: {reason}"))
}

// === impl Tally ===

impl Tally {
    fn note(&mut self, number: u64, outcome: Outcome) {
        self.accepted += outcome.accepted;
        self.repeated += outcome.repeated;
        self.rejected += outcome.rejected;
        if outcome.rejected > 0 && self.reason.is_none() {
            self.reason = outcome.message;
        }
        self.ahead.insert(number);
        while self.ahead.remove(&(self.done + 1)) {
            self.done += 1;
        }
    }
}

/// Messages under way at once.
const AT_ONCE: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_import_goes_on_before_the_first_message_that_is_not_acknowledged() {
        let mut tally = Tally { done: 10, ..Tally::default() };
        for number in [12, 11, 15, 14] {
            tally.note(number, Outcome { accepted: 2, repeated: 2, rejected: 0, message: None });
        }
        assert_eq!((tally.done, tally.accepted, tally.repeated), (12, 8, 8));
        tally.note(13, Outcome { accepted: 0, repeated: 0, rejected: 3, message: Some("too old".to_owned()) });
        assert_eq!((tally.done, tally.rejected, tally.reason.as_deref()), (15, 3, Some("too old")));
    }
}
