//! Statements of SQL and their answers.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn every_listed_column_can_be_selected() {
    let app = App::filled().await;
    let tables = app.json("/api/v1/tables").await;
    let tables = tables["tables"].as_array().unwrap();
    assert_eq!(tables.iter().map(|table| &table["name"]).collect::<Vec<_>>(), ["spans", "logs"]);
    for table in tables {
        let listed = table["columns"].as_array().unwrap().iter().map(|column| (&column["name"], &column["type"]));
        let names: Vec<_> = listed.clone().map(|(name, _)| name.as_str().unwrap()).collect();
        let sql = format!("SELECT {} FROM {} LIMIT 1", names.join(", "), table["name"].as_str().unwrap());
        let answer = app.call(Method::POST, "/api/v1/sql", "text/plain", &sql).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        let answer = answer.json();
        let columns: Vec<_> = answer["columns"].as_array().unwrap().iter().map(|column| (&column["name"], &column["type"])).collect();
        assert_eq!(listed.collect::<Vec<_>>(), columns);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_given_as_json_lines_or_tables() {
    let app = App::filled().await;
    let sql = "SELECT name FROM spans ORDER BY name LIMIT 2";
    let json = app.call(Method::POST, "/api/v1/sql", "application/json", &json!({ "query": sql, "max_rows": 1 }).to_string()).await;
    assert_eq!((json.json()["truncated"].as_bool(), json.json()["row_count"].as_u64()), (Some(true), Some(1)), "{}", json.text());
    let csv = app.call(Method::POST, "/api/v1/sql?format=csv", "text/plain", sql).await;
    assert_eq!((csv.header("content-type"), csv.text().as_str()), ("text/csv; charset=utf-8", "name\r\nPOST /pay\r\ncharge\r\n"));
    assert_eq!((csv.header("x-throughline-truncated"), csv.header("x-throughline-complete")), ("false", "true"));
    let lines = app.call(Method::POST, "/api/v1/sql?format=ndjson", "text/plain", sql).await;
    assert_eq!(lines.text(), "{\"name\":\"POST /pay\"}\n{\"name\":\"charge\"}\n");
    let form = app.call(Method::POST, "/api/v1/sql", "application/x-www-form-urlencoded", "query=SELECT+1+AS+one&format=ndjson").await;
    assert_eq!(form.text(), "{\"one\":1}\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_is_called_a_form_is_a_statement() {
    let app = App::filled().await;
    let ask = |body: &'static str| app.call(Method::POST, "/api/v1/sql?format=ndjson", "application/x-www-form-urlencoded", body);
    for statement in ["SELECT 2+1 AS three", "\nSELECT\n3 AS three", "SELECT%203%20AS%20three", "SELECT+3+AS+three"] {
        assert_eq!(ask(statement).await.text(), "{\"three\":3}\n", "{statement}");
    }
    // Signs that divide forms, and what would be encoded in one, are those of the statement.
    let divided = ask("SELECT 'a&b=%ff' AS text FROM spans WHERE 1=1 AND name='charge' LIMIT 1").await;
    assert_eq!(divided.text(), "{\"text\":\"a&b=%ff\"}\n");
    let form = ask("query=SELECT 3 AS three").await.json();
    assert_eq!(form["rows"][0]["three"], 3, "a form has all parameters: {form}");
    for wrong in ["querry=SELECT+1", "SELECT", "max_rows=1&a+b"] {
        let refused = ask(wrong).await;
        assert_eq!(
            (refused.status, refused.json()["error"]["code"].as_str()),
            (StatusCode::BAD_REQUEST, Some("unknown_parameter")),
            "{wrong}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_keep_the_order_of_the_select_and_mistakes_their_place() {
    let app = App::filled().await;
    let sql = "SELECT name AS zebra, 1 AS apple, service_name AS moose FROM spans ORDER BY name LIMIT 1";
    let lines = app.call(Method::POST, "/api/v1/sql?format=ndjson", "text/plain", sql).await.text();
    assert_eq!(lines, "{\"zebra\":\"POST /pay\",\"apple\":1,\"moose\":\"checkout\"}\n");
    let rows = app.call(Method::POST, "/api/v1/sql", "text/plain", sql).await.text();
    assert!(rows.contains(lines.trim()), "{rows}");
    let wrong = app.call(Method::POST, "/api/v1/sql", "text/plain", "SELECT 1,\n  naem FROM spans").await;
    let error = &wrong.json()["error"];
    assert_eq!(
        (wrong.status, &error["code"], &error["offset"], &error["length"], &error["suggestions"][0]),
        (StatusCode::BAD_REQUEST, &json!("query_syntax"), &json!(12), &json!(4), &json!("name")),
        "{error}"
    );
    assert_eq!(app.get("/api/v1/tables?x=1").await.status, StatusCode::BAD_REQUEST);
}
