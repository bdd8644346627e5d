//! What an SQL statement answers: columns, rows, and what their numbers are.

use std::time::Duration;

/// The rows of an SQL statement, already encoded.
#[derive(Clone, Debug, Default)]
pub struct SqlAnswer {
    /// Columns in order.
    pub columns: Vec<SqlColumn>,
    /// One JSON object per row, 64-bit integers beyond 2^53 as text, bytes as hex.
    pub rows: Vec<serde_json::Map<String, serde_json::Value>>,
    /// Whether rows beyond the limit were left out.
    pub truncated: bool,
    /// Why stored rows are missing from what the statement saw, one sentence each; empty when it saw everything.
    pub notes: Vec<String>,
    /// What the statement hardly means as it is written, one sentence each; its answer is whole all the same.
    pub advice: Vec<String>,
    /// Time on the server.
    pub elapsed: Duration,
}

/// What the numbers of a column are; times and durations are nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SqlMeaning {
    /// Numbers, texts, or times of a type of their own.
    #[default]
    Plain,
    /// Since 1970.
    Time,
    /// How long something took.
    Duration,
}

/// A column of an SQL answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SqlColumn {
    /// Name as written in the SELECT.
    pub name: String,
    /// Type in SQL words.
    pub sql_type: String,
    /// What its numbers are.
    pub meaning: SqlMeaning,
}
