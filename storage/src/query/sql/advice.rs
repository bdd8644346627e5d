//! What a statement hardly means although it is right as SQL: words that no row has, and an order that is by letters.
//!
//! Owns the columns that hold words of a closed set, and the way from an expression to the column of a table that it hands on unchanged. A
//! column that was computed, such as `upper(severity)`, is left alone. The statement is answered as it is written.

use datafusion::common::tree_node::{TreeNode as _, TreeNodeRecursion};
use datafusion::common::{Column, DataFusionError};
use datafusion::logical_expr::{BinaryExpr, Case, Expr, LogicalPlan, Operator};
use datafusion::scalar::ScalarValue;

use super::super::language::nearest;
use super::TABLES;
use crate::model::Severity;

/// A column that holds one of these words.
struct Words {
    column: &'static str,
    all: &'static [&'static str],
}

const WORDS: [Words; 3] = [
    Words { column: SEVERITY, all: &["trace", "debug", "info", "warn", "error", "fatal", "unknown"] },
    Words { column: "kind", all: &["unspecified", "internal", "server", "client", "producer", "consumer"] },
    Words { column: "status", all: &["unset", "ok", "error"] },
];

const SEVERITY: &str = "severity";
/// Severities from the least on, each with the first number of its range.
const SEVERITIES: [Severity; 6] = [Severity::Trace, Severity::Debug, Severity::Info, Severity::Warn, Severity::Error, Severity::Fatal];
/// How other programs begin these words.
const BEGINNINGS: [&str; 3] = ["span_kind_", "status_code_", "severity_number_"];
/// Sentences about one statement.
const MAX_SENTENCES: usize = 5;
/// Characters of a text in a sentence.
const MAX_SHOWN: usize = 40;

/// What is to be said of a plan before it is changed, each sentence once.
pub(super) fn of(plan: &LogicalPlan) -> Vec<String> {
    let mut said = Vec::new();
    let walked = plan.apply_with_subqueries(|step| {
        step.apply_expressions(|expr| {
            expr.apply(|expr| {
                for sentence in about(expr, step) {
                    if !said.contains(&sentence) && said.len() < MAX_SENTENCES {
                        said.push(sentence);
                    }
                }
                Ok(if said.len() < MAX_SENTENCES { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
            })
        })
    });
    // Nothing in it fails, and advice is no reason to refuse a statement.
    walked.map_or_else(|_: DataFusionError| Vec::new(), |_| said)
}

fn about(expr: &Expr, step: &LogicalPlan) -> Vec<String> {
    let words = |expr: &Expr| words_of(expr, step);
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let met = words(left).map(|words| (words, *op, right)).or_else(|| Some((words(right)?, op.swap()?, left)));
            met.and_then(|(words, op, value)| compared(words, op, literal(value)?)).into_iter().collect()
        }
        Expr::InList(list) => words(&list.expr).map_or_else(Vec::new, |words| none_such(words, &list.list)),
        Expr::Between(between) => {
            let bound = |bound, op| compared(words(&between.expr)?, op, literal(bound)?);
            bound(&between.low, Operator::GtEq).or_else(|| bound(&between.high, Operator::LtEq)).into_iter().collect()
        }
        Expr::Like(like) if !like.case_insensitive => {
            let pattern = literal(&like.pattern).and_then(text);
            let pattern = pattern.filter(|pattern| pattern.chars().any(char::is_uppercase));
            words(&like.expr).zip(pattern).map(|(words, pattern)| small(words, pattern, &pattern.to_lowercase())).into_iter().collect()
        }
        Expr::Case(Case { expr: Some(chosen), when_then_expr, .. }) => {
            words(chosen).map_or_else(Vec::new, |words| none_such(words, when_then_expr.iter().map(|(when, _)| when.as_ref())))
        }
        Expr::AggregateFunction(call) if ["min", "max"].contains(&call.func.name()) => {
            let first = call.params.args.first().and_then(words).filter(|words| words.column == SEVERITY);
            first.map(|_| format!("{BY_LETTERS}; {}(severity_number) is by weight", call.func.name())).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// Of a comparison with a value that is written.
fn compared(words: &Words, op: Operator, value: &ScalarValue) -> Option<String> {
    let is_ordered = matches!(op, Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq);
    match op {
        Operator::Eq | Operator::NotEq | Operator::IsDistinctFrom | Operator::IsNotDistinctFrom => no_such(words, value),
        _ if is_ordered && words.column == SEVERITY => Some(by_letters(op, value)),
        _ => None,
    }
}

/// Of an order that is by letters: what compares by weight.
fn by_letters(op: Operator, value: &ScalarValue) -> String {
    if value.data_type().is_numeric() {
        return format!("severity is a word and never reads as a number; write severity_number {op} {value}");
    }
    let meant = text(value).and_then(|text| meant(SEVERITY, text));
    let severity = meant.and_then(|word| SEVERITIES.into_iter().find(|severity| severity.as_str() == word));
    match severity.map(Severity::first_number) {
        // A range has four numbers.
        Some(first) if matches!(op, Operator::Gt | Operator::LtEq) => {
            format!("{BY_LETTERS}; by weight write severity_number {op} {}", first + 3)
        }
        Some(first) => format!("{BY_LETTERS}; by weight write severity_number {op} {first}"),
        None => format!("{BY_LETTERS}; by weight compare severity_number"),
    }
}

fn none_such<'a>(words: &Words, values: impl IntoIterator<Item = &'a Expr>) -> Vec<String> {
    values.into_iter().filter_map(|value| no_such(words, literal(value)?)).take(MAX_SENTENCES).collect()
}

/// Of a value that no row has.
fn no_such(words: &Words, value: &ScalarValue) -> Option<String> {
    let (column, all) = (words.column, words.all.join(", "));
    let Some(text) = text(value) else {
        let other = if column == SEVERITY { "; severity_number has the numbers" } else { "" };
        return value.data_type().is_numeric().then(|| format!("no row has {column} {value}: it is one of {all}{other}"));
    };
    if words.all.contains(&text) {
        return None;
    }
    Some(match meant(column, text) {
        Some(word) if word == text.to_lowercase() => small(words, text, word),
        Some(word) => format!("no row has {column} '{}': it is one of {all}; write '{word}'", shown(text)),
        None => format!("no row has {column} '{}': it is one of {all}", shown(text)),
    })
}

fn small(words: &Words, text: &str, small: &str) -> String {
    format!("no row has {} '{}': it is written in small letters, '{}'", words.column, shown(text), shown(small))
}

/// The word of a column that a text means.
fn meant(column: &str, text: &str) -> Option<&'static str> {
    let all = WORDS.iter().find(|words| words.column == column)?.all;
    let lower = text.to_lowercase();
    let word = BEGINNINGS.iter().find_map(|begin| lower.strip_prefix(begin)).unwrap_or(&lower);
    let found = all.iter().copied().find(|known| *known == word);
    found.or_else(|| nearest(word, all.iter().copied()).into_iter().find_map(|near| all.iter().copied().find(|known| *known == near)))
}

fn shown(text: &str) -> String {
    let end = text.char_indices().nth(MAX_SHOWN).map(|(end, _)| end);
    end.and_then(|end| text.get(..end)).map_or_else(|| text.to_owned(), |begin| format!("{begin}…"))
}

fn literal(expr: &Expr) -> Option<&ScalarValue> {
    match expr {
        Expr::Literal(value, _) => Some(value),
        Expr::Alias(alias) => literal(&alias.expr),
        _ => None,
    }
}

fn text(value: &ScalarValue) -> Option<&str> {
    value.try_as_str().flatten()
}

/// The words that an expression of a step can be, when it is a column of words.
fn words_of(expr: &Expr, step: &LogicalPlan) -> Option<&'static Words> {
    let column = column(expr)?;
    let input = step.inputs().into_iter().find(|input| input.schema().maybe_index_of_column(column).is_some())?;
    let name = origin(input, column.clone())?;
    WORDS.iter().find(|words| words.column == name)
}

fn column(expr: &Expr) -> Option<&Column> {
    match expr {
        Expr::Column(column) => Some(column),
        Expr::Alias(alias) => column(&alias.expr),
        _ => None,
    }
}

/// The column of a table that a column of a plan hands on unchanged.
fn origin(mut plan: &LogicalPlan, mut wanted: Column) -> Option<String> {
    loop {
        let place = plan.schema().maybe_index_of_column(&wanted)?;
        let (expr, input) = match plan {
            LogicalPlan::TableScan(scan) => {
                let is_own = TABLES.iter().any(|(name, _)| *name == scan.table_name.table());
                return is_own.then_some(wanted.name);
            }
            LogicalPlan::Projection(step) => (step.expr.get(place)?, step.input.as_ref()),
            LogicalPlan::Aggregate(step) => (step.group_expr.get(place)?, step.input.as_ref()),
            LogicalPlan::SubqueryAlias(step) => {
                (wanted, plan) = (step.input.schema().columns().get(place)?.clone(), step.input.as_ref());
                continue;
            }
            // Rows of the others may have other words.
            LogicalPlan::Union(_) => return None,
            other => {
                plan = other.inputs().into_iter().find(|input| input.schema().maybe_index_of_column(&wanted).is_some())?;
                continue;
            }
        };
        (wanted, plan) = (column(expr)?.clone(), input);
    }
}

/// What is said of comparisons of severities first.
const BY_LETTERS: &str = "severity is compared by its letters";
