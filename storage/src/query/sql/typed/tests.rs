use super::*;

fn rewritten(condition: &str) -> String {
    let mut expr = Parser::new(&GenericDialect {}).try_with_sql(condition).unwrap().parse_expr().unwrap();
    let _ = expr.visit(&mut Typing::default());
    expr.to_string()
}

#[test]
fn what_needs_numbers_reads_them_and_everything_else_stays() {
    let number = "number(attributes['k'])";
    for written in
        ["1 - attributes['k']", "avg(attributes['k'])", "attributes['k'] + 1 > 3", "Max(attributes['k']) > 1", "-attributes['k'] < 5"]
    {
        assert_eq!(rewritten(written), written.replace("attributes['k']", number));
    }
    for (written, is) in [
        ("k + 1", "number(k) + 1"),
        ("a.k / 2 > duration", "number(a.k) / 2 > duration"),
        ("sum(k)", "sum(number(k))"),
        ("avg(a.k) OVER ()", "avg(number(a.k)) OVER ()"),
        ("sum(CASE WHEN a THEN k ELSE 0 END)", "sum(number(CASE WHEN a THEN k ELSE 0 END))"),
    ] {
        assert_eq!(rewritten(written), is);
    }
    for same in [
        "attributes['k'] = 5",
        "attributes['k'] > 'a'",
        "attributes['k'] IN (1, 'x')",
        "count(attributes['k'])",
        "max(k)",
        "duration * 2 > 5",
        "sum(duration / 1000)",
        "now() - INTERVAL '1 hour'",
        "CAST(attributes['k'] AS BIGINT) + 5",
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
        ["start_time > 5", "start_time > duration", "duration > now()", "start_time - 5 > end_time", "to_timestamp(duration) < now()"]
    {
        assert_eq!(rewritten(same), same);
    }
}

#[test]
fn times_are_moments_where_moments_are_computed() {
    for (written, is) in [
        ("date_bin(INTERVAL '1 minute', s.time)", "date_bin(INTERVAL '1 minute', to_timestamp_nanos(s.time))"),
        ("date_trunc('hour', min(start_time))", "date_trunc('hour', to_timestamp_nanos(min(start_time)))"),
        ("EXTRACT(MINUTE FROM end_time)", "EXTRACT(MINUTE FROM to_timestamp_nanos(end_time))"),
        ("CAST(time AS TIMESTAMP)", "CAST(to_timestamp_nanos(time) AS TIMESTAMP)"),
        (
            "end_time < p.start_time + INTERVAL '1 s'",
            "end_time < CAST(CAST(to_timestamp_nanos(p.start_time) + INTERVAL '1 s' AS TIMESTAMP) AS BIGINT)",
        ),
    ] {
        assert_eq!(rewritten(written), is);
    }
    for same in ["CAST(time AS DOUBLE)", "time + 5", "date_trunc('hour', now())", "CAST(body AS DATE)"] {
        assert_eq!(rewritten(same), same);
    }
}
