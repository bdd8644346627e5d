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
