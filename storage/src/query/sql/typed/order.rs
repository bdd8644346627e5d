//! How the number that a text reads as stands to a whole number, exactly: doubles have 53 bits, and whole numbers 64.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, Int64Array};
use arrow::compute::{cast, cast_with_options};
use arrow::datatypes::{DataType, Decimal128Type, Float64Type};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::{ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use super::reading::LENIENT;

/// Its name.
pub(super) const NAME: &str = "order_of";

/// From here on doubles leave out whole numbers.
const EXACT: i128 = 1 << 53;

/// Any whole number of 64 bits.
const WHOLE: DataType = DataType::Decimal128(38, 0);

/// Whether doubles compare with this whole number as well: no other number is rounded to it or past it.
pub(super) fn is_small(value: &ScalarValue) -> bool {
    value.cast_to(&DataType::Int64).is_ok_and(|value| matches!(value, ScalarValue::Int64(Some(n)) if i128::from(n).abs() < EXACT))
}

/// Less than, equal to or greater than zero, as the text is to the whole number; NULL where it is no number.
pub(super) fn order(text: Expr, whole: Expr) -> Expr {
    ScalarUDF::from(Order { signature: Signature::any(2, Volatility::Immutable) }).call(vec![text, whole])
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Order {
    signature: Signature,
}

impl ScalarUDFImpl for Order {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let are_values = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let [texts, wholes] = &ColumnarValue::values_to_arrays(&args.args)?[..] else { return plan_err!("{NAME} takes two values") };
        let orders: ArrayRef = Arc::new(orders(texts, wholes)?);
        Ok(if are_values { ColumnarValue::Scalar(ScalarValue::try_from_array(&orders, 0)?) } else { ColumnarValue::Array(orders) })
    }
}

fn orders(texts: &ArrayRef, wholes: &ArrayRef) -> Result<Int64Array> {
    let texts = cast(texts, &DataType::Utf8)?;
    let doubles = cast_with_options(&texts, &DataType::Float64, &LENIENT)?;
    let (texts, doubles) = (texts.as_string::<i32>(), doubles.as_primitive::<Float64Type>());
    let wholes = cast(wholes, &WHOLE)?;
    let wholes = wholes.as_primitive::<Decimal128Type>();
    let order = |row: usize| {
        if texts.is_null(row) || wholes.is_null(row) {
            return None;
        }
        let double = (!doubles.is_null(row)).then(|| doubles.value(row));
        let ordering = ordering(texts.value(row), double?, wholes.value(row))?;
        Some(ordering as i64)
    };
    Ok((0..texts.len()).map(order).collect())
}

/// `double` is what the text reads as.
fn ordering(text: &str, double: f64, whole: i128) -> Option<Ordering> {
    if let Ok(number) = text.parse::<i128>() {
        return Some(number.cmp(&whole));
    }
    if double.is_nan() {
        return None;
    }
    // What is cut off decides where the rest is equal. Beyond 128 bits the ends are as good: `whole` has 64.
    #[expect(clippy::cast_possible_truncation, reason = "it ends at the ends")]
    let floor = double.floor() as i128;
    Some(floor.cmp(&whole).then(if double.floor() < double { Ordering::Greater } else { Ordering::Equal }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cmp::Ordering::{Equal, Greater, Less};

    #[test]
    fn numbers_beyond_doubles_are_told_apart() {
        const BIG: i128 = 9_007_199_254_740_992;
        for (text, whole, is) in [
            ("9007199254740993", BIG, Some(Greater)),
            ("9007199254740992", BIG, Some(Equal)),
            ("9007199254740991", BIG, Some(Less)),
            ("9.007199254740992e15", BIG, Some(Equal)),
            ("0.5", 0, Some(Greater)),
            ("-0.5", 0, Some(Less)),
            ("-0.5", -1, Some(Greater)),
            ("1e300", i128::from(u64::MAX), Some(Greater)),
            ("-inf", i128::from(i64::MIN), Some(Less)),
            ("NaN", 0, None),
        ] {
            assert_eq!(ordering(text, text.parse().unwrap(), whole), is, "{text} and {whole}");
        }
    }

    #[test]
    fn what_is_no_number_has_no_order() {
        let texts: ArrayRef = Arc::new(arrow::array::StringArray::from(vec![Some("x"), None, Some("3"), Some("")]));
        let wholes: ArrayRef = Arc::new(Int64Array::from(vec![1, 1, 1, 1]));
        assert_eq!(orders(&texts, &wholes).unwrap(), Int64Array::from(vec![None, None, Some(1), None]));
    }

    #[test]
    fn small_numbers_are_left_to_doubles() {
        for (value, small) in [
            (ScalarValue::Int64(Some(500)), true),
            (ScalarValue::Int64(Some((1 << 53) - 1)), true),
            (ScalarValue::Int64(Some(1 << 53)), false),
            (ScalarValue::Int64(Some(i64::MIN)), false),
            (ScalarValue::UInt64(Some(u64::MAX)), false),
        ] {
            assert_eq!(is_small(&value), small, "{value}");
        }
    }
}
