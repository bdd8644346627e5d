use super::*;

fn rewritten(condition: &str) -> String {
    let mut expr = Parser::new(&GenericDialect {}).try_with_sql(condition).unwrap().parse_expr().unwrap();
    let _ = expr.visit(&mut Typing::default());
    expr.to_string()
}

#[test]
fn equality_compares_with_the_text_that_a_value_is_shown_as() {
    for (written, is) in [
        ("attributes['k'] = 500", "attributes['k'] = '500'"),
        ("-0.50 = s.resource['k']", "'-0.5' = s.resource['k']"),
        ("(attributes['k']) = 2.0", "(attributes['k']) = '2'"),
        ("attributes['k'] = -0", "attributes['k'] = '0'"),
        ("attributes['k'] = 9223372036854775807", "attributes['k'] = '9223372036854775807'"),
        ("attributes['k'] IN (1, 2.5)", "attributes['k'] IN ('1', '2.5')"),
        ("attributes['k'] = true", "attributes['k'] = 'true'"),
        ("attributes['k'] <> TRUE", "attributes['k'] = 'false'"),
        ("attributes['k'] IS TRUE", "(attributes['k'] = 'true') IS TRUE"),
    ] {
        assert_eq!(rewritten(written), is);
    }
}

#[test]
fn what_needs_numbers_reads_them_and_everything_else_stays() {
    let number = "nullif(TRY_CAST(attributes['k'] AS DOUBLE), CAST('NaN' AS DOUBLE))";
    for written in ["attributes['k'] > 5", "1 - attributes['k']", "avg(attributes['k'])", "attributes['k'] BETWEEN 1 AND 2.5"] {
        assert_eq!(rewritten(written), written.replace("attributes['k']", number));
    }
    for written in ["attributes['k'] < duration", "attributes['k'] NOT IN (1, 2)", "attributes['k'] + 1 > 3", "Max(attributes['k']) > 1"] {
        assert_eq!(rewritten(written), written.replace("attributes['k']", number));
    }
    for same in [
        "attributes['k'] = 'x'",
        "attributes['k'] > 'a'",
        "attributes['k'] = resource['k']",
        "count(attributes['k'])",
        "other['k'] > 5",
        "attributes['k'] IS NULL",
        "attributes['k'] IN (1, 'x')",
        "CAST(attributes['k'] AS BIGINT) > 5",
        "duration > 5",
    ] {
        assert_eq!(rewritten(same), same);
    }
}

#[test]
fn times_are_compared_with_the_nanoseconds_of_moments() {
    for (written, is) in [
        ("start_time > now()", "start_time > CAST(CAST(now() AS TIMESTAMP) AS BIGINT)"),
        ("now() - INTERVAL '1 hour' <= s.time", "CAST(CAST(now() - INTERVAL '1 hour' AS TIMESTAMP) AS BIGINT) <= s.time"),
        ("end_time < '2026-01-31'", "end_time < CAST(CAST('2026-01-31' AS TIMESTAMP) AS BIGINT)"),
    ] {
        assert_eq!(rewritten(written), is);
    }
    for same in
        ["start_time > 5", "start_time > duration", "duration > now()", "start_time - 5 > end_time", "to_timestamp(start_time) < now()"]
    {
        assert_eq!(rewritten(same), same);
    }
}
