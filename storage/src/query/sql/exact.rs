//! Whole numbers that need more than 64 bits are an error, never another number.
//!
//! The engine lets sums, differences, products and totals of whole numbers wrap around without a word. A plan is rewritten before it is made
//! faster: they are computed as decimals, which have room for the result of any two, and what comes out must fit into the type it had.
//!
//! Of two million spans (`load --spans 2000000`, release), `SELECT sum(duration) FROM spans` takes 0.04 s of processor time and the sum of doubles, which is
//! not exact, 0.02 s; `max(duration + flags)` 0.08 s and with doubles 0.03 s: ten nanoseconds for a row of a sum, twenty-five for an addition.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode as _};
use datafusion::common::{Column, DFSchema, Result};
use datafusion::logical_expr::expr::{AggregateFunctionParams, WindowFunctionParams};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    AggregateUDF, BinaryExpr, Cast, Expr, ExprSchemable as _, LogicalPlan, LogicalPlanBuilder, Operator, WindowFunctionDefinition,
};
use datafusion::optimizer::AnalyzerRule;

/// See the module.
#[derive(Debug)]
pub(super) struct ExactNumbers;

/// Digits of the largest whole number of 64 bits.
const WIDE: DataType = DataType::Decimal128(20, 0);

impl AnalyzerRule for ExactNumbers {
    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(exact).map(|plan| plan.data)
    }

    fn name(&self) -> &'static str {
        "exact_numbers"
    }
}

fn exact(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let before = plan.schema().clone();
    let (read, names) = (merge_schema(&plan.inputs()), NamePreserver::new(&plan));
    let rewritten = plan.map_expressions(|expr| {
        let name = names.save(&expr);
        let expr = expr.transform_up(|expr| widened(expr, &read))?;
        Ok(expr.update_data(|expr| name.restore(expr)))
    })?;
    if !rewritten.transformed {
        return Ok(rewritten);
    }
    let plan = rewritten.data.recompute_schema()?;
    narrowed(plan, &before).map(Transformed::yes)
}

/// Computes with decimals where whole numbers may need more room than they have.
fn widened(expr: Expr, read: &DFSchema) -> Result<Transformed<Expr>> {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if matches!(op, Operator::Plus | Operator::Minus | Operator::Multiply) => {
            let (result, other) = (left.get_type(read)?, right.get_type(read)?);
            // The types of both sides were made equal before.
            if !result.is_integer() || result != other {
                return Ok(Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right })));
            }
            let (left, right) = (cast(*left, WIDE), cast(*right, WIDE));
            Ok(Transformed::yes(cast(Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right))), result)))
        }
        Expr::AggregateFunction(mut call) if is_sum(&call.func) => {
            let AggregateFunctionParams { args, .. } = &mut call.params;
            let changed = widen_all(args, read)?;
            Ok(Transformed::new_transformed(Expr::AggregateFunction(call), changed))
        }
        Expr::WindowFunction(mut call) if matches!(&call.fun, WindowFunctionDefinition::AggregateUDF(function) if is_sum(function)) => {
            let WindowFunctionParams { args, .. } = &mut call.params;
            let changed = widen_all(args, read)?;
            Ok(Transformed::new_transformed(Expr::WindowFunction(call), changed))
        }
        expr => Ok(Transformed::no(expr)),
    }
}

fn is_sum(function: &AggregateUDF) -> bool {
    function.name() == "sum"
}

fn widen_all(args: &mut [Expr], read: &DFSchema) -> Result<bool> {
    let mut changed = false;
    for arg in args {
        if arg.get_type(read)?.is_integer() {
            *arg = cast(std::mem::take(arg), WIDE);
            changed = true;
        }
    }
    Ok(changed)
}

fn cast(expr: Expr, to: DataType) -> Expr {
    Expr::Cast(Cast::new(Box::new(expr), to))
}

/// Gives columns the types that they had.
fn narrowed(plan: LogicalPlan, before: &DFSchema) -> Result<LogicalPlan> {
    let types = |schema: &DFSchema| schema.fields().iter().map(|field| field.data_type().clone()).collect::<Vec<_>>();
    if types(before) == types(plan.schema()) {
        return Ok(plan);
    }
    let columns: Vec<Expr> = before
        .iter()
        .zip(plan.schema().iter())
        .map(|((relation, was), (_, is))| {
            let column = Expr::Column(Column::new(relation.cloned(), is.name()));
            if was.data_type() == is.data_type() {
                return column;
            }
            cast(column, was.data_type().clone()).alias_qualified(relation.cloned(), was.name())
        })
        .collect();
    LogicalPlanBuilder::from(plan).project(columns)?.build()
}
