//! Which fields records have: of which type, in how many, and with which values most often.

use storage::{FieldCount, Fields};

use super::format;
use super::link::{Address, term};

/// One field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FieldRow {
    /// As the query language writes it.
    pub(crate) name: String,
    pub(crate) kind: &'static str,
    /// Records that have it, and their percentage.
    pub(crate) count: String,
    pub(crate) part: String,
    pub(crate) share: String,
    /// Only records that have it.
    pub(crate) href: String,
    /// The list with it as one more column, or without it when it is one; empty when it cannot be added.
    pub(crate) column: String,
    pub(crate) is_column: bool,
    /// Its most frequent values: text, count, and only records with it.
    pub(crate) values: Vec<(String, String, String)>,
}

/// Rows for `found`, with the values of each, in order. `page` is the list of records that `query` finds; `column` says for a key where it is
/// added or removed as a column, and whether it is one.
pub(crate) fn rows(
    found: &Fields,
    values: Vec<Vec<(String, u64)>>,
    (query, page): (&str, &Address),
    column: impl Fn(&str) -> (String, bool),
) -> Vec<FieldRow> {
    let row = |(field, values): (&FieldCount, Vec<(String, u64)>)| {
        let only = |condition: &str| page.clone().with("q", &super::facets::with(query, condition)).href();
        let value = |(value, count): &(String, u64)| (format::line(value, 60), format::count(*count), only(&term(&field.name, value)));
        let key = field.name.strip_prefix("attr.").or_else(|| field.name.strip_prefix("resource."));
        let (column, is_column) = key.filter(|key| !key.contains([',', '"'])).map(&column).unwrap_or_default();
        FieldRow {
            name: format::line(&field.name, 120),
            kind: field.kind,
            count: format::count(field.rows),
            part: format::percent(field.rows, found.rows),
            share: format::position(field.rows, found.rows),
            href: only(&format!("{}:*", field.name)),
            column,
            is_column,
            values: values.iter().map(value).collect(),
        }
    };
    found.fields.iter().take(MAX_ROWS).zip(values.into_iter().chain(std::iter::repeat(Vec::new()))).map(row).collect()
}

/// Fields that are listed.
pub(crate) const MAX_ROWS: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::link::Links;

    #[test]
    fn a_field_leads_to_its_records_its_values_and_a_column() {
        let field = |name: &str, rows| FieldCount { name: name.to_owned(), rows, kind: "text" };
        let found = Fields { fields: vec![field("attr.http.route", 5), field("body", 2)], rows: 10, ..Fields::default() };
        let rows = rows(&found, vec![vec![("/pay now".to_owned(), 3)]], ("severity>=warn", &Links::default().plain("/logs")), |key| {
            (format!("/logs?cols={key}"), true)
        });
        assert_eq!((rows[0].part.replace('\u{202f}', " "), rows[0].share.as_str()), ("50.0 %".to_owned(), "50"));
        assert_eq!(rows[0].href, "/logs?q=severity%3E%3Dwarn%20attr.http.route%3A%2A");
        assert_eq!(rows[0].values[0].2, "/logs?q=severity%3E%3Dwarn%20attr.http.route%3A%22%2Fpay%20now%22");
        assert_eq!((rows[0].column.as_str(), rows[1].column.as_str(), rows[1].values.len()), ("/logs?cols=http.route", "", 0));
    }
}
