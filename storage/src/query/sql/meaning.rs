//! What columns of an answer hold: times and durations among numbers.
//!
//! Both are numbers of nanoseconds, and a statement may call them as it likes. Owns which of them a column is, from the tables on, through
//! what expressions make of them. What is measured in another unit afterwards is a plain number.

use datafusion::common::DFSchema;
use datafusion::logical_expr::{BinaryExpr, Case, Distinct, Expr, Join, LogicalPlan, Operator};
use datafusion::scalar::ScalarValue;

use super::super::answer::SqlMeaning::{self, Duration, Plain, Time};
use super::TABLES;
use super::typed::NUMBER;

/// Of each column of a plan. Each step is looked at once.
pub(super) fn of(plan: &LogicalPlan) -> Vec<SqlMeaning> {
    let columns = plan.schema().fields().len();
    let mut found = match plan {
        LogicalPlan::TableScan(scan) => {
            let is_own = TABLES.iter().any(|(name, _)| *name == scan.table_name.table());
            scan.projected_schema.fields().iter().map(|field| if is_own { of_column(field.name()) } else { Plain }).collect()
        }
        LogicalPlan::Projection(step) => each(&step.expr, &step.input),
        LogicalPlan::Aggregate(step) => {
            let found = [each(&step.group_expr, &step.input), each(&step.aggr_expr, &step.input)].concat();
            // Sets of groups are more columns than expressions.
            if found.len() == columns { found } else { Vec::new() }
        }
        LogicalPlan::Window(step) => [of(&step.input), each(&step.window_expr, &step.input)].concat(),
        LogicalPlan::Join(step) => of_join(step, columns),
        LogicalPlan::SubqueryAlias(step) => of(&step.input),
        LogicalPlan::Filter(step) => of(&step.input),
        LogicalPlan::Sort(step) => of(&step.input),
        LogicalPlan::Limit(step) => of(&step.input),
        LogicalPlan::Distinct(Distinct::All(input)) => of(input),
        LogicalPlan::Distinct(Distinct::On(step)) => each(&step.select_expr, &step.input),
        LogicalPlan::Union(step) => {
            let inputs: Vec<_> = step.inputs.iter().map(|input| of(input)).collect();
            let place = |place: usize| inputs.iter().map(|input| input.get(place).copied().unwrap_or_default()).reduce(alike);
            (0..columns).map(|column| place(column).unwrap_or_default()).collect()
        }
        _ => Vec::new(),
    };
    found.resize(columns, Plain);
    found
}

/// Of a column of the tables.
pub(super) fn of_column(name: &str) -> SqlMeaning {
    match name {
        "start_time" | "end_time" | "time" | "observed_time" => Time,
        "duration" => Duration,
        _ => Plain,
    }
}

fn of_join(join: &Join, columns: usize) -> Vec<SqlMeaning> {
    let (left, right) = (of(&join.left), of(&join.right));
    // Some joins keep the rows of one side alone.
    if left.len() + right.len() == columns {
        [left, right].concat()
    } else if right.len() == columns && left.len() != columns {
        right
    } else {
        left
    }
}

fn each(exprs: &[Expr], input: &LogicalPlan) -> Vec<SqlMeaning> {
    let known = of(input);
    exprs.iter().map(|expr| meaning(expr, input.schema(), &known)).collect()
}

/// Of an expression over columns of which is known what they hold.
fn meaning(expr: &Expr, schema: &DFSchema, known: &[SqlMeaning]) -> SqlMeaning {
    let inner = |expr: &Expr| meaning(expr, schema, known);
    let first = |args: &[Expr]| args.iter().map(inner).find(|found| *found != Plain).unwrap_or_default();
    match expr {
        Expr::Alias(alias) => inner(&alias.expr),
        Expr::Column(column) => schema.maybe_index_of_column(column).and_then(|place| known.get(place)).copied().unwrap_or_default(),
        Expr::Cast(cast) if cast.field.data_type().is_numeric() => inner(&cast.expr),
        Expr::TryCast(cast) if cast.field.data_type().is_numeric() => inner(&cast.expr),
        Expr::Negative(expr) => only_duration(inner(expr)),
        Expr::BinaryExpr(pair) => of_pair(pair, inner),
        Expr::Case(case) => of_case(case, inner),
        Expr::ScalarFunction(call) if SAME.contains(&call.func.name()) => first(&call.args),
        Expr::AggregateFunction(call) => of_aggregate(call.func.name(), || first(&call.params.args)),
        Expr::WindowFunction(call) => of_aggregate(&call.fun.to_string(), || first(&call.params.args)),
        Expr::ScalarSubquery(query) => of(&query.subquery).first().copied().unwrap_or_default(),
        _ => Plain,
    }
}

fn of_pair(pair: &BinaryExpr, inner: impl Fn(&Expr) -> SqlMeaning) -> SqlMeaning {
    let (left, right) = (inner(&pair.left), inner(&pair.right));
    match (pair.op, left, right) {
        (Operator::Plus, Time, Time) => Plain,
        (Operator::Plus, Time, _) | (Operator::Plus, _, Time) | (Operator::Minus, Time, Plain | Duration) => Time,
        (Operator::Plus, Duration, _) | (Operator::Plus, _, Duration) => Duration,
        (Operator::Minus, Time | Plain, Time) | (Operator::Minus, Duration, Plain | Duration) => Duration,
        // The rest of a time is how far it is into a part of time.
        (Operator::Modulo, Time | Duration, _) => Duration,
        // An average. By a constant it becomes another unit.
        (Operator::Divide, Duration, Plain) if pair.right.any_column_refs() => Duration,
        (Operator::Multiply, _, _) => of_product(&pair.left, &pair.right, (left, right), inner),
        _ => Plain,
    }
}

/// `start_time / 60000000000 * 60000000000` is the beginning of its minute; three durations are a duration.
fn of_product(left: &Expr, right: &Expr, found: (SqlMeaning, SqlMeaning), inner: impl Fn(&Expr) -> SqlMeaning) -> SqlMeaning {
    let parts = |expr: &Expr, by: &Expr| match bare(expr) {
        Expr::BinaryExpr(part) if part.op == Operator::Divide && bare(&part.right) == bare(by) => Some(inner(&part.left)),
        _ => None,
    };
    if let Some(whole) = parts(left, right).or_else(|| parts(right, left)) {
        return whole;
    }
    let is_whole = |expr: &Expr| expr.any_column_refs() || matches!(bare(expr), Expr::Literal(ScalarValue::Int64(Some(_)), _));
    match found {
        (Duration, Plain) if is_whole(right) => Duration,
        (Plain, Duration) if is_whole(left) => Duration,
        _ => Plain,
    }
}

fn of_case(case: &Case, inner: impl Fn(&Expr) -> SqlMeaning) -> SqlMeaning {
    let given = case.when_then_expr.iter().map(|(_, then)| then).chain(&case.else_expr);
    let given = given.filter(|expr| !matches!(bare(expr), Expr::Literal(value, _) if value.is_null()));
    given.map(|expr| inner(expr)).reduce(alike).unwrap_or_default()
}

fn of_aggregate(name: &str, arg: impl Fn() -> SqlMeaning) -> SqlMeaning {
    match name {
        name if ONE_OF_THEM.contains(&name) => arg(),
        name if MEASURED_ALIKE.contains(&name) => only_duration(arg()),
        _ => Plain,
    }
}

fn only_duration(found: SqlMeaning) -> SqlMeaning {
    if found == Duration { Duration } else { Plain }
}

fn alike(one: SqlMeaning, other: SqlMeaning) -> SqlMeaning {
    if one == other { one } else { Plain }
}

/// Without names, casts and the reading of numbers.
fn bare(expr: &Expr) -> &Expr {
    match expr {
        Expr::Alias(alias) => bare(&alias.expr),
        Expr::Cast(cast) => bare(&cast.expr),
        Expr::ScalarFunction(call) if call.func.name() == NUMBER => call.args.first().map_or(expr, bare),
        _ => expr,
    }
}

/// Functions that give one of what they are given, or nearly.
const SAME: [&str; 11] = [NUMBER, "coalesce", "nullif", "nvl", "greatest", "least", "abs", "round", "floor", "ceil", "trunc"];

/// Aggregates and window functions that give one of their values, or something between them.
const ONE_OF_THEM: [&str; 13] = [
    "min",
    "max",
    "avg",
    "median",
    "approx_median",
    "approx_percentile_cont",
    "approx_percentile_cont_with_weight",
    "percentile_cont",
    "first_value",
    "last_value",
    "nth_value",
    "lag",
    "lead",
];

/// Those of durations that give a duration; of times they mean nothing.
const MEASURED_ALIKE: [&str; 3] = ["sum", "stddev", "stddev_pop"];
