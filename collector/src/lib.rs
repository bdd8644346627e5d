//! What comes in: the OTLP receivers.
//!
//! [`bind`] takes the ports, [`Collector::serve`] answers them until it is told to stop. Every request is admitted by bytes,
//! expanded under a cap, brought to OTLP protobuf and handed to [`storage::Store::append`]; the sender is told what became of
//! it. Knows nothing of files, queries or pages.

mod admission;
mod coding;
mod config;
mod error;
mod grpc;
mod http;
mod ingest;
mod items;
mod json;
mod metrics;
mod refusals;
mod rpc;
mod server;
mod sink;
mod warnings;

pub use self::config::{Config, MetricsPolicy};
pub use self::error::Error;
pub use self::json::{FromJson, from_json};
pub use self::refusals::{RecentRefusal, RecentRefusals};
pub use self::server::{Collector, bind};
pub use self::sink::Sink;
