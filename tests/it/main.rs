//! Black-box tests: the real binary over loopback, real SDKs, a real browser, `kill -9`.
//!
//! One integration binary, because every further one would link the query engine again.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that cannot go on fails where it stands")]

mod arrows;
mod backup;
mod bad_input;
mod browser;
mod durability;
mod exchange;
mod http;
mod keeping;
mod kill;
mod ledger;
mod operations;
mod otlp;
mod pages;
mod repair;
mod sdk;
mod server;
mod tools;
mod warnings;
mod wire;
