//! The rows of an SQL answer in the order of one of its columns, as `sort=` of the address has it.

use std::cmp::Ordering;

use serde_json::Value;
use storage::SqlAnswer;

use super::{Head, is_number};

/// A column, counted from 0, and whether its greatest value comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sorting {
    column: usize,
    is_falling: bool,
}

/// What a value is sorted by. What is nothing comes last whichever way is asked for.
#[derive(Debug)]
enum Key {
    Whole(i128),
    Real(f64),
    Text(String),
    Nothing,
}

// === impl Sorting ===

impl Sorting {
    /// `3` for the third column, `-3` for the greatest first; nothing for what is no column of this answer.
    pub(crate) fn read(text: Option<&str>, answer: &SqlAnswer) -> Option<Self> {
        let text = text?;
        let (is_falling, number) = text.strip_prefix('-').map_or((false, text), |number| (true, number));
        let column = number.parse::<usize>().ok()?.checked_sub(1)?;
        (column < answer.columns.len()).then_some(Self { column, is_falling })
    }

    /// Sorts the rows; those that are equal stay in the order of the statement.
    pub(crate) fn sort(self, answer: &mut SqlAnswer) {
        let Some(column) = answer.columns.get(self.column) else { return };
        let is_number = is_number(&column.sql_type);
        let mut rows: Vec<_> =
            std::mem::take(&mut answer.rows).into_iter().map(|row| (Key::new(row.get(&column.name), is_number), row)).collect();
        rows.sort_by(|(one, _), (other, _)| match (one, other) {
            (Key::Nothing, _) | (_, Key::Nothing) => one.cmp(other),
            _ if self.is_falling => other.cmp(one),
            _ => one.cmp(other),
        });
        answer.rows = rows.into_iter().map(|(_, row)| row).collect();
    }

    /// Fills where the heads of a result lead: numbers begin with the greatest, a second time it is the other way around, and a third time as the
    /// statement has it. `at` makes the address of an order.
    pub(crate) fn head(sorting: Option<Self>, heads: &mut [Head], at: impl Fn(&str) -> String) {
        for (column, head) in heads.iter_mut().enumerate() {
            let first = Self { column, is_falling: head.is_number };
            let next = match sorting.filter(|sorting| sorting.column == column) {
                Some(sorting) => {
                    head.sorted = if sorting.is_falling { "descending" } else { "ascending" };
                    (sorting == first).then_some(Self { is_falling: !first.is_falling, ..first })
                }
                None => Some(first),
            };
            head.href = at(&next.map(Self::written).unwrap_or_default());
        }
    }

    /// As the address has it.
    pub(crate) fn written(self) -> String {
        format!("{}{}", if self.is_falling { "-" } else { "" }, self.column + 1)
    }
}

// === impl Key ===

impl Key {
    fn new(value: Option<&Value>, is_number: bool) -> Self {
        let text = match value {
            None | Some(Value::Null) => return Self::Nothing,
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        if !is_number {
            return Self::Text(text);
        }
        match (text.parse(), text.parse()) {
            (Ok(whole), _) => Self::Whole(whole),
            (_, Ok(real)) => Self::Real(real),
            _ => Self::Text(text),
        }
    }

    /// By what they are worth, then by their kind, so that any values have one order: whole numbers that only real ones cannot tell apart too.
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Whole(one), Self::Whole(two)) => one.cmp(two),
            (Self::Text(one), Self::Text(two)) => one.cmp(two),
            _ => {
                let worth = match (self.real(), other.real()) {
                    (Some(one), Some(two)) => one.total_cmp(&two),
                    _ => Ordering::Equal,
                };
                worth.then(self.rank().cmp(&other.rank()))
            }
        }
    }

    fn real(&self) -> Option<f64> {
        match self {
            Self::Whole(whole) => Some(*whole as f64),
            Self::Real(real) => Some(*real),
            Self::Text(_) | Self::Nothing => None,
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Whole(_) => 0,
            Self::Real(_) => 1,
            Self::Text(_) => 2,
            Self::Nothing => 3,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use storage::SqlColumn;

    use super::*;

    fn answer(sql_type: &str, values: &[Value]) -> SqlAnswer {
        let column = SqlColumn { name: "x".to_owned(), sql_type: sql_type.to_owned(), ..SqlColumn::default() };
        let row = |(place, value): (usize, &Value)| json!({ "x": value, "place": place }).as_object().unwrap().clone();
        SqlAnswer { columns: vec![column], rows: values.iter().enumerate().map(row).collect(), ..SqlAnswer::default() }
    }

    fn sorted(text: &str, sql_type: &str, values: &[Value]) -> Vec<Value> {
        let mut answer = answer(sql_type, values);
        Sorting::read(Some(text), &answer).unwrap().sort(&mut answer);
        answer.rows.iter().map(|row| row["x"].clone()).collect()
    }

    #[test]
    fn values_are_sorted_by_their_kind_and_nothing_is_last() {
        let wholes = [json!(10), json!(null), json!("9007199254740993"), json!(9), json!("9007199254740992")];
        let rising = [json!(9), json!(10), json!("9007199254740992"), json!("9007199254740993"), json!(null)];
        assert_eq!(sorted("1", "BIGINT", &wholes), rising);
        let falling = [json!("9007199254740993"), json!("9007199254740992"), json!(10), json!(9), json!(null)];
        assert_eq!(sorted("-1", "BIGINT", &wholes), falling);
        assert_eq!(
            sorted("1", "DOUBLE", &[json!(2.5), json!(10.0), json!("NaN"), json!(-1.5)]),
            [json!(-1.5), json!(2.5), json!(10.0), json!("NaN")]
        );
        let mixed = [json!(9_007_199_254_740_992.0), json!("9007199254740993"), json!("x"), json!("9007199254740992")];
        let ordered = [json!("9007199254740992"), json!("9007199254740993"), json!(9_007_199_254_740_992.0), json!("x")];
        assert_eq!(sorted("1", "DECIMAL", &mixed), ordered);
        assert_eq!(sorted("1", "VARCHAR", &[json!("b"), json!("9"), json!("10")]), [json!("10"), json!("9"), json!("b")]);
    }

    #[test]
    fn equal_rows_keep_their_order_both_ways() {
        for text in ["1", "-1"] {
            let mut answer = answer("VARCHAR", &[json!("b"), json!("a"), json!("b"), json!("a")]);
            Sorting::read(Some(text), &answer).unwrap().sort(&mut answer);
            let places: Vec<u64> = answer.rows.iter().map(|row| row["place"].as_u64().unwrap()).collect();
            assert_eq!(places, if text == "1" { [1, 3, 0, 2] } else { [0, 2, 1, 3] });
        }
    }

    #[test]
    fn what_is_no_column_sorts_nothing() {
        let answer = answer("VARCHAR", &[]);
        for text in ["0", "-0", "2", "-2", "", "-", "x", "--1", "99999999999999999999"] {
            assert_eq!(Sorting::read(Some(text), &answer), None, "{text}");
        }
        assert_eq!(Sorting::read(None, &answer), None);
    }

    #[test]
    fn a_head_leads_to_its_order_then_back_and_then_to_that_of_the_statement() {
        let heads = || vec![Head { is_number: true, ..Head::default() }, Head::default()];
        let hrefs = |sorting| {
            let mut heads = heads();
            Sorting::head(sorting, &mut heads, str::to_owned);
            heads.into_iter().map(|head| (head.href, head.sorted)).collect::<Vec<_>>()
        };
        let told = |href: &str, sorted| (href.to_owned(), sorted);
        let by = |column, is_falling| Some(Sorting { column, is_falling });
        assert_eq!(hrefs(None), [told("-1", ""), told("2", "")]);
        assert_eq!(hrefs(by(0, true)), [told("1", "descending"), told("2", "")]);
        assert_eq!(hrefs(by(0, false)), [told("", "ascending"), told("2", "")]);
        assert_eq!(hrefs(by(1, false)), [told("-1", ""), told("-2", "ascending")]);
    }
}
