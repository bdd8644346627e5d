//! Keys of joins by the full names of their columns.
//!
//! The engine reads an attribute in a step of its own, near the table, and calls what it read by a name without a table. Where the table goes by
//! another name (`spans s`), so does that column from there on, while a key that computes something of it keeps the short name; the join looks for
//! the key by its text and does not find it. So it was for `lower(s.attributes['k'])` beside another attribute, in `IN`, `EXISTS` and `JOIN`
//! alike. This rule is the last of each round and completes the names.

use datafusion::common::tree_node::{Transformed, TreeNode as _};
use datafusion::common::{Column, DFSchema, Result};
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

/// See the module.
#[derive(Debug)]
pub(super) struct FullNames;

impl OptimizerRule for FullNames {
    fn name(&self) -> &'static str {
        "full_names_of_keys"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: LogicalPlan, _config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Join(mut join) = plan else { return Ok(Transformed::no(plan)) };
        let mut changed = false;
        for (left, right) in &mut join.on {
            changed |= complete(left, join.left.schema())? | complete(right, join.right.schema())?;
        }
        Ok(Transformed::new_transformed(LogicalPlan::Join(join), changed))
    }
}

/// Whether anything was lacking.
fn complete(key: &mut Expr, read: &DFSchema) -> Result<bool> {
    let completed = std::mem::take(key).transform(|expr| {
        let Expr::Column(Column { relation: None, name, .. }) = &expr else { return Ok(Transformed::no(expr)) };
        Ok(match read.qualified_field_with_unqualified_name(name) {
            Ok((Some(relation), _)) => Transformed::yes(Expr::Column(Column::new(Some(relation.clone()), name))),
            _ => Transformed::no(expr),
        })
    })?;
    *key = completed.data;
    Ok(completed.transformed)
}
