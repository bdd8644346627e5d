//! How often each error of a service happened over time.

use std::collections::HashMap;

use storage::{QueryError, SqlQuery, Store, TimeRange};

use super::{KIND_OF_ERROR, TIMEOUT, normalised, number, quoted, text, within};

/// Failed spans of a service by type and message, as [`super::errors()`] tells them, in parts of the window that are `step` nanoseconds wide;
/// nothing where there are too many different ones.
pub(crate) async fn of_errors(
    store: &Store,
    service: &str,
    range: TimeRange,
    step: u64,
) -> Result<HashMap<(String, String), Vec<u64>>, QueryError> {
    let (from, step) = (range.from.get(), step.max(1));
    let sql = format!(
        "SELECT {KIND_OF_ERROR} AS kind, coalesce(exception_message, status_message, '') AS message, (start_time - {from}) / {step} AS part, \
         count(*) AS n FROM spans WHERE status = 'error' AND {} AND service_name = {} GROUP BY 1, 2, 3",
        within("start_time", range),
        quoted(service)
    );
    let answer = store.sql(SqlQuery { sql, max_rows: MAX_ROWS, timeout: TIMEOUT }).await?;
    let parts = usize::try_from(range.to.since(range.from).div_ceil(step)).unwrap_or(usize::MAX);
    if answer.truncated || parts > MAX_PARTS {
        return Ok(HashMap::new());
    }
    let mut counts: HashMap<(String, String), Vec<u64>> = HashMap::new();
    for row in &answer.rows {
        let counts = counts.entry((text(row, "kind"), normalised(&text(row, "message")))).or_insert_with(|| vec![0; parts]);
        let part = usize::try_from(number(row, "part")).unwrap_or(usize::MAX);
        counts.get_mut(part).into_iter().for_each(|count| *count += number(row, "n"));
    }
    Ok(counts)
}

/// Different messages times parts.
const MAX_ROWS: usize = 20_000;

/// Of a window.
const MAX_PARTS: usize = 1_000;

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use storage::{Signal, UnixNanos};

    use super::*;
    use crate::harness::{App, NOW, requests};

    #[tokio::test(flavor = "multi_thread")]
    async fn errors_are_counted_where_they_happened() {
        let app = App::empty().await;
        app.append(Signal::Traces, requests(&[(1, 590, 1, true), (2, 10, 1, true), (3, 5, 1, true), (4, 300, 1, false)]).encode_to_vec())
            .await;
        let range = TimeRange { from: UnixNanos::new(NOW - 600_000_000_000), to: UnixNanos::new(NOW) };
        let found = of_errors(app.store(), "checkout", range, 60_000_000_000).await.unwrap();
        let counts = found.get(&(String::new(), String::new())).unwrap();
        assert_eq!((counts.len(), counts[0], counts[9], counts.iter().sum::<u64>()), (10, 1, 2, 3));
        assert!(of_errors(app.store(), "payment", range, 60_000_000_000).await.unwrap().is_empty());
    }
}
