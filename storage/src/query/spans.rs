//! Single spans: searches, newest first.

use arrow::array::RecordBatch;

use super::answer::SpanPage;
use super::columns;
use super::language::Query;
use super::listed::{self, Ask, Listed};
use super::predicate::Predicate;
use super::question::{QueryError, SpanSearch, SpanTie};
use super::scan::Control;
use super::unknown;
use crate::model::{Span, UnixNanos};
use crate::rows;
use crate::schema::{ColumnError, column};
use crate::snapshot::Snapshot;
use crate::store::Signal;

/// Newest first by start. Spans are told apart by what versions of one span have in common.
#[derive(Clone, Copy, Debug)]
struct Newest;

/// Finds spans. What asks for whole traces is refused: which of their spans it means is not said.
pub(crate) fn search(snapshot: &Snapshot, search: &SpanSearch, control: &Control) -> Result<SpanPage, QueryError> {
    if search.limit == 0 || search.limit > 1_000 {
        return Err(QueryError::Invalid(format!("the limit of a span search is 1 to 1000, not {}", search.limit)));
    }
    let query = Query::parse(Signal::Traces, &search.query).map_err(QueryError::Parse)?;
    let ask = Ask { range: search.range, limit: search.limit, after: search.after()? };
    let mut page = listed::find(snapshot, &Newest, &Predicate::new(&query), ask, control)?;
    if page.rows.is_empty() && search.cursor.is_none() {
        page.stats.notes.extend(unknown::notes(snapshot, &query)?);
    }
    let next = page.last.map(|(start, tie)| search.behind(start, tie));
    Ok(SpanPage { spans: page.rows, next, stats: page.stats })
}

impl Listed for Newest {
    type Row = Span;
    type Tie = SpanTie;

    const SIGNAL: Signal = Signal::Traces;
    const COLUMNS: &'static [&'static str] = &[column::TRACE_ID, column::SPAN_ID, column::KIND];
    const BY_TRACE: bool = true;

    fn is_oldest_first(&self) -> bool {
        false
    }

    fn ties(&self, batch: &RecordBatch) -> Result<impl Fn(usize) -> Option<Self::Tie>, QueryError> {
        let (traces, spans) = (columns::id(batch, column::TRACE_ID)?, columns::id(batch, column::SPAN_ID)?);
        let kinds = columns::int(batch, column::KIND)?;
        Ok(move |row: usize| Some((columns::trace_id(traces, row)?, (columns::span_id(spans, row)?, kinds.value(row)))))
    }

    fn rows(batch: &RecordBatch, numbers: impl Iterator<Item = usize>) -> Result<Vec<Span>, ColumnError> {
        rows::spans(batch, numbers)
    }

    fn key(&self, span: &Span) -> (UnixNanos, Self::Tie) {
        (span.start, (span.trace_id, (span.span_id, span.kind.number())))
    }
}

#[cfg(test)]
pub(super) mod tests;
