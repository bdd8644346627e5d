//! Numbers, truth values and times among texts: what a statement means by comparing or computing with them.
//!
//! Attributes are shown as texts, and the planner would cast a text to the type of what stands beside it, and fail on the first that is
//! none. It is in two steps, because functions ask for types when they are planned, and everything else is known only afterwards:
//!
//! - Before planning, what arithmetic and functions of numbers are given is read as a number, where it may be a text (this module).
//! - After it, texts are compared with what they meet, by the types of columns (`meeting`).
//!
//! `reading` has what both make of a value. What is no number is as good as missing: it is never an error, passes no comparison and is in
//! no sum.
//!
//! Columns of times hold nanoseconds. Compared with a moment (`now() - INTERVAL '1 hour'`, `TIMESTAMP '…'`, `'2026-01-31T12:00:00Z'`) they are
//! compared with its nanoseconds, which the statistics of segments know.

use std::ops::ControlFlow;

use datafusion::logical_expr::ScalarUDF;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    AccessExpr, BinaryOperator, CastKind, DataType, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Select, SelectItem,
    Subscript, UnaryOperator, Value, VisitMut as _, VisitorMut, visit_expressions,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;

mod meeting;
mod reading;

pub(super) use self::meeting::rewrite as rewrite_plan;

/// The name of the function that reads a number.
pub(super) const NUMBER: &str = reading::Form::Number.name();

/// The function that reads a number.
pub(super) fn number_function() -> ScalarUDF {
    reading::Form::Number.function()
}

/// Functions of numbers; what they are called with is read as one.
const OF_NUMBERS: [&str; 35] = [
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
    "log",
    "log2",
    "log10",
    "exp",
    "power",
    "pow",
    "cbrt",
    "signum",
];

/// Those that are also of texts: there only an attribute is read.
const OF_BOTH: [&str; 2] = ["min", "max"];

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
    /// Columns without a name as they were written, of each SELECT that is being visited, and whether the plan may yet change them.
    written: Vec<Vec<Option<(String, bool)>>>,
}

impl VisitorMut for Typing {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        let written = |item: &SelectItem| match item {
            SelectItem::UnnamedExpr(expr) => Some((expr.to_string(), has_attribute(expr) && has_comparison(expr))),
            _ => None,
        };
        self.written.push(select.projection.iter().map(written).collect());
        ControlFlow::Continue(())
    }

    /// Columns are called as they were written.
    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        for (item, written) in select.projection.iter_mut().zip(self.written.pop().unwrap_or_default()) {
            if let (SelectItem::UnnamedExpr(expr), Some((written, may_change))) = (&*item, written)
                && (may_change || expr.to_string() != written)
            {
                *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias: Ident::with_quote('"', written) };
            }
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::BinaryOp { left, op, right } if is_comparison(op) => moments(left, right),
            Expr::BinaryOp { left, op, right } if is_arithmetic(op) => {
                number(left);
                number(right);
            }
            Expr::UnaryOp { op: UnaryOperator::Minus | UnaryOperator::Plus, expr } => number(expr),
            Expr::Between { expr, low, high, .. } => {
                moments(expr, low);
                moments(expr, high);
            }
            Expr::Function(function) => of_numbers(&function.name.to_string(), &mut function.args),
            _ => {}
        }
        ControlFlow::Continue(())
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

fn is_arithmetic(op: &BinaryOperator) -> bool {
    use BinaryOperator::{Divide, Minus, Modulo, Multiply, Plus};
    matches!(op, Plus | Minus | Multiply | Divide | Modulo)
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
    let of_both = OF_BOTH.iter().any(|known| name.eq_ignore_ascii_case(known));
    for arg in &mut list.args {
        if let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = arg
            && (is_attribute(expr) || !of_both)
        {
            number(expr);
        }
    }
}

/// What may be a text as the number that it reads as; nothing else changes.
fn number(expr: &mut Expr) {
    let may_be_text = matches!(
        bare(expr),
        Expr::Identifier(_)
            | Expr::CompoundIdentifier(_)
            | Expr::CompoundFieldAccess { .. }
            | Expr::Case { .. }
            | Expr::Function(_)
            | Expr::Subquery(_)
    );
    if may_be_text && !is_number(expr) && !is_moment(expr) {
        replace(expr, "number(x)");
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

/// Whether there is an attribute in it.
fn has_attribute(expr: &Expr) -> bool {
    has(expr, is_attribute)
}

/// Whether something in it is compared.
fn has_comparison(expr: &Expr) -> bool {
    has(expr, |expr| match expr {
        Expr::BinaryOp { op, .. } => is_comparison(op),
        Expr::InList { .. } | Expr::Between { .. } | Expr::IsTrue(_) | Expr::IsFalse(_) => true,
        _ => false,
    })
}

fn has(expr: &Expr, wanted: impl Fn(&Expr) -> bool) -> bool {
    visit_expressions(expr, |expr| if wanted(expr) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }).is_break()
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
        Expr::BinaryOp { op, .. } => is_arithmetic(op),
        Expr::Identifier(name) => is_one_of(name, &NUMBERS),
        Expr::CompoundIdentifier(names) => names.last().is_some_and(|name| is_one_of(name, &NUMBERS)),
        Expr::Cast { kind: CastKind::Cast | CastKind::TryCast | CastKind::DoubleColon, data_type, .. } => is_numeric(data_type),
        Expr::Function(function) => {
            let name = function.name.to_string();
            OF_NUMBERS.iter().chain(&["count", NUMBER]).any(|known| !OF_BOTH.contains(known) && name.eq_ignore_ascii_case(known))
        }
        _ => false,
    }
}

fn is_numeric(data_type: &DataType) -> bool {
    let name = data_type.to_string().to_ascii_uppercase();
    ["INT", "BIGINT", "SMALLINT", "TINYINT", "DOUBLE", "FLOAT", "REAL", "DECIMAL", "NUMERIC"].iter().any(|known| name.starts_with(known))
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
