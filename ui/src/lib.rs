//! What goes out: pages for people and APIs for programs, both over the same queries.
//!
//! Owns HTTP routes, HTML and JSON shapes, and the [`client`] that asks them. Knows nothing of files, plans or wire protocols of ingest: everything shown
//! is asked of a [`storage::Store`].

mod absent;
mod api;
mod ask;
pub mod client;
mod config;
mod distinct;
mod error;
mod filter;
#[cfg(test)]
mod harness;
mod jaeger;
mod ops;
mod otlp_json;
mod pages;
mod params;
mod plain_json;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod schema;
mod server;
mod state;
mod view;

pub use self::config::{About, Config, Part, RefusalSource, Refused};
pub use self::server::{Error, Server, base_path, bind};
