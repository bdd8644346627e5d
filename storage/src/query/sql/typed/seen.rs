//! What can be seen of an expression before it is planned: whether it is a number, a time, a moment, an attribute.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    AccessExpr, BinaryOperator, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Subscript,
    UnaryOperator, Value, visit_expressions,
};

use super::NUMBER;

/// Functions of numbers; what they are called with is read as one.
pub(super) const OF_NUMBERS: [&str; 35] = [
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
pub(super) const OF_BOTH: [&str; 2] = ["min", "max"];

/// Columns that are numbers.
pub(in super::super) const NUMBERS: [&str; 8] =
    ["duration", "start_time", "end_time", "time", "observed_time", "record_id", "severity_number", "flags"];

/// Columns of times.
const TIMES: [&str; 4] = ["start_time", "end_time", "time", "observed_time"];

/// Functions that give moments.
const OF_MOMENTS: [&str; 12] = [
    "now",
    "current_timestamp",
    "current_date",
    "today",
    "date_trunc",
    "date_bin",
    "to_timestamp",
    "to_timestamp_seconds",
    "to_timestamp_millis",
    "to_timestamp_micros",
    "to_timestamp_nanos",
    "to_date",
];

/// Functions that are given moments; a column of times is made one for them.
pub(super) const FROM_MOMENTS: [&str; 11] = [
    "date_trunc",
    "datetrunc",
    "date_bin",
    "date_part",
    "datepart",
    "to_char",
    "date_format",
    "to_timestamp",
    "to_date",
    "to_unixtime",
    "to_local_time",
];

pub(in super::super) fn is_comparison(op: &BinaryOperator) -> bool {
    use BinaryOperator::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq)
}

pub(in super::super) fn is_arithmetic(op: &BinaryOperator) -> bool {
    use BinaryOperator::{Divide, Minus, Modulo, Multiply, Plus};
    matches!(op, Plus | Minus | Multiply | Divide | Modulo)
}

pub(in super::super) fn is_time(expr: &Expr) -> bool {
    match bare(expr) {
        Expr::Identifier(name) => is_one_of(name, &TIMES),
        Expr::CompoundIdentifier(names) => names.last().is_some_and(|name| is_one_of(name, &TIMES)),
        _ => false,
    }
}

/// Whether it is a time in nanoseconds: a column of times, the first or the last of them.
pub(in super::super) fn gives_time(expr: &Expr) -> bool {
    match bare(expr) {
        Expr::Function(Function { name, args: FunctionArguments::List(list), .. }) => {
            let is_kept = |arg: &FunctionArg| matches!(arg, FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) if is_time(expr));
            is_one_named(&name.to_string(), &OF_BOTH) && list.args.iter().all(is_kept)
        }
        other => is_time(other),
    }
}

/// Whether it is a type of moments.
pub(super) fn is_moment_type(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Timestamp(..) | DataType::Date)
}

/// Whether it is a moment, as far as can be seen.
pub(super) fn is_moment(expr: &Expr) -> bool {
    match bare(expr) {
        Expr::TypedString { .. } => true,
        Expr::Value(value) => matches!(&value.value, Value::SingleQuotedString(text) if text.contains('-')),
        Expr::Cast { data_type, .. } => is_moment_type(data_type),
        Expr::Function(function) => is_one_named(&function.name.to_string(), &OF_MOMENTS),
        Expr::BinaryOp { left, op: BinaryOperator::Plus | BinaryOperator::Minus, right } => {
            is_moment(left) && matches!(bare(right), Expr::Interval(_))
        }
        _ => false,
    }
}

/// Whether there is an attribute in it.
pub(super) fn has_attribute(expr: &Expr) -> bool {
    has(expr, is_attribute)
}

/// Whether a value is written in it.
pub(super) fn has_value(expr: &Expr) -> bool {
    has(expr, |expr| matches!(expr, Expr::Value(_)))
}

/// Whether something in it is compared.
pub(super) fn has_comparison(expr: &Expr) -> bool {
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
pub(super) fn is_attribute(expr: &Expr) -> bool {
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
    is_one_named(&name.value, names)
}

/// Whether a name is one of those, whatever the case of its letters.
pub(in super::super) fn is_one_named(name: &str, names: &[&str]) -> bool {
    names.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// Whether it is a number, as far as can be seen.
pub(super) fn is_number(expr: &Expr) -> bool {
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
pub(in super::super) fn bare(expr: &Expr) -> &Expr {
    match expr {
        Expr::Nested(inner) => bare(inner),
        other => other,
    }
}
