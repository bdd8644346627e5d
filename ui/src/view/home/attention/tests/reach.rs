//! Which requests a failure reaches, and where they are.

use super::*;

#[test]
fn requests_that_succeed_all_the_same_are_not_counted_as_failed() {
    let now = [service("front", 60, 5, 1), service("pricing", 60, 5, 1)];
    let failing = failed("front", "GET /quote", &[("front", 1), ("pricing", 2)]);
    let survived = TraceSummary { root_failed: false, ..failed("front", "GET /quote", &[("front", 0), ("pricing", 1)]) };
    let mut traces = vec![survived.clone(); 140];
    traces.extend(vec![failing; 5]);
    let items = told(Compared { now: &now, failed: &traces, ..Compared::default() });
    let all = evidence(&items[0]);
    assert!(all.contains("5 traces of front GET /quote") && all.contains("140 traces that succeeded all the same"), "{all}");
    let href = |text: &str| items[0].evidence.iter().find(|one| one.text.replace('\u{a0}', " ").contains(text)).unwrap().href.clone();
    let asked = |query: &str| Links::default().traces(query).href();
    let root = "root:(service:front name:\"GET /quote\" status:error)";
    assert_eq!(href("5 traces of"), asked(&format!("service:pricing status:error {root}")));
    assert_eq!(href("all the same"), asked("service:pricing status:error root:(-status:error)"));
    let items = told(Compared { now: &now, failed: &[survived], ..Compared::default() });
    assert!(evidence(&items[0]).contains("1 trace of front GET /quote"), "alone it is told: {}", evidence(&items[0]));
}

#[test]
fn where_another_failure_passes_through_the_same_service_the_traces_are_named() {
    let now = [service("edge", 60, 9, 1), service("booking", 60, 9, 1), service("pricing", 60, 6, 1)];
    let of = |origin: &str, through: &[&str]| TraceSummary {
        failure: Some(TraceFailure {
            service: origin.to_owned(),
            message: None,
            through: through.iter().map(|name| (*name).to_owned()).collect(),
        }),
        ..failed("edge", "GET /events", &[("edge", 1), ("booking", 1), ("pricing", 1)])
    };
    let (own, other) = (of("booking", &[]), of("pricing", &["booking"]));
    let traces = [own.clone(), other.clone(), other];
    let items = told(Compared { now: &now, failed: &traces, ..Compared::default() });
    let href = |service: &str| {
        let item = items.iter().find(|item| item.chip.name == service).unwrap();
        item.evidence.iter().find(|one| one.text.contains("of edge GET /events")).unwrap().href.clone()
    };
    assert_eq!(href("booking"), Links::default().traces(&format!("trace:{}", own.trace_id)).href());
    assert!(href("pricing").contains("service%3Apricing"), "{}", href("pricing"));
}
