//! The questions, and what the sender knows of their answers.

use serde_json::Value as Json;
use shop::load::{Needle, Sought, SpanFact, Truth};
use ui::client::path;

use super::measured::{Asked, Question};

/// An answer that needs nothing.
pub(super) fn floor() -> Question {
    question("floor", vec![Asked { path: "/healthz".to_owned(), check: Box::new(|_| Ok(())) }])
}

/// Everything that can be asked of what was sent.
pub(super) fn all(truth: &Truth) -> Vec<Question> {
    let mut questions = Vec::new();
    if truth.spans > 0 {
        questions.extend(of_traces(truth));
        questions.extend(searches(truth));
        questions.extend(counted(truth));
    }
    if truth.logs > 0 {
        questions.extend(of_logs(truth));
        questions.push(sql("SELECT count(*) AS n FROM logs", truth.logs));
    }
    // A workload without late spans has nothing to be asked about them.
    questions.retain(|question| !question.asked.is_empty());
    questions
}

/// Log records with words that are looked for.
fn of_logs(truth: &Truth) -> Vec<Question> {
    let mut questions = Vec::new();
    for needle in &truth.needles {
        let title = if matches!(needle.sought, Sought::Word(_)) { "log word, " } else { "log " };
        let asked = path("/api/v1/logs", &[("q", &written(needle)), ("limit", "100"), ("from", FROM)]);
        questions.push(question(&format!("{title}{}", needle.name), vec![counts(asked, "logs", needle.logs.min(100))]));
    }
    let counted = |needle: &Needle| {
        let wanted = needle.logs;
        let query = written(needle);
        let asked = [("signal", "logs"), ("q", query.as_str()), ("measure", "count"), ("from", FROM)];
        let check = move |answer: &Json| match answer.pointer("/groups/0/parts/0/measured/0").and_then(Json::as_u64).unwrap_or(0) {
            found if found == wanted => Ok(()),
            found => Err(format!("{found} log records, {wanted} were sent")),
        };
        Asked { path: path("/api/v1/aggregate", &asked), check: Box::new(check) }
    };
    questions.push(question("log words, phrase and substring, counted", truth.needles.iter().map(counted).collect()));
    questions
}

/// What is looked for, as the query language has it.
fn written(needle: &Needle) -> String {
    match needle.sought {
        Sought::Word(text) => text.to_owned(),
        Sought::Phrase(text) => format!("\"{text}\""),
        Sought::Part(text) => format!("*{text}*"),
    }
}

fn of_traces(truth: &Truth) -> Vec<Question> {
    let by_id =
        |traces: &[(String, u64)]| traces.iter().map(|(id, spans)| counts(format!("/api/v1/traces/{id}"), "spans", *spans)).collect();
    let absent = |number: u64| Asked {
        path: format!("/api/v1/traces/{:032x}", (u128::from(number) << 64) | 0x00ab_5e17),
        check: Box::new(|answer: &Json| if answer.is_null() { Ok(()) } else { Err("it is there".to_owned()) }),
    };
    let services: Vec<String> = truth.services().into_iter().map(str::to_owned).collect();
    let lists = |names: Vec<String>, at: &'static str| {
        move |answer: &Json| {
            let listed: Vec<&str> =
                answer.get(at).and_then(Json::as_array).into_iter().flatten().filter_map(|entry| entry.get("name")?.as_str()).collect();
            let missing = names.iter().find(|name| !listed.contains(&name.as_str()));
            missing.map_or(Ok(()), |name| Err(format!("{name} is missing among {}", listed.len())))
        }
    };
    let list = Asked { path: path("/api/v1/services", &[("from", FROM)]), check: Box::new(lists(services.clone(), "services")) };
    let one = services.first().cloned().unwrap_or_default();
    let mut operations: Vec<String> = truth.facts().filter(|fact| fact.service == one).map(|fact| fact.name.clone()).collect();
    operations.sort_unstable();
    operations.dedup();
    let of_one = path(&format!("/api/v1/services/{one}/operations"), &[("from", FROM)]);
    let operations = Asked { path: of_one, check: Box::new(lists(operations, "operations")) };
    let map = |from| Asked { path: path("/api/v1/map", &[("from", from)]), check: Box::new(lists(services.clone(), "nodes")) };
    vec![
        question("trace by id", by_id(&truth.traces)),
        question("trace by id, a span came late", by_id(&truth.late_traces)),
        question("trace by id, absent", (1..=200).map(absent).collect()),
        question("service list", vec![list]),
        question("operations of a service", vec![operations]),
        question("service map", vec![map(FROM)]),
        question("service map, begins in the middle of what is stored", vec![map("now-30m")]),
        sql("SELECT count(*) AS n FROM spans", truth.spans),
    ]
}

/// Spans counted by what they have.
fn counted(truth: &Truth) -> Vec<Question> {
    let Some(some) = truth.facts().next() else { return Vec::new() };
    let has = |list: &'static str, name: &'static str, value: String, wanted: u64, count: &'static str| {
        move |answer: &Json| {
            let entries = answer.get(list).and_then(Json::as_array).into_iter().flatten();
            let found = entries.into_iter().find(|entry| entry.pointer(name).and_then(Json::as_str) == Some(&value));
            match found.and_then(|entry| entry.pointer(count)).and_then(Json::as_u64) {
                Some(found) if found == wanted => Ok(()),
                found => Err(format!("{found:?} spans have {value}, {wanted} were sent")),
            }
        }
    };
    let mut questions = Vec::new();
    if let Some((key, value)) = some.texts.iter().find(|(key, _)| *key == "http.route").or_else(|| some.texts.iter().next()) {
        let wanted = truth.spans_with(|fact| fact.texts.get(key) == Some(value));
        let values = path("/api/v1/traces/facets", &[("field", key), ("limit", "1000"), ("from", FROM)]);
        let check = Box::new(has("values", "/value", value.clone(), wanted, "/count"));
        questions.push(question("values of an attribute", vec![Asked { path: values, check }]));
    }
    let wanted = truth.spans_with(|fact| fact.service == some.service);
    let by_service = path("/api/v1/aggregate", &[("group_by", "service"), ("measure", "count,p99"), ("limit", "1000"), ("from", FROM)]);
    let check = Box::new(has("groups", "/values/0", some.service.clone(), wanted, "/parts/0/measured/0"));
    questions.push(question("spans and p99 by service", vec![Asked { path: by_service, check }]));
    questions
}

/// Searches for traces, each with how many there are.
fn searches(truth: &Truth) -> Vec<Question> {
    let Some(some) = truth.facts().nth(1_234).or_else(|| truth.facts().next()).cloned() else { return Vec::new() };
    let SpanFact { service, name, duration, .. } = &some;
    let mut questions = Vec::new();
    let mut search = |title: &str, query: String, matching: u64| {
        let asked = path("/api/v1/traces", &[("q", &query), ("limit", "20"), ("from", FROM)]);
        questions.push(question(title, vec![counts(asked, "traces", matching.min(20))]));
    };
    search("search: service", format!("service=\"{service}\""), truth.traces_with(|fact| fact.service == *service));
    search(
        "search: service, operation, duration",
        format!("service=\"{service}\" name=\"{name}\" duration>={duration}ns"),
        truth.traces_with(|fact| fact.service == *service && fact.name == *name && fact.duration >= *duration),
    );
    if let Some((key, value)) = some.texts.iter().find(|(_, value)| !value.contains(['"', '\\', '{'])) {
        let has = |fact: &SpanFact| fact.texts.get(key) == Some(value);
        search(
            "search: service, attribute",
            format!("service=\"{service}\" {key}=\"{value}\""),
            truth.traces_with(|fact| fact.service == *service && has(fact)),
        );
        search("search: attribute, any service", format!("{key}=\"{value}\""), truth.traces_with(has));
    }
    search(
        "search: service, errors",
        format!("service=\"{service}\" status=error"),
        truth.traces_with(|fact| fact.service == *service && fact.failed),
    );
    search("search: errors", "status=error".to_owned(), truth.traces_with(|fact| fact.failed));
    for needle in &truth.needles {
        let has = if matches!(needle.sought, Sought::Part(_)) { ":" } else { "=" };
        search(&format!("search: attribute value, {}", needle.name), format!("request.ref{has}{}", written(needle)), needle.spans);
    }
    questions
}

fn question(name: &str, asked: Vec<Asked>) -> Question {
    Question { name: name.to_owned(), asked }
}

/// An answer with so many entries in a list, none of them twice, and nothing left out.
fn counts(path: String, list: &'static str, wanted: u64) -> Asked {
    let check = move |answer: &Json| {
        let entries = answer.get(list).and_then(Json::as_array);
        let ids =
            |key: &str| entries.into_iter().flatten().filter_map(|entry| entry.get(key)?.as_str().map(str::to_owned)).collect::<Vec<_>>();
        let mut ids = match list {
            "traces" => ids("trace_id"),
            "spans" => ids("span_id"),
            _ => ids("record_id"),
        };
        ids.sort_unstable();
        if let Some(twice) = ids.windows(2).find(|pair| pair.first() == pair.last()) {
            return Err(format!("{twice:?}: an entry is there twice"));
        }
        let found = entries.map(|entries| entries.len() as u64);
        let complete = answer.get("complete").or_else(|| answer.pointer("/stats/complete")) != Some(&Json::Bool(false));
        match found {
            Some(found) if found == wanted && complete => Ok(()),
            Some(found) => Err(format!("{found} {list}, {wanted} were sent{}", if complete { "" } else { "; it is not complete" })),
            None => Err(format!("there are no {list}")),
        }
    };
    Asked { path, check: Box::new(check) }
}

fn sql(statement: &str, wanted: u64) -> Question {
    let check = move |answer: &Json| match answer.pointer("/rows/0/n").and_then(Json::as_u64) {
        Some(found) if found == wanted => Ok(()),
        found => Err(format!("{found:?} rows, {wanted} were sent")),
    };
    question(&format!("sql: {statement}"), vec![Asked { path: path("/api/v1/sql", &[("query", statement)]), check: Box::new(check) }])
}

/// Before everything that was sent.
const FROM: &str = "now-3h";
