//! Black-box tests: the real binary over loopback, real SDKs, a real browser, `kill -9`.
//!
//! One integration binary, because every further one would link the query engine again.

mod arrows;
mod bad_input;
mod browser;
mod http;
mod kill;
mod operations;
mod otlp;
mod sdk;
mod server;
