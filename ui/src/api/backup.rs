//! Everything that is stored at one moment, as a stream that `throughline backup` understands.

use std::collections::HashSet;
use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use futures::{StreamExt as _, stream};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{Sender, channel};

use crate::error::Failure;
use crate::params::Params;
use crate::state::AppState;

/// `POST /api/v1/backup`: the body names what the caller has, one file per line.
pub(super) async fn stream_of(State(state): State<AppState>, params: Params, body: String) -> Result<Response, Failure> {
    params.refuse_unknown(&[])?;
    let permit = AT_ONCE
        .try_acquire()
        .map_err(|_| Failure::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "other backups are running; try again later"))?;
    let known: HashSet<String> = body.lines().map(str::to_owned).collect();
    let failed = |error: &dyn std::fmt::Display| Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", error.to_string());
    let backup = state.store().backup().await.map_err(|error| failed(&error))?;
    let (sender, pieces) = channel(4);
    let stopping = state.stopping().clone();
    // Reads files, so not on a thread that others wait for. It ends with the reader, or with the server.
    tokio::task::spawn_blocking(move || {
        send(backup.stream(known), &sender, || stopping.is_cancelled());
        drop(permit);
    });
    let pieces = stream::unfold(pieces, |mut pieces| async move {
        let piece = pieces.recv().await?;
        Some((Ok::<Bytes, Infallible>(piece), pieces))
    });
    // Who compresses asks once more after the end.
    let body = Body::from_stream(pieces.fuse());
    Ok(([(CONTENT_TYPE, "application/octet-stream")], body).into_response())
}

fn send(pieces: storage::BackupStream, to: &Sender<Bytes>, stopping: impl Fn() -> bool) {
    for piece in pieces {
        if stopping() || to.blocking_send(piece).is_err() {
            return;
        }
    }
}

/// Each holds files and a thread for as long as its reader takes.
static AT_ONCE: Semaphore = Semaphore::const_new(2);

/// What a caller may have: a million files.
pub(super) const MAX_KNOWN_BYTES: usize = 64 << 20;
