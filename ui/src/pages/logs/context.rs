//! What was logged around one record, without the query that found it.

use storage::{LogContextSearch, LogOrder, LogRecord, LogSearch, QueryError, SameOrigin, Store, TimeRange, UnixNanos};

use crate::view::link::term;

/// Whose records are shown around one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Around {
    /// The same instance, as its resource says.
    #[default]
    Instance,
    Service,
    Trace,
    All,
}

impl Around {
    /// Words of the address.
    pub(super) const WORDS: [(&'static str, Self); 4] =
        [("instance", Self::Instance), ("service", Self::Service), ("trace", Self::Trace), ("all", Self::All)];

    /// For people.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Instance => "Same instance",
            Self::Service => "Same service",
            Self::Trace => "Same trace",
            Self::All => "Everything",
        }
    }

    /// Finds such records by a search, as nearly as it can; `None` when the record names none.
    pub(super) fn query(self, record: &LogRecord) -> Option<String> {
        let service = term("service", record.service_name());
        match self {
            Self::All => Some(String::new()),
            Self::Service | Self::Instance => Some(service),
            Self::Trace => record.trace_id.map(|id| format!("trace:{id}")),
        }
    }
}

/// Up to `reach` records before `record` and as many after it, itself between them, oldest first.
pub(super) async fn around(store: &Store, record: &LogRecord, by: Around, reach: usize) -> Result<Vec<LogRecord>, QueryError> {
    let origin = match by {
        Around::Instance => SameOrigin::Instance,
        Around::Service => SameOrigin::Service,
        Around::Trace | Around::All => return searched(store, record, &by.query(record).unwrap_or_default(), reach).await,
    };
    let search = LogContextSearch { record_id: record.record_id, before: reach, after: reach, origin };
    let Some(context) = store.log_context(search).await? else { return Ok(vec![record.clone()]) };
    Ok(context.before.into_iter().chain([context.record]).chain(context.after).collect())
}

/// The same among what a search finds.
async fn searched(store: &Store, record: &LogRecord, query: &str, reach: usize) -> Result<Vec<LogRecord>, QueryError> {
    let search = |range, order| LogSearch { query: query.to_owned(), range, order, limit: reach + TIES, cursor: None };
    let (before, after) = (
        TimeRange { from: UnixNanos::new(0), to: record.time.plus(1) },
        TimeRange { from: record.time, to: UnixNanos::new(i64::MAX.unsigned_abs()) },
    );
    let (before, after) =
        tokio::join!(store.search_logs(search(before, LogOrder::Newest)), store.search_logs(search(after, LogOrder::Oldest)));
    let place = |other: &LogRecord| (other.time, other.record_id).cmp(&(record.time, record.record_id));
    let mut records: Vec<LogRecord> = before?.records.into_iter().filter(|other| place(other).is_lt()).take(reach).collect();
    records.reverse();
    records.push(record.clone());
    records.extend(after?.records.into_iter().filter(|other| place(other).is_gt()).take(reach));
    Ok(records)
}

/// Records of the same nanosecond that may lie on the other side.
const TIES: usize = 50;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::{App, NOW};

    #[tokio::test(flavor = "multi_thread")]
    async fn the_records_around_one_are_shown_in_order_without_the_query() {
        let app = App::filled().await;
        let range = TimeRange { from: UnixNanos::new(0), to: UnixNanos::new(NOW) };
        let search = LogSearch { query: "severity:error".to_owned(), range, order: LogOrder::Newest, limit: 1, cursor: None };
        let record = app.store().search_logs(search).await.unwrap().records.remove(0);
        for (word, by) in Around::WORDS {
            let found = around(app.store(), &record, by, 5).await.unwrap();
            let bodies: Vec<_> = found.iter().map(|record| record.body.as_str().unwrap().to_owned()).collect();
            assert_eq!(bodies, ["charging the card", "payment failed"], "{word}");
        }
        assert_eq!(searched(app.store(), &record, "service:nobody", 5).await.unwrap().len(), 1);
    }
}
