//! What the search pages share: the form that writes queries, and what is said when a query cannot be answered.

use http::StatusCode;
use storage::QueryStats;

use super::format;
use super::link::quoted;
use crate::error::Failure;

/// Why there is no answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Two or three words.
    pub(crate) title: &'static str,
    /// What is wrong and what to do.
    pub(crate) message: String,
    /// The wrong place, when it is in the query text.
    pub(crate) caret: Option<Caret>,
    /// A better word and the address of the page with it; empty without address.
    pub(crate) suggestions: Vec<(String, String)>,
    /// Where else the text would be understood.
    pub(crate) elsewhere: Option<super::hints::Hint>,
}

/// A query text with its wrong part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Caret {
    /// Before it.
    pub(crate) before: String,
    /// The wrong part; empty at the end of the text.
    pub(crate) wrong: String,
    /// After it.
    pub(crate) after: String,
    /// The line below, that points.
    pub(crate) pointer: String,
}

/// The terms of a query that plain form controls can hold. All others stay as they are in `rest`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Builder {
    pub(crate) service: String,
    pub(crate) operation: String,
    pub(crate) status: String,
    pub(crate) severity: String,
    pub(crate) min: String,
    pub(crate) max: String,
    pub(crate) rest: String,
}

// === impl Problem ===

impl Problem {
    /// Explains a failure; `mended` gives the address of the same page with another query text.
    pub(crate) fn new(failure: &Failure, query: &str, mended: impl Fn(&str) -> String) -> Self {
        let title = match failure.status {
            StatusCode::BAD_REQUEST => "This query is not understood:",
            StatusCode::GATEWAY_TIMEOUT => "This took too long:",
            StatusCode::SERVICE_UNAVAILABLE => "Too busy:",
            _ => "This could not be answered:",
        };
        let place = failure.place.and_then(|(offset, length)| split(query, offset, length));
        let suggestions = failure.suggestions.iter().map(|word| {
            let href = place.map(|(before, _, after)| mended(&format!("{before}{word}{after}"))).unwrap_or_default();
            (word.clone(), href)
        });
        Self {
            title,
            message: sentence(&failure.message),
            suggestions: suggestions.collect(),
            elsewhere: None,
            caret: place.map(|(before, wrong, after)| Caret::new(before, wrong, after)),
        }
    }
}

impl Caret {
    fn new(before: &str, wrong: &str, after: &str) -> Self {
        let one_line = |text: &str| format::text(text).replace(['\n', '\r', '\t'], " ");
        let (before, wrong, after) = (one_line(before), one_line(wrong), one_line(after));
        let pointer = format!("{}{}", " ".repeat(before.chars().count()), "^".repeat(wrong.chars().count().max(1)));
        Self { before, wrong, after, pointer }
    }
}

fn split(query: &str, offset: usize, length: usize) -> Option<(&str, &str, &str)> {
    let before = query.get(..offset)?;
    let rest = query.get(offset..)?;
    let wrong = rest.get(..length).unwrap_or(rest);
    Some((before, wrong, rest.get(wrong.len()..).unwrap_or_default()))
}

/// With a capital, a full stop, and quotation marks in place of the backticks that programs read.
pub(crate) fn sentence(message: &str) -> String {
    let text = unticked(&format::text(message));
    let mut chars = text.chars();
    let first = chars.next();
    // gRPC is written so.
    let is_name = chars.clone().next().is_some_and(char::is_uppercase);
    let first: String = first.map(|c| if is_name { c.to_string() } else { c.to_uppercase().collect() }).unwrap_or_default();
    let end = if text.ends_with(['.', '?', '!']) { "" } else { "." };
    format!("{first}{}{end}", chars.as_str())
}

/// Pairs of backticks as quotation marks; one that is alone stays.
pub(crate) fn unticked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut rest, mut is_inside) = (text, false);
    while let Some((before, after)) = rest.split_once('`') {
        out.push_str(before);
        out.push(match is_inside {
            true => '”',
            false if after.contains('`') => '“',
            false => '`',
        });
        (rest, is_inside) = (after, !is_inside);
    }
    out + rest
}

/// What a list says below itself about how it came to be.
pub(crate) fn effort(stats: &QueryStats) -> String {
    format!(
        "{} · {} looked at",
        format::duration(u64::try_from(stats.elapsed.as_nanos()).unwrap_or(u64::MAX)),
        format::counted(stats.rows_scanned, "row", "rows")
    )
}

// === impl Builder ===

impl Builder {
    /// Takes the terms it knows out of a query text.
    pub(crate) fn parse(query: &str) -> Self {
        let mut builder = Self::default();
        let pieces = pieces(query);
        // Inside OR and parentheses a term means something else than in a form.
        if pieces.iter().any(|piece| matches!(*piece, "OR" | "NOT") || opens(piece)) {
            query.trim().clone_into(&mut builder.rest);
            return builder;
        }
        let mut rest = Vec::new();
        for piece in pieces {
            if !builder.take(piece) {
                rest.push(piece);
            }
        }
        builder.rest = rest.join(" ");
        builder
    }

    /// The query text that says the same.
    pub(crate) fn compose(&self) -> String {
        let mut terms = Vec::new();
        for (field, value) in
            [("service:", &self.service), ("name:", &self.operation), ("status:", &self.status), ("severity>=", &self.severity)]
        {
            if !value.trim().is_empty() {
                terms.push(format!("{field}{}", quoted(value.trim())));
            }
        }
        for (field, value) in [("duration>=", &self.min), ("duration<=", &self.max)] {
            let value: String = value.chars().filter(|c| !c.is_whitespace()).collect();
            if !value.is_empty() {
                // A bare number means milliseconds.
                let unit = if value.chars().all(|c| c.is_ascii_digit() || c == '.') { "ms" } else { "" };
                terms.push(format!("{field}{}", quoted(&format!("{value}{unit}"))));
            }
        }
        if !self.rest.trim().is_empty() {
            terms.push(self.rest.trim().to_owned());
        }
        terms.join(" ")
    }

    fn take(&mut self, piece: &str) -> bool {
        let fields: [(&str, &mut String); 6] = [
            ("service:", &mut self.service),
            ("name:", &mut self.operation),
            ("status:", &mut self.status),
            ("severity>=", &mut self.severity),
            ("duration>=", &mut self.min),
            ("duration<=", &mut self.max),
        ];
        for (prefix, field) in fields {
            if let Some(value) = piece.strip_prefix(prefix) {
                let Some(value) = unquoted(value) else { return false };
                if !field.is_empty() {
                    return false;
                }
                *field = value;
                return true;
            }
        }
        false
    }
}

/// Splits at spaces outside quotes.
pub(crate) fn pieces(query: &str) -> Vec<&str> {
    places(query, false).into_iter().filter_map(|(from, to)| query.get(from..to)).collect()
}

/// Places of what spaces divide, outside of quotes and, where `keeps_groups`, of parentheses.
pub(crate) fn places(query: &str, keeps_groups: bool) -> Vec<(usize, usize)> {
    let (mut pieces, mut start, mut depth, mut in_quotes, mut escaped) = (Vec::new(), None, 0_usize, false, false);
    for (at, c) in query.char_indices() {
        if c.is_whitespace() && !in_quotes && depth == 0 {
            pieces.extend(start.take().map(|from| (from, at)));
            continue;
        }
        start.get_or_insert(at);
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => in_quotes = !in_quotes,
            '(' if keeps_groups && !in_quotes => depth += 1,
            ')' if keeps_groups && !in_quotes => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    pieces.extend(start.map(|from| (from, query.len())));
    pieces
}

/// Whether a parenthesis opens in it, outside of quotes: `(a`, `trace:(a`, `count(a`.
fn opens(piece: &str) -> bool {
    piece.split('"').step_by(2).any(|outside| outside.contains('('))
}

/// The value of one plain term; lists and wildcards stay in the text.
fn unquoted(value: &str) -> Option<String> {
    if let Some(inner) = value.strip_prefix('"') {
        let inner = inner.strip_suffix('"')?;
        return Some(inner.replace("\\\"", "\"").replace("\\\\", "\\"));
    }
    (!value.is_empty() && !value.contains(['"', ',', '*', '\\', ')'])).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_keeps_names_that_begin_small() {
        assert_eq!(sentence("gRPC on the port of OTLP/HTTP"), "gRPC on the port of OTLP/HTTP.");
        assert_eq!(sentence("the body broke off"), "The body broke off.");
    }

    #[test]
    fn the_caret_points_at_the_character_not_at_the_byte() {
        let mut failure = Failure::bad_request("query_syntax", "there is no field `durration`");
        failure.place = Some(("é ".len(), 9));
        failure.suggestions = vec!["duration".to_owned()];
        let problem = Problem::new(&failure, "é durration>1s", |query| format!("/traces?q={query}"));
        let caret = problem.caret.unwrap();
        assert_eq!((caret.before.as_str(), caret.wrong.as_str(), caret.after.as_str()), ("é ", "durration", ">1s"));
        assert_eq!(caret.pointer, "  ^^^^^^^^^");
        assert_eq!(problem.message, "There is no field “durration”.");
        assert_eq!(problem.suggestions, [("duration".to_owned(), "/traces?q=é duration>1s".to_owned())]);
    }

    #[test]
    fn the_form_reads_what_it_writes_and_leaves_the_rest_alone() {
        let query = "service:cart name:\"POST (pay)\" status:error duration>=5ms duration<=2s attr.x:1 \"free text\"";
        let builder = Builder::parse(query);
        assert_eq!((builder.operation.as_str(), builder.min.as_str()), ("POST (pay)", "5ms"));
        assert_eq!(builder.rest, "attr.x:1 \"free text\"");
        assert_eq!(builder.compose(), query);
    }

    #[test]
    fn alternatives_and_lists_stay_text() {
        for query in
            ["service:a OR service:b", "(service:a)", "service:a,b", "service:a*", "trace:(x service:a y)", "count(a service:b c)>1"]
        {
            assert_eq!(Builder::parse(query).rest, query);
        }
    }

    #[test]
    fn a_bare_number_means_milliseconds() {
        let builder = Builder { min: "250".to_owned(), ..Builder::default() };
        assert_eq!(builder.compose(), "duration>=250ms");
    }
}
