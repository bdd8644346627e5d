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
        "duration >= 1.5s duration<2us name~\"^GET \\d+\" name!~x attr.\"a key\":1 root:true has:link",
    ] {
        spans(text).unwrap_or_else(|e| panic!("{text}: {e}"));
    }
    Query::parse(Signal::Logs, "severity>=warn body:timeout trace:* level:error,fatal has:trace event:x message~a").unwrap();
}

#[test]
fn words_without_operator_are_joined_by_and_which_binds_closer_than_or() {
    assert_eq!(spans("a b OR c").unwrap().root.to_string(), "(a b) OR c");
    assert_eq!(spans("a OR b AND NOT c").unwrap().root.to_string(), "a OR (b NOT c)");
}

#[test]
fn durations_are_exact() {
    let nanos = |text: &str| match spans(text).unwrap().root {
        Node::Test(Test { operand: Operand::Nanos(values), .. }) => values,
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
    assert_eq!(error("has:log").0, 4);
    assert_eq!(error("severity:warn").0, 0);
    assert!(error("duration>1s,2s").2.contains("not a list"));
    assert!(error("\"a b\":c").2.contains("attr.\"a b\""));
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
            "(service|name|attr\\.[a-z.!=,\"]{1,4}|resource\\.a|span\\.\"[ -~]{1,4}\"|x\\.y|attr\\.\"[ -~]{1,3}\")",
            "(:|=|!=|<|>=|~|!~)",
            "([a-z0-9*\\\\=(]{1,5}|\"[a-z *.\\\\]{0,4}\")(,[a-z*]{1,2})?"
        )
            .prop_map(|(field, operator, value)| format!("{field}{operator}{value}")),
        Just("duration>=1.5s".to_owned()),
        Just("kind:server,client".to_owned()),
        Just("status!=ok".to_owned()),
        Just("severity>=warn".to_owned()),
        Just("root:false".to_owned()),
        Just("trace:00000000000000000000000000000001".to_owned()),
        Just("parent:*".to_owned()),
    ]
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
