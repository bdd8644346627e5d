//! What becomes of an expression that meets the rows of a subquery.

use std::sync::Arc;

use datafusion::common::{Column, DFSchema, Result};
use datafusion::logical_expr::expr::{InSubquery, SetComparison};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, Operator, Projection, Subquery};

use super::super::kind::Kind;
use super::super::reading::Form;

/// `IN`.
pub(super) fn one_found(InSubquery { expr, subquery, negated }: InSubquery, read: &DFSchema) -> Result<Expr> {
    let op = if negated { Operator::NotEq } else { Operator::Eq };
    let was = Kind::of(&expr, read);
    let (expr, subquery) = found(*expr, op, subquery, read)?;
    let is_read = negated && was == Kind::Text && Kind::of(&expr, read) != Kind::Text;
    let there = is_read.then(|| expr.clone().is_not_null());
    let found = Expr::InSubquery(InSubquery::new(Box::new(expr), subquery, negated));
    // The planner lets NULL pass where no row is NULL.
    Ok(there.into_iter().fold(found, Expr::and))
}

/// `= ANY`, `> ALL` and the like.
pub(super) fn any_found(SetComparison { expr, subquery, op, quantifier }: SetComparison, read: &DFSchema) -> Result<Expr> {
    let (expr, subquery) = found(*expr, op, subquery, read)?;
    Ok(Expr::SetComparison(SetComparison::new(Box::new(expr), subquery, op, quantifier)))
}

/// An expression and the rows that it is compared with.
fn found(expr: Expr, op: Operator, subquery: Subquery, read: &DFSchema) -> Result<(Expr, Subquery)> {
    let fields = subquery.subquery.schema().fields();
    let rows = fields.first().map_or(Kind::Other, |field| Kind::of_type(field.data_type()));
    Ok(match (Kind::of(&expr, read), rows) {
        (Kind::Text, kind) if kind.is_shown() && op == Operator::Eq => (expr, each(subquery, |row| kind.shown(row))?),
        (Kind::Text, Kind::Decimal) => (Form::Number.of(expr)?, each(subquery, |row| Ok(Kind::Decimal.beside_read(row)))?),
        (Kind::Text, kind) => (kind.read(expr)?, subquery),
        (kind, Kind::Text) if kind.is_shown() && matches!(op, Operator::Eq | Operator::NotEq) => (kind.shown(expr)?, subquery),
        (kind, Kind::Text) if kind.meets_text() => (kind.beside_read(expr), each(subquery, |row| kind.read(row))?),
        _ => (expr, subquery),
    })
}

/// A subquery with something else made of its only column.
fn each(subquery: Subquery, form: impl Fn(Expr) -> Result<Expr>) -> Result<Subquery> {
    let plan = Arc::unwrap_or_clone(subquery.subquery);
    let plan = match plan {
        LogicalPlan::Projection(Projection { mut expr, input, schema, .. }) => {
            if let (Some(first), Some(field)) = (expr.first_mut(), schema.fields().first()) {
                *first = form(std::mem::take(first).unalias())?.alias(field.name());
            }
            LogicalPlan::Projection(Projection::try_new(expr, input)?)
        }
        plan => {
            let column = Column::from(plan.schema().qualified_field(0));
            let made = form(Expr::Column(column.clone()))?.alias(column.name());
            LogicalPlanBuilder::from(plan).project([made])?.build()?
        }
    };
    Ok(Subquery { subquery: Arc::new(plan), ..subquery })
}
