//! What an expression gives, as far as it matters when texts meet something else, and how one kind is made of another.

use arrow::datatypes::DataType;
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::TryCast;
use datafusion::logical_expr::{Cast, Expr, ExprSchemable as _};

use super::order;
use super::reading::{Form, is_text};

/// What an expression gives, as far as meetings are concerned.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Text,
    /// A text that stands in the statement.
    Written,
    Number,
    /// A whole number that doubles may not tell from others.
    Whole,
    /// A number that the planner would make another decimal of when it meets one with a point that floats.
    Decimal,
    Truth,
    Time(DataType),
    Other,
}

impl Kind {
    pub(super) fn of_type(data_type: &DataType) -> Self {
        match data_type {
            text if is_text(text) => Self::Text,
            DataType::Boolean => Self::Truth,
            decimal if decimal.is_decimal() => Self::Decimal,
            number if number.is_numeric() => Self::Number,
            DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 | DataType::Time32(_) | DataType::Time64(_) => {
                Self::Time(data_type.clone())
            }
            _ => Self::Other,
        }
    }

    pub(super) fn of(expr: &Expr, read: &DFSchema) -> Self {
        match expr.get_type(read).map_or(Self::Other, |data_type| Self::of_type(&data_type)) {
            Self::Text if is_written(expr) => Self::Written,
            Self::Number if is_whole(expr, read) => Self::Whole,
            kind => kind,
        }
    }

    pub(super) fn is_number(&self) -> bool {
        matches!(self, Self::Number | Self::Whole | Self::Decimal)
    }

    /// Whether attributes show it as a text.
    pub(super) fn is_shown(&self) -> bool {
        self.is_number() || *self == Self::Truth
    }

    pub(super) fn is_text(&self) -> bool {
        matches!(self, Self::Text | Self::Written)
    }

    pub(super) fn meets_text(&self) -> bool {
        self.is_shown() || matches!(self, Self::Time(_))
    }

    /// A text read as one of this.
    pub(super) fn read(&self, text: Expr) -> Result<Expr> {
        match self {
            Self::Number | Self::Whole | Self::Decimal => Form::Number.of(text),
            Self::Truth => Form::Truth.of(text),
            Self::Time(data_type) => Ok(Expr::TryCast(TryCast::new(Box::new(text), data_type.clone()))),
            Self::Text | Self::Written | Self::Other => Ok(text),
        }
    }

    /// One of this, beside texts that are read as such.
    pub(super) fn beside_read(&self, expr: Expr) -> Expr {
        if *self == Self::Decimal { Expr::Cast(Cast::new(Box::new(expr), DataType::Float64)) } else { expr }
    }

    /// One of this as a text.
    pub(super) fn shown(&self, expr: Expr) -> Result<Expr> {
        match self {
            Self::Number | Self::Whole | Self::Decimal | Self::Truth => Form::Shown.of(expr),
            Self::Time(_) => Ok(Expr::Cast(Cast::new(Box::new(expr), DataType::Utf8))),
            Self::Text | Self::Written | Self::Other => Ok(expr),
        }
    }
}

fn is_written(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(..) => true,
        Expr::Alias(alias) => is_written(&alias.expr),
        _ => false,
    }
}

fn is_whole(expr: &Expr, read: &DFSchema) -> bool {
    match expr {
        Expr::Alias(alias) => is_whole(&alias.expr, read),
        Expr::Literal(value, _) => value.data_type().is_integer() && !order::is_small(value),
        other => other.get_type(read).is_ok_and(|data_type| data_type.is_integer()),
    }
}
