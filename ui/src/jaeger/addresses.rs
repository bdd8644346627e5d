//! Addresses of Jaeger's pages: links to them in tickets and runbooks lead to the pages here that answer the same.

use axum::response::{IntoResponse as _, Redirect, Response};

use super::find;
use crate::error::Failure;
use crate::pages::Visit;
use crate::params::{Params, encoded};

/// `/search?service=&operation=&tags=&minDuration=&maxDuration=&start=&end=&lookback=&traceID=`, of which only what leads to a list is read.
///
/// # Errors
/// When a parameter has no meaning; the search without it would find something else.
pub(crate) async fn search(visit: Visit) -> Result<Response, Failure> {
    let params = &without_all(&visit.params);
    let named = params.all("traceID").take(MAX_TRACES).map(find::trace_id).collect::<Result<Vec<_>, _>>()?;
    if let [trace] = named.as_slice() {
        return Ok(Redirect::to(&visit.links().trace(trace).href()).into_response());
    }
    if !named.is_empty() {
        let ids: Vec<String> = named.iter().map(ToString::to_string).collect();
        let address = visit.links().plain("/traces").with("q", &format!("trace:{}", ids.join(","))).with("from", "0");
        return Ok(Redirect::to(&address.href()).into_response());
    }
    let query = find::query(params)?;
    let mut address = visit.links().plain("/traces").with("q", &query);
    let (start, end) = find::window(params)?;
    match (start, end, params.get("lookback").filter(|back| is_span_of_time(back))) {
        // Addresses that are shared have a start that was right when they were made.
        (Some(start), Some(end), _) => address = address.with("from", &start.get().to_string()).with("to", &end.get().to_string()),
        (_, _, Some(back)) => address = address.with("from", &format!("now-{back}")),
        _ => {}
    }
    Ok(Redirect::to(&address.href()).into_response())
}

/// `/dependencies`
pub(crate) async fn dependencies(visit: Visit) -> Response {
    Redirect::to(&visit.links().plain("/map").href()).into_response()
}

/// The form says `all` where it asks for no service or operation in particular.
fn without_all(params: &Params) -> Params {
    let is_asked = |(name, value): &(&str, &str)| !matches!((*name, *value), ("service" | "operation", "all"));
    let asked = params.pairs().filter(is_asked).map(|(name, value)| format!("{}={}", encoded(name), encoded(value)));
    Params::parse(&asked.collect::<Vec<_>>().join("&"))
}

/// `1h`, `2d`; others, such as `custom`, say that start and end do.
fn is_span_of_time(text: &str) -> bool {
    let (number, unit) = text.split_at(text.len().saturating_sub(text.ends_with(['m', 'h', 'd']).into()));
    !unit.is_empty() && (1..=4).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// Traces of one address.
const MAX_TRACES: usize = 20;

#[cfg(test)]
mod tests {
    use crate::harness::App;

    #[tokio::test(flavor = "multi_thread")]
    async fn addresses_of_jaegers_pages_lead_to_what_they_show() {
        let app = App::filled().await;
        for (asked, to) in [
            ("/search", "/traces"),
            ("/dependencies", "/map"),
            ("/search?traceID=5b8efff798038103d269b633813fc60c", "/trace/5b8efff798038103d269b633813fc60c"),
            ("/search?traceID=1&traceID=2", "/traces?q=trace%3A00000000000000000000000000000001%2C00000000000000000000000000000002&from=0"),
            ("/search?service=all&operation=all&lookback=custom&limit=20", "/traces"),
            (
                "/search?service=checkout&operation=POST%20%2Fpay&minDuration=1.2ms&lookback=2d&limit=20",
                "/traces?q=service%3D%22checkout%22%20name%3D%22POST%20%2Fpay%22%20duration%3E%3D1200000ns&from=now-2d",
            ),
            (
                "/search?service=checkout&lookback=1h&start=1700000000000000&end=1700000000000001&tags=%7B%22error%22%3A%22true%22%7D",
                "status%3Aerror",
            ),
        ] {
            let answer = app.get(asked).await;
            let location = answer.header("location").to_owned();
            let is_so = if to.starts_with('/') { location == to } else { location.contains(to) };
            assert!(is_so && answer.status == http::StatusCode::SEE_OTHER, "{asked}: {location}");
            assert_eq!(app.get(&location).await.status, http::StatusCode::OK, "{location}");
        }
        let answer = app.get("/search?minDuration=long").await;
        assert_eq!(answer.status, http::StatusCode::BAD_REQUEST);
    }
}
