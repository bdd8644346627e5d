//! As far in time as answers reach that name no window, and how long what they find can last.

use super::*;
use crate::harness::{logs, requests};

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_asked_for_by_its_id_is_found_at_any_time() {
    let app = App::empty().await;
    app.append(Signal::Traces, requests(&[(7, 3 * 3_600, 1, false)]).encode_to_vec()).await;
    let found = async |path: &str| app.json(path).await["traces"].as_array().unwrap().len();
    let id = "07".repeat(16);
    assert_eq!(found(&format!("/api/v1/traces?q=trace:{id}")).await, 1);
    assert_eq!(found(&format!("/api/v1/traces?q=trace:{id}&from=now-2h")).await, 0);
    assert_eq!(found(&format!("/api/v1/traces?q=-trace:{id}")).await, 0);
    assert_eq!(found(&format!("/api/v1/traces?q=trace:{id}%20OR%20service:checkout")).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_counted_of_a_trace_by_its_id_is_of_the_time_of_its_list() {
    let app = App::empty().await;
    app.append(Signal::Traces, requests(&[(7, 3 * 3_600, 1, false), (8, 5 * 3_600, 1, false)]).encode_to_vec()).await;
    app.append(Signal::Logs, logs().encode_to_vec()).await;
    let (seven, eight) = ("07".repeat(16), "08".repeat(16));
    let total = |bars: &AnyJson| -> u64 {
        let counts = bars["buckets"].as_array().unwrap().iter().flat_map(|bar| bar.as_object().unwrap().values());
        counts.filter_map(AnyJson::as_u64).sum()
    };
    let spans = app.json(&format!("/api/v1/traces/{seven}")).await["spans"].as_array().unwrap().len() as u64;
    for (query, spans) in [(format!("trace:{seven}"), spans), (format!("trace:{seven}%20OR%20trace:{eight}"), 2 * spans)] {
        for more in ["", "&buckets=7"] {
            let bars = app.json(&format!("/api/v1/traces/histogram?q={query}{more}")).await;
            assert_eq!(total(&bars), spans, "{query}{more}: {bars:#}");
            assert!(bars["buckets"].as_array().unwrap().len() <= 70);
        }
        let sums = app.json(&format!("/api/v1/aggregate?q={query}")).await;
        assert_eq!(sums["groups"][0]["parts"][0]["measured"][0], spans, "{sums:#}");
        assert_eq!(app.json(&format!("/api/v1/traces/facets?field=name&q={query}")).await["rows"], spans);
        assert_eq!(app.json(&format!("/api/v1/traces/fields?q={query}")).await["rows"], spans);
        assert_eq!(total(&app.json(&format!("/api/v1/traces/histogram?q={query}&from=now-2h")).await), 0);
    }
    let logs = app.json(&format!("/api/v1/logs?trace={TRACE}")).await["logs"].as_array().unwrap().len() as u64;
    assert_eq!((total(&app.json(&format!("/api/v1/logs/histogram?trace={TRACE}")).await), logs > 1), (logs, true));
    let absent = app.json(&format!("/api/v1/traces/histogram?q=trace:{}", "09".repeat(16))).await;
    assert_eq!(total(&absent), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_that_never_end_are_counted_by_steps_where_they_start() {
    let app = App::empty().await;
    let mut sent = requests(&[(7, 60, 1, false)]);
    let spans = &mut sent.resource_spans[0].scope_spans[0].spans;
    spans[0].end_time_unix_nano = u64::MAX;
    let count = spans.len() as u64;
    app.append(Signal::Traces, sent.encode_to_vec()).await;
    let of = |step: &str| format!("/api/v1/aggregate?q=trace:{}&step={step}", "07".repeat(16));
    let counted = async |path: &str| -> u64 {
        let sums = app.json(path).await;
        let parts = sums["groups"][0]["parts"].as_array().unwrap_or_else(|| panic!("{path}: {sums:#}"));
        parts.iter().filter_map(|part| part["measured"][0].as_u64()).sum()
    };
    assert_eq!((counted(&of("1m")).await, counted(&of("1h")).await), (count, count));
    // One clock was wrong: then a step is named that fits.
    let mut sent = requests(&[(7, 60, 1, false)]);
    sent.resource_spans[0].scope_spans[0].spans.truncate(1);
    let span = &mut sent.resource_spans[0].scope_spans[0].spans[0];
    (span.span_id, span.start_time_unix_nano, span.end_time_unix_nano) = (vec![9; 8], 1_000, 2_000);
    app.append(Signal::Traces, sent.encode_to_vec()).await;
    let refused = app.get(&of("1h")).await.json()["error"]["message"].as_str().unwrap().to_owned();
    let step = refused.split("a step of ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap_or_else(|| panic!("{refused}"));
    assert_eq!(counted(&of(step)).await, count + 1, "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_span_of_centuries_lasts_equally_long_everywhere() {
    let app = App::empty().await;
    let mut sent = requests(&[(7, 60, 1, false)]);
    for span in &mut sent.resource_spans[0].scope_spans[0].spans {
        span.end_time_unix_nano = u64::MAX;
    }
    app.append(Signal::Traces, sent.encode_to_vec()).await;
    let (id, longest) = ("07".repeat(16), i64::MAX.to_string());
    let listed = app.json("/api/v1/traces?order=slowest").await;
    assert_eq!(listed["traces"][0]["duration"], longest.as_str(), "{listed:#}");
    let trace = app.json(&format!("/api/v1/traces/{id}")).await;
    assert_eq!((&trace["duration"], &trace["spans"][0]["duration"]), (&json!(longest), &json!(longest)), "{trace:#}");
    assert_eq!(trace["spans"][0]["end"], u64::MAX.to_string().as_str());
    let table = app.json("/api/v1/sql?query=SELECT%20max(duration)%20AS%20d%20FROM%20spans").await;
    assert_eq!(table["rows"][0]["d"].to_string().trim_matches('"'), longest, "{table:#}");
    let sums = app.json("/api/v1/aggregate?measure=max").await;
    assert_eq!(sums["groups"][0]["parts"][0]["measured"][0], longest.as_str(), "{sums:#}");
    for field in ["duration", "trace.duration"] {
        let found = app.json(&format!("/api/v1/traces?q={field}:{longest}ns")).await;
        assert_eq!(found["traces"].as_array().unwrap().len(), 1, "{field}: {found:#}");
    }
}
