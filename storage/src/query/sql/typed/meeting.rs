//! What becomes of a text that meets a number, a truth value or a time, whatever either is made of.
//!
//! The planner would cast the text, and fail on the first that is something else. A plan is rewritten before that, by the types that the
//! columns of each step have: whether the text comes from a table, a subquery or a name of `WITH`. A text that stands in the statement is
//! left to the planner: it is read once, and its writer told when it is none. So is every cast that was written.

use datafusion::common::tree_node::{Transformed, TreeNode as _};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::{InList, ScalarFunction};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Between, BinaryExpr, Case, Expr, LogicalPlan, Operator, lit, not};

use super::kind::Kind;
use super::order::order;
use super::reading::Form;

mod subqueries;

use self::subqueries::{any_found, one_found};

/// Rewrites a plan, with its subqueries.
pub(in super::super) fn rewrite(plan: LogicalPlan) -> Result<LogicalPlan> {
    plan.transform_up_with_subqueries(step).map(|plan| plan.data)
}

fn step(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let (read, names) = (merge_schema(&plan.inputs()), NamePreserver::new(&plan));
    let plan = keys(plan)?.map_expressions(|expr| {
        let name = names.save(&expr);
        let expr = expr.transform_up(|expr| met(expr, &read).map(Transformed::yes))?;
        Ok(expr.update_data(|expr| name.restore(expr)))
    })?;
    // Types below may have changed even where nothing is rewritten.
    plan.data.recompute_schema().map(Transformed::yes)
}

/// Keys of a join are compared too.
fn keys(plan: LogicalPlan) -> Result<LogicalPlan> {
    let LogicalPlan::Join(mut join) = plan else { return Ok(plan) };
    for (left, right) in &mut join.on {
        let kinds = (Kind::of(left, join.left.schema()), Kind::of(right, join.right.schema()));
        (_, *left, *right) = compared(std::mem::take(left), Operator::Eq, std::mem::take(right), &kinds)?;
    }
    Ok(LogicalPlan::Join(join))
}

fn met(expr: Expr, read: &DFSchema) -> Result<Expr> {
    Ok(match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let kinds = (Kind::of(&left, read), Kind::of(&right, read));
            let (op, left, right) = match op {
                Operator::Plus | Operator::Minus | Operator::Multiply | Operator::Divide | Operator::Modulo => {
                    computed(*left, op, *right, &kinds)?
                }
                _ => compared(*left, op, *right, &kinds)?,
            };
            binary(left, op, right)
        }
        Expr::Between(between) => within(between, read)?,
        Expr::InList(list) => one_of(list, read)?,
        Expr::InSubquery(found) => one_found(found, read)?,
        Expr::SetComparison(found) => any_found(found, read)?,
        Expr::Case(case) => chosen(case, read)?,
        Expr::ScalarFunction(call) => called(call, read)?,
        Expr::Negative(inner) if Kind::of(&inner, read) == Kind::Text => Expr::Negative(Box::new(Form::Number.of(*inner)?)),
        Expr::Not(inner) => not(truth(*inner, read)?),
        Expr::IsTrue(inner) => Expr::IsTrue(Box::new(truth(*inner, read)?)),
        Expr::IsNotTrue(inner) => Expr::IsNotTrue(Box::new(truth(*inner, read)?)),
        Expr::IsFalse(inner) => Expr::IsFalse(Box::new(truth(*inner, read)?)),
        Expr::IsNotFalse(inner) => Expr::IsNotFalse(Box::new(truth(*inner, read)?)),
        Expr::IsUnknown(inner) => Expr::IsUnknown(Box::new(truth(*inner, read)?)),
        Expr::IsNotUnknown(inner) => Expr::IsNotUnknown(Box::new(truth(*inner, read)?)),
        other => other,
    })
}

fn within(Between { expr, negated, low, high }: Between, read: &DFSchema) -> Result<Expr> {
    let mut all = [*expr, *low, *high];
    let kinds = kinds(&all, read);
    if kinds.contains(&Kind::Whole) && kinds.iter().any(Kind::is_text) {
        let [expr, low, high] = all;
        let least = met(binary(expr.clone(), Operator::GtEq, low), read)?;
        let both = least.and(met(binary(expr, Operator::LtEq, high), read)?);
        return Ok(if negated { not(both) } else { both });
    }
    read_all(&mut all, read)?;
    let [expr, low, high] = all;
    Ok(Expr::Between(Between::new(Box::new(expr), negated, Box::new(low), Box::new(high))))
}

fn binary(left: Expr, op: Operator, right: Expr) -> Expr {
    Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right)))
}

fn truth(expr: Expr, read: &DFSchema) -> Result<Expr> {
    if Kind::of(&expr, read) == Kind::Text { Form::Truth.of(expr) } else { Ok(expr) }
}

fn computed(left: Expr, op: Operator, right: Expr, kinds: &(Kind, Kind)) -> Result<(Operator, Expr, Expr)> {
    let number = |expr: Expr, kind: &Kind, other: &Kind| match kind {
        Kind::Text if other.is_text() || other.is_number() => Form::Number.of(expr),
        Kind::Written if *other == Kind::Text => Form::Number.of(expr),
        Kind::Decimal if *other == Kind::Text => Ok(kind.beside_read(expr)),
        _ => Ok(expr),
    };
    Ok((op, number(left, &kinds.0, &kinds.1)?, number(right, &kinds.1, &kinds.0)?))
}

fn compared(left: Expr, op: Operator, right: Expr, kinds: &(Kind, Kind)) -> Result<(Operator, Expr, Expr)> {
    Ok(match kinds {
        (Kind::Text, kind) if kind.meets_text() => {
            let (op, text, other) = beside(left, op, right, kind)?;
            (op, text, other)
        }
        (kind, Kind::Text) if kind.meets_text() => {
            let (op, text, other) = beside(right, op, left, kind)?;
            (op, other, text)
        }
        _ => (op, left, right),
    })
}

/// A text and what it is compared with. It equals the text that a number is shown as; for everything else it is read.
fn beside(text: Expr, op: Operator, other: Expr, kind: &Kind) -> Result<(Operator, Expr, Expr)> {
    Ok(match op {
        Operator::Eq | Operator::IsDistinctFrom | Operator::IsNotDistinctFrom if kind.is_shown() => (op, text, kind.shown(other)?),
        // What is no truth value is not another one.
        Operator::NotEq if *kind == Kind::Truth => (Operator::Eq, text, kind.shown(opposite(other))?),
        Operator::NotEq | Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq if *kind == Kind::Whole => {
            (op, order(text, other), lit(0_i64))
        }
        Operator::Eq
        | Operator::NotEq
        | Operator::Lt
        | Operator::LtEq
        | Operator::Gt
        | Operator::GtEq
        | Operator::IsDistinctFrom
        | Operator::IsNotDistinctFrom => (op, kind.read(text)?, kind.beside_read(other)),
        _ => (op, text, other),
    })
}

fn opposite(truth: Expr) -> Expr {
    use datafusion::common::ScalarValue;
    match truth {
        Expr::Literal(ScalarValue::Boolean(Some(truth)), metadata) => Expr::Literal(ScalarValue::Boolean(Some(!truth)), metadata),
        other => not(other),
    }
}

fn kinds(all: &[Expr], read: &DFSchema) -> Vec<Kind> {
    all.iter().map(|expr| Kind::of(expr, read)).collect()
}

/// Reads all texts as what stands among them.
fn read_all(all: &mut [Expr], read: &DFSchema) -> Result<()> {
    let kinds = kinds(all, read);
    if let Some(other) = kinds.iter().find(|kind| kind.meets_text()).filter(|_| kinds.contains(&Kind::Text)) {
        for (expr, kind) in all.iter_mut().zip(&kinds) {
            let taken = std::mem::take(expr);
            *expr = if kind.is_text() { other.read(taken)? } else { kind.beside_read(taken) };
        }
    }
    Ok(())
}

/// Shows as texts what stands among texts.
fn show_all(all: &mut [Expr], read: &DFSchema) -> Result<()> {
    let kinds = kinds(all, read);
    if kinds.contains(&Kind::Text) {
        for (expr, kind) in all.iter_mut().zip(&kinds) {
            *expr = kind.shown(std::mem::take(expr))?;
        }
    }
    Ok(())
}

/// Makes equal texts of what is compared for equality, or times.
fn equal_all(all: &mut [Expr], read: &DFSchema) -> Result<()> {
    let has_time = all.iter().any(|expr| matches!(Kind::of(expr, read), Kind::Time(_)));
    if has_time { read_all(all, read) } else { show_all(all, read) }
}

fn one_of(InList { expr, list, negated }: InList, read: &DFSchema) -> Result<Expr> {
    let mut all = vec![*expr];
    all.extend(list);
    let kinds = kinds(&all, read);
    let listed = || kinds.iter().skip(1).filter(|kind| **kind != Kind::Other);
    let is_alike = listed().all(Kind::is_number) || listed().all(|kind| *kind == Kind::Truth);
    // What is no number is not another one.
    if negated && is_alike && kinds.first() == Some(&Kind::Text) {
        if kinds.contains(&Kind::Whole) {
            return none_of(all, &kinds);
        }
        read_all(&mut all, read)?;
    } else {
        equal_all(&mut all, read)?;
    }
    let expr = all.remove(0);
    Ok(Expr::InList(InList::new(Box::new(expr), all, negated)))
}

/// A text that reads as a number that is none of these.
fn none_of(mut all: Vec<Expr>, kinds: &[Kind]) -> Result<Expr> {
    let text = all.remove(0);
    let mut parts = Vec::with_capacity(all.len());
    for (number, kind) in all.into_iter().zip(kinds.iter().skip(1)) {
        let (op, left, right) = beside(text.clone(), Operator::NotEq, number, kind)?;
        parts.push(binary(left, op, right));
    }
    // In pairs, and pairs of these: long lists are no deeper than they have to be.
    while parts.len() > 1 {
        let mut rest = std::mem::take(&mut parts).into_iter();
        while let Some(part) = rest.next() {
            parts.push(rest.next().into_iter().fold(part, Expr::and));
        }
    }
    Ok(parts.pop().unwrap_or_else(|| lit(true)))
}

fn chosen(Case { expr, when_then_expr, else_expr }: Case, read: &DFSchema) -> Result<Expr> {
    let has_base = expr.is_some();
    let (whens, mut thens): (Vec<Expr>, Vec<Expr>) = when_then_expr.into_iter().map(|(when, then)| (*when, *then)).unzip();
    let mut compared: Vec<Expr> = expr.map(|expr| *expr).into_iter().chain(whens).collect();
    if has_base {
        equal_all(&mut compared, read)?;
    }
    let has_else = else_expr.is_some();
    thens.extend(else_expr.map(|expr| *expr));
    show_all(&mut thens, read)?;
    let base = has_base.then(|| Box::new(compared.remove(0)));
    let otherwise = if has_else { thens.pop().map(Box::new) } else { None };
    let pairs = compared.into_iter().zip(thens).map(|(when, then)| (Box::new(when), Box::new(then))).collect();
    Ok(Expr::Case(Case::new(base, pairs, otherwise)))
}

fn called(ScalarFunction { func, mut args }: ScalarFunction, read: &DFSchema) -> Result<Expr> {
    match (func.name(), args.as_mut_slice()) {
        (name, [value]) if name == Form::Number.name() && !Kind::of(value, read).is_text() => return Ok(std::mem::take(value)),
        ("coalesce" | "nvl", args) | ("nvl2", [_, args @ ..]) => show_all(args, read)?,
        ("greatest" | "least", args) => read_all(args, read)?,
        ("nullif", [value, missing]) => {
            if Kind::of(value, read) == Kind::Text {
                let kind = Kind::of(missing, read);
                *missing = kind.shown(std::mem::take(missing))?;
            } else if Kind::of(missing, read) == Kind::Text {
                let kind = Kind::of(value, read);
                *missing = kind.read(std::mem::take(missing))?;
            }
        }
        _ => {}
    }
    Ok(Expr::ScalarFunction(ScalarFunction::new_udf(func, args)))
}
