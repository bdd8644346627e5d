//! Joins and unnesting pause, and end with their statement.
//!
//! The engine's operators run until they have a batch, and whoever consumes one asks for the next at once. A join whose condition refuses every pair,
//! or one that only marks which rows have a partner, has no batch for as long as it takes, which may be hours: the statement would not
//! notice that its time is over, its place would not be free, and no other statement would get this thread. So the finished plan
//! gets a [`Pausing`] above each of them, which lets others run when it was asked for long enough, and one below the side that a join reads
//! row by row, which gives it so few rows at a time that it comes back soon. Conditions of joins are `guarded`: many rows may have the same key, and
//! even one row may have more partners than there is time for.
//!
//! What remains is one evaluation of a condition, of at most a batch of pairs.

use std::fmt::{Formatter, Result as Written};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::{Transformed, TreeNode as _, TreeNodeRecursion};
use datafusion::common::{DataFusionError, Result, internal_err};
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::joins::{HashJoinExec, HashJoinExecBuilder, NestedLoopJoinExec, NestedLoopJoinExecBuilder};
use datafusion::physical_plan::unnest::UnnestExec;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::{Stream, StreamExt as _};

use self::guarded::guarded;
use self::slices::Slices;
use super::super::scan::Control;

mod guarded;
mod slices;

/// How long one statement runs before others may.
const TURN: Duration = Duration::from_millis(10);

/// The plan with every join and unnesting pausing now and then, until `control` ends it. Other plans stay as they are.
pub(super) fn pausing(plan: Arc<dyn ExecutionPlan>, control: &Arc<Control>) -> Result<Arc<dyn ExecutionPlan>> {
    let paused = plan.transform_up(|node| {
        if node.children().len() < 2 && !node.is::<UnnestExec>() {
            return Ok(Transformed::no(node));
        }
        let node = coming_back(node, control)?;
        Ok(Transformed::yes(Arc::new(Pausing { input: node, control: control.clone(), in_slices: false }) as Arc<dyn ExecutionPlan>))
    });
    paused.map(|paused| paused.data)
}

/// A join that may have nothing to say for long, so that it comes back to its right side again and again. Both kinds keep the left side in memory.
fn coming_back(node: Arc<dyn ExecutionPlan>, control: &Arc<Control>) -> Result<Arc<dyn ExecutionPlan>> {
    let in_slices = |input: &Arc<dyn ExecutionPlan>| -> Arc<dyn ExecutionPlan> {
        Arc::new(Pausing { input: input.clone(), control: control.clone(), in_slices: true })
    };
    if let Some(join) = node.downcast_ref::<HashJoinExec>() {
        let filter = join.filter().map(|filter| guarded(filter, control));
        let sides = vec![join.left().clone(), in_slices(join.right())];
        return HashJoinExecBuilder::from(join).with_filter(filter).with_new_children(sides)?.build_exec();
    }
    if let Some(join) = node.downcast_ref::<NestedLoopJoinExec>() {
        let filter = join.filter().map(|filter| guarded(filter, control));
        let builder = NestedLoopJoinExecBuilder::new(join.left().clone(), in_slices(join.right()), *join.join_type());
        let join = builder.with_filter(filter).with_projection_ref(join.projection().clone()).build()?;
        return Ok(Arc::new(join));
    }
    Ok(node)
}

/// Hands on what its input gives, with pauses.
#[derive(Debug)]
struct Pausing {
    input: Arc<dyn ExecutionPlan>,
    control: Arc<Control>,
    /// Whether batches are cut as small as whoever takes them needs to come back soon.
    in_slices: bool,
}

// === impl Pausing ===

impl DisplayAs for Pausing {
    fn fmt_as(&self, _form: DisplayFormatType, f: &mut Formatter<'_>) -> Written {
        f.write_str("Pausing")
    }
}

impl ExecutionPlan for Pausing {
    fn name(&self) -> &'static str {
        "Pausing"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(&self, _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let (Some(input), true) = (children.pop(), children.is_empty()) else { return internal_err!("Pausing has one input") };
        Ok(Arc::new(Self { input, control: self.control.clone(), in_slices: self.in_slices }))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        Ok(Box::pin(PausingStream {
            input: self.input.execute(partition, context)?,
            control: self.control.clone(),
            since: None,
            slices: self.in_slices.then(Slices::default),
        }))
    }
}

/// What a [`Pausing`] hands on.
struct PausingStream {
    input: SendableRecordBatchStream,
    control: Arc<Control>,
    /// When it was asked first after the last pause, its own or another's. Whoever has paused goes on at least one step, however slow the machine is.
    since: Option<Instant>,
    slices: Option<Slices>,
}

// === impl PausingStream ===

impl PausingStream {
    fn poll_batch(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<RecordBatch>>> {
        let Some(slices) = &mut self.slices else { return self.input.poll_next_unpin(context) };
        loop {
            if let Some(slice) = slices.next() {
                return Poll::Ready(Some(Ok(slice)));
            }
            match ready!(self.input.poll_next_unpin(context)) {
                Some(Ok(batch)) => slices.hold(batch),
                end => return Poll::Ready(end),
            }
        }
    }
}

impl Stream for PausingStream {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(slices) = &mut self.slices {
            slices.taken();
        }
        if let Err(error) = self.control.check() {
            return Poll::Ready(Some(Err(DataFusionError::External(Box::new(error)))));
        }
        let since = *self.since.get_or_insert_with(Instant::now);
        if since.elapsed() > TURN {
            self.since = None;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let batch = self.poll_batch(context);
        if batch.is_pending() {
            self.since = None;
        }
        batch
    }
}

impl RecordBatchStream for PausingStream {
    fn schema(&self) -> SchemaRef {
        self.input.schema()
    }
}
