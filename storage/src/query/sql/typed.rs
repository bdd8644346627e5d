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
//! compared with its nanoseconds, which the statistics of segments know. Where a moment is computed of one (`date_bin`, `date_trunc`, `EXTRACT`,
//! `start_time + INTERVAL '1 minute'`, a cast), it is made one.

use std::ops::ControlFlow;

use datafusion::logical_expr::ScalarUDF;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Select, SelectItem, UnaryOperator, VisitMut as _, VisitorMut,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;

mod kind;
mod meeting;
mod order;
mod reading;
mod seen;

pub(super) use self::meeting::rewrite as rewrite_plan;
use self::seen::{
    FROM_MOMENTS, OF_BOTH, OF_NUMBERS, has_attribute, has_comparison, has_value, is_attribute, is_moment, is_moment_type, is_number,
};
pub(super) use self::seen::{NUMBERS, bare, gives_time, is_arithmetic, is_comparison, is_one_named, is_time};

/// The name of the function that compares with whole numbers.
pub(super) const ORDER: &str = order::NAME;

/// The name of the function that reads a number.
pub(super) const NUMBER: &str = reading::Form::Number.name();

/// The function that reads a number.
pub(super) fn number_function() -> ScalarUDF {
    reading::Form::Number.function()
}

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
            SelectItem::UnnamedExpr(expr) => Some((expr.to_string(), is_named_otherwise(expr))),
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
                if matches!(bare(right), Expr::Interval(_)) {
                    moment(left);
                }
                number(left);
                number(right);
            }
            Expr::Cast { expr, data_type, .. } if is_moment_type(data_type) => moment(expr),
            Expr::Extract { expr, .. } => moment(expr),
            Expr::UnaryOp { op: UnaryOperator::Minus | UnaryOperator::Plus, expr } => number(expr),
            Expr::Between { expr, low, high, .. } => {
                moments(expr, low);
                moments(expr, high);
            }
            Expr::Function(function) => {
                let name = function.name.to_string();
                of_moments(&name, &mut function.args);
                of_numbers(&name, &mut function.args);
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// Whether the planner would call it otherwise than it was written: `1` is `Int64(1)` there.
fn is_named_otherwise(expr: &Expr) -> bool {
    if has_attribute(expr) { has_comparison(expr) } else { has_value(expr) }
}

/// Makes a moment that a time is compared with the nanoseconds that times are kept as.
fn moments(one: &mut Expr, other: &mut Expr) {
    let (time, moment) = if is_time(one) { (one, other) } else { (other, one) };
    if is_time(time) && is_moment(moment) {
        replace(moment, "CAST(CAST(x AS TIMESTAMP) AS BIGINT)");
    }
}

/// Makes nanoseconds a moment; nothing else changes.
fn moment(expr: &mut Expr) {
    if gives_time(expr) {
        replace(expr, "to_timestamp_nanos(x)");
    }
}

fn of_moments(name: &str, args: &mut FunctionArguments) {
    if is_one_named(name, &FROM_MOMENTS) {
        given(args).for_each(moment);
    }
}

fn of_numbers(name: &str, args: &mut FunctionArguments) {
    if is_one_named(name, &OF_NUMBERS) {
        let of_both = is_one_named(name, &OF_BOTH);
        given(args).filter(|expr| is_attribute(expr) || !of_both).for_each(number);
    }
}

/// What a function is given, without names.
fn given(args: &mut FunctionArguments) -> impl Iterator<Item = &mut Expr> {
    let list = match args {
        FunctionArguments::List(list) => list.args.as_mut_slice(),
        FunctionArguments::None | FunctionArguments::Subquery(_) => &mut [],
    };
    list.iter_mut().filter_map(|arg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
        _ => None,
    })
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

#[cfg(test)]
mod tests;
