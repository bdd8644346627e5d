//! Completion of a statement: names of tables, of columns, and of attributes between brackets.

use storage::{FieldCount, SqlColumn};

use super::{Choice, Completion};
use crate::view::format;

/// Tables and their columns, as the store gives them.
pub(crate) type Tables = Vec<(&'static str, Vec<(SqlColumn, bool)>)>;

/// Options for the text before the caret. `keys` are the fields of spans and of log records.
pub(crate) fn sql(before: &str, tables: &Tables, [spans, records]: [&[FieldCount]; 2]) -> Completion {
    if let Some((head, column, prefix)) = key(before) {
        let of = |fields: &[FieldCount], noun: (&str, &str)| of_keys(fields, (head, column, prefix), noun);
        let mut found = of(spans, ("span", "spans"));
        for other in of(records, ("record", "records")) {
            match found.iter_mut().find(|known| known.before == other.before) {
                Some(known) => known.about = format!("{}, {}", known.about, other.about),
                None => found.push(other),
            }
        }
        return Completion::first(found.into_iter());
    }
    // Within a text nothing has a name.
    if before.matches('\'').count() % 2 == 1 {
        return Completion::default();
    }
    let start = before.rfind(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).map_or(0, |at| at + 1);
    let (head, prefix) = before.split_at_checked(start).unwrap_or((before, ""));
    let lower = prefix.to_ascii_lowercase();
    let last = head.split_whitespace().next_back().unwrap_or_default();
    let is_table = ["from", "join", "describe"].iter().any(|word| last.eq_ignore_ascii_case(word));
    let fits = |name: &str| name.starts_with(&lower) && name.len() > lower.len();
    let choice = |name: &str, about: String| Choice { before: format!("{head}{name}"), text: name.to_owned(), about };
    let names = tables.iter().filter(|(name, _)| fits(name)).map(|(name, _)| choice(name, "table".to_owned()));
    if is_table {
        return Completion::first(names);
    }
    if prefix.is_empty() {
        return Completion::default();
    }
    let mut found: Vec<Choice> = Vec::new();
    for (table, columns) in tables {
        for (column, _) in columns.iter().filter(|(column, _)| fits(&column.name)) {
            let about = format!("{} of {table}", column.sql_type);
            match found.iter_mut().find(|known| known.text == column.name) {
                Some(known) => known.about = format!("{}, {table}", known.about),
                None => found.push(choice(&column.name, about)),
            }
        }
    }
    Completion::first(found.into_iter().chain(names))
}

/// What is written of a key: the text before it, the column that holds it, and its beginning.
fn key(before: &str) -> Option<(&str, &str, &str)> {
    let at = before.rfind("['")? + 2;
    let (head, prefix) = before.split_at_checked(at)?;
    let column = head.get(..at - 2)?;
    let column = column.get(column.rfind(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).map_or(0, |at| at + 1)..)?;
    (!prefix.contains('\'')).then_some((head, column, prefix))
}

/// Keys that begin as written, then those that have it inside.
fn of_keys(fields: &[FieldCount], (head, column, prefix): (&str, &str, &str), noun: (&str, &str)) -> Vec<Choice> {
    let kind = match column {
        "attributes" => "attr.",
        "resource" => "resource.",
        _ => return Vec::new(),
    };
    let lower = prefix.to_lowercase();
    let known = fields.iter().filter_map(|field| Some((field.name.strip_prefix(kind)?.trim_matches('"'), field.rows)));
    let rank = |key: &str| match key.to_lowercase() {
        key if key.starts_with(&lower) => Some(0),
        key if key.contains(&lower) => Some(1),
        _ => None,
    };
    let mut fitting: Vec<(u8, &str, u64)> = known.filter_map(|(key, rows)| Some((rank(key)?, key, rows))).collect();
    fitting.sort_by_key(|(rank, ..)| *rank);
    let choice = |(_, key, rows): (u8, &str, u64)| Choice {
        before: format!("{head}{}']", key.replace('\'', "''")),
        text: format::line(key, 80),
        about: format::counted(rows, noun.0, noun.1),
    };
    fitting.into_iter().map(choice).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(before: &str) -> Vec<String> {
        let field = |name: &str, rows| FieldCount { name: name.to_owned(), rows, kind: "text" };
        let spans = [field("service", 9), field("attr.http.route", 5), field("attr.db.query.text", 3), field("resource.host.name", 9)];
        let records = [field("attr.http.route", 2)];
        let found = sql(before, &storage::sql_tables(), [&spans, &records]);
        found.options.into_iter().map(|one| format!("{} ({})", one.before, one.about)).collect()
    }

    #[test]
    fn tables_follow_from_and_columns_are_offered_as_they_are_written() {
        assert_eq!(offered("SELECT * FROM "), ["SELECT * FROM spans (table)", "SELECT * FROM logs (table)"]);
        assert_eq!(offered("SELECT * FROM spans JOIN lo"), ["SELECT * FROM spans JOIN logs (table)"]);
        let columns = offered("SELECT service_n");
        assert!(
            columns.len() == 1 && columns[0].starts_with("SELECT service_name (") && columns[0].contains("of spans, logs"),
            "{columns:?}"
        );
        assert!(offered("SELECT count(durat")[0].starts_with("SELECT count(duration ("));
        assert_eq!(offered("SELECT "), Vec::<String>::new());
        assert_eq!(offered("SELECT 'dura"), Vec::<String>::new(), "within a text");
    }

    #[test]
    fn keys_are_those_of_the_data() {
        let plain = |before| offered(before).into_iter().map(|one| one.replace('\u{a0}', " ")).collect::<Vec<_>>();
        assert_eq!(plain("SELECT attributes['http.r"), ["SELECT attributes['http.route'] (5 spans, 2 records)"]);
        assert_eq!(plain("SELECT attributes['rou"), ["SELECT attributes['http.route'] (5 spans, 2 records)"]);
        assert_eq!(plain("WHERE resource['"), ["WHERE resource['host.name'] (9 spans)"]);
        assert_eq!(plain("WHERE other['h"), Vec::<String>::new());
        assert!(plain("WHERE attributes['http.route'] = dura")[0].contains("duration"));
    }
}
