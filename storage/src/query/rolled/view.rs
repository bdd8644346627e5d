//! Rows as items, and what cells tell apart as rows.

use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, FixedSizeBinaryArray, Int32Array, Int64Array, RecordBatch, StringViewArray, StringViewBuilder};
use arrow::datatypes::{DataType, Field, Schema};

use super::super::columns;
use super::super::question::QueryError;
use super::{Amount, Item, Question, Told};
use crate::rollup::is_entry;
use crate::schema::{column, time_column};
use crate::store::Signal;

/// The columns of a batch that items are made from.
#[derive(Debug)]
pub(in super::super) struct View<'a> {
    /// Nothing when only status and time matter.
    services: Option<&'a StringViewArray>,
    times: &'a Int64Array,
    statuses: &'a Int32Array,
    spans: Option<SpanView<'a>>,
}

#[derive(Debug)]
struct SpanView<'a> {
    kinds: &'a Int32Array,
    names: Option<&'a StringViewArray>,
    more: Option<More<'a>>,
}

/// Nothing of it matters when only status and time do.
#[derive(Debug)]
struct More<'a> {
    parents: &'a FixedSizeBinaryArray,
    flags: &'a Int64Array,
    durations: &'a Int64Array,
}

/// What [`View::of`] needs.
pub(in super::super) fn columns(question: &Question<'_>) -> Vec<&'static str> {
    let signal = question.signal;
    let mut wanted = vec![time_column(signal), status(signal)];
    wanted.extend((!question.bare).then_some(column::SERVICE_NAME));
    if signal == Signal::Traces {
        wanted.push(column::KIND);
        wanted.extend(question.names.then_some(column::NAME));
        if !question.bare {
            wanted.extend([column::PARENT_SPAN_ID, column::FLAGS, column::DURATION]);
        }
    }
    wanted
}

/// Where the number lies by which rows are told apart most.
pub(super) fn status(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => column::STATUS_CODE,
        Signal::Logs => column::SEVERITY_NUMBER,
    }
}

/// Services, names, kinds and statuses as the columns that filters read.
pub(super) fn told_apart<'t>(signal: Signal, told: impl Iterator<Item = (&'t str, &'t str, i32, i32)>) -> Result<RecordBatch, QueryError> {
    let (mut services, mut names) = (StringViewBuilder::new(), StringViewBuilder::new());
    let (mut kinds, mut statuses) = (Vec::new(), Vec::new());
    for (service, name, kind, status) in told {
        services.append_value(service);
        names.append_value(name);
        kinds.push(kind);
        statuses.push(status);
    }
    let fields = [
        (column::SERVICE_NAME, DataType::Utf8View),
        (column::NAME, DataType::Utf8View),
        (column::KIND, DataType::Int32),
        (status(signal), DataType::Int32),
    ];
    let columns: Vec<ArrayRef> = vec![
        Arc::new(services.finish()),
        Arc::new(names.finish()),
        Arc::new(Int32Array::from(kinds)),
        Arc::new(Int32Array::from(statuses)),
    ];
    let schema = Schema::new(fields.map(|(name, data_type)| Field::new(name, data_type, false)).to_vec());
    RecordBatch::try_new(Arc::new(schema), columns).map_err(|error| QueryError::Internal(error.to_string()))
}

impl<'a> View<'a> {
    pub(in super::super) fn of(question: &Question<'_>, batch: &'a RecordBatch) -> Result<Self, QueryError> {
        let more = || -> Result<_, QueryError> {
            Ok(More {
                parents: columns::id(batch, column::PARENT_SPAN_ID)?,
                flags: columns::long(batch, column::FLAGS)?,
                durations: columns::long(batch, column::DURATION)?,
            })
        };
        let spans = || -> Result<_, QueryError> {
            Ok(SpanView {
                kinds: columns::int(batch, column::KIND)?,
                names: question.names.then(|| columns::text(batch, column::NAME)).transpose()?,
                more: (!question.bare).then(more).transpose()?,
            })
        };
        Ok(Self {
            services: (!question.bare).then(|| columns::text(batch, column::SERVICE_NAME)).transpose()?,
            times: columns::long(batch, time_column(question.signal))?,
            statuses: columns::int(batch, status(question.signal))?,
            spans: if question.signal == Signal::Traces { Some(spans()?) } else { None },
        })
    }

    pub(in super::super) fn item(&self, row: usize) -> Item<'a> {
        let item = Item {
            signal: if self.spans.is_some() { Signal::Traces } else { Signal::Logs },
            service: self.services.map_or("", |services| services.value(row)),
            name: "",
            kind: 0,
            status: self.statuses.value(row),
            entry: false,
            time: columns::nanos(self.times, row),
            amount: Amount::Row(0),
        };
        let Some(spans) = &self.spans else { return item };
        let name = spans.names.map_or("", |names| names.value(row));
        let item = Item { name, kind: spans.kinds.value(row), ..item };
        let Some(more) = &spans.more else { return item };
        let entry = is_entry(more.parents.is_valid(row), more.flags.value(row));
        Item { entry, amount: Amount::Row(columns::nanos(more.durations, row)), ..item }
    }

    pub(super) fn owned(&self, row: usize) -> Told {
        let item = self.item(row);
        Told {
            service: item.service.into(),
            name: item.name.into(),
            kind: item.kind,
            status: item.status,
            entry: item.entry,
            start: item.time,
            duration: if let Amount::Row(duration) = item.amount { duration } else { 0 },
        }
    }
}
