//! Several fields and a grid in one pass over the rows that a search would find: each row is read and judged once.
//!
//! Owns what is counted together and how much it may take. Fields that roll-ups tell apart are not among the rows that are read. See
//! `docs/adr/081`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::counts::{Counting, Counts};
use super::{Facets, Field};
use crate::model::TimeRange;
use crate::query::answer::QueryStats;
use crate::query::frequent::{Chosen, Frequent};
use crate::query::grid::{Cells, Grid, Parts};
use crate::query::language::Query;
use crate::query::predicate::Predicate;
use crate::query::question::QueryError;
use crate::query::rolled::Rolls;
use crate::query::scan::{Control, Rows, Scan, Wanted};
use crate::snapshot::Snapshot;
use crate::store::Signal;

/// What is counted of what a search would find.
#[derive(Clone, Debug)]
pub struct Survey {
    /// Spans or log records.
    pub signal: Signal,
    /// The query language; empty matches everything.
    pub query: String,
    /// By the start of spans, by the time of records.
    pub range: TimeRange,
    /// At most 64 fields, any that the query language knows, each with how many of its values are told, 1 to 1,000.
    pub fields: Vec<(String, usize)>,
    /// Equal parts of the range of a [`Grid`], 1 to 200; `None` for no grid, which log records have none of.
    pub columns: Option<usize>,
}

/// What was counted.
#[derive(Debug)]
pub struct Surveyed {
    /// Of each field in order; an error where its name or its number of values is wrong.
    pub values: Vec<Result<Facets, QueryError>>,
    /// When it was asked for.
    pub grid: Option<Grid>,
}

/// What one pass counts.
struct Pass<'a> {
    fields: &'a [&'a Field],
    /// Whether a field has too many values to be counted beside others.
    aside: Vec<AtomicBool>,
    parts: Option<&'a Parts>,
    /// The values that are to be counted, where these were ranked before.
    chosen: Option<Arc<Chosen>>,
    /// Whether values are ranked.
    ranks: bool,
}

/// What one worker counted.
struct Tally {
    counts: Vec<Counts>,
    cells: Cells,
}

/// Fields of one survey.
const MAX_FIELDS: usize = 64;
/// Bytes of values that a worker keeps of several fields: as much as of two that are counted side by side.
const TOGETHER_BYTES: usize = if cfg!(test) { 4_096 } else { 18 << 20 };

/// Counts; a value counts as [`super::facets`] counts it, a cell as [`crate::query::grid()`] does.
pub(crate) fn survey(snapshot: &Snapshot, asked: &Survey, rolls: &Rolls, control: &Control) -> Result<Surveyed, QueryError> {
    if asked.fields.len() > MAX_FIELDS {
        return Err(QueryError::Invalid(format!("values of at most {MAX_FIELDS} fields are counted at once, not {}", asked.fields.len())));
    }
    let parts = match asked.columns {
        Some(_) if asked.signal == Signal::Logs => {
            return Err(QueryError::Invalid("log records have no duration, which a grid is about; ask for a histogram".to_owned()));
        }
        columns => columns.map(|columns| Parts::new(asked.range, columns)).transpose()?,
    };
    let fields: Vec<Result<Field, QueryError>> =
        asked.fields.iter().map(|(name, limit)| Field::new(asked.signal, (name, *limit))).collect();
    let (query, note) = Query::rows(asked.signal, &asked.query).map_err(QueryError::Parse)?;
    let predicate = Predicate::new(&query);
    let ask = Ask { snapshot, asked, predicate: &predicate, note, control };
    let mut told = Vec::with_capacity(fields.len());
    for field in &fields {
        told.push(match field {
            Ok(field) => field.told(snapshot, asked, &predicate, rolls, control)?.map(|facets| ask.noted(facets)),
            Err(_) => None,
        });
    }
    let open: Vec<&Field> =
        fields.iter().zip(&told).filter(|(_, told)| told.is_none()).filter_map(|(field, _)| field.as_ref().ok()).collect();
    let (counted, grid) = if open.is_empty() && parts.is_none() { (Vec::new(), None) } else { ask.count(&open, parts.as_ref())? };
    let mut counted = counted.into_iter();
    let missing = || QueryError::Internal("the values of a field were not counted".to_owned());
    let answer = |(field, told): (Result<Field, QueryError>, Option<Facets>)| {
        field.and_then(|_| told.or_else(|| counted.next()).ok_or_else(missing))
    };
    Ok(Surveyed { values: fields.into_iter().zip(told).map(answer).collect(), grid })
}

/// Rows that are read.
struct Ask<'a> {
    snapshot: &'a Snapshot,
    asked: &'a Survey,
    predicate: &'a Predicate,
    /// That the query is a part of the question only.
    note: Option<String>,
    control: &'a Control,
}

// === impl Ask ===

impl Ask<'_> {
    fn noted(&self, mut facets: Facets) -> Facets {
        facets.stats.complete &= self.note.is_none();
        facets.stats.notes.extend(self.note.clone());
        facets
    }

    /// Counts fields, in order, and cells.
    fn count(&self, fields: &[&Field], parts: Option<&Parts>) -> Result<(Vec<Facets>, Option<Grid>), QueryError> {
        let pass = Pass::new(fields, parts);
        let (tallies, stats) = self.run(&pass)?;
        let (counts, cells): (Vec<Vec<Counts>>, Vec<Cells>) = tallies.into_iter().map(|tally| (tally.counts, tally.cells)).unzip();
        let mut joined = counts.into_iter().reduce(|one, other| one.into_iter().zip(other).map(|(one, other)| one.join(other)).collect());
        let mut counted = Vec::with_capacity(fields.len());
        for (at, (field, counts)) in fields.iter().zip(joined.get_or_insert_default().drain(..)).enumerate() {
            counted.push(if counts.is_full() {
                drop(counts);
                self.most_frequent(field)?
            } else if pass.is_aside(at) {
                drop(counts);
                self.count(&[*field], None)?.0.pop().unwrap_or_default()
            } else {
                field.finish(counts, stats.clone())
            });
        }
        Ok((counted, parts.map(|parts| parts.grid(&cells, stats))))
    }

    /// Counts a field with more values than there is room for: which are the most frequent, and then those.
    fn most_frequent(&self, field: &Field) -> Result<Facets, QueryError> {
        let join = |tallies: Vec<Tally>| tallies.into_iter().flat_map(|tally| tally.counts).reduce(Counts::join).unwrap_or_default();
        let fields = [field];
        let ranked = join(self.run(&Pass { ranks: true, ..Pass::new(&fields, None) })?.0);
        let chosen = ranked.chosen(field.limit);
        drop(ranked);
        let (tallies, stats) = self.run(&Pass { chosen, ..Pass::new(&fields, None) })?;
        Ok(field.finish(join(tallies), stats))
    }

    fn run(&self, pass: &Pass<'_>) -> Result<(Vec<Tally>, QueryStats), QueryError> {
        let Self { snapshot, asked, predicate, control, .. } = *self;
        let mut scan = Scan::new(snapshot, asked.signal, asked.range, &predicate.hints, control)?;
        self.note.iter().for_each(|note| scan.note(note.clone()));
        if pass.ranks {
            scan.in_shares();
        }
        let (columns, keys) = pass.needs();
        let tallies =
            scan.fold(Wanted { columns: &columns, keys: &keys, predicate }, || pass.tally(), |tally, rows| pass.take(tally, rows))?;
        Ok((tallies, std::mem::take(&mut scan.stats)))
    }
}

// === impl Pass ===

impl<'a> Pass<'a> {
    fn new(fields: &'a [&'a Field], parts: Option<&'a Parts>) -> Self {
        Self { fields, aside: fields.iter().map(|_| AtomicBool::new(false)).collect(), parts, chosen: None, ranks: false }
    }

    /// Columns and keys of attributes that are read, each once.
    fn needs(&self) -> (Vec<&'static str>, Vec<String>) {
        let mut columns: BTreeSet<&'static str> = self.fields.iter().flat_map(|field| field.source.columns()).collect();
        columns.extend(self.parts.into_iter().flat_map(|_| Parts::COLUMNS));
        let keys: BTreeSet<&String> = self.fields.iter().flat_map(|field| field.source.keys()).collect();
        (columns.into_iter().collect(), keys.into_iter().cloned().collect())
    }

    fn tally(&self) -> Tally {
        let counting = || match &self.chosen {
            Some(chosen) => Counting::Chosen(chosen.clone()),
            None if self.ranks => Counting::Rank(Frequent::default()),
            None => Counting::All,
        };
        Tally {
            counts: self.fields.iter().map(|_| Counts::new(counting())).collect(),
            cells: self.parts.map(Parts::cells).unwrap_or_default(),
        }
    }

    fn take(&self, tally: &mut Tally, rows: &Rows<'_>) -> Result<(), QueryError> {
        for (at, field) in self.fields.iter().enumerate() {
            let Some(counts) = tally.counts.get_mut(at) else { continue };
            if self.is_aside(at) {
                *counts = Counts::default();
                continue;
            }
            // They are counted anew.
            if counts.is_full() && self.chosen.is_none() {
                continue;
            }
            field.source.count(rows.batch, &rows.alive, counts)?;
            self.make_room(&mut tally.counts);
        }
        self.parts.map_or(Ok(()), |parts| parts.count(rows.batch, &rows.alive, &mut tally.cells))
    }

    /// Puts the field with most values aside when all together take too much, to be counted by itself later.
    fn make_room(&self, counts: &mut [Counts]) {
        if counts.len() < 2 || counts.iter().map(Counts::bytes).sum::<usize>() <= TOGETHER_BYTES {
            return;
        }
        let largest = counts.iter_mut().zip(&self.aside).max_by_key(|(counts, _)| counts.bytes());
        if let Some((counts, aside)) = largest {
            *counts = Counts::default();
            aside.store(true, Ordering::Relaxed);
        }
    }

    fn is_aside(&self, at: usize) -> bool {
        self.aside.get(at).is_some_and(|aside| aside.load(Ordering::Relaxed))
    }
}
