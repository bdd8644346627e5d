//! The query language in examples. A test runs all of them, and those of `docs/query.md`.

/// Queries for traces with what they find. All examples find something in the sample shop.
pub(super) const TRACES: [(&str, &str); 15] = [
    ("service:orders", "traces with a span of that service"),
    ("service:payment status:error", "both of one span: terms are joined by AND"),
    ("duration>500ms", "slow spans; ns, us, ms, s, m, h and d are understood"),
    ("duration:100ms..1s", "between the two, both included"),
    ("root:true duration>1s", "slow traces: their first span is so"),
    ("name:\"POST /api/checkout\"", "quotes around what has spaces"),
    ("name:POST*", "a star stands for any text"),
    ("name~\"^(GET|POST) \"", "a regular expression finds something"),
    ("attr.http.response.status_code>=500", "an attribute of the span"),
    ("resource.deployment.environment.name:demo", "an attribute of its resource"),
    ("http.route:/orders", "an attribute of the span, else of its resource"),
    ("event.exception.type:*Timeout*", "an attribute of one of its events; link. and scope. likewise"),
    ("has:attr.db.query.text", "spans with that attribute, whatever its value"),
    ("-attr.http.route:*", "spans without it"),
    ("(service:cart OR service:orders) -kind:internal", "OR, parentheses, and - or NOT to exclude"),
];

/// Queries for whole traces with what they find.
pub(super) const WHOLE: [(&str, &str); 12] = [
    ("trace:(service:cart) trace:(service:payment status:error)", "a span of one kind and a span of another in one trace"),
    ("service:orders NOT trace:(status:error)", "no span of the trace failed"),
    ("root:(name:\"POST /api/checkout\" duration>1s)", "its root span is so"),
    ("log:(severity>=warn) NOT trace:(status:error)", "a warning but no failed span"),
    ("service:payment has:log", "a span of that service, and log records anywhere in the trace"),
    ("(service:orders) > (service:payment)", "the right span is a child of the left one; < the other way round"),
    ("(http.route:/orders) >> log:(declined)", "a record below a span, at any depth; << the other way round"),
    ("(name:\"POST /stock/reserve\") ~ (name:*Charge)", "both have the same parent"),
    ("(service:orders) !>> (service:payment)", "a span of payment that is below no span of orders"),
    ("count(db.query.text:*)>=20", "so many spans; count(log:(…)) counts records"),
    ("trace.duration>2s trace.spans>30", "the whole trace: duration, spans, errors, services, logs"),
    ("(service:gateway) >> (service:payment) > log:(declined)", "from left to right"),
];

/// Queries for log records with what they find.
pub(super) const LOGS: [(&str, &str); 9] = [
    ("declined", "records whose text has that word, whatever its case"),
    ("\"payment declined\"", "records whose text has these words in a row"),
    ("decl*", "words that begin so; *ined and d*d likewise"),
    ("case:ORD*", "words that begin so in this very case"),
    ("body~\"[0-9]{4,} ms\"", "a regular expression"),
    ("severity>=warn", "warnings and worse"),
    ("severity:info..warn", "between the two, both included"),
    ("service:payment severity:error", "both"),
    ("has:trace", "records that belong to a trace"),
];

/// Fields with what they hold.
pub(super) const FIELDS: [(&str, &str); 18] = [
    ("service", "name of the service"),
    ("name, operation", "name of the span"),
    ("kind", "server, client, producer, consumer, internal"),
    ("status", "error, ok, unset"),
    ("status.message", "what a failed span says"),
    ("duration", "of the span"),
    ("root", "true for spans without parent"),
    ("trace, span, parent", "ids"),
    ("event, exception.type, exception.message", "of the events of a span; event is also the event name of a record"),
    ("link.trace, link.span", "ids that the links of a span name"),
    ("peer", "what the span calls"),
    ("severity, level, severity.text", "trace, debug, info, warn, error, fatal (logs)"),
    ("body, message", "text of a record (logs)"),
    ("scope.name, scope.version", "the instrumentation library"),
    ("attr.x, resource.x, scope.x", "any attribute of the record, of its resource, of its scope"),
    ("event.x, link.x", "any attribute of the events and links of a span"),
    ("a.x", "a name with a dot: an attribute of the record, else of its resource"),
    ("has", "event, link, exception, parent, peer, trace, or any field"),
];

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;
    use crate::harness::App;

    const DOCUMENT: &str = include_str!("../../../../docs/query.md");

    /// The lines of the blocks marked `kind`.
    fn examples(kind: &str) -> Vec<&'static str> {
        let mut blocks = DOCUMENT.split("```");
        let mut found = Vec::new();
        // What lies between the marks is every second piece.
        while let (Some(_), Some(block)) = (blocks.next(), blocks.next()) {
            if let Some(lines) = block.strip_prefix(kind).and_then(|rest| rest.strip_prefix('\n')) {
                found.extend(lines.lines().filter(|line| !line.is_empty()));
            }
        }
        found
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn every_example_is_answered() {
        let app = App::filled().await;
        let (traces, logs) = (examples("traces"), examples("logs"));
        assert!(traces.len() > 20 && logs.len() > 8, "the document has its examples");
        let traces = traces.into_iter().chain(TRACES.into_iter().chain(WHOLE).map(|(text, _)| text)).map(|text| ("traces", text));
        let logs = logs.into_iter().chain(LOGS.into_iter().map(|(text, _)| text)).map(|text| ("logs", text));
        for (signal, text) in traces.chain(logs) {
            let encoded: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
            let answer = app.get(&format!("/api/v1/{signal}?from=0&q={encoded}")).await;
            assert_eq!(answer.status, StatusCode::OK, "{text}: {}", answer.text());
        }
    }
}
