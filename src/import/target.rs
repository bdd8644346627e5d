//! Where an import goes: a data folder in this process, or a receiver over OTLP/HTTP.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use shop::load::Protocol;
use shop::load::connection::{Answer, Connection, Connector};
use storage::{AppendError, Appended, Store};

use crate::cli::Signal;

use super::message::Message;

/// Where messages go. Cloning is cheap and shares it.
#[derive(Clone, Debug)]
pub(super) enum Target {
    Folder(Store),
    Receiver(Arc<Connector>),
}

/// One way there, with one message under way.
#[derive(Debug)]
pub(super) enum Way {
    Folder(Store),
    Receiver(Connection),
}

/// What became of an acknowledged message.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) accepted: u64,
    /// Of the accepted ones, those of a message that was known; a receiver does not say so.
    pub(super) repeated: u64,
    pub(super) rejected: u64,
    pub(super) message: Option<String>,
}

/// What is to be done after a refusal.
enum Refused {
    Later(Duration, String),
    Never(String),
}

// === impl Target ===

impl Target {
    pub(super) fn receiver(endpoint: &str) -> anyhow::Result<Self> {
        Ok(Self::Receiver(Arc::new(Connector::new(Protocol::Http, Some(endpoint))?)))
    }

    /// Fails when the receiver is not there or is another.
    ///
    /// # Errors
    /// Says what to name instead.
    pub(super) async fn check(&self) -> anyhow::Result<()> {
        match self {
            Self::Folder(_) => Ok(()),
            Self::Receiver(connector) => Ok(connector.check().await?),
        }
    }

    pub(super) fn way(&self) -> Way {
        match self {
            Self::Folder(store) => Way::Folder(store.clone()),
            Self::Receiver(connector) => Way::Receiver(connector.connection()),
        }
    }

    /// Writes what is in memory, where it is this process that has it.
    pub(super) async fn close(self) -> anyhow::Result<()> {
        match self {
            Self::Folder(store) => store.close().await.context("the data folder could not be closed; the log holds what was acknowledged"),
            Self::Receiver(_) => Ok(()),
        }
    }
}

// === impl Way ===

impl Way {
    /// Sends a message until it is acknowledged or refused for good, for at most `give_up_after`.
    pub(super) async fn send(&mut self, message: Message, give_up_after: Duration) -> anyhow::Result<Outcome> {
        let Message { number, signal, payload, rejected, rejection } = message;
        let payload = bytes::Bytes::from(payload);
        let began = Instant::now();
        loop {
            let refused = match self.once(signal, payload.clone()).await {
                Ok(mut outcome) => {
                    outcome.rejected += rejected;
                    outcome.message = rejection.or(outcome.message);
                    return Ok(outcome);
                }
                Err(refused) => refused,
            };
            match refused {
                Refused::Later(after, _) if began.elapsed() + after <= give_up_after => tokio::time::sleep(after).await,
                Refused::Later(_, reason) => {
                    anyhow::bail!("message {number} was not taken in within {} s: {reason}", give_up_after.as_secs())
                }
                Refused::Never(reason) => anyhow::bail!("message {number} was refused: {reason}"),
            }
        }
    }

    async fn once(&mut self, signal: Signal, payload: bytes::Bytes) -> Result<Outcome, Refused> {
        match self {
            Self::Folder(store) => match store.append(signal.into(), payload).await {
                Ok(Appended { accepted, rejected, repeated, message, .. }) => {
                    Ok(Outcome { accepted, repeated: if repeated { accepted } else { 0 }, rejected, message })
                }
                Err(AppendError::Malformed(reason)) => Err(Refused::Never(reason)),
                Err(AppendError::Busy { reason, retry_after } | AppendError::Unavailable { reason, retry_after }) => {
                    Err(Refused::Later(retry_after, reason))
                }
            },
            Self::Receiver(connection) => {
                let sent = records(&payload);
                let signal = match signal {
                    Signal::Traces => shop::load::Signal::Traces,
                    Signal::Logs => shop::load::Signal::Logs,
                };
                match connection.send(signal, payload).await {
                    Answer::Acknowledged { rejected, message } => {
                        let message = (!message.is_empty()).then_some(message);
                        Ok(Outcome { accepted: sent.saturating_sub(rejected), repeated: 0, rejected, message })
                    }
                    Answer::Later { after, reason } => Err(Refused::Later(after.unwrap_or(RETRY_AFTER), reason)),
                    Answer::Refused(reason) => Err(Refused::Never(reason)),
                }
            }
        }
    }
}

/// How many records a request holds: field 1 (a resource), in it field 2 (a scope), in it field 2.
fn records(request: &[u8]) -> u64 {
    let scopes = fields(request, 1).flat_map(|resource| fields(resource, 2));
    scopes.map(|scope| fields(scope, 2).count() as u64).sum()
}

/// The length-delimited fields of this number; ends where the bytes make no sense, which the receiver then says.
fn fields(message: &[u8], number: u64) -> impl Iterator<Item = &[u8]> {
    let mut rest = message;
    std::iter::from_fn(move || {
        loop {
            let tag = varint(&mut rest)?;
            let content = match tag & 7 {
                0 => {
                    varint(&mut rest)?;
                    continue;
                }
                1 => take(&mut rest, 8)?,
                2 => {
                    let length = varint(&mut rest)?;
                    take(&mut rest, usize::try_from(length).ok()?)?
                }
                5 => take(&mut rest, 4)?,
                _ => return None,
            };
            if tag >> 3 == number && tag & 7 == 2 {
                return Some(content);
            }
        }
    })
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(taken)
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// When a receiver does not say how long to wait.
const RETRY_AFTER: Duration = Duration::from_millis(500);
