use proptest::prelude::*;

use super::*;

fn spans(text: &str) -> Result<Query, ParseError> {
    Query::parse(Signal::Traces, text)
}

fn error(text: &str) -> (usize, usize, String) {
    let error = spans(text).expect_err(text);
    (error.offset, error.length, error.message)
}

#[test]
fn every_form_of_condition_is_understood() {
    for text in [
        "",
        "*",
        "service:checkout name:\"POST /pay\" duration>500ms status:error kind:server",
        "attr.http.response.status_code>=500 resource.k8s.pod.name:api-*",
        "trace:4bf92f3577b34da6a3ce929d0e0e4736 span:00f067aa0ba902b7 event:exception exception.type:X",
        "-service:health NOT (name:a OR name:b) AND \"free text\" word",
        "service:a,b http.route:/x/{id} db.system.name=mysql attr.x:*",
        "scope.name:otel-* scope.version:2 scope.x:1 scope.\"name\":y event.name:retry event.attempt>2 link.trace_id:* link.kind:follows",
        "duration:100ms..1s,5s.. attr.x:1..2,..-5 has:attr.x,link has:attr.\"a b\",event.\"name\" -has:http.route case:Timeout case:\"Card De\",X* conn* *-7",
        "duration >= 1.5s duration<2us name~\"^GET \\d+\" name!~x attr.\"a key\":1 root:true has:link",
    ] {
        spans(text).unwrap_or_else(|e| panic!("{text}: {e}"));
    }
    Query::parse(Signal::Logs, "severity>=warn body:timeout trace:* level:error,fatal has:trace event:x message~a").unwrap();
    Query::parse(Signal::Logs, "severity:warn..fatal severity.text:WARN* log.severity:..9 log.x:1 event.name:y event.z:1").unwrap();
}

#[test]
fn words_without_operator_are_joined_by_and_which_binds_closer_than_or() {
    assert_eq!(spans("a b OR c").unwrap().root.to_string(), "(a b) OR c");
    assert_eq!(spans("a OR b AND NOT c").unwrap().root.to_string(), "a OR (b NOT c)");
}

#[test]
fn durations_are_exact() {
    let nanos = |text: &str| match spans(text).unwrap().root {
        Node::Test(Test { operand: Operand::Nanos(values), .. }) => {
            values.into_iter().map(|reach| if let Reach::At(value) = reach { value } else { panic!("{reach:?}") }).collect::<Vec<_>>()
        }
        other => panic!("{other}"),
    };
    assert_eq!(nanos("duration>1.5s"), [1_500_000_000]);
    assert_eq!(nanos("duration:100ms,2us,.5µs,3ns"), [100_000_000, 2_000, 500, 3]);
    assert_eq!(nanos("duration<1h"), [3_600_000_000_000]);
}

#[test]
fn errors_point_at_the_characters_that_are_wrong() {
    assert_eq!(
        error("service:a durration>5ms"),
        (10, 9, "spans have no field `durration`; for an attribute write attr.durration".to_owned())
    );
    assert!(error("minDuration=1s").2.contains("those that take a second or more are duration>=1s"), "{}", error("minDuration=1s").2);
    assert_eq!(error("error=true").2, "spans have no field `error`; failed ones are status:error; for an attribute write attr.error");
    assert_eq!(spans("durration>5ms").unwrap_err().suggestions, ["duration"]);
    assert_eq!(error("duration>5").0, 9);
    assert_eq!(error("status:bad").0, 7);
    assert_eq!(spans("status:eror").unwrap_err().suggestions, ["error"]);
    assert_eq!(error("name:\"abc"), (5, 1, "this quote is never closed".to_owned()));
    assert_eq!(error("a (b"), (2, 1, "this parenthesis is never closed".to_owned()));
    assert_eq!(error("a) b"), (1, 1, "this parenthesis was never opened".to_owned()));
    assert_eq!(error("a AND"), (5, 0, "a condition is missing at the end".to_owned()));
    assert_eq!(error("name:"), (5, 0, "a value is missing after `:`".to_owned()));
    assert_eq!(error("a OR OR b").0, 5);
    assert_eq!(error("name:a trace:12").0, 13);
    assert_eq!(error("name~\"a(\"").0, 5);
    assert_eq!(error("has:event,log").0, 10);
    assert_eq!(error("severity:warn").0, 0);
    assert_eq!(error("duration:1..2s"), (9, 5, "`1` is not a duration; write it like 1.5s, 100ms or 2us".to_owned()));
    assert_eq!(spans("has:lnk").unwrap_err().suggestions, ["link"]);
    assert_eq!(error("has:a").2, "`has` is one of event, link, exception, parent, peer, log or a field such as attr.a, not `a`");
    for (signal, written, meant) in [
        (Signal::Traces, "{ status = error && .http.route = \"/a, b\" }", Some("status = error http.route = \"/a, b\"")),
        (Signal::Traces, "{resource.service.name=\"a\" || duration>1s}", Some("resource.service.name=\"a\" OR duration>1s")),
        (Signal::Traces, "{status=error} | count() > 2", None),
        (Signal::Logs, "{service_name=\"a\"} |= \"declined\" != \"x y\"", Some("service=\"a\" \"declined\" -\"x y\"")),
        (Signal::Logs, "{service_name=~\"a|b\"} |~ \"d+\"", Some("service~\"a|b\" body~\"d+\"")),
    ] {
        let error = Query::parse(signal, written).unwrap_err();
        assert!(error.message.starts_with("braces belong to TraceQL"), "{error:?}");
        assert_eq!(error.suggestions.first().map(String::as_str), meant, "{written}");
    }
    assert_eq!(spans("has:lgo").unwrap_err().suggestions, ["log"]);
    let swapped = |right: &str| format!("this range ends before it begins; write {right}");
    assert_eq!(error("duration:1s..100ms"), (9, 9, swapped("100ms..1s")));
    assert_eq!(error("attr.v:1..2,9..-1.5"), (12, 7, swapped("-1.5..9")));
    assert!(error("has:\"a b\"").2.contains("a field such as attr.key"));
    let quotes = "the ends of a range have no quotes; of texts write attr.v>=\"…\" attr.v<=\"…\"";
    assert_eq!(error("attr.v:\"5\"..\"6\" b"), (7, 8, quotes.to_owned()));
    assert_eq!(error("attr.v:5..\"6\""), (7, 6, quotes.to_owned()));
    assert_eq!(error("link.trace:xyz").0, 11);
    assert!(error("duration>1s,2s").2.contains("not a list"));
    assert!(error("\"a b\":c").2.contains("attr.\"a b\""));
}

#[test]
fn mistakes_of_other_languages_are_told_with_what_was_meant() {
    let told = |signal: Signal, text: &str| {
        let error = Query::parse(signal, text).expect_err(text);
        for meant in &error.suggestions {
            let (before, after) = (&text[..error.offset], &text[error.offset + error.length..]);
            let mended = format!("{before}{meant}{after}");
            let is_whole = Asked::parse(&mended).is_ok_and(|asked| matches!(asked, Asked::Trace(_)));
            assert!(is_whole || Query::parse(signal, &mended).is_ok(), "{mended} is not understood either");
        }
        (error.offset, error.length, error.suggestions.join(" or "))
    };
    for (text, offset, length, meant) in [
        ("a status == error", 2, 15, "status:error"),
        ("duration:>1s b", 0, 12, "duration>1s"),
        ("x.y:>=5", 0, 7, "x.y>=5"),
        ("a trace.duration:>1s", 2, 18, "trace.duration>1s"),
        ("count(status:error):>=5 b", 0, 23, "count(status:error)>=5"),
        ("trace.spans == 7", 0, 16, "trace.spans:7"),
        ("attr.\"a b\"=!=x", 0, 14, "attr.\"a b\"!=x"),
        ("duration > = 1s", 0, 15, "duration>=1s"),
        ("kind<>server", 0, 12, "kind!=server"),
        ("status:500 a", 0, 10, "http.response.status_code:500"),
        ("status>=400", 0, 11, "http.response.status_code>=400"),
        ("status:404,5000", 7, 3, ""),
        ("status:5xx", 0, 10, "http.response.status_code:500..599"),
        ("a attr.n IN (1)", 2, 13, "attr.n:1"),
        ("attr.n not in('a b',2 , \"c\") x", 0, 28, "-attr.n:\"a b\",2,\"c\""),
        ("service NOT IN [a,'b c'] x", 0, 24, "-service:a,\"b c\""),
        ("a name LIKE '%pay.x%' b", 2, 19, "name~\"pay\\.x\""),
        ("status.message contains \"no route\"", 0, 34, "status.message~\"no route\""),
        ("a attributes[\"order.id\"]:7", 2, 22, "attr.order.id"),
        ("resource['a b']:*", 0, 15, "resource.\"a b\""),
        ("service:a or status:error", 10, 2, "OR"),
        ("a Or status:error", 2, 2, "OR"),
        ("status:error and timeout", 13, 3, "AND"),
        ("service:orders not status:error", 15, 3, "NOT"),
        ("a not -(b c)", 2, 3, "NOT"),
        ("status:error || duration>1s", 13, 2, "OR"),
        ("(a && b)", 3, 2, "AND"),
        ("service:a | count", 10, 1, ""),
        ("a !status:error", 2, 1, "-"),
        ("!(a b)", 0, 1, "-"),
        ("a level:error", 2, 11, "status:error or log:(level:error)"),
        ("severity>=warn", 0, 14, "log:(severity>=warn)"),
    ] {
        assert_eq!(told(Signal::Traces, text), (offset, length, meant.to_owned()), "{text}");
    }
    assert_eq!(told(Signal::Logs, "a status:error"), (2, 12, "severity:error".to_owned()));
    let logs = |text: &str| Query::parse(Signal::Logs, text).expect_err(text);
    assert!(logs("duration>1s").message.contains("spans do: search the traces"));
    assert_eq!((logs("a count(b)>2").offset, logs("a count(b)>2").length), (2, 5));
    assert!(logs("count(b)>2").message.contains("only be asked of traces"));
    // Words, and a group behind them.
    spans("logged in (status:error)").unwrap();
    for text in [
        "not found",
        "service:a not found",
        "refused or reset",
        "or",
        "status:error \"a or b\"",
        "status:error \\or \\|| x",
        "a ! b !! c",
        "it contains \"x\"",
        "tags[0] a[\"b\"]",
    ] {
        let understood = spans(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(spans(&understood.root.to_string()), Ok(understood), "{text}");
    }
    // In quotes, and with a backslash, such values can be asked for.
    spans("x.y:\">=5\" x.y:\\=5 x.y~=a").unwrap();
}

#[test]
fn whole_traces_are_asked_for_beside_spans() {
    let written = |text: &str| match Asked::parse(text).unwrap_or_else(|e| panic!("{text}: {e}")) {
        Asked::Trace(node) => node.to_string(),
        Asked::Rows(query) => panic!("{text} asks for rows: {}", query.root),
    };
    for (text, canonical) in [
        ("service:a status:error log:(x)", "trace:(service:a status:error) log:(x)"),
        ("trace:(service:a)trace:(service:b)", "trace:(service:a) trace:(service:b)"),
        ("(service:a)>>(name:b) > log:(c)", "((service:a) >> (name:b)) > log:(c)"),
        ("(a) ~ ((b) < (c))", "(a) ~ ((b) < (c))"),
        ("NOT (a) !<< root:(b c)", "NOT ((a) !<< (root:true b c))"),
        ("count((a) >> (b))>=2 OR x", "count((a) >> (b))>=2 OR trace:(x)"),
        ("count(log:(a)):1..3,7 trace.duration:1s..", "count(log:(a)):1..3,7 trace.duration:1000000000ns.."),
        ("-has:log a", "NOT log:(*) trace:(a)"),
        ("trace.errors != 0", "trace.errors!=0"),
    ] {
        assert_eq!(written(text), canonical);
        assert_eq!(Asked::parse(canonical), Asked::parse(text), "{text}");
    }
    // What looks alike and asks for spans.
    for text in ["trace:*", "counts", "\"count\" (a)", "trace.other:1", "log.body:1", "root:true", "(a) -b", "attr.trace.duration>1"] {
        assert!(matches!(Asked::parse(text), Ok(Asked::Rows(_))), "{text}");
    }
}

#[test]
fn mistakes_about_whole_traces_are_pointed_at() {
    let error = |text: &str| {
        let error = Asked::parse(text).expect_err(text);
        assert!(text.get(error.offset..error.offset + error.length).is_some(), "{error:?}");
        (error.offset, error.message)
    };
    assert_eq!(error("name:x >> (b)").0, 7);
    assert!(error("name:x >> (b)").1.contains("in parentheses"));
    assert_eq!(error("(a) >> name:b").0, 7);
    assert_eq!(error("(trace.spans>1) > (b)").0, 0);
    assert_eq!(error("trace:(a log:(b))").0, 0);
    assert_eq!(error("log:(trace:(a))").0, 5);
    assert_eq!(error("log:(name:a)").0, 5);
    assert_eq!(error("count(a)").0, 8);
    assert_eq!(error("count(a)>x").0, 9);
    assert_eq!(error("trace.duration>5").0, 15);
    assert_eq!(error("trace.spans>1,2").0, 12);
    assert_eq!(error("trace:(a").0, 6);
    assert!(error(&"trace:(a) ".repeat(40)).1.contains("at most 32"));
    assert!(error(&"count(".repeat(100)).1.contains("at most 64 deep"));
    let logs = |text: &str| Query::parse(Signal::Logs, text).expect_err(text);
    assert_eq!(logs("a trace:(b)").offset, 2);
    assert_eq!(logs("(a) >> (b)").offset, 4);
    assert!(spans("trace:(a)").unwrap_err().message.contains("whole traces"));
}

#[test]
fn counting_rows_of_whole_traces_counts_those_that_decide() {
    let rows = |text: &str| {
        let (query, note) = Query::rows(Signal::Traces, text).unwrap();
        (query.root.to_string(), note.is_some())
    };
    assert_eq!(rows("a b"), ("a b".to_owned(), false));
    assert_eq!(rows("(a) > (b c)"), ("b c".to_owned(), true));
    assert_eq!(rows("a OR trace.spans>1"), ("*".to_owned(), true));
    assert_eq!(rows("log:(a) b"), ("*".to_owned(), true));
    assert!(!rows("trace:(a b)").1 && !rows("root:(a)").1, "each of these spans is of a trace that is found");
}

#[test]
fn every_bound_is_held() {
    assert!(error(&"x".repeat(70_000)).2.contains("65536 bytes"));
    assert!(error(&"(".repeat(60_000)).2.contains("at most 64 deep"));
    assert!(error(&"-".repeat(60_000)).2.contains("at most 64 deep"));
    assert!(error(&"a OR ".repeat(300)).2.contains("256 values"));
    assert!(error(&format!("name:{}z", "a,".repeat(300))).2.contains("256 values"));
    assert!(error(&"name~a ".repeat(21)).2.contains("20 regular expressions"));
    for bomb in ["a{10000}{10000}", "(((\\pL{100}){100}){100})", "[", "(?<=a)b", "\\p{Nope}"] {
        let (offset, ..) = error(&format!("name~\"{bomb}\""));
        assert_eq!(offset, 5, "{bomb}");
    }
    spans("name~\"(a+)+$\" name~\"(.*)*x\"").unwrap();
}

fn fragment() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{1,6}",
        "\"[ a-z\\\\\"\\n*éß]{0,6}\"".prop_map(|text| {
            let inner = text.get(1..text.len() - 1).unwrap();
            format!("\"{}\"", inner.replace('\\', "\\\\").replace('"', "\\\""))
        }),
        Just("AND".to_owned()),
        Just("OR".to_owned()),
        Just("NOT".to_owned()),
        Just("-".to_owned()),
        Just("(".to_owned()),
        Just(")".to_owned()),
        (
            "(service|name|attr\\.[a-z.!=,\"]{1,4}|resource\\.a|scope\\.(name|x|\"name\")|event\\.(name|x|\"name\")|link\\.(y|\"span\")|span\\.\"[ -~]{1,4}\"|x\\.y|attr\\.\"[ -~]{1,3}\")",
            "(:|=|!=|<|>=|~|!~)",
            "([a-z0-9*\\\\=(]{1,5}|\"[a-z *.\\\\]{0,4}\")(,[a-z*]{1,2})?"
        )
            .prop_map(|(field, operator, value)| format!("{field}{operator}{value}")),
        Just("duration>=1.5s".to_owned()),
        Just("duration:1ms..2ms,..1us,3h..".to_owned()),
        Just("attr.x:1..2,-5..".to_owned()),
        Just("severity:warn..17,unknown".to_owned()),
        Just("has:attr.x,event".to_owned()),
        Just("link.trace:*".to_owned()),
        Just("trace:(a OR b.c:d)".to_owned()),
        Just("log:(severity>warn x*)".to_owned()),
        Just("(a)!>>(log:(b) ~ (c))".to_owned()),
        Just("count(root:(a))!=2,3".to_owned()),
        Just("trace.duration<1s".to_owned()),
        "[a-z]{0,2}\\*{1,2}[a-z]{0,2}(\\*-[a-z])?".prop_map(|text| text),
        "case:(\"[a-z B]{1,4}\"|[a-zB*]{1,4}(,[aB])?)".prop_map(|text| text),
        Just("kind:server,client".to_owned()),
        Just("status!=ok".to_owned()),
        Just("severity>=warn".to_owned()),
        Just("root:false".to_owned()),
        Just("trace:00000000000000000000000000000001".to_owned()),
        Just("parent:*".to_owned()),
    ]
}

#[test]
fn an_attribute_of_the_name_of_a_field_stays_one_when_it_is_written() {
    let query = Query::parse(Signal::Logs, "event.\"name\":x").unwrap();
    assert_eq!(query.root.to_string(), "event.\"name\":x");
    assert_eq!(Query::parse(Signal::Logs, "event.name:x").unwrap().root.to_string(), "event:x");
}

#[test]
fn a_query_names_the_fields_it_compares() {
    let query = Query::parse(Signal::Traces, "(service:a OR -attr.x:1) duration>1s \"free text\" service:b").unwrap();
    assert_eq!(query.fields(), ["attr.x", "duration", "service"]);
}

proptest! {
    #[test]
    fn any_text_is_answered_without_panic(text in "\\PC{0,60}") {
        for signal in [Signal::Traces, Signal::Logs] {
            if let Err(error) = Query::parse(signal, &text) {
                prop_assert!(text.get(error.offset..error.offset + error.length).is_some(), "{error:?}");
            }
        }
    }

    #[test]
    fn the_written_tree_reads_equal(parts in prop::collection::vec(fragment(), 1..8), logs in any::<bool>()) {
        let signal = if logs { Signal::Logs } else { Signal::Traces };
        let text = parts.join(" ");
        if let (Signal::Traces, Ok(Asked::Trace(node))) = (signal, Asked::parse(&text)) {
            let written = node.to_string();
            let again = Asked::parse(&written).map_err(|e| TestCaseError::fail(format!("{text} => {written}: {e}")))?;
            prop_assert_eq!(again, Asked::Trace(node), "{}", written);
        }
        match Query::parse(signal, &text) {
            Ok(query) => {
                let written = query.root.to_string();
                let again = Query::parse(signal, &written).map_err(|e| TestCaseError::fail(format!("{text} => {written}: {e}")))?;
                prop_assert_eq!(again, query, "{}", written);
            }
            Err(error) => prop_assert!(text.get(error.offset..error.offset + error.length).is_some(), "{error:?}"),
        }
    }
}

#[test]
fn what_was_accepted_before_means_what_it_meant() {
    for text in [
        "service:a or status:error",
        "service:a not status:error || x",
        "service:a !x",
        "name contains \"x\"",
        "service IN [a, b]",
        "attributes[\"k\"] x",
    ] {
        assert!(Query::parse(Signal::Traces, text).is_err(), "{text}");
        let kept = Query::parse_kept(Signal::Traces, text).unwrap();
        assert!(matches!(&kept.root, Node::And(nodes) if nodes.len() > 2 || text.contains('!')), "{}", kept.root);
    }
    let kept = Query::parse_kept(Signal::Traces, "service:a or status:error").unwrap();
    assert_eq!(kept.root.to_string(), "service:a \\or status:error");
    assert_eq!(Query::parse(Signal::Traces, &kept.root.to_string()), Ok(kept));
}
