//! What a statement may ask for before it is planned.
//!
//! Planning cannot be interrupted, and its time, memory and stack grow with the statement: everything that nests or joins is bounded
//! here. Lists of values and of columns are not, because they are flat.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use datafusion::common::DataFusionError;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{ObjectName, Query, Visit as _, Visitor, visit_relations};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

use super::super::question::QueryError;

/// Functions whose result is as long as a number says, far beyond the memory of queries, which does not count them.
pub(super) const UNBOUNDED_FUNCTIONS: [&str; 9] =
    ["repeat", "lpad", "rpad", "array_repeat", "list_repeat", "array_resize", "list_resize", "range", "generate_series"];

/// Operators and keywords of a statement: one of them may nest everything before it one deeper.
const MAX_OPERATORS: usize = 600;
/// Tables that a statement names, each as often as it does.
const MAX_TABLES: usize = 50;
/// Steps of a plan, with those of tables that `WITH` names counted wherever they are used.
const MAX_STEPS: usize = 1_000;

/// Reads a statement, before which so many bytes stood.
pub(super) fn statement(state: &SessionState, sql: &str, before: usize) -> Result<Statement, QueryError> {
    check_tokens(sql, before)?;
    let dialect = state.config_options().sql_parser.dialect;
    let statement = state.sql_to_statement(sql, &dialect).map_err(|error| super::mistake::locate(&error, sql, before, state))?;
    let mut tables = 0;
    let counted = count_tables(&statement, &mut tables);
    if counted.is_break() {
        return Err(QueryError::Invalid(format!("an SQL statement names at most {MAX_TABLES} tables")));
    }
    if unfolded(&statement) > MAX_STEPS {
        return Err(too_many_steps());
    }
    Ok(statement)
}

/// Refuses plans that take too long to make ready.
pub(super) fn check_plan(plan: &LogicalPlan) -> Result<(), QueryError> {
    let (mut steps, mut tables) = (0, 0);
    let walked = plan.apply_with_subqueries(|step| {
        steps += 1;
        tables += usize::from(matches!(step, LogicalPlan::TableScan(_)));
        let go_on = steps <= MAX_STEPS && tables <= MAX_TABLES;
        Ok::<_, DataFusionError>(if go_on { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
    });
    walked.map_err(|error| super::explain(&error))?;
    if tables > MAX_TABLES {
        return Err(QueryError::Invalid(format!("an SQL statement reads at most {MAX_TABLES} tables")));
    }
    if steps > MAX_STEPS {
        return Err(too_many_steps());
    }
    Ok(())
}

fn too_many_steps() -> QueryError {
    QueryError::Invalid(format!("the SQL statement needs more than {MAX_STEPS} steps; make it simpler"))
}

/// What can be said of a statement before it is parsed, in better words than a parser has.
fn check_tokens(sql: &str, before: usize) -> Result<(), QueryError> {
    // What cannot be taken apart is refused by the parser, with the place.
    let Ok(tokens) = Tokenizer::new(&GenericDialect {}, sql).tokenize_with_location() else { return Ok(()) };
    let mut said = tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_) | Token::EOF));
    let wrong = |token: &TokenWithSpan, message: &str| {
        let (start, end) = (token.span.start, token.span.end);
        super::mistake::at(sql, before, (start.line, start.column), (end.line, end.column), message)
    };
    if let Some(first) = said.clone().next().filter(|token| matches!(&token.token, Token::Word(word) if WRITES.contains(&word.keyword))) {
        return Err(wrong(first, super::READ_ONLY));
    }
    let mut begin = said.clone();
    if let (Some(Token::Word(first)), Some(second)) = (begin.next().map(|token| &token.token), begin.next())
        && first.keyword == Keyword::SHOW
        && !matches!(&second.token, Token::Word(word) if matches!(word.keyword, Keyword::TABLES | Keyword::COLUMNS))
    {
        return Err(wrong(second, super::READ_ONLY));
    }
    if let Some(sample) = said.clone().find(|token| matches!(&token.token, Token::Word(word) if word.keyword == Keyword::TABLESAMPLE)) {
        return Err(wrong(sample, "there are no samples; narrow the time instead, such as WHERE start_time >= …"));
    }
    if said.any(|token| token.token == Token::SemiColon)
        && let Some(second) = said.find(|token| token.token != Token::SemiColon)
    {
        return Err(wrong(second, "a second statement begins here; send one at a time"));
    }
    if tokens.iter().filter(|token| nests(&token.token)).count() > MAX_OPERATORS {
        return Err(QueryError::Invalid(format!(
            "an SQL statement has at most {MAX_OPERATORS} operators and keywords; a long list of values is written with IN"
        )));
    }
    Ok(())
}

/// Statements that begin so change something, or would.
const WRITES: [Keyword; 22] = [
    Keyword::INSERT,
    Keyword::UPDATE,
    Keyword::DELETE,
    Keyword::DROP,
    Keyword::CREATE,
    Keyword::ALTER,
    Keyword::TRUNCATE,
    Keyword::MERGE,
    Keyword::REPLACE,
    Keyword::COPY,
    Keyword::LOAD,
    Keyword::SET,
    Keyword::RESET,
    Keyword::USE,
    Keyword::GRANT,
    Keyword::REVOKE,
    Keyword::BEGIN,
    Keyword::START,
    Keyword::COMMIT,
    Keyword::ROLLBACK,
    Keyword::ATTACH,
    Keyword::VACUUM,
];

/// Whether a token can be one of a long chain that nests. The parser itself bounds parentheses.
fn nests(token: &Token) -> bool {
    match token {
        Token::Word(word) => word.keyword != Keyword::NoKeyword,
        Token::Whitespace(_)
        | Token::Comma
        | Token::LParen
        | Token::RParen
        | Token::Period
        | Token::Number(..)
        | Token::SingleQuotedString(_)
        | Token::EOF => false,
        _ => true,
    }
}

fn count_tables(statement: &Statement, tables: &mut usize) -> ControlFlow<()> {
    match statement {
        Statement::Statement(statement) => visit_relations(statement.as_ref(), |_| {
            *tables += 1;
            if *tables > MAX_TABLES { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }),
        Statement::Explain(explain) => count_tables(&explain.statement, tables),
        _ => ControlFlow::Continue(()),
    }
}

/// Tables that a statement reads, with those of queries that `WITH` names counted wherever they are used: they can double with each name.
fn unfolded(statement: &Statement) -> usize {
    match statement {
        Statement::Statement(statement) => {
            let mut unfolding = Unfolding::default();
            let _ = statement.visit(&mut unfolding);
            unfolding.tables
        }
        Statement::Explain(explain) => unfolded(&explain.statement),
        _ => 0,
    }
}

/// Counts tables query by query.
#[derive(Default)]
struct Unfolding {
    /// Queries around the place that is visited.
    open: Vec<Open>,
    tables: usize,
}

/// A query: names before which queries are still to come, names with their tables, and its own tables so far.
#[derive(Default)]
struct Open {
    expected: VecDeque<String>,
    named: Vec<(String, usize)>,
    tables: usize,
}

impl Visitor for Unfolding {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let named = query.with.iter().flat_map(|with| &with.cte_tables);
        self.open.push(Open { expected: named.map(|named| named.alias.name.value.to_lowercase()).collect(), ..Open::default() });
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _query: &Query) -> ControlFlow<()> {
        let tables = self.open.pop().map_or(0, |query| query.tables);
        match self.open.last_mut() {
            // What `WITH` names comes before everything else.
            Some(outer) => match outer.expected.pop_front() {
                Some(name) => outer.named.push((name, tables)),
                None => outer.tables = outer.tables.saturating_add(tables),
            },
            None => self.tables = self.tables.saturating_add(tables),
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        let name = relation.to_string().trim_matches('"').to_lowercase();
        let named = self.open.iter().rev().flat_map(|query| query.named.iter().rev()).find(|(known, _)| *known == name);
        let tables = named.map_or(1, |(_, tables)| (*tables).max(1));
        if let Some(query) = self.open.last_mut() {
            query.tables = query.tables.saturating_add(tables);
        }
        ControlFlow::Continue(())
    }
}
