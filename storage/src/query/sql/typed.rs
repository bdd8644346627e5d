//! Numbers and truth values among attributes, which SQL shows as texts.
//!
//! A statement is rewritten before it is planned, because the planner knows only the type of the map: it would read every text as a number
//! and fail on the first that is none. Of `attributes['k']` and `resource['k']`:
//!
//! - `= 5`, `IN (5, 0.5)`, `= true` compare with the text that such a value is shown as, which the indexes know too;
//! - other comparisons with something that is a number, arithmetic, and functions of numbers take what reads as a number;
//! - everything else keeps the text.
//!
//! Columns of times hold nanoseconds. Compared with a moment (`now() - INTERVAL '1 hour'`, `TIMESTAMP '…'`, `'2026-01-31T12:00:00Z'`) they are
//! compared with its nanoseconds, which the statistics of segments know.
//!
//! What is no number there is as good as missing: it is never an error, passes no comparison and is in no sum.

use std::ops::ControlFlow;

use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    AccessExpr, BinaryOperator, CastKind, DataType, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Select, SelectItem,
    Subscript, UnaryOperator, Value, VisitMut as _, VisitorMut, visit_expressions,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;

/// Functions of numbers; what they are called with is read as one.
const OF_NUMBERS: [&str; 27] = [
    "avg",
    "mean",
    "sum",
    "min",
    "max",
    "median",
    "stddev",
    "stddev_pop",
    "stddev_samp",
    "var",
    "var_pop",
    "var_samp",
    "var_sample",
    "var_population",
    "corr",
    "covar_pop",
    "covar_samp",
    "approx_median",
    "approx_percentile_cont",
    "percentile_cont",
    "abs",
    "ceil",
    "floor",
    "round",
    "trunc",
    "sqrt",
    "ln",
];
/// Columns that are numbers.
const NUMBERS: [&str; 8] = ["duration", "start_time", "end_time", "time", "observed_time", "record_id", "severity_number", "flags"];

/// Columns of times.
const TIMES: [&str; 4] = ["start_time", "end_time", "time", "observed_time"];

/// Functions that give moments.
const OF_MOMENTS: [&str; 10] = [
    "now",
    "current_timestamp",
    "current_date",
    "today",
    "date_trunc",
    "date_bin",
    "to_timestamp",
    "to_timestamp_seconds",
    "to_timestamp_millis",
    "to_date",
];

/// Rewrites a statement, or what it explains.
pub(super) fn rewrite(statement: &mut Statement) {
    match statement {
        Statement::Statement(statement) => {
            let _ = statement.visit(&mut Typing::default());
        }
        Statement::Explain(explain) => rewrite(&mut explain.statement),
        _ => {}
    }
}

#[derive(Default)]
struct Typing {
    /// Columns without a name that may change, as they were written, of each SELECT that is being visited.
    written: Vec<Vec<Option<String>>>,
}

impl VisitorMut for Typing {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        let written = |item: &SelectItem| match item {
            SelectItem::UnnamedExpr(expr) if has_attribute(expr) => Some(expr.to_string()),
            _ => None,
        };
        self.written.push(select.projection.iter().map(written).collect());
        ControlFlow::Continue(())
    }

    /// Columns are called as they were written.
    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        for (item, written) in select.projection.iter_mut().zip(self.written.pop().unwrap_or_default()) {
            if let (SelectItem::UnnamedExpr(expr), Some(written)) = (&*item, written)
                && expr.to_string() != written
            {
                *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias: Ident::with_quote('"', written) };
            }
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::BinaryOp { left, op, right } => {
                if is_comparison(op) {
                    moments(left, right);
                }
                binary(left, op, right);
            }
            Expr::UnaryOp { op: UnaryOperator::Minus | UnaryOperator::Plus, expr } => number(expr),
            Expr::Between { expr, low, high, .. } => {
                moments(expr, low);
                moments(expr, high);
                if is_attribute(expr) && (is_number(low) || is_number(high)) {
                    number(expr);
                } else if is_number(expr) {
                    number(low);
                    number(high);
                }
            }
            Expr::InList { expr, list, negated } if is_attribute(expr) && list.iter().all(|item| shown(item).is_some()) => {
                if *negated && list.iter().all(is_number) {
                    number(expr);
                } else {
                    list.iter_mut().for_each(text);
                }
            }
            Expr::IsTrue(inner) | Expr::IsFalse(inner) if is_attribute(inner) => {
                let truth = matches!(expr, Expr::IsTrue(_));
                let (Expr::IsTrue(inner) | Expr::IsFalse(inner)) = expr else { return ControlFlow::Continue(()) };
                replace(inner, if truth { "(x = 'true')" } else { "(x = 'true' OR x <> 'false')" });
            }
            Expr::Function(function) => of_numbers(&function.name.to_string(), &mut function.args),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

fn binary(left: &mut Expr, op: &mut BinaryOperator, right: &mut Expr) {
    use BinaryOperator::{Divide, Eq, Gt, GtEq, Lt, LtEq, Minus, Modulo, Multiply, NotEq, Plus};
    let (attribute, other) = if is_attribute(left) { (left, right) } else { (right, left) };
    if !is_attribute(attribute) {
        return;
    }
    match op {
        Plus | Minus | Multiply | Divide | Modulo => {
            number(attribute);
            number(other);
        }
        Eq if shown(other).is_some() => text(other),
        NotEq if truth(other).is_some() => {
            // What is no truth value is not another one.
            *op = Eq;
            let opposite = if truth(other) == Some(true) { "false" } else { "true" };
            *other = Expr::value(Value::SingleQuotedString(opposite.to_owned()));
        }
        Eq | NotEq | Lt | LtEq | Gt | GtEq if is_number(other) => number(attribute),
        _ => {}
    }
}

/// Makes a moment that a time is compared with the nanoseconds that times are kept as.
fn moments(one: &mut Expr, other: &mut Expr) {
    let (time, moment) = if is_time(one) { (one, other) } else { (other, one) };
    if is_time(time) && is_moment(moment) {
        replace(moment, "CAST(CAST(x AS TIMESTAMP) AS BIGINT)");
    }
}

fn is_comparison(op: &BinaryOperator) -> bool {
    use BinaryOperator::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq)
}

fn is_time(expr: &Expr) -> bool {
    match bare(expr) {
        Expr::Identifier(name) => is_one_of(name, &TIMES),
        Expr::CompoundIdentifier(names) => names.last().is_some_and(|name| is_one_of(name, &TIMES)),
        _ => false,
    }
}

/// Whether it is a moment, as far as can be seen.
fn is_moment(expr: &Expr) -> bool {
    match bare(expr) {
        Expr::TypedString { .. } => true,
        Expr::Value(value) => matches!(&value.value, Value::SingleQuotedString(text) if text.contains('-')),
        Expr::Cast { data_type, .. } => matches!(data_type, DataType::Timestamp(..) | DataType::Date),
        Expr::Function(function) => {
            let name = function.name.to_string();
            OF_MOMENTS.iter().any(|known| name.eq_ignore_ascii_case(known))
        }
        Expr::BinaryOp { left, op: BinaryOperator::Plus | BinaryOperator::Minus, right } => {
            is_moment(left) && matches!(bare(right), Expr::Interval(_))
        }
        _ => false,
    }
}

fn of_numbers(name: &str, args: &mut FunctionArguments) {
    let FunctionArguments::List(list) = args else { return };
    if !OF_NUMBERS.iter().any(|known| name.eq_ignore_ascii_case(known)) {
        return;
    }
    for arg in &mut list.args {
        if let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = arg {
            number(expr);
        }
    }
}

/// An attribute as the number that it reads as. What is none, and not-a-number itself, compares with nothing.
fn number(expr: &mut Expr) {
    if is_attribute(expr) {
        replace(expr, "nullif(TRY_CAST(x AS DOUBLE), CAST('NaN' AS DOUBLE))");
    }
}

/// A number or truth value as it is shown.
fn text(expr: &mut Expr) {
    if let Some(text) = shown(expr) {
        *expr = Expr::value(Value::SingleQuotedString(text));
    }
}

/// Puts an expression into another one, in place of `x`.
fn replace(expr: &mut Expr, around: &str) {
    let parsed = Parser::new(&GenericDialect {}).try_with_sql(around).and_then(|mut parser| parser.parse_expr());
    let Ok(mut around) = parsed else { return };
    let _ = around.visit(&mut Placing(expr));
    *expr = around;
}

/// Puts an expression in place of `x`.
struct Placing<'a>(&'a Expr);

impl VisitorMut for Placing<'_> {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if matches!(expr, Expr::Identifier(name) if name.value == "x") {
            *expr = self.0.clone();
        }
        ControlFlow::Continue(())
    }
}

/// Whether there is an attribute in it: nothing else is rewritten.
fn has_attribute(expr: &Expr) -> bool {
    let found = visit_expressions(expr, |expr| if is_attribute(expr) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) });
    found.is_break()
}

/// Whether it is `attributes['k']` or `resource['k']` of any table.
fn is_attribute(expr: &Expr) -> bool {
    let Expr::CompoundFieldAccess { root, access_chain } = bare(expr) else { return false };
    let name = match (access_chain.as_slice(), root.as_ref()) {
        ([.., AccessExpr::Dot(Expr::Identifier(name)), _], _) | ([_], Expr::Identifier(name)) => Some(name),
        ([_], Expr::CompoundIdentifier(names)) => names.last(),
        _ => None,
    };
    let is_key = |access: &AccessExpr| match access {
        AccessExpr::Subscript(Subscript::Index { index: Expr::Value(value) }) => matches!(value.value, Value::SingleQuotedString(_)),
        _ => false,
    };
    access_chain.last().is_some_and(is_key) && name.is_some_and(|name| is_one_of(name, &["attributes", "resource"]))
}

fn is_one_of(name: &Ident, names: &[&str]) -> bool {
    names.iter().any(|known| name.value.eq_ignore_ascii_case(known))
}

/// Whether it is a number, as far as can be seen.
fn is_number(expr: &Expr) -> bool {
    match bare(expr) {
        Expr::Value(value) => matches!(value.value, Value::Number(..)),
        Expr::UnaryOp { op: UnaryOperator::Minus | UnaryOperator::Plus, .. } => true,
        Expr::BinaryOp { op, .. } => {
            use BinaryOperator::{Divide, Minus, Modulo, Multiply, Plus};
            matches!(op, Plus | Minus | Multiply | Divide | Modulo)
        }
        Expr::Identifier(name) => is_one_of(name, &NUMBERS),
        Expr::CompoundIdentifier(names) => names.last().is_some_and(|name| is_one_of(name, &NUMBERS)),
        Expr::Cast { kind: CastKind::Cast | CastKind::TryCast | CastKind::DoubleColon, data_type, .. } => is_numeric(data_type),
        Expr::Function(function) => {
            let name = function.name.to_string();
            // `nullif` is what attributes become here.
            OF_NUMBERS.iter().chain(&["count", "nullif"]).any(|known| name.eq_ignore_ascii_case(known))
        }
        _ => false,
    }
}

fn is_numeric(data_type: &DataType) -> bool {
    let name = data_type.to_string().to_ascii_uppercase();
    ["INT", "BIGINT", "SMALLINT", "TINYINT", "DOUBLE", "FLOAT", "REAL", "DECIMAL", "NUMERIC"].iter().any(|known| name.starts_with(known))
}

/// How a number or truth value would be shown if it were an attribute.
fn shown(expr: &Expr) -> Option<String> {
    if let Some(truth) = truth(expr) {
        return Some(truth.to_string());
    }
    let (digits, is_negative) = match bare(expr) {
        Expr::Value(value) => (&value.value, false),
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => match bare(expr) {
            Expr::Value(value) => (&value.value, true),
            _ => return None,
        },
        _ => return None,
    };
    let Value::Number(digits, _) = digits else { return None };
    let digits = if is_negative { format!("-{digits}") } else { digits.clone() };
    match digits.parse::<i64>() {
        Ok(whole) => Some(whole.to_string()),
        // Minus zero is shown with its sign, and rare.
        Err(_) => digits.parse::<f64>().ok().filter(|number| number.is_finite()).map(|number| (number + 0.0).to_string()),
    }
}

fn truth(expr: &Expr) -> Option<bool> {
    match bare(expr) {
        Expr::Value(value) => match value.value {
            Value::Boolean(truth) => Some(truth),
            _ => None,
        },
        _ => None,
    }
}

/// Without parentheses.
fn bare(expr: &Expr) -> &Expr {
    match expr {
        Expr::Nested(inner) => bare(inner),
        other => other,
    }
}

#[cfg(test)]
mod tests;
