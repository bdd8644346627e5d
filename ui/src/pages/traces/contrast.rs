//! `/traces/compare-groups`: a selection of spans against the rest, by the values of their fields.

use axum::response::Response;
use http::StatusCode;
use storage::{Facets, QueryError, Signal, Store, Survey, TimeRange};

use super::{DEFAULT_WINDOW, Selection, Visit, charted, html_with, with};
use crate::error::Failure;
use crate::view::contrast::{Contrast, Counted, is_same};
use crate::view::frame::Place;
use crate::view::search::Problem;
use crate::view::traces::ContrastPage;

mod calls;

/// `?q=&from=&to=` and `sel=`, a part of the heat map, or `with=`, a further condition.
pub(in crate::pages) async fn page(mut visit: Visit) -> Result<Response, Failure> {
    let window = visit.window(DEFAULT_WINDOW)?;
    let query = visit.params.get("q").unwrap_or_default().to_owned();
    let (range, clock) = (window.range, visit.clock());
    let selected = visit.params.get("sel").and_then(Selection::parse);
    let condition = selected.map_or_else(|| visit.params.get("with").unwrap_or("status:error").to_owned(), |part| part.condition());
    let part = selected.map_or(range, |selected| selected.range(range));
    let base = charted(&query);
    let mut page = ContrastPage {
        frame: visit.frame(Place::Traces, "Selection against the rest – Traces", Some(&window)),
        selection: selected.map_or_else(|| format!("Spans with {condition}"), |selected| selected.words(range, &clock)),
        back: visit.links().traces(&query).with("sel", visit.params.get("sel").unwrap_or_default()).href(),
        query: query.clone(),
        ..ContrastPage::default()
    };
    let groups = Groups { inner: with(&base, &condition), condition, part, base, range };
    let status = match fill(&mut page, &visit, &groups).await {
        Ok(()) => StatusCode::OK,
        Err(error) => {
            let failure = Failure::from(error);
            page.problem = Some(Problem::new(&failure, &groups.inner, |mended| visit.links().traces(mended).href()));
            failure.status
        }
    };
    Ok(html_with(status, &page))
}

/// Two searches of which the second holds the first.
struct Groups {
    inner: String,
    /// What the first has beyond the second.
    condition: String,
    part: TimeRange,
    base: String,
    range: TimeRange,
}

async fn fill(page: &mut ContrastPage, visit: &Visit, groups: &Groups) -> Result<(), QueryError> {
    let store = visit.state.store();
    let (inside, all) = tokio::join!(total(store, &groups.inner, groups.part), total(store, &groups.base, groups.range));
    let (inside, all) = (inside?, all?);
    let made_by = store.query_fields(Signal::Traces, &groups.condition).unwrap_or_default();
    let is_parted = inside > 0 && inside < all;
    let by_value = async { counted(store, groups, fields(store, groups, &made_by).await).await };
    let by_call = async { if is_parted { calls::told(visit, groups, &made_by).await } else { Default::default() } };
    let (counted, (numbers, calls)) = tokio::join!(by_value, by_call);
    (page.numbers, page.calls) = (numbers, calls);
    // Of numbers that are told by their medians single ones say nothing more.
    let counted = counted.into_iter().filter(|counted| !page.numbers.rows.iter().any(|row| row.field == counted.field));
    let (counted, identifying): (Vec<Counted>, Vec<Counted>) = counted.partition(|counted| !counted.is_identifying());
    let unlike = identifying.iter().map(|counted| counted.field.as_str()).filter(|field| !page.numbers.has_compared(field));
    let names = unlike.collect::<Vec<_>>().join(", ");
    if !names.is_empty() {
        page.left_out = format!("Left out, since no two spans of the selection share a value: {names}.");
    }
    page.fields = counted.iter().map(|counted| counted.field.as_str()).collect::<Vec<_>>().join(", ");
    page.contrast = Contrast::new(&counted, (inside, all.saturating_sub(inside)), &page.query, &visit.links());
    if inside == 0 {
        page.notes.push("Nothing is selected: no span matches.".to_owned());
    } else if all == inside {
        page.notes.push("Everything is selected: there is no rest to compare with.".to_owned());
    }
    Ok(())
}

type Found = Result<Facets, QueryError>;

/// Values of each field in both groups; without those of which one cannot be counted.
async fn counted(store: &Store, groups: &Groups, fields: Vec<String>) -> Vec<Counted> {
    let moment = &store.moment();
    let ask = |query: &str, range| {
        let fields = fields.iter().map(|field| (field.clone(), VALUES)).collect();
        store.survey_at(moment, Survey { signal: Signal::Traces, query: query.to_owned(), range, fields, columns: None })
    };
    let (inner, whole) = tokio::join!(ask(&groups.inner, groups.part), ask(&groups.base, groups.range));
    let (Ok(inner), Ok(whole)) = (inner, whole) else { return Vec::new() };
    let counted = |(field, (inner, whole)): (String, (Found, Found))| {
        let (inner, whole) = (inner.ok()?.values, whole.ok()?.values);
        let rest = whole.iter().map(|(value, count)| {
            let taken = inner.iter().find(|(known, _)| known == value).map_or(0, |(_, count)| *count);
            (value.clone(), count.saturating_sub(taken))
        });
        Some(Counted { rest: rest.collect(), selected: inner, field })
    };
    fields.into_iter().zip(inner.values.into_iter().zip(whole.values)).filter_map(counted).collect()
}

async fn total(store: &Store, query: &str, range: TimeRange) -> Result<u64, QueryError> {
    let counted = store.histogram(Signal::Traces, query, range, 1).await?;
    Ok(counted.buckets.iter().flat_map(|bucket| bucket.counts).sum())
}

/// Fields that the selection has and whose values can be shared, the most frequent first. Those that the selection was `made_by` would only
/// say so again.
async fn fields(store: &Store, groups: &Groups, made_by: &[String]) -> Vec<String> {
    let found = store.fields(Signal::Traces, &groups.inner, groups.part).await.unwrap_or_default();
    let is_new = |name: &String| !made_by.iter().any(|known| is_same(name, known));
    found.fields.into_iter().map(|field| field.name).filter(|name| is_shared(name) && is_new(name)).take(FIELDS).collect()
}

/// Whether spans can have the same value: neither ids nor durations.
fn is_shared(field: &str) -> bool {
    const UNIQUE: [&str; 6] = ["trace", "span", "parent", "duration", "resource.service.name", "trace_state"];
    !UNIQUE.contains(&field) && !field.starts_with("resource.telemetry.")
}

/// Fields that are compared.
const FIELDS: usize = 30;

/// Values per field.
const VALUES: usize = 40;

#[cfg(test)]
mod tests {
    use crate::harness::App;

    #[tokio::test(flavor = "multi_thread")]
    async fn what_the_selection_was_made_by_is_no_difference() {
        let app = App::filled().await;
        let page = app.get("/traces/compare-groups?q=&with=status%3Aerror&from=0").await.text();
        assert!(page.contains("Compared:") && !page.contains(">status</span>"), "{page}");
    }
}
