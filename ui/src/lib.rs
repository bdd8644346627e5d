//! What goes out: pages for people and APIs for programs, both over the same queries.
//!
//! Owns HTTP routes, HTML and JSON shapes. Knows nothing of files, plans or wire protocols of ingest: everything shown
//! is asked of a [`storage::Store`].

mod api;
mod config;
mod error;
mod jaeger;
mod ops;
mod pages;
mod params;
mod server;
mod state;

pub use self::config::{Config, Part};
pub use self::server::{Error, Server, bind};
