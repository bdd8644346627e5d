//! What pages show: plain structs, each built by one function from what the store answered.
//!
//! Owns how numbers, times, colours, charts and links look. Knows nothing of HTTP; templates hold only loops and conditions.

pub(crate) mod answer;
pub(crate) mod attributes;
pub(crate) mod chance;
pub(crate) mod chart;
pub(crate) mod colour;
pub(crate) mod completion;
pub(crate) mod conditions;
pub(crate) mod contrast;
pub(crate) mod facets;
pub(crate) mod fields;
pub(crate) mod format;
pub(crate) mod frame;
pub(crate) mod heat;
pub(crate) mod hints;
pub(crate) mod home;
pub(crate) mod link;
pub(crate) mod logs;
pub(crate) mod map;
pub(crate) mod outcome;
pub(crate) mod patterns;
pub(crate) mod plain;
pub(crate) mod search;
pub(crate) mod services;
pub(crate) mod sql;
pub(crate) mod sql_chart;
pub(crate) mod start;
pub(crate) mod status;
pub(crate) mod trace;
pub(crate) mod traces;
