//! A sample shop that speaks OTLP: the demo that fills the first page, and the load that measures a collector.
//!
//! Owns the shop's services, what happens in them, and two ways to send it: [`demo`] at a human rate, [`load`] as fast
//! as the receiver accepts. It depends on none of Throughline's crates: it meets them over the wire like every other sender.

mod calls;
mod cast;
mod clock;
pub mod demo;
mod envelope;
pub mod load;
mod random;
mod recording;
mod scene;
mod stage;
mod value;
mod world;
