//! Functions of attributes as keys of subqueries and joins.

use super::*;

#[tokio::test]
async fn functions_of_attributes_are_keys_whatever_their_table_is_called() {
    let mut wrong = Vec::new();
    for (from, count) in [
        ("spans WHERE lower(K) IN (SELECT lower(b.K) FROM spans b)", 100),
        ("spans s WHERE lower(s.K) IN (SELECT lower(b.K) FROM spans b)", 100),
        ("spans s WHERE lower(s.K) NOT IN (SELECT lower(K) FROM spans)", 0),
        ("spans s WHERE upper(s.K) NOT IN (SELECT b.K FROM spans b)", 100),
        ("spans s WHERE concat(s.K, s.name) IN (SELECT '/payx')", 100),
        ("spans s WHERE s.K || 'x' IN (SELECT concat(b.K, b.name) FROM spans b)", 100),
        ("(SELECT * FROM spans) s WHERE coalesce(s.K, 'x') IN (SELECT max(lower(b.K)) FROM spans b)", 100),
        ("spans s WHERE number(s.attributes['code']) + 1 IN (SELECT b.attributes['code'] FROM spans b)", 99),
        ("spans s WHERE EXISTS (SELECT 1 FROM spans b WHERE lower(b.K) = lower(s.K))", 100),
        ("spans s WHERE NOT EXISTS (SELECT 1 FROM spans b WHERE upper(b.K) = lower(s.K))", 100),
        ("spans s JOIN spans b ON lower(s.K) = lower(b.K) AND s.duration = b.duration", 100),
        ("spans s, spans b WHERE lower(s.K) = lower(b.K) AND b.duration < 3", 200),
        ("spans s LEFT JOIN (SELECT DISTINCT lower(K) AS k FROM spans) b ON lower(s.K) = b.k", 100),
        ("logs l JOIN spans s ON lower(l.resource['service.name']) = lower(s.resource['service.name'])", 25),
    ] {
        let sql = format!("SELECT count(*) AS n FROM {}", from.replace('K', "attributes['http.route']"));
        let found = ask(&sql).await.map_or_else(|error| error.to_string(), |answer| answer.rows[0]["n"].to_string());
        if found != count.to_string() {
            wrong.push(format!("{sql}: {found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn one_value_of_a_subquery_about_each_row_stands_beside_conditions_on_attributes() {
    let of_service = "(SELECT avg(b.duration) FROM spans b WHERE b.service_name = s.service_name)";
    let mut wrong = Vec::new();
    for (from, count) in [
        ("spans s WHERE s.attributes['code'] > 250 AND s.duration > ONE", 49),
        ("spans s WHERE s.duration > ONE AND s.attributes['code'] > 250", 49),
        ("spans s WHERE s.attributes['code'] = '260' AND s.duration > ONE", 1),
        ("spans s WHERE s.attributes['code'] IN ('260', '261') AND s.duration > ONE", 2),
        ("spans s WHERE s.attributes['absent'] IS NULL AND s.duration > ONE", 49),
        ("spans s WHERE lower(s.K) = '/pay' AND s.duration > ONE", 49),
        ("spans s WHERE lower(s.K) = '/pay' AND s.attributes['code'] > 250 AND s.duration > ONE", 49),
        ("spans s WHERE s.attributes['code'] > 250 OR s.duration > ONE", 50),
        (
            "spans s WHERE s.attributes['code'] > (SELECT avg(number(b.attributes['code'])) FROM spans b WHERE b.service_name = s.service_name)",
            49,
        ),
        ("(SELECT attributes['code'] AS code, * FROM spans) s WHERE s.code > 250 AND s.duration > ONE", 49),
        ("(SELECT *, lower(K) AS route FROM spans) s WHERE s.route = '/pay' AND s.attributes['code'] > 250 AND s.duration > ONE", 49),
        (
            "spans s JOIN logs l ON s.trace_id = l.trace_id WHERE s.attributes['code'] > 210 AND s.duration > (SELECT min(b.duration) FROM spans b WHERE b.service_name = s.service_name)",
            9,
        ),
        ("(SELECT ONE AS mean, s.duration FROM spans s WHERE s.attributes['code'] > 250) WHERE duration > mean", 49),
        ("(SELECT s.attributes['code'] AS code, ONE AS mean FROM spans s) WHERE code > 298 AND mean > 0", 2),
    ] {
        let sql = format!("SELECT count(*) AS n FROM {}", from.replace("ONE", of_service).replace('K', "attributes['http.route']"));
        let found = ask(&sql).await.map_or_else(|error| error.to_string(), |answer| answer.rows[0]["n"].to_string());
        if found != count.to_string() {
            wrong.push(format!("{sql}: {found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What the engine cannot do is said in words that lead on.
#[tokio::test]
async fn one_value_of_rows_that_share_an_attribute_is_refused_with_how_to_join_them() {
    for (beside, condition) in
        [("", "b.K = s.K"), ("s.attributes['code'] > 260 AND ", "b.K = s.K"), ("s.K = '/pay' AND ", "lower(b.K) = lower(s.K)")]
    {
        let sql =
            format!("SELECT count(*) AS n FROM spans s WHERE {beside}s.duration > (SELECT avg(b.duration) FROM spans b WHERE {condition})");
        let failure = ask(&sql.replace('K', "attributes['http.route']")).await.unwrap_err();
        assert!(matches!(&failure, QueryError::Invalid(told) if told == NOT_BY_ATTRIBUTE), "{sql}: {failure}");
    }
    let (_, advice) = NOT_BY_ATTRIBUTE.split_once("instead: ").unwrap();
    let answer = ask(&advice.replace("['k']", "['http.route']")).await.unwrap();
    assert_eq!(answer.rows.len(), 50, "what is advised works");
}
