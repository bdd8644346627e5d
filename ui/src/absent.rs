//! Why a trace is not there: never received, aged out or deleted, as far as what is left of it tells. Pages and API say the same.

use http::StatusCode;
use storage::{DeleteReceipt, DeleteWhat, Signal, Store, TraceId, UnixNanos};

use crate::error::Failure;
use crate::view::format;

/// What is known of a trace without spans.
#[derive(Clone, Debug, Default)]
struct Remains {
    /// How many log records name it, and the newest of them.
    logs: Option<(usize, UnixNanos)>,
    /// The oldest span that is kept of any trace.
    oldest: Option<UnixNanos>,
    /// Whether spans age out at all.
    is_bounded: bool,
    /// When a list showed it.
    seen: Option<UnixNanos>,
    /// The delete that named it.
    deleted: Option<DeleteReceipt>,
    /// When spans were last deleted by a search, which may have been its own.
    searched: Option<UnixNanos>,
}

/// Why, and what else is known of it.
#[derive(Debug)]
pub(crate) struct Absent {
    pub(crate) failure: Failure,
    /// The receipt of the delete that named it.
    pub(crate) receipt: Option<String>,
    /// The first and the last of its log records.
    pub(crate) logs: Option<(UnixNanos, UnixNanos)>,
}

/// Looks for what is left of a trace without spans; `seen` is when a list showed it, `time` how times are written.
pub(crate) async fn why(store: &Store, id: TraceId, seen: Option<UnixNanos>, (now, time): (UnixNanos, Written<'_>)) -> Absent {
    let records = store.trace_logs(id, MAX_LOGS).await.map(|page| page.records).unwrap_or_default();
    let [spans, _] = store.status().signals;
    let times = || records.iter().map(|record| record.time);
    // The newest first; what found nothing deleted nothing.
    let deletes: Vec<DeleteReceipt> = store.deletions().into_iter().filter(|receipt| receipt.spans > 0).collect();
    let is_search = |receipt: &&DeleteReceipt| matches!(receipt.what, DeleteWhat::Matching { signal: Signal::Traces, .. });
    let left = Remains {
        logs: times().max().map(|newest| (records.len(), newest)),
        oldest: spans.time.map(|(oldest, _)| oldest),
        is_bounded: store.retention().traces.is_some(),
        seen,
        searched: deletes.iter().find(is_search).map(|receipt| receipt.asked),
        deleted: deletes.into_iter().find(|receipt| matches!(&receipt.what, DeleteWhat::Traces(ids) if ids.contains(&id))),
    };
    let receipt = left.deleted.as_ref().map(|receipt| receipt.id.clone());
    Absent { failure: told(id, left, now, time), receipt, logs: times().min().zip(times().max()) }
}

fn told(id: TraceId, left: Remains, now: UnixNanos, time: Written<'_>) -> Failure {
    let kept = left.oldest.filter(|_| left.is_bounded).map(|oldest| format!("spans are kept from {} on", time(oldest)));
    let gone = |message| Failure::new(StatusCode::GONE, "expired_trace", message);
    let unknown = |message| Failure::new(StatusCode::NOT_FOUND, "unknown_trace", message);
    if let Some(receipt) = left.deleted {
        return Failure::new(
            StatusCode::GONE,
            "deleted_trace",
            format!("trace {id} was deleted on request at {}, receipt {}", time(receipt.asked), receipt.id),
        );
    }
    match (left.logs, left.seen) {
        (Some((count, newest)), _) if left.oldest.is_some_and(|oldest| newest < oldest) => gone(format!(
            "the spans of trace {id} have aged out: its {} from {} or before, and {}",
            if count == 1 { "log record is".to_owned() } else { format!("{} log records are", format::exact(count as u64)) },
            time(newest),
            kept.unwrap_or_default()
        )),
        (_, Some(seen)) if seen < now => {
            gone(format!("trace {id} was here at {} and is no longer: it has aged out, or was deleted on request", time(seen)))
        }
        (Some((count, _)), _) => Failure::new(
            StatusCode::NOT_FOUND,
            "trace_without_spans",
            format!(
                "no span of trace {id} is here, but {} it; its spans were not received, were left out by sampling, or are still on their way",
                if count == 1 { "a log record names".to_owned() } else { format!("{} log records name", format::exact(count as u64)) }
            ),
        ),
        (None, _) => {
            let aged = left.is_bounded.then(|| "has aged out".to_owned());
            let deleted = left.searched.map(|asked| format!("was deleted by a search, as were others at {}", time(asked)));
            let reasons: Vec<String> =
                ["was not received".to_owned(), "is still on its way".to_owned()].into_iter().chain(aged).chain(deleted).collect();
            let (others, last) = reasons.split_at(reasons.len().saturating_sub(1));
            let kept = kept.map(|kept| format!(": {kept}")).unwrap_or_default();
            unknown(format!("there is no trace {id}; it {}, or {}{kept}", others.join(", "), last.concat()))
        }
    }
}

/// How a time is written: programs are told it to the nanosecond.
type Written<'a> = &'a (dyn Fn(UnixNanos) -> String + Sync);

/// Log records that are counted.
const MAX_LOGS: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::{App, NOW, TRACE};

    fn failure(left: Remains) -> (u16, &'static str, String) {
        let failure = told(TraceId::from_slice(&[7; 16]).unwrap(), left, UnixNanos::new(NOW), &|time| time.get().to_string());
        (failure.status.as_u16(), failure.code, failure.message)
    }

    #[test]
    fn a_trace_whose_log_records_are_older_than_any_span_has_aged_out() {
        let at = |age| UnixNanos::new(NOW - age);
        let left = Remains { logs: Some((3, at(500))), oldest: Some(at(100)), is_bounded: true, ..Remains::default() };
        let (status, code, message) = failure(left.clone());
        assert_eq!((status, code), (410, "expired_trace"));
        assert!(message.contains("its 3 log records are from") && message.contains("spans are kept from"), "{message}");
        let (status, code, message) = failure(Remains { oldest: Some(at(900)), ..left });
        assert_eq!((status, code), (404, "trace_without_spans"), "{message}");
    }

    #[test]
    fn a_trace_that_a_list_showed_is_gone_and_an_unknown_one_was_perhaps_never_here() {
        let seen = Remains { seen: Some(UnixNanos::new(NOW - 1)), ..Remains::default() };
        assert_eq!(failure(seen.clone()).0, 410);
        assert_eq!(failure(Remains { seen: Some(UnixNanos::new(NOW + 1)), ..seen }).0, 404);
        let (status, code, message) = failure(Remains { is_bounded: true, ..Remains::default() });
        assert_eq!((status, code), (404, "unknown_trace"));
        assert!(message.ends_with("or has aged out"), "{message}");
        let forever = Remains { oldest: Some(UnixNanos::new(5)), ..Remains::default() };
        assert!(failure(forever).2.ends_with("it was not received, or is still on its way"));
        let (_, _, message) = failure(Remains { searched: Some(UnixNanos::new(NOW)), ..Remains::default() });
        assert!(message.contains(&format!("or was deleted by a search, as were others at {NOW}")), "{message}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_deleted_trace_says_when_it_was_deleted_and_which_receipt_tells_of_it() {
        let app = App::filled().await;
        let id: TraceId = TRACE.parse().unwrap();
        let receipt = app.store().delete(DeleteWhat::Traces(vec![id])).await.unwrap();
        let answer = app.get(&format!("/trace/{TRACE}")).await;
        assert_eq!(answer.status, StatusCode::GONE);
        let page = answer.text();
        assert!(page.contains("was deleted on request at ") && page.contains(&format!("receipt {}", receipt.id)), "{page}");
        assert!(page.contains(&format!("/status/deletes#{}\"", receipt.id)) && page.contains("This trace was deleted"), "{page}");
        let error = app.get(&format!("/api/v1/traces/{TRACE}")).await;
        assert_eq!((error.status, error.json()["error"]["code"].as_str()), (StatusCode::GONE, Some("deleted_trace")), "{}", error.text());
        assert!(error.text().contains(&receipt.id), "{}", error.text());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_page_of_a_missing_trace_says_what_can_have_become_of_it() {
        let app = App::filled().await;
        let answer = app.get("/trace/0af7651916cd43dd8448eb211c80319c").await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
        // They are kept for ever here, so it has not aged out.
        assert!(answer.text().contains("it was not received, or is still on its way"), "{}", answer.text());
    }
}
