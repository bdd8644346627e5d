//! Which attributes are measured, and the numbers that rows have of them.
//!
//! A row is measured by the first number under the attribute. What is there and no finite number is left out, and said to be.

use arrow::array::RecordBatch;

use super::super::facets::Source;
use super::super::language::field;
use super::super::question::QueryError;
use super::amount::Amount;
use super::column::Column;
use super::measure::{Measure, Statistic};
use crate::attributes::Found;
use crate::store::Signal;

/// All measures that were asked for, and the attributes that they are about, each once.
#[derive(Debug)]
pub(super) struct Numbers {
    measures: Vec<(Measure, Option<usize>)>,
    fields: Vec<Field>,
}

#[derive(Debug)]
struct Field {
    name: String,
    source: Source,
    /// Whether a quantile is asked for.
    is_sized: bool,
}

/// What a row has under an attribute.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    /// Nothing.
    None,
    /// Something that is no finite number.
    Other,
    /// A number; with true its size matters, not only its sum.
    Is(f64, bool),
}

/// Reads the numbers of one batch.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    columns: Vec<(Column<'a>, bool)>,
    numbers: Vec<Number>,
}

impl Numbers {
    pub(super) fn new(signal: Signal, measures: &[Measure]) -> Result<Self, QueryError> {
        let mut numbers = Self { measures: Vec::new(), fields: Vec::new() };
        for measure in measures {
            let place = match measure {
                Measure::Of(statistic, name) => Some(numbers.place(signal, *statistic, name)?),
                _ => None,
            };
            numbers.measures.push((measure.clone(), place));
        }
        Ok(numbers)
    }

    fn place(&mut self, signal: Signal, statistic: Statistic, name: &str) -> Result<usize, QueryError> {
        let is_sized = matches!(statistic, Statistic::Quantile(_));
        if let Some((place, known)) = self.fields.iter_mut().enumerate().find(|(_, known)| known.name == name) {
            known.is_sized |= is_sized;
            return Ok(place);
        }
        let refuse = |reason: String| QueryError::Invalid(format!("cannot compute {statistic}({name}): {reason}"));
        let field = field(signal, name).map_err(refuse)?;
        let source = Source::new(signal, &field).filter(|_| field.is_attribute());
        let source =
            source.ok_or_else(|| refuse(format!("`{name}` is no attribute, only those and the duration of spans are measured")))?;
        self.fields.push(Field { name: name.to_owned(), source, is_sized });
        Ok(self.fields.len() - 1)
    }

    /// Whether no attribute is measured.
    pub(super) fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Measures with the place of what they are about.
    pub(super) fn measures(&self) -> impl Iterator<Item = (&Measure, Option<usize>)> {
        self.measures.iter().map(|(measure, place)| (measure, *place))
    }

    /// Attributes as they were named.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|field| field.name.as_str())
    }

    /// Columns that a reader needs.
    pub(super) fn columns(&self) -> impl Iterator<Item = &'static str> {
        self.fields.iter().flat_map(|field| field.source.columns())
    }

    /// Attributes of the record that a reader looks up.
    pub(super) fn keys(&self) -> impl Iterator<Item = &String> {
        self.fields.iter().flat_map(|field| field.source.keys())
    }

    pub(super) fn reader<'a>(&'a self, batch: &'a RecordBatch) -> Result<Reader<'a>, QueryError> {
        let column = |field: &'a Field| Ok((Column::of(batch, &field.source)?, field.is_sized));
        let columns: Vec<_> = self.fields.iter().map(column).collect::<Result<_, QueryError>>()?;
        Ok(Reader { numbers: vec![Number::None; columns.len()], columns })
    }
}

impl Reader<'_> {
    /// What a row has, attribute by attribute.
    pub(super) fn read(&mut self, row: usize) -> &[Number] {
        for ((column, is_sized), number) in self.columns.iter_mut().zip(&mut self.numbers) {
            *number = Number::None;
            column.each(row, |found| {
                *number = Number::of(found, *is_sized);
                matches!(number, Number::Is(..))
            });
        }
        &self.numbers
    }
}

impl Number {
    #[expect(clippy::cast_precision_loss, reason = "what is measured of numbers is a double")]
    fn of(found: Found<'_>, is_sized: bool) -> Self {
        match found {
            Found::Int(number) => Self::Is(number as f64, is_sized),
            Found::Double(number) if number.is_finite() => Self::Is(number, is_sized),
            _ => Self::Other,
        }
    }

    pub(super) fn is_other(self) -> bool {
        self == Self::Other
    }

    pub(super) fn add_to(self, amount: &mut Amount) {
        if let Self::Is(number, is_sized) = self {
            amount.add(number, is_sized);
        }
    }
}
