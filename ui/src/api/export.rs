//! Everything that a query matches, as OTLP JSON, one `TracesData` or `LogsData` per line.
//!
//! The answer is written while it is read. What goes wrong after it began stands in its last line: `{"error":{…}}`.

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use futures::{StreamExt as _, stream};
use http::header::CONTENT_TYPE;
use storage::{ExportPart, QueryError, Signal, TimeRange};
use tokio::sync::mpsc::Receiver;
use tokio_util::sync::CancellationToken;

use super::search::{LOG_FILTERS, TRACE_FILTERS, log_query, trace_parameter, trace_query};
use super::to_json;
use crate::error::Failure;
use crate::otlp_json::{LogsData, TracesData};
use crate::params::Params;
use crate::state::AppState;

/// `GET /api/v1/export`
pub(super) async fn lines(State(state): State<AppState>, params: Params) -> Result<Response, Failure> {
    let signal = params.word("signal", &[("traces", Signal::Traces), ("logs", Signal::Logs)])?.unwrap_or(Signal::Traces);
    let query = match signal {
        Signal::Traces => {
            params.refuse_unknown(&[&TRACE_FILTERS[..], &["to", "signal", "trace"]].concat())?;
            let query = trace_query(&state, &params)?;
            match trace_parameter(&params)? {
                Some(id) if query.is_empty() => format!("trace:{id}"),
                Some(id) => format!("({query}) trace:{id}"),
                None => query,
            }
        }
        Signal::Logs => {
            params.refuse_unknown(&[&LOG_FILTERS[..], &["to", "signal"]].concat())?;
            log_query(&state, &params)?
        }
    };
    let parts = state.store().export(signal, &query, range(&state, &params)?)?;
    let reading = Reading { parts, stopping: state.stopping().clone(), ended: false };
    let lines = stream::unfold(reading, |mut reading| async move {
        let line = reading.next().await?;
        Some((Ok::<_, std::convert::Infallible>(line), reading))
    });
    // Who compresses asks once more after the end.
    let body = Body::from_stream(lines.fuse());
    Ok(([(CONTENT_TYPE, "application/x-ndjson")], body).into_response())
}

/// All time, unless a bound is given.
fn range(state: &AppState, params: &Params) -> Result<TimeRange, Failure> {
    if params.get("from").is_none() && params.get("to").is_none() { Ok(TimeRange::ALL) } else { Ok(params.window(state.now(), "0")?.range) }
}

/// An export under way.
struct Reading {
    parts: Receiver<Result<ExportPart, QueryError>>,
    stopping: CancellationToken,
    ended: bool,
}

impl Reading {
    /// The next line; `None` after the last.
    async fn next(&mut self) -> Option<Bytes> {
        if self.ended {
            return None;
        }
        let part = tokio::select! {
            part = self.parts.recv() => part?,
            () = self.stopping.cancelled() => Err(QueryError::Internal("the server stops".to_owned())),
        };
        let written = match part {
            // JSON of a thousand records takes a few milliseconds: not on a thread that others wait for.
            Ok(part) => tokio::task::spawn_blocking(move || line(&part)).await.unwrap_or_else(|_| Err(Failure::from(lost()))),
            Err(error) => Err(Failure::from(error)),
        };
        Some(written.unwrap_or_else(|failure| {
            self.ended = true;
            let mut line = failure.to_json().to_string().into_bytes();
            line.push(b'\n');
            line.into()
        }))
    }
}

fn line(part: &ExportPart) -> Result<Bytes, Failure> {
    let written = match part {
        ExportPart::Spans(spans) => to_json(&TracesData::new(spans)),
        ExportPart::Logs(logs) => to_json(&LogsData::new(logs)),
    };
    let mut line = written.map_err(|_| Failure::from(lost()))?;
    line.push(b'\n');
    Ok(line.into())
}

fn lost() -> QueryError {
    QueryError::Internal("records could not be written as JSON".to_owned())
}
