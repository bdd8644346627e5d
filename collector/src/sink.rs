//! Where requests go: the store, or a recording in tests.

use bytes::Bytes;
use futures::future::BoxFuture;
use storage::{AppendError, Appended, Signal, Store};

/// Takes in OTLP protobuf and says what became of it.
pub trait Sink: Send + Sync + 'static {
    /// Takes in one export request. Returns when what was accepted is durable and visible.
    fn append(&self, signal: Signal, payload: Bytes) -> BoxFuture<'_, Result<Appended, AppendError>>;

    /// Why nothing is taken in at present; `None` when it is.
    fn write_refusal(&self) -> Option<String>;
}

impl Sink for Store {
    fn append(&self, signal: Signal, payload: Bytes) -> BoxFuture<'_, Result<Appended, AppendError>> {
        Box::pin(Self::append(self, signal, payload))
    }

    fn write_refusal(&self) -> Option<String> {
        self.status().write_refusal
    }
}
