//! How a text is read as a number or truth value, and how these are shown as text: the same for every value of a statement.

use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, BooleanArray, Float64Array, StringArray};
use arrow::compute::{CastOptions, cast, cast_with_options};
use arrow::datatypes::{DataType, Float64Type};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExpressionPlacement, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// What is made of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Form {
    /// The number that a text reads as. What is none, and not-a-number itself, is NULL; what is no text stays.
    Number,
    /// The truth value that a text shows; anything else is NULL.
    Truth,
    /// The text that an attribute with this number or truth value is shown as; NULL for not-a-number.
    Shown,
}

/// A function that makes it.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Reading {
    form: Form,
    signature: Signature,
}

impl Form {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::Truth => "truth",
            Self::Shown => "shown",
        }
    }

    pub(super) fn function(self) -> ScalarUDF {
        ScalarUDF::from(Reading { form: self, signature: Signature::any(1, Volatility::Immutable) })
    }

    /// It, of an expression. Of a value that the statement has, at once: the indexes know texts.
    pub(super) fn of(self, expr: Expr) -> Result<Expr> {
        if let Expr::Literal(value, None) = &expr {
            return Ok(Expr::Literal(ScalarValue::try_from_array(&self.made(&value.to_array()?)?, 0)?, None));
        }
        Ok(self.function().call(vec![expr]))
    }

    fn made(self, values: &ArrayRef) -> Result<ArrayRef> {
        Ok(match self {
            Self::Number if is_text(values.data_type()) => {
                let numbers = cast_with_options(values, &DataType::Float64, &LENIENT)?;
                let numbers: Float64Array = numbers.as_primitive::<Float64Type>().unary_opt(|number| (!number.is_nan()).then_some(number));
                Arc::new(numbers)
            }
            Self::Number => values.clone(),
            Self::Truth => {
                let texts = cast(values, &DataType::Utf8)?;
                let truth = |text: Option<&str>| match text {
                    Some("true") => Some(true),
                    Some("false") => Some(false),
                    _ => None,
                };
                Arc::new(texts.as_string::<i32>().iter().map(truth).collect::<BooleanArray>())
            }
            Self::Shown if is_fraction(values.data_type()) => {
                let numbers = cast_with_options(values, &DataType::Float64, &LENIENT)?;
                // Minus zero is shown with its sign, and rare.
                let shown = |number: Option<f64>| number.filter(|number| !number.is_nan()).map(|number| (number + 0.0).to_string());
                Arc::new(numbers.as_primitive::<Float64Type>().iter().map(shown).collect::<StringArray>())
            }
            Self::Shown => cast(values, &DataType::Utf8)?,
        })
    }
}

impl ScalarUDFImpl for Reading {
    fn name(&self) -> &str {
        self.form.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, of: &[DataType]) -> Result<DataType> {
        Ok(match (self.form, of) {
            (Form::Number, [of]) if is_text(of) => DataType::Float64,
            (Form::Number, [of]) => of.clone(),
            (Form::Truth, [_]) => DataType::Boolean,
            (Form::Shown, [_]) => DataType::Utf8,
            _ => return plan_err!("{} takes one value", self.name()),
        })
    }

    /// With the attribute that it reads: what a join compares is then a column, which it needs for `NOT IN`.
    fn placement(&self, of: &[ExpressionPlacement]) -> ExpressionPlacement {
        match of {
            [ExpressionPlacement::MoveTowardsLeafNodes] => ExpressionPlacement::MoveTowardsLeafNodes,
            _ => ExpressionPlacement::KeepInPlace,
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match args.args.as_slice() {
            [ColumnarValue::Array(values)] => Ok(ColumnarValue::Array(self.form.made(values)?)),
            [ColumnarValue::Scalar(value)] => {
                Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&self.form.made(&value.to_array()?)?, 0)?))
            }
            _ => plan_err!("{} takes one value", self.name()),
        }
    }
}

/// What cannot be read is NULL.
pub(super) const LENIENT: CastOptions<'static> = CastOptions { safe: true, format_options: arrow::util::display::FormatOptions::new() };

pub(super) fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

/// Whether its numbers may have a fraction, which their text shows only when there is one.
fn is_fraction(data_type: &DataType) -> bool {
    data_type.is_floating() || matches!(data_type, DataType::Decimal128(_, scale) | DataType::Decimal256(_, scale) if *scale != 0)
}
