//! SQL in lines: one per clause, subqueries indented.
//!
//! Nothing but white space between words is changed, whatever the dialect: what is inside of quotes and comments stays as it is, and so does
//! a statement that was sent in lines.

/// The statement in lines; `None` for what is no SQL, fits on a line, or has lines already.
pub(super) fn laid_out(text: &str) -> Option<String> {
    let text = text.trim();
    let first = text.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
    if text.len() < LEAST || text.contains('\n') || !STATEMENTS.iter().any(|word| word.eq_ignore_ascii_case(first)) {
        return None;
    }
    let mut lines = Lines::default();
    let words = words(text);
    for (at, word) in words.iter().enumerate() {
        let next = words.get(at + 1).map_or("", |next| next.text);
        lines.add(word, next);
    }
    Some(lines.out)
}

/// A word, a sign, a literal or a comment.
#[derive(Clone, Copy, Debug)]
struct Word<'a> {
    text: &'a str,
    /// Whether white space stands before it.
    is_apart: bool,
}

fn words(text: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut rest = text;
    loop {
        let trimmed = rest.trim_start();
        let Some((word, after)) = trimmed.split_at_checked(length(trimmed)).filter(|(word, _)| !word.is_empty()) else { return words };
        words.push(Word { text: word, is_apart: trimmed.len() < rest.len() });
        rest = after;
    }
}

/// How long the first word of a text is, in bytes.
fn length(text: &str) -> usize {
    let until = |from: usize, end: &str| text.get(from..).and_then(|rest| rest.find(end)).map_or(text.len(), |at| from + at + end.len());
    match text.as_bytes() {
        [quote @ (b'\'' | b'"' | b'`'), ..] => quoted(text, char::from(*quote)),
        [b'-', b'-', ..] => text.len(),
        [b'/', b'*', ..] => until(2, "*/"),
        _ => {
            let is_of_word = |c: char| c.is_alphanumeric() || "_.$@#:".contains(c);
            let first = text.chars().next().map_or(0, char::len_utf8);
            text.find(|c: char| !is_of_word(c)).unwrap_or(text.len()).max(first)
        }
    }
}

/// How long a quoted text is; a quote inside stands twice or behind a backslash.
fn quoted(text: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// What was written so far.
#[derive(Debug, Default)]
struct Lines {
    out: String,
    /// For each bracket that is open, whether it holds a query.
    open: Vec<bool>,
    /// Whether the next AND belongs to a BETWEEN.
    is_between: bool,
    /// Whether a clause of several words has begun that is not named yet: `LEFT OUTER`.
    is_begun: bool,
}

impl Lines {
    fn add(&mut self, word: &Word<'_>, next: &str) {
        let is = |known: &[&str]| known.iter().any(|known| known.eq_ignore_ascii_case(word.text));
        let begins = is(&BEGUN) && next != "(";
        // Lists of values and arguments stay on their line.
        let is_query = self.open.last().copied().unwrap_or(true);
        let ends_query = word.text == ")" && self.open.pop() == Some(true);
        if ends_query || (is_query && !self.is_begun && !self.out.is_empty() && (begins || is(&CLAUSES))) {
            self.line(0);
        } else if is_query && !self.is_between && is(&["AND", "OR"]) {
            self.line(2);
        } else if word.is_apart && !self.out.ends_with(char::is_whitespace) && !self.out.is_empty() {
            self.out.push(' ');
        }
        self.is_begun = begins || (self.is_begun && is(&["OUTER"]));
        self.is_between = is(&["BETWEEN"]) || (self.is_between && !is(&["AND"]));
        self.out.push_str(word.text);
        if word.text == "(" {
            self.open.push(["SELECT", "WITH"].iter().any(|known| known.eq_ignore_ascii_case(next)));
        }
    }

    /// A new line, by so much further in than its query.
    fn line(&mut self, further: usize) {
        let deep = self.open.iter().filter(|is_query| **is_query).count().min(MAX_DEPTH);
        self.out.push('\n');
        self.out.extend(std::iter::repeat_n(' ', 4 * deep + further));
    }
}

/// What a statement that is laid out begins with.
const STATEMENTS: [&str; 5] = ["SELECT", "WITH", "INSERT", "UPDATE", "DELETE"];

/// Words with which a clause begins.
const CLAUSES: [&str; 15] = [
    "SELECT",
    "FROM",
    "WHERE",
    "GROUP",
    "ORDER",
    "HAVING",
    "LIMIT",
    "OFFSET",
    "UNION",
    "INTERSECT",
    "EXCEPT",
    "VALUES",
    "SET",
    "RETURNING",
    "JOIN",
];

/// Those that go on with one of [`CLAUSES`]; some are also names of functions.
const BEGUN: [&str; 7] = ["LEFT", "RIGHT", "INNER", "FULL", "CROSS", "NATURAL", "DELETE"];

/// Shorter statements stay on one line.
const LEAST: usize = 60;

/// Deeper queries are not indented further.
const MAX_DEPTH: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clauses_begin_lines_and_queries_inside_of_others_are_indented() {
        let lines = |text: &str| laid_out(text).unwrap();
        assert_eq!(
            lines(
                "select o.id, count(*) from orders o left outer join lines l on l.id = o.id and l.n between 1 and 5 where o.at > now() or left(o.name, 2) = 'a'"
            ),
            "select o.id, count(*)\nfrom orders o\nleft outer join lines l on l.id = o.id\n  and l.n between 1 and 5\nwhere o.at > now()\n  or left(o.name, 2) = 'a'"
        );
        assert_eq!(
            lines(
                "WITH a AS (SELECT 1 AS b UNION ALL SELECT 2) DELETE FROM t USING a WHERE t.b = a.b AND (t.c = 1 OR t.d = 2) RETURNING *"
            ),
            "WITH a AS (\n    SELECT 1 AS b\n    UNION ALL\n    SELECT 2\n)\nDELETE FROM t USING a\nWHERE t.b = a.b\n  AND (t.c = 1 OR t.d = 2)\nRETURNING *"
        );
        assert_eq!(
            lines("INSERT INTO stock(product,amount) VALUES ('a from b', 1), ($1, ?) ON CONFLICT DO UPDATE SET amount=2"),
            "INSERT INTO stock(product,amount)\nVALUES ('a from b', 1), ($1, ?) ON CONFLICT DO UPDATE\nSET amount=2"
        );
    }

    #[test]
    fn no_word_is_changed() {
        for text in [
            "SELECT 'it''s  a  \\' FROM  where' , \"odd  name\" , `x``y` FROM t /* where  and */ WHERE a=1 -- from  here on",
            "SELECT a::text,b->>'k' FROM t WHERE (a,b) IN ((1,2),(3,4)) AND c='never ends  FROM",
            "UPDATE t SET a = ')', b = (SELECT max(ä) FROM u WHERE x = ((SELECT 1))) WHERE )))) AND ((( äöü  ≠ 5",
        ] {
            let of = |text: &str| words(text).iter().map(|word| word.text.to_owned()).collect::<Vec<_>>();
            assert_eq!(of(&laid_out(text).unwrap()), of(text), "{text}");
        }
    }

    #[test]
    fn what_is_short_has_lines_or_is_no_statement_stays_as_it_is() {
        let long = "a".repeat(80);
        for text in ["SELECT 1", &format!("SET {long} x"), &format!("SELECT {long}\nFROM t"), &format!("{{\"find\": \"{long}\"}}"), ""] {
            assert_eq!(laid_out(text), None, "{text}");
        }
    }
}
