//! What filters say about the rows that are wanted. It only chooses what is read: DataFusion applies filters again to every row.

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};

use super::super::predicate::{Hints, Prune, Shown};
use super::typed::{NUMBER, ORDER};
use crate::model::{TimeRange, TraceId, UnixNanos};
use crate::schema;
use crate::store::Signal;

/// What filters say about the rows that are wanted.
#[derive(Debug)]
pub(super) struct Bounds {
    signal: Signal,
    pub(super) range: TimeRange,
    pub(super) hints: Hints,
    /// Columns of texts and words, each with what it is.
    pub(super) texts: Vec<(String, String)>,
    /// Whether the order of stored numbers is the order of times.
    signed: bool,
}

impl Bounds {
    /// What all of these filters say together.
    pub(super) fn of(signal: Signal, signed: bool, filters: &[Expr]) -> Self {
        let mut bounds = Self { signal, range: TimeRange::ALL, hints: Hints::default(), texts: Vec::new(), signed };
        filters.iter().for_each(|filter| bounds.narrow(filter));
        bounds
    }

    fn narrow(&mut self, filter: &Expr) {
        self.attribute(filter);
        match filter {
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
                self.narrow(left);
                self.narrow(right);
            }
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => match (left.as_ref(), right.as_ref()) {
                (Expr::Column(column), Expr::Literal(value, _)) => self.compare(column.name(), *op, value),
                (Expr::Literal(value, _), Expr::Column(column)) => {
                    if let Some(op) = op.swap() {
                        self.compare(column.name(), op, value);
                    }
                }
                _ => {}
            },
            Expr::Between(between) if !between.negated => {
                if let (Expr::Column(column), Expr::Literal(low, _), Expr::Literal(high, _)) =
                    (between.expr.as_ref(), between.low.as_ref(), between.high.as_ref())
                {
                    self.compare(column.name(), Operator::GtEq, low);
                    self.compare(column.name(), Operator::LtEq, high);
                }
            }
            _ => {}
        }
    }

    /// Takes in what a filter says about attributes.
    fn attribute(&mut self, filter: &Expr) {
        // Both sides of an `AND` come by themselves.
        if !matches!(filter, Expr::BinaryExpr(BinaryExpr { op: Operator::And, .. })) {
            let prune = shown(filter, 0).unwrap_or_default();
            self.hints.attributes = std::mem::take(&mut self.hints.attributes).both(prune);
        }
    }

    fn compare(&mut self, name: &str, op: Operator, value: &ScalarValue) {
        if name == schema::time_column(self.signal) {
            if let ScalarValue::Int64(Some(nanos)) = value
                && let Ok(nanos) = u64::try_from(*nanos)
            {
                self.time(op, UnixNanos::new(nanos));
            }
            return;
        }
        let (Operator::Eq, Some(Some(text))) = (op, value.try_as_str()) else { return };
        self.texts.push((name.to_owned(), text.to_owned()));
        match name {
            "service_name" => self.hints.services = Some(vec![text.to_owned()]),
            // Other forms of an id are never equal to the written one.
            "trace_id" => self.hints.traces = Some(text.parse::<TraceId>().into_iter().collect()),
            _ => {}
        }
    }

    fn time(&mut self, op: Operator, time: UnixNanos) {
        match op {
            Operator::Lt if self.signed => self.range.to = self.range.to.min(time),
            Operator::LtEq if self.signed => self.range.to = self.range.to.min(time.plus(1)),
            Operator::Gt | Operator::GtEq => self.range.from = self.range.from.max(time),
            Operator::Eq => self.range = TimeRange { from: time, to: time.plus(1) },
            _ => {}
        }
    }
}

/// `OR`s in `OR`s deeper than this are not looked into.
const MAX_DEPTH: usize = 64;

/// What attributes a row has for which a filter is true; `None` when it says nothing of them.
fn shown(filter: &Expr, depth: usize) -> Option<Prune> {
    match filter {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) if depth < MAX_DEPTH => {
            Some(shown(left, depth + 1)?.either(shown(right, depth + 1)?))
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) if depth < MAX_DEPTH => {
            match (shown(left, depth + 1), shown(right, depth + 1)) {
                (Some(left), Some(right)) => Some(left.both(right)),
                (left, right) => left.or(right),
            }
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let sides = [(left, right), (right, left)];
            let (side, other) = sides.into_iter().find(|(side, _)| attribute(uncast(side)).is_some())?;
            let exact = attribute(bare(side)).filter(|_| *op == Operator::Eq).zip(text(other));
            if let Some((attribute, text)) = exact {
                return Some(one_of(attribute, Some(vec![text])));
            }
            // A missing attribute compares as neither true nor false.
            Some(one_of(attribute(uncast(side))?, None)).filter(|_| compares(*op) && matches!(uncast(other), Expr::Literal(..)))
        }
        Expr::InList(list) if !list.negated => {
            let texts = list.list.iter().map(text).collect::<Option<Vec<_>>>()?;
            Some(one_of(attribute(bare(&list.expr))?, Some(texts)))
        }
        Expr::IsNotNull(inner) => Some(one_of(attribute(bare(inner))?, None)),
        Expr::Like(like) => Some(one_of(attribute(bare(&like.expr))?, None)),
        _ => None,
    }
}

fn compares(op: Operator) -> bool {
    use Operator::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq)
}

fn one_of((of_resource, key): (bool, String), texts: Option<Vec<String>>) -> Prune {
    Prune::Shown(Shown { of_resource, key, texts })
}

/// Whose attribute it is that an expression names, and its key.
fn attribute(expr: &Expr) -> Option<(bool, String)> {
    let Expr::ScalarFunction(function) = expr else { return None };
    let [Expr::Column(column), key] = function.args.as_slice() else { return None };
    let of_resource = match column.name() {
        "attributes" => false,
        "resource" => true,
        _ => return None,
    };
    (function.name() == "get_field").then_some(())?;
    Some((of_resource, text(key)?))
}

fn text(expr: &Expr) -> Option<String> {
    let Expr::Literal(value, _) = bare(expr) else { return None };
    value.try_as_str().flatten().map(str::to_owned)
}

/// Without changes of type, all of which leave what is not there as it is.
fn uncast(expr: &Expr) -> &Expr {
    match expr {
        Expr::Alias(alias) => uncast(&alias.expr),
        Expr::Cast(cast) => uncast(&cast.expr),
        Expr::TryCast(cast) => uncast(&cast.expr),
        // So is it left by what reads a number or compares it, and by what turns one value into NULL.
        Expr::ScalarFunction(function) if ["nullif", NUMBER, ORDER].contains(&function.name()) => {
            function.args.first().map_or(expr, uncast)
        }
        other => other,
    }
}

/// Without changes from one type of text to another.
fn bare(expr: &Expr) -> &Expr {
    match expr {
        Expr::Alias(alias) => bare(&alias.expr),
        Expr::Cast(cast) if is_text(cast.field.data_type()) => bare(&cast.expr),
        other => other,
    }
}

fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

#[cfg(test)]
mod tests {
    use datafusion::functions::core::expr_fn::{get_field, nullif};
    use datafusion::logical_expr::{cast, col, lit, try_cast};

    use super::*;

    fn prune(filter: Expr) -> Prune {
        Bounds::of(Signal::Traces, true, &[filter]).hints.attributes
    }

    fn is(of_resource: bool, texts: Option<&[&str]>) -> Prune {
        let texts = texts.map(|texts| texts.iter().map(|text| (*text).to_owned()).collect());
        one_of((of_resource, "k".to_owned()), texts)
    }

    #[test]
    fn comparisons_say_which_attributes_a_row_has() {
        let k = || get_field(col("attributes"), "k");
        let of_resource = || get_field(col("resource"), "k");
        assert_eq!(prune(k().eq(lit("a"))), is(false, Some(&["a"])));
        assert_eq!(prune(lit("a").eq(cast(of_resource(), DataType::Utf8View))), is(true, Some(&["a"])));
        assert_eq!(prune(k().in_list(vec![lit("a"), lit("b")], false)), is(false, Some(&["a", "b"])));
        assert_eq!(prune(k().not_eq(lit("a"))), is(false, None));
        assert_eq!(prune(cast(k(), DataType::Int64).eq(lit(7_i64))), is(false, None));
        assert_eq!(prune(cast(cast(k(), DataType::Int64), DataType::Utf8).eq(lit("7"))), is(false, None));
        let number = nullif(try_cast(k(), DataType::Float64), lit(f64::NAN));
        assert_eq!(prune(number.clone().gt(lit(7.0))), is(false, None));
        assert_eq!(prune(number.gt(col("duration"))), Prune::Anything);
        let number = super::super::typed::number_function().call(vec![k()]);
        assert_eq!(prune(number.gt(lit(7.0))), is(false, None));
        assert_eq!(prune(k().is_not_null()), is(false, None));
        assert_eq!(prune(k().eq(lit("a")).or(of_resource().eq(lit("b")))), is(false, Some(&["a"])).either(is(true, Some(&["b"]))));
        assert_eq!(prune(k().eq(lit("a")).and(of_resource().eq(lit("b")))), is(false, Some(&["a"])).both(is(true, Some(&["b"]))));
    }

    #[test]
    fn what_may_hold_without_the_attribute_says_nothing() {
        let k = || get_field(col("attributes"), "k");
        let name = || col("name").eq(lit("x"));
        for filter in [k().is_null(), k().eq(lit("a")).or(name()), name(), k().in_list(vec![lit("a")], true), !k().eq(lit("a"))] {
            assert_eq!(prune(filter.clone()), Prune::Anything, "{filter}");
        }
    }
}
