//! The list of single spans.

use super::*;
use crate::harness::requests;

#[tokio::test(flavor = "multi_thread")]
async fn spans_are_listed_newest_first_as_their_trace_has_them() {
    let app = App::filled().await;
    let found = app.json("/api/v1/spans").await;
    let listed = found["spans"].as_array().unwrap();
    let names: Vec<_> = listed.iter().map(|span| (span["service"].as_str().unwrap(), span["name"].as_str().unwrap())).collect();
    assert_eq!(names, [("payment", "charge"), ("checkout", "charge"), ("checkout", "POST /pay")]);
    assert_eq!((&found["next"], &found["stats"]["complete"]), (&AnyJson::Null, &json!(true)));
    let trace = app.json(&format!("/api/v1/traces/{TRACE}")).await;
    for span in listed {
        let in_trace = trace["spans"].as_array().unwrap().iter().find(|one| one["span_id"] == span["span_id"]).unwrap();
        let mut expected = in_trace.as_object().unwrap().clone();
        for (list, name) in [("resources", "resource"), ("scopes", "scope")] {
            let place = usize::try_from(in_trace[name].as_u64().unwrap()).unwrap();
            expected.insert(name.to_owned(), trace[list][place].clone());
        }
        expected.insert("trace_id".to_owned(), json!(TRACE));
        assert_eq!(span, &AnyJson::Object(expected));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_spans_join_to_the_whole_list_in_every_format() {
    let app = App::filled().await;
    // Two of each start.
    let all: Vec<_> = (1..=20).map(|number| (number, 100 + u64::from(number / 2), 1, number % 3 == 0)).collect();
    app.append(Signal::Traces, requests(&all).encode_to_vec()).await;
    app.store().flush().await.unwrap();
    let whole = app.json("/api/v1/spans?q=name%3D%22POST%20%2Fpay%22").await["spans"].as_array().unwrap().clone();
    assert_eq!(whole.len(), 21);
    for format in ["json", "otlp", "csv"] {
        let mut ids = Vec::new();
        let mut cursor = String::new();
        loop {
            let url = format!("/api/v1/spans?operation=POST%20%2Fpay&limit=4&format={format}&cursor={cursor}");
            let answer = app.get(&url).await;
            let text = answer.text();
            assert_eq!(answer.status, StatusCode::OK, "{text}");
            let next = answer.header("x-throughline-next").to_owned();
            cursor = match format {
                "json" => {
                    let answer = answer.json();
                    ids.extend(answer["spans"].as_array().unwrap().iter().map(|span| span["trace_id"].as_str().unwrap().to_owned()));
                    answer["next"].as_str().unwrap_or_default().to_owned()
                }
                "otlp" => {
                    ids.extend(text.split("\"traceId\":\"").skip(1).map(|rest| rest[..32].to_owned()));
                    next
                }
                _ => {
                    assert_eq!(answer.header("x-throughline-complete"), "true");
                    assert_eq!(answer.header("x-throughline-truncated") == "true", !next.is_empty());
                    let lines = text.lines();
                    ids.extend(lines.skip(1).map(|line| line.split(',').nth(7).unwrap().to_owned()));
                    next
                }
            };
            if cursor.is_empty() {
                break;
            }
        }
        let expected: Vec<_> = whole.iter().map(|span| span["trace_id"].as_str().unwrap().to_owned()).collect();
        if format == "otlp" {
            // Grouped by resource and scope; a link names one of these traces too.
            let ids: BTreeSet<_> = ids.into_iter().collect();
            assert_eq!(ids, expected.into_iter().collect::<BTreeSet<_>>());
        } else {
            assert_eq!(ids, expected, "{format}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_spans_says_what_is_in_its_columns_and_refuses_what_is_of_traces() {
    let app = App::filled().await;
    let table = app.get("/api/v1/spans?format=csv&limit=1&service=checkout").await;
    let text = table.text();
    let head = "start_time,duration_ms,status,status_message,service,name,kind,trace_id,span_id,parent_span_id,attributes,resource";
    assert_eq!(text.lines().next(), Some(head));
    let line = format!("2027-01-15T07:59:31.000000000Z,5000,unset,,checkout,charge,client,{TRACE},00f067aa0ba902b7,eee19b7ec3c1b174,{{}},");
    assert!(text.lines().nth(1).unwrap().starts_with(&line), "{text}");
    for (wrong, code, says) in [
        ("q=trace.spans%3E3", "query_syntax", "whole traces"),
        ("q=trace:(status:error)&service=a", "query_syntax", "whole traces"),
        ("order=slowest", "unknown_parameter", "order"),
        ("limit=1001", "invalid_parameter", "1000"),
        ("format=xls", "invalid_parameter", "otlp"),
        ("cursor=0", "invalid_parameter", "cursor"),
    ] {
        let answer = app.get(&format!("/api/v1/spans?{wrong}")).await;
        let error = answer.json()["error"].clone();
        assert_eq!((answer.status, error["code"].as_str()), (StatusCode::BAD_REQUEST, Some(code)), "{wrong}: {error}");
        assert!(error["message"].as_str().unwrap().contains(says), "{wrong}: {error}");
    }
    let first = app.json("/api/v1/spans?limit=1").await["next"].as_str().unwrap().to_owned();
    let other = app.get(&format!("/api/v1/spans?limit=1&service=checkout&cursor={first}")).await;
    assert_eq!(other.status, StatusCode::BAD_REQUEST, "{}", other.text());
    let old = app.json("/api/v1/spans?from=now-1h&to=now-1m").await;
    assert_eq!(old["spans"], json!([]));
}
