//! What the chart and the values beside the list count; see `docs/adr/051`.

use storage::{QueryError, Signal, Store, TracePage};

use super::values::ValuesOf;
use super::{Asked, FACETS, charted, values};
use crate::view::facets::Marks;
use crate::view::heat::COLUMNS;

/// What is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Counting {
    /// Spans that match.
    Matches,
    /// All spans of the traces that were found, which the list holds without exception: the query that names them; empty for none.
    Found(String),
    /// Spans that match a part of a question about whole traces, also those of other traces.
    More,
}

/// The chart, when there is something to draw, and the values.
pub(super) type Counted = values::WithGrid<values::Counted>;

impl Counting {
    /// Of a question about whole traces, once its page is known.
    pub(super) fn of_whole(found: &Result<TracePage, QueryError>, asked: &Asked) -> Self {
        match found {
            Ok(found) if found.next.is_none() && found.stats.complete && asked.cursor.is_none() && asked.selected.is_none() => {
                let ids: Vec<String> = found.traces.iter().map(|trace| trace.trace_id.to_string()).collect();
                Self::Found(if ids.is_empty() { String::new() } else { format!("trace:{}", ids.join(",")) })
            }
            _ => Self::More,
        }
    }

    /// How values that the query names are told from others.
    pub(super) fn marks(&self) -> Marks {
        match self {
            Self::Matches => Marks::ChosenOfAll,
            Self::Found(_) => Marks::Chosen,
            Self::More => Marks::None,
        }
    }

    /// What finds the spans that the chart counts.
    pub(super) fn charted(&self, asked: &Asked) -> String {
        if let Self::Found(query) = self { query.clone() } else { charted(&asked.query) }
    }

    /// Counts.
    pub(super) async fn count(&self, store: &Store, asked: &Asked) -> Counted {
        let (charted, narrowed) = match self {
            Self::Found(query) if query.is_empty() => return (None, Vec::new()),
            Self::Found(query) => (query.clone(), query.clone()),
            Self::Matches | Self::More => (self.charted(asked), asked.narrowed()),
        };
        // A question about whole traces is not one condition less without a value.
        let of = (narrowed.as_str(), if *self == Self::Matches { ValuesOf::Others } else { ValuesOf::Found });
        // The chart is of the whole window, and of root spans where nothing is asked.
        if charted == narrowed && asked.range == asked.part() {
            return values::with_grid(store, Signal::Traces, of, asked.range, (&FACETS, Some(COLUMNS))).await;
        }
        let (grid, values) =
            tokio::join!(store.grid(&charted, asked.range, COLUMNS), values::facets(store, Signal::Traces, of, asked.part(), &FACETS),);
        (Some(grid), values)
    }
}
