//! The condition of a join, which is asked of no more pairs when its statement has ended.

use std::fmt::{Display, Formatter, Result as Written};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, FieldRef, Schema};
use datafusion::common::{DataFusionError, Result, internal_err};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::joins::utils::JoinFilter;

use super::super::super::scan::Control;

/// A condition that fails when its statement has ended. It reads as what it guards.
#[derive(Debug)]
struct Guarded {
    condition: Arc<dyn PhysicalExpr>,
    control: Arc<Control>,
}

/// The filter, asking `control` before each batch of pairs.
pub(super) fn guarded(filter: &JoinFilter, control: &Arc<Control>) -> JoinFilter {
    let guarded = Guarded { condition: filter.expression().clone(), control: control.clone() };
    JoinFilter::new(Arc::new(guarded), filter.column_indices().to_vec(), filter.schema().clone())
}

// === impl Guarded ===

impl PartialEq for Guarded {
    fn eq(&self, other: &Self) -> bool {
        self.condition.eq(&other.condition)
    }
}

impl Eq for Guarded {}

impl Hash for Guarded {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.condition.hash(state);
    }
}

impl Display for Guarded {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        self.condition.fmt(f)
    }
}

impl PhysicalExpr for Guarded {
    fn data_type(&self, schema: &Schema) -> Result<DataType> {
        self.condition.data_type(schema)
    }

    fn nullable(&self, schema: &Schema) -> Result<bool> {
        self.condition.nullable(schema)
    }

    fn return_field(&self, schema: &Schema) -> Result<FieldRef> {
        self.condition.return_field(schema)
    }

    fn evaluate(&self, pairs: &RecordBatch) -> Result<ColumnarValue> {
        self.control.check().map_err(|error| DataFusionError::External(Box::new(error)))?;
        self.condition.evaluate(pairs)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.condition]
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        let Some(condition) = children.pop() else { return internal_err!("a guarded condition has one part") };
        Ok(Arc::new(Self { condition, control: self.control.clone() }))
    }

    fn fmt_sql(&self, f: &mut Formatter<'_>) -> Written {
        self.condition.fmt_sql(f)
    }
}
